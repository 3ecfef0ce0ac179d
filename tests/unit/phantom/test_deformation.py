import nibabel as nb
import numpy as np
import pytest

from mndmri.grids import voxel_sizes, world_coordinates
from mndmri.phantom.deformation import (
    HEAD_CENTRE_MM,
    HeadMap,
    add_rician_noise,
    fibre_to_world,
    head_map,
    head_pose,
    random_displacement,
    sample_head,
    scan_grid,
    store,
)
from mndmri.phantom.plan import complete, plan_cohort

_FIELD_STEP_MM = 5.0


def _jacobian(field):
    gradient = np.stack([np.stack(np.gradient(c, _FIELD_STEP_MM), axis=-1) for c in field], axis=-2)
    return np.linalg.det(np.eye(3) + gradient)


@pytest.mark.parametrize("seed", range(3))
def test_deformation_never_folds(seed):
    field = random_displacement(np.random.default_rng(seed), 12.0)
    assert _jacobian(field).min() > 0.2


def test_largest_displacement_is_about_what_was_asked_for():
    field = random_displacement(np.random.default_rng(1), 4.0)
    assert np.linalg.norm(field, axis=0).max() == pytest.approx(4.0, rel=0.2)


def test_no_deformation_moves_nothing():
    assert not random_displacement(np.random.default_rng(1), 0.0).any()


def test_pose_and_size_are_the_persons():
    settings = complete({"between_scans": {"rotation_deg": 0.0, "shift_mm": 0.0}})
    person = plan_cohort(settings).iloc[0]
    pose = head_pose(person, settings, "t1w")
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(person["head_scale"] ** 3)
    shift = nb.affines.apply_affine(pose, HEAD_CENTRE_MM) - HEAD_CENTRE_MM
    np.testing.assert_allclose(shift, person[["shift_x_mm", "shift_y_mm", "shift_z_mm"]].astype(float))


def test_scans_of_a_person_share_the_shape_and_differ_a_little_in_pose():
    settings = complete({})
    person = plan_cohort(settings).iloc[0]
    t1w, dwi = (head_map(person, settings, scan) for scan in ("t1w", "dwi"))
    np.testing.assert_array_equal(t1w.displacement, dwi.displacement)
    moved = np.linalg.norm(t1w(np.array([[0.0, 0.0, 30.0]])) - dwi(np.array([[0.0, 0.0, 30.0]])))
    assert 0.05 < moved < 6


def test_different_people_have_different_shapes():
    settings = complete({})
    first, second = (head_map(p, settings, "t1w") for _, p in plan_cohort(settings).iloc[:2].iterrows())
    assert np.abs(first.displacement - second.displacement).max() > 1


def test_grid_has_its_centre_sizes_and_tilt():
    grid = scan_grid([3, -4, 5], [20, 30, 40], [2.0, 2.5, 4.0], tilt_deg=20)
    assert grid.shape == (10, 12, 10)
    np.testing.assert_allclose(voxel_sizes(grid), [2, 2.5, 4])
    np.testing.assert_allclose(world_coordinates(grid).reshape(-1, 3).mean(axis=0), [3, -4, 5], atol=1e-9)
    assert not np.allclose(grid.affine[1, 2], 0)


@pytest.mark.parametrize("storage", ["LAS", "RAS", "PSR", "RPI"])
def test_storage_moves_no_voxel_in_the_world(storage):
    grid = scan_grid([1, 2, 3], [14, 20, 27], [2.0, 2.5, 3.0], tilt_deg=10)
    image = nb.Nifti1Image(np.random.default_rng(0).normal(size=grid.shape), grid.affine)
    stored = store(image, storage)
    assert "".join(nb.aff2axcodes(stored.affine)) == storage
    back = nb.as_closest_canonical(stored)
    np.testing.assert_allclose(back.affine, image.affine, atol=1e-9)
    np.testing.assert_array_equal(back.get_fdata(), image.get_fdata())


def test_left_of_the_shared_head_is_left_of_the_persons(anatomy):
    settings = complete({"rotation_deg": 5.0})
    to_shared = head_map(plan_cohort(settings).iloc[1], settings, "t1w")
    grid = scan_grid([0, -18, 0], [180, 200, 180], 6.0)
    head = sample_head(anatomy, to_shared, grid, ("cst",))
    x = world_coordinates(grid)[..., 0]
    means = [np.average(x, weights=head.maps["cst"] * head.side(hemi)) for hemi in "LR"]
    assert means[0] < means[1] - 20


def test_sampling_keeps_volumes_and_sizes_scale_them(anatomy):
    field = np.zeros((3, 49, 59, 57), np.float32)
    grid = scan_grid([0, -10, -10], [240, 280, 270], [4.0, 5.0, 6.0])
    brain = 64.0 * np.asarray(anatomy.maps.dataobj[..., 0]).sum() / 255
    for scale in (1.0, 0.9):
        to_shared = HeadMap(np.diag([1 / scale, 1 / scale, 1 / scale, 1]), field)
        sampled = sample_head(anatomy, to_shared, grid, ("grey",)).maps["grey"].sum() * 120.0
        assert sampled == pytest.approx(brain * scale**3, rel=0.01)


def test_sampling_takes_the_value_at_the_place(anatomy):
    to_shared = HeadMap(np.eye(4), np.zeros((3, 49, 59, 57), np.float32))
    corner = nb.affines.from_matvec(np.eye(3), [15, 20, 25])
    grid = nb.Nifti1Image(np.zeros((9, 8, 7), np.uint8), anatomy.maps.affine @ corner)
    head = sample_head(anatomy, to_shared, grid, ("white", "csf"))
    # 4 mm voxels are sampled twice along each axis: half a voxel apart, symmetric
    smooth = np.asarray(anatomy.maps.dataobj[..., 1], float) / 255
    for axis in range(3):
        smooth = 0.75 * smooth + 0.125 * (np.roll(smooth, 1, axis) + np.roll(smooth, -1, axis))
    np.testing.assert_allclose(head.maps["white"], smooth[15:24, 20:28, 25:32], atol=1e-3)


def test_fibres_turn_with_the_head(anatomy):
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("y", 30, degrees=True).as_matrix()
    pose = np.eye(4)
    pose[:3, :3] = turn * 0.9
    to_shared = HeadMap(np.linalg.inv(pose), np.zeros((3, 49, 59, 57), np.float32))
    grid = scan_grid([0, 0, 0], [14, 16, 27], [2.0, 2.0, 3.0], tilt_deg=15)
    head = sample_head(anatomy, to_shared, grid, ("white",))
    up = np.broadcast_to([0.0, 0.0, 2.0], head.place.shape)
    np.testing.assert_allclose(fibre_to_world(head, up), np.broadcast_to(turn @ [0, 0, 1], up.shape), atol=1e-4)


def test_noise_is_rician():
    rng = np.random.default_rng(0)
    air = add_rician_noise(np.zeros((50, 51, 52), np.float32), 2.0, rng)
    assert air.mean() == pytest.approx(2.0 * np.sqrt(np.pi / 2), rel=0.01)
    bright = add_rician_noise(np.full((50, 51, 52), 100.0, np.float32), 2.0, rng)
    assert bright.std() == pytest.approx(2.0, rel=0.02)
