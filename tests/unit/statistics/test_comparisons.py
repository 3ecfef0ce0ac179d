"""Group comparisons: against statsmodels and scipy, planted truths, and data that cannot be tested."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import linalg, stats
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests

from mndmri.io import InputError
from mndmri.statistics import adjusted_means, compare_groups, comparisons_dictionary
from mndmri.statistics.families import holm
from mndmri.statistics.models import build_design, contrast_vector, fit_ols, t_contrast
from mndmri.statistics.welch import directions_of, error_model, flip_p, sign_flips, sums_of, wald_test
from mndmri.tables.dictionaries import column_names

GROUPS = ["ALS", "PLS", "control"]
NUMBERS = [
    "estimate",
    "ci_low",
    "ci_high",
    "se",
    "partial_eta_sq",
    "statistic",
    "p",
    "p_permutation",
    "p_confirmatory",
    "q_exploratory",
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
    assert (row["df_num"], row["df"]) == (2, fit.df_resid)
    squares = expected["sum_sq"]
    share = squares["C(group)"] / (squares["C(group)"] + squares["Residual"])
    assert row["partial_eta_sq"] == pytest.approx(share, rel=1e-6)


@pytest.mark.parametrize(("first", "second"), [("ALS", "control"), ("PLS", "control"), ("ALS", "PLS")])
def test_adjusted_difference_is_the_coefficient_of_statsmodels(participants, tidy, values, first, second):
    table = compare(tidy(participants, fa=values), participants, covariates=["age", "sex"])
    formula = f"y ~ C(group, Treatment('{second}')) + age + C(sex)"
    fit = smf.ols(formula, participants.assign(y=values)).fit()
    at = fit.model.exog_names.index(f"C(group, Treatment('{second}'))[T.{first}]")
    parts = [fit.params, fit.bse, fit.conf_int(), fit.tvalues, fit.pvalues]
    expected = np.hstack([*(np.asarray(part)[at] for part in parts), fit.df_resid])
    row = pick(table, "ancova_contrast", f"{first}-{second}")
    found = row[["estimate", "se", "ci_low", "ci_high", "statistic", "p", "df"]].astype(float)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    robust = fit.get_robustcov_results("HC3", use_t=True)
    found = pick(table, "ancova_hc3", f"{first}-{second}")[["estimate", "se", "statistic"]].astype(float)
    np.testing.assert_allclose(found, [robust.params[at], robust.bse[at], robust.tvalues[at]], rtol=1e-6)


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


def test_permutation_p_is_that_of_refitting_the_model_for_every_flip(participants, tidy, values):
    """The refitted statistic is written out: variances from M, their uncertainty from the whole matrices."""
    table = compare(tidy(participants, fa=values), participants, covariates=["age"], n_permutations=99, seed=5)
    signs = sign_flips(28, number=99, seed=5)
    group = pd.get_dummies(participants["group"], dtype=float)[GROUPS].to_numpy()
    full = np.column_stack([group, participants["age"]])
    for test_contrast, contrast in {
        "ALS-control": [[1, 0, -1, 0]],
        "group": [[1, 0, -1, 0], [0, 1, -1, 0]],
    }.items():
        c = np.array(contrast, float)
        reduced = full @ linalg.null_space(c)
        fitted = reduced @ np.linalg.pinv(reduced) @ values
        drawn = [written_out(full, group, fitted + sign * (values - fitted), c) for sign in signs]
        extreme = np.sum(np.array(drawn) >= written_out(full, group, values, c) * (1 - 1e-9))
        found = pick(table, "ancova_welch", test_contrast)["p_permutation"]
        assert found == pytest.approx((1 + extreme) / 100)


def written_out(matrix, group, y, c):
    """Root of the statistic with groups of unequal variance, at infinite degrees of freedom."""
    f, q, df = by_whole_matrices(matrix, group, y, c)
    return np.sqrt((df + q / 2 - 1) / q * np.log1p(q * f / df))


def by_whole_matrices(matrix, group, y, c):
    """F and its degrees of freedom from residual-forming matrices, n x n, group by group."""
    inverse = np.linalg.pinv(matrix)
    m = np.eye(len(y)) - matrix @ inverse
    residuals, effect, q = m @ y, c @ inverse @ y, len(c)
    each = [np.diag(column) for column in group.T]
    expected = np.array([[np.trace(e @ m @ other @ m) for other in each] for e in each])
    squares = np.array([residuals @ e @ residuals for e in each])
    free = np.array([np.trace(e @ m) for e in each])
    variances = np.maximum(np.linalg.solve(expected, squares), 0.1 * squares / free)
    error = sum(v * m @ e @ m for v, e in zip(variances, each, strict=True))
    covariance = np.array([[2 * np.trace(e @ error @ other @ error) for other in each] for e in each])
    covariance = np.linalg.solve(expected, np.linalg.solve(expected, covariance).T)
    parts = [c @ inverse @ e @ inverse.T @ c.T for e in each]
    v = sum(variance * part for variance, part in zip(variances, parts, strict=True))
    inverse_v = np.linalg.inv(v)
    uncertainty = sum(
        covariance[g, h] * np.trace(inverse_v @ parts[g] @ inverse_v @ parts[h]) for g in range(3) for h in range(3)
    )
    wishart = q * (q + 1) / uncertainty
    df = wishart - q + 1
    return effect @ inverse_v @ effect * df / (wishart * q), q, df


def test_a_measure_has_the_same_result_alone_as_among_others_and_in_any_order(participants, tidy, values):
    others = np.random.default_rng(0).normal(size=28)
    others[4] = np.nan
    alone = compare(tidy(participants, fa=values), participants, covariates=["age"], primary=[])
    shuffled = participants.sample(frac=1, random_state=1)
    measures = tidy(participants, md=others, fa=values).sample(frac=1, random_state=2)
    among = compare(measures, shuffled, covariates=["age"], primary=[])
    among = among[among["measure"] == "fa"].reset_index(drop=True)
    over_measures = ["q_exploratory"]  # a family of all measures
    pd.testing.assert_frame_equal(
        alone.drop(columns=over_measures), among.drop(columns=over_measures), check_dtype=False
    )


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
        "ancova_welch",
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
    errors = error_model(design.matrix, np.repeat([0, 1, 2], [13, 5, 10]))
    rejected = np.zeros(3)
    for _ in range(400):
        y = rng.normal(size=28)
        result = t_contrast(fit_ols(y, design), contrast)
        (flipped,) = flip_p(errors, y, [contrast], number=199, seed=0)
        covered = result.interval.low < 0 < result.interval.high
        rejected += [result.p <= 0.05, flipped <= 0.05, not covered]
    low, high = stats.binom.interval(0.999, 400, 0.05)
    assert ((low <= rejected) & (rejected <= high)).all()


def test_adjusted_means_are_the_predictions_at_the_mean_covariates(participants, tidy, values):
    table = adjusted_means(tidy(participants, fa=values), participants, groups=GROUPS, covariates=["age", "sex"])
    male = (participants["sex"] == "M").astype(float)
    data = participants.assign(y=values, male=male)
    fit = smf.ols("y ~ C(group) + age + male", data).fit()
    at = pd.DataFrame({"group": GROUPS, "age": data["age"].mean(), "male": male.mean()})
    np.testing.assert_allclose(table["estimate"], fit.get_prediction(at).summary_frame()["mean"], rtol=1e-6)
    assert ((table["ci_low"] < table["estimate"]) & (table["estimate"] < table["ci_high"])).all()
    assert table["group"].tolist() == GROUPS
    assert table["n"].tolist() == [13, 5, 10]


def test_columns_are_those_of_the_contract_and_all_explained(participants, tidy, values):
    table = compare(tidy(participants, fa=values), participants)
    places, counts = ["modality", "measure", "region", "hemi", "unit"], [f"n_{name}" for name in GROUPS]
    counts += [*(f"sd_{name}" for name in GROUPS), "primary", "reported", "n_missing"]
    sizes = ["hedges_g", "g_ci_low", "g_ci_high", "adjusted_g", "adj_g_ci_low", "adj_g_ci_high", "partial_eta_sq"]
    corrected = ["p_confirmatory", "q_exploratory", "p_holm", "q_fdr"]
    tests = ["statistic", "df_num", "df", "p", "p_permutation", *corrected, "note"]
    estimate = ["estimate", "se", "ci_low", "ci_high"]
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
    assert pick(table, "ancova", "group")[["df_num", "df"]].tolist() == [1, 21]
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
    np.testing.assert_allclose(twice["df"], once["df"])


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
    assert len(table) == 18
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
    assert pick(table, "ancova", "group")[["df_num", "df"]].tolist() == [2, 22]


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


# -- groups that vary differently -----------------------------------------------------------------


def two_groups(first, second):
    people = pd.DataFrame({"group": np.repeat(["PLS", "control"], [len(first), len(second)])})
    people["participant_id"] = [f"sub-{i:02d}" for i in range(len(people))]
    place = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "status": "ok", "unit": "1"}
    measures = people[["participant_id"]].assign(value=[*first, *second], **place)
    return compare(measures, people, groups=["PLS", "control"])


def test_five_who_vary_more_than_ten_controls_are_not_significant():
    """The smallest table in which a permutation of unstudentised residuals gave p = 0.05.

    HC3 of a group of n is its squared standard error times n / (n - 1).
    """
    controls = stats.norm.ppf((np.arange(1, 11) - 0.5) / 10)
    table = two_groups([-2, -0.5, 1.5, 4, 5.5], controls)
    welch, robust = (pick(table, test, "PLS-control") for test in ("ancova_welch", "ancova_hc3"))
    assert welch["p"] == pytest.approx(0.291, abs=5e-4)
    squared = 1.25 * np.var([-2, -0.5, 1.5, 4, 5.5], ddof=1) / 5 + 10 / 9 * controls.var(ddof=1) / 10
    assert robust["statistic"] == pytest.approx(1.7 / np.sqrt(squared))
    assert 2 * stats.t.sf(robust["statistic"], 13) == pytest.approx(0.302, abs=5e-4)
    assert robust["df"] < 13 and robust["p"] > 0.302
    assert welch["p_permutation"] > 0.2
    assert welch["note"] == "unequal spread: SD 3.09 in PLS, 0.989 in control"
    assert welch[["sd_PLS", "sd_control"]].tolist() == pytest.approx([np.sqrt(9.575), controls.std(ddof=1)])
    assert pick(table, "kruskal", "group")["note"].startswith("unequal spread")


@pytest.mark.parametrize(("size", "said"), [(2, True), (3, True), (4, False)])
def test_a_variance_from_fewer_than_four_people_is_said_where_it_is_used(participants, tidy, size, said):
    people = participants.drop(index=range(13 + size, 18))
    values = np.random.default_rng(2).normal(size=len(people))
    table = compare_groups(tidy(people, fa=values), people, groups=GROUPS, reference="control", n_permutations=0)
    note = f"variance of PLS estimated from {size} people"
    assert pick(table, "ancova_welch", "PLS-control")["note"].endswith(note) is said
    assert note not in pick(table, "ancova_contrast", "PLS-control")["note"]


def test_a_pair_without_covariates_is_welchs_test_of_r():
    """R: t.test(extra ~ group, sleep)."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    row = pick(two_groups(first, second), "ancova_welch", "PLS-control")
    assert row[["ci_low", "ci_high"]].tolist() == pytest.approx([-3.3654832, 0.2054832], abs=1e-7)
    assert row[["statistic", "df", "p"]].tolist() == pytest.approx([-1.8608, 17.776, 0.07939], rel=2e-4)


