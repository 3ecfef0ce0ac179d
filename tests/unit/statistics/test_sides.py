"""Measures by the side of onset, and contralateral against ipsilateral."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.statistics.sides import add_sides, assumed_sides, compare_sides, side_of_onset

GROUPS = ["ALS", "control"]
OPTIONS = {"onset_side": "onset", "groups": GROUPS, "reference": "control"}
ONSET = ["L", "right", "Left", "R", "bulbar", "L", "R", "R", np.nan, "L"]


def cohort(onset: list = ONSET, n_controls: int = 4) -> pd.DataFrame:
    n = len(onset)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(n + n_controls)],
            "group": ["ALS"] * n + ["control"] * n_controls,
            "onset": [*onset, *[np.nan] * n_controls],
        }
    )


def measured(people: pd.DataFrame, left: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    key = {"modality": "dwi", "measure": "fa", "region": "cst", "unit": "1", "n_voxels": 5}
    return pd.concat(
        people[["participant_id", "group"]].assign(
            **key, hemi=hemi, value=y, status=np.where(np.isnan(y), "no dwi image", "ok")
        )
        for hemi, y in (("L", left), ("R", right))
    )


def noise(people: pd.DataFrame, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=len(people)), rng.normal(size=len(people))


def test_the_contralateral_hemisphere_is_the_one_opposite_to_the_limb():
    people = cohort()
    left, right = noise(people)
    table = add_sides(measured(people, left, right), side_of_onset(people, "onset"))
    wide = table.pivot(index="participant_id", columns="hemi", values="value")
    assert wide.loc["sub-00", ["contra", "ipsi"]].tolist() == [right[0], left[0]]
    assert wide.loc["sub-01", ["contra", "ipsi"]].tolist() == [left[1], right[1]]
    assert wide.loc[["sub-04", "sub-08"], ["contra", "ipsi"]].isna().all(axis=None)
    assert wide["mean"].to_numpy() == pytest.approx((left + right) / 2)
    row = table.query("hemi == 'contra' and participant_id == 'sub-04'").iloc[0]
    assert (row["status"], row["n_voxels"]) == ("no side of onset", 0)


def test_a_missing_side_is_missing_in_the_mean_with_its_reason():
    people = cohort()
    left, right = noise(people)
    right[0] = np.nan
    table = add_sides(measured(people, left, right), side_of_onset(people, "onset"))
    row = table.query("hemi == 'mean' and participant_id == 'sub-00'").iloc[0]
    assert np.isnan(row["value"]) and row["status"] == "no dwi image"


def test_measures_without_sides_gain_none():
    people = cohort()
    table = measured(people, *noise(people)).query("hemi == 'L'").assign(hemi="both")
    assert add_sides(table, side_of_onset(people, "onset")).equals(table)


def test_controls_are_given_sides_in_the_proportion_of_the_patients_whatever_their_order():
    people = cohort(["R"] * 3 + ["L"], n_controls=20)
    onset = side_of_onset(people, "onset")
    sides = assumed_sides(people, onset, reference="control")
    assert (sides[4:] == "R").sum() == 15
    shuffled = people.sample(frac=1, random_state=1)
    again = assumed_sides(shuffled, side_of_onset(shuffled, "onset"), reference="control")
    assert again.sort_index().tolist() == sides.sort_index().tolist()
    assert sides[:4].tolist() == onset[:4].tolist()


def test_tests_of_contra_against_ipsi_are_those_of_scipy():
    people = cohort()
    left, right = noise(people, 3)
    rows = compare_sides(measured(people, left, right), people, **OPTIONS).set_index("test")
    on_left, on_right = [0, 2, 5, 9], [1, 3, 6, 7]
    contra, ipsi = np.r_[right[on_left], left[on_right]], np.r_[left[on_left], right[on_right]]
    paired = stats.ttest_rel(contra, ipsi)
    own = rows.loc["paired_t"]
    assert (own["statistic"], own["p"], own["df"]) == pytest.approx((paired.statistic, paired.pvalue, 7))
    limits = paired.confidence_interval()
    assert (own["ci_low"], own["ci_high"]) == pytest.approx((limits.low, limits.high))
    assert (own["n_left"], own["n_right"], own["n_missing"]) == (4, 4, 2)
    # contra - ipsi is left - right for onset on the right, and its reverse for onset on the left
    asymmetry = left - right
    welch = stats.ttest_ind(asymmetry[on_right], asymmetry[on_left], equal_var=False)
    own = rows.loc["paired_t_asymmetry"]
    assert (own["statistic"], own["p"], own["df"]) == pytest.approx((welch.statistic, welch.pvalue, welch.df))
    limits = welch.confidence_interval()
    assert (own["ci_low"], own["ci_high"]) == pytest.approx((limits.low / 2, limits.high / 2))
    ranks = stats.wilcoxon(contra, ipsi, method="exact")
    assert rows.loc["signed_rank", "p"] == pytest.approx(ranks.pvalue)


def test_exact_limits_are_the_shifts_that_the_signed_rank_test_does_not_reject():
    people = cohort(["R"] * 12)
    left, right = noise(people, 4)
    row = compare_sides(measured(people, left, right), people, **OPTIONS).set_index("test").loc["signed_rank"]
    difference = (left - right)[:12]
    assert row["estimate"] == pytest.approx(
        np.median([(a + b) / 2 for i, a in enumerate(difference) for b in difference[i:]])
    )
    for limit, outward in ((row["ci_low"], -1e-6), (row["ci_high"], 1e-6)):
        assert stats.wilcoxon(difference - limit - outward, method="exact").pvalue <= 0.05
        assert stats.wilcoxon(difference - limit + outward, method="exact").pvalue > 0.05


def test_five_patients_have_no_limits_of_ranks():
    people = cohort(["R"] * 5)
    row = compare_sides(measured(people, *noise(people)), people, **OPTIONS).set_index("test").loc["signed_rank"]
    assert np.isnan(row["ci_low"]) and "no limits of 95% exist for 5" in row["note"]


def test_the_asymmetry_of_healthy_brains_is_not_taken_for_the_side_of_onset():
    """Left above right by 2 SD in everyone, and onset on the right in 27 of 36."""
    p = []
    for seed in range(60):
        people = cohort(["R"] * 27 + ["L"] * 9)
        left, right = noise(people, seed)
        p.append(compare_sides(measured(people, left + 2, right), people, **OPTIONS).set_index("test")["p"])
    found = (pd.DataFrame(p) < 0.05).mean()
    assert found["paired_t"] > 0.4
    assert found["paired_t_asymmetry"] < 0.15


def test_nobody_with_a_side_is_rows_with_a_reason():
    people = cohort(["bulbar"] * 4)
    rows = compare_sides(measured(people, *noise(people)), people, **OPTIONS)
    assert rows["p"].isna().all() and rows["note"].str.contains("fewer than two patients").all()
    assert rows["note"].str.contains("no side of onset (4)", regex=False).all()
