"""Correlations with clinical scores: R's numbers, known sides, planted truths, and what cannot be correlated."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.io import InputError
from mndmri.statistics.correlations import correlation_table, correlations_dictionary
from mndmri.statistics.progression import progression_rate, progression_reasons
from mndmri.statistics.rank_correlations import kendall, spearman
from mndmri.tables.dictionaries import column_names

NUMBERS = ["estimate", "ci_low", "ci_high", "statistic", "df", "p"]
GROUPS = ["ALS", "PLS", "control"]

# The R code beside the numbers below is of R 4.2.2, with x, y, yt, age, sex as here (13 ALS), x5, y5, age5 (5 PLS), and
# fisher <- function(r, v) tanh(atanh(r) + c(-1, 1) * qnorm(.975) * sqrt(v))
X = np.array([0.512, 0.478, 0.455, 0.533, 0.490, 0.467, 0.521, 0.441, 0.502, 0.485, 0.449, 0.538, 0.473])
Y = np.array([41, 38, 29, 44, 33, 36, 45, 27, 35, 40, 31, 43, 37])
TIED = np.array([41, 38, 29, 44, 36, 36, 44, 29, 36, 41, 29, 41, 36])
AGE = np.array([61, 70, 58, 66, 49, 73, 55, 68, 62, 59, 75, 52, 64])
SEX = np.array([0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0])
X_5, Y_5, AGE_5 = [0.41, 0.47, 0.39, 0.52, 0.44], [30, 41, 33, 38, 36], [60, 71, 57, 66, 63]


@pytest.fixture
def cohort(tidy):
    """13 ALS and 5 PLS with R's numbers, two controls with a score that would spoil everything; and their FA."""
    people = pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(20)],
            "group": np.repeat(GROUPS, [13, 5, 2]),
            "age": [*AGE, *AGE_5, 30, 90],
            "sex": [*np.where(SEX == 1, "M", "F"), *"FMFMF", "F", "M"],
            "alsfrs_r": [*TIED, *Y_5, 48, 0],
        }
    )
    return people, tidy(people, fa=np.array([*X, *X_5, -9.0, 9.0]))


def correlate(measures, participants, **options):
    settings = {"groups": GROUPS, "reference": "control", "scores": ["alsfrs_r"]}
    return correlation_table(measures, participants, **(settings | options))


