"""Change within a simulated person: what was planted comes back, and a moved head has not changed."""

import numpy as np
import pandas as pd
import pytest

from mndmri.anatomy.change import (
    JACOBIAN,
    WITHIN,
    WITHIN_COLUMNS,
    choose_visits,
    find_reasons,
    growth_between,
    measure_alignment,
    measure_within,
)
from mndmri.anatomy.midway import Visit, meet_midway
from mndmri.atlas.lobes import PARTS
from mndmri.grids import make_image, resampled_grid, world_coordinates
from mndmri.registration.transforms import resample
from mndmri.tables.measures import DEFINITIONS, OK
from mndmri.tables.qc import DEFINITIONS as QUALITY
from tests.unit.anatomy.heads import build_head
from tests.unit.anatomy.visits import atlas_on, region_map, thinned, to_shared_head, visit

TURN = (4, -3, 5)
LOSS = {"L": 0.12, "R": 0.0}
GYRI = [("precentral", "L"), ("precentral", "R"), ("postcentral", "L"), ("postcentral", "R")]


@pytest.fixture(scope="module")
def head():
    return build_head(2.0)


@pytest.fixture(scope="module")
def resources(head):
    """Tissue, lobes, and atlas of the shared head, which is the template here."""
    grid = resampled_grid(head["grey"], 4.0)
    tissue = np.stack([resample(head[name], grid).get_fdata() for name in ("grey", "white", "csf")], axis=-1)
    labels = np.where(world_coordinates(grid)[..., 0] < 0, 1, 2)
    brain = tissue.sum(axis=-1) > 0.5
    return {
        "tissue": make_image(tissue.astype(np.float32), grid),
        "lobes": make_image((labels * brain).astype(np.uint8), grid),
    }, atlas_on(grid)


def measured(visits, resources, turn=(0, 0, 0), **options):
    given, (atlas, table) = resources
    midway = meet_midway(visits)
    warp = to_shared_head(midway, "ses-01", atlas, turn)
    return midway, warp, measure_within(midway, warp, atlas, table, **given, **options)


def percent(table: pd.DataFrame, before="ses-01", after="ses-02") -> pd.DataFrame:
    values = table.pivot(index=["region", "hemi"], columns=["measure", "session"], values="value")
    return pd.DataFrame({m: 100 * (values[m, after] / values[m, before] - 1) for m in (WITHIN, JACOBIAN)})


@pytest.fixture(scope="module")
def pair(head):
    """A person who lost precentral cortex on the left, and lies elsewhere."""
    scan = {"voxel_mm": 2.5}
    return {
        "ses-01": visit(head, **scan, seed=1),
        "ses-02": visit(thinned(head, LOSS), **scan, seed=2, turn_deg=TURN),
    }


@pytest.fixture(scope="module")
def found(pair, resources):
    return measured(pair, resources)


@pytest.fixture(scope="module")
def still(head, pair, resources):
    """The same without the loss: what the method and the noise make of it."""
    other = visit(head, voxel_mm=2.5, seed=2, turn_deg=TURN)
    return measured({"ses-01": pair["ses-01"], "ses-02": other}, resources)


def test_lost_grey_matter_comes_back_on_its_side_and_in_its_gyrus(found, still):
    change = percent(found[2])
    lost = change - percent(still[2])  # of the same noise and pose
    for measure, error in ((WITHIN, 3.0), (JACOBIAN, 5.0)):
        assert lost.at[("precentral", "L"), measure] == pytest.approx(-12, abs=error), measure
        assert change.at[("precentral", "L"), measure] < change.at[("precentral", "R"), measure] - 5
        for place in GYRI[1:]:
            assert lost.at[place, measure] == pytest.approx(0, abs=1.5), (measure, place)


def test_a_head_that_only_moved_has_not_changed(still):
    change = percent(still[2])
    for place in (("gm", "both"), ("wm", "both"), ("tiv", "both")):
        assert change.loc[place].abs().max() < 0.5, place


