"""Table 1."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.io import InputError
from mndmri.statistics import demographics

GROUPS = ["control", "ALS", "PLS"]


def table_one(participants, covariates=("age", "sex"), scores=(), **options):
    settings = {"groups": GROUPS, "reference": "control", "covariates": covariates, "scores": scores}
    return demographics(participants, **(settings | options))


def test_numbers_are_summarised_by_group_with_the_reference_last(participants):
    participants.loc[[0, 20], "age"] = [np.nan, np.inf]
    table = table_one(participants)
    rows = table[(table["variable"] == "age") & table["test"].isna()].set_index("group")
    assert list(rows.index) == ["ALS", "PLS", "control"]
    assert rows["n"].tolist() == [12, 5, 9]
    assert rows["n_missing"].tolist() == [1, 0, 1]
    pls = participants.loc[participants["group"] == "PLS", "age"]
    assert rows.loc["PLS", "mean"] == pytest.approx(pls.mean())
    assert rows.loc["PLS", "sd"] == pytest.approx(np.std(pls, ddof=1))
    assert rows.loc["PLS", "median"] == pytest.approx(np.median(pls))


def test_tests_of_numbers_are_those_of_scipy(participants):
    ages = [group["age"] for _, group in participants.groupby("group")]
    table = table_one(participants, ["age"]).set_index("test")
    assert table.loc["anova", ["statistic", "p"]].tolist() == pytest.approx(list(stats.f_oneway(*ages)))
    assert table.loc["kruskal", ["statistic", "p"]].tolist() == pytest.approx(list(stats.kruskal(*ages)))
    assert table.loc["anova", "df"] == "2, 25"


def test_categories_are_counted_and_small_tables_tested_exactly(participants):
    signs = np.repeat(["yes", "no", "yes", "no", "no"], [9, 4, 4, 1, 10])
    table = table_one(participants.assign(sign=signs), ["sign"])
    yes = table[table["level"] == "yes"].set_index("group")
    assert yes.loc[["ALS", "PLS", "control", "all"], "count"].tolist() == [9, 4, 0, 13]
    assert yes.loc["PLS", "percent"] == pytest.approx(80)
    last = table.iloc[-1]
    assert last["test"] == "fisher_freeman_halton"
    assert last["p"] == pytest.approx(0.000505, abs=5e-7)


def test_percent_is_of_those_known(participants):
    participants.loc[:2, "sex"] = None
    participants.loc[3:12, "sex"] = "F"
    row = table_one(participants, ["sex"]).iloc[0]
    assert row[["level", "group", "n", "n_missing", "count", "percent"]].tolist() == [
        "F",
        "ALS",
        10,
        3,
        10,
        100,
    ]


def test_large_tables_are_tested_by_chi_squared():
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"group": np.repeat(GROUPS, 60), "sex": rng.choice(["F", "M"], 180)})
    last = table_one(people, ["sex"]).iloc[-1]
    expected = stats.chi2_contingency(pd.crosstab(people["sex"], people["group"]), correction=False)
    assert last["test"] == "chi2"
    assert last[["statistic", "p", "df"]].tolist() == pytest.approx([expected[0], expected[1], 2])


def test_sparse_tables_too_large_to_enumerate_say_so():
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"group": np.repeat(GROUPS, 60), "site": rng.choice(list("abcdefghijklmnopqrst"), 180)})
    last = table_one(people, ["site"]).iloc[-1]
    assert last["test"] == "chi2"
    assert "too many tables" in last["note"]


def test_a_score_that_controls_do_not_have_is_compared_between_patients(participants):
    scores = np.where(participants["group"] == "control", np.nan, np.arange(28.0))
    table = table_one(participants.assign(alsfrs=scores), [], ["alsfrs"]).set_index("test")
    assert table.loc["anova", "p"] == pytest.approx(stats.f_oneway(scores[:13], scores[13:18])[1])
    assert table.loc["anova", "note"] == "no data: control"


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (np.full(28, 3.0), "every value is the same"),
        (np.full(28, np.nan), "fewer than two groups with data"),
        (np.full(28, None), "fewer than two groups with data"),
        (np.full(28, "Prisma"), "the same in everyone"),
        (np.repeat(["x", None], [13, 15]), "fewer than two groups with data"),
        (np.repeat([1.0, 2.0, 3.0], [13, 5, 10]), "no variation within groups"),
        (np.repeat([0.1, 0.2, 0.3], [13, 5, 10]), "no variation within groups"),  # but for rounding
        (np.where(np.arange(28) % 2, 0.1 + 0.2, 0.3), "every value is the same"),
    ],
)
def test_a_variable_that_cannot_be_tested_has_a_note(participants, values, note):
    tests = table_one(participants.assign(x=values), ["x"])
    tests = tests[tests["test"].notna()]
    assert note in tests.iloc[0]["note"]
    assert np.isnan(tests.iloc[0]["p"])


def test_what_is_wrong_with_the_input_is_named(participants):
    with pytest.raises(InputError, match="no column weight"):
        table_one(participants, ["weight"])
    with pytest.raises(InputError, match="reference group 'HC'"):
        table_one(participants, reference="HC")