def pick(table, group, method, **where):
    chosen = table[(table["group"] == group) & (table["method"] == method)]
    for column, value in where.items():
        chosen = chosen[chosen[column] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_spearman_is_that_of_r(cohort):
    """Same numbers as R, with the interval of Bonett and Wright.

    r <- cor.test(x, yt, method = "spearman", exact = FALSE); fisher(r$estimate, (1 + r$estimate^2 / 2) / 10)
    """
    people, measures = cohort
    row = pick(correlate(measures, people), "ALS", "spearman")
    assert row["estimate"] == pytest.approx(0.866319591889878, rel=1e-9)
    assert row["p"] == pytest.approx(1.27922100037916e-04, rel=1e-9)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((0.530825924528536, 0.967071239353195), rel=1e-9)
    assert (row["n"], row["df"], row["p_by"], row["note"]) == (13, 11, "t", "ties: alsfrs_r")


def test_kendall_with_ties_is_that_of_r_and_its_interval_counts_them(cohort):
    """Same numbers as R.

    r <- cor.test(x, yt, method = "kendall", exact = FALSE)
    v: (S / z)^2 / (pairs untied in x * pairs untied in yt)
    m <- uniroot(function(n) 2 * (2 * n + 5) / (9 * n * (n - 1)) - v, c(4.01, 100), tol = 1e-14)$root  # 11.84
    fisher(r$estimate, .437 / (m - 4))
    """
    people, measures = cohort
    row = pick(correlate(measures, people), "ALS", "kendall")
    assert row["estimate"] == pytest.approx(0.744340911481379597, rel=1e-9)
    assert row["statistic"] == pytest.approx(3.340896497045891422, rel=1e-9)
    assert row["p"] == pytest.approx(0.000835083480471227, rel=1e-9)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((0.460162097999342, 0.890175420694593), rel=1e-9)
    assert row["p_by"] == "normal"


def test_a_group_of_two_adds_its_one_pair_to_kendalls_tau():
    x, y = np.r_[X_5, 1.0, 2.0], np.r_[Y_5, 1.0, 2.0]
    own, both = kendall(np.array(X_5), np.array(Y_5)), kendall(x, y, strata=np.array([0] * 5 + [1] * 2))
    # ten pairs within the five, and one more that agrees
    assert both.interval.estimate == pytest.approx((10 * own.interval.estimate + 1) / 11)


def test_kendall_without_ties_is_exact_with_fiellers_interval():
    """Same numbers as R: cor.test(x, y, method = "kendall"); fisher(0.692307692307692, .437 / 9)."""
    result = kendall(X, Y)
    assert result.interval == pytest.approx((0.692307692307692, 0.397342820932531, 0.857615388458185), rel=1e-9)
    assert result.p == pytest.approx(5.28720572123387e-04, rel=1e-9)
    assert result.p_by == "exact"


@pytest.mark.parametrize(
    ("method", "x", "y", "estimate", "p"),
    [
        (spearman, X_5, Y_5, 0.8, 0.133333333333333),
        (kendall, X_5, Y_5, 0.6, 0.233333333333333),
        (spearman, X[:9], Y[:9], 0.85, 0.00607363315696649),
        (kendall, X[:9], Y[:9], 0.722222222222222, 0.00588624338624344),
    ],
)
def test_few_patients_have_the_exact_p_of_r(method, x, y, estimate, p):
    """Same numbers as R: cor.test(x5, y5, method = "spearman"), "kendall"; the same of x[1:9], y[1:9]."""
    found = method(np.array(x), np.array(y))
    assert found.interval.estimate == pytest.approx(estimate, rel=1e-9)
    assert found.p == pytest.approx(p, rel=1e-9)
    assert (found.p_by, math.isnan(found.statistic)) == ("exact", True)


@pytest.mark.parametrize(("method", "name"), [(spearman, "spearmanr"), (kendall, "kendalltau")])
@pytest.mark.parametrize("n", [4, 6])
def test_exact_p_with_ties_is_that_of_all_permutations(method, name, n):
    x, y = X[:n], np.array([2, 3, 1, 3, 2, 2])[:n]
    coefficient = getattr(stats, name)
    null = stats.permutation_test(
        (x,),
        lambda order: abs(coefficient(order, y).statistic),
        permutation_type="pairings",
        n_resamples=np.inf,
        alternative="greater",
    )
    assert method(x, y).p == pytest.approx(null.pvalue, abs=1e-12)


def test_partial_correlation_is_that_of_residual_ranks(cohort):
    """Same numbers as R.

    a <- rank(x); b <- rank(yt); z <- rank(age); r <- cor(resid(lm(a ~ z)), resid(lm(b ~ z)))
    t <- r * sqrt(10 / (1 - r^2)); 2 * pt(-abs(t), 10); fisher(r, (1 + r^2 / 2) / (13 - 3 - 1))
    with sex, by ppcor's formula: q <- solve(cor(cbind(a, b, z, sex))); r <- -q[1, 2] / sqrt(q[1, 1] * q[2, 2]); df 9
    """
    people, measures = cohort
    row = pick(correlate(measures, people), "ALS", "partial_spearman")
    numbers = [0.866003608938176, 0.501111181204069, 0.969442789680616, 5.476674266642115541, 10, 0.000270505325202622]
    assert row[NUMBERS].tolist() == pytest.approx(numbers, rel=1e-9)
    assert (row["adjusted_for"], row["p_by"]) == ("age", "t")
    row = pick(correlate(measures, people, adjust=["age", "sex"]), "ALS", "partial_spearman")
    numbers = [
        0.885521139371364452,
        0.524985328794237,
        0.976608020186545,
        5.717969518071305934,
        9,
        0.000287692554315905,
    ]
    assert row[NUMBERS].tolist() == pytest.approx(numbers, rel=1e-9)
    assert row["adjusted_for"] == "age, sex"


def test_pooled_patients_are_adjusted_for_group(cohort):
    """Same numbers as R, with X, Y, A of ALS and PLS together and g their group.

    a <- rank(X); b <- rank(Y); cor(resid(lm(a ~ g)), resid(lm(b ~ g))), df 15; with rank(A): lm(. ~ g + rank(A)), df 14
    Kendall: (S13 + S5) / sqrt((untied in X, 78 + 10) * (untied in Y)), z with the sum of the variances of both
    """
    people, measures = cohort
    table = correlate(measures, people)
    row = pick(table, "patients", "spearman")
    numbers = [0.830421208398153, 0.524145541628119, 0.946488738790342, 5.77275032077444, 15, 3.68033950209347e-05]
    assert row[NUMBERS].tolist() == pytest.approx(numbers, rel=1e-9)
    assert (row["adjusted_for"], row["n"]) == ("group", 18)
    row = pick(table, "patients", "partial_spearman")
    numbers = [0.829272956186903, 5.55227672660646, 14, 7.12614146061719e-05]
    assert row[["estimate", "statistic", "df", "p"]].tolist() == pytest.approx(numbers, rel=1e-9)
    assert row["adjusted_for"] == "group, age"
    row = pick(table, "patients", "kendall")
    numbers = [0.726239796778063051, 0.469086508963415, 0.869871128059814, 3.601759404437422596, 0.000316070820026003]
    assert row[["estimate", "ci_low", "ci_high", "statistic", "p"]].tolist() == pytest.approx(numbers, rel=1e-9)
    assert row["adjusted_for"] == "group"


def test_a_difference_between_groups_is_no_correlation_of_pooled_patients(tidy):
    rng = np.random.default_rng(1)
    owner = np.repeat(["ALS", "PLS"], 60)
    people = pd.DataFrame(
        {"participant_id": [f"sub-{i:03d}" for i in range(120)], "group": owner, "age": rng.normal(60, 9, 120)}
    )
    shift = 6 * (owner == "PLS")
    people["alsfrs_r"] = shift + rng.normal(size=120)
    values = shift + rng.normal(size=120)
    assert stats.spearmanr(values, people["alsfrs_r"]).statistic > 0.7
    table = correlate(tidy(people, fa=values), people)
    assert (table.loc[table["group"] == "patients", "p"] > 0.05).all()


def test_controls_take_no_part(cohort):
    people, measures = cohort
    without = people[people["group"] != "control"]
    pd.testing.assert_frame_equal(correlate(measures, people), correlate(measures, without))
    assert set(correlate(measures, people)["group"]) == {"ALS", "PLS", "patients"}


def test_a_score_of_left_limbs_goes_with_the_right_hemisphere_and_with_what_is_of_both(cohort):
    people, left = cohort
    people = people.assign(umn_left=people["alsfrs_r"], umn_right=people["alsfrs_r"][::-1].to_numpy())
    measures = pd.concat([left, left.assign(hemi="R"), left.assign(hemi="both")])
    scores = ["alsfrs_r", "umn_left", "umn_right"]
    table = correlate(measures, people, scores=scores, sides={"umn_left": "L", "umn_right": "R"})
    found = set(table[["score", "hemi", "laterality"]].itertuples(index=False, name=None))
    assert found == {
        *(("alsfrs_r", hemi, "not lateralised") for hemi in ("L", "R", "both")),
        ("umn_left", "R", "contralateral"),
        ("umn_left", "both", "not lateralised"),
        ("umn_right", "L", "contralateral"),
        ("umn_right", "both", "not lateralised"),
    }
    assert len(table) == 7 * 3 * 3  # of each a row for every group and method


def test_false_discovery_rate_is_over_primary_measures_of_a_group_score_and_method(cohort, tidy):
    people, _ = cohort
    rng = np.random.default_rng(4)
    measures = tidy(people, fa=rng.normal(size=20), md=rng.normal(size=20), rd=rng.normal(size=20))
    primary = [{"measure": "fa"}, {"measure": "md"}]
    table = correlate(measures, people, primary=primary)
    family = table[(table["group"] == "ALS") & (table["method"] == "kendall") & (table["measure"] != "rd")]
    np.testing.assert_allclose(family["q_fdr"], stats.false_discovery_control(family["p"]))
    assert table.loc[table["measure"] == "rd", "q_fdr"].isna().all()
    assert correlate(measures, people)["q_fdr"].notna().all()


def test_who_is_left_out_is_counted_with_the_reason(cohort):
    people, measures = cohort
    people["alsfrs_r"] = people["alsfrs_r"].astype(float)
    people.loc[0, "alsfrs_r"], people.loc[1, "alsfrs_r"], people.loc[2, "age"] = np.nan, np.inf, np.nan
    measures.loc[3, "value"] = -np.inf
    table = correlate(measures.drop(index=4), people)
    row = pick(table, "ALS", "kendall")
    assert (row["n"], row["n_missing"]) == (9, 4)
    for reason in (
        "no alsfrs_r (1)",
        "infinite alsfrs_r (1)",
        "infinite value (1)",
        "no row in the table (1)",
    ):
        assert reason in row["note"]
    row = pick(table, "ALS", "partial_spearman")
    assert (row["n"], row["n_missing"]) == (8, 5)
    assert "no age (1)" in row["note"]
    assert pick(table, "patients", "spearman")["n"] == 14


def test_order_of_rows_and_other_measures_change_nothing(cohort):
    people, measures = cohort
    expected = correlate(measures, people)
    rng = np.random.default_rng(0)
    shuffled = measures.iloc[rng.permutation(len(measures))], people.iloc[rng.permutation(len(people))]
    pd.testing.assert_frame_equal(correlate(*shuffled), expected)
    more = pd.concat([measures, measures.assign(measure="md")])
    columns = [c for c in expected if c != "q_fdr"]
    pd.testing.assert_frame_equal(correlate(more, people).iloc[:9][columns], expected[columns])


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (np.full(20, 0.1), "every value is the same"),
        (np.full(20, np.nan), "fewer than 4 participants"),
        (np.full(20, np.inf), "left out: infinite value (13); fewer than 4 participants"),
        (np.where(np.arange(20) < 3, X[:20].mean() + np.arange(20), np.nan), "fewer than 4 participants"),
    ],
)
def test_a_measure_that_cannot_be_correlated_is_rows_with_a_note(cohort, tidy, values, note):
    people, _ = cohort
    table = correlate(tidy(people, fa=values), people)
    assert len(table) == 9
    assert table[NUMBERS].isna().all(axis=None)
    assert table.loc[table["group"] == "ALS", "note"].str.contains(note, regex=False).all()