def test_a_third_group_does_not_change_welchs_test_of_a_pair(participants, tidy, values):
    values = values * np.repeat([1, 5, 2], [13, 5, 10])
    table = compare(tidy(participants, fa=values), participants)
    for (first, second), one, other in (
        (("ALS", "control"), values[:13], values[18:]),
        (("PLS", "control"), values[13:18], values[18:]),
    ):
        expected = stats.ttest_ind(one, other, equal_var=False)
        row = pick(table, "ancova_welch", f"{first}-{second}")
        found = row[["statistic", "df", "p", "ci_low", "ci_high"]].tolist()
        assert found == pytest.approx([*expected[:1], expected.df, expected.pvalue, *expected.confidence_interval()])


def test_tests_with_own_variances_are_those_of_the_whole_matrices(participants, tidy, values):
    values = values * np.repeat([1, 0.3, 2], [13, 5, 10])
    table = compare(tidy(participants, fa=values), participants, covariates=["age", "sex"], n_permutations=0)
    group = pd.get_dummies(participants["group"], dtype=float)[GROUPS].to_numpy()
    matrix = np.column_stack([group, participants["age"], participants["sex"] == "M"]).astype(float)
    for name, contrast in {
        "ALS-PLS": [[1, -1, 0, 0, 0]],
        "patients-control": [[13 / 18, 5 / 18, -1, 0, 0]],
        "group": [[1, 0, -1, 0, 0], [0, 1, -1, 0, 0]],
    }.items():
        f, q, df = by_whole_matrices(matrix, group, values, np.array(contrast))
        row = pick(table, "ancova_welch", name)
        assert row["statistic"] ** (3 - q) == pytest.approx(f)  # t squared, or F
        assert row[["df", "p"]].tolist() == pytest.approx([df, stats.f.sf(f, q, df)])


