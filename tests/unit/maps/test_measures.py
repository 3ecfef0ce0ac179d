"""Maps of a made-up brain: what was put into them, and what the built-in measures make of the same image."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.signal import measure_signal, recorded
from mndmri.anatomy.volumes import VOLUME_REGIONS
from mndmri.atlas.on_scan import Person, on_scan
from mndmri.diffusion.profile import measure_profile
from mndmri.diffusion.tract import measure_tract, tract_weight
from mndmri.grids import make_image, world_coordinates
from mndmri.io import EXACT, read_table, write_table
from mndmri.maps.measures import CALLOSAL_REGIONS, Diffusion, Place, Thresholds, measure_map
from mndmri.registration.transforms import make_field
from mndmri.susceptibility.geometry import in_plane_mm
from mndmri.susceptibility.preprocessing import Anatomical, place_regions
from mndmri.susceptibility.regions import ATLAS_REGIONS as PRECENTRAL
from mndmri.susceptibility.regions import MEASURED_REGIONS
from mndmri.susceptibility.relaxation import measure_r2star
from mndmri.tables.measures import directions
from tests.unit.anatomy.test_signal import LEVELS, Brain

VALUE = {"quantity": "value", "unit": "%", "where": ["cst", "callosum"]}
SIGNAL = {"quantity": "signal", "unit": "1", "where": ["cst"]}
RELATIVE = {"quantity": "relative", "unit": "1", "where": ["cst", "gyri"]}


class Head(Brain):
    """The brain, with gyri and a callosum, in the template: its registration moves nothing."""

    def __init__(self) -> None:
        super().__init__()
        x, y, z = np.moveaxis(world_coordinates(self.grid), -1, 0)
        extra = {
            (r, "both"): 1.0 * ((np.abs(x) < 9) & (np.abs(y - place) < 9) & (z > 5) & (z < 16))
            for r, place in zip(CALLOSAL_REGIONS, (18, -28), strict=True)
        }
        regions = dict.fromkeys([*VOLUME_REGIONS, *PRECENTRAL])
        bands = [r for r in regions if r not in ("cst", "pallidum")]
        for n, region in enumerate(bands):
            for hemi, sign in (("L", -1), ("R", 1)):
                low = 40 - 10 * n
                extra[region, hemi] = 0.9 * ((x * sign > 0) & (y >= low) & (y < low + 10) & (z > 0))
        for hemi, sign in (("L", -1), ("R", 1)):
            extra["pallidum", hemi] = 1.0 * ((np.abs(x - sign * 15) < 4) & (np.abs(y) < 4) & (np.abs(z) < 4))
        more = pd.DataFrame([(r, h) for r, h in extra], columns=["region", "hemi"])
        self.table = pd.concat([self.table.drop(columns="index"), more], ignore_index=True)
        self.table.insert(0, "index", range(len(self.table)))
        stacked = [np.asarray(self.atlas.dataobj), np.stack(list(extra.values()), axis=-1)]
        self.atlas = make_image(np.concatenate(stacked, axis=-1).astype(np.float32), self.grid)
        self.still = make_field(np.zeros((*self.grid.shape, 3), np.float32), self.grid)
        fluid = self.mask.get_fdata() - np.clip(self.gm.get_fdata() + self.wm.get_fdata(), 0, 1)
        self.csf = make_image(np.clip(fluid, 0, 1).astype(np.float32), self.grid)
        self.person = Person(self.still, self.still, self.atlas, self.table, self.wm)

    def place(self, **more) -> Place:
        anatomical = Anatomical(self.scan("t1w"), self.mask, self.gm, self.csf)
        return Place(self.person, anatomical, np.eye(4), **more)

    def level(self, name: str, hemi: str) -> np.ndarray:
        low, high = LEVELS[name]
        z = world_coordinates(self.grid)[..., 2]
        x = world_coordinates(self.grid)[..., 0] * {"L": -1, "R": 1}[hemi]
        return (x > 0) & (z >= low) & (z < high)

    def flat(self, white: float, grey: float) -> np.ndarray:
        """Values of a map that has one in white and one in grey matter, and none in fluid."""
        wm, gm = self.wm.get_fdata(), self.gm.get_fdata()
        return np.where(wm >= 0.5, white, np.where(gm >= 0.5, grey, 0.0))

    def image(self, values: np.ndarray) -> SpatialImage:
        return make_image(values.astype(np.float32), self.grid)


@pytest.fixture(scope="module")
def head() -> Head:
    return Head()


def by_place(rows: pd.DataFrame, measure: str) -> pd.DataFrame:
    return rows[rows["measure"] == measure].set_index(["region", "hemi"])


def test_a_map_that_is_constant_in_white_matter_has_that_value_in_each_level(head):
    found = measure_map(head.image(head.flat(37.5, 20.0)), head.place(), VALUE, modality="mtr")
    rows = by_place(found.rows, "mean")
    assert set(rows.index) == {(r, h) for r in ("cst", *LEVELS) for h in "LR"} | {(r, "both") for r in CALLOSAL_REGIONS}
    np.testing.assert_allclose(rows["value"], 37.5, rtol=1e-6)
    assert set(rows["unit"]) == {"%"} and (rows["n_voxels"] > 10).all()
    along = found.profile.dropna(subset="value")
    assert len(along) > 150
    np.testing.assert_allclose(along["value"], 37.5, rtol=1e-6)


def test_a_loss_of_three_percent_in_one_level_is_found_there_alone_and_on_its_side(head):
    values = head.flat(40.0, 25.0)
    values[head.level("cst_plic", "L")] *= 0.97
    declared = {**VALUE, "where": ["cst"]}
    rows = by_place(measure_map(head.image(values), head.place(), declared, modality="mtr").rows, "mean")["value"]
    assert rows["cst_plic", "L"] == pytest.approx(40 * 0.97, rel=1e-3)
    others = rows.drop([("cst_plic", "L"), ("cst", "L")])
    np.testing.assert_allclose(others, 40.0, rtol=1e-3)
    assert 40 * 0.97 < rows["cst", "L"] < 40


def test_a_mirrored_map_has_its_sides_exchanged(head):
    x = world_coordinates(head.grid)[..., 0]
    values = head.flat(1.0, 1.0) * np.where(x < 0, 2.0, 3.0)
    declared = {**VALUE, "where": ["cst", "gyri"]}
    rows = by_place(measure_map(head.image(values), head.place(), declared, modality="r1").rows, "mean")["value"]
    assert rows.notna().sum() >= 18
    np.testing.assert_allclose(rows.xs("L", level="hemi").dropna(), 2.0, rtol=1e-3)
    np.testing.assert_allclose(rows.xs("R", level="hemi").dropna(), 3.0, rtol=1e-3)


def test_perfusion_is_relative_to_grey_matter_and_a_gain_leaves_it_as_it_is(head):
    values = head.flat(20.0, 60.0)
    once, doubled = (
        measure_map(head.image(values * gain), head.place(), RELATIVE, modality="cbf") for gain in (1.0, 2.0)
    )
    rows = by_place(once.rows, "relative")
    np.testing.assert_allclose(rows.loc["cst_plic", "value"], 20 / 60, rtol=1e-5)
    np.testing.assert_allclose(rows.loc["precentral", "value"], 1.0, rtol=1e-5)
    np.testing.assert_allclose(by_place(doubled.rows, "relative")["value"], rows["value"], rtol=1e-5)
    assert once.scale == pytest.approx(60.0, rel=1e-5)
    assert set(rows["unit"]) == {"1"}


def test_a_map_without_grey_matter_has_no_relative_value_and_says_why(head):
    found = measure_map(head.image(head.flat(20.0, 0.0)), head.place(), RELATIVE, modality="cbf")
    assert found.rows["value"].isna().all() and np.isnan(found.scale)
    tract = found.rows[found.rows["region"] == "cst_plic"]
    assert tract["status"].str.contains("0 voxels of grey matter to compare with").all()
    assert found.profile["value"].isna().all()


def test_a_level_outside_a_slab_is_missing_with_its_coverage(head):
    values = head.flat(37.5, 20.0)
    values[world_coordinates(head.grid)[..., 2] < -10] = 0
    rows = by_place(measure_map(head.image(values), head.place(), VALUE, modality="mtr").rows, "mean")
    # fluid and air, where a map need not have a value, are no evidence of a slab's end
    assert rows.loc[("cst_pons", "L"), "status"] == "field of view covers 11% of the level"
    assert np.isnan(rows.loc[("cst_pons", "L"), "value"])
    assert rows.loc[("cst_plic", "R"), "value"] == pytest.approx(37.5)


def test_t1w_declared_as_a_signal_has_the_ratios_of_the_built_in_measure(head):
    image = head.scan("t1w", gain={"L": 1.07}, shading=0.1)
    here = on_scan(image, head.person, to_scan=np.eye(4), recorded=recorded(image))
    wanted = measure_signal(image, here.white_matter, here.weights, here.table, here.coverage, modality="t1w")
    found = measure_map(image, head.place(), SIGNAL, modality="t1w").rows
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    assert found["value"].notna().all()


def test_md_declared_as_a_map_has_the_rows_of_the_built_in_md(head, tmp_path):
    rng = np.random.default_rng(7)
    shape = head.grid.shape
    inside = head.mask.get_fdata() > 0
    fa = head.image(np.where(inside, rng.uniform(0.05, 0.8, shape), 0))
    md = head.image(np.where(inside, rng.uniform(0.5, 1.2, shape), 0))
    tensor = {"fa": fa, "md": md, "ad": md, "rd": md}
    fov = head.image(1.0 * inside)
    beside = {("cst_pons", "R"): "beside the tract"}
    here = on_scan(fa, head.person, recorded=fov)
    regions = (here.weights, here.table, here.white_matter)
    wanted = measure_tract(tensor, *regions, here.coverage, beside=beside)
    diffusion = Diffusion(head.still, head.still, fa, fov, beside)
    declared = {"quantity": "value", "unit": "1e-3 mm2/s", "where": ["cst", "callosum"]}
    found = measure_map(md, head.place(diffusion=diffusion), declared, modality="dwi")
    both = [
        by_place(table, name).drop(columns="measure").drop(index=[("cc_splenium", "both")], errors="ignore")
        for table, name in ((found.rows, "mean"), (wanted, "md"))
    ]
    pd.testing.assert_frame_equal(*both, check_exact=True)
    assert both[0]["value"].notna().sum() == 12
    along = (here.weights, here.table, here.mni_mm, head.atlas, here.field_of_view)
    profile = measure_profile(tensor, tract_weight(fa, here.white_matter), *along, beside=beside)
    own = profile[profile["measure"] == "md"].reset_index(drop=True)
    np.testing.assert_allclose(found.profile["value"], own["value"], rtol=1e-14)
    write_table(found.profile, tmp_path / "profile.tsv", digits=EXACT)
    assert len(read_table(tmp_path / "profile.tsv")) == 200


def test_r2star_declared_as_a_map_has_the_medians_of_the_built_in_measure(head):
    rng = np.random.default_rng(3)
    inside = head.mask.get_fdata() > 0
    r2star = head.image(np.where(inside, rng.uniform(5, 60, head.grid.shape), 0))
    veins = head.image(1.0 * (rng.uniform(size=head.grid.shape) > 0.95))
    place = head.place(veins=veins)
    located = place_regions(r2star, place.anatomical, place.person, place.to_map)
    limit = in_plane_mm(r2star)
    wanted = measure_r2star(r2star, located.masks, located.names, veins, max_in_plane_mm=limit)
    declared = {"quantity": "value", "unit": "1/s", "where": ["precentral"]}
    rows = measure_map(r2star, place, declared, modality="r2", thresholds=Thresholds(max_in_plane_mm=limit)).rows
    both = [by_place(rows, "median"), by_place(wanted, "r2star_median")]
    pd.testing.assert_frame_equal(*(t.drop(columns=["measure", "modality"]) for t in both), check_exact=True)
    assert both[0]["value"].notna().sum() >= 10


def test_veins_are_left_out_of_a_map_that_is_aligned_to_the_gradient_echo_on_another_grid(head):
    """As a susceptibility map that another program has cut to the brain."""
    x = world_coordinates(head.grid)[..., 0]
    values = head.image(np.where(head.mask.get_fdata() > 0, np.where(x < 1, 5.0, 2.0), 0))
    veins = head.image(1.0 * (x < 1))
    declared = {"quantity": "value", "unit": "1/s", "where": ["precentral"]}
    cut = values.slicer[2:-2, 2:-2, 2:-2]
    limits = Thresholds(max_in_plane_mm=in_plane_mm(values))
    without, alone = (
        by_place(measure_map(cut, place, declared, modality="r2", thresholds=limits).rows, "mean").loc["precentral"]
        for place in (head.place(veins=veins), head.place())
    )
    assert alone.loc["L", "value"] == pytest.approx(5, abs=0.1)
    assert without.loc["L", "n_voxels"] < 10 < alone.loc["L", "n_voxels"]
    pd.testing.assert_series_equal(without.loc["R"], alone.loc["R"])


def test_air_round_the_head_changes_no_digit(head):
    """Of a head the brain is a third: the regions are looked up there alone."""
    wider = [np.pad(np.asarray(own.dataobj), 12) for own in (head.scan("t1w", gain={"L": 1.07}), head.scan("flair"))]
    affine = head.grid.affine @ nb.affines.from_matvec(np.eye(3), [-12, -12, -12])
    image, other = (nb.Nifti1Image(own, affine) for own in wider)
    for declared, own in (({**SIGNAL, "where": ["cst", "callosum", "gyri"]}, image), ({**RELATIVE}, other)):
        inner = own.slicer[12:-12, 12:-12, 12:-12]
        in_air, alone = (measure_map(it, head.place(), declared, modality="x") for it in (own, inner))
        pd.testing.assert_frame_equal(in_air.rows, alone.rows, check_exact=True)
        pd.testing.assert_frame_equal(in_air.profile, alone.profile, check_exact=True)
        assert alone.rows["value"].notna().sum() > 10


def test_a_gyrus_that_is_asked_for_twice_has_one_row_of_a_measure(head):
    values = head.flat(2.0, 5.0)
    declared = {"quantity": "value", "unit": "%", "where": ["gyri", "precentral"]}
    rows = measure_map(head.image(values), head.place(), declared, modality="x").rows
    assert not rows.duplicated(["measure", "region", "hemi"]).any()
    assert {"mean", "median"} == set(rows["measure"])
    coarse = rows[rows["region"] == "precentral_posterior"]
    assert coarse["status"].str.contains("do not resolve the band").all()


def test_the_direction_of_the_tracts_signal_is_not_taken_for_that_of_the_cortex():
    known = directions({})
    assert known["flair", "signal_ratio"] == 1
    of_cortex = {key[2] for key in known if key[:2] == ("t2w", "signal_ratio") and len(key) == 3}
    assert of_cortex == set(MEASURED_REGIONS)
    assert all(known["flair", "signal_ratio", region] == 0 for region in of_cortex)