def test_a_constant_score_and_one_that_nobody_has_are_rows_with_a_note(cohort):
    people, measures = cohort
    people = people.assign(fixed=3.0, unknown=None)
    table = correlate(measures, people, scores=["fixed", "unknown"])
    assert table[NUMBERS].isna().all(axis=None)
    assert (table.loc[table["score"] == "fixed", "note"].str.endswith("every fixed is the same")).all()
    assert pick(table, "ALS", "spearman", score="unknown")["note"].startswith("left out: no unknown (13)")


def test_a_score_that_differs_only_between_groups_has_no_pooled_correlation(cohort):
    people, measures = cohort
    people = people.assign(alsfrs_r=np.where(people["group"] == "ALS", 30, 40))
    table = correlate(measures, people)
    assert table[NUMBERS].isna().all(axis=None)
    assert "nothing is left of the score" in pick(table, "patients", "spearman")["note"]
    assert "no pair of one group differs in both" in pick(table, "patients", "kendall")["note"]


def test_a_group_of_one_has_no_correlation_and_takes_no_part_in_kendalls_pairs(cohort):
    people, measures = cohort
    kept = people[(people["group"] != "PLS") | (people.index == 13)]
    table = correlate(measures, kept)
    assert pick(table, "PLS", "spearman")["note"] == "fewer than 4 participants"
    assert pick(table, "PLS", "spearman")["n"] == 1
    pooled, alone = pick(table, "patients", "kendall"), pick(table, "ALS", "kendall")
    assert pooled["statistic"] == pytest.approx(alone["statistic"])
    assert pick(table, "patients", "spearman")["df"] == 11  # one more patient, one more term


