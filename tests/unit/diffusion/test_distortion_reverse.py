"""Displacement from images of opposite phase encoding, and what it does to an image."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.diffusion.distortion.encoding import PhaseEncoding, unwarp
from mndmri.diffusion.distortion.reverse import displacement_from_reverse
from mndmri.grids import make_image, to_canonical, voxel_sizes, world_coordinates
from mndmri.io import InputError
from tests.unit.diffusion.distorted import brain, push_mm, rigid, sampled, scan, scanner, signal, true_voxels

ALONG_Y = PhaseEncoding(1, None, None)


def pair(grid, axis=1, *, ratio=1.0, movement=None, noise=0.03):
    return (
        scan(grid, axis, 1.0, noise=noise, seed=1),
        scan(grid, axis, -ratio, movement=movement, noise=noise, seed=2),
    )


def error(found, grid, axis=1):
    inside = np.asarray(brain(grid).dataobj) > 0
    return np.abs(found.displacement.get_fdata() - true_voxels(grid, axis))[inside]


@pytest.mark.parametrize(("axis", "tilt"), [(1, 0.0), (0, 15.0)])
def test_displacement_is_found_along_any_axis_of_any_grid(axis, tilt):
    grid = scanner(tilt_deg=tilt)
    found = displacement_from_reverse(*pair(grid, axis), PhaseEncoding(axis, None, None), mask=brain(grid))
    assert np.median(error(found, grid, axis)) < 0.1
    assert np.percentile(error(found, grid, axis), 95) < 0.4
    assert found.agreement > 0.95 > found.agreement_before + 0.1


def test_head_movement_between_the_two_is_no_distortion():
    grid, movement = scanner(), rigid([3, -2, 3], [2, 3, -3])
    found = displacement_from_reverse(*pair(grid, movement=movement), ALONG_Y, mask=brain(grid))
    assert np.median(error(found, grid)) < 0.25
    points = world_coordinates(grid)[np.asarray(brain(grid).dataobj) > 0]
    missed = nb.affines.apply_affine(found.to_reverse, points) - nb.affines.apply_affine(movement, points)
    assert np.linalg.norm(missed[:, [0, 2]], axis=1).max() < 0.5 * voxel_sizes(grid).min()
    assert found.agreement > 0.9


def test_shorter_readout_of_the_reverse_image_is_taken_into_account():
    grid = scanner()
    found = displacement_from_reverse(*pair(grid, ratio=0.6), ALONG_Y, readout_ratio=0.6, mask=brain(grid))
    assert np.median(error(found, grid)) < 0.1


def test_reversed_roles_give_the_opposite_sign():
    grid = scanner()
    inside = np.asarray(brain(grid).dataobj) > 0
    one, other = pair(grid)
    there = displacement_from_reverse(one, other, ALONG_Y, mask=brain(grid)).displacement.get_fdata()[inside]
    back = displacement_from_reverse(other, one, ALONG_Y, mask=brain(grid)).displacement.get_fdata()[inside]
    assert np.corrcoef(there, back)[0, 1] < -0.98
    assert np.percentile(np.abs(there + back), 95) < 0.3


def test_storage_does_not_matter_to_where_signal_went():
    grid = scanner(tilt_deg=10.0)
    images = pair(grid)
    points = world_coordinates(grid)[np.asarray(brain(grid).dataobj) > 0]
    ras = displacement_from_reverse(*images, ALONG_Y)
    las = [i.as_reoriented(np.array([[0, -1], [1, 1], [2, 1]])) for i in images]
    assert nb.aff2axcodes(las[0].affine) == ("L", "A", "S")
    again = displacement_from_reverse(*map(to_canonical, las), ALONG_Y)
    np.testing.assert_allclose(sampled(again.displacement, points), sampled(ras.displacement, points), atol=0.02)
    # on the left it goes back, in front it goes forth
    left, right = ([[side * 45.0 + 3, -17, -20]] for side in (-1, 1))
    assert sampled(ras.displacement, np.array(left))[0] < -0.8
    assert abs(sampled(ras.displacement, np.array(right))[0]) < 0.4


def test_image_never_folds_not_even_where_signal_from_several_places_fell_on_one():
    grid = scanner()
    strong = [scan(grid, 1, factor, noise=0.03, seed=3) for factor in (3.0, -3.0)]
    found = displacement_from_reverse(*strong, ALONG_Y).displacement.get_fdata()
    assert np.abs(np.diff(found, axis=1)).max() < 1
    assert (1 + np.gradient(found, axis=1)).min() > 0


def test_unwarped_image_is_the_head_in_place_and_brightness():
    grid = scanner(voxel_mm=(4.0, 3.0, 5.0), shape=(36, 60, 30))
    displacement = make_image(true_voxels(grid, 1).astype(np.float32), grid)
    distorted = scan(grid, 1, 1.0)
    truth = signal(world_coordinates(grid))
    inside = np.asarray(brain(grid).dataobj) > 0

    def off(image):
        return np.median(np.abs(image.get_fdata() - truth)[inside & (np.abs(push_mm(world_coordinates(grid))) > 3)])

    straight = unwarp(distorted, displacement, 1, order=3)
    assert off(straight) < 0.15 * off(distorted)
    series = make_image(np.stack([distorted.get_fdata(), 2 * distorted.get_fdata()], axis=-1), grid)
    np.testing.assert_allclose(
        unwarp(series, displacement, 1, order=3).get_fdata()[..., 1], 2 * straight.get_fdata(), rtol=1e-4, atol=0.1
    )


def test_nothing_moves_off_the_phase_axis():
    grid = scanner(shape=(7, 8, 9))
    lines = np.broadcast_to(np.arange(7.0)[:, None, None] + 10 * np.arange(9.0), (7, 8, 9))
    shift = make_image(np.full((7, 8, 9), 1.5, np.float32), grid)
    moved = unwarp(make_image(lines.astype(np.float32), grid), shift, 1).get_fdata()
    np.testing.assert_allclose(moved[:, :6], lines[:, :6])


def test_other_matrix_of_the_reverse_image_is_refused():
    small = scanner(shape=(34, 30, 27))
    with pytest.raises(InputError, match=r"\(34, 38, 27\).*\(34, 30, 27\).*expected the same"):
        displacement_from_reverse(scan(scanner(), 1, 1.0), scan(small, 1, -1.0), ALONG_Y)


def test_images_and_masks_with_nothing_in_them_are_refused():
    grid = scanner(shape=(7, 8, 9))
    empty, full = make_image(np.zeros(grid.shape, np.float32), grid), make_image(np.ones(grid.shape, np.float32), grid)
    with pytest.raises(InputError, match="reverse b = 0 image has no value above 0"):
        displacement_from_reverse(full, empty, ALONG_Y)
    with pytest.raises(InputError, match="mask is empty"):
        displacement_from_reverse(full, full, ALONG_Y, mask=empty)
    with pytest.raises(InputError, match="ratio 0"):
        displacement_from_reverse(full, full, ALONG_Y, readout_ratio=0.0)
