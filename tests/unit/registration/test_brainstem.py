"""The brainstem of made-up heads, whose place in the template is known."""

from functools import cache

import nibabel as nb
import numpy as np
import pytest

from mndmri.grids import make_image, resampled_grid, world_coordinates
from mndmri.registration.brainstem import fit_affine, follow_affine, in_brainstem, match_outline, place_scan
from mndmri.registration.register import Warp, jacobian_determinant
from mndmri.registration.transforms import average_over_voxels, make_field, map_points, resample

# from template to T1w points, and from T1w to scan points
HEAD = nb.affines.from_matvec(nb.eulerangles.euler2mat(x=0.25, z=-0.1) @ np.diag([1.05, 0.95, 1.02]), [4.0, 3.0, -6.0])
TO_SCAN = nb.affines.from_matvec(nb.eulerangles.euler2mat(y=0.1), [2.0, 0.0, 5.0])
PONS = np.array([[-6.0, -25.0, -34.0], [6.0, -25.0, -34.0], [0.0, -25.0, -22.0], [-10.0, -21.0, -18.0]])


def grid(mm, low, high):
    shape = np.rint(np.subtract(high, low) / np.asarray(mm)).astype(int) + 1
    return nb.Nifti1Image(np.zeros(shape, np.uint8), nb.affines.from_matvec(np.diag(np.broadcast_to(mm, 3)), low))


TEMPLATE = grid(3.0, (-75, -105, -57), (75, 75, 80))


def solid(points):
    """Share of tissue of a made-up head at template points: brainstem, with a nose on the right, and others."""
    x, y, z = np.moveaxis(points, -1, 0)
    stem = np.hypot(x / 15, (y + 25 + 0.2 * (z + 22)) / (12 + 4 * (np.abs(z + 30) < 8))) < 1
    nose = np.hypot(x - 14, y + 22) < 5
    above = np.linalg.norm((points - [0, -15, 38]) / [60, 80, 42], axis=-1) < 1
    behind = np.linalg.norm((points - [0, -66, -28]) / [45, 26, 20], axis=-1) < 1
    return ((stem | nose) & (z < 5) | above | behind).astype(np.float32)


@cache
def softened():
    """Tissue of the template, with the partial volume of its voxels."""
    fine = resampled_grid(TEMPLATE, 1.5)
    return average_over_voxels(make_image(solid(world_coordinates(fine)), fine), TEMPLATE, [])


def folded(points):
    """A deformation by 12 mm about the left of the pons, within 6 mm: no inverse."""
    push = 12 * np.exp(-0.5 * np.sum((points - [-7, -25, -30]) ** 2, axis=-1) / 6**2)
    return points + push[..., None] * [1.0, 0.0, 0.0]


@cache
def head():
    """Registration of a T1w image that is wrong in the brainstem, and its brain."""
    t1w = grid((3.0, 2.5, 3.0), (-80, -110, -75), (80, 85, 80))
    points = world_coordinates(t1w)
    template = nb.affines.apply_affine(np.linalg.inv(HEAD), points)
    forth = nb.affines.apply_affine(HEAD, folded(world_coordinates(TEMPLATE))) - world_coordinates(TEMPLATE)
    warp = Warp(make_field(forth, TEMPLATE), make_field(folded(template) - points, t1w))
    return warp, make_image(solid(template), t1w)


def test_the_affine_transform_is_that_of_the_head_in_spite_of_a_fold():
    affine = fit_affine(*head())
    np.testing.assert_allclose(nb.affines.apply_affine(affine, PONS), nb.affines.apply_affine(HEAD, PONS), atol=0.4)


def test_the_fold_is_gone_and_the_rest_as_it_was():
    warp, brain = head()
    steady = follow_affine(warp, fit_affine(warp, brain))
    assert jacobian_determinant(warp.moving_to_fixed).get_fdata().min() < 0
    assert jacobian_determinant(steady.moving_to_fixed).get_fdata().min() > 0.5
    away = in_brainstem(world_coordinates(TEMPLATE)) == 0
    before, after = (np.asarray(w.moving_to_fixed.dataobj)[away] for w in (warp, steady))
    np.testing.assert_array_equal(before, after)


def test_one_direction_is_the_inverse_of_the_other():
    warp, brain = head()
    steady = follow_affine(warp, fit_affine(warp, brain))
    points = np.random.default_rng(1).uniform((-30, -50, -40), (30, 5, 15), (400, 3))
    points = points[np.linalg.norm(points - [-7, -25, -30], axis=1) > 20]  # as it came, the fold has no inverse
    there = map_points(points, [steady.moving_to_fixed])
    np.testing.assert_allclose(map_points(there, [steady.fixed_to_moving]), points, atol=0.5)


@pytest.mark.parametrize("shift", [(0, 0, 0), (-3, 2, 4), (2, -4, -3)])
@pytest.mark.parametrize("storage", ["RAS", "LPS"])
def test_a_shifted_brainstem_is_found_and_left_stays_left(shift, storage):
    """Distortion moves it in the scan, which the T1w image cannot know."""
    warp, brain = head()
    moved = nb.affines.from_matvec(np.eye(3), shift)
    scan = grid((2.0, 2.0, 2.5), (-60, -85, -70), (65, 60, 40))
    turn = nb.orientations.ornt_transform(nb.io_orientation(scan.affine), nb.orientations.axcodes2ornt(storage))
    scan = scan.as_reoriented(turn)
    truth = moved @ TO_SCAN @ HEAD
    tissue = resample(softened(), scan, [np.linalg.inv(truth)])
    recorded = make_image(np.ones(scan.shape, np.uint8), scan)
    placed = place_scan(warp, brain, TO_SCAN, template_tissue=softened(), tissue=tissue, recorded=recorded)
    expected = nb.affines.apply_affine(truth, PONS)
    np.testing.assert_allclose(map_points(PONS, [placed.moving_to_fixed]), expected, atol=1.0)
    np.testing.assert_allclose(map_points(expected, [placed.fixed_to_moving]), PONS, atol=1.0)


def test_where_the_scan_does_not_show_it_nothing_is_corrected():
    scan = grid((2.0, 2.0, 2.5), (-60, -85, -70), (65, 60, 40))
    tissue = resample(softened(), scan)
    slab = make_image((world_coordinates(scan)[..., 2] > -20).astype(np.uint8), scan)
    wrong = nb.affines.from_matvec(np.eye(3), [3.0, 0.0, 0.0])
    np.testing.assert_array_equal(match_outline(wrong, softened(), tissue, slab), wrong)