def test_a_group_without_data_leaves_the_pooled_row_to_the_others(cohort):
    people, measures = cohort
    measures.loc[13:17, "value"] = np.nan
    table = correlate(measures, people)
    pooled, alone = pick(table, "patients", "spearman"), pick(table, "ALS", "spearman")
    assert pooled[NUMBERS].tolist() == pytest.approx(alone[NUMBERS].tolist())
    assert "no data: PLS" in pooled["note"]


def test_a_constant_covariate_is_left_out_and_said_and_one_twice_counts_once(cohort):
    people, measures = cohort
    people = people.assign(scanner="Prisma", months=people["age"] * 12)
    table = correlate(measures, people, adjust=["age", "scanner", "months"])
    plain = correlate(measures, people)
    row = pick(table, "ALS", "partial_spearman")
    assert row[NUMBERS].tolist() == pytest.approx(pick(plain, "ALS", "partial_spearman")[NUMBERS].tolist())
    assert "constant, left out of the model: scanner" in row["note"]


def test_a_site_that_is_a_group_says_no_more_than_the_group(cohort):
    people, measures = cohort
    people = people.assign(site=np.where(people["group"] == "PLS", "Wien", "Łódź"))
    row = pick(correlate(measures, people, adjust=["site"]), "patients", "partial_spearman")
    assert row["df"] == 15
    assert row["estimate"] == pytest.approx(0.830421208398153, rel=1e-9)


