"""Main directions against the course of a tract, where both are known."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.regions import select
from mndmri.diffusion.direction import measure_direction, off_tract, tract_course
from mndmri.diffusion.profile import measure_profile
from mndmri.diffusion.tract import CST_REGIONS, REGIONS, measure_tract, tract_weight
from mndmri.grids import make_image, world_coordinates
from mndmri.tables.measures import DEFINITIONS, MEASURE_COLUMNS, OK

TABLE = pd.DataFrame(
    [(n, region, hemi) for n, (region, hemi) in enumerate(REGIONS)], columns=["index", "region", "hemi"]
)
COURSE = np.array([0.3, 0.0, 1.0]) / np.hypot(0.3, 1.0)  # of the left tract, template axes; the right one mirrors it
UPRIGHT = np.eye(4)
TILTED = nb.affines.from_matvec(nb.eulerangles.euler2mat(z=0.2, y=-0.1, x=0.35), [4.0, -2.0, 3.0])
STRETCHED = nb.affines.from_matvec(np.diag([1.2, 0.9, 0.8]), [0.0, 1.0, 0.0])


def template_grid():
    shape = np.array((40, 24, 48))
    affine = nb.affines.from_matvec(2 * np.eye(3), -2.0 * (shape - 1) / 2)
    return nb.Nifti1Image(np.zeros(shape, np.uint8), affine)


def regions(grid, to_template=UPRIGHT):
    """A leaning rod on each side; every region is all of it."""
    x, y, z = np.moveaxis(nb.affines.apply_affine(to_template, world_coordinates(grid)), -1, 0)
    rod = {
        hemi: np.clip(1 - np.hypot(x - sign * (22 - 0.3 * z), y) / 10, 0, 1) * (np.abs(z) < 36)
        for hemi, sign in (("L", -1), ("R", 1))
    }
    rod["both"] = rod["L"] + rod["R"]
    return make_image(np.stack([rod[hemi] for hemi in TABLE["hemi"]], axis=-1).astype(np.float32), grid)


def scanned(to_scan=UPRIGHT, storage="RAS", off=0.0, only=None):
    """Everything that `measure_direction` takes, of main directions that are ``off`` degrees from the course."""
    grid = nb.Nifti1Image(
        np.zeros((44, 30, 30), np.uint8), nb.affines.from_matvec(np.diag([2, 2.5, 3]), [-43, -36, -44])
    )
    turn = nb.orientations.ornt_transform(nb.io_orientation(grid.affine), nb.orientations.axcodes2ornt(storage))
    grid = grid.as_reoriented(turn)
    to_template = np.linalg.inv(to_scan)
    place = nb.affines.apply_affine(to_template, world_coordinates(grid))
    mirror = np.where(place[..., :1] < 0, 1.0, -1.0) * [1, 0, 0] + [0, 1, 1]
    along = (COURSE * mirror) @ to_scan[:3, :3].T
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    # about an axis that is at right angles to the course, wherever the scan has it
    axis = np.cross(along, [0.0, 1.0, 0.0])
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    aside = np.cross(axis, along)
    angle = np.full(grid.shape, np.deg2rad(off))
    if only is not None:
        angle[~only(place)] = 0
    main = np.cos(angle)[..., None] * along + np.sin(angle)[..., None] * aside
    fa = make_image(np.full(grid.shape, 0.5, np.float32), grid)
    return {
        "v1": make_image(main.astype(np.float32), grid),
        "fa": fa,
        "weights": regions(grid, to_template),
        "table": TABLE,
        "wm_probability": make_image(np.ones(grid.shape, np.float32), grid),
        "mni_mm": make_image(place.astype(np.float32), grid),
        "atlas": regions(template_grid()),
    }


def values(rows, measure):
    return rows[rows["measure"] == measure].set_index(["region", "hemi"])["value"]


@pytest.mark.parametrize("to_scan", [UPRIGHT, TILTED, STRETCHED], ids=["upright", "tilted", "stretched"])
@pytest.mark.parametrize("off", [0, 20, 29, 31, 75])
def test_the_angle_is_the_one_by_which_the_field_was_turned(to_scan, off):
    rows = measure_direction(**scanned(to_scan, off=off))
    np.testing.assert_allclose(values(rows, "tract_angle"), off, atol=0.7)
    np.testing.assert_allclose(values(rows, "aligned_fraction"), float(off < 30), atol=1e-6)


@pytest.mark.parametrize("storage", ["LAS", "PSR"])
def test_storage_changes_nothing_and_left_is_left(storage):
    def on_the_left(place):
        return place[..., 0] < 0

    found, expected = (measure_direction(**scanned(TILTED, s, 60, on_the_left)) for s in (storage, "RAS"))
    pd.testing.assert_frame_equal(found, expected, atol=1e-3)
    angle = values(found, "tract_angle").unstack()
    assert (angle["L"] > 59).all() and (angle["R"] < 1).all()


def test_the_share_is_that_of_the_voxels_which_run_along():
    given = scanned(off=90, only=lambda place: place[..., 2] > 0)
    share = values(measure_direction(**given), "aligned_fraction")
    weight = select(given["weights"], TABLE, "cst", "L").get_fdata()
    below = world_coordinates(given["fa"])[..., 2] <= 0
    assert share["cst", "L"] == pytest.approx(weight[below].sum() / weight.sum(), abs=1e-6)


def test_the_sign_of_a_main_direction_means_nothing():
    given = scanned(off=15)
    signs = np.random.default_rng(1).choice([-1, 1], given["v1"].shape[:3])[..., None]
    other = given | {"v1": make_image(np.asarray(given["v1"].dataobj) * signs, given["v1"])}
    pd.testing.assert_frame_equal(measure_direction(**other), measure_direction(**given), atol=1e-6)


def test_rows_are_of_the_contract_and_defined():
    rows = measure_direction(**scanned())
    assert list(rows.columns) == MEASURE_COLUMNS
    assert len(rows) == 2 * 2 * len(CST_REGIONS)
    assert {("dwi", measure) for measure in rows["measure"]} <= set(DEFINITIONS)


def test_a_region_without_white_matter_has_no_angle_and_says_so():
    given = scanned()
    rows = measure_direction(**given | {"fa": make_image(np.zeros(given["fa"].shape, np.float32), given["fa"])})
    assert rows["value"].isna().all()
    assert set(rows["status"]) == {"no white matter of the region in the image"}


def test_a_level_beside_the_tract_has_no_value_and_says_why():
    given = scanned(off=70, only=lambda place: place[..., 0] > 0)
    beside = off_tract(measure_direction(**given), min_aligned=0.25)
    assert set(beside) == {(region, "R") for region in CST_REGIONS}
    assert beside["cst_pons", "R"] == (
        "beside the tract: 0% of the voxels run along its course, at least 25% are expected"
    )
    assert beside["cst", "R"].endswith("at least 10% are expected")
    flat = dict.fromkeys(("fa", "md", "ad", "rd"), given["fa"])
    seen = pd.Series(1.0, index=pd.MultiIndex.from_frame(TABLE[["region", "hemi"]]))
    rows = measure_tract(flat, given["weights"], TABLE, given["wm_probability"], seen, beside=beside)
    pons = rows[(rows["region"] == "cst_pons") & (rows["measure"] == "fa")].set_index("hemi")
    assert pons.loc["L", "status"] == OK and pons.loc["L", "value"] == pytest.approx(0.5)
    assert pons.loc["R", "status"] == beside["cst_pons", "R"] and np.isnan(pons.loc["R", "value"])


def test_nodes_of_a_level_beside_the_tract_have_no_value():
    given = scanned()
    flat = dict.fromkeys(("fa", "md", "ad", "rd"), given["fa"])
    shown = make_image(np.ones(given["atlas"].shape[:3], np.float32), given["atlas"])
    place = [given[name] for name in ("weights", "table", "mni_mm", "atlas")]
    tract = tract_weight(given["fa"], given["wm_probability"])
    profile = measure_profile(flat, tract, *place, shown, beside={("cst_pons", "L"): "beside the tract"})
    fa = profile[profile["measure"] == "fa"].set_index(["hemi", "node"])
    assert fa.loc[("L", 1), "status"] == "beside the tract" and np.isnan(fa.loc[("L", 1), "value"])
    assert fa.loc[("R", 1), "status"] == OK
    assert (fa.loc["L"]["status"] == OK).sum() > 50


def test_the_course_bends_with_the_registration():
    """A shear of the scan shears the course."""
    shear = np.eye(4)
    shear[0, 2] = 0.5
    given = scanned(shear)
    where = select(given["weights"], TABLE, "cst", "L").get_fdata() > 0.5
    course = tract_course(select(given["atlas"], TABLE, "cst", "L"), given["mni_mm"], where)
    expected = shear[:3, :3] @ COURSE
    np.testing.assert_allclose(np.abs(course @ expected) / np.linalg.norm(expected), 1, atol=1e-3)
