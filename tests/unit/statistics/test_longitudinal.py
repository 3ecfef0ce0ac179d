"""Slopes of the groups: against R (lme4, nlme, clubSandwich), and where there is not enough to estimate them.

The data, in R, with the numbers below::

    d <- data.frame(id = rep(1:18, VISITS), months = unlist(lapply(VISITS, function(n) c(0, 3, 6, 12)[1:n])),
                    group = factor(rep(GROUP, VISITS)), a = rep(AGE - mean(AGE), VISITS), y = Y)
    d$years <- d$months / 12
    f <- lmer(y ~ 0 + group + group:years + a + (years | id), d,
              control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-14, maxfun = 1e6)))
"""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from mndmri.statistics.clustered import fit_clustered, flip_people_p
from mndmri.statistics.growth import FEW_TIMES, fit_growth
from mndmri.statistics.longitudinal import compare_change, longitudinal_dictionary
from mndmri.tables.dictionaries import column_names

GROUP = np.repeat(["ALS", "PLS", "control"], [7, 5, 6])
AGE = [73, 61, 44, 63, 52, 61, 53, 55, 52, 61, 62, 76, 58, 51, 50, 69, 68, 70]
VISITS = [4, 4, 3, 2, 4, 1, 4, 4, 4, 3, 2, 4, 4, 4, 3, 2, 4, 1]
# fmt: off
Y = [0.484, 0.453, 0.446, 0.408, 0.506, 0.479, 0.436, 0.367, 0.462, 0.466, 0.476, 0.48, 0.466, 0.45, 0.417, 0.413,
     0.386, 0.462, 0.528, 0.506, 0.479, 0.416, 0.48, 0.47, 0.471, 0.433, 0.489, 0.486, 0.486, 0.463, 0.546, 0.536,
     0.529, 0.499, 0.505, 0.476, 0.456, 0.46, 0.42, 0.522, 0.518, 0.522, 0.523, 0.53, 0.526, 0.535, 0.539, 0.456,
     0.449, 0.459, 0.508, 0.505, 0.502, 0.499, 0.501, 0.493, 0.516]
# fmt: on
PEOPLE = pd.DataFrame({"participant_id": [f"sub-{n:02d}" for n in range(18)], "group": GROUP, "age": AGE})
KEY = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1", "status": "ok"}
OPTIONS = {"groups": ["ALS", "PLS", "control"], "reference": "control"}


def measures() -> pd.DataFrame:
    """FA of all visits."""
    months = np.concatenate([[0, 3, 6, 12][:n] for n in VISITS])
    who = np.repeat(PEOPLE["participant_id"].to_numpy(), VISITS)
    return pd.DataFrame({"participant_id": who, "session": "ses", "months": months, "value": Y} | KEY)


def compared(table=None, **options) -> pd.DataFrame:
    """Rows by effect and contrast."""
    given = {"covariates": ["age"], "n_permutations": 0} | OPTIONS | options
    found = compare_change(measures() if table is None else table, PEOPLE, **given)
    assert list(found) == column_names(longitudinal_dictionary(OPTIONS["groups"]))
    return found.set_index(["effect", "contrast"])


