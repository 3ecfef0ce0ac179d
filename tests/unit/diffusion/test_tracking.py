"""Streamlines in a made-up head with one upright bundle on each side."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from dipy.io.streamline import load_tractogram, save_tractogram
from dipy.tracking.streamline import Streamlines
from scipy.spatial.transform import Rotation

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.diffusion.gradients import Gradients
from mndmri.diffusion.tracking import (
    as_tractogram,
    profile_streamlines,
    streamline_rows,
    track_tract,
    untrackable_reason,
)
from mndmri.grids import make_image, world_coordinates
from mndmri.phantom.dwi import gradient_directions

SHAPE = (24, 12, 32)
LEAN = 0.2  # mm aside for each mm up
TABLE = pd.DataFrame(
    [
        (n, r, h)
        for n, (r, h) in enumerate((r, h) for r in ("cst", "cst_peduncle", "cst_plic", "precentral") for h in "LR")
    ],
    columns=["index", "region", "hemi"],
)
# every place whole in the scan
COVERED = pd.Series(1.0, pd.MultiIndex.from_frame(TABLE[["region", "hemi"]]))


def grid(sign):
    """Oblique, RAS or LAS."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [4, -3, 5], degrees=True).as_matrix() @ np.diag([sign * 2.5, 3, 2.5])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    return nb.Nifti1Image(np.zeros(SHAPE, np.uint8), affine)


def away(points, hemi):
    """Distance (mm) from the side's bundle, which leans outwards."""
    side = -1 if hemi == "L" else 1
    x, y, z = np.moveaxis(points, -1, 0)
    return np.hypot(x - side * (14 + LEAN * z), y) / np.hypot(1, LEAN)


def head(sign=1, n=15):
    image = grid(sign)
    xyz = world_coordinates(image)
    z = xyz[..., 2]
    inside = {hemi: away(xyz, hemi) < 6 for hemi in "LR"}
    direction = np.where((xyz[..., 0] < 0)[..., None], [-LEAN, 0, 1], [LEAN, 0, 1]) / np.hypot(1, LEAN)
    gradients = Gradients(np.append(0.0, np.full(n, 1000.0)), np.vstack([np.zeros(3), gradient_directions(n)]))
    along = (direction @ gradients.bvecs.T) ** 2
    white = inside["L"] | inside["R"]
    diffusivity = np.where(white[..., None], 0.3e-3 + 1.4e-3 * along, 0.8e-3)
    dwi = make_image((1000 * np.exp(-gradients.bvals * diffusivity)).astype(np.float32), image)
    level = {"cst": z > -99, "cst_peduncle": np.abs(z + 15) < 5, "cst_plic": np.abs(z) < 5, "precentral": z > 22}
    maps = np.stack([level[r] * inside[h] for _, r, h in TABLE.itertuples(index=False)], axis=-1)
    fa = make_image(np.where(white, 0.8, 0.05).astype(np.float32), image)
    wm = make_image(white.astype(np.float32), image)
    place = make_image(xyz.astype(np.float32), image)
    return dwi, gradients, fa, wm, make_image(maps.astype(np.float32), image), TABLE, place


@pytest.fixture(scope="module", params=[1, -1], ids=["RAS", "LAS"])
def tracked(request):
    given = head(request.param)
    return given, track_tract(*given, coverage=COVERED, seed_spacing_mm=2.0)


def test_streamlines_follow_the_planted_bundle_upwards_on_their_own_side(tracked):
    _, found = tracked
    for hemi, lines in found.items():
        assert len(lines) > 50
        points = np.concatenate(list(lines))
        assert (np.sign(points[:, 0]) == (-1 if hemi == "L" else 1)).all()
        assert np.median(away(points, hemi)) < 5
        assert away(points, hemi).max() < 10
        assert all(line[-1, 2] - line[0, 2] > 30 for line in lines)


def test_the_same_seed_gives_the_same_streamlines():
    first, second = (track_tract(*head(), coverage=COVERED, seed_spacing_mm=2.0) for _ in range(2))
    np.testing.assert_array_equal(np.concatenate(list(first["L"])), np.concatenate(list(second["L"])))


