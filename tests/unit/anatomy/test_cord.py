"""Cross-section of made-up cords: tubes of known area in dark fluid, in bright and dark surroundings."""

import re

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.cord import measure_cord
from mndmri.anatomy.cord_line import JUNCTION_MM
from mndmri.grids import make_image, resampled_grid, to_canonical, world_coordinates
from tests.unit.egg import rigid

LR, AP = 12.5, 8.5  # mm, diameters
AREA = np.pi * LR * AP / 4
CORD, FLUID, LIGAMENT, MUSCLE = 100.0, 25.0, 15.0, 70.0
BOX_MM, MIDDLE = np.array([48.0, 56.0, 112.0]), np.array([0.0, -44.0, -85.0])  # of the scan
FINE_MM = 0.5  # points inside each voxel


def centre_line(bend_deg=0.0):
    """Points of a cord's middle every 0.1 mm below the junction, from 15 mm above it; it bends back below 25 mm."""
    below = np.arange(-15.0, 95.0, 0.1)
    angle = np.deg2rad(-20.0 + (20.0 + bend_deg) * np.clip((below - 15) / 40, 0, 1))
    along = np.stack([0 * below, np.sin(angle), -np.cos(angle)], axis=-1)
    path = np.cumsum(0.1 * along, axis=0)
    return below, path - path[150] + JUNCTION_MM, along


def posed(degrees=(0, 0, 0), shift=(0, 0, 0)):
    """Pose of a head that is turned about its neck."""
    return _shifted(MIDDLE) @ rigid(degrees, shift) @ _shifted(-MIDDLE)


def neck(*, loss=0.0, voxel=(2.0, 2.0, 2.0), pose=None, bend_deg=0.0, fluid_mm=4.0, noise=0.0, touching=None):
    """A neck as scanned, where it has a signal, and the transform from the template to it."""
    pose = np.eye(4) if pose is None else pose
    shape = tuple((BOX_MM / voxel).astype(int))
    affine = np.diag([*voxel, 1.0])
    affine[:3, 3] = MIDDLE - BOX_MM / 2
    parts = np.rint(np.divide(voxel, FINE_MM)).astype(int)
    fine = resampled_grid(nb.Nifti1Image(np.zeros(shape, np.uint8), affine), tuple(voxel / parts))
    # the scanner's box stands still while the head turns
    points = nb.affines.apply_affine(np.linalg.inv(pose), world_coordinates(fine).reshape(-1, 3)).astype(np.float32)
    below, path, along = centre_line(bend_deg)
    depth = np.interp(-points[:, 2], -path[:, 2], below)
    for _ in range(3):  # to the nearest point of the line
        place = np.clip(np.rint((depth + 15) * 10).astype(int), 0, len(below) - 1)
        depth = depth + np.einsum("ij,ij->i", points - path[place], along[place])
    place = np.clip(np.rint((depth + 15) * 10).astype(int), 0, len(below) - 1)
    off, ahead = points - path[place], np.cross([1.0, 0, 0], along[place])
    x, y = off[:, 0], np.einsum("ij,ij->i", off, ahead)
    taper = wider(below[place])
    inside = np.hypot(2 * x / LR, 2 * y / AP) < np.sqrt(1 - loss) * taper
    around = np.hypot(x / (LR / 2 + fluid_mm), y / (AP / 2 + fluid_mm))
    values = np.where(around < taper, FLUID, np.where(around < 1.3 * taper, LIGAMENT, MUSCLE))
    values = np.where(inside, CORD, values)
    if touching is not None:  # bright tissue in front of the cord, from so far below the junction to so far
        beside = (below[place] > touching[0]) & (below[place] < touching[1]) & (y > 0) & (around < 1.6) & ~inside
        values = np.where(beside, CORD, values)
    blocks = values.reshape([n for pair in zip(shape, parts, strict=True) for n in pair]).mean(axis=(1, 3, 5))
    rng = np.random.default_rng(7)
    image = nb.Nifti1Image(np.abs(blocks + noise * CORD * rng.standard_normal(shape)).astype(np.float32), affine)
    return image, make_image(np.ones(shape, np.uint8), image), pose


def wider(below):
    """How much wider the medulla is than the cord."""
    return 1 + 0.6 * np.clip((22 - below) / 15, 0, 1)


