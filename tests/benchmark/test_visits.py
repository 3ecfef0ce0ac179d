"""Do the slopes of visits hold their promises? Tables with drop-out in which the truth is known."""

import numpy as np
import pandas as pd
import pytest

from mndmri.statistics.longitudinal import DIFFERENCE, compare_change
from tests.benchmark.cohorts import SEED

pytestmark = pytest.mark.benchmark

TABLES = 1000
SIZES = {"ALS": 13, "PLS": 5, "control": 10}
SPREAD = {"ALS": 0.6, "PLS": 0.3, "control": 0.15}  # of the people's slopes, standard deviations of the first visit
SLOPE = {"ALS": -1.0, "PLS": -0.5, "control": 0.0}
MONTHS = (0.0, 3.0, 6.0, 12.0)
ERROR = 0.4  # of a visit
PAIRS = ("ALS-PLS", "ALS-control", "PLS-control")
OTHER_SEEDS = (101, 202, 303, 404, 1, 2, 3, 4)  # half as many tables of each
# False positives, percent, and where there are more with `SEED`; with the other seeds p is where it should be
AIM = (3.5, 6.5)
MISSES = {
    ("p", "ALS-control"): (3.5, 7.5),
    ("p_permutation", "ALS-control"): (3.5, 7.5),
    ("p_permutation", "PLS-control"): (3.5, 7.5),
}


def people() -> pd.DataFrame:
    """Cohort of the shape of the first study of the motor band."""
    rng = np.random.default_rng(SEED)
    owner = np.repeat(list(SIZES), list(SIZES.values()))
    ids = [f"sub-{n:02d}" for n in range(len(owner))]
    return pd.DataFrame({"participant_id": ids, "group": owner, "age": rng.normal(60, 8, len(owner))})


def tables(*, change: bool, seed: int = SEED, number: int = TABLES) -> pd.DataFrame:
    """Measures in which each table is a measure of its own; patients with low values leave, more often the lower."""
    rng, rows = np.random.default_rng(seed), []
    for table in range(number):
        for who, group, _ in people().itertuples(index=False):
            level = rng.normal()
            slope = SLOPE[group] * change + rng.normal(0, SPREAD[group])
            for months in MONTHS:
                value = level + slope * months / 12 + rng.normal(0, ERROR)
                rows.append((who, f"ses-{months:02g}", months, f"table{table}", value))
                if group != "control" and rng.random() < 1 / (1 + np.exp(2 + value)):
                    break
    made = pd.DataFrame(rows, columns=["participant_id", "session", "months", "measure", "value"])
    return made.assign(modality="dwi", region="cst", hemi="L", status="ok")


def compared(*, change: bool, seed: int = SEED, number: int = TABLES) -> pd.DataFrame:
    """Differences of the slopes of all tables, those of the pairs."""
    given = tables(change=change, seed=seed, number=number)
    seen = given.groupby("session").size() / (number * sum(SIZES.values()))
    print("people seen, percent:", {name: round(100 * share) for name, share in seen.items()})
    found = compare_change(
        given,
        people(),
        groups=list(SIZES),
        reference="control",
        covariates=["age"],
        primary=[],
        n_permutations=199,
        seed=seed,
    )
    return found[(found["effect"] == DIFFERENCE) & found["contrast"].isin(PAIRS)]


def test_intervals_of_differences_of_slopes_hold_the_truth_with_drop_out():
    found = compared(change=True)
    truth = found["contrast"].map({pair: SLOPE[pair.split("-")[0]] - SLOPE[pair.split("-")[1]] for pair in PAIRS})
    inside = (found["ci_low"] <= truth) & (truth <= found["ci_high"])
    shares = 100 * inside[found["p"].notna()].groupby(found["contrast"]).mean()
    print("intervals that hold the truth, percent:", shares.round(1).to_dict())
    print("mean error:", (found["estimate"] - truth).groupby(found["contrast"]).mean().round(3).to_dict())
    print("tables without an estimate:", found["p"].isna().groupby(found["contrast"]).sum().to_dict())
    assert shares.between(93, 97).all()


def false_positives(found: pd.DataFrame) -> pd.DataFrame:
    """Percent of the tables with an estimate, by contrast."""
    known = found.dropna(subset="p").set_index("contrast")
    shares = 100 * (known[["p", "p_permutation"]] <= 0.05).groupby("contrast").mean()
    print("false positives, percent:", shares.round(1).to_dict())
    return shares


def test_false_positives_of_other_tables_are_within_the_aim():
    found = [compared(change=False, seed=seed, number=TABLES // 2) for seed in OTHER_SEEDS]
    shares = false_positives(pd.concat(found))
    assert shares["p"].between(*AIM).all()
    assert shares["p_permutation"].between(*AIM).all()


def test_false_positives_of_differences_of_slopes_are_as_many_as_are_said():
    shares = false_positives(compared(change=False))
    for column in shares:
        for contrast, share in shares[column].items():
            low, high = MISSES.get((column, contrast), AIM)
            assert low <= share <= high, (column, contrast)
