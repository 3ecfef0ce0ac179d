import nibabel as nb
import numpy as np
import pytest

from mndmri.gradient_echo.dipole import dipole_field
from mndmri.grids import make_image, world_coordinates
from mndmri.io import InputError
from mndmri.susceptibility.inversion import invert_closed_form, invert_total_variation


def total_variation(local, mask, **options):
    """With the weight that suits noise of 0.5 ppb."""
    return invert_total_variation(local, mask, **{"regularisation": 1e-4} | options)


UPRIGHT = np.array([0.0, 0.0, 1.0])
METHODS = [invert_closed_form, total_variation]
ERROR_PPM = {invert_closed_form: 0.02, total_variation: 0.006}


def nuclei(zooms=(2.0, 2.0, 2.0), b0_axis=UPRIGHT, noise=0.0005):
    """True map with a positive ball on the left and a negative one on the right; its noisy field; the mask."""
    shape = np.ceil(64 / np.array(zooms)).astype(int)
    affine = np.diag([*zooms, 1.0])
    affine[:3, 3] = -(shape - 1) / 2 * zooms
    grid = nb.Nifti1Image(np.zeros(shape, np.uint8), affine)
    x, y, z = np.moveaxis(world_coordinates(grid), -1, 0)
    mask = x**2 + y**2 + z**2 < 28**2
    chi = 0.1 * ((x + 10) ** 2 + y**2 + z**2 < 64) - 0.06 * ((x - 10) ** 2 + y**2 + z**2 < 64)
    field = dipole_field(chi, np.array(zooms), b0_axis)
    field += np.random.default_rng(0).normal(0, noise, field.shape)
    return chi, make_image(field.astype(np.float32), grid), make_image(mask, grid)


def means(image, chi, mask):
    """Mean in each ball, less the rest of the brain."""
    values, rest = image.get_fdata(), (chi == 0) & (mask.get_fdata() > 0)
    return np.array([values[chi > 0].mean(), values[chi < 0].mean()]) - values[rest].mean()


@pytest.mark.parametrize("invert", METHODS)
@pytest.mark.parametrize("zooms", [(2.0, 2.0, 2.0), (1.5, 2.0, 3.0)])
@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 0.6, 0.8), (1, 0, 0)])
def test_planted_susceptibility_is_found(invert, zooms, axis):
    axis = np.array(axis, float)
    chi, field, mask = nuclei(zooms, axis)
    found = invert(field, mask, b0_axis=axis)
    np.testing.assert_allclose(means(found, chi, mask), [0.1, -0.06], atol=ERROR_PPM[invert])
    assert found.get_data_dtype() == np.float32
    assert (found.get_fdata()[mask.get_fdata() == 0] == 0).all()


@pytest.mark.parametrize("invert", METHODS)
def test_mirrored_field_gives_the_mirrored_map(invert):
    _, field, mask = nuclei()
    straight = invert(field, mask, b0_axis=UPRIGHT).get_fdata()
    mirrored = invert(make_image(field.get_fdata(dtype=np.float32)[::-1], field), mask, b0_axis=UPRIGHT).get_fdata()
    assert np.abs(mirrored[::-1] - straight).max() < 0.01
    assert np.sqrt(((mirrored[::-1] - straight) ** 2).mean()) < 0.001


def test_a_wrong_direction_of_the_main_field_is_seen():
    chi, field, mask = nuclei(b0_axis=np.array([1.0, 0, 0]))
    assert np.abs(means(total_variation(field, mask, b0_axis=UPRIGHT), chi, mask) - [0.1, -0.06]).max() > 0.03


def test_voxels_without_weight_have_no_say():
    chi, field, mask = nuclei()
    values, weights = field.get_fdata(dtype=np.float32), np.full(field.shape, 40.0, np.float32)
    values[14:18, 22:25, 14:18] += 1.0
    spoilt = make_image(values, field)
    weights[14:18, 22:25, 14:18] = 0.0
    trusted = means(total_variation(spoilt, mask, b0_axis=UPRIGHT), chi, mask)
    weighted = means(total_variation(spoilt, mask, b0_axis=UPRIGHT, weights=make_image(weights, field)), chi, mask)
    np.testing.assert_allclose(weighted, [0.1, -0.06], atol=0.006)
    assert np.abs(trusted - [0.1, -0.06]).max() > 0.02


def test_scale_of_the_weights_does_not_matter():
    _, field, mask = nuclei()
    weights = np.random.default_rng(1).uniform(1, 2, field.shape).astype(np.float32)
    maps = [
        total_variation(field, mask, b0_axis=UPRIGHT, weights=make_image(k * weights, field)).get_fdata()
        for k in (1, 500)
    ]
    np.testing.assert_allclose(*maps, atol=1e-4)


def test_source_outside_the_mask_leaves_the_map_alone():
    chi, field, mask = nuclei()
    x, y, z = np.moveaxis(world_coordinates(field), -1, 0)
    other = dipole_field(1.0 * (x**2 + y**2 + (z - 30.5) ** 2 < 4), np.full(3, 2.0), UPRIGHT)
    both = make_image((field.get_fdata() + other).astype(np.float32), field)
    np.testing.assert_allclose(means(total_variation(both, mask, b0_axis=UPRIGHT), chi, mask), [0.1, -0.06], atol=0.006)


def test_unusable_input_is_refused():
    _, field, mask = nuclei()
    empty = make_image(np.zeros(field.shape, np.uint8), field)
    for invert in METHODS:
        with pytest.raises(InputError, match="mask is empty"):
            invert(field, empty, b0_axis=UPRIGHT)
        with pytest.raises(InputError, match="different grids"):
            invert(field, mask.slicer[1:], b0_axis=UPRIGHT)
    with pytest.raises(InputError, match="weights are 0"):
        total_variation(field, mask, b0_axis=UPRIGHT, weights=empty)