def _shifted(by):
    matrix = np.eye(4)
    matrix[:3, 3] = by
    return matrix


def values_of(found):
    return found.measures.set_index("measure")["value"]


@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (1.0, 2.0, 1.5)])
def test_area_and_diameters_are_those_of_the_tube(voxel):
    found = values_of(measure_cord(*neck(voxel=voxel)))
    assert found["csa"] == pytest.approx(AREA, rel=0.03)
    assert found["diameter_lr"] == pytest.approx(LR, rel=0.03)
    assert found["diameter_ap"] == pytest.approx(AP, rel=0.04)


@pytest.mark.parametrize("voxel", [(1.4, 1.0, 1.2), (2.0, 2.0, 2.0)])
def test_a_tilted_bent_and_noisy_cord_has_the_same_area(voxel):
    poses = [((0, 0, 0), (0, 0, 0)), ((20, 0, 0), (1, 2, 0)), ((-20, 0, 5), (0, -1, 3)), ((0, 20, 0), (0, 0, 1))]
    areas = [
        values_of(measure_cord(*neck(voxel=voxel, pose=posed(turn, shift), bend_deg=bend, noise=0.04)))["csa"]
        for (turn, shift), bend in zip(poses, (0, 10, -10, 15), strict=True)
    ]
    assert np.std(areas, ddof=1) < 0.02 * np.mean(areas)
    assert np.mean(areas) == pytest.approx(AREA, rel=0.03)


@pytest.mark.parametrize(("voxel", "loss"), [((1.0, 1.0, 1.0), 0.05), ((2.0, 2.0, 2.0), 0.05), ((2.0, 2.0, 2.0), 0.10)])
def test_a_planted_loss_is_found_within_one_percent(voxel, loss):
    pose = posed((8, 5, 0), (0.4, 0.7, 0.2))
    before, after = (values_of(measure_cord(*neck(voxel=voxel, pose=pose, loss=own)))["csa"] for own in (0, loss))
    assert 1 - after / before == pytest.approx(loss, abs=0.01)


def test_fluid_of_another_width_leaves_the_area_as_it_is():
    narrow, wide = (values_of(measure_cord(*neck(fluid_mm=mm)))["csa"] for mm in (2.5, 6.0))
    assert narrow == pytest.approx(wide, rel=0.045)


def test_left_right_stays_left_right_however_the_head_and_its_voxels_lie():
    image, shown, pose = neck(pose=posed((0, 0, 25), (3, 0, 0)))
    las = nb.Nifti1Image(np.asarray(image.dataobj)[::-1], image.affine @ _flipped(image.shape[0]))
    for stored in (image, las):
        found = values_of(measure_cord(stored, shown, pose))
        assert found["diameter_lr"] == pytest.approx(LR, rel=0.04)
        assert found["diameter_ap"] == pytest.approx(AP, rel=0.05)


def _flipped(n):
    matrix = np.diag([-1.0, 1, 1, 1])
    matrix[0, 3] = n - 1
    return matrix


def test_a_mirrored_head_has_a_mirrored_course_and_the_same_area():
    pose = posed((0, 12, 0), (2, 0, 0))
    image, shown, _ = neck(pose=pose)
    mirror = np.diag([-1.0, 1, 1, 1])
    mirrored = to_canonical(nb.Nifti1Image(np.asarray(image.dataobj), mirror @ image.affine))
    turned = to_canonical(nb.Nifti1Image(np.asarray(shown.dataobj), mirror @ shown.affine))
    one, other = measure_cord(image, shown, pose), measure_cord(mirrored, turned, mirror @ pose @ mirror)
    np.testing.assert_allclose(one.profile["csa"], other.profile["csa"], rtol=1e-3)
    np.testing.assert_allclose(one.profile["x"], -other.profile["x"], atol=0.02)
    assert np.abs(one.profile["x"]).max() > 5


def test_the_medulla_has_the_volume_between_its_ends():
    assert medulla(*neck())["value"] == pytest.approx(volume_of_medulla(), rel=0.01)


def test_the_medulla_is_measured_to_its_end_where_the_image_ends_a_little_above_it():
    whole, part = medulla(*neck()), medulla(*cut_off(*neck(), below_mm=27))
    assert part["status"] == "ok"
    assert part["value"] == pytest.approx(whole["value"], rel=0.02)


