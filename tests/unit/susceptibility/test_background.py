import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from mndmri.gradient_echo.dipole import dipole_field
from mndmri.grids import make_image, voxel_sizes, world_coordinates
from mndmri.io import InputError
from mndmri.susceptibility.background import remove_background


def ball(zooms, radius=30.0):
    """Brain mask: a ball of this radius (mm) in the middle of its grid; and world coordinates."""
    affine = np.diag([*zooms, 1.0])
    shape = np.ceil(2 * (radius + 6) / np.array(zooms)).astype(int)
    affine[:3, 3] = -(shape - 1) / 2 * zooms
    grid = nb.Nifti1Image(np.zeros(shape, np.uint8), affine)
    xyz = np.moveaxis(world_coordinates(grid), -1, 0)
    return make_image(np.linalg.norm(xyz, axis=0) < radius, grid), xyz


def harmonic(xyz):
    """Field of a shim and of an air pocket beyond the edge, ppm."""
    x, y, z = xyz / 30.0
    away = xyz - np.reshape([0.0, 42.0, -10.0], (3, 1, 1, 1))
    distance = np.linalg.norm(away, axis=0)
    pocket = (8.0 / distance) ** 3 * (3 * (away[2] / distance) ** 2 - 1)
    return 0.5 * x * z + 0.3 * (z**2 - (x**2 + y**2) / 2) + 0.4 * y + 3.0 * pocket


@pytest.mark.parametrize("zooms", [(1.5, 1.5, 1.5), (1.0, 1.0, 2.0), (2.0, 1.5, 3.0)])
def test_a_field_from_outside_the_brain_vanishes(zooms):
    mask, xyz = ball(zooms)
    field = harmonic(xyz)
    local, inside = remove_background(make_image(field, mask), mask)
    kept = inside.get_fdata() > 0
    assert local.get_fdata()[kept].std() < 0.01 * field[kept].std()


@pytest.mark.parametrize("zooms", [(1.5, 1.5, 1.5), (1.0, 1.0, 2.0)])
def test_the_field_of_a_source_inside_is_kept(zooms):
    mask, xyz = ball(zooms)
    source = 0.1 * (np.linalg.norm(xyz - np.reshape([6.0, -4, 3], (3, 1, 1, 1)), axis=0) < 5)
    own = dipole_field(source, np.array(zooms), np.array([0.0, 0, 1]))
    local, _ = remove_background(make_image(own + harmonic(xyz), mask), mask)
    near = np.linalg.norm(xyz - np.reshape([6.0, -4, 3], (3, 1, 1, 1)), axis=0) < 12
    slope, _ = np.polyfit(own[near], local.get_fdata()[near], 1)
    assert slope == pytest.approx(1, abs=0.1)
    assert np.corrcoef(own[near], local.get_fdata()[near])[0, 1] > 0.98


def test_the_edge_loses_one_voxel_however_thick_the_slices():
    mask, xyz = ball((1.0, 1.0, 3.0))
    _, inside = remove_background(make_image(harmonic(xyz), mask), mask)
    neighbours = ndimage.binary_erosion(mask.get_fdata() > 0)
    np.testing.assert_array_equal(inside.get_fdata() > 0, neighbours)


def test_an_enclosed_hole_costs_its_own_voxels_and_what_is_in_it_does_not_matter():
    mask, xyz = ball((2.0, 2.0, 2.0))
    field, brain = harmonic(xyz), mask.get_fdata() > 0
    hole = np.zeros_like(brain)
    hole[14:17, 15:19, 20] = True
    spread = field[brain].std()
    field[hole] = np.nan
    field[~brain] = 1e3
    local, inside = remove_background(make_image(field, mask), make_image(brain & ~hole, mask))
    kept = inside.get_fdata() > 0
    np.testing.assert_array_equal(kept, ndimage.binary_erosion(brain) & ~hole)
    assert local.get_fdata()[kept].std() < 0.01 * spread
    assert (local.get_fdata()[~kept] == 0).all()


def test_field_of_view_ends_where_the_brain_does_not():
    mask, xyz = ball((2.0, 2.0, 2.0))
    field = make_image(harmonic(xyz), mask)
    local, inside = (i.get_fdata() for i in remove_background(field.slicer[:, :, 12:], mask.slicer[:, :, 12:]))
    assert not inside[:, :, 0].any()
    assert local[inside > 0].std() < 0.01 * field.get_fdata()[mask.get_fdata() > 0].std()


def test_mirrored_head_has_the_mirrored_local_field():
    mask, xyz = ball((1.5, 2.0, 2.5))
    own = dipole_field(
        0.1 * ((np.abs(xyz[0] - 12) < 4) & (np.abs(xyz[1:]) < 6).all(axis=0)), voxel_sizes(mask), [0, 0, 1]
    )
    field = own + harmonic(xyz)
    straight, _ = remove_background(make_image(field, mask), mask)
    mirrored, _ = remove_background(make_image(field[::-1], mask), mask)
    np.testing.assert_allclose(mirrored.get_fdata()[::-1], straight.get_fdata(), atol=1e-5)


def test_unusable_input_is_refused():
    mask, xyz = ball((3.0, 3.0, 3.0))
    field = make_image(harmonic(xyz), mask)
    values = field.get_fdata().copy()
    values[12, 12, 12] = np.nan
    with pytest.raises(InputError, match="not finite in 1 voxels"):
        remove_background(make_image(values, mask), mask)
    thin = np.zeros(mask.shape, bool)
    thin[10] = True
    with pytest.raises(InputError, match="six neighbours"):
        remove_background(field, make_image(thin, mask))
    with pytest.raises(InputError, match="different grids"):
        remove_background(field, mask.slicer[1:])
