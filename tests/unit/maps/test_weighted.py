"""Signal at b = 1000 along the tract of a made-up brain: which volumes count, and what is planted comes back."""

import numpy as np
import pytest

from mndmri.anatomy.signal import CST_REGIONS
from mndmri.atlas.on_scan import OnScan
from mndmri.grids import make_image
from mndmri.maps.weighted import measure_weighted
from mndmri.tables.coverage import measure_coverage
from mndmri.tables.measures import MEASURE_COLUMNS
from tests.unit.anatomy.test_signal import Brain

# as a scanner writes them: two shells that jitter, and b = 0 that is not 0
BVALS = np.array([5, *(990, 1000, 1010) * 2, *[2500] * 6, 5.0])
SHELL = (BVALS > 900) & (BVALS < 1100)


@pytest.fixture(scope="module")
def head() -> Brain:
    return Brain()


def here(head, *, coverage=None) -> OnScan:
    everywhere = make_image(np.ones(head.grid.shape, np.float32), head.grid)
    seen = measure_coverage(head.atlas, head.table, everywhere)
    for place, value in (coverage or {}).items():
        seen[place] = value
    return OnScan(head.atlas, head.table, everywhere, seen, everywhere, head.wm)


def planted(head, factor, region, hemi, *, volumes=SHELL):
    """Series, shaded as by a coil, in which one level is brighter in some volumes."""
    level = head.atlas.get_fdata()[..., head.table.query("region == @region and hemi == @hemi").index[0]]
    even = head.scan("t1w", shading=0.3, noise=0.0).get_fdata()
    gain = np.where(level >= 0.3, factor, 1.0)
    weakening = np.where(SHELL, 1.0, np.where(BVALS < 900, 3.0, 0.4))
    series = np.stack([even * w * (gain if own else 1.0) for w, own in zip(weakening, volumes, strict=True)], axis=-1)
    return make_image(series.astype(np.float32), head.grid)


def measured(head, series, bvals=BVALS, **options):
    rows = measure_weighted(series, bvals, head.mask, options.pop("here", here(head)), **options)
    assert list(rows.columns) == MEASURE_COLUMNS
    assert set(rows["modality"]) == {"dwi"} and set(rows["measure"]) == {"signal_ratio"}
    return rows.set_index(["region", "hemi"])


@pytest.mark.parametrize(("region", "hemi"), [("cst_plic", "L"), ("cst_corona_radiata", "R")])
def test_three_percent_planted_in_one_level_come_back_there_and_nowhere_else(head, region, hemi):
    found = measured(head, planted(head, 1.03, region, hemi))["value"]
    without = measured(head, planted(head, 1.0, region, hemi))["value"]
    np.testing.assert_allclose(without, 1.0, atol=0.02)
    change = found / without - 1
    assert change[region, hemi] == pytest.approx(0.03, abs=0.004)
    others = change.drop([(region, hemi), ("cst", hemi)])
    assert len(others) == 2 * len(CST_REGIONS) - 2 and np.abs(others).max() < 0.004


def test_only_the_shell_nearest_1000_counts(head):
    series = planted(head, 1.2, "cst_plic", "L", volumes=~SHELL)
    np.testing.assert_allclose(measured(head, series)["value"], 1.0, atol=0.02)
    asked = np.where(SHELL, 2500, np.where(BVALS == 2500, 1200, BVALS))
    assert measured(head, series, asked)["value"]["cst_plic", "L"] > 1.15


@pytest.mark.parametrize(
    ("bvals", "reason"),
    [
        (np.where(SHELL, 650, BVALS), "no shell within 300 s/mm2 of b = 1000"),
        (np.where(np.cumsum(SHELL) > 3, 2500, BVALS), "3 volumes of b = 1000, at least 6 are needed"),
        (np.zeros(len(BVALS)), "no shell within 300 s/mm2 of b = 1000"),
    ],
)
def test_without_such_a_shell_every_level_has_the_reason(head, bvals, reason):
    found = measured(head, planted(head, 1.0, "cst_plic", "L"), bvals)
    assert found["value"].isna().all() and set(found["status"]) == {reason}


def test_a_level_that_is_not_shown_or_not_on_the_tract_has_no_value(head):
    place = here(head, coverage={("cst_pons", "R"): 0.2})
    found = measured(
        head, planted(head, 1.0, "cst_plic", "L"), here=place, beside={("cst_peduncle", "L"): "not on the tract"}
    )
    assert found["status"]["cst_peduncle", "L"] == "not on the tract"
    assert "20%" in found["status"]["cst_pons", "R"]
    assert set(found.index[found["value"].isna()]) == {("cst_peduncle", "L"), ("cst_pons", "R")}
