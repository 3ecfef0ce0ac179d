"""Tract measures against weights and maps that were made up."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.transform import Rotation

from mndmri.diffusion.tract import (
    CST_REGIONS,
    MEASURES,
    REGIONS,
    measure_on_tract,
    measure_quality,
    measure_tract,
    tract_coverage,
)
from mndmri.grids import make_image, to_canonical, world_coordinates
from mndmri.tables.coverage import measure_coverage
from mndmri.tables.measures import DEFINITIONS, KEY, MEASURE_COLUMNS

SHAPE = (12, 10, 9)
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", [5, -4, 8], degrees=True).as_matrix() @ np.diag([2, 2.5, 3])
AFFINE[:3, 3] = -AFFINE[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
GRID = nb.Nifti1Image(np.zeros(SHAPE, np.uint8), AFFINE)
TABLE = pd.DataFrame(
    [(n, region, hemi) for n, (region, hemi) in enumerate([*REGIONS, ("callosum", "both")])],
    columns=["index", "region", "hemi"],
)


def atlas(weight=1.0, grid=GRID):
    """Every left region is where x < 0, every right one where x > 0."""
    x = world_coordinates(grid)[..., 0]
    side = {"L": x < 0, "R": x > 0, "both": np.abs(x) < 5}
    return make_image(np.stack([weight * side[h] for h in TABLE["hemi"]], axis=-1).astype(np.float32), grid)


def flat(value, grid=GRID):
    return make_image(np.full(grid.shape[:3], value, np.float32), grid)


def maps(fa, grid=GRID):
    return {"fa": fa, "md": flat(0.7, grid), "ad": flat(1.2, grid), "rd": flat(0.5, grid)}


def coverage(**changed):
    full = pd.Series(1.0, index=pd.MultiIndex.from_frame(TABLE[["region", "hemi"]]))
    for region, value in changed.items():
        full[region, "L"] = value
    return full


def value(table, measure, region, hemi):
    found = table[(table["measure"] == measure) & (table["region"] == region) & (table["hemi"] == hemi)]
    assert len(found) == 1
    return found.iloc[0]


def test_every_measure_of_every_region_is_a_row_of_the_contract():
    rows = measure_tract(maps(flat(0.5)), atlas(), TABLE, flat(1.0), coverage())
    assert list(rows.columns) == MEASURE_COLUMNS
    assert len(rows) == (len(MEASURES) + 1) * (2 * len(CST_REGIONS) + 1) + len(CST_REGIONS)
    assert not rows.duplicated(KEY).any()
    assert (rows["status"] == "ok").all()
    assert value(rows, "md", "cst_plic", "R")["value"] == pytest.approx(0.7)


@pytest.mark.parametrize("flip", [False, True])
def test_left_is_where_x_is_negative_in_both_storages(flip):
    reverse = np.diag([-1.0, 1, 1, 1])
    reverse[0, 3] = SHAPE[0] - 1
    affine = AFFINE @ reverse if flip else AFFINE
    x = world_coordinates(nb.Nifti1Image(np.zeros(SHAPE), affine))[..., 0]
    stored = nb.Nifti1Image(np.where(x < 0, 0.4, 0.6).astype(np.float32), affine)
    fa = to_canonical(stored)
    rows = measure_tract(maps(fa, fa), atlas(grid=fa), TABLE, flat(1.0, fa), coverage())
    assert value(rows, "fa", "cst", "L")["value"] == pytest.approx(0.4)
    assert value(rows, "fa", "cst", "R")["value"] == pytest.approx(0.6)


def test_mean_is_weighted_by_tract_and_white_matter_and_fa_decides_for_all_measures():
    rng = np.random.default_rng(0)
    weights, wm, fa, md = (rng.uniform(size=SHAPE).astype(np.float32) for _ in range(4))
    given = maps(make_image(fa, GRID)) | {"md": make_image(md, GRID)}
    rows = measure_tract(given, atlas(weights), TABLE, make_image(wm, GRID), coverage(), min_fa=0.3)
    w = weights * wm * (fa > 0.3) * (world_coordinates(GRID)[..., 0] < 0)
    assert value(rows, "fa", "cst", "L")["value"] == pytest.approx(np.sum(w * fa) / np.sum(w), rel=1e-5)
    assert value(rows, "md", "cst", "L")["value"] == pytest.approx(np.sum(w * md) / np.sum(w), rel=1e-5)
    assert value(rows, "md", "cst", "L")["n_voxels"] == round(np.sum(w) ** 2 / np.sum(w**2))


def test_level_outside_the_field_of_view_has_no_value_and_says_why():
    rows = measure_tract(maps(flat(0.5)), atlas(), TABLE, flat(1.0), coverage(cst_pons=0.42, cst_plic=0.81))
    pons = value(rows, "fa", "cst_pons", "L")
    assert np.isnan(pons["value"])
    assert pons["status"] == "field of view covers 42% of the level"
    assert value(rows, "fa", "cst_plic", "L")["status"] == "ok"
    assert value(rows, "fa", "cst_pons", "R")["status"] == "ok"


def test_empty_region_is_a_row_with_a_missing_value():
    rows = measure_tract(maps(flat(0.1)), atlas(), TABLE, flat(1.0), coverage())
    rows = rows[rows["measure"] != "fa_atlas_mean"]
    assert rows["value"].isna().all()
    assert (rows["n_voxels"] == 0).all()
    means = rows[rows["measure"].isin(MEASURES)]
    assert means["status"].str.startswith("0 voxels of white matter with FA > 0.2").all()


def test_coverage_is_the_seen_part_of_the_whole_region():
    z = np.arange(SHAPE[2])
    fov = make_image(np.broadcast_to((z >= 3).astype(np.uint8), SHAPE), GRID)
    seen = measure_coverage(atlas(), TABLE, fov)
    x = world_coordinates(GRID)[..., 0]
    truth = np.sum((x < 0)[:, :, 3:]) / np.sum(x < 0)
    assert seen["cst", "L"] == pytest.approx(truth)
    assert 0 < truth < 1


def test_coverage_of_an_empty_region_is_missing():
    assert measure_coverage(atlas(weight=0.0), TABLE, flat(1.0)).isna().all()


def test_quality_rows_tell_what_was_put_in():
    x = world_coordinates(GRID)[..., 0]
    fa = make_image(np.where(x < 0, 0.5, 0.1).astype(np.float32), GRID)
    rows = measure_quality(maps(fa), atlas(), TABLE, flat(1.0), negative_fraction=0.01)
    assert value(rows, "fraction_above_min_fa", "cst", "L")["value"] == 1
    assert value(rows, "fraction_above_min_fa", "cst", "R")["value"] == 0
    assert value(rows, "negative_eigenvalue_fraction", "brain", "both")["value"] == 0.01


def test_quality_of_an_absent_tract_is_missing_with_a_reason():
    rows = measure_quality(maps(flat(0.5)), atlas(), TABLE, flat(0.0), negative_fraction=0.0)
    assert value(rows, "fa", "callosum", "both")["status"] == "no white matter of the region in the image"


def test_the_atlas_mean_keeps_what_fell_below_the_least_fa():
    x, y, _ = np.moveaxis(world_coordinates(GRID), -1, 0)
    fa = make_image(np.where(y < 0, 0.1, 0.5).astype(np.float32), GRID)
    weights = np.random.default_rng(1).uniform(size=SHAPE)
    rows = measure_tract(maps(fa), atlas(weights), TABLE, flat(0.3), coverage())
    left = weights * (x < 0)
    expected = np.sum(left * np.where(y < 0, 0.1, 0.5)) / np.sum(left)
    assert value(rows, "fa", "cst", "L")["value"] == pytest.approx(0.5)
    assert value(rows, "fa_atlas_mean", "cst", "L")["value"] == pytest.approx(expected, rel=1e-5)
    assert 0.2 < expected < 0.4


def test_asymmetry_is_above_zero_where_the_left_side_has_more():
    x = world_coordinates(GRID)[..., 0]
    fa = make_image(np.where(x < 0, 0.6, 0.4).astype(np.float32), GRID)
    rows = measure_tract(maps(fa), atlas(), TABLE, flat(1.0), coverage())
    for region in CST_REGIONS:
        found = value(rows, "fa_asymmetry", region, "both")
        assert found["value"] == pytest.approx(40)
        assert found["unit"] == "%"


def test_asymmetry_without_one_side_says_which_side_and_why():
    rows = measure_tract(maps(flat(0.5)), atlas(), TABLE, flat(1.0), coverage(cst_pons=0.42))
    pons = value(rows, "fa_asymmetry", "cst_pons", "both")
    assert np.isnan(pons["value"])
    assert pons["status"] == "L: field of view covers 42% of the level"
    assert value(rows, "fa_asymmetry", "cst_plic", "both")["value"] == pytest.approx(0)


def test_coverage_is_told_for_every_region_even_where_it_is_none():
    rows = tract_coverage(coverage(cst_pons=0.0, cst_plic=0.37, cst_peduncle=np.nan), atlas(), TABLE)
    assert len(rows) == len(REGIONS)
    assert value(rows, "coverage", "cst_pons", "L")["value"] == 0
    assert value(rows, "coverage", "cst_plic", "L")["value"] == pytest.approx(0.37)
    assert value(rows, "coverage", "cst_plic", "R")["value"] == 1
    assert value(rows, "coverage", "cst_peduncle", "L")["status"] == "the atlas has no such region"


def test_overlap_of_white_matter_is_that_of_the_two_masks_within_the_brain():
    x, y, z = np.moveaxis(world_coordinates(GRID), -1, 0)
    anisotropic, white, brain = x < 2, y < 1, z < 5
    fa = make_image((np.where(anisotropic, 0.5, 0.1) * brain).astype(np.float32), GRID)
    wm = make_image(np.where(white, 0.8, 0.2).astype(np.float32), GRID)
    rows = measure_quality(maps(fa), atlas(), TABLE, wm, negative_fraction=0.0)
    both = np.sum(anisotropic & white & brain)
    expected = 2 * both / (np.sum(anisotropic & brain) + np.sum(white & brain))
    assert value(rows, "dice_wm", "wm", "both")["value"] == pytest.approx(expected)


def test_every_measure_is_explained():
    rows = measure_tract(maps(flat(0.5)), atlas(), TABLE, flat(1.0), coverage())
    units = {key: entry["Units"] for key, entry in DEFINITIONS.items()}
    assert all(units[entry.modality, entry.measure] == entry.unit for entry in rows.itertuples())


def test_another_map_has_the_rows_of_the_tensor_s_where_it_is_the_same_map():
    fa = make_image(np.random.default_rng(5).uniform(0.1, 0.8, SHAPE).astype(np.float32), GRID)
    own = maps(fa)
    place = (atlas(), TABLE, flat(0.9))
    beside = {("cst_pons", "R"): "beside the tract: said"}
    limits = {"beside": beside, "min_fa": 0.3, "min_coverage": 0.9}
    expected = measure_tract(own, *place, coverage(cst_plic=0.5), **limits)
    found = measure_on_tract(
        {"mk": own["md"], "fa_tissue": fa}, {"mk": "1", "fa_tissue": "1"}, fa, *place, coverage(cst_plic=0.5), **limits
    )
    for name, built_in in (("mk", "md"), ("fa_tissue", "fa")):
        rows = [
            t[t["measure"] == m].drop(columns=["measure", "unit"]) for t, m in ((found, name), (expected, built_in))
        ]
        pd.testing.assert_frame_equal(*(own.reset_index(drop=True) for own in rows))
    assert value(found, "mk", "cst_plic", "L")["status"] != "ok" != value(found, "mk", "cst_pons", "R")["status"]
