import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.grids import world_coordinates
from mndmri.phantom.deformation import HeadMap, sample_head
from mndmri.phantom.dwi import (
    _acquire,
    axial_tensor,
    fit_tensor,
    fractional_anisotropy,
    fsl_bvecs,
    gradient_directions,
    simulate_dwi,
)
from mndmri.phantom.fibres import tract_direction


def world_gradients(scan):
    """Gradient directions in world axes, from FSL's table and the affine."""
    axes = scan.image.affine[:3, :3] / np.linalg.norm(scan.image.affine[:3, :3], axis=0)
    vectors = scan.bvecs.copy()
    if np.linalg.det(scan.image.affine) > 0:
        vectors[0] *= -1
    return (axes @ vectors).T


def fitted(scan):
    """FA, and main direction in world axes, fitted to the scan as stored."""
    data = np.maximum(scan.image.get_fdata(), 1e-3)
    values, vectors = fit_tensor(data.reshape(-1, data.shape[-1]), scan.bvals, world_gradients(scan))
    return fractional_anisotropy(values).reshape(data.shape[:3]), vectors[..., -1].reshape(*data.shape[:3], 3)


def _true(scan, measure, region, hemi):
    rows = scan.truth
    wanted = (rows["measure"] == measure) & (rows["region"] == region) & (rows["hemi"] == hemi)
    return rows.loc[wanted, "value"].item()


@pytest.fixture(scope="module")
def identity():
    return HeadMap(np.eye(4), np.zeros((3, 49, 59, 57), np.float32))


@pytest.mark.parametrize("fa", [0.0, 0.3, 0.68, 0.95])
def test_tensor_has_the_fa_and_diffusivity_asked_for(fa):
    direction = np.array([0.6, 0.0, 0.8])
    values, vectors = np.linalg.eigh(axial_tensor(direction, fa, 0.75e-3))
    assert fractional_anisotropy(values) == pytest.approx(fa, abs=1e-9)
    assert values.mean() == pytest.approx(0.75e-3)
    assert (values > 0).all()
    if fa:
        assert abs(vectors[:, -1] @ direction) == pytest.approx(1)


def test_fit_finds_the_tensor_that_made_the_signal():
    directions = np.vstack([np.zeros(3), gradient_directions(15)])
    bvals = np.repeat([0.0, 1000.0], [1, 15])
    tensor = axial_tensor(np.array([0.6, -0.8, 0.0]), 0.7, 0.8e-3)
    signal = np.exp(-bvals * np.einsum("ni,ij,nj->n", directions, tensor, directions))
    values, vectors = fit_tensor(signal[None], bvals, directions)
    assert fractional_anisotropy(values)[0] == pytest.approx(0.7)
    assert abs(vectors[0, :, -1] @ [0.6, -0.8, 0.0]) == pytest.approx(1)


def test_gradients_are_unit_vectors_spread_over_the_half_sphere():
    directions = gradient_directions(30)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    # for directions spread evenly the mean of g g' is a third of the identity
    np.testing.assert_allclose(directions.T @ directions / 30, np.eye(3) / 3, atol=0.03)


def test_bvecs_flip_the_first_axis_of_images_stored_right_handed():
    world = np.array([[0.6, 0.0, 0.8]])
    np.testing.assert_allclose(fsl_bvecs(world, np.diag([2.0, 2, 3, 1]))[:, 0], [-0.6, 0, 0.8])
    np.testing.assert_allclose(fsl_bvecs(world, np.diag([-2.0, 2, 3, 1]))[:, 0], [-0.6, 0, 0.8])
    permuted = np.array([[0, 0, 2.0, 0], [-2.0, 0, 0, 0], [0, 3.0, 0, 0], [0, 0, 0, 1]])  # stored PSR
    np.testing.assert_allclose(fsl_bvecs(world, permuted)[:, 0], [0, 0.8, 0.6])


def test_tract_runs_along_a_slanting_centre_line():
    z = np.arange(0, 41.0)
    line = pd.DataFrame({"hemi": "R", "z": z, "x": 10 + 0.5 * z, "y": -z / 4, "spread_x": 3.0, "spread_y": 3.0})
    line = pd.concat([line, line.assign(hemi="L", x=-line["x"])])
    at = np.array([[15.0, -2.5, 10.0], [-15.0, -2.5, 10.0]])
    np.testing.assert_allclose(tract_direction(at, line), [[0.5, -0.25, 1], [-0.5, -0.25, 1]], atol=1e-9)


@pytest.mark.parametrize("storage", ["LAS", "RAS", "PSR"])
def test_tract_runs_up_and_callosum_across_in_every_storage(anatomy, still, healthy, identity, storage):
    still["dwi"] |= {"storage": storage, "tilt_deg": 15.0}
    scan = simulate_dwi(anatomy, healthy, still)
    fa, direction = fitted(scan)
    grid = nb.Nifti1Image(np.zeros(fa.shape, np.uint8), scan.image.affine)
    maps = sample_head(anatomy, identity, grid, ("cst", "callosum", "white")).maps
    place = world_coordinates(grid)
    capsule = (maps["cst"] > 0.4) & (maps["white"] > 0.8) & (np.abs(place[..., 2] - 7) < 12)
    midline = (maps["callosum"] > 0.5) & (maps["white"] > 0.7) & (np.abs(place[..., 0]) < 8)
    assert capsule.sum() > 5
    assert midline.sum() > 5
    assert np.abs(direction[capsule][:, 2]).mean() > 0.9
    assert np.abs(direction[midline][:, 0]).mean() > 0.95


