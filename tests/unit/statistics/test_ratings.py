"""Scores of whole numbers, compared by permutation of their ranks wherever a test is reported."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.statistics.comparisons import compare_groups
from mndmri.statistics.equivalence import equivalence_table
from mndmri.statistics.families import holm
from mndmri.statistics.influence import influence_table
from mndmri.statistics.pasting import widen_comparisons
from mndmri.statistics.prevalence import SCORE
from mndmri.statistics.roc import classify
from mndmri.statistics.sensitivity import sensitivity_table

GROUPS = ["ALS", "PLS", "control"]
STUDY = {"groups": GROUPS, "reference": "control"}
SCORES = {"ALS": [0, 4, 6, 12, 3, 8], "PLS": [5, 0, 3, 2], "control": [0, 0, 1, 0, 0, 3]}


def study(scores):
    owner = [name for name, values in scores.items() for _ in values]
    people = pd.DataFrame({"participant_id": [f"sub-{n:03d}" for n in range(len(owner))], "group": owner})
    people["age"] = np.random.default_rng(2).normal(60, 8, len(people))
    values = np.concatenate(list(scores.values())).astype(float)
    measures = people[["participant_id"]].assign(**SCORE, value=values, unit="1", status="ok")
    return measures, people


def enumerated(first, second):
    """Share of all divisions of the midranks whose sum is as far from its mean."""
    ranks = stats.rankdata([*first, *second])
    sums = np.array([sum(chosen) for chosen in combinations(ranks, len(first))])
    distance = np.abs(sums - len(first) * ranks.mean())
    return float(np.mean(distance >= abs(sum(ranks[: len(first)]) - len(first) * ranks.mean()) - 1e-9))


@pytest.fixture(scope="module")
def table():
    measures, people = study(SCORES)
    # who has no age has a score, and is compared by it
    people.loc[3, "age"] = np.nan
    return compare_groups(measures, people, covariates=["age"], n_permutations=2000, **STUDY)


def reported(table):
    return table[table["reported"] == "yes"].set_index("contrast")


def test_reported_are_exact_permutations_of_the_midranks_of_everybody_with_a_score(table):
    rows = reported(table)
    assert list(rows["test"]) == ["permuted_ranks"] * 5
    for first, second in combinations(GROUPS, 2):
        assert rows.loc[f"{first}-{second}", "p"] == pytest.approx(enumerated(SCORES[first], SCORES[second]))
    patients = [*SCORES["ALS"], *SCORES["PLS"]]
    assert rows.loc["patients-control", "p"] == pytest.approx(enumerated(patients, SCORES["control"]))
    assert (rows["n_ALS"] == 6).all()
    assert "over every division" in rows.loc["ALS-control", "note"]
    # Welch's test stands beside it, without the person without an age
    welch = table[(table["test"] == "ancova_welch") & (table["contrast"] == "ALS-control")].iloc[0]
    assert welch["reported"] == "no" and welch["n_ALS"] == 5


def test_all_groups_are_divided_at_random_as_often_as_would_be_by_enumeration():
    measures, people = study({"ALS": [4, 6, 12], "PLS": [5, 0, 3], "control": [0, 1, 0]})
    values = measures["value"].to_numpy()

    def kruskal(chosen):
        return stats.kruskal(values[list(chosen[0])], values[list(chosen[1])], values[list(chosen[2])]).statistic

    divisions = []
    for first in combinations(range(9), 3):
        rest = [n for n in range(9) if n not in first]
        divisions += [(first, own, [n for n in rest if n not in own]) for own in combinations(rest, 3)]
    exact = np.mean([kruskal(own) >= kruskal(([0, 1, 2], [3, 4, 5], [6, 7, 8])) - 1e-9 for own in divisions])
    row = reported(compare_groups(measures, people, n_permutations=20_000, **STUDY)).loc["group"]
    assert 0.02 < exact < 0.9
    assert row["p"] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))
    again = reported(compare_groups(measures, people, n_permutations=20_000, **STUDY)).loc["group"]
    assert again["p"] == row["p"]
    assert "20000 random divisions" in row["note"]


def test_large_groups_have_the_normal_approximation_and_say_so():
    rng = np.random.default_rng(3)
    scores = {"ALS": rng.integers(0, 5, 80), "control": rng.integers(0, 4, 75)}
    measures, people = study(scores)
    rows = reported(compare_groups(measures, people, n_permutations=0, groups=["ALS", "control"], reference="control"))
    row = rows.loc["ALS-control"]
    assert row["p"] == pytest.approx(stats.mannwhitneyu(*scores.values(), method="asymptotic").pvalue)
    assert "normal approximation" in row["note"]


def test_a_few_patients_and_many_controls_without_a_band_are_compared_exactly():
    """The one who has a band is one of the five in 5 of 65 divisions; the normal approximation has p < 0.001."""
    measures, people = study({"PLS": [0, 0, 0, 0, 6], "control": [0] * 60})
    row = reported(
        compare_groups(measures, people, n_permutations=0, groups=["PLS", "control"], reference="control")
    ).loc["PLS-control"]
    assert row["p"] == pytest.approx(5 / 65)
    assert "over every division" in row["note"]


def test_the_confirmatory_family_is_one_of_scores_and_other_measures():
    measures, people = study(SCORES)
    fa = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}
    values = np.random.default_rng(4).normal(size=len(people)) - 2 * (people["group"] == "ALS")
    both = pd.concat([measures, measures.assign(**fa, value=values)])
    table = compare_groups(both, people, n_permutations=0, primary=[SCORE, fa], **STUDY)
    pairs = table[(table["reported"] == "yes") & ~table["contrast"].isin(["group", "patients-control"])]
    assert len(pairs) == 6 and set(pairs["test"]) == {"permuted_ranks", "ancova_welch"}
    np.testing.assert_allclose(pairs["p_confirmatory"].astype(float), holm(pairs["p"].to_numpy(float)))


def test_the_same_p_stands_in_every_table(table):
    measures, people = study(SCORES)
    p = reported(table)["p"].drop("group")
    wide = widen_comparisons(table, groups=GROUPS).set_index("contrast")
    np.testing.assert_allclose(wide.loc[p.index, "p"].astype(float), p)
    directions = {("swi", "motor_band_score"): 1}
    areas = classify(measures, people, directions=directions, **STUDY).table.set_index("contrast")
    np.testing.assert_allclose(areas.loc[p.index, "p"].astype(float), p)
    influence = influence_table(measures, people, primary=None, covariates=["age"], **STUDY).set_index("contrast")
    np.testing.assert_allclose(influence.loc[p.index, "p"].astype(float), p)
    main = sensitivity_table(measures, people, covariates=["age"], **STUDY).query("variant == 'main'")
    np.testing.assert_allclose(main.set_index("contrast").loc[p.index, "p"].astype(float), p)
    assert equivalence_table(measures, people, margin_sd=0.5, **STUDY)["note"].eq("a rating, compared by ranks").all()


def test_a_rating_has_no_variant_that_changes_covariates_alone():
    measures, people = study(SCORES)
    motion = pd.Series(0.2, people["participant_id"][1:])
    found = sensitivity_table(measures, people, covariates=["age"], motion=motion, flagged={}, **STUDY)
    assert set(found["variant"]) == {"main", "without_flagged"}
    assert (found["n_missing"] == 0).all()


def test_a_person_left_out_is_left_out_of_the_ranks():
    measures, people = study(SCORES)
    row = influence_table(measures, people, primary=None, **STUDY).set_index("contrast").loc["PLS-control"]
    left = [enumerated(np.delete(SCORES["PLS"], n), SCORES["control"]) for n in range(4)]
    left += [enumerated(SCORES["PLS"], np.delete(SCORES["control"], n)) for n in range(6)]
    assert (row["p_low"], row["p_high"]) == pytest.approx((min(left), max(left)))


def test_a_score_that_nobody_varies_in_has_a_reason():
    measures, people = study({name: [0] * 5 for name in GROUPS})
    rows = reported(compare_groups(measures, people, n_permutations=0, **STUDY))
    assert rows["p"].isna().all() and rows["note"].str.contains("every value is the same").all()
