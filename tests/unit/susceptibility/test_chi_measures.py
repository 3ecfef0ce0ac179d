import numpy as np
import pytest
from scipy import stats

from mndmri.atlas.regions import select
from mndmri.grids import make_image, voxel_sizes
from mndmri.susceptibility.chi_error import ErrorModel, region_error
from mndmri.susceptibility.chi_measures import ERRORS, STATISTICS, measure_chi
from mndmri.susceptibility.regions import MEASURED_REGIONS, precentral_regions
from mndmri.susceptibility.separation import SOURCES
from mndmri.tables.measures import DEFINITIONS


@pytest.fixture(scope="module")
def regions(slab):
    return precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.mni)


@pytest.fixture
def chi(slab):
    skewed = np.random.default_rng(3).gamma(2.0, 0.02, slab.grid.shape) - 0.02
    return skewed * np.where(slab.x < 0, 1.0, 2.0)


def measured(slab, regions, chi, *, veins=None, mask=None, **options):
    veins = np.zeros(slab.grid.shape) if veins is None else veins
    mask = np.ones(slab.grid.shape) if mask is None else mask
    images = (make_image(np.asarray(part, np.float32), slab.grid) for part in (chi, veins, mask))
    image, veins, mask = images
    return measure_chi(image, *regions, veins, mask, **options).set_index(["measure", "region", "hemi"])


def test_every_region_has_every_statistic_of_its_own_voxels(slab, regions, chi):
    table = measured(slab, regions, chi)
    assert set(table.modality) == {"qsm"} and set(table.loc[list(STATISTICS)].status) == {"ok"}
    assert {(m, r, h) for m in STATISTICS for r in MEASURED_REGIONS for h in "LR"} <= set(table.index)
    for region, hemi in (("precentral_posterior_deep_hand", "L"), ("postcentral", "R")):
        own = chi[select(*regions, region, hemi).get_fdata() > 0]
        expected = {
            "chi_mean": own.mean(),
            "chi_median": np.median(own),
            "chi_sd": own.std(ddof=1),
            "chi_skewness": stats.skew(own),
            "chi_p95": np.percentile(own, 95),
            "chi_positive": own[own > 0].mean(),
            "chi_negative": own[own < 0].mean(),
        }
        for measure, value in expected.items():
            found = table.loc[(measure, region, hemi)]
            assert found["value"] == pytest.approx(value, rel=1e-4)
            assert found.n_voxels == len(own)
            assert found.unit == ("1" if measure == "chi_skewness" else "ppm")


def test_every_mean_has_its_error_beside_it_and_a_map_of_one_s_own_says_why_not(slab, regions, chi):
    model = ErrorModel(0.006, (0.0, 0.5), (4e-5, 4e-5), (1e-2, 1e-4))
    table = measured(slab, regions, chi, error=model)
    own = select(*regions, "precentral_posterior_deep", "L").get_fdata() > 0
    expected = region_error(own, voxel_sizes(slab.grid), np.array([0.0, 0.0, 1.0]), model)
    for measure, (unit, of) in ERRORS.items():
        found = table.loc[(measure, "precentral_posterior_deep", "L")]
        assert found["value"] == pytest.approx(getattr(expected, of))
        assert found.unit == unit
    # a part of a region is known less well than the whole, and its noise is the same
    errors, floors = (table.loc[name]["value"] for name in ("chi_error", "chi_sd_floor"))
    assert errors["precentral_posterior_deep_hand", "L"] > errors["precentral", "L"] > 0
    assert floors["precentral_posterior_deep_hand", "L"] == pytest.approx(floors["precentral", "L"], rel=0.1)
    without = measured(slab, regions, chi).loc[list(ERRORS)]
    assert without["value"].isna().all() and without.status.str.contains("map of your own").all()


def test_a_mirrored_map_swaps_left_and_right(slab, regions, chi):
    there, mirrored = measured(slab, regions, chi), measured(slab, regions, chi[::-1])
    for measure in ("chi_mean", "chi_p95", "chi_sd"):
        left, right = (there.loc[(measure, "precentral", h), "value"] for h in "LR")
        assert right > 1.5 * left
        assert mirrored.loc[(measure, "precentral", "L"), "value"] == pytest.approx(right, rel=0.1)


def test_veins_and_what_is_not_known_are_left_out(slab, regions, chi):
    odd = np.arange(slab.grid.shape[0])[:, None, None] % 2 == 1
    third = np.arange(slab.grid.shape[1])[:, None] % 3 == 0
    spoilt = np.where(np.broadcast_to(odd | third, chi.shape), 5.0, chi)
    whole = measured(slab, regions, spoilt)
    table = measured(
        slab, regions, spoilt, veins=np.broadcast_to(odd, chi.shape), mask=~third & np.ones(chi.shape, bool)
    )
    assert whole.loc[("chi_mean", "precentral", "L"), "value"] > 1
    assert table.loc[("chi_mean", "precentral", "L"), "value"] == pytest.approx(0.02, abs=0.005)
    assert (
        table.loc[("chi_mean", "precentral", "L"), "n_voxels"] < whole.loc[("chi_mean", "precentral", "L"), "n_voxels"]
    )


def test_a_statistic_that_cannot_be_had_says_why(build_slab, slab, regions, chi):
    few = measured(slab, regions, chi, min_voxels=10**6)
    assert few["value"].isna().all() and few.status.str.contains("fewer than 1000000").all()
    positive = measured(slab, regions, np.abs(chi) + 0.01)
    assert positive.loc[("chi_negative", "precentral", "L"), "status"] == (
        "not defined for the values in precentral (L)"
    )
    coarse = build_slab((2.0, 2.0, 2.0))
    found = precentral_regions(*coarse.tissues, coarse.atlas, coarse.table, coarse.mni)
    table = measured(coarse, found, np.random.default_rng(0).normal(size=coarse.grid.shape))
    assert table.loc[("chi_mean", "precentral_posterior_deep", "L"), "status"].startswith("in-plane voxels of 2 mm")
    assert table.loc[("chi_mean", "precentral", "L"), "status"] == "ok"


def test_every_statistic_has_a_definition_with_its_unit():
    assert {name: unit for name, (unit, _) in (STATISTICS | ERRORS).items()} | dict.fromkeys(SOURCES, "ppm") == {
        name: entry["Units"] for (modality, name), entry in DEFINITIONS.items() if modality == "qsm"
    }
