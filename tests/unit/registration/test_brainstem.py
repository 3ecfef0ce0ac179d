"""The brainstem of made-up heads, whose place in the template is known."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.grids import make_image, world_coordinates
from mndmri.io import InputError
from mndmri.registration.brainstem import fit_affine, follow_affine, in_brainstem, match_outline, place_scan
from mndmri.registration.register import Warp, jacobian_determinant
from mndmri.registration.transforms import make_field, map_points, resample
from tests.unit.registration.stem import HEAD, PONS, TEMPLATE, TO_SCAN, grid, head, softened


def test_the_affine_transform_is_that_of_the_head_in_spite_of_a_fold():
    affine = fit_affine(*head())
    np.testing.assert_allclose(nb.affines.apply_affine(affine, PONS), nb.affines.apply_affine(HEAD, PONS), atol=0.4)


def test_a_brain_that_the_registration_takes_elsewhere_is_refused():
    warp, brain = head()
    far = make_field(np.full((*brain.shape, 3), [0.0, 0.0, 300.0]), brain)
    with pytest.raises(InputError, match=r"^0 voxels of 3 mm of the T1w image's brain lie within 11 cm of the .*pons"):
        fit_affine(warp._replace(fixed_to_moving=far), brain)


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
    np.testing.assert_allclose(map_points(there, [steady.fixed_to_moving]), points, atol=0.1)


@pytest.mark.parametrize("side", [-1, 1])
def test_it_is_where_only_the_deformation_leads_to_the_brainstem(side):
    """Beside the pons the deformation lies up to 4 mm outside of the affine transform."""

    def push(points):
        near = np.exp(-0.5 * np.sum((points - [side * 32, -25, -25]) ** 2, axis=-1) / 15**2)
        return near[..., None] * [4.0 * side, 0.0, 0.0]

    around = grid(2.0, (-60, -80, -60), (60, 30, 30))
    points = world_coordinates(around)
    back = points
    for _ in range(30):
        back = points - push(back)
    warp = Warp(make_field(push(points), around), make_field(back - points, around))
    steady = follow_affine(warp, np.eye(4))
    inside = np.random.default_rng(1).uniform((-40, -55, -45), (40, 5, 15), (2000, 3))
    there_and_back = map_points(inside, [steady.moving_to_fixed, steady.fixed_to_moving])
    np.testing.assert_allclose(there_and_back, inside, atol=0.2)


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
