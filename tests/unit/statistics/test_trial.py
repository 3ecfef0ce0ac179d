"""The size of a trial, repeatability and drop-out, against closed forms and known tables."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.statistics.dropout import count_visits, left_by_group
from mndmri.statistics.repeatability import repeatability_table
from mndmri.statistics.trial import Course, course_of, people_per_arm, trial_table

FA = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1"}
SCORE = {"modality": "clinical", "measure": "alsfrs_r", "region": "total", "hemi": "both", "unit": ""}


def table(visits, **key) -> pd.DataFrame:
    """Measures of visits (participant, group, months, value)."""
    rows = pd.DataFrame(visits, columns=["participant_id", "group", "months", "value"])
    return rows.assign(session=[f"ses-{months:02g}" for months in rows["months"]], **(key or FA))


@pytest.mark.parametrize("months", [6.0, 12.0])
def test_people_per_arm_have_the_power_that_was_asked_for(months):
    """The two arms simulated: slopes by least squares, compared by a z test with the known variance."""
    rng = np.random.default_rng(1)
    course = Course(slope=-0.1, slope_variance=0.05**2, residual=0.02**2)
    n = round(people_per_arm(course, months=months, effect=0.33, power=0.8))
    years = np.arange(0, months + 1, 3) / 12
    centred = years - years.mean()
    hits = []
    for _ in range(2000):
        means = []
        for slope in (-0.1, -0.067):
            lines = rng.normal(slope, 0.05, n)[:, None] * years + rng.normal(0, 0.02, (n, len(years)))
            means.append((lines @ centred / (centred @ centred)).mean())
        error = np.sqrt(2 / n * (0.05**2 + 0.02**2 / (centred @ centred)))
        hits.append(abs(means[0] - means[1]) / error > stats.norm.isf(0.025))
    assert np.mean(hits) == pytest.approx(0.8, abs=0.03)


def test_people_per_arm_follow_the_closed_form():
    """2 (z + z)^2 (variance of slopes + residual / sum of squares) / difference^2: Fitzmaurice et al. 2011, 20."""
    course = Course(slope=-2.0, slope_variance=0.5, residual=0.3)
    squares = 5 * np.var([0, 0.25, 0.5, 0.75, 1])
    expected = 2 * (1.959964 + 0.841621) ** 2 * (0.5 + 0.3 / squares) / (0.25 * 2) ** 2
    assert people_per_arm(course, months=12, effect=0.25, power=0.8) == pytest.approx(expected, rel=1e-5)
    assert people_per_arm(course._replace(slope=0.0), months=12, effect=0.25, power=0.8) == np.inf


def lines(n=30, seed=2):
    rng = np.random.default_rng(seed)
    return [
        (f"sub-{who:02d}", "ALS", months, -0.1 * months / 12 + slope * months / 12 + level + rng.normal(0, 0.02))
        for who, (slope, level) in enumerate(zip(rng.normal(0, 0.05, n), rng.normal(0.5, 0.1, n), strict=True))
        for months in (0.0, 3.0, 6.0, 12.0)
    ]


def test_course_of_many_people_is_the_planted_one():
    visits = table(lines(400))
    found = course_of(visits["value"].to_numpy(), np.repeat(np.arange(400), 4), visits["months"].to_numpy() / 12)
    assert found.slope == pytest.approx(-0.1, abs=0.01)
    assert np.sqrt([found.slope_variance, found.residual]) == pytest.approx([0.05, 0.02], rel=0.1)


def test_intervals_of_people_per_arm_contain_the_estimate_and_narrow_with_people():
    widths = []
    for n in (12, 80):
        rows = trial_table(table(lines(n)), groups=["ALS"], reference=None, primary=[FA], n_bootstrap=40)
        assert len(rows) == 12 and (rows["ci_low"] <= rows["n_per_arm"]).all()
        first = rows.iloc[0]
        widths.append(first["ci_high"] / first["ci_low"])
    assert widths[1] < widths[0]


def test_a_measure_without_change_has_no_upper_limit():
    flat = table(lines()).assign(value=lambda own: own["value"] + 0.1 * own["months"] / 12)
    rows = trial_table(flat, groups=["ALS"], reference=None, primary=[FA], n_bootstrap=30)
    assert rows["ci_high"].isna().all()


def test_who_is_seen_too_seldom_for_a_trial_has_a_row_with_the_reason():
    rows = trial_table(table(lines()).query("months < 4"), groups=["ALS", "control"], reference="control", primary=[FA])
    assert rows["note"].tolist() == ["random intercept alone: too few people with visits at three times"]
    assert trial_table(table(lines()), groups=["ALS"], reference=None, primary=[]).empty


def test_repeatability_is_that_of_bland_and_altman():
    """Two people, differences 0.02 and 0.04: the within-person variance is the mean of half their squares."""
    visits = [("a", "x", 0, 0.50), ("a", "x", 0.1, 0.52), ("b", "x", 3, 0.60), ("b", "x", 3, 0.56), ("b", "x", 9, 0.1)]
    [row] = repeatability_table(table(visits), rescan_months=0.1).to_dict("records")
    within = np.sqrt((0.02**2 + 0.04**2) / 4)
    assert row["within_sd"] == pytest.approx(within) and row["mdc"] == pytest.approx(1.959964 * np.sqrt(2) * within)
    assert row["mean"] == pytest.approx(0.545) and row["cv_percent"] == pytest.approx(100 * within / 0.545)
    assert (row["n_people"], row["n_visits"]) == (2, 4)


def test_a_rescan_at_the_limit_is_one_whatever_the_first_month():
    """20.1 - 20 is a little more than 0.1 in a computer's numbers, 0.1 - 0 is not."""
    visits = [("a", "x", 20.0, 0.5), ("a", "x", 20.1, 0.52), ("b", "x", 0.0, 0.6), ("b", "x", 0.1, 0.56)]
    [row] = repeatability_table(table(visits), rescan_months=0.1).to_dict("records")
    assert row["n_people"] == 2


