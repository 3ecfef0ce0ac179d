"""Profiles along a tract whose course and values are known."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.atlas.regions import select
from mndmri.diffusion.profile import N_NODES, PROFILE_COLUMNS, find_centreline, measure_profile, profiles_dictionary
from mndmri.diffusion.tract import tract_weight
from mndmri.grids import make_image, world_coordinates
from mndmri.registration.transforms import resample
from mndmri.tables.dictionaries import column_names
from mndmri.tables.measures import OK

SHAPE, VOXEL = (50, 30, 60), 2.0
TABLE = pd.DataFrame({"index": [0, 1], "region": "cst", "hemi": ["L", "R"]})
LEAN = 0.3  # mm aside for each mm up


def grid() -> nb.Nifti1Image:
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    return nb.Nifti1Image(np.zeros(SHAPE, np.uint8), affine)


def atlas() -> nb.Nifti1Image:
    """A leaning rod on each side, from z = -40 to 40 mm."""
    x, y, z = np.moveaxis(world_coordinates(grid()), -1, 0)
    sides = []
    for sign in (-1, 1):
        distance = np.hypot(x - sign * (20 + LEAN * z), y)
        sides.append(np.exp(-0.5 * (distance / 3) ** 2) * (np.abs(z) < 40))
    return make_image(np.stack(sides, axis=-1).astype(np.float32), grid())


def fa_at(points: np.ndarray) -> np.ndarray:
    """Higher on the left, and lower in the middle of its height."""
    z = points[..., 2]
    return 0.5 + 0.05 * (points[..., 0] < 0) - 0.2 * np.exp(-0.5 * ((z - 10) / 12) ** 2) * (points[..., 0] < 0)


def profile(
    *, affine: np.ndarray | None = None, storage: str = "RAS", bottom: float = -100.0, of=fa_at, min_fa=0.2, **options
):
    """Profile of a head that lies in the scanner as ``affine`` (template to scanner) puts it, ``of`` its values."""
    to_scanner = np.eye(4) if affine is None else affine
    native = nb.Nifti1Image(np.zeros(SHAPE, np.uint8), to_scanner @ grid().affine)
    turn = nb.orientations.ornt_transform(nb.io_orientation(native.affine), nb.orientations.axcodes2ornt(storage))
    native = native.as_reoriented(turn)
    chain = [np.linalg.inv(to_scanner)]
    place = resample(make_image(world_coordinates(grid()).astype(np.float32), grid()), native, chain)
    where = np.asarray(place.dataobj)
    maps = {name: make_image(of(where), native) for name in ("fa", "md", "ad", "rd")}
    weights = resample(atlas(), native, chain)
    white = make_image(np.ones(native.shape, np.float32), native)
    fov = make_image((world_coordinates(grid())[..., 2] > bottom).astype(np.float32), grid())
    tract = tract_weight(maps["fa"], white, min_fa=min_fa)
    return measure_profile(maps, tract, weights, TABLE, place, atlas(), fov, **options)


def fa(table: pd.DataFrame, hemi: str) -> pd.DataFrame:
    return table[(table["measure"] == "fa") & (table["hemi"] == hemi)].set_index("node")


def test_the_centre_line_follows_the_rod_at_equal_steps():
    line = find_centreline(select(atlas(), TABLE, "cst", "L"))
    steps = np.linalg.norm(np.diff(line.points, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps.mean(), rtol=0.05)
    inner = line.points[3:-3]
    np.testing.assert_allclose(inner[:, 0], -(20 + LEAN * inner[:, 2]), atol=0.2)
    np.testing.assert_allclose(inner[:, 1], 0, atol=0.05)
    assert line.position_mm[-1] == pytest.approx(78 * np.hypot(1, LEAN), rel=0.02)
    assert line.node_at_height(0.0) == pytest.approx(line.position_mm[-1] / 2, abs=0.5)


def test_a_loss_is_found_at_its_height_on_its_side():
    table = profile()
    assert list(table.columns) == PROFILE_COLUMNS
    assert len(table) == 4 * 2 * N_NODES
    left, right = fa(table, "L"), fa(table, "R")
    lowest = left["position_mm"][left["value"].idxmin()]
    line = find_centreline(select(atlas(), TABLE, "cst", "L"))
    assert lowest == pytest.approx(line.node_at_height(10.0), abs=2.0)
    np.testing.assert_allclose(right["value"], 0.5, atol=1e-3)
    assert left["value"].max() == pytest.approx(0.55, abs=0.01)


def test_nodes_are_counted_from_the_pons_upwards():
    table = profile()
    for hemi in "LR":
        side = fa(table, hemi)
        assert list(side.index) == list(range(1, N_NODES + 1))
        assert side["position_mm"].iloc[0] == 0 and (np.diff(side["position_mm"]) > 0).all()
    # the loss lies 10 mm above the middle of 78 mm
    assert fa(table, "L")["value"].idxmin() == pytest.approx(N_NODES * (39 + 10) / 78, abs=3)


def test_voxels_up_to_the_least_fa_take_no_part():
    table = profile(of=lambda points: np.where(points[..., 1] < 0, 0.15, 0.5), min_fa=0.2)
    assert (table["status"] == OK).all()
    np.testing.assert_allclose(table["value"], 0.5, atol=1e-3)


@pytest.mark.parametrize("storage", ["LAS", "PSR"])
def test_storage_order_changes_nothing_and_sides_stay(storage):
    pd.testing.assert_frame_equal(profile(storage=storage), profile(), atol=1e-6)


def test_an_oblique_head_has_the_same_profile():
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    found, expected = (fa(t, "L")["value"].iloc[5:-5] for t in (profile(affine=turn), profile()))
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_nodes_outside_the_field_of_view_have_no_value_and_say_so():
    left = fa(profile(bottom=-10.0), "L")
    line = find_centreline(select(atlas(), TABLE, "cst", "L"))
    outside = left["position_mm"] < line.node_at_height(-10.0) - 4
    inside = left["position_mm"] > line.node_at_height(-10.0) + 4
    assert left.loc[outside, "value"].isna().all()
    assert left.loc[outside, "status"].str.contains("field of view covers").all()
    assert (left.loc[inside, "status"] == OK).all()


def test_a_node_of_few_voxels_has_no_value():
    table = profile(min_voxels=10_000)
    assert table["value"].isna().all()
    assert table["status"].str.contains("voxels of white matter, at least 10000").all()


def test_the_dictionary_explains_every_column():
    assert set(column_names(profiles_dictionary())) == {"participant_id", "group", *PROFILE_COLUMNS}


def test_the_line_of_the_atlas_passes_the_published_places_of_the_tract(builtin_atlas):
    """Peaks in the corona radiata, the internal capsule and the pons; above the capsule the tract fans out."""
    image, table = builtin_atlas
    peaks = {"L": [(-24, -19, 35), (-24, -11, 12), (-7, -23, -36)], "R": [(18, -21, 42), (23, -12, 7), (7, -26, -37)]}
    for hemi, places in peaks.items():
        line = find_centreline(select(image, table, "cst", hemi))
        assert (np.sign(line.points[:, 0]) == (-1 if hemi == "L" else 1)).all()
        for place in places:
            assert np.linalg.norm(line.points - place, axis=1).min() < (12 if place[2] > 20 else 8), (hemi, place)
        heights = [line.node_at_height(z) for z, _ in CST_LEVELS_Z_MM.values()]
        assert heights == sorted(heights)
