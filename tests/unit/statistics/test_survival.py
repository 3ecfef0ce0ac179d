"""Survival by each measure."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.statistics.survival import survival_dictionary, survival_table
from mndmri.tables.dictionaries import column_names

# Miller 1997: weeks of remission in acute myelogenous leukaemia, maintained and not (R: survival::aml)
TIMES = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45]
SEEN = [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
NOT_MAINTAINED = np.r_[np.zeros(11), np.ones(12)]
OPTIONS = {"groups": ["ALS", "PLS", "control"], "reference": "control", "time": "time", "event": "event"}


@pytest.fixture
def people():
    n = len(TIMES)
    return pd.DataFrame(
        {"participant_id": [f"s{i:02d}" for i in range(n)], "group": "ALS", "time": TIMES, "event": SEEN}
    ).astype({"time": float, "event": float})


def measure(people, values, **key):
    key = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"} | key
    return people[["participant_id"]].assign(**key, value=np.asarray(values, float), status="ok")


def test_hazard_ratio_is_that_of_r(people):
    """R: coxph(Surv(time, status) ~ x, aml): coef 0.9155, se 0.5119, z 1.788, p 0.0737."""
    table = survival_table(measure(people, NOT_MAINTAINED), people, **OPTIONS)
    assert list(table.columns) == column_names(survival_dictionary())
    row = table.iloc[0]
    coefficient = np.log(row["hazard_ratio"]) / row["sd"]
    assert coefficient == pytest.approx(0.9155, abs=5e-5)
    assert coefficient / row["statistic"] == pytest.approx(0.5119, abs=5e-5)
    assert row["p"] == pytest.approx(0.0737, abs=5e-5)
    assert (row["n"], row["n_events"], row["model"]) == (23, 18, "alone")
    assert row["ci_low"] == pytest.approx(np.exp(row["sd"] * (0.9155 - 1.96 * 0.5119)), rel=1e-3)


def test_a_planted_hazard_is_found_and_a_confounder_is_taken_out():
    rng = np.random.default_rng(1)
    n = 300
    age = rng.normal(60, 9, n)
    fa = -0.08 * (age - 60) + rng.normal(size=n)
    time = rng.exponential(np.exp(-0.08 * (age - 60)))
    censored = rng.exponential(3, n)
    people = pd.DataFrame({"participant_id": [f"s{i:03d}" for i in range(n)], "group": np.resize(["ALS", "PLS"], n)})
    people = people.assign(time=np.minimum(time, censored), event=(time <= censored) * 1.0, age=age)
    rows = survival_table(measure(people, fa), people, covariates=["age"], **OPTIONS).set_index("model")
    assert rows.loc["alone", "ci_high"] < 1  # age alone does it
    assert rows.loc["adjusted", "ci_low"] < 1 < rows.loc["adjusted", "ci_high"]
    assert rows.loc["adjusted", "adjusted_for"] == "age"
    assert rows.loc["alone", "p_proportional"] > 0.001


def changing(covariates, rng):
    """Times and events with a hazard ratio that turns round at half a unit of time, of the last covariate alone."""
    n = len(covariates)
    before, after = np.exp(1.5 * covariates[:, -1]), np.exp(-1.5 * covariates[:, -1])
    cumulative, censored = rng.exponential(size=n), rng.exponential(6, n)
    times = np.where(cumulative < before / 2, cumulative / before, 0.5 + (cumulative - before / 2) / after)
    return np.minimum(times, censored), (times <= censored) * 1.0


def test_a_hazard_ratio_that_changes_is_that_of_the_term_itself():
    rng = np.random.default_rng(5)
    n, p = 80, {"fa": [], "age": []}
    people = pd.DataFrame({"participant_id": [f"s{i:03d}" for i in range(n)], "group": np.resize(["ALS", "PLS"], n)})
    for _ in range(40):
        fa, other = rng.normal(size=(2, n))
        age = 0.7 * fa + np.sqrt(1 - 0.7**2) * other
        time, event = changing(np.column_stack([fa, age]), rng)
        for name, measured, covariate in (("fa", fa, age), ("age", age, fa)):
            studied = people.assign(time=time, event=event, covariate=covariate)
            rows = survival_table(measure(studied, measured), studied, covariates=["covariate"], **OPTIONS)
            p[name].append(rows.set_index("model").loc["adjusted", "p_proportional"])
    assert np.mean(np.array(p["fa"]) < 0.05) < 0.2  # proportional, whatever happens to age
    assert np.mean(np.array(p["age"]) < 0.05) > 0.8


@pytest.mark.parametrize("censored", [0, 6])
def test_events_of_everybody_at_one_time_say_nothing_of_the_measure(people, censored):
    tied = people.assign(time=12.0, event=1.0)
    tied.loc[: censored - 1, ["time", "event"]] = 5.0, 0.0
    row = survival_table(measure(tied, np.random.default_rng(4).normal(size=23)), tied, **OPTIONS).iloc[0]
    assert np.isnan(row["hazard_ratio"]) and "nobody was at risk" in row["note"]


def test_events_at_one_time_have_a_hazard_ratio_and_no_test_of_its_change(people):
    tied = people.assign(time=12.0, event=NOT_MAINTAINED)
    row = survival_table(measure(tied, np.random.default_rng(4).normal(size=23)), tied, **OPTIONS).iloc[0]
    assert np.isfinite(row["hazard_ratio"]) and np.isnan(row["p_proportional"])


def test_patients_without_a_time_are_left_out_and_counted_and_controls_are_not_patients(people):
    values = np.random.default_rng(2).normal(size=24)
    people = pd.concat([people, people[:1].assign(participant_id="s99", group="control", time=np.nan)])
    people.iloc[0, people.columns.get_loc("time")] = np.nan
    row = survival_table(measure(people, values), people, **OPTIONS).iloc[0]
    assert (row["n"], row["n_missing"], row["note"]) == (22, 1, "left out: no time (1)")


def test_few_events_are_said_and_separation_is_no_number(people):
    few = people.assign(event=[1, 1, 1, *[0] * 20])
    row = survival_table(measure(few, np.random.default_rng(3).normal(size=23)), few, **OPTIONS).iloc[0]
    assert "fewer than 5 events for each of 1 terms" in row["note"]
    apart = survival_table(measure(few, [102.0, 101, 100, *range(20)]), few, **OPTIONS).iloc[0]
    assert np.isnan(apart["hazard_ratio"]) and "foretells" in apart["note"]


def test_a_constant_term_is_left_out_and_said(people):
    people["age"] = 60.0
    rows = survival_table(measure(people, NOT_MAINTAINED), people, covariates=["age"], **OPTIONS).set_index("model")
    assert rows.loc["adjusted", "hazard_ratio"] == pytest.approx(rows.loc["alone", "hazard_ratio"])
    assert rows.loc["adjusted", "note"] == "constant, not adjusted for: age"


@pytest.mark.parametrize(
    ("column", "value", "said"), [("time", 0.0, "expected a time above 0"), ("event", 2.0, "expected 1 .* or 0")]
)
def test_times_and_events_that_are_none_are_refused(people, column, value, said):
    people.loc[3, column] = value
    with pytest.raises(InputError, match=f"s03: .*{said}"):
        survival_table(measure(people, NOT_MAINTAINED), people, **OPTIONS)


def test_three_events_in_two_groups_have_a_reason_and_no_number():
    people = pd.DataFrame({"participant_id": list("abcd"), "group": ["ALS"] * 3 + ["PLS"], "age": [61.0, 55, 70, 48]})
    people = people.assign(time=[1.0, 2, 3, 4], event=[1.0, 0, 1, 1])
    rows = survival_table(measure(people, [0.2, -0.1, 0.4, 0.3]), people, covariates=["age"], **OPTIONS)
    assert (rows["hazard_ratio"].notna() | rows["note"].str.contains("no estimate|follow from each other")).all()