def model() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrix, person of each row, and years."""
    owner = np.repeat(np.arange(18), VISITS)
    years = measures()["months"].to_numpy() / 12
    of_group = (GROUP[owner][:, None] == np.array(OPTIONS["groups"])).astype(float)
    return np.hstack([of_group, of_group * years[:, None]]), owner, years


def test_variances_are_those_of_lme4_and_nlme():
    """as.data.frame(VarCorr(f)); lme(y ~ ..., random = ~ years | id) has the same to six digits."""
    matrix, owner, years = model()
    age = np.array(AGE)[owner]
    growth = fit_growth(np.column_stack([matrix, age - np.mean(AGE)]), np.array(Y), owner, years)
    at_zero = np.array([[1, -growth.centre], [0, 1]]) @ growth.random @ np.array([[1, 0], [-growth.centre, 1]])
    expected = [8.4465073e-04, -3.8753275e-04, 1.2972921e-03, 3.6824704e-05]
    found = [at_zero[0, 0], at_zero[0, 1], at_zero[1, 1], growth.residual]
    np.testing.assert_allclose(found, expected, rtol=2e-3)


# In R: linear_contrast(f, vcov = "CR2", contrasts = C), columns 5 to 7 of C the slopes of the groups; its d.f.
SLOPES = {"ALS": -7.101201724e-02, "PLS": -3.257906042e-02, "control": -2.119712618e-04}
ERRORS = {"ALS": 0.02330262884, "PLS": 0.009823698467, "control": 0.004729417186}
FREEDOM = {"ALS": 5.000543270, "PLS": 3.824028389, "control": 3.985013346}


@pytest.mark.parametrize("group", SLOPES)
def test_slopes_and_errors_are_those_of_lme4_and_clubsandwich(group):
    """Degrees of freedom nearly so: there, other groups count in the effect of age."""
    row = compared().loc[("slope", group)]
    np.testing.assert_allclose(row[["estimate", "se"]].astype(float), [SLOPES[group], ERRORS[group]], rtol=2e-3)
    assert row["df"] == pytest.approx(FREEDOM[group], rel=0.04)
    assert row["random"] == "intercept and slope" and row["n_visits"] == 57


@pytest.mark.parametrize(
    ("pair", "error"), [("ALS-control", 0.02377032774), ("ALS-PLS", 0.02526301485), ("PLS-control", 0.01068265439)]
)
def test_differences_have_errors_of_clubsandwich_and_degrees_of_freedom_after_welch(pair, error):
    row, (first, second) = compared().loc[("difference", pair)], pair.split("-")
    np.testing.assert_allclose(
        row[["estimate", "se"]].astype(float), [SLOPES[first] - SLOPES[second], error], rtol=2e-3
    )
    parts = {group: ERRORS[group] ** 2 for group in (first, second)}
    welch = sum(parts.values()) ** 2 / sum(part**2 / FREEDOM[group] for group, part in parts.items())
    assert row["df"] == pytest.approx(welch, rel=0.04)


def test_random_intercept_alone_is_that_of_lme4_where_nobody_has_three_visits():
    """lmer(y ~ 0 + group + group:years + a + (1 | id), d[d$months <= 3, ]), and of the whole table its variances."""
    matrix, owner, years = model()
    early = years < 0.3
    growth = fit_growth(matrix[early], np.array(Y)[early], owner[early], years[early])
    assert growth.note == FEW_TIMES and growth.random[1, 1] == 0
    found = compared(measures().query("months < 4"))
    assert set(found["random"]) == {"intercept"} and found["note"].str.contains(FEW_TIMES).all()


def test_flips_are_of_whole_people():
    """Of six people who all change alike, 2 of 64 flips of people are as extreme as the data, with any visits."""
    owner, years = np.repeat(np.arange(6), 4), np.tile([0, 0.25, 0.5, 1.0], 6)
    y = -years + 0.01 * np.random.default_rng(1).standard_normal(24)
    fit = fit_clustered(np.column_stack([np.ones(24), years]), y, owner, [np.eye(4)] * 6, np.zeros(6))
    assert flip_people_p(fit, np.array([0.0, 1.0]), number=4999, seed=1) == pytest.approx(2 / 64, abs=0.007)


def test_moderators_change_slopes_as_in_statsmodels():
    """A number and a side, known in the patients alone: estimates of REML with the interaction, and who is left out."""
    people = PEOPLE.assign(
        rate=np.where(GROUP == "control", np.nan, np.linspace(0.3, 1.5, 18)),
        onset=np.where(GROUP == "control", None, np.resize(["R", "L", "R"], 18)),
    )
    table = measures()
    places = table["participant_id"].map(people.set_index("participant_id")["onset"])
    table["value"] += -0.2 * (places == "R") * table["months"] / 12  # planted, per year
    found = compare_change(
        table, people, **OPTIONS, covariates=["age"], moderators=["rate", "onset"], n_permutations=99
    ).set_index(["effect", "contrast"])
    assert list(found.loc["moderator"].index) == ["rate", "onset: R-L"]
    joined = table.merge(people, on=["participant_id"]).dropna(subset="rate")
    joined["years"] = joined["months"] / 12
    for contrast, term, name in (("rate", "rate", "rate:years"), ("onset: R-L", "C(onset)", "C(onset)[T.R]:years")):
        formula = f"value ~ 0 + C(group) + C(group):years + age + {term} + {term}:years"
        model = smf.mixedlm(formula, joined, groups="participant_id", re_formula="~years")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = model.fit(reml=True, method="powell").fe_params[name]
        row = found.loc[("moderator", contrast)]
        assert row["estimate"] == pytest.approx(expected, rel=0.02)
        assert row["n_control"] == 0 and row["n_missing"] == 6 and "left out" in row["note"]
        assert np.isnan(row["p_confirmatory"]) and np.isnan(row["q_exploratory"])
    assert abs(found.loc[("moderator", "onset: R-L"), "estimate"] + 0.2) < 0.05
    assert found.loc[("moderator", "onset: R-L"), ["p", "p_permutation"]].max() < 0.05
    plain = compare_change(table, people, **OPTIONS, covariates=["age"], n_permutations=99)
    pd.testing.assert_frame_equal(found.drop(index="moderator").reset_index()[list(plain)], plain)
    same = compare_change(table, people.assign(rate=1.0), **OPTIONS, moderators=["rate"], n_permutations=0)
    assert "rate is the same in everyone" in same.set_index("effect").loc["moderator", "note"]


def test_a_level_of_one_person_has_no_slope_to_compare():
    """One person's own errors say nothing of how people with that onset differ."""
    onset = np.where(np.arange(18) == 2, "bulbar", np.resize(["limb", "neck"], 18))
    table = compare_change(measures(), PEOPLE.assign(onset=onset), **OPTIONS, moderators=["onset"], n_permutations=9)
    found = table[table["effect"] == "moderator"].set_index("contrast")
    assert list(found.index) == ["onset: limb-bulbar", "onset: neck-bulbar"]
    assert found[["estimate", "p", "p_permutation"]].isna().all(axis=None)
    assert found["note"].str.contains("fewer than 2 people with two visits: bulbar").all()


