"""Raters of the motor band compared by area, with each other and with the program."""

import numpy as np
import pandas as pd
import pytest

from mndmri.statistics.agreement import intraclass_correlation, kappa
from mndmri.statistics.raters import (
    PAIRWISE,
    RATERS,
    rater_agreement,
    rater_agreement_dictionary,
)
from mndmri.tables.dictionaries import column_names

AREAS = [(area, hemi) for area in ("leg", "hand", "face") for hemi in "LR"]
GROUPS = ["ALS", "PLS", "control"]


@pytest.fixture
def truth(participants):
    """Grades of everybody in six areas, shape (28, 6); every third person has no band."""
    grades = np.random.default_rng(0).integers(0, 3, (len(participants), 6))
    grades[::3] = 0
    return grades


def rated(participants, grades, rater):
    rows = [
        {"participant_id": who, "rater": rater, "region": area, "hemi": hemi, "rating": float(value)}
        for who, own in zip(participants["participant_id"], grades, strict=True)
        for (area, hemi), value in zip(AREAS, own, strict=True)
    ]
    return pd.DataFrame(rows)


def scored(participants, grades):
    rows = rated(participants, grades, "").rename(columns={"rating": "value"})
    rows["region"] = "precentral_" + rows["region"]
    total = pd.DataFrame(
        {
            "participant_id": participants["participant_id"],
            "region": "precentral",
            "hemi": "both",
            "value": np.sum(grades, axis=1, dtype=float),
        }
    )
    return pd.concat([rows, total]).assign(modality="swi", measure="motor_band_score", status="ok")


def compared(ratings, measures, participants):
    table = rater_agreement(ratings, measures, participants, groups=GROUPS)
    assert list(table) == column_names(rater_agreement_dictionary())
    return table


def cell(table, first, second, region, hemi, statistic):
    chosen = table.query("first == @first and region == @region and hemi == @hemi and statistic == @statistic")
    chosen = chosen[chosen["second"].isna() if second is None else chosen["second"] == second]
    assert len(chosen) == 1
    return chosen.iloc[0]


def noisy(grades, seed):
    rng = np.random.default_rng(seed)
    return np.clip(grades + rng.choice([-1, 0, 0, 0, 1], grades.shape), 0, 2)


def test_every_pair_every_area_and_every_statistic_has_a_row(participants, truth):
    raters = pd.concat([rated(participants, noisy(truth, n), name) for n, name in enumerate(["AB", "CD", "EF"])])
    table = compared(raters, scored(participants, truth), participants)
    pairs = table[["first", "second"]].drop_duplicates().fillna("").to_numpy().tolist()
    assert pairs == [
        *(["AB", "CD"], ["AB", "EF"], ["CD", "EF"]),
        *(["AB", "automated"], ["CD", "automated"], ["EF", "automated"]),
        [RATERS, ""],
    ]
    # areas and sums, the sign; a kappa of all areas with two weights; what the score finds, of each area and the sign
    assert len(table) == 6 * (10 * len(PAIRWISE) + 2 + 2) + 3 * 7 * 2 + 10
    assert table["n"].eq(28).all() and table["n_missing"].eq(0).all()
    known = table[table["note"] == ""]
    assert (known["ci_low"] <= known["estimate"]).all() and (known["estimate"] <= known["ci_high"]).all()
    # a kappa of 1 has no large-sample error
    others = table[table["note"] != ""]
    assert set(others["statistic"]) == {"sign_kappa"} and others["estimate"].eq(1).all()


def test_numbers_of_an_area_are_those_of_its_ratings(participants, truth):
    first, second = noisy(truth, 1), noisy(truth, 2)
    both = pd.concat([rated(participants, first, "AB"), rated(participants, second, "CD")])
    table = compared(both, scored(participants, truth), participants)
    place = AREAS.index(("hand", "R"))
    own = cell(table, "AB", "CD", "precentral_hand", "R", "kappa_quadratic")
    assert own["estimate"] == pytest.approx(kappa(first[:, place], second[:, place], top=2).interval.estimate)
    sums = [grades[:, 2:4].sum(axis=1) for grades in (first, second)]
    whole = cell(table, "AB", "CD", "precentral_hand", "both", "icc")
    assert whole["estimate"] == pytest.approx(
        intraclass_correlation(np.column_stack(sums).astype(float)).interval.estimate
    )
    bias = cell(table, "AB", "automated", "precentral", "both", "bias")
    assert bias["estimate"] == pytest.approx((first.sum(axis=1) - truth.sum(axis=1)).mean())