def test_storage_changes_no_signal_in_the_world(anatomy, still, healthy):
    still["noise"]["dwi"] = 0.02
    scans = []
    for storage in ("LAS", "RAS"):
        still["dwi"] |= {"storage": storage, "voxel_mm": 8.0}
        scans.append(simulate_dwi(anatomy, healthy, still))
    first, second = (nb.as_closest_canonical(scan.image).get_fdata() for scan in scans)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(world_gradients(scans[0]), world_gradients(scans[1]), atol=1e-12)


def test_planted_loss_lowers_fa_on_its_side_by_the_planted_share(anatomy, still, healthy):
    still["cst_profile"] = {"floor": 1.0}  # the same all along
    before = simulate_dwi(anatomy, healthy, still)
    after = simulate_dwi(anatomy, healthy | {"cst_fa_loss_R": 0.2}, still)
    ratio = _true(after, "fa", "cst", "R") / _true(before, "fa", "cst", "R")
    # fibres that share the tract's voxels lose nothing
    assert ratio == pytest.approx(0.8, abs=0.03)
    assert _true(after, "fa", "cst", "L") == _true(before, "fa", "cst", "L")
    assert _true(after, "md", "cst", "R") == pytest.approx(_true(before, "md", "cst", "R"), rel=0.01)


def test_loss_follows_the_profile_along_the_tract(anatomy, still, healthy):
    still["cst_profile"] = {"centre": 0.65, "width": 0.12, "floor": 0.0}
    before = simulate_dwi(anatomy, healthy, still)
    after = simulate_dwi(anatomy, healthy | {"cst_fa_loss_L": 0.3}, still)
    lost = {
        level: 1 - _true(after, "fa", level, "L") / _true(before, "fa", level, "L")
        for level in ("cst_corona_radiata", "cst_plic", "cst_peduncle")
    }
    assert lost["cst_corona_radiata"] > lost["cst_plic"] > lost["cst_peduncle"]
    assert lost["cst_peduncle"] < 0.03


def test_fitted_fa_is_the_true_fa(anatomy, still, healthy, identity):
    scan = simulate_dwi(anatomy, healthy, still)
    fa, _ = fitted(scan)
    grid = nb.Nifti1Image(np.zeros(fa.shape, np.uint8), scan.image.affine)
    maps = sample_head(anatomy, identity, grid, ("cst", "white")).maps
    weight = maps["cst"] * maps["white"] * (fa > 0.2) * (world_coordinates(grid)[..., 0] < 0)
    assert (weight * fa).sum() / weight.sum() == pytest.approx(_true(scan, "fa", "cst", "L"), rel=1e-3)


def test_head_at_rest_in_the_first_volume_and_moved_as_told_in_the_others(anatomy, still, healthy):
    at_rest = simulate_dwi(anatomy, healthy, still)
    still["dwi"] |= {"motion_mm": 3.0}
    moved = simulate_dwi(anatomy, healthy, still)
    np.testing.assert_array_equal(moved.motion[0], np.eye(4))
    np.testing.assert_allclose(moved.motion[:, :3, :3], np.tile(np.eye(3), (16, 1, 1)))
    shift = moved.motion[1:, :3, 3]
    assert 2 < shift.std() < 4

    def centre(scan, volume):
        data = scan.image.get_fdata()[..., volume]
        return np.average(world_coordinates(scan.image).reshape(-1, 3), axis=0, weights=data.ravel())

    for volume in (1, 5):
        found = centre(moved, volume) - centre(at_rest, volume)
        np.testing.assert_allclose(found[:2], shift[volume - 1, :2], atol=0.6)  # the neck is cut off below


def test_distortion_moves_signal_both_ways_and_keeps_its_sum():
    z, y, x = 6, 40, 5
    still = np.zeros((x, y, z), np.float32)
    still[:, 18:23] = 10.0
    field = np.broadcast_to(3 * np.exp(-0.5 * ((np.arange(y) - 20) / 6.0) ** 2)[None, :, None], still.shape)
    forward = _acquire(still, np.diag([2.0, 2.5, 3, 1]), np.eye(4), field)
    backward = _acquire(still, np.diag([2.0, 2.5, 3, 1]), np.eye(4), -field)
    place = np.arange(y)
    for image, expected in ((forward, 22.9), (backward, 17.1)):
        profile = image[2, :, 3]
        assert np.average(place, weights=profile) == pytest.approx(expected, abs=0.3)
        assert profile.sum() == pytest.approx(50.0, rel=0.06)


def test_reverse_b0_is_distorted_the_other_way(anatomy, still, healthy):
    still["dwi"] |= {"reverse_b0": True, "field_hz": 200.0, "storage": "LPS"}
    scan = simulate_dwi(anatomy, healthy, still)
    assert scan.sidecar["PhaseEncodingDirection"] == "j"
    assert scan.reverse_sidecar["PhaseEncodingDirection"] == "j-"
    still["dwi"]["field_hz"] = 0.0
    plain = simulate_dwi(anatomy, healthy, still).image.get_fdata()[..., 0]
    middle = plain.shape[0] // 2
    near_sinus = (slice(middle - 2, middle + 3), slice(0, 16), slice(8, 20))
    y = np.arange(16)[None, :, None]

    def centre(data):
        part = data[near_sinus]
        return (part * y).sum() / part.sum()

    forward = centre(scan.image.get_fdata()[..., 0]) - centre(plain)
    backward = centre(scan.reverse_b0.get_fdata()) - centre(plain)
    # 'j': a positive field moves signal to a higher index of the stored axis
    assert forward > 0.2
    assert backward < -0.2


def test_without_a_reverse_volume_there_is_none(anatomy, still, healthy):
    still["dwi"]["voxel_mm"] = 10.0
    scan = simulate_dwi(anatomy, healthy, still)
    assert scan.reverse_b0 is None
    assert scan.image.shape[-1] == len(scan.bvals) == scan.bvecs.shape[1] == 16