def medulla(*scan):
    return measure_cord(*scan).measures.set_index("region").loc["medulla"]


def volume_of_medulla():
    """Of the tube, ml."""
    below = np.arange(0, 30, 0.01)
    return np.sum(AREA * wider(below) ** 2) * 0.01 / 1000


def test_quality_tells_the_distance_from_the_isocentre():
    found = measure_cord(*neck())
    below, path, _ = centre_line()
    middle = path[np.abs(below - 40).argmin()]
    distance = found.quality.set_index("measure").loc["isocentre_distance", "value"]
    assert distance == pytest.approx(np.linalg.norm(middle), abs=2)


def cut_off(image, shown, pose, below_mm):
    """The same image, ended so far below the junction."""
    below, path, _ = centre_line()
    z = path[np.abs(below - below_mm).argmin(), 2]
    first = int((z - image.affine[2, 3]) / image.affine[2, 2])
    return image.slicer[:, :, first:], shown.slicer[:, :, first:], pose


def test_an_image_that_ends_above_c1_says_so():
    found = measure_cord(*cut_off(*neck(), below_mm=36))
    row = found.measures.set_index("measure").loc["csa"]
    assert np.isnan(row["value"]) and row["n_voxels"] == 0
    assert "the image ends 3" in row["status"] and "more than 10 mm between 30 and 50 mm are needed" in row["status"]
    assert found.measures.set_index("region").loc["medulla", "status"] == "ok"


def test_part_of_the_stretch_is_measured_and_told():
    found = measure_cord(*cut_off(*neck(), below_mm=46))
    assert values_of(found)["csa"] == pytest.approx(AREA, rel=0.03)
    share = found.quality.set_index("measure").loc["cord_coverage", "value"]
    assert 0.5 < share < 0.9


def test_a_removed_face_is_no_neck():
    image, shown, pose = neck()
    below, path, _ = centre_line()
    removed = np.asarray(shown.dataobj).copy()
    z = world_coordinates(shown)[..., 2]
    removed[z < path[np.abs(below - 36).argmin(), 2]] = 0
    blank = make_image(np.asarray(image.dataobj) * removed, image)
    status = measure_cord(blank, make_image(removed, image), pose).measures["status"][0]
    assert "no signal is recorded from 3" in status


def test_an_outline_that_leaks_is_no_cord():
    status = measure_cord(*neck(touching=(28, 60))).measures["status"][0]
    assert "leaks" in status or "no contrast" in status


def test_a_short_leak_is_bridged():
    found = measure_cord(*neck(touching=(38, 42)))
    assert values_of(found)["csa"] == pytest.approx(AREA, rel=0.03)


def test_coarse_voxels_show_neither_cord_nor_medulla():
    found = measure_cord(*neck(voxel=(4.0, 4.0, 4.0)))
    assert found.measures["value"].isna().all()
    assert set(found.measures["status"]) == {"voxels of 4 mm do not resolve the cord; at most 3 mm needed"}


@pytest.mark.parametrize(
    ("limit", "ends", "words"),
    [("_AREAS_MM2", (95, 160), "an area of 8. mm2 .* 95 to 160 mm2"), ("_ASPECTS", (2, 3), "1.4 times .* 2 to 3 are")],
)
def test_what_is_not_a_cord_by_its_size_or_shape_is_said_with_the_limits(monkeypatch, limit, ends, words):
    monkeypatch.setattr(f"mndmri.anatomy.cord.{limit}", ends)
    row = measure_cord(*neck()).measures.iloc[0]
    assert np.isnan(row["value"]) and re.search(words, row["status"])


def test_noise_alone_is_no_cord():
    image, shown, pose = neck()
    noise = make_image(np.random.default_rng(3).uniform(0, 100, image.shape).astype(np.float32), image)
    assert measure_cord(noise, shown, pose).measures["value"].isna().all()


def test_an_image_without_a_neck_has_rows_with_reasons():
    image, shown, pose = cut_off(*neck(), below_mm=2)
    found = measure_cord(image, shown, pose)
    assert found.measures["value"].isna().all() and "the image ends" in found.measures["status"][0]