def test_a_rater_who_sees_what_the_program_sees_agrees_wholly(participants, truth):
    table = compared(rated(participants, truth, "AB"), scored(participants, truth), participants)
    assert cell(table, "AB", "automated", "precentral_leg", "L", "agreement")["estimate"] == 100
    assert cell(table, "AB", "automated", "precentral_leg", "L", "kappa_linear")["estimate"] == 1
    assert cell(table, "AB", "automated", "precentral", "both", "sign_kappa")["estimate"] == 1
    assert cell(table, "AB", "automated", "precentral", "both", "bias")["estimate"] == 0


def test_a_total_that_nobody_has_is_told_of_the_sign_and_an_area_of_the_band(participants, truth):
    """One faint area in everybody: a band there, and no sign, which needs three points."""
    faint = np.zeros_like(truth)
    faint[:, 0] = 1
    table = compared(rated(participants, faint, "AB"), scored(participants, truth), participants)
    assert cell(table, "AB", "automated", "precentral", "both", "sensitivity")["note"] == "nobody has the sign"
    assert cell(table, "AB", "automated", "precentral_leg", "L", "specificity")["note"] == "everybody has a band"
    assert cell(table, "AB", "automated", "precentral_leg", "R", "sensitivity")["note"] == "nobody has a band"


def test_swapped_sides_are_seen_by_side_and_not_in_the_sums(participants, truth):
    swapped = truth[:, [1, 0, 3, 2, 5, 4]]
    table = compared(rated(participants, swapped, "AB"), scored(participants, truth), participants)
    assert cell(table, "AB", "automated", "precentral_leg", "both", "agreement")["estimate"] == 100
    assert cell(table, "AB", "automated", "precentral_leg", "L", "agreement")["estimate"] == pytest.approx(
        100 * np.mean(truth[:, 0] == truth[:, 1])
    )


def test_total_needs_all_areas_and_who_has_not_rated_is_counted(participants, truth):
    ratings = rated(participants, truth, "AB")
    ratings.loc[(ratings["participant_id"] == "sub-03") & (ratings["region"] == "leg"), "rating"] = np.nan
    ratings = ratings[ratings["participant_id"] != "sub-04"]
    table = compared(ratings, scored(participants, truth), participants)
    total = cell(table, "AB", "automated", "precentral", "both", "icc")
    assert (total["n"], total["n_missing"]) == (26, 2)
    face = cell(table, "AB", "automated", "precentral_face", "L", "icc")
    assert (face["n"], face["n_missing"]) == (27, 1)


def test_kappa_of_all_areas_is_that_of_the_ratings_one_below_the_other(participants, truth):
    seen = noisy(truth, 1)
    table = compared(rated(participants, seen, "AB"), scored(participants, truth), participants)
    own = cell(table, "AB", "automated", "all areas", "both", "kappa_quadratic")
    assert own["estimate"] == pytest.approx(kappa(seen.ravel(), truth.ravel(), top=2).interval.estimate)
    assert own["ci_low"] < own["estimate"] < own["ci_high"]
    assert (own["n"], own["n_missing"]) == (28, 0)


def test_what_the_score_finds_is_judged_by_the_rater(participants, truth):
    found = np.where(truth == 1, 0, truth)  # it misses what is mild
    table = compared(rated(participants, truth, "AB"), scored(participants, found), participants)
    own = table.query("region == 'precentral_leg' and hemi == 'L'").set_index("statistic")["estimate"]
    bands = truth[:, 0] > 0
    assert own["sensitivity"] == pytest.approx(100 * (truth[bands, 0] == 2).mean())
    assert own["specificity"] == 100


def test_without_a_score_the_rows_say_so(participants, truth, tidy):
    table = compared(rated(participants, truth, "AB"), tidy(participants, fa=np.zeros(28)), participants)
    assert table["estimate"].isna().all()
    assert set(table["note"]) == {"no participant has both"}
