"""Areas under the curve: two markers in the same people, pairs within sites, likelihood ratios."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.statistics.auc import area_within, compare_areas, likelihood_ratios, predictive_value
from mndmri.statistics.deviations import score_deviations
from mndmri.statistics.markers import compare_markers, markers_dictionary
from mndmri.statistics.prevalence import SCORE
from mndmri.statistics.roc import auc_delong, classify
from mndmri.tables.dictionaries import column_names

GROUPS = ["ALS", "control"]
OPTIONS = {"groups": GROUPS, "reference": "control"}


def kernel(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """1 where the positive is above the negative, half for a tie, shape (m, n)."""
    return np.heaviside(np.subtract.outer(positive, negative), 0.5)


def test_delong_s_paired_test_is_that_of_the_covariance_of_its_components():
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(0.8, 1, (2, 13)).round(1), rng.normal(0, 1, (2, 10)).round(1)
    positive[1] += positive[0]
    found = compare_areas((positive[0], negative[0]), (positive[1], negative[1]))
    tables = [kernel(positive[k], negative[k]) for k in (0, 1)]
    s10 = np.cov([t.mean(axis=1) for t in tables])
    s01 = np.cov([t.mean(axis=0) for t in tables])
    covariance = s10 / 13 + s01 / 10
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = tables[0].mean() - tables[1].mean()
    assert found.areas == pytest.approx((tables[0].mean(), tables[1].mean()))
    assert found.z == pytest.approx(difference / error)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(difference / error)))
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (difference - 1.959964 * error, difference + 1.959964 * error)
    )


def test_one_order_of_all_people_has_no_test():
    x, y = np.arange(5.0), np.arange(4.0) + 0.5
    assert np.isnan(compare_areas((x, y), (10 * x, 10 * y)).p)


def test_with_one_site_the_area_is_delong_s():
    rng = np.random.default_rng(1)
    positive, negative = rng.normal(1, 1, 13).round(1), rng.normal(0, 1, 10).round(1)
    found, p = area_within(positive, negative, (np.zeros(13), np.zeros(10)))
    assert found == pytest.approx(auc_delong(positive, negative))
    assert p == pytest.approx(stats.mannwhitneyu(positive, negative, method="asymptotic", use_continuity=False).pvalue)


def test_only_people_of_one_site_are_compared():
    rng = np.random.default_rng(2)
    positive, negative = rng.normal(0, 1, 20), rng.normal(0, 1, 20)
    left, right = np.repeat(list("AB"), [15, 5]), np.repeat(list("ABC"), [4, 14, 2])
    tables = [kernel(positive[left == s], negative[right == s]) for s in "AB"]
    expected = sum(t.sum() for t in tables) / sum(t.size for t in tables)
    shift = {"A": 5.0, "B": 0.0, "C": -9.0}
    moved = (positive + [shift[s] for s in left], negative + [shift[s] for s in right])
    found, _ = area_within(*moved, (left, right))
    assert found.estimate == pytest.approx(expected)
    assert found.low < expected < found.high
    nothing, p = area_within(positive, negative, (np.full(20, "A"), np.full(20, "B")))
    assert np.isnan(nothing.estimate) and np.isnan(p)


def test_markers_too_are_compared_within_sites():
    rng = np.random.default_rng(8)
    sites = np.repeat(list("AB"), [15, 5]), np.repeat(list("AB"), [4, 14])
    first, second = ((rng.normal(0.5, 1, 20), rng.normal(0, 1, 18)) for _ in range(2))
    plain = compare_areas(first, second, sites)
    moved = tuple(values + 7.0 * (where == "A") for values, where in zip(first, sites, strict=True))
    assert compare_areas(moved, second, sites).z == pytest.approx(plain.z)
    assert compare_areas(moved, second).areas[0] > compare_areas(first, second).areas[0] + 0.1
    assert plain.areas[0] == pytest.approx(area_within(*first, sites)[0].estimate)


def test_perfect_separation_within_sites_has_limits():
    found, p = area_within(np.arange(5.0) + 9, np.arange(4.0), (np.repeat([0, 1], [2, 3]), np.repeat([0, 1], [2, 2])))
    assert found.estimate == found.high == 1 and 0.3 < found.low < 0.95 and p < 0.05


def test_likelihood_ratios_use_the_specificity_that_new_people_have():
    plus, minus = likelihood_ratios(8, 13, 9, 10)
    assert plus.estimate == pytest.approx((8 / 13) / (2 / 11))
    assert minus.estimate == pytest.approx((5 / 13) / (9 / 11))
    rng = np.random.default_rng(3)
    drawn = rng.beta(8.5, 5.5, 400_000) / (1 - rng.beta(9, 2, 400_000))
    assert (plus.low, plus.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), rel=0.05)


def test_predictive_values_are_bayes_theorem():
    plus, _ = likelihood_ratios(8, 13, 9, 10)
    sensitivity, false = 8 / 13, 2 / 11
    value = predictive_value(plus, 0.3)
    assert value.estimate == pytest.approx(0.3 * sensitivity / (0.3 * sensitivity + 0.7 * false))
    assert value.low < value.estimate < value.high


def cohort(sizes: tuple[int, int], seed: int = 0) -> pd.DataFrame:
    rng, n = np.random.default_rng(seed), sum(sizes)
    people = pd.DataFrame({"participant_id": [f"s{i:03d}" for i in range(n)], "group": np.repeat(GROUPS, sizes)})
    return people.assign(age=rng.normal(60, 9, n), sex=np.resize(["F", "M"], n))


def tidy(people: pd.DataFrame, **values: np.ndarray) -> pd.DataFrame:
    return pd.concat(
        people[["participant_id", "group"]].assign(
            modality="dwi", measure=name, region="cst", hemi="L", value=y, unit="1", status="ok"
        )
        for name, y in values.items()
    )


def test_adjusted_area_is_that_of_the_w_scores_and_free_of_the_age_of_the_groups():
    people = cohort((40, 40))
    people["age"] += 12.0 * (people["group"] == "ALS")
    rng = np.random.default_rng(4)
    values = {f"m{k}": -0.12 * people["age"] + rng.normal(size=80) for k in range(12)}
    measures = tidy(people, **values)
    table = classify(measures, people, directions={("dwi", k): -1 for k in values}, covariates=["age"], **OPTIONS).table
    assert table["auc"].mean() > 0.65
    assert table["auc_adjusted"].mean() == pytest.approx(0.5, abs=0.06)
    w = score_deviations(measures, people, covariates=["age"], **OPTIONS).deviations.query("measure == 'm3'")["w_score"]
    own = table.set_index("measure").loc["m3"]
    expected = auc_delong(-w.to_numpy()[:40], -w.to_numpy()[40:])
    assert own[["auc_adjusted", "adjusted_ci_low", "adjusted_ci_high"]].tolist() == pytest.approx(expected)


def test_adjusted_area_is_of_the_w_scores_by_stored_norms_where_they_are_given():
    """Four controls are too few for a model of their own, and other people's norms judge them all."""
    others, people = cohort((0, 30), seed=1), cohort((13, 4), seed=2)
    rng = np.random.default_rng(8)
    of_others = tidy(others, fa=rng.normal(size=30) - 0.1 * others["age"])
    norms = score_deviations(of_others, others, covariates=["age"], groups=["control"], reference="control").norms
    measures = tidy(
        people, fa=rng.normal(size=17) - 0.1 * people["age"] - (people["group"] == "ALS"), md=rng.normal(size=17)
    )
    options = {"covariates": ["age"], "norms": norms, **OPTIONS}
    directions = {("dwi", "fa"): -1, ("dwi", "md"): 1}
    w = score_deviations(measures, people, **options).deviations.query("measure == 'fa'")["w_score"].to_numpy()
    table = classify(measures, people, directions=directions, **options).table.set_index("measure")
    expected = auc_delong(-w[:13], -w[13:])
    own = table.loc["fa", ["auc_adjusted", "adjusted_ci_low", "adjusted_ci_high"]]
    assert own.tolist() == pytest.approx(expected)
    assert "no adjusted AUC: not in the norms" in table.loc["md", "note"]
    sited = people.assign(site=np.resize(["A", "B"], 17))
    row = classify(measures, sited, directions=directions, site="site", **options).table.set_index("measure").loc["fa"]
    assert row["auc_adjusted"] == pytest.approx(expected.estimate)
    assert "not adjusted for site: the norms have it not" in row["note"]