def test_hc3_has_the_degrees_of_freedom_of_bell_and_mccaffrey(participants, tidy, values):
    """The variance is a quadratic form in normal errors; its moments are those of the eigenvalues."""
    row = pick(compare(tidy(participants, fa=values), participants, covariates=["age"]), "ancova_hc3", "PLS-control")
    group = pd.get_dummies(participants["group"], dtype=float)[GROUPS].to_numpy()
    matrix = np.column_stack([group, participants["age"]])
    inverse = np.linalg.pinv(matrix)
    m = np.eye(28) - matrix @ inverse
    along = np.array([0, 1, -1, 0]) @ inverse / np.diag(m)
    eigenvalues = np.linalg.eigvalsh(m @ np.diag(along**2) @ m)
    df = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
    assert row["df"] == pytest.approx(df)
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(row["statistic"]), df))


def test_a_group_that_does_not_vary_is_taken_to_vary_as_the_others_and_said(participants, tidy, values):
    values[13:18] = 2.0
    table = compare(tidy(participants, fa=values), participants)
    row = pick(table, "ancova_welch", "PLS-control")
    others = np.concatenate([values[:13] - values[:13].mean(), values[18:] - values[18:].mean()])
    pooled = (others @ others) / 21
    expected = np.sqrt(pooled / 5 + values[18:].var(ddof=1) / 10)
    assert row["se"] == pytest.approx(expected)
    assert "no spread of its own, taken to vary as the others: PLS" in row["note"]


