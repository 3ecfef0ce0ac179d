"""Group comparisons: against statsmodels and scipy, planted truths, and data that cannot be tested."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests

from mndmri.io import InputError
from mndmri.statistics import adjusted_means, compare_groups, comparisons_dictionary
from mndmri.statistics.families import holm
from mndmri.statistics.models import build_design, contrast_vector, fit_ols, permutation_p, t_contrast
from mndmri.tables.dictionaries import column_names

GROUPS = ["ALS", "PLS", "control"]
NUMBERS = [
    "estimate",
    "ci_low",
    "ci_high",
    "partial_eta_sq",
    "statistic",
    "p",
    "p_permutation",
    "p_holm",
    "q_fdr",
]


def compare(measures, participants, **options):
    settings = {"groups": GROUPS, "reference": "control", "n_permutations": 199}
    return compare_groups(measures, participants, **(settings | options))


def pick(table, test, contrast, measure="fa"):
    chosen = table[(table["test"] == test) & (table["contrast"] == contrast) & (table["measure"] == measure)]
    assert len(chosen) == 1
    return chosen.iloc[0]


@pytest.fixture
def values(participants):
    rng = np.random.default_rng(11)
    shift = participants["group"].map({"ALS": -1.0, "PLS": -2.0, "control": 0.0})
    return (shift + 0.05 * participants["age"] + 0.4 * (participants["sex"] == "M") + rng.normal(size=28)).to_numpy()


def test_omnibus_is_the_type_ii_anova_of_statsmodels(participants, tidy, values):
    row = pick(
        compare(tidy(participants, fa=values), participants, covariates=["age", "sex", "site"]),
        "ancova",
        "group",
    )
    fit = smf.ols("y ~ C(group) + age + C(sex) + C(site)", participants.assign(y=values)).fit()
    expected = anova_lm(fit, typ=2)
    assert row["statistic"] == pytest.approx(expected.loc["C(group)", "F"], rel=1e-6)
    assert row["p"] == pytest.approx(expected.loc["C(group)", "PR(>F)"], rel=1e-6)
    assert row["df"] == f"2, {fit.df_resid:.0f}"
    squares = expected["sum_sq"]
    share = squares["C(group)"] / (squares["C(group)"] + squares["Residual"])
    assert row["partial_eta_sq"] == pytest.approx(share, rel=1e-6)


@pytest.mark.parametrize(("test", "robust"), [("ancova_contrast", False), ("ancova_hc3", True)])
@pytest.mark.parametrize(("first", "second"), [("ALS", "control"), ("PLS", "control"), ("ALS", "PLS")])
def test_adjusted_difference_is_the_coefficient_of_statsmodels(participants, tidy, values, test, robust, first, second):
    row = pick(
        compare(tidy(participants, fa=values), participants, covariates=["age", "sex"]),
        test,
        f"{first}-{second}",
    )
    formula = f"y ~ C(group, Treatment('{second}')) + age + C(sex)"
    fit = smf.ols(formula, participants.assign(y=values)).fit()
    fit = fit.get_robustcov_results("HC3", use_t=True) if robust else fit
    at = fit.model.exog_names.index(f"C(group, Treatment('{second}'))[T.{first}]")
    parts = [fit.params, fit.conf_int(), fit.tvalues, fit.pvalues]
    expected = np.hstack([*(np.asarray(part)[at] for part in parts), fit.df_resid])
    found = row[["estimate", "ci_low", "ci_high", "statistic", "p", "df"]].astype(float)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_pooled_patients_without_covariates_differ_by_the_plain_means(participants, tidy, values):
    row = pick(compare(tidy(participants, fa=values), participants), "ancova_contrast", "patients-control")
    assert row["estimate"] == pytest.approx(values[:18].mean() - values[18:].mean())


def test_kruskal_is_that_of_scipy_and_dunn_of_two_groups_is_its_square_root(participants, tidy, values):
    values = values.round(0)  # ties
    table = compare(tidy(participants, fa=values), participants)
    expected = stats.kruskal(values[:13], values[13:18], values[18:])
    assert pick(table, "kruskal", "group")[["statistic", "p"]].tolist() == pytest.approx(list(expected))
    two = participants[participants["group"] != "PLS"]
    kept = values[two.index]
    table = compare(tidy(two, fa=kept), two, groups=["ALS", "control"])
    row, h = pick(table, "dunn", "ALS-control"), stats.kruskal(kept[:13], kept[13:])
    assert row["statistic"] ** 2 == pytest.approx(h.statistic)
    assert row["p"] == pytest.approx(h.pvalue)
    assert row["statistic"] < 0


def test_permutation_p_is_that_of_refitting_the_model_for_every_permutation(participants, tidy, values):
    table = compare(tidy(participants, fa=values), participants, covariates=["age"], n_permutations=99, seed=5)
    orders = np.random.default_rng(5).permuted(np.tile(np.arange(28, dtype=np.int32), (99, 1)), axis=1)
    data = participants.assign(y=values)
    group = pd.get_dummies(data["group"], dtype=float)
    full = np.column_stack([np.ones(28), group["ALS"], group["PLS"], data["age"]])

    def refitted_p(reduced, statistic):
        hat = reduced @ np.linalg.pinv(reduced)
        fitted, residuals = hat @ values, values - hat @ values
        drawn = [statistic(fitted + residuals[order]) for order in orders]
        return (1 + np.sum(np.array(drawn) >= statistic(values) * (1 - 1e-9))) / 100

    def squared_t(y):  # of ALS against control
        beta = np.linalg.lstsq(full, y, rcond=None)[0]
        error = np.sum((y - full @ beta) ** 2)
        return beta[1] ** 2 / error

    def explained(y):
        def error(x):
            return np.sum((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2)

        return error(full[:, [0, 3]]) / error(full)

    alone = refitted_p(full[:, [0, 2, 3]], squared_t)
    assert pick(table, "ancova_contrast", "ALS-control")["p_permutation"] == pytest.approx(alone)
    assert pick(table, "ancova", "group")["p_permutation"] == pytest.approx(refitted_p(full[:, [0, 3]], explained))


def test_a_measure_has_the_same_result_alone_as_among_others_and_in_any_order(participants, tidy, values):
    others = np.random.default_rng(0).normal(size=28)
    others[4] = np.nan
    alone = compare(tidy(participants, fa=values), participants, covariates=["age"], primary=[])
    shuffled = participants.sample(frac=1, random_state=1)
    measures = tidy(participants, md=others, fa=values).sample(frac=1, random_state=2)
    among = compare(measures, shuffled, covariates=["age"], primary=[])
    among = among[among["measure"] == "fa"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among, check_dtype=False)


def test_holm_by_hand():
    # ranked: 3 x 0.01; 2 x 0.03; the last no less than the one before; then none above 1
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.02]).tolist() == pytest.approx([0.9, 0.04])
    assert holm([0.7, 0.6, 0.8]).tolist() == [1, 1, 1]


def test_holm_spans_the_pairs_of_one_measure_and_fdr_the_primary_measures_of_one_contrast(participants, tidy):
    rng = np.random.default_rng(8)
    measures = tidy(participants, **{f"m{i}": rng.normal(size=28) for i in range(5)})
    chosen = [{"modality": "dwi", "measure": f"m{i}"} for i in range(4)]
    table = compare(measures, participants, primary=chosen)
    pairs = table[(table["measure"] == "m0") & (table["test"] == "ancova_contrast")].iloc[:3]
    assert pairs["contrast"].tolist() == ["ALS-PLS", "ALS-control", "PLS-control"]
    assert pairs["p_holm"].tolist() == pytest.approx(multipletests(pairs["p"], method="holm")[1].tolist())
    family = table[(table["contrast"] == "patients-control") & (table["test"] == "ancova_contrast")]
    expected = multipletests(family["p"][:4], method="fdr_bh")[1]
    np.testing.assert_allclose(family["q_fdr"], [*expected, np.nan])
    assert family["p_holm"].isna().all()


def test_a_planted_difference_is_found_and_its_interval_covers_it(participants, tidy):
    rng = np.random.default_rng(21)
    planted = np.where(participants["group"] == "ALS", -3.0, 0.0)
    values = planted + 0.1 * participants["age"] + rng.normal(size=28)
    row = pick(
        compare(tidy(participants, fa=values), participants, covariates=["age"]),
        "ancova_contrast",
        "ALS-control",
    )
    assert row["ci_low"] < -3 < row["ci_high"] < 0
    assert row["p_holm"] < 0.01
    assert row["p_permutation"] == pytest.approx(1 / 200)


@pytest.mark.parametrize("pair", [("ALS", "control"), ("PLS", "control")])
def test_p_of_null_cohorts_is_below_5_percent_5_percent_of_the_time(participants, pair):
    rng = np.random.default_rng(2026)
    design = build_design(participants, groups=GROUPS, covariates=["age", "sex"])
    contrast = contrast_vector(design, {pair[0]: 1, pair[1]: -1})
    rejected = np.zeros(3)
    for _ in range(400):
        y = rng.normal(size=28)
        result = t_contrast(fit_ols(y, design), contrast)
        permuted = permutation_p(y, design, contrast, number=199, seed=0)
        covered = result.interval.low < 0 < result.interval.high
        rejected += [result.p <= 0.05, permuted <= 0.05, not covered]
    low, high = stats.binom.interval(0.999, 400, 0.05)
    assert ((low <= rejected) & (rejected <= high)).all()


def test_adjusted_means_are_the_predictions_at_the_mean_covariates(participants, tidy, values):
    table = adjusted_means(tidy(participants, fa=values), participants, groups=GROUPS, covariates=["age", "sex"])
    male = (participants["sex"] == "M").astype(float)
    data = participants.assign(y=values, male=male)
    fit = smf.ols("y ~ C(group) + age + male", data).fit()
    at = pd.DataFrame({"group": GROUPS, "age": data["age"].mean(), "male": male.mean()})
    expected = fit.get_prediction(at).summary_frame()[["mean", "mean_ci_lower", "mean_ci_upper"]]
    np.testing.assert_allclose(table[["estimate", "ci_low", "ci_high"]], expected, rtol=1e-6)
    assert table["group"].tolist() == GROUPS
    assert table["n"].tolist() == [13, 5, 10]


def test_columns_are_those_of_the_contract_and_all_explained(participants, tidy, values):
    table = compare(tidy(participants, fa=values), participants)
    places, counts = ["modality", "measure", "region", "hemi"], ["n_ALS", "n_PLS", "n_control", "n_missing"]
    sizes = ["hedges_g", "g_ci_low", "g_ci_high", "adjusted_g", "adj_g_ci_low", "adj_g_ci_high", "partial_eta_sq"]
    tests = ["statistic", "df", "p", "p_permutation", "p_holm", "q_fdr", "note"]
    estimate = ["estimate", "ci_low", "ci_high"]
    assert list(table.columns) == [*places, "test", "contrast", *counts, *estimate, *sizes, *tests]
    assert column_names(comparisons_dictionary(GROUPS)) == list(table.columns)


def test_who_is_left_out_is_counted_with_the_reason(participants, tidy, values):
    values[[0, 1]] = np.nan
    values[14] = np.inf
    participants.loc[20, "age"] = np.nan
    table = compare(tidy(participants, fa=values), participants, covariates=["age"])
    adjusted, ranks = pick(table, "ancova", "group"), pick(table, "kruskal", "group")
    assert adjusted[["n_ALS", "n_PLS", "n_control", "n_missing"]].tolist() == [11, 4, 9, 4]
    assert adjusted["note"] == "left out: no dwi image (2), infinite value (1), no age (1)"
    assert ranks[["n_ALS", "n_PLS", "n_control", "n_missing"]].tolist() == [11, 4, 10, 3]
    assert np.isfinite(adjusted["p"])


def test_a_participant_without_a_row_is_missing(participants, tidy, values):
    row = pick(compare(tidy(participants, fa=values).iloc[1:], participants), "ancova", "group")
    assert row["n_ALS"] == 12
    assert row["note"] == "left out: no row in the table (1)"


def test_a_group_of_one_is_held_against_the_others_spread_and_said(participants, tidy, values):
    values[14:18] = np.nan
    table = compare(tidy(participants, fa=values), participants, covariates=["age"])
    row = pick(table, "ancova_contrast", "PLS-control")
    assert row["n_PLS"] == 1
    assert "one participant only: PLS" in row["note"]
    assert np.isfinite(row["p"])
    assert np.isnan(row["hedges_g"])
    robust = pick(table, "ancova_hc3", "PLS-control")
    assert np.isnan(robust["p"])
    assert "HC3 not defined" in robust["note"]


def test_a_group_without_data_is_left_out_and_its_contrasts_say_so(participants, tidy, values):
    values[13:18] = np.nan
    table = compare(tidy(participants, fa=values), participants)
    for test in ("ancova_contrast", "ancova_hc3", "dunn"):
        row = pick(table, test, "PLS-control")
        assert row[NUMBERS].isna().all()
        assert "a group of the contrast has no data" in row["note"]
    assert pick(table, "ancova", "group")["df"] == "1, 21"
    assert "no data: PLS" in pick(table, "ancova", "group")["note"]
    assert np.isfinite(pick(table, "ancova_contrast", "ALS-control")["p"])


def test_a_constant_covariate_is_left_out_of_the_model_and_said(participants, tidy, values):
    measures = tidy(participants, fa=values)
    same = compare(measures, participants.assign(scanner="Prisma", tesla=3.0), covariates=["scanner", "tesla", "age"])
    without = compare(measures, participants, covariates=["age"])
    pd.testing.assert_frame_equal(same[NUMBERS], without[NUMBERS])
    assert "constant, left out of the model: scanner, tesla" in pick(same, "ancova", "group")["note"]


def test_a_group_confounded_with_site_has_no_estimate_but_the_others_have(participants, tidy, values):
    people = participants.assign(site=np.where(participants["group"] == "PLS", "Wien", "Graz"))
    table = compare(tidy(participants, fa=values), people, covariates=["age", "site"])
    for test, contrast in (
        ("ancova", "group"),
        ("ancova_contrast", "PLS-control"),
        ("ancova_hc3", "ALS-PLS"),
        ("ancova_contrast", "patients-control"),
    ):
        row = pick(table, test, contrast)
        assert row[NUMBERS].isna().all()
        assert "not estimable: groups confounded with site" in row["note"]
    # site says no more than PLS does, so the others are compared as if it were not there
    fit = smf.ols("y ~ C(group, Treatment('control')) + age", people.assign(y=values)).fit()
    row, term = pick(table, "ancova_contrast", "ALS-control"), "C(group, Treatment('control'))[T.ALS]"
    assert row["estimate"] == pytest.approx(fit.params[term])
    assert row["p"] == pytest.approx(fit.pvalues[term])
    means = adjusted_means(tidy(participants, fa=values), people, groups=GROUPS, covariates=["site"])
    assert means["estimate"].isna().all()
    assert means["note"].str.contains("confounded with site").all()


def test_a_covariate_twice_in_other_units_changes_nothing(participants, tidy, values):
    measures = tidy(participants, fa=values)
    months = participants.assign(months=participants["age"] * 12)
    twice = compare(measures, months, covariates=["age", "months"])
    once = compare(measures, participants, covariates=["age"])
    pd.testing.assert_frame_equal(twice[NUMBERS], once[NUMBERS])
    assert twice["df"].tolist()[:9] == once["df"].tolist()[:9]


@pytest.mark.parametrize(
    ("made", "note"),
    [
        (lambda n: np.full(n, 0.1), "every value is the same"),
        (lambda n: np.full(n, np.nan), "fewer than two groups with data"),
        (lambda n: np.full(n, -np.inf), "fewer than two groups with data"),
        (lambda n: np.where(np.arange(n) < 13, 1.0, np.nan), "fewer than two groups with data"),
    ],
)
def test_values_that_cannot_be_compared_are_rows_with_a_note(participants, tidy, made, note):
    table = compare(tidy(participants, fa=made(28)), participants, covariates=["age"])
    assert len(table) == 13
    assert table[[*NUMBERS, "hedges_g"]].isna().all(axis=None)
    assert table["note"].str.contains(note).all()


def test_a_measure_without_variation_inside_groups_has_no_p_from_the_model(participants, tidy):
    values = np.repeat([1.0, 2.0, 3.0], [13, 5, 10])
    row = pick(compare(tidy(participants, fa=values), participants), "ancova_contrast", "ALS-control")
    assert row[NUMBERS].isna().all()
    assert "no residual variation" in row["note"]


def test_more_terms_than_participants_is_said(participants, tidy, values):
    values[np.setdiff1d(np.arange(28), [0, 13, 18])] = np.nan
    table = compare(tidy(participants, fa=values), participants, covariates=["age"])
    assert "too few participants (3)" in pick(table, "ancova", "group")["note"]
    assert table.loc[table["test"].str.startswith("ancova"), NUMBERS].isna().all(axis=None)


def test_labels_of_any_script_are_compared(participants, tidy, values):
    names = {"ALS": "БАС", "PLS": "PLS – früh", "control": "健康"}
    people = participants.replace({"group": names})
    table = compare(tidy(people, fa=values), people, groups=list(names.values()), reference="健康", covariates=["site"])
    plain = compare(tidy(participants, fa=values), participants, covariates=["site"])
    np.testing.assert_allclose(table[NUMBERS].astype(float), plain[NUMBERS].astype(float))
    assert table["n_БАС"].tolist() == plain["n_ALS"].tolist()


def test_chosen_pairs_keep_their_order_and_no_permutations_means_no_permutation_p(participants, tidy, values):
    measures = tidy(participants, fa=values)
    table = compare(measures, participants, contrasts=[("control", "ALS")], n_permutations=0)
    plain = table[table["test"] == "ancova_contrast"]
    assert plain["contrast"].tolist() == ["control-ALS", "patients-control"]
    assert plain["estimate"].iloc[0] == pytest.approx(values[18:].mean() - values[:13].mean())
    assert table["p_permutation"].isna().all()


def test_patients_are_pooled_only_when_asked_and_in_several_groups(participants, tidy, values):
    measures = tidy(participants, fa=values)
    apart = compare(measures, participants, pooled=False)
    assert not apart["contrast"].str.contains("patients").any()
    one = compare(measures, participants, groups=["ALS", "control"])
    assert not one["contrast"].str.contains("patients").any()


def test_text_is_a_name_also_where_it_looks_like_a_number(participants, tidy, values):
    numbered = participants.assign(site=np.resize(["1", "2", "07"], 28))
    named = participants.assign(site=np.resize(["b", "c", "a"], 28))
    numbered.loc[5, "site"] = named.loc[5, "site"] = np.nan
    measures = tidy(participants, fa=values)
    table = compare(measures, numbered, covariates=["site"])
    pd.testing.assert_frame_equal(table, compare(measures, named, covariates=["site"]))
    assert pick(table, "ancova", "group")["df"] == "2, 22"


@pytest.mark.parametrize("unknown", [np.nan, None])
def test_a_covariate_that_nobody_has_leaves_the_rank_tests(participants, tidy, values, unknown):
    people = participants.assign(site=unknown)
    table = compare(tidy(participants, fa=values), people, covariates=["site"])
    row = pick(table, "ancova", "group")
    assert np.isnan(row["p"])
    assert row["note"].startswith("left out: no site (28)")
    assert np.isfinite(pick(table, "kruskal", "group")["p"])
    means = adjusted_means(tidy(participants, fa=values), people, groups=GROUPS, covariates=["site"])
    assert means["estimate"].isna().all()


def test_an_empty_table_compares_to_an_empty_table(participants, tidy):
    empty = tidy(participants, fa=np.zeros(28)).iloc[:0]
    assert compare(empty, participants).empty
    assert "q_fdr" in compare(empty, participants)


def test_what_is_wrong_with_the_input_is_named(participants, tidy, values):
    measures = tidy(participants, fa=values)
    with pytest.raises(InputError, match="no column education; it has participant_id"):
        compare(measures, participants, covariates=["education"])
    with pytest.raises(InputError, match="reference group 'HC' is not one of ALS, PLS, control"):
        compare(measures, participants, reference="HC")
    with pytest.raises(InputError, match="sub-00: the measures table has dwi fa cst L twice"):
        compare(pd.concat([measures, measures.iloc[:1]]), participants)
    with pytest.raises(InputError, match="sub-27 twice"):
        compare(measures, pd.concat([participants, participants.iloc[-1:]]))
    with pytest.raises(InputError, match="two different groups of ALS, PLS, control; found ALS, HC"):
        compare(measures, participants, contrasts=[("ALS", "HC")])
