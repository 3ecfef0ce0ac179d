"""Fibres against maps whose shape is known, and by what the check of gradient tables makes of them."""

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mndmri.diffusion.gradients import read_gradients
from mndmri.diffusion.orientation import FITS, MARGIN, check_orientation
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import make_image, to_canonical, world_coordinates
from mndmri.phantom.dwi import WHITE_SIGNAL, simulate_dwi
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


@pytest.mark.parametrize("storage", ["LAS", "RAS"])
def test_gradient_tables_can_be_judged_by_a_simulated_head(anatomy, still, healthy, storage):
    still["noise"]["dwi"] = 0.03
    still["dwi"] |= {"voxel_mm": 3.0, "n_directions": 12, "storage": storage}
    scan = simulate_dwi(anatomy, healthy, still)
    series = to_canonical(scan.image)
    b0 = np.asarray(series.dataobj)[..., 0]
    head = make_image((b0 > 0.6 * WHITE_SIGNAL).astype(np.uint8), series)

    def check(bvecs):
        gradients = read_gradients(scan.bvals, bvecs, scan.image.affine)
        tensor = fit_tensor(series, gradients, head)
        return check_orientation(tensor.maps["fa"], tensor.v1, scan.image.affine)

    right = check(scan.bvecs)
    assert not right.clearly_wrong
    assert right.best["order"] == "x y z"
    # so that each of the other 23, if it were the one given, would be told to be wrong
    assert right.verdict == FITS
    assert right.best["coherence"] - right.ranking["coherence"][1] > MARGIN
    flipped = check(scan.bvecs * [[-1], [1], [1]])
    assert flipped.clearly_wrong
    assert flipped.best["order"] == "-x y z"
