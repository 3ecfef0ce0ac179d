"""ROC analysis: against pROC and wilcox.test of R, planted truths, and data that have no curve."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mndmri.io import InputError
from mndmri.statistics.exact import permuted_ranks_p
from mndmri.statistics.roc import (
    auc_delong,
    classification_dictionary,
    classify,
    roc_points_dictionary,
    sensitivity_at,
)
from mndmri.tables.dictionaries import column_names
from mndmri.tables.measures import DAMAGE_DIRECTION

GROUPS = ["ALS", "PLS", "control"]
CONTRASTS = ["ALS-PLS", "ALS-control", "PLS-control", "patients-control"]
NUMBERS = [
    "auc",
    "ci_low",
    "ci_high",
    "p",
    "q_fdr",
    "threshold",
    "sensitivity",
    "sens_ci_low",
    "sens_ci_high",
    "specificity",
]

# FA of 13 patients and 10 controls, no two the same; and scores, many of them the same
PATIENTS = np.array([0.42, 0.47, 0.39, 0.51, 0.44, 0.46, 0.40, 0.49, 0.43, 0.45, 0.38, 0.48, 0.41])
CONTROLS = np.array([0.50, 0.52, 0.475, 0.55, 0.53, 0.445, 0.56, 0.54, 0.515, 0.57])
SCORES, CONTROL_SCORES = np.array([3, 2, 5, 4, 4, 6, 1]), np.array([0, 2, 1, 3, 0, 1, 2, 4])


def table_of(measures, participants, **options):
    settings = {"groups": GROUPS, "reference": "control", "directions": DAMAGE_DIRECTION}
    return classify(measures, participants, **(settings | options)).table


def points_of(measures, participants, **options):
    settings = {"groups": GROUPS, "reference": "control", "directions": DAMAGE_DIRECTION}
    return classify(measures, participants, **(settings | options)).points


def pick(table, contrast, measure="fa"):
    chosen = table[(table["contrast"] == contrast) & (table["measure"] == measure)]
    assert len(chosen) == 1
    return chosen.iloc[0]


@pytest.fixture
def values(participants):
    shift = participants["group"].map({"ALS": -1.0, "PLS": -2.0, "control": 0.0})
    return (shift + np.random.default_rng(11).normal(size=28)).to_numpy()


@pytest.fixture
def two_groups(participants):
    """The 13 patients and 10 controls of the constants above."""
    return participants[participants["group"] != "PLS"].reset_index(drop=True)


@pytest.mark.parametrize(
    ("positive", "negative", "plain", "logit"),
    [
        (
            -PATIENTS,
            -CONTROLS,
            (0.923076923077, 0.812972668079, 1.0),
            (0.923076923077, 0.717941121739, 0.982630913199),
        ),
        (SCORES, CONTROL_SCORES, (0.8125, 0.591441288190, 1.0), (0.8125, 0.503821178551, 0.948699379552)),
    ],
)
def test_area_and_interval_are_those_of_proc(positive, negative, plain, logit):
    """R 4.2, pROC.

    r <- roc(controls = negative, cases = positive, direction = "<")
    ci.auc(r, method = "delong")                                       # plain
    a <- as.numeric(auc(r)); s <- sqrt(var(r, method = "delong"))
    plogis(qlogis(a) + c(-1, 1) * qnorm(0.975) * s / (a * (1 - a)))    # logit
    """
    assert auc_delong(positive, negative, logit=False) == pytest.approx(plain, abs=1e-9)
    assert auc_delong(positive, negative) == pytest.approx(logit, abs=1e-9)


def test_area_is_the_share_of_pairs_that_are_in_order(values):
    positive, negative = np.round(values[:13], 0), np.round(values[13:], 0)
    pairs = np.subtract.outer(positive, negative)
    expected = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert auc_delong(positive, negative).estimate == pytest.approx(expected)
    assert auc_delong(-positive, -negative).estimate == pytest.approx(1 - expected)


def test_turning_the_values_round_mirrors_the_interval(values):
    upright, turned = auc_delong(values[:13], values[18:]), auc_delong(-values[:13], -values[18:])
    assert (1 - turned.estimate, 1 - turned.high, 1 - turned.low) == pytest.approx(upright)


@pytest.mark.parametrize(
    ("m", "n", "limit"), [(5, 10, 0.716546324706), (13, 10, 0.822098029900), (13, 5, 0.736234627515)]
)
def test_groups_told_apart_without_error_have_newcombes_limit_and_not_certainty(m, n, limit):
    """R 4.2.

    N <- (m + n) / 2 - 1
    V <- function(t) t * (1 - t) * (1 + N * (1 - t) / (2 - t) + N * t / (1 + t)) / (m * n)
    uniroot(function(t) (1 - t) - qnorm(0.975) * sqrt(V(t)), c(1e-9, 1 - 1e-9), tol = 1e-14)$root
    """
    low, high = np.arange(n, dtype=float), 100.0 + np.arange(m)
    for logit in (True, False):
        assert auc_delong(high, low, logit=logit) == pytest.approx((1.0, limit, 1.0), abs=1e-9)
        assert auc_delong(-high, -low, logit=logit) == pytest.approx((0.0, 0.0, 1 - limit), abs=1e-9)


@pytest.mark.parametrize(("m", "n"), [(13, 10), (5, 10), (13, 5), (18, 10)])
@pytest.mark.parametrize("area", [0.5, 0.8, 0.95])
def test_the_interval_has_the_area_in_95_percent_of_small_studies(m, n, area):
    rng = np.random.default_rng(2026)
    shift, number = stats.norm.ppf(area) * np.sqrt(2), 300
    limits = [auc_delong(rng.normal(shift, 1, m), rng.normal(0, 1, n)) for _ in range(number)]
    covered = sum(low <= area <= high for _, low, high in limits)
    assert covered >= stats.binom.ppf(0.001, number, 0.95)


def test_one_person_has_an_area_without_an_interval_and_nobody_has_none():
    one = auc_delong(np.array([2.5]), np.array([1.0, 2.0, 3.0]))
    assert one == pytest.approx((2 / 3, np.nan, np.nan), nan_ok=True)
    assert np.isnan(auc_delong(np.array([]), np.array([1.0]))).all()


def test_threshold_keeps_the_specificity_and_has_procs_sensitivity_there():
    """R 4.2: in coords(r, "all") the best sensitivity at a specificity of 0.9 is 0.76923077, at 0.4725.

    prop.test(10, 13, correct = FALSE)$conf.int                        # Wilson's interval
    """
    cutoff = sensitivity_at(-PATIENTS, -CONTROLS)
    assert cutoff.threshold == -0.475  # the ninth of the controls; 0.4725 lies between it and a patient
    assert cutoff.specificity == 0.9
    assert cutoff.sensitivity == pytest.approx((10 / 13, 0.497436240533, 0.918204712815), abs=1e-9)


@pytest.mark.parametrize(("specificity", "threshold"), [(0.7, 7), (0.75, 8), (0.9, 9), (0.95, 10), (1, 10)])
def test_threshold_is_the_lowest_control_that_leaves_few_enough_above(specificity, threshold):
    controls = np.arange(1.0, 11.0)
    cutoff = sensitivity_at(np.array([7.5, 9.5, 20.0]), controls, specificity=specificity)
    assert cutoff.threshold == threshold
    assert cutoff.specificity == threshold / 10 >= specificity


def test_threshold_rests_on_the_controls_alone():
    thresholds = {sensitivity_at(np.array(p), CONTROLS).threshold for p in ([0.1], [0.558, 0.561], [9.0, 8.0])}
    assert thresholds == {0.56}


def test_tied_controls_are_on_the_same_side_of_the_threshold():
    """R 4.2: prop.test(2, 3, correct = FALSE)$conf.int."""
    cutoff = sensitivity_at(np.array([2, 3, 3]), np.array([0, 0, 0, 0, 0, 0, 0, 0, 2, 2]))
    assert cutoff == (2, pytest.approx((2 / 3, 0.207659600802, 0.938508055280)), 1.0)


@pytest.mark.parametrize("specificity", [0, 1.2, np.nan, 90])
def test_a_specificity_out_of_range_is_refused(specificity):
    with pytest.raises(InputError, match=r"above 0 and at most 1, for example 0\.9"):
        sensitivity_at(PATIENTS, CONTROLS, specificity=specificity)


def test_the_interval_has_the_sensitivity_of_its_threshold_in_95_percent_of_small_studies():
    rng = np.random.default_rng(8)
    covered, number = 0, 400
    for _ in range(number):
        cutoff = sensitivity_at(rng.normal(2, 1, 13), rng.normal(0, 1, 10))
        covered += cutoff.sensitivity.low <= stats.norm.sf(cutoff.threshold - 2) <= cutoff.sensitivity.high
    low, high = stats.binom.interval(0.999, number, 0.95)
    assert low <= covered <= high


def test_a_row_holds_the_numbers_of_its_measure_and_contrast(two_groups, tidy):
    """R 4.2: wilcox.test(PATIENTS, CONTROLS)$p.value, exact; for the scores with continuity correction."""
    fa = tidy(two_groups, fa=np.concatenate([PATIENTS, CONTROLS]))
    row = pick(table_of(fa, two_groups, groups=["ALS", "control"]), "ALS-control")
    assert row["p"] == pytest.approx(0.00024299297418156, rel=1e-9)
    assert row[["n_positive", "n_negative", "n_missing"]].tolist() == [13, 10, 0]
    assert row["direction"] == "lower"
    assert row[["auc", "ci_low", "ci_high"]].tolist() == pytest.approx([*auc_delong(-PATIENTS, -CONTROLS)])
    assert row["threshold"] == 0.475  # in the measure's unit, not turned round
    assert row[["sensitivity", "specificity"]].tolist() == pytest.approx([10 / 13, 0.9])
    assert row["note"] == ""


def test_tied_values_have_the_p_of_every_division_of_their_ranks_and_it_is_said(participants, tidy):
    """R 4.2: wilcox.test(SCORES, CONTROL_SCORES)$p.value is 0.0463, by the normal approximation."""
    people = participants.iloc[[*range(7), *range(18, 26)]]
    measures = tidy(people, motor_band_score=np.concatenate([SCORES, CONTROL_SCORES])).assign(modality="swi")
    row = pick(table_of(measures, people, groups=["ALS", "control"]), "ALS-control", "motor_band_score")
    ranks = stats.rankdata([*SCORES, *CONTROL_SCORES])
    sums = np.array([sum(chosen) for chosen in combinations(ranks, 7)])
    expected = (np.abs(sums - sums.mean()) >= abs(ranks[:7].sum() - sums.mean()) - 1e-9).mean()
    assert row["p"] == pytest.approx(expected, rel=1e-9)
    assert row["p"] == pytest.approx(0.0463, abs=0.02)
    assert row["note"].startswith("tied values: p over every division of the midranks")


def test_untied_ranks_have_the_p_of_the_exact_test_whichever_group_is_smaller(values):
    for m in (4, 13, 20):
        first, second = values[:m], values[m:] + 0.5
        expected = stats.mannwhitneyu(first, second, method="exact").pvalue
        assert permuted_ranks_p(first, second) == pytest.approx(expected, rel=1e-9)


def test_each_contrast_has_a_row_and_its_first_group_is_the_positive_class(participants, tidy, values):
    table = table_of(tidy(participants, fa=values), participants)
    assert table["contrast"].tolist() == CONTRASTS
    assert table["n_positive"].tolist() == [13, 13, 5, 18]
    assert table["n_negative"].tolist() == [5, 10, 10, 10]
    for contrast, first, second in zip(
        CONTRASTS, ("ALS", "ALS", "PLS", "ALS PLS"), ("PLS", *["control"] * 3), strict=True
    ):
        sides = [-values[participants["group"].isin(names.split())] for names in (first, second)]
        assert pick(table, contrast)["auc"] == pytest.approx(auc_delong(*sides).estimate)


def test_a_measure_against_expectation_has_an_area_below_one_half(participants, tidy, values):
    table = table_of(tidy(participants, fa=-values, md=values), participants)
    assert (table.loc[table["contrast"] != "ALS-PLS", "auc"] < 0.5).all()
    assert pick(table, "ALS-control", "fa")["direction"] == "lower"
    assert pick(table, "ALS-control", "md")["direction"] == "higher"
    assert table["note"].eq("").all()


def test_a_direction_that_nobody_declared_is_the_datas_and_said(participants, tidy, values):
    table = table_of(tidy(participants, ad=values, new=-values), participants)
    assert (table["auc"] >= 0.5).all()
    assert table["note"].eq("direction from the data").all()
    assert pick(table, "PLS-control", "ad")["direction"] == "lower"
    assert pick(table, "PLS-control", "new")["direction"] == "higher"


def test_a_region_may_have_a_direction_of_its_own_or_none(participants, tidy, values):
    measures = tidy(participants, volume=values).assign(modality="t1w")
    found = {}
    for region in ("gm", "csf", "tiv"):
        row = pick(table_of(measures.assign(region=region), participants), "ALS-control", "volume")
        found[region] = (row["direction"], row["note"])
    assert found == {"gm": ("lower", ""), "csf": ("higher", ""), "tiv": ("lower", "direction from the data")}


def test_damage_is_expected_in_the_patients_also_where_they_are_named_second(participants, tidy, values):
    measures = tidy(participants, fa=values)
    row = pick(table_of(measures, participants, contrasts=[("control", "ALS")]), "control-ALS")
    assert row["direction"] == "higher"
    assert row["auc"] == pytest.approx(pick(table_of(measures, participants), "ALS-control")["auc"])


def test_fdr_spans_the_primary_measures_of_one_contrast(participants, tidy):
    rng = np.random.default_rng(8)
    measures = tidy(participants, **{f"m{i}": rng.normal(size=28) for i in range(5)})
    chosen = [{"modality": "dwi", "measure": f"m{i}"} for i in range(4)]
    table = table_of(measures, participants, primary=chosen)
    for contrast in CONTRASTS:
        family = table[table["contrast"] == contrast]
        expected = multipletests(family["p"][:4], method="fdr_bh")[1]
        np.testing.assert_allclose(family["q_fdr"], [*expected, np.nan])


def test_who_is_left_out_is_counted_among_the_groups_of_the_contrast(participants, tidy, values):
    values[[0, 1]] = np.nan
    values[14] = np.inf
    table = table_of(tidy(participants, fa=values), participants)
    assert table["n_positive"].tolist() == [11, 11, 4, 15]
    assert table["n_missing"].tolist() == [3, 2, 1, 3]
    assert pick(table, "ALS-control")["note"] == "left out: no dwi image (2)"
    assert pick(table, "ALS-PLS")["note"] == "left out: no dwi image (2), infinite value (1)"


def test_a_group_of_one_has_an_area_and_a_sensitivity_but_no_interval_of_the_area(participants, tidy, values):
    values[14:18] = np.nan
    row = pick(table_of(tidy(participants, fa=values), participants), "PLS-control")
    assert row["n_positive"] == 1
    assert row[["ci_low", "ci_high"]].isna().all()
    assert np.isfinite(row[["auc", "p", "sens_ci_low", "sens_ci_high"]].astype(float)).all()
    assert "one participant only: PLS; no interval of the AUC" in row["note"]


def test_an_area_of_one_says_whose_interval_it_has(participants, tidy):
    values = np.where(participants["group"] == "control", 10.0, 0.0) + np.arange(28) / 100
    row = pick(table_of(tidy(participants, fa=values), participants), "PLS-control")
    assert row[["auc", "ci_high", "sensitivity", "specificity"]].tolist() == [1, 1, 1, 0.9]
    assert row["ci_low"] == pytest.approx(0.716546324706)
    assert row["p"] == pytest.approx(2 / 3003)
    assert "Newcombe" in row["note"]


def test_a_group_without_data_leaves_the_other_contrasts(participants, tidy, values):
    values[13:18] = np.nan
    table = table_of(tidy(participants, fa=values), participants)
    for contrast in ("ALS-PLS", "PLS-control"):
        row = pick(table, contrast)
        assert row[NUMBERS].isna().all()
        assert "no data: PLS; a group of the contrast has no data" in row["note"]
    assert np.isfinite(pick(table, "ALS-control")["auc"])
    assert pick(table, "patients-control")["auc"] == pick(table, "ALS-control")["auc"]


@pytest.mark.parametrize(
    ("made", "note"),
    [
        (np.full(28, 0.1), "every value is the same"),
        (np.full(28, np.nan), "a group of the contrast has no data"),
        (np.full(28, -np.inf), "a group of the contrast has no data"),
    ],
)
def test_values_without_a_curve_are_rows_with_a_note(participants, tidy, made, note):
    measures = tidy(participants, fa=made)
    table, points = table_of(measures, participants), points_of(measures, participants)
    assert table["contrast"].tolist() == points["contrast"].tolist() == CONTRASTS
    assert table[NUMBERS].isna().all(axis=None)
    assert points[["false_positive_rate", "true_positive_rate"]].isna().all(axis=None)
    for made_table in (table, points):
        assert made_table["note"].str.contains(note).all()


def test_a_measure_has_the_same_result_alone_as_among_others_and_in_any_order(participants, tidy, values):
    others = np.random.default_rng(0).normal(size=28)
    alone = table_of(tidy(participants, fa=values), participants, primary=[{"measure": "fa"}])
    shuffled = participants.sample(frac=1, random_state=1)
    measures = tidy(participants, md=others, fa=values).sample(frac=1, random_state=2)
    among = table_of(measures, shuffled, primary=[{"measure": "fa"}])
    among = among[among["measure"] == "fa"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)


def test_labels_of_any_script_and_length_are_told_apart(participants, tidy, values):
    names = {"ALS": "БАС" * 100, "PLS": "PLS – früh", "control": "健康"}
    people = participants.replace({"group": names})
    table = table_of(tidy(people, fa=values), people, groups=list(names.values()), reference="健康")
    plain = table_of(tidy(participants, fa=values), participants)
    np.testing.assert_array_equal(table[NUMBERS].astype(float), plain[NUMBERS].astype(float))
    assert table["contrast"].iloc[2] == "PLS – früh-健康"


def test_an_empty_table_classifies_to_an_empty_table(participants, tidy):
    empty = tidy(participants, fa=np.zeros(28)).iloc[:0]
    assert table_of(empty, participants).empty
    assert points_of(empty, participants).empty


def test_every_column_is_explained(participants, tidy, values):
    measures = tidy(participants, fa=values)
    assert list(table_of(measures, participants).columns) == column_names(classification_dictionary())
    assert list(points_of(measures, participants).columns) == column_names(roc_points_dictionary())
    assert "not for those of every measure" in classification_dictionary()["auc"]["Description"]


@pytest.mark.parametrize("digits", [8, 0])
def test_area_under_the_points_is_the_area_of_the_table(participants, tidy, values, digits):
    measures = tidy(participants, fa=np.round(values, digits))
    table, points = table_of(measures, participants), points_of(measures, participants)
    for contrast in CONTRASTS:
        curve = points.loc[points["contrast"] == contrast, ["false_positive_rate", "true_positive_rate"]].to_numpy()
        assert (curve[0].tolist(), curve[-1].tolist()) == ([0, 0], [1, 1])
        assert (np.diff(curve, axis=0) >= 0).all()
        assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(pick(table, contrast)["auc"])


def test_points_are_those_of_proc(two_groups, tidy):
    """R 4.2: coords(r, "all", ret = c("specificity", "sensitivity")), last line first."""
    measures = tidy(two_groups, fa=np.concatenate([PATIENTS, CONTROLS]))
    points = points_of(measures, two_groups, groups=["ALS", "control"])
    false = [0] * 8 + [0.1] * 4 + [0.2] * 3 + [0.3] * 2 + [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    true = np.array([*range(8), *range(7, 11), *range(10, 13), 12, *[13] * 8]) / 13
    np.testing.assert_allclose(points["false_positive_rate"], false, atol=1e-12)
    np.testing.assert_allclose(points["true_positive_rate"], true, atol=1e-12)


def test_only_primary_measures_have_points(participants, tidy, values):
    measures = tidy(participants, fa=values, md=values)
    assert set(points_of(measures, participants, primary=[{"measure": "md"}])["measure"]) == {"md"}
    assert points_of(measures, participants, primary=[]).empty
