"""Where voxels lie does not depend on the order in which they are stored."""

import nibabel as nb
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from mndmri import grids
from mndmri.io import InputError

OBLIQUE = np.array([[0.96, -0.2, 0.19, -30.0], [0.22, 0.97, -0.09, 12.0], [-0.17, 0.13, 0.98, 4.0], [0, 0, 0, 1]])


def image(zooms=(2, 2.5, 3)) -> nb.Nifti1Image:
    affine = OBLIQUE.copy()
    affine[:3, :3] = np.linalg.qr(OBLIQUE[:3, :3])[0] * np.sign(np.diag(np.linalg.qr(OBLIQUE[:3, :3])[1]))
    affine[:3, :3] = affine[:3, :3] @ np.diag(zooms)
    return nb.Nifti1Image(np.random.default_rng(1).standard_normal((7, 8, 9)), affine)


def stored_as(original: nb.Nifti1Image, axes: str) -> nb.Nifti1Image:
    turn = ornt_transform(io_orientation(original.affine), axcodes2ornt(axes))
    data = nb.apply_orientation(original.get_fdata(), turn)
    return nb.Nifti1Image(data, original.affine @ inv_ornt_aff(turn, original.shape))


@pytest.mark.parametrize("axes", ["LAS", "PSR", "ILP", "RAI"])
def test_every_storage_order_becomes_the_same_image(axes):
    expected, back = grids.to_canonical(image()), grids.to_canonical(stored_as(image(), axes))
    np.testing.assert_array_equal(back.get_fdata(), expected.get_fdata())
    np.testing.assert_allclose(back.affine, expected.affine, atol=1e-9)


@pytest.mark.parametrize("axes", ["LAS", "PSR", "ILP"])
def test_a_header_in_single_precision_gives_the_same_grid_from_every_corner(axes, tmp_path):
    """To the last digit: a registration carries on what differs in the last digits."""
    for name, stored in (("asis", image()), ("stored", stored_as(image(), axes))):
        nb.save(stored, tmp_path / f"{name}.nii")
    asis, stored = (grids.to_canonical(nb.load(tmp_path / f"{name}.nii")) for name in ("asis", "stored"))
    np.testing.assert_array_equal(stored.affine, asis.affine)
    np.testing.assert_allclose(asis.affine, image().affine, atol=1e-3)
    assert np.asarray(stored.dataobj).strides == np.asarray(asis.dataobj).strides


def test_the_slice_axis_is_the_thickest_however_the_voxels_are_stored():
    for axes in ("RAS", "PSR", "ILP"):
        assert grids.slice_axis(grids.to_canonical(stored_as(image((2, 2.5, 3)), axes))) == 2
        assert grids.slice_axis(grids.to_canonical(stored_as(image((2, 3, 2)), axes))) == 1
        assert grids.slice_axis(grids.to_canonical(stored_as(image((2, 2.001, 2)), axes))) == 2


def test_a_millimetre_off_is_another_grid_and_rounding_is_not():
    first, near, far = image(), image(), image()
    near.affine[0, 3] += 0.001
    far.affine[0, 3] += 1
    assert grids.same_grid(first, near)
    with pytest.raises(InputError, match="different grids"):
        grids.check_same_grid(first, near, far)


def test_volume_of_a_voxel_is_in_millilitres():
    assert grids.voxel_volume_ml(image()) == pytest.approx(2 * 2.5 * 3 / 1000)


def test_a_resampled_grid_has_the_same_corners():
    old = image()
    new = grids.resampled_grid(old, (1, 2.5, 1.5))
    assert new.shape == (14, 8, 18)
    for corner in ([-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]):
        ends = [
            nb.affines.apply_affine(i.affine, np.where(np.array(corner) < 0, corner, np.array(i.shape) - 0.5))
            for i in (old, new)
        ]
        np.testing.assert_allclose(ends[0], ends[1], atol=1e-9)
    np.testing.assert_allclose(grids.voxel_sizes(new), (1, 2.5, 1.5))


def test_world_coordinates_are_those_of_the_affine():
    xyz = grids.world_coordinates(image())
    np.testing.assert_allclose(xyz[3, 4, 5], nb.affines.apply_affine(image().affine, [3, 4, 5]))


def test_a_bounding_box_holds_the_mask_and_no_more_than_its_margin():
    mask = np.zeros((20, 18, 16), np.uint8)
    mask[5:9, 0:3, 10:16] = 1
    box = grids.bounding_box(nb.Nifti1Image(mask, np.eye(4)), margin=2)
    assert box == (slice(3, 11), slice(0, 5), slice(8, 18))
    assert mask[box].sum() == mask.sum()


def test_a_margin_in_mm_is_as_many_voxels_as_hold_it():
    mask = np.zeros((20, 18, 16), np.uint8)
    mask[5:9, 6:9, 8:10] = 1
    box = grids.bounding_box(nb.Nifti1Image(mask, np.diag([1, 2, 3, 1])), margin_mm=4.0)
    assert box == (slice(1, 13), slice(4, 11), slice(6, 12))


def test_the_box_of_nothing_is_the_whole_grid():
    nothing = nb.Nifti1Image(np.zeros((7, 8, 9), np.uint8), np.eye(4))
    assert grids.bounding_box(nothing, margin=1) == (slice(0, 7), slice(0, 8), slice(0, 9))


@pytest.mark.parametrize("axes", ["RAS", "LAS", "PSR", "ILP"])
@pytest.mark.parametrize("letter", ["i", "i-", "j", "j-", "k", "k-"])
def test_a_stored_direction_is_found_in_the_canonical_image(axes, letter):
    """One voxel further along the stored axis is one voxel further along the canonical one."""
    stored = stored_as(image(), axes)
    here = np.zeros(stored.shape)
    here[3, 3, 3] = 1
    step = np.where(np.arange(3) == "ijk".index(letter[0]), -1 if letter.endswith("-") else 1, 0)
    there = np.roll(here, step, axis=(0, 1, 2))
    found = [np.argwhere(grids.to_canonical(nb.Nifti1Image(d, stored.affine)).get_fdata())[0] for d in (here, there)]
    axis, sign = grids.canonical_direction(letter, stored.affine)
    np.testing.assert_array_equal(found[1] - found[0], sign * np.eye(3)[axis])


@pytest.mark.parametrize("letter", ["", "y", "J", "j+", "ij"])
def test_an_axis_that_no_image_has_is_refused(letter):
    with pytest.raises(InputError, match="expected i, j or k"):
        grids.canonical_direction(letter, np.eye(4))


@pytest.mark.parametrize("edge", [1.2, 2.5, 4.8])
def test_the_longest_edge_is_the_scanners_number_in_spite_of_rounding_in_the_header(edge):
    for off in (-4e-6, 0.0, 4e-6):
        assert grids.longest_edge_mm(nb.Nifti1Image(np.zeros((3, 3, 3)), np.diag([1, edge + off, 1, 1]))) == edge


def test_a_part_comes_back_to_its_place_and_the_rest_is_zero():
    whole = image()
    box = slice(1, 4), slice(2, 8), slice(0, 5)
    volumes = grids.make_image(np.stack([whole.get_fdata(), whole.get_fdata() + 9], axis=-1), whole)
    for original in (whole, volumes):
        back = grids.uncrop(original.slicer[box], box, original)
        grids.check_same_grid(back, original)
        np.testing.assert_array_equal(back.get_fdata()[box], original.get_fdata()[box])
        assert np.count_nonzero(back.get_fdata()) == original.get_fdata()[box].size
