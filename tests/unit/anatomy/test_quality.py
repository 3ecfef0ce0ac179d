"""Checks of the T1w stage, where it is known what is wrong."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.quality import measure_quality
from mndmri.grids import make_image, world_coordinates
from mndmri.registration.transforms import compose

AFFINE = np.array([[2.0, 0, 0, -40], [0, 2.0, 0, -40], [0, 0, 2.0, -40], [0, 0, 0, 1]])


@pytest.fixture
def grid() -> nb.Nifti1Image:
    return nb.Nifti1Image(np.zeros((41, 41, 41), np.float32), AFFINE)


def ball(grid, radius):
    return (np.linalg.norm(world_coordinates(grid), axis=-1) < radius).astype(np.float32)


@pytest.fixture
def expected(grid) -> nb.Nifti1Image:
    """Template: a grey shell of 10 mm round a white core."""
    white, brain = ball(grid, 20), ball(grid, 30)
    return make_image(np.stack([brain - white, white, 0 * white], axis=-1), grid)


def check(expected, grid, field, *, shift=(0, 0, 0)):
    """Checks of a person whose brain is the template's, moved."""
    affine = grid.affine.copy()
    affine[:3, 3] += shift
    grey, white, _ = np.moveaxis(np.asarray(expected.dataobj), -1, 0)
    own = {"GM": nb.Nifti1Image(grey, affine), "WM": nb.Nifti1Image(white, affine)}
    mask = nb.Nifti1Image((grey + white > 0).astype(np.uint8), affine)
    return measure_quality(mask, own, expected, field).set_index("measure")["value"]


def test_a_brain_that_lies_on_the_template_has_no_fault(expected, grid):
    found = check(expected, grid, compose([np.eye(4)], grid))
    assert found["dice_gm"] == pytest.approx(1)
    assert found["min_jacobian"] == pytest.approx(1, abs=1e-3)
    assert found["brain_volume"] == pytest.approx(4 / 3 * np.pi * 3.0**3, rel=0.02)


def test_a_brain_that_registration_has_missed_has_less_overlap(expected, grid):
    still = compose([np.eye(4)], grid)
    assert check(expected, grid, still, shift=(8, 0, 0))["dice_gm"] < 0.75


def test_a_fold_of_a_few_millimetres_in_a_fine_warp_is_seen(expected, grid):
    fine = nb.Nifti1Image(np.zeros((81, 81, 81), np.float32), AFFINE @ np.diag([0.5, 0.5, 0.5, 1]))
    field = compose([np.eye(4)], fine)
    points = np.asarray(field.dataobj).copy()
    # steepest at 3 mm from the middle: 1.2 mm of displacement per mm
    points[..., 0, 0] += 6 * np.exp(-((np.linalg.norm(world_coordinates(fine) - 5, axis=-1) / 3) ** 2) / 2)
    folded = nb.Nifti1Image(points, field.affine, field.header)
    assert check(expected, grid, folded)["min_jacobian"] <= 0  # ANTs gives 0 for what is negative