def test_a_scanner_is_not_taken_for_disease_by_the_area_or_the_threshold():
    people = cohort((40, 40)).assign(site=np.r_[np.repeat(["A", "B"], [32, 8]), np.repeat(["A", "B"], [8, 32])])
    y = np.random.default_rng(5).normal(size=80) - 4.0 * (people["site"] == "A")
    options = {"directions": {("dwi", "fa"): -1}, **OPTIONS}
    mixed = classify(tidy(people, fa=y), people, **options).table.iloc[0]
    named = classify(tidy(people, fa=y), people, site="site", **options).table.iloc[0]
    assert mixed["auc"] > 0.75 and mixed["sensitivity"] > 0.1
    assert named["ci_low"] < 0.5 < named["ci_high"] and named["p"] > 0.05
    assert abs(named["threshold"]) < 3 and "threshold of W-scores" in named["note"]
    assert named["sens_ci_low"] < 0.1


def test_predictive_values_are_there_at_a_stated_prevalence_only():
    people = cohort((13, 10))
    measures = tidy(people, fa=np.random.default_rng(6).normal(size=23) - 2.0 * (people["group"] == "ALS"))
    options = {"directions": {("dwi", "fa"): -1}, **OPTIONS}
    without = classify(measures, people, **options).table.iloc[0]
    row = classify(measures, people, prevalence=0.4, **options).table.iloc[0]
    assert np.isnan(without["ppv"]) and np.isnan(without["npv_ci_low"])
    sensitivity, specificity = row["sensitivity"], row["specificity_new"]
    assert specificity == pytest.approx(9 / 11)
    assert row["npv"] == pytest.approx(0.6 * specificity / (0.6 * specificity + 0.4 * (1 - sensitivity)))
    assert row["npv_ci_low"] < row["npv"] < row["npv_ci_high"]
    assert row["lr_positive"] == pytest.approx(sensitivity / (1 - specificity))