def test_families_are_of_the_differences_alone():
    table = compared(primary=[{"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}])
    assert table.loc["slope", "p_confirmatory"].isna().all() and table.loc["slope", "q_exploratory"].isna().all()
    pairs = table.loc["difference"].drop("patients-control")
    smallest = pairs["p"].idxmin()
    assert pairs.loc[smallest, "p_confirmatory"] == pytest.approx(3 * pairs["p"].min())
    assert np.isnan(table.loc[("difference", "patients-control"), "p_confirmatory"])
    assert (compared(primary=[])["primary"] == "no").all()


def test_a_unit_changes_nothing_but_the_unit():
    one, other = compared(), compared(measures().assign(value=lambda table: 1000 * table["value"]))
    np.testing.assert_allclose(other["estimate"], 1000 * one["estimate"], rtol=1e-5)
    np.testing.assert_allclose(other["p"], one["p"], rtol=1e-3)


def test_months_since_another_day_change_nothing():
    one, other = compared(), compared(measures().assign(months=lambda table: table["months"] + 31))
    np.testing.assert_allclose(other["estimate"], one["estimate"], rtol=1e-4)


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ("months == 0", "nobody has two visits"),
        ("participant_id < 'sub-12' or months == 0", "fewer than 2 people with two visits: control"),
    ],
)
def test_what_cannot_be_estimated_is_a_row_with_the_reason(chosen, reason):
    table = compared(measures().query(chosen))
    row = table.loc[("difference", "ALS-control")]
    assert reason in row["note"] and np.isnan(row["estimate"])
    assert len(table) == 7


def test_complete_visits_are_compared_as_welchs_test_compares_the_peoples_own_slopes():
    rng, months = np.random.default_rng(8), np.array([0.0, 3, 6, 12])
    spread = PEOPLE["group"].map({"ALS": 0.1, "PLS": 0.05, "control": 0.02}).to_numpy()
    slopes = rng.normal(-0.05, spread)
    values = rng.normal(0.5, 0.1, (18, 1)) + slopes[:, None] * months / 12 + rng.normal(0, 0.02, (18, 4))
    visits = {"participant_id": np.repeat(PEOPLE["participant_id"], 4), "months": np.tile(months, 18)}
    found = compared(pd.DataFrame(visits | {"value": values.ravel(), "session": "ses"} | KEY), covariates=[])
    own = {group: np.polyfit(months / 12, values[group == GROUP].T, 1)[0] for group in OPTIONS["groups"]}
    for pair in ("ALS-PLS", "ALS-control", "PLS-control"):
        first, second = (own[group] for group in pair.split("-"))
        test = stats.ttest_ind(first, second, equal_var=False)
        row = found.loc[("difference", pair)]
        assert row["estimate"] == pytest.approx(first.mean() - second.mean(), rel=1e-6)
        assert row[["statistic", "df", "p"]].tolist() == pytest.approx([test.statistic, test.df, test.pvalue], rel=1e-4)


def test_groups_seen_at_the_mean_time_and_one_other_have_slopes():
    """ALS at 0 and 6, PLS at 6 and 12, controls at all three: the mean is 6 exactly."""
    times = {"ALS": [0, 6], "PLS": [6, 12], "control": [0, 6, 12]}
    own = PEOPLE[~PEOPLE["participant_id"].isin(["sub-00", "sub-01"])]
    visits = [(who, months) for who, group, _ in own.itertuples(index=False) for months in times[group]]
    table = pd.DataFrame(visits, columns=["participant_id", "months"]).assign(session="ses", **KEY)
    assert table["months"].mean() == 6
    rng = np.random.default_rng(4)
    table["value"] = -0.1 * table["months"] / 12 + rng.normal(0, 0.001, len(table))
    found = compared(table, covariates=[])
    assert found.loc["slope", "estimate"].to_numpy() == pytest.approx([-0.1] * 3, abs=0.005)


def test_a_measure_that_nobody_has_keeps_its_rows():
    table = compared(measures().assign(value=np.nan))
    assert len(table) == 7 and table["estimate"].isna().all()
    assert table["note"].str.contains("no data: ALS, PLS, control").all()


def test_a_group_without_variation_has_a_slope_and_no_test():
    table = measures()
    still = table["participant_id"] >= "sub-12"
    table.loc[still, "value"] = 0.5 - 0.1 * table.loc[still, "months"] / 12
    row = compared(table, covariates=[], n_permutations=100).loc[("slope", "control")]
    assert row["estimate"] == pytest.approx(-0.1)
    assert np.isnan(row["p"]) and np.isnan(row["p_permutation"]) and "people of a group do not vary" in row["note"]


def test_values_that_are_all_alike_have_no_slope():
    table = compared(measures().assign(value=0.5))
    assert table["estimate"].isna().all() and table["note"].str.contains("no variation").all()
