"""Areas on the midsagittal plane of made-up brainstems: ellipses and strips of known area in dark fluid."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.midsagittal import measure_midsagittal
from mndmri.grids import make_image, resampled_grid, world_coordinates
from tests.unit.egg import rigid

TISSUE, FLUID = 100.0, 25.0
# centre and half axes, y and z, mm
PONS, MIDBRAIN = ((-27.0, -35.0), (11.0, 9.5)), ((-24.0, -12.0), (6.5, 4.5))
SMALLER = 0.9  # of both half axes
FINE_MM = 0.5


def ellipse(y, z, centre, half):
    return ((y - centre[0]) / half[0]) ** 2 + ((z - centre[1]) / half[1]) ** 2 < 1


def two_ellipses(y, z, *, pons=1.0, midbrain=1.0):
    return ellipse(y, z, PONS[0], np.multiply(PONS[1], pons)) | ellipse(
        y, z, MIDBRAIN[0], np.multiply(MIDBRAIN[1], midbrain)
    )


def area(half):
    return np.pi * half[0] * half[1]


def head(shape, *, voxel=1.0, pose=None, noise=0.0, mirrored=False):
    """Head whose middle 6 mm hold a shape; what lies beside is all tissue on its left and fluid on its right."""
    pose = np.eye(4) if pose is None else pose
    n = np.ceil(np.array([12, 84, 90]) / voxel).astype(int)
    affine = np.diag([voxel] * 3 + [1.0])
    affine[:3, 3] = np.array([0, -27, -26]) - voxel * (n - 1) / 2
    grid = nb.Nifti1Image(np.zeros(n, np.uint8), affine)
    parts = max(round(voxel / FINE_MM), 1)
    fine = resampled_grid(grid, (voxel / parts,) * 3)
    x, y, z = np.moveaxis(nb.affines.apply_affine(np.linalg.inv(pose), world_coordinates(fine)), -1, 0)
    inside = np.where(np.abs(x) < 3, shape(y, z), (x > 0) if mirrored else (x < 0))
    values = np.where(inside, TISSUE, FLUID)
    values = values.reshape(*(v for size in n for v in (size, parts))).mean(axis=(1, 3, 5))
    values = values + noise * TISSUE * np.random.default_rng(3).standard_normal(values.shape)
    return make_image(values.astype(np.float32), grid), make_image(np.ones(n, np.uint8), grid), pose


def measured(*made):
    return measure_midsagittal(*made).measures.set_index(["measure", "region"])


@pytest.mark.parametrize(("voxel", "noise"), [(1.0, 0.0), (1.0, 0.05), (2.0, 0.0)])
@pytest.mark.parametrize("degrees", [(0, 0, 0), (7, -4, 5)])
def test_known_areas_come_back(voxel, noise, degrees):
    found = measured(*head(two_ellipses, voxel=voxel, noise=noise, pose=rigid(degrees, (1.3, -0.7, 0.4))))["value"]
    assert found["area", "pons"] == pytest.approx(area(PONS[1]), rel=0.03)
    assert found["area", "midbrain"] == pytest.approx(area(MIDBRAIN[1]), rel=0.05)
    assert found["area_ratio", "midbrain"] == pytest.approx(area(MIDBRAIN[1]) / area(PONS[1]), rel=0.05)


@pytest.mark.parametrize("voxel", [1.0, 2.0])
def test_the_voxels_of_an_area_are_those_of_the_image_in_the_slab(voxel):
    found = measured(*head(two_ellipses, voxel=voxel))["n_voxels"]
    assert found["area", "pons"] == pytest.approx(2 * area(PONS[1]) / voxel**3, rel=0.05)


@pytest.mark.parametrize("region", ["pons", "midbrain"])
def test_a_planted_loss_comes_back_in_its_own_region(region):
    whole = measured(*head(two_ellipses))["value"]
    less = measured(*head(lambda y, z: two_ellipses(y, z, **{region: SMALLER})))["value"]
    change = less / whole - 1
    other = "midbrain" if region == "pons" else "pons"
    assert change["area", region] == pytest.approx(SMALLER**2 - 1, abs=0.03)
    assert abs(change["area", other]) < 0.005
    assert np.sign(change["area_ratio", "midbrain"]) == (1 if region == "pons" else -1)


def test_the_pons_ends_at_the_line_from_its_upper_notch_to_the_plate_and_its_parallel_through_the_lower_notch():
    found = measured(*head(lambda y, z: (y > -33) & (y < -20)))["value"]
    slope = (-15.4 + 20.5) / (-37 + 22)
    gap = (-20.5 + slope * (-29 + 22)) + 48.5  # of the two lines, straight up, at the lower notch
    assert found["area", "pons"] == pytest.approx(13 * gap, rel=0.02)


def test_an_area_is_that_in_the_head_and_not_in_the_template():
    scale = np.diag([0.9, 0.85, 0.95, 1.0])
    found = measured(*head(two_ellipses, pose=scale))["value"]
    assert found["area", "pons"] == pytest.approx(area(PONS[1]) * 0.85 * 0.95, rel=0.03)


def test_a_vessel_in_front_and_what_lies_beside_the_plane_do_not_count():
    plain = measured(*head(two_ellipses))["value"]
    vessel = measured(*head(lambda y, z: two_ellipses(y, z) | ellipse(y, z, (-10.0, -36.0), (1.5, 6.0))))["value"]
    mirrored = measured(*head(two_ellipses, mirrored=True))["value"]
    np.testing.assert_allclose(vessel, plain, rtol=0.01)
    np.testing.assert_allclose(mirrored, plain, rtol=0.01)


def test_what_cannot_be_measured_has_the_reason():
    image, recorded, pose = head(two_ellipses)
    cut, above = np.asarray(recorded.dataobj).copy(), np.asarray(recorded.dataobj).copy()
    cut[..., :20] = 0
    above[..., :65] = 0  # of the plane, what lies above the pons alone is shown
    for made, reason in (
        ((image, make_image(cut, recorded), pose), "does not show"),
        ((image, make_image(above, recorded), pose), "does not show"),
        (head(lambda y, z: y < 99), "no contrast"),
        (head(two_ellipses, voxel=4.0), "at most 3 mm"),
    ):
        found, _, inside = measure_midsagittal(*made)
        assert found["value"].isna().all() and found["status"].str.contains(reason).all()
        assert not np.asarray(inside.dataobj).any()


def test_what_counts_is_shown_where_it_lies_in_the_template():
    found, plane, inside = measure_midsagittal(*head(two_ellipses, pose=rigid((7, -4, 5), (1.3, -0.7, 0.4))))
    places, shares = world_coordinates(plane), np.asarray(inside.dataobj)
    for n, (region, (centre, _)) in enumerate({"midbrain": MIDBRAIN, "pons": PONS}.items()):
        np.testing.assert_allclose(np.average(places, axis=(0, 1, 2), weights=shares[..., n]), (0, *centre), atol=1.0)
        own = found.set_index(["measure", "region"])["value"]["area", region]
        assert shares[..., n].sum() * FINE_MM**2 == pytest.approx(own, rel=1e-3)
