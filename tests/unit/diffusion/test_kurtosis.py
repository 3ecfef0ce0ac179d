"""Kurtosis against compartments whose kurtosis is known in closed form."""

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mndmri.diffusion.gradients import Gradients
from mndmri.diffusion.kurtosis import fit_kurtosis
from mndmri.diffusion.shells import has_kurtosis_shells
from mndmri.grids import make_image, to_canonical
from mndmri.io import InputError

SHAPE = (6, 5, 4)
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", [12, -7, 20], degrees=True).as_matrix() @ np.diag([2, 2.5, 3])


def gradients(shells=(1000, 2000), n=40, n_b0=4, seed=1):
    vectors = np.random.default_rng(seed).normal(size=(n * len(shells), 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    bvals = np.r_[np.zeros(n_b0), np.repeat(shells, n)].astype(float)
    return Gradients(bvals, np.vstack([np.zeros((n_b0, 3)), vectors]))


def axes(seed=2):
    """A direction for each voxel."""
    found = np.random.default_rng(seed).normal(size=(*SHAPE, 3))
    return found / np.linalg.norm(found, axis=-1, keepdims=True)


def of_kurtosis(table, along, across, *, kurtosis, affine=AFFINE, snr=None):
    """Signal whose logarithm is that of a tensor and of an even kurtosis: -b D(g) + (b MD)^2 K / 6."""
    mean = (along + 2 * across) / 3
    diffusivity = across + (along - across) * (axes() @ table.bvecs.T) ** 2
    kurtosis = np.broadcast_to(kurtosis, SHAPE)[..., None]
    signal = 900 * np.exp(-table.bvals * diffusivity + (table.bvals * mean) ** 2 * kurtosis / 6)
    if snr is not None:
        signal = np.abs(signal + np.random.default_rng(3).normal(0, 900 / snr, signal.shape))
    return nb.Nifti1Image(signal.astype(np.float32), affine)


def whole(image):
    return make_image(np.ones(image.shape[:3], np.uint8), image)


def arrays(maps):
    return [image.get_fdata() for image in maps]


def expected_radial(along, across, kurtosis):
    """Kurtosis of a direction is W (MD / D)^2: with an even W, across the axis D is the smaller eigenvalue."""
    return kurtosis * ((along + 2 * across) / 3 / across) ** 2


@pytest.mark.parametrize("kurtosis", [0.4, 0.8])
def test_kurtosis_along_and_across_an_axis_is_found_in_every_direction(kurtosis):
    along, across, table = 1.2e-3, 0.6e-3, gradients()
    image = of_kurtosis(table, along, across, kurtosis=kurtosis)
    mk, ak, rk = arrays(fit_kurtosis(image, table, whole(image)))
    mean = (along + 2 * across) / 3
    np.testing.assert_allclose(ak, kurtosis * (mean / along) ** 2, rtol=1e-3)
    np.testing.assert_allclose(rk, expected_radial(along, across, kurtosis), rtol=1e-3)
    cosines = np.linspace(-1, 1, 20_001)
    diffusivity = across + (along - across) * cosines**2
    np.testing.assert_allclose(mk, np.mean(kurtosis * (mean / diffusivity) ** 2), rtol=1e-3)


def test_free_diffusion_has_none():
    table = gradients()
    image = of_kurtosis(table, 1.5e-3, 0.4e-3, kurtosis=0)
    for found in arrays(fit_kurtosis(image, table, whole(image))):
        np.testing.assert_allclose(found, 0, atol=1e-3)


def test_two_compartments_have_the_kurtosis_of_their_variance():
    """Isotropic: K = 3 var(D) / mean(D)^2; so little that what comes after it in the expansion is less."""
    table = gradients((300, 700))
    slow, fast = 0.8e-3, 1.2e-3
    signal = 900 * (np.exp(-table.bvals * slow) + np.exp(-table.bvals * fast)) / 2
    image = nb.Nifti1Image(np.broadcast_to(signal, (*SHAPE, len(signal))).copy(), AFFINE)
    mk, *_ = arrays(fit_kurtosis(image, table, whole(image)))
    np.testing.assert_allclose(mk, 3 * 0.2**2 / 1.0**2, rtol=0.03)


def test_noise_leaves_the_mean_kurtosis_where_it_is():
    table = gradients(n=60)
    image = of_kurtosis(table, 1.2e-3, 0.6e-3, kurtosis=0.8, snr=60)
    exact = of_kurtosis(table, 1.2e-3, 0.6e-3, kurtosis=0.8)
    noisy, true = (arrays(fit_kurtosis(own, table, whole(own)))[0].mean() for own in (image, exact))
    assert noisy == pytest.approx(true, rel=0.05)


def test_left_keeps_its_kurtosis_in_an_image_stored_from_right_to_left():
    table = gradients()
    stored = AFFINE @ np.diag([-1, 1, 1, 1])
    x = nb.affines.apply_affine(stored, np.moveaxis(np.indices(SHAPE), 0, -1))[..., 0]
    left = x < np.median(x)
    image = to_canonical(of_kurtosis(table, 1e-3, 1e-3, kurtosis=np.where(left, 0.9, 0.3), affine=stored))
    found = fit_kurtosis(image, table, whole(image)).mk
    x = nb.affines.apply_affine(found.affine, np.moveaxis(np.indices(SHAPE), 0, -1))[..., 0]
    np.testing.assert_allclose(found.get_fdata(), np.where(x < np.median(x), 0.9, 0.3), rtol=1e-2)


def test_voxels_outside_the_mask_are_zero_and_volumes_of_higher_b_have_no_part():
    table = gradients((1000, 2000, 5000))
    image = of_kurtosis(table, 1.2e-3, 0.6e-3, kurtosis=0.5)
    data = image.get_fdata()
    data[..., table.bvals > 3150] = 1e4
    mask = np.ones(SHAPE, np.uint8)
    mask[0] = 0
    mk = fit_kurtosis(make_image(data.astype(np.float32), image), table, make_image(mask, image)).mk.get_fdata()
    assert not mk[0].any()
    clean = gradients()
    expected = of_kurtosis(clean, 1.2e-3, 0.6e-3, kurtosis=0.5)
    np.testing.assert_allclose(mk[1:], fit_kurtosis(expected, clean, whole(expected)).mk.get_fdata()[1:], rtol=0.01)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (gradients((1000,), n=60), "b = 1000 (60)"),
        (gradients((1000, 2000), n=14), "b = 1000 (14), b = 2000 (14)"),
        (gradients((1000, 5000)), "b = 1000 (40)"),
        (gradients(n_b0=0), "no b = 0 volume"),
    ],
)
def test_a_series_without_the_shells_is_refused_with_what_it_has(table, said):
    possible, why = has_kurtosis_shells(table)
    assert not possible
    assert said in why
    image = of_kurtosis(table, 1e-3, 1e-3, kurtosis=0)
    with pytest.raises(InputError, match="do not map kurtosis"):
        fit_kurtosis(image, table, whole(image))


def test_directions_that_differ_by_rounding_alone_are_one():
    few = gradients(n=12)
    doubled = Gradients(np.tile(few.bvals, 2), np.vstack([few.bvecs, np.round(few.bvecs, 3)]))
    assert not has_kurtosis_shells(doubled)[0]
    assert has_kurtosis_shells(gradients(n=20))[0]