def test_more_terms_than_participants_bear_is_said(cohort):
    people, measures = cohort
    people = people.assign(site=[f"site {i}" for i in range(20)])
    row = pick(correlate(measures, people, adjust=["site"]), "PLS", "partial_spearman")
    assert np.isnan(row["p"])
    assert "too few participants (5), adjusting for 4 terms" in row["note"]


def test_a_score_adjusted_for_itself_has_nothing_left(cohort):
    people, measures = cohort
    row = pick(correlate(measures, people, adjust=["alsfrs_r"]), "ALS", "partial_spearman")
    assert np.isnan(row["estimate"])
    assert "nothing is left of the score" in row["note"]


def test_orders_that_agree_fully_have_no_interval_and_no_p_of_zero(cohort):
    people, measures = cohort
    people = people.assign(alsfrs_r=-measures["value"])
    table = correlate(measures, people)
    for method, p in (("spearman", None), ("kendall", 2 / math.factorial(13)), ("partial_spearman", None)):
        row = pick(table, "ALS", method)
        assert (row["estimate"], np.isnan(row["ci_low"])) == (-1, True)
        assert "the orders agree fully: no interval" in row["note"]
        assert np.isnan(row["p"]) if p is None else row["p"] == pytest.approx(p)
    assert pick(table, "PLS", "spearman")["p"] == pytest.approx(2 / 120)


def test_four_patients_have_rho_with_an_interval_and_tau_without(cohort):
    people, measures = cohort
    table = correlate(measures, people.drop(index=13))
    assert np.isfinite(pick(table, "PLS", "spearman")["ci_low"])
    row = pick(table, "PLS", "kendall")
    assert (np.isfinite(row["estimate"]), np.isnan(row["ci_low"])) == (True, True)
    assert "too few participants for an interval" in row["note"]


@pytest.mark.parametrize("rho", [0.0, 0.6])
@pytest.mark.parametrize("sizes", [(8,), (13,), (13, 5)])
def test_intervals_cover_the_truth_at_their_level_with_ties_and_groups(sizes, rho):
    rng = np.random.default_rng(8)
    cuts = stats.norm.ppf([0.2, 0.4, 0.6, 0.8])  # a score of five levels

    def draw(n):
        x, e = rng.normal(size=(2, n))
        return x, np.digitize(rho * x + math.sqrt(1 - rho**2) * e, cuts)

    x, y = draw(200_000)
    truth = {kendall: stats.kendalltau(x, y).statistic, spearman: stats.spearmanr(x, y).statistic}
    owner = np.repeat(np.arange(len(sizes)), sizes)
    hits, number = {kendall: 0, spearman: 0}, 500
    for _ in range(number):
        x, y = draw(sum(sizes))
        columns = (owner[:, None] == np.arange(1, len(sizes))).astype(float)
        found = {kendall: kendall(x, y, strata=owner), spearman: spearman(x + 2 * owner, y, columns=columns)}
        for method, result in found.items():
            _, low, high = result.interval
            hits[method] += low <= truth[method] <= high
    for hit in hits.values():
        assert 0.92 <= hit / number <= 0.985