def test_icc_of_scan_and_rescan_is_that_of_the_variances():
    rng = np.random.default_rng(5)
    level = rng.normal(0.5, 0.03, 3000)
    visits = [(f"s{n}", "x", m, own + rng.normal(0, 0.015)) for n, own in enumerate(level) for m in (0, 0.05)]
    [row] = repeatability_table(table(visits), rescan_months=0.1).to_dict("records")
    assert row["icc"] == pytest.approx(0.8, abs=0.02) and row["icc_low"] < 0.8 < row["icc_high"]
    assert row["within_sd"] == pytest.approx(0.015, rel=0.03)


def test_measures_without_rescans_have_a_row_with_the_reason():
    [row] = repeatability_table(table(lines()), rescan_months=0.1).to_dict("records")
    assert row["n_people"] == 0 and "fewer than 2 people with visits at most 0.1 months apart" in row["note"]


def test_people_are_counted_by_their_sessions_and_those_who_left_have_their_first_score():
    visits = [("a", "ALS", 0, 1.0), ("a", "ALS", 6, 1.0), ("b", "ALS", 0, 1.0), ("c", "control", 6, 1.0)]
    scores = [("a", "ALS", 0, 44.0), ("a", "ALS", 6, 40.0), ("b", "ALS", 0, 30.0), ("b", "ALS", 6, 20.0)]
    people = pd.DataFrame({"participant_id": list("abcd"), "group": ["ALS", "ALS", "control", "control"]})
    found = count_visits(
        pd.concat([table(visits), table(scores, **SCORE)]), people, groups=["ALS", "control"], scores=["alsfrs_r"]
    )
    rows = found.set_index(["group", "people", "sessions"])
    assert rows.loc[("ALS", "pattern", "ses-00 ses-06"), "n"] == 1
    assert rows.loc[("ALS", "left", "ses-06"), ["n", "percent", "alsfrs_r_mean"]].tolist() == [1, 50, 30]
    assert rows.loc[("ALS", "stayed", "ses-06"), "alsfrs_r_mean"] == 44
    assert rows.loc[("control", "pattern", "none"), "n"] == 1
    assert left_by_group(found) == ["1 of 2 ALS", "1 of 2 control"]
    assert left_by_group(found[found["people"] != "left"]) == []


def test_the_last_session_is_the_latest_of_each_person_and_one_with_months():
    """Months since onset: who progresses fast is seen early, and leaves; ses-09 was never planned."""
    visits = pd.DataFrame(
        [("slow", 60.0, "01"), ("fast", 10.0, "01"), ("fast", 16.0, "02"), ("fast", np.nan, "09"), ("mid", 30.0, "01")],
        columns=["participant_id", "months", "session"],
    ).assign(group="ALS", value=1.0, **FA)
    people = pd.DataFrame({"participant_id": ["slow", "fast", "mid"], "group": "ALS"})
    found = count_visits(visits, people, groups=["ALS"], scores=[]).set_index("people")
    assert found.loc["stayed", ["sessions", "n"]].tolist() == ["02", 1] and found.loc["left", "n"] == 2
    assert "09 01 02" in found.loc["pattern", "sessions"].tolist()
