import nibabel as nb
import numpy as np
import pytest

from mndmri.grids import make_image
from mndmri.susceptibility.veins import find_veins


def block(zooms, seed=0):
    """Even tissue with noise; coordinates in mm from its centre."""
    shape = np.rint(np.array([26.0, 24.0, 22.0]) / zooms).astype(int)
    affine = np.diag([*zooms, 1.0])
    xyz = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) * zooms - (shape - 1) / 2 * zooms
    noise = np.random.default_rng(seed).normal(0, 0.02, shape)
    return np.ones(shape) + noise, np.moveaxis(xyz, -1, 0), affine


def veins_in(data, affine):
    image = nb.Nifti1Image(data.astype(np.float32), affine)
    return np.asarray(find_veins(image, make_image(np.ones(data.shape, bool), image)).dataobj) > 0


@pytest.mark.parametrize("zooms", [(0.5, 0.5, 0.5), (0.5, 0.5, 1.5), (0.6, 0.9, 0.6)])
@pytest.mark.parametrize("direction", ["along z", "oblique"])
def test_dark_tube_is_a_vein(zooms, direction):
    data, (x, y, z), affine = block(zooms)
    radius = np.hypot(x, y) if direction == "along z" else np.hypot(z, (x - y) / np.sqrt(2))
    data[radius < 0.9] -= 0.45
    found = veins_in(data, affine)
    inner = (np.abs(x) < 8) & (np.abs(y) < 8) & (np.abs(z) < 8)
    assert found[(radius < 0.6) & inner].mean() > 0.9
    assert found[(radius > 3) & inner].mean() < 0.005


@pytest.mark.parametrize("zooms", [(0.5, 0.5, 0.5), (0.5, 0.5, 1.5)])
@pytest.mark.parametrize("thickness", [1.5, 2.5])
def test_dark_sheet_like_the_motor_band_is_not_a_vein(zooms, thickness):
    data, (x, y, z), affine = block(zooms)
    # as wide as the hand area, and as deep as its sulcus
    sheet = (np.abs(y - 0.02 * x**2) < thickness / 2) & (np.abs(x) < 8) & (np.abs(z) < 7)
    data[sheet] -= 0.3
    found = veins_in(data, affine)
    assert found[sheet].mean() < 0.02
    middle = sheet & (np.abs(x) < 5) & (np.abs(z) < 4)
    assert not found[middle].any()


def test_marked_sheet_folded_round_a_sulcus_is_not_a_vein():
    data, (x, y, z), affine = block((0.5, 0.5, 0.5))
    fold = np.abs(y + 4 - 0.15 * x**2) / np.hypot(1, 0.3 * x) < 1.25  # 3 mm radius at the bottom
    fold &= (np.abs(x) < 8) & (np.abs(z) < 7)
    data[fold] -= 0.5
    assert veins_in(data, affine)[fold & (np.abs(x) < 6) & (np.abs(z) < 5)].mean() < 0.01


def test_bright_tube_is_not_a_vein():
    data, (x, y, _), affine = block((0.5, 0.5, 0.5))
    data[np.hypot(x, y) < 0.9] += 0.45
    assert veins_in(data, affine)[np.hypot(x, y) < 0.5].mean() < 0.01


def test_no_vein_is_claimed_on_voxels_too_coarse_to_show_one():
    data, (x, y, _), affine = block((3.0, 3.0, 3.0))
    data[np.hypot(x, y) < 3] -= 0.5
    assert not veins_in(data, affine).any()


def sagittal_sinus(seed=0):
    """A brain with a dark sinus along its top, 7 mm wide, and a deep dark sheet."""
    data, (x, y, z), affine = block((0.8, 0.8, 1.5), seed)
    sinus = np.hypot(x, z - 9) < 3.5
    sheet = (np.abs(y) < 1) & (np.abs(x) < 8) & (z < 2)
    data[sinus] = 0.3
    data[sheet] *= 0.6
    data[z > 9] = 0
    return data, affine, sinus & (z < 9), sheet


def test_a_sinus_at_the_surface_is_found_though_it_is_no_thin_tube():
    data, affine, sinus, sheet = sagittal_sinus()
    found = veins_in(data, affine)
    assert found[sinus].mean() > 0.95
    assert found[sheet].mean() < 0.02


def test_a_mirrored_sinus_is_found_mirrored():
    data, affine, _, _ = sagittal_sinus()
    data = np.roll(data, 6, axis=0)
    np.testing.assert_array_equal(veins_in(data[::-1], affine), veins_in(data, affine)[::-1])
