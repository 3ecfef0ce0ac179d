"""Slope of each person, against lines that are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.statistics.changes import changes_table, true_changes

KEY = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1"}


def slopes(**people):
    """Changes of people, given as (months, value) pairs, by participant."""
    rows = [
        {"participant_id": who, "group": "ALS", "session": f"ses-{n}", "months": months, "value": value} | KEY
        for who, visits in people.items()
        for n, (months, value) in enumerate(visits)
    ]
    return changes_table(pd.DataFrame(rows)).set_index("participant_id")


def test_slope_is_per_year_with_the_error_of_the_regression():
    months, values = [0, 3, 7, 12], [0.51, 0.49, 0.50, 0.42]
    found = slopes(a=list(zip(months, values, strict=True))).loc["a"]
    line = stats.linregress(np.array(months) / 12, values)
    assert [found["slope"], found["se"]] == pytest.approx([line.slope, line.stderr])
    assert found[["n_visits", "first_month", "last_month"]].tolist() == [4, 0, 12] and found["note"] == ""


def test_true_slopes_are_of_those_who_came_again():
    seen = [("a", 0, 0.5), ("a", 6, 0.47), ("b", 0, 0.4)]
    truth = pd.DataFrame(seen, columns=["participant_id", "months", "value"]).assign(
        group="ALS", session="ses-01", **KEY
    )
    [found] = true_changes(truth.drop(columns="unit")).to_dict("records")
    assert (found["participant_id"], found["n_visits"], found["last_month"]) == ("a", 2, 6)
    assert found["slope"] == pytest.approx(-0.06)


def test_order_of_the_visits_is_of_no_concern_and_reversed_months_give_the_negated_slope():
    visits = [(0, 0.5), (6, 0.4), (9, 0.45)]
    table = slopes(a=visits, b=visits[::-1], c=[(-months, value) for months, value in visits])
    assert table.loc["a", "slope"] == pytest.approx(table.loc["b", "slope"], rel=1e-12)
    assert table.loc["a", "slope"] == pytest.approx(-table.loc["c", "slope"], rel=1e-12)


def test_who_has_too_few_visits_keeps_a_row_with_the_reason():
    table = slopes(
        one=[(0, 0.5)],
        two=[(0, 0.5), (12, 0.4)],
        day=[(3, 0.5), (3, 0.4)],
        none=[(0, np.nan)],
        timeless=[(np.nan, 0.5)],
    )
    assert table.loc["one", "note"] == "one visit" and np.isnan(table.loc["one", "slope"])
    assert table.loc["two", "slope"] == pytest.approx(-0.1) and np.isnan(table.loc["two", "se"])
    assert table.loc["two", "note"] == "two visits: no error of its own"
    assert table.loc["day", "note"] == "all visits at the same time" and np.isnan(table.loc["day", "slope"])
    assert table.loc["none", "note"] == "no visit with a value"
    assert table.loc["timeless", "note"] == "no visit with a value; visits without months: 1"