def test_visits_in_reversed_order_have_the_negated_change(pair, found, resources):
    names = dict(zip(pair, reversed(pair), strict=True))
    given, (atlas, table) = resources
    swapped = {names[session]: own for session, own in reversed(pair.items())}
    midway = meet_midway(swapped)
    back = measure_within(midway, to_shared_head(midway, "ses-02", atlas), atlas, table, **given)
    key = ["measure", "region", "hemi"]
    forth, back = (own.pivot(index=key, columns="session", values="value") for own in (found[2], back))
    change = forth["ses-02"] - forth["ses-01"]
    assert change.abs().max() > 1
    assert (back["ses-02"] - back["ses-01"]).to_numpy() == pytest.approx(-change.to_numpy(), abs=1e-6, nan_ok=True)


def test_the_map_of_change_shows_the_loss_where_it_is(found, still):
    means = []
    for midway, *_ in (found, still):
        growth = np.asarray(growth_between(midway, "ses-01", "ses-02").dataobj)
        means.append([np.nanmean(growth[region_map(midway.mask, *place)]) for place in GYRI])
    left, *others = np.subtract(*means)
    assert -0.15 < left < -0.05
    assert np.abs(others).max() < 0.02


def test_rows_have_the_columns_and_definitions_of_measures(found):
    midway, _, table = found
    assert list(table.columns) == WITHIN_COLUMNS
    assert {(own.modality, own.measure) for own in table.itertuples()} == {("t1w", WITHIN), ("t1w", JACOBIAN)}
    assert {("t1w", WITHIN), ("t1w", JACOBIAN)} <= set(DEFINITIONS)
    assert not table.duplicated(["session", "measure", "region", "hemi"]).any()
    quality = measure_alignment(midway, table)
    assert set(quality["measure"]) <= set(QUALITY)
    values = quality.pivot(index="measure", columns="session", values="value")
    assert values.loc["visit_movement"].between(1, 10).all()
    assert values.loc["visit_shift"].between(0.01, 0.5).all()
    assert values.loc["visit_min_jacobian"].between(0, 1).all()
    assert values.loc["visit_agreement"].abs().max() < 1
    assert values.loc["visit_residual"].between(0.01, 0.1).all()


def thick(own: Visit) -> Visit:
    grid = resampled_grid(own.t1w, (2.5, 2.5, 6.0))
    return Visit(*(resample(image, grid, interpolation="nearest") for image in own))


def test_a_visit_of_thick_slices_is_told_and_does_not_blur_the_others(pair, found, resources):
    midway, warp, table = found
    visits = {**pair, "ses-03": thick(pair["ses-01"])}
    assert list(choose_visits(visits, max_voxel_mm=3)) == list(pair)
    assert list(choose_visits({"ses-03": visits["ses-03"]}, max_voxel_mm=3)) == ["ses-03"]
    given, (atlas, regions) = resources
    limits = {"min_coverage": 0.5, "max_border_cm2": 100, "max_voxel_mm": 3}
    reasons = find_reasons(visits, midway.poses, warp, atlas, regions, **limits)
    more = measure_within(midway, warp, atlas, regions, **given, reasons=reasons).set_index("session")
    assert more.loc["ses-03", "value"].isna().all()
    assert more.loc["ses-03", "status"].str.contains("6 mm are too long").sum() > 10
    before, after = table.set_index("session").loc["ses-01"], more.loc["ses-01"]
    assert after["value"].to_numpy() == pytest.approx(before["value"].to_numpy(), nan_ok=True)


def test_a_gyrus_outside_one_visit_is_missing_there_and_nowhere_else(pair, found, resources):
    midway, warp, _ = found
    _, (atlas, regions) = resources
    right = world_coordinates(pair["ses-02"].recorded)[..., 0] > 10
    cut = pair["ses-02"]._replace(recorded=make_image(~right, pair["ses-02"].recorded))
    limits = {"min_coverage": 0.9, "max_border_cm2": 10, "max_voxel_mm": 3}
    reasons = find_reasons({**pair, "ses-02": cut}, midway.poses, warp, atlas, regions, **limits)
    assert reasons["ses-01"] == {}
    assert {place for place in reasons["ses-02"] if place[1] != "both"} == {GYRI[1], GYRI[3]}
    assert "inside the brain" in reasons["ses-02"]["gm", "both"]


def test_lobes_of_the_study_are_measured_too(found):
    table = found[2].set_index(["session", "measure", "region", "hemi"])
    region, hemi = PARTS[0]
    assert table.at[("ses-01", WITHIN, region, hemi), "status"] == OK
