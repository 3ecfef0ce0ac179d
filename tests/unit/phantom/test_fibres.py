"""Fibres against maps whose shape is known."""

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mndmri.grids import world_coordinates
from mndmri.phantom.fibres import follow_shape

ALONG, ACROSS = np.array([0.48, -0.6, 0.64]), np.array([0.8, 0.6, 0.0])


@pytest.fixture(scope="module", params=[1.0, -1.0], ids=["RAS", "LAS"])
def grid(request):
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", [12, -7, 9], degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.diag([request.param * 2.0, 2.5, 3.0])
    shape = (31, 25, 21)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return nb.Nifti1Image(np.zeros(shape, np.uint8), affine)


def everywhere(grid, direction):
    return np.broadcast_to(np.asarray(direction, float), (*grid.shape, 3))


def test_fibres_run_along_a_rod_and_not_in_their_usual_direction(grid):
    place = world_coordinates(grid)
    distance = np.linalg.norm(place - (place @ ALONG)[..., None] * ALONG, axis=-1)
    rod = np.exp(-0.5 * (distance / 5) ** 2)
    found = follow_shape(rod, everywhere(grid, ACROSS), grid)
    inside = (rod > 0.5) & (np.linalg.norm(place, axis=-1) < 15)
    assert inside.sum() > 50
    assert np.abs(found[inside] @ ALONG).min() > 0.99


def test_in_a_sheet_the_usual_direction_leads(grid):
    normal = np.cross(ALONG, ACROSS)
    normal /= np.linalg.norm(normal)
    place = world_coordinates(grid)
    sheet = np.exp(-0.5 * (place @ normal / 4) ** 2)
    usual = (ALONG + 0.7 * normal) / np.sqrt(1 + 0.7**2)
    found = follow_shape(sheet, everywhere(grid, usual), grid)
    inside = (sheet > 0.5) & (np.linalg.norm(place, axis=-1) < 15)
    assert np.abs(found[inside] @ normal).max() < 0.3  # the usual direction has 0.57
    assert np.abs(found[inside] @ ACROSS).max() < 0.05


def test_without_a_shape_the_usual_direction_stays(grid):
    for level in (0.0, 1.0):
        found = follow_shape(np.full(grid.shape, level), everywhere(grid, ALONG), grid)
        np.testing.assert_allclose(np.abs(found @ ALONG), 1)