def test_groups_of_one_variance_each_hold_their_level_where_one_variance_does_not():
    """SD 1, 3 and 1 in 13, 5 and 10 people: the test with one variance finds something in a quarter of null cohorts."""
    rng = np.random.default_rng(17)
    owner = np.repeat([0, 1, 2], [13, 5, 10])
    matrix = np.column_stack([*(owner == g for g in range(3)), rng.normal(size=28)]).astype(float)
    y = rng.normal(size=(28, 2000)) * np.array([1, 3, 1])[owner, None]
    contrast = np.array([0, 1, -1, 0.0])
    errors = error_model(matrix, owner)
    tested = wald_test(errors, directions_of(errors, contrast), *sums_of(errors, y))
    assert 0.035 <= np.mean(stats.f.sf(tested.statistic, 1, tested.df) <= 0.05) <= 0.065
    design = build_design(pd.DataFrame({"group": np.array(GROUPS)[owner]}), groups=GROUPS, covariates=[])
    design = design._replace(matrix=matrix, terms=[*GROUPS, "age"])
    pooled = [t_contrast(fit_ols(column, design), contrast).p <= 0.05 for column in y.T[:500]]
    assert np.mean(pooled) > 0.15


def test_pairs_that_share_a_term_have_the_paired_test():
    """One of each group at every site: the variances alone are unknown, that of the difference is the pairs'."""
    rng = np.random.default_rng(6)
    people = pd.DataFrame({"group": ["PLS"] * 6 + ["control"] * 6, "site": [*"abcdef"] * 2})
    people["participant_id"] = [f"sub-{i:02d}" for i in range(12)]
    values = rng.normal(size=12) + np.tile(np.arange(6.0), 2)
    place = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "status": "ok"}
    measures = people[["participant_id"]].assign(value=values, **place)
    table = compare(measures, people, groups=["PLS", "control"], covariates=["site"])
    expected = stats.ttest_rel(values[:6], values[6:])
    found = pick(table, "ancova_welch", "PLS-control")[["statistic", "df", "p"]].tolist()
    assert found == pytest.approx([expected.statistic, expected.df, expected.pvalue])


def test_groups_of_which_none_varies_by_itself_share_one_variance(participants, tidy, values):
    """One PLS, and all controls alike: what the covariate leaves over is the only variance that is known."""
    values = np.where(participants["group"] == "control", 1.0, np.nan)
    values[13], values[0] = 2.0, np.nan
    table = compare(tidy(participants, fa=values), participants, covariates=["age"])
    row = pick(table, "ancova_welch", "PLS-control")
    plain = pick(table, "ancova_contrast", "PLS-control")
    assert np.isnan(row["p"]) == np.isnan(plain["p"])
    assert row["p"] == pytest.approx(plain["p"], nan_ok=True)


# -- one answer -----------------------------------------------------------------------------------