def test_labels_of_any_script_are_correlated(cohort):
    people, measures = cohort
    names = {"ALS": "БАС", "PLS": "PLS – früh", "control": "健康"}
    score = "шкала " + "x" * 300
    renamed = people.replace({"group": names}).rename(columns={"alsfrs_r": score})
    table = correlate(measures, renamed, groups=list(names.values()), reference="健康", scores=[score])
    np.testing.assert_allclose(
        table[NUMBERS].astype(float), correlate(measures, people)[NUMBERS].astype(float), rtol=1e-12
    )


def test_one_group_of_patients_is_not_pooled_and_no_covariates_mean_no_partial_row(cohort):
    people, measures = cohort
    table = correlate(measures, people, groups=["ALS", "control"], adjust=[])
    assert table[["group", "method"]].values.tolist() == [["ALS", "spearman"], ["ALS", "kendall"]]


def test_no_measures_and_no_scores_make_an_empty_table_with_its_columns(cohort):
    people, measures = cohort
    for table in (correlate(measures.iloc[:0], people), correlate(measures, people, scores=[])):
        assert table.empty
        assert list(table) == column_names(correlations_dictionary())


def test_what_is_wrong_with_the_input_is_named(cohort):
    people, measures = cohort
    with pytest.raises(InputError, match="no column mrc; it has participant_id"):
        correlate(measures, people, scores=["mrc"])
    with pytest.raises(InputError, match="'sex' must be numbers; found F, M"):
        correlate(measures, people, scores=["sex"])
    with pytest.raises(InputError, match="the side of the limbs that it rates, L or R; found left"):
        correlate(measures, people, sides={"alsfrs_r": "left"})
    with pytest.raises(InputError, match="'umn_left', which is not one of the scores alsfrs_r"):
        correlate(measures, people, sides={"umn_left": "L"})
    with pytest.raises(InputError, match="reference group 'HC' is not one of ALS, PLS, control"):
        correlate(measures, people, reference="HC")
    with pytest.raises(InputError, match="sub-19 twice"):
        correlate(measures, pd.concat([people, people.iloc[-1:]]))


@pytest.fixture
def onset():
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i}" for i in range(8)],
            "alsfrs_r": [36, 48, np.nan, 30, 30, 49, -1, 40],
            "months": [24, 10, 12, np.nan, 0, 12, 12, np.inf],
        },
        index=range(10, 18),
    )


def test_progression_is_points_lost_a_month_and_a_reason_where_it_cannot_be(onset):
    rate = progression_rate(onset, score="alsfrs_r", months="months")
    assert rate.name == "progression_rate"
    assert rate.index.equals(onset.index)
    assert rate.tolist() == pytest.approx([0.5, 0, *[np.nan] * 6], nan_ok=True)
    assert progression_reasons(onset, score="alsfrs_r", months="months").tolist() == [
        "",
        "",
        "no alsfrs_r",
        "no months",
        "months not above 0",
        "alsfrs_r not within 0 to 48",
        "alsfrs_r not within 0 to 48",
        "no months",
    ]
    assert progression_rate(onset, score="alsfrs_r", months="months", maximum=60)[15] == pytest.approx(11 / 12)


def test_progression_of_text_or_of_no_column_is_refused(onset):
    with pytest.raises(InputError, match="'months' must be numbers; found two years"):
        progression_rate(onset.assign(months="two years"), score="alsfrs_r", months="months")
    with pytest.raises(InputError, match="no column onset"):
        progression_rate(onset, score="alsfrs_r", months="onset")


def test_reasons_of_a_missing_rate_are_in_the_table(cohort):
    people, measures = cohort
    people["months"] = np.arange(20.0)
    options = {"score": "alsfrs_r", "months": "months"}
    people["progression_rate"] = progression_rate(people, **options)
    reasons = {"progression_rate": progression_reasons(people, **options)}
    row = pick(correlate(measures, people, scores=["progression_rate"], reasons=reasons), "ALS", "spearman")
    assert row["n"] == 12
    assert row["note"].startswith("left out: months not above 0 (1)")
