"""Who decides a comparison, what it assumes, and what it could have seen."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.weightstats import ttost_ind

from mndmri.statistics.assumptions import assumptions_dictionary, assumptions_table
from mndmri.statistics.equivalence import detectable_t, equivalence_dictionary, equivalence_table
from mndmri.statistics.influence import influence_dictionary, influence_table
from mndmri.tables.dictionaries import column_names

GROUPS = ["ALS", "PLS", "control"]
STUDY = {"groups": GROUPS, "reference": "control"}
PRIMARY = [{"modality": "dwi", "measure": "fa"}]


@pytest.fixture
def y():
    return np.random.default_rng(11).normal(size=28)


def frame(participants, y):
    return participants.assign(y=y, one=(participants["group"] == "ALS") * 1.0)


def test_influence_is_the_model_refitted_without_each(participants, tidy, y):
    table = influence_table(tidy(participants, fa=y), participants, primary=PRIMARY, covariates=["age"], **STUDY)
    assert list(table.columns) == column_names(influence_dictionary())
    row = table.set_index("contrast").loc["ALS-control"]
    formula = "y ~ C(group, Treatment('control')) + age"
    named = "C(group, Treatment('control'))[T.ALS]"
    data = frame(participants, y)
    full = smf.ols(formula, data).fit()
    without = {
        who: smf.ols(formula, data[data["participant_id"] != who]).fit().params[named] for who in data["participant_id"]
    }
    estimates = pd.Series(without)
    assert row["estimate"] == pytest.approx(full.params[named])
    assert (row["estimate_low"], row["who_low"]) == (pytest.approx(estimates.min()), estimates.idxmin())
    assert row["n_sign"] == (np.sign(estimates) != np.sign(full.params[named])).sum()


def test_p_without_each_is_that_of_welchs_test(participants, tidy, y):
    table = influence_table(tidy(participants, fa=y), participants, primary=PRIMARY, **STUDY)
    row = table.set_index("contrast").loc["ALS-control"]
    data = participants.set_index("participant_id").assign(y=y)

    def p(people):
        sides = [people.loc[people["group"] == name, "y"] for name in ("ALS", "control")]
        return stats.ttest_ind(*sides, equal_var=False).pvalue

    without = pd.Series({who: p(data.drop(who)) for who in data.index[data["group"] != "PLS"]})
    assert row["p"] == pytest.approx(p(data))
    assert (row["p_low"], row["who_p_low"]) == (pytest.approx(without.min()), without.idxmin())
    assert (row["p_high"], row["who_p_high"]) == (pytest.approx(without.max()), without.idxmax())


def test_the_one_who_decides_is_named(participants, tidy, y):
    y = 0.1 * y
    y[13:18] = [5.0, 0.1, -0.1, 0.05, -0.05]  # of five with PLS one is apart
    y[13:18] -= 0.9
    table = influence_table(tidy(participants, fa=y), participants, primary=PRIMARY, **STUDY)
    row = table.set_index("contrast").loc["PLS-control"]
    assert "sub-13" in row["who_decides"]
    assert row["n_sign"] == 1 or row["n_significance"] >= 1


def test_a_group_of_one_has_no_difference_without_that_one(participants, tidy, y):
    people = participants.drop(index=range(14, 18))
    table = influence_table(tidy(people, fa=np.delete(y, range(14, 18))), people, primary=PRIMARY, **STUDY)
    row = table.set_index("contrast").loc["PLS-control"]
    assert "no difference is left without sub-13" in row["note"]
    # one person tells nothing of how people like that differ
    assert "no spread of its own, taken to vary as the others: PLS" in row["note"]
    assert np.isfinite(table.set_index("contrast").loc["ALS-control", "p"])


def test_assumptions_are_tested_as_by_scipy_and_statsmodels(participants, tidy, y):
    table = assumptions_table(tidy(participants, fa=y), participants, groups=GROUPS, covariates=["age", "sex"])
    assert list(table.columns) == column_names(assumptions_dictionary())
    rows = table.set_index("check")
    data = frame(participants, y)
    fit = smf.ols("y ~ C(group) + age + C(sex)", data).fit()
    parts = [fit.resid[data["group"] == name] for name in GROUPS]
    f, p = stats.levene(*parts, center="median")
    assert rows.loc["brown_forsythe", ["statistic", "df_num", "df", "p"]].tolist() == pytest.approx([f, 2, 25, p])
    assert rows.loc["equal_slopes", "term"].tolist() == ["age", "sex"]
    scaled = pd.concat([part / part.std() for part in parts]).sort_index()
    assert rows.loc["normality", ["statistic", "p"]].tolist() == pytest.approx([*stats.shapiro(scaled)])


@pytest.mark.parametrize("covariate", ["age", "sex"])
def test_slopes_of_two_groups_are_compared_as_those_of_two_regressions(participants, tidy, y, covariate):
    people = participants[participants["group"] != "PLS"].reset_index(drop=True)
    y = np.r_[y[:13], 4 * y[13:23]]
    table = assumptions_table(tidy(people, fa=y), people, groups=["ALS", "control"], covariates=[covariate])
    row = table.set_index("check").loc["equal_slopes"]
    x = people["age"] if covariate == "age" else (people["sex"] == "M") * 1.0
    own = [
        (stats.linregress(x[part], y[part]), part.sum() - 2)
        for part in np.array([people["group"] == g for g in ("ALS", "control")])
    ]
    (first, n_first), (second, n_second) = own
    a, b = first.stderr**2, second.stderr**2
    t, df = (first.slope - second.slope) / np.sqrt(a + b), (a + b) ** 2 / (a**2 / n_first + b**2 / n_second)
    expected = [t**2, 1, df, 2 * stats.t.sf(abs(t), df)]
    assert row[["statistic", "df_num", "df", "p"]].tolist() == pytest.approx(expected)


def test_equal_slopes_are_not_rejected_because_a_group_varies_more(participants, tidy):
    spread = participants["group"].map({"ALS": 1.0, "PLS": 3.0, "control": 1.0}).to_numpy()
    rng = np.random.default_rng(12)
    null = {f"m{i}": spread * rng.normal(size=28) for i in range(300)}
    table = assumptions_table(tidy(participants, **null), participants, groups=GROUPS, covariates=["age"])
    p = table.loc[table["check"] == "equal_slopes", "p"]
    assert len(p) == 300 and 0.01 < (p < 0.05).mean() < 0.11


def test_a_difference_between_the_sexes_in_one_group_alone_is_seen(participants, tidy, y):
    y = y + 4 * ((participants["sex"] == "M") & (participants["group"] == "ALS")).to_numpy()
    table = assumptions_table(tidy(participants, fa=y), participants, groups=GROUPS, covariates=["age", "sex"])
    p = table[table["check"] == "equal_slopes"].set_index("term")["p"]
    assert p["sex"] < 0.01 < p["age"]


def test_slopes_that_no_group_shares_are_not_compared(participants, tidy, y):
    people = participants.assign(sex=participants["group"].map({"ALS": "F", "PLS": "M", "control": "M"}))
    people.loc[20, "sex"] = "F"  # so that sex and group can be told apart
    people = people[people["group"] != "PLS"]
    table = assumptions_table(tidy(people, fa=y[people.index]), people, groups=["ALS", "control"], covariates=["sex"])
    row = table.set_index("check").loc["equal_slopes"]
    assert np.isnan(row["p"]) and row["note"] == "no two groups in which it varies"


def test_normality_is_of_groups_of_five_or_more(participants, tidy, y):
    people = participants.drop(index=[16, 17])
    rows = assumptions_table(tidy(people, fa=y[people.index]), people, groups=GROUPS).set_index("check")
    parts = [y[:13] - y[:13].mean(), y[18:] - y[18:].mean()]
    scaled = np.concatenate([part / part.std(ddof=1) for part in parts])
    assert rows.loc["normality", ["statistic", "p"]].tolist() == pytest.approx([*stats.shapiro(scaled)])
    assert rows.loc["normality", "note"] == "fewer than 5 people, left out: PLS (3)"
    few = participants.drop(index=[*range(4, 13), 16, 17, *range(21, 28)])
    rows = assumptions_table(tidy(few, fa=y[few.index]), few, groups=GROUPS).set_index("check")
    assert np.isnan(rows.loc["normality", "p"]) and rows.loc["normality", "note"].startswith("no group of 5 or more")
    assert np.isfinite(rows.loc["outlier", "p"])


def test_an_outlier_is_found_among_its_own_group(participants, tidy, y):
    y[20] += 9
    rows = assumptions_table(tidy(participants, fa=y), participants, groups=GROUPS).set_index("check")
    assert rows.loc["outlier", "who"] == "sub-20" and rows.loc["outlier", "p"] < 0.01
    # externally studentised: a dummy for the person in the model of the group
    own = y[18:]
    dummy = smf.ols("y ~ d", pd.DataFrame({"y": own, "d": np.arange(10) == 2}).astype(float)).fit()
    assert rows.loc["outlier", "statistic"] == pytest.approx(dummy.tvalues["d"])
    assert rows.loc["outlier", "p"] == pytest.approx(28 * dummy.pvalues["d"])


def test_unequal_spread_is_seen_and_equal_spread_is_not(participants, tidy):
    found = []
    for seed in range(40):
        z = np.random.default_rng(seed).normal(size=28)
        wide = z * participants["group"].map({"ALS": 1.0, "PLS": 1.0, "control": 6.0}).to_numpy()
        table = assumptions_table(tidy(participants, fa=z, md=wide), participants, groups=GROUPS)
        found.append(table.query("check == 'brown_forsythe'").set_index("measure")["p"] < 0.05)
    shares = pd.DataFrame(found).mean()
    assert shares["fa"] < 0.15 and shares["md"] > 0.8


def test_equivalence_is_the_two_one_sided_tests_of_statsmodels(participants, tidy, y):
    people = participants[participants["group"] != "PLS"].reset_index(drop=True)  # 13 and 10
    z = np.r_[y[:13], 2 * y[13:23]]
    table = equivalence_table(tidy(people, fa=z), people, groups=["ALS", "control"], reference="control", margin_sd=0.8)
    assert list(table.columns) == column_names(equivalence_dictionary())
    row = table.iloc[0]
    first, second = z[:13], z[13:]
    sd = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    assert (row["sd"], row["margin"]) == pytest.approx((sd, 0.8 * sd))
    p, (_, _, df), _ = ttost_ind(first, second, -0.8 * sd, 0.8 * sd, usevar="unequal")
    assert (row["p_tost"], row["df"]) == pytest.approx((p, df))
    welch = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.9)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((welch.low, welch.high))


@pytest.mark.timeout(20)
def test_with_hardly_a_degree_of_freedom_there_is_no_detectable_difference_and_no_endless_search():
    assert np.isnan(detectable_t(0.3)) and np.isnan(detectable_t(1e-6))
    assert detectable_t(0.5) > detectable_t(1.0) > detectable_t(2.0)


def test_the_detectable_difference_is_that_of_statsmodels_power():
    effect = TTestIndPower().solve_power(nobs1=13, ratio=10 / 13, alpha=0.05, power=0.8)
    assert detectable_t(21) * np.sqrt(1 / 13 + 1 / 10) == pytest.approx(effect, rel=1e-4)


@pytest.mark.parametrize(
    ("shift", "spread", "conclusion"),
    [(0.0, 0.01, "equivalent"), (2.0, 1.0, "different"), (0.0, 1.0, "undecided"), (0.75, 1.0, "undecided")],
)
def test_conclusions(shift, spread, conclusion):
    n = 400 if conclusion == "equivalent" else 12
    scores = stats.norm.ppf((np.arange(n) + 0.5) / n)
    people = pd.DataFrame(
        {"participant_id": [f"s{i:04d}" for i in range(2 * n)], "group": np.repeat(["ALS", "control"], n)}
    )
    values = np.r_[spread * scores + shift, spread * scores]
    table = people[["participant_id"]].assign(
        modality="dwi", measure="fa", region="cst", hemi="L", value=values, status="ok"
    )
    row = equivalence_table(table, people, groups=["ALS", "control"], reference="control", margin_sd=0.5).iloc[0]
    assert row["conclusion"] == conclusion