def test_one_test_of_each_measure_and_contrast_is_reported(participants, tidy, values):
    table = compare(tidy(participants, fa=values, md=values[::-1].copy()), participants, primary=[{"measure": "fa"}])
    reported = table[table["reported"] == "yes"]
    assert (reported.groupby(["measure", "contrast"]).size() == 1).all()
    assert set(reported["contrast"]) == {"group", "ALS-PLS", "ALS-control", "PLS-control", "patients-control"}
    assert set(table.loc[table["measure"] == "fa", "primary"]) == {"yes"}
    assert set(table.loc[table["measure"] == "md", "primary"]) == {"no"}


def test_one_family_of_all_primary_measures_and_pairs_and_one_of_all_measures_of_a_contrast(participants, tidy):
    rng = np.random.default_rng(8)
    measures = tidy(participants, **{f"m{i}": rng.normal(size=28) for i in range(5)})
    table = compare(measures, participants, primary=[{"measure": f"m{i}"} for i in range(4)])
    reported = table[table["reported"] == "yes"]
    pairs = reported[reported["contrast"].isin(["ALS-PLS", "ALS-control", "PLS-control"])]
    family = pairs[pairs["measure"] != "m4"]
    np.testing.assert_allclose(family["p_confirmatory"], multipletests(family["p"], method="holm")[1])
    assert table.drop(family.index)["p_confirmatory"].isna().all()
    for contrast, rows in reported.groupby("contrast"):
        np.testing.assert_allclose(
            rows["q_exploratory"], multipletests(rows["p"], method="fdr_bh")[1], err_msg=contrast
        )
    assert table.loc[table["reported"] == "no", "q_exploratory"].isna().all()


def test_without_primary_measures_nothing_is_confirmatory(participants, tidy, values):
    table = compare(tidy(participants, fa=values), participants, primary=[])
    assert table["p_confirmatory"].isna().all()
    assert set(table["primary"]) == {"no"}


def test_units_stand_in_every_row(participants, tidy, values):
    assert set(compare(tidy(participants, fa=values), participants)["unit"]) == {"1"}
    assert compare(tidy(participants, fa=values).drop(columns="unit"), participants)["unit"].isna().all()


def test_a_null_study_of_six_primary_measures_finds_something_in_one_of_twenty(participants):
    """Holm over 18 reported tests, six measures with a correlation of 0.5, groups that vary differently."""
    rng = np.random.default_rng(3)
    owner = np.repeat([0, 1, 2], [13, 5, 10])
    design = build_design(participants, groups=GROUPS, covariates=["age", "sex"])
    errors = error_model(design.matrix, owner)
    cohorts = 1000
    noise = rng.normal(size=(28, cohorts, 1)) + rng.normal(size=(28, cohorts, 6))
    y = (noise * np.array([1, 2, 1])[owner, None, None]).reshape(28, -1)
    p = []
    for pair in (("ALS", "PLS"), ("ALS", "control"), ("PLS", "control")):
        hypothesis = directions_of(errors, contrast_vector(design, {pair[0]: 1, pair[1]: -1}))
        tested = wald_test(errors, hypothesis, *sums_of(errors, y))
        p.append(stats.f.sf(tested.statistic, 1, tested.df).reshape(cohorts, 6))
    found = np.mean([holm(row).min() <= 0.05 for row in np.hstack(p)])
    assert 0.02 <= found <= 0.065


def test_limits_of_the_reported_sizes_agree_with_the_reported_test(participants, tidy):
    """Groups that vary differently: limits by one variance for all would disagree with Welch's p."""
    rng = np.random.default_rng(4)
    spread = participants["group"].map({"ALS": 1.0, "PLS": 3.0, "control": 1.0}).to_numpy()
    shift = participants["group"].map({"ALS": 1.0, "PLS": 2.0, "control": 0.0}).to_numpy()
    values = {f"m{n}": shift + spread * rng.normal(size=len(participants)) for n in range(20)}
    table = compare_groups(
        tidy(participants, **values),
        participants,
        groups=GROUPS,
        reference="control",
        covariates=["age"],
        n_permutations=0,
    )
    rows = table[table["test"].isin(["ancova_welch", "ancova_contrast"]) & table["adjusted_g"].notna()]
    holds = (rows["adj_g_ci_low"] <= 0) & (rows["adj_g_ci_high"] >= 0)
    assert (holds == (rows["p"] > 0.05)).all()
    assert {*holds[rows["test"] == "ancova_welch"]} == {True, False}