def test_the_prevalence_of_patients_is_that_of_either_side_and_of_no_pair_of_patients():
    people = cohort((13, 10))
    measures = tidy(people, fa=np.random.default_rng(6).normal(size=23) - 2.0 * (people["group"] == "ALS"))
    options = {"directions": {("dwi", "fa"): -1}, "prevalence": 0.1, **OPTIONS}
    turned = classify(measures, people, contrasts=[["control", "ALS"]], **options).table.iloc[0]
    # the positive class are the controls, nine tenths of the people
    after = 9 * turned["lr_positive"]
    assert turned["ppv"] == pytest.approx(after / (1 + after))
    patients = people.assign(group=people["group"].replace({"control": "PLS"}))
    both = classify(
        measures.assign(group=patients["group"].to_numpy()),
        patients,
        **{**options, "groups": ["ALS", "PLS"], "reference": None},
    ).table
    assert both["ppv"].isna().all()


def test_markers_are_compared_in_those_who_have_both_each_in_its_direction():
    people = cohort((20, 15))
    rng = np.random.default_rng(7)
    sick = (people["group"] == "ALS").to_numpy()
    fa, md, odd = rng.normal(size=35) - sick, rng.normal(size=35) + 0.3 * sick, rng.normal(size=35)
    md[0], fa[34] = np.nan, np.nan
    options = {"directions": {("dwi", "fa"): -1, ("dwi", "md"): 1}, "primary": [{"modality": "dwi"}], **OPTIONS}
    table = compare_markers(tidy(people, fa=fa, md=md, odd=odd), people, **options)
    assert list(table.columns) == column_names(markers_dictionary())
    row = table.query("measure == 'fa' and measure_2 == 'md'").iloc[0]
    found = compare_areas((-fa[1:20], -fa[20:34]), (md[1:20], md[20:34]))
    assert (row["auc"], row["auc_2"], row["p"]) == pytest.approx((*found.areas, found.p))
    assert (row["n_positive"], row["n_negative"], row["n_missing"]) == (19, 14, 2)
    assert table.loc[table["measure_2"] == "odd", "note"].eq("no declared direction of damage").all()


def test_the_score_is_compared_with_the_reader_in_those_who_have_both():
    people = cohort((20, 15))
    rng = np.random.default_rng(8)
    sick = (people["group"] == "ALS").to_numpy()
    people["read"] = np.where(rng.random(35) < 0.3 + 0.5 * sick, 6.0, 0.0)
    people.loc[[2, 30], "read"] = np.nan
    score = rng.integers(0, 9, 35) + 2.0 * sick
    measures = people[["participant_id"]].assign(**SCORE, value=score, status="ok")
    options = {"directions": {("swi", "motor_band_score"): 1}, "primary": [{"modality": "dwi"}], **OPTIONS}
    assert compare_markers(measures, people, **options).empty
    row = compare_markers(measures, people, rated="read", **options).iloc[0]
    assert (row["measure"], row["modality_2"], row["measure_2"]) == ("motor_band_score", "rated", "read")
    assert (row["n_positive"], row["n_negative"], row["n_missing"]) == (19, 14, 2)
    known = people["read"].notna().to_numpy()
    expected = compare_areas(*((v[sick & known], v[~sick & known]) for v in (score, people["read"].to_numpy())))
    assert (row["auc"], row["auc_2"]) == pytest.approx(expected.areas)
    assert row["p"] == pytest.approx(expected.p)