def test_left_is_left_in_a_saved_file(tracked, tmp_path):
    given, found = tracked
    fa = given[2]
    nb.save(fa, tmp_path / "fa.nii.gz")
    save_tractogram(as_tractogram(found, "L", fa), str(tmp_path / "L.trk"))
    again = load_tractogram(str(tmp_path / "L.trk"), str(tmp_path / "fa.nii.gz")).streamlines
    np.testing.assert_allclose(np.concatenate(list(again)), np.concatenate(list(found["L"])), atol=1e-3)
    assert np.concatenate(list(again))[:, 0].max() < 0


def test_the_profile_runs_from_the_lower_end_to_the_cortex(tracked):
    given, found = tracked
    place = given[-1]
    height = make_image(world_coordinates(place)[..., 2].astype(np.float32), place)
    table = profile_streamlines(dict.fromkeys(("fa", "md", "ad", "rd"), height), found, place)
    for _, side in table[table["measure"] == "fa"].groupby("hemi"):
        assert side["node"].tolist() == list(range(1, 101))
        assert (np.diff(side["value"]) > 0).all()
        np.testing.assert_allclose(side["value"], side["height_mm"], atol=1e-4)
        # the lower end of the capsule in everybody, however far down streamlines go
        assert side["value"].iloc[0] == pytest.approx(CST_LEVELS_Z_MM["cst_plic"][0], abs=2)


def test_streamlines_that_do_not_reach_the_capsule_have_no_profile(tracked):
    given, found = tracked
    cut = {hemi: Streamlines([line[line[:, 2] > 2] for line in lines]) for hemi, lines in found.items()}
    profile = profile_streamlines(dict.fromkeys(("fa", "md", "ad", "rd"), given[2]), cut, given[-1])
    assert profile["value"].isna().all()
    assert profile["status"].str.startswith("0 of ").all()


def test_a_slab_that_shows_little_of_the_peduncle_is_tracked_from_the_capsule():
    *most, weights, table, place = head()
    # of the peduncle nothing is seen but a corner beside the bundle's core
    peduncle = TABLE["region"].eq("cst_peduncle").to_numpy()
    aside = away(world_coordinates(place), "L")[..., None] < 5.5
    data = np.asarray(weights.dataobj) * ~(peduncle & (TABLE["hemi"].eq("R").to_numpy() | aside))
    given = *most, make_image(data.astype(np.float32), weights), table, place
    seen = COVERED.mask(COVERED.index.get_level_values("region") == "cst_peduncle", 0.1)
    found = track_tract(*given, coverage=seen, seed_spacing_mm=2.0)
    assert all(len(lines) > 50 for lines in found.values())
    held = track_tract(*given, coverage=COVERED, seed_spacing_mm=2.0)
    assert len(held["L"]) < len(found["L"]) / 2


def test_a_side_without_streamlines_is_a_row_with_its_reason():
    *most, weights, table, place = head()
    data = np.asarray(weights.dataobj) * ~(TABLE["region"].eq("precentral") & TABLE["hemi"].eq("L")).to_numpy()
    given = *most, make_image(data.astype(np.float32), weights), table, place
    found = track_tract(*given, coverage=COVERED, seed_spacing_mm=2.0)
    assert len(found["L"]) == 0
    counts = streamline_rows(found).set_index("hemi")["value"]
    assert counts["L"] == 0
    assert counts["R"] > 50
    profile = profile_streamlines(dict.fromkeys(("fa", "md", "ad", "rd"), most[2]), found, place)
    left, right = (profile[profile["hemi"] == hemi] for hemi in "LR")
    assert left["value"].isna().all()
    assert set(left["status"]) == {"0 of 0 streamlines reach the lower end of the capsule, at least 10 are needed"}
    assert right["value"].notna().all()


def test_too_few_directions_are_rows_with_the_reason():
    given = head(n=12)
    found, reason = track_tract(*given, coverage=COVERED), untrackable_reason(given[1])
    assert reason == "the highest shell has 12 directions, at least 15 are needed to track fibres"
    counts = streamline_rows(found, reason)
    assert counts["value"].isna().all() and set(counts["status"]) == {reason}
    profile = profile_streamlines(dict.fromkeys(("fa", "md", "ad", "rd"), given[2]), found, given[-1], reason)
    assert profile["value"].isna().all() and set(profile["status"]) == {reason}


def test_no_streamlines_are_counted_as_none():
    assert streamline_rows({"L": Streamlines(), "R": Streamlines()})["value"].tolist() == [0, 0]
