"""Are the p-values and the intervals what they say? Thousands of cohorts in which the truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.statistics.comparisons import compare_groups
from mndmri.statistics.deviations import score_deviations
from mndmri.statistics.effect_sizes import hedges_g
from mndmri.statistics.prevalence import sign_prevalence
from mndmri.statistics.roc import classify
from mndmri.statistics.sites import site_effects
from tests.benchmark.calibration import largest_shares, table_of, table_shares
from tests.benchmark.cohorts import NOTHING_HOLDS
from tests.benchmark.cohorts import SIZES as COHORT_SIZES

pytestmark = pytest.mark.benchmark

COHORTS = 2000
SIZES = {"ALS": 13, "PLS": 5, "control": 10}
STUDY = {"groups": list(SIZES), "reference": "control"}
NO_PAIRS = ["group", "patients-control"]
SHIFT = {"ALS": 1.0, "PLS": 1.5, "control": 0.0}  # standard deviations
PREVALENCE = {"ALS": 0.7, "PLS": 0.8, "control": 0.1}


def people() -> pd.DataFrame:
    """Cohort of the shape of the first study of the motor band; ages differ a little between the groups."""
    rng = np.random.default_rng(1)
    owner = np.repeat(list(SIZES), list(SIZES.values()))
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{n:02d}" for n in range(len(owner))],
            "group": owner,
            "age": rng.normal(60, 8, len(owner)) + 3 * (owner == "PLS"),
            "sex": rng.choice(["F", "M"], len(owner)),
        }
    )


def cohorts(values: np.ndarray, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """Measures table in which each cohort is a measure of its own; values of shape (cohorts, people)."""
    who = (people() if table is None else table)["participant_id"]
    return pd.DataFrame(
        {
            "participant_id": np.tile(who, len(values)),
            "modality": "dwi",
            "measure": np.repeat([f"cohort{n}" for n in range(len(values))], len(who)),
            "region": "cst",
            "hemi": "L",
            "value": values.ravel(),
            "status": "ok",
        }
    )


def draw(*, shift: bool) -> np.ndarray:
    """Values that depend on age and, if asked for, on the group; shape (cohorts, people)."""
    table = people()
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((COHORTS, len(table)))
    trend = 0.05 * (table["age"] - 60).to_numpy()
    return noise + trend + (table["group"].map(SHIFT).to_numpy() if shift else 0.0)


# Cohorts of each cell: of a table 20 designs with 200 each, of a profile or map 20 with 50. Flips of the signs of
# tables; draws of the residuals of which the largest values are looked for: p is at its exact level with 39 too.
DESIGNS, IN_TABLES, OF_LARGEST = 20, 200, 50
FLIPS, DRAWS_OF_LARGEST = 499, 39
# What the reported test (own variances) is to keep, percent, and where it does not
AIM, AIM_OF_LARGEST = (3.5, 6.5), (2.5, 7.5)
MISSES = {
    ("13/5/10", "1/0.3/2"): (2.0, 6.5),
    ("13/5/10", "lognormal"): (2.5, 6.5),
    ("13/5/10", "outliers"): (2.5, 6.5),
    ("33/12/28", "lognormal"): (3.0, 6.5),
}
# Too careful with skewed errors and in small groups; a little too bold where most values are 0
MISSES_OF_LARGEST = {
    ("profile", "13/5/10", "lognormal"): (1.0, 7.5),
    ("profile", "13/5/10", "outliers"): (1.5, 7.5),
    ("map", "13/5/10", "1/3/1"): (0.5, 7.5),
    ("map", "13/5/10", "1/0.3/2"): (0.5, 7.5),
    ("map", "13/5/10", "lognormal"): (0.5, 7.5),
    ("profile", "33/12/28", "lognormal"): (1.0, 7.5),
    ("profile", "33/12/28", "zero-inflated"): (2.5, 9.0),
    ("map", "33/12/28", "zero-inflated"): (2.5, 9.0),
    ("profile", "60/25/55", "lognormal"): (1.0, 7.5),
    ("profile", "60/25/55", "outliers"): (2.0, 7.5),
}


@pytest.mark.parametrize("size", COHORT_SIZES)
def test_tables_find_something_in_five_null_cohorts_of_a_hundred_however_the_groups_vary(size):
    rows = pd.DataFrame(table_shares(size, designs=DESIGNS, cohorts=IN_TABLES, flips=FLIPS))
    print(f"\nPercent of null cohorts with p <= 0.05, and power; pairs, then all groups:\n{table_of(rows).to_string()}")
    errors = rows[(rows["what"] == "error") & (rows["test"] == "own variances") & (rows["cell"] != NOTHING_HOLDS)]
    for cell, found in errors.groupby("cell"):
        low, high = MISSES.get((size, cell), AIM)
        assert found["percent"].between(low, high).all(), (cell, found)
    old = rows[(rows["what"] == "error") & (rows["test"] == "one variance") & (rows["cell"] == "1/3/1")]
    assert old["percent"].max() > 15  # what was reported before
    equal = rows[(rows["what"] == "power") & (rows["cell"] == "equal")]
    power = equal.pivot(index="hypothesis", columns="test", values="percent")
    assert (power["own variances"] > power["one variance"] - 12).all()


@pytest.mark.parametrize("kind", ["profile", "map"])
@pytest.mark.parametrize("size", COHORT_SIZES)
def test_profiles_and_maps_find_something_in_five_null_cohorts_of_a_hundred(kind, size):
    rows = pd.DataFrame(largest_shares(size, kind, designs=DESIGNS, cohorts=OF_LARGEST, draws=DRAWS_OF_LARGEST))
    print(
        "\nPercent of cohorts with a corrected p <= 0.05 anywhere, without a difference (error) and with one (power):"
    )
    print(table_of(rows).to_string())
    own = rows[rows["test"] == "own variances"]
    for cell, found in own[(own["what"] == "error") & (own["cell"] != NOTHING_HOLDS)].groupby("cell"):
        low, high = MISSES_OF_LARGEST.get((kind, size, cell), AIM_OF_LARGEST)
        assert found["percent"].between(low, high).all(), (cell, found)


def test_intervals_of_differences_hold_the_truth_in_ninety_five_of_a_hundred():
    table = compare_groups(cohorts(draw(shift=True)), people(), covariates=["age", "sex"], n_permutations=0, **STUDY)
    rows = table[(table["test"] == "ancova_welch") & ~table["contrast"].isin(NO_PAIRS)]
    true = rows["contrast"].map(lambda name: SHIFT[name.split("-")[0]] - SHIFT[name.split("-")[1]])
    held = ((rows["ci_low"] <= true) & (true <= rows["ci_high"])).groupby(rows["contrast"]).mean()
    print(f"\nCoverage of the adjusted difference:\n{held.to_string()}")
    assert held.between(0.93, 0.97).all()


def test_intervals_of_effect_sizes_and_areas_hold_the_truth():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((COHORTS, len(people()))) + people()["group"].map(SHIFT).to_numpy()
    table = compare_groups(cohorts(values), people(), n_permutations=0, **STUDY)
    rows = table[(table["test"] == "ancova_welch") & ~table["contrast"].isin(NO_PAIRS)]
    true = rows["contrast"].map(lambda name: SHIFT[name.split("-")[0]] - SHIFT[name.split("-")[1]])
    of_g = ((rows["g_ci_low"] <= true) & (true <= rows["g_ci_high"])).groupby(rows["contrast"]).mean()
    directions = {("dwi", f"cohort{n}"): 1 for n in range(COHORTS)}
    areas = classify(cohorts(values), people(), directions=directions, **STUDY).table
    areas = areas[areas["contrast"] != "patients-control"]
    true = stats.norm.cdf(areas["contrast"].map(lambda n: SHIFT[n.split("-")[0]] - SHIFT[n.split("-")[1]]) / np.sqrt(2))
    of_auc = ((areas["ci_low"] <= true) & (true <= areas["ci_high"])).groupby(areas["contrast"]).mean()
    print(f"\nCoverage of Hedges g:\n{of_g.to_string()}\nCoverage of the AUC:\n{of_auc.to_string()}")
    assert of_g.between(0.93, 0.97).all()
    assert of_auc.between(0.93, 0.99).all()


def test_limits_of_hedges_g_hold_the_truth_where_groups_vary_differently():
    rng = np.random.default_rng(5)
    found = {}
    for n, m in ((13, 10), (5, 10), (13, 5)):
        for spread in (1 / 3, 1, 3):
            sd = np.sqrt(((n - 1) * spread**2 + m - 1) / (n + m - 2))
            for true in (0, 1, 2):
                samples = [(rng.normal(true * sd, spread, n), rng.normal(0, 1, m)) for _ in range(COHORTS)]
                found[n, m, round(spread, 2), true] = {
                    kind: np.mean([size.low <= true <= size.high for size in sizes])
                    for kind, own in (("own variances", True), ("one variance", False))
                    for sizes in [[hedges_g(*sample, own_variances=own) for sample in samples]]
                }
    table = pd.DataFrame(found).T
    print(f"\nCoverage of Hedges g by n, n, ratio of SDs and true g:\n{table.to_string()}")
    assert table["own variances"].between(0.92, 0.97).all()


@pytest.mark.parametrize("spread", [1, 3])
def test_a_model_with_a_random_intercept_finds_nothing_in_null_studies(spread):
    """Three sites of a cohort each; the PLS vary ``spread`` times as much as the others."""
    rng, n_studies = np.random.default_rng(17), 400
    sites = pd.concat([people().assign(site=f"s{n}") for n in range(3)], ignore_index=True)
    sites["participant_id"] = [f"sub-{n:03d}" for n in range(len(sites))]
    sd = np.where(sites["group"] == "PLS", spread, 1)
    level = sites["site"].map({"s0": 0, "s1": 1, "s2": -1}).to_numpy()
    measures = cohorts(level + sd * rng.standard_normal((n_studies, len(sites))), sites)
    found = site_effects(measures, sites, site="site", **STUDY).query("site == 'all'")
    share = (found["mixed_p"] <= 0.05).groupby(found["contrast"]).mean()
    print(f"\nWith a random intercept, SD of PLS {spread}, p <= 0.05 in {n_studies} null studies:\n{share.to_string()}")
    assert found["mixed_p"].notna().all()
    assert share.between(0.02, 0.08).all()


def test_five_in_a_hundred_healthy_people_lie_outside_of_ten_controls():
    options = {name: STUDY[name] for name in ("groups", "reference")}
    table = score_deviations(cohorts(draw(shift=False)), people(), covariates=["age", "sex"], **options).deviations
    owner = table["participant_id"].map(people().set_index("participant_id")["group"])
    found = (~table["percentile"].between(2.5, 97.5)).groupby(owner).mean()
    print(f"\nOutside the interval of 95%, {COHORTS} null cohorts of {SIZES}:\n{found.to_string()}")
    # people of a cohort share its controls: the error is that of cohorts, not of people
    assert found.between(0.035, 0.065).all()


def test_intervals_of_the_prevalence_hold_the_truth():
    """Counts are whole numbers, so that an interval that never holds less than 95% mostly holds more."""
    rng = np.random.default_rng(4)
    table, held = people(), []
    for _ in range(COHORTS // 4):
        present = rng.random(len(table)) < table["group"].map(PREVALENCE)
        measures = cohorts(np.where(present, 6.0, 0.0)[None]).assign(
            modality="swi", measure="motor_band_score", region="precentral", hemi="both"
        )
        found = sign_prevalence(measures, table, **STUDY).set_index("group").loc[list(SIZES)]
        true = 100 * pd.Series(PREVALENCE)
        held.append((found["ci_low"] <= true) & (true <= found["ci_high"]))
    coverage = pd.DataFrame(held).mean()
    print(f"\nCoverage of the prevalence (Wilson with continuity correction):\n{coverage.to_string()}")
    assert (coverage > 0.93).all()
