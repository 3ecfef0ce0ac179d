"""The sensitivity table: each variant is the main analysis of other people or with other covariates."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.statistics import compare_groups
from mndmri.statistics.sensitivity import (
    CALIPER,
    match_pairs,
    sensitivity_dictionary,
    sensitivity_table,
)
from mndmri.tables.dictionaries import column_names

GROUPS = ["ALS", "PLS", "control"]
SAME = {"groups": GROUPS, "reference": "control"}
COVARIATES = ["age", "sex"]


def vary(measures, participants, **options):
    return sensitivity_table(measures, participants, **(SAME | {"covariates": COVARIATES} | options))


def compare(measures, participants, **options):
    settings = SAME | {"covariates": COVARIATES, "n_permutations": 0} | options
    table = compare_groups(measures, participants, **settings)
    return table[(table["reported"] == "yes") & (table["contrast"] != "group")]


def pick(table, variant):
    return table[table["variant"] == variant].reset_index(drop=True)


def assert_agrees(found, expected):
    """The rows of a variant are those of another comparison, contrast by contrast."""
    assert found["contrast"].tolist() == expected["contrast"].tolist()
    for name, other in (
        *((c, c) for c in ("estimate", "ci_low", "ci_high", "p", "n_ALS", "n_PLS", "n_control")),
        ("adjusted_g", "adjusted_g"),
    ):
        np.testing.assert_allclose(found[name].astype(float), expected[other].astype(float), rtol=1e-9, err_msg=name)


@pytest.fixture
def values(participants):
    rng = np.random.default_rng(11)
    shift = participants["group"].map({"ALS": -1.0, "PLS": -2.0, "control": 0.0})
    return (shift + 0.05 * participants["age"] + rng.normal(size=28)).to_numpy()


@pytest.fixture
def measures(participants, tidy, values):
    return tidy(participants, fa=values)


def test_main_is_the_comparison_as_analysed(measures, participants):
    main = pick(vary(measures, participants), "main")
    assert_agrees(main, compare(measures, participants))
    assert (main["change_percent"] == 0).all()
    assert (main["same_sign"] == "yes").all()


def test_without_flagged_is_the_comparison_without_these_people(measures, participants):
    out = ["sub-01", "sub-14", "sub-20"]
    row = pick(vary(measures, participants, flagged={"dwi": {*out, "sub-99"}, "t1w": {"sub-02"}}), "without_flagged")
    assert_agrees(row, compare(measures, participants[~participants["participant_id"].isin(out)]))
    assert (row["n_missing"] == 3).all()
    assert (row["note"] == "left out: flagged by quality control (3)").all()


def test_who_is_flagged_and_has_no_value_keeps_the_reason_for_that(participants, tidy, values):
    values[1] = np.nan
    row = pick(vary(tidy(participants, fa=values), participants, flagged={"dwi": {"sub-01"}}), "without_flagged")
    assert (row["note"] == "left out: no dwi image (1)").all()


def test_a_modality_of_which_nobody_is_flagged_is_as_in_main_and_says_so(measures, participants):
    table = vary(measures, participants, flagged={"t1w": {"sub-01"}})
    row = pick(table, "without_flagged")
    assert row["estimate"].tolist() == pick(table, "main")["estimate"].tolist()
    assert (row["note"] == "nobody flagged: as main").all()


def test_motion_is_one_more_covariate_whatever_its_order(measures, participants):
    motion = pd.Series(np.random.default_rng(1).gamma(2, 0.1, 28), participants["participant_id"])
    row = pick(vary(measures, participants, motion=motion.sample(frac=1, random_state=0)), "motion_covariate")
    people = participants.assign(fd=motion.to_numpy())
    assert_agrees(row, compare(measures, people, covariates=[*COVARIATES, "fd"]))
    assert (row["note"] == "").all()


def test_motion_of_another_scan_is_said_and_who_has_none_is_left_out(measures, participants):
    motion = pd.Series(np.linspace(0.1, 0.9, 28), participants["participant_id"]).iloc[:-2]
    motion.iloc[0] = np.inf
    row = pick(vary(measures.assign(modality="t1w"), participants, motion=motion), "motion_covariate").iloc[1]
    assert row[["contrast", "n_ALS", "n_control", "n_missing"]].tolist() == ["ALS-control", 12, 8, 3]
    assert row["note"] == "left out: no head motion (3); motion of the dwi scan"


def test_motion_that_is_a_covariate_of_the_measure_already_is_as_in_main_and_says_so(measures, participants):
    motion = pd.Series(np.random.default_rng(1).gamma(2, 0.1, 28), participants["participant_id"])
    motion.iloc[3] = np.nan
    people = participants.assign(**{"mean_fd (dwi)": motion.to_numpy()})
    table = vary(measures, people, motion=motion, measure_covariates={"dwi": ["mean_fd"]})
    row = pick(table, "motion_covariate")
    assert row["estimate"].tolist() == pytest.approx(pick(table, "main")["estimate"].tolist())
    assert row["note"].str.endswith("motion is a covariate already: as main").all()
    other = pick(vary(measures, people, motion=motion), "motion_covariate")
    assert not other["note"].str.contains("already").any()


def test_motion_that_explains_a_difference_takes_it_away(participants, tidy):
    rng = np.random.default_rng(5)
    motion = np.where(participants["group"] == "control", 0.2, 0.6) + rng.normal(0, 0.15, 28)
    table = vary(
        tidy(participants, fa=-2 * motion + rng.normal(0, 0.05, 28)),
        participants,
        motion=pd.Series(motion, participants["participant_id"]),
    )
    table = table[table["contrast"] == "ALS-control"].set_index("variant")
    assert table.loc["main", "p"] < 0.001
    assert table.loc["motion_covariate", "p"] > 0.05
    assert table.loc["motion_covariate", "change_percent"] < -70


def test_without_covariates_is_the_plain_difference_of_the_same_people(measures, participants, values):
    participants.loc[0, "age"] = np.nan
    row = pick(vary(measures, participants), "without_covariates").set_index("contrast")
    assert row.loc["ALS-control", "estimate"] == pytest.approx(values[1:13].mean() - values[18:].mean())
    assert row.loc["ALS-control", "n_ALS"] == 12


def test_each_site_is_left_out_in_turn(measures, participants):
    participants.loc[[3, 20, 21], "site"] = "Graz"
    table = vary(measures, participants, site="site", covariates=["age", "site"])
    variants = table["variant"].unique().tolist()
    assert variants == ["main", "without_covariates", *(f"without_site_{s}" for s in ("Graz", "Linz", "Łódź"))]
    for site in ("Graz", "Linz", "Łódź"):
        rest = participants[participants["site"] != site]
        assert_agrees(pick(table, f"without_site_{site}"), compare(measures, rest, covariates=["age", "site"]))
    assert pick(table, "without_site_Graz")["note"].iloc[0] == "left out: site Graz (3)"


def test_the_only_site_is_not_left_out(measures, participants):
    table = vary(measures, participants.assign(site="Graz"), site="site")
    assert not table["variant"].str.startswith("without_site").any()


def test_age_matched_is_the_comparison_of_the_pairs_alone(measures, participants):
    table = vary(measures, participants, age="age", sex="sex")
    matched = pick(table, "age_matched").set_index("contrast")
    for contrast, left in (("ALS-control", ["ALS"]), ("patients-control", ["ALS", "PLS"])):
        people = participants.set_index("participant_id")
        sides = [people[people["group"].isin(side)] for side in (left, ["control"])]
        pairs, caliper = match_pairs(*sides, age="age", same=["sex"])
        kept = participants[participants["participant_id"].isin(np.ravel(pairs))]
        groups = [*left, "control"]
        expected = compare(measures, kept, groups=groups).set_index("contrast").loc[contrast]
        row = matched.loc[contrast]
        assert row[["estimate", "p"]].tolist() == pytest.approx(expected[["estimate", "p"]].tolist())
        assert row[[f"n_{name}" for name in left]].sum() == row["n_control"] == len(pairs)
        assert row["n_missing"] == len(sides[0]) + len(sides[1]) - 2 * len(pairs)
        assert f"{len(pairs)} pairs, age within {caliper:.3g}" in row["note"]
        assert np.isfinite(row["p"])
    assert matched.loc["ALS-control", "n_PLS"] == 0


def test_matching_takes_away_a_difference_that_age_makes_without_a_model():
    rng = np.random.default_rng(0)
    n = 150
    age = np.concatenate([rng.normal(66, 8, n), rng.normal(58, 8, n)])
    people = pd.DataFrame(
        {"participant_id": [f"{i:03d}" for i in range(2 * n)], "group": np.repeat(["ALS", "control"], n), "age": age}
    )
    place = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "status": "ok"}
    measures = people[["participant_id"]].assign(value=-((age - 40) ** 2) / 400 + rng.normal(0, 0.1, 2 * n), **place)
    table = sensitivity_table(measures, people, groups=["ALS", "control"], reference="control", age="age")
    table = table.set_index("variant")
    assert table.loc["main", "estimate"] < -0.5
    assert abs(table.loc["age_matched", "estimate"]) < 0.1
    assert table.loc["age_matched", "n_ALS"] > 80


@pytest.mark.parametrize("seed", range(8))
def test_matching_makes_the_most_pairs_and_of_those_the_nearest(seed):
    rng = np.random.default_rng(seed)
    left, right = (
        pd.DataFrame(
            {"age": rng.normal(60, 6, n).round(0), "sex": rng.choice(["F", "M"], n)}, [f"{s}{i}" for i in range(n)]
        )
        for s, n in (("a", 4), ("b", 5))
    )
    pairs, caliper = match_pairs(left, right, age="age", same=["sex"])
    pooled = (3 * left["age"].var() + 4 * right["age"].var()) / 7
    assert caliper == pytest.approx(CALIPER * np.sqrt(pooled))
    allowed = {
        (a, b): abs(left.age[a] - right.age[b])
        for a in left.index
        for b in right.index
        if left.sex[a] == right.sex[b] and abs(left.age[a] - right.age[b]) <= caliper
    }

    def is_matching(chosen):
        return len(set(np.ravel(chosen))) == 2 * len(chosen)

    best = max(k for k in range(5) if any(map(is_matching, combinations(allowed, k))))
    assert len(pairs) == best
    nearest = min(sum(allowed[p] for p in m) for m in combinations(allowed, best) if is_matching(m))
    assert sum(allowed[p] for p in pairs) == pytest.approx(nearest)
    assert is_matching(pairs)


def test_groups_without_an_age_in_common_have_no_pairs(measures, participants):
    people = participants.assign(age=participants["age"] + 200 * (participants["group"] == "PLS"))
    row = pick(vary(measures, people, age="age"), "age_matched").set_index("contrast").loc["PLS-control"]
    assert np.isnan(row["estimate"])
    assert row["note"].startswith("left out: no match (15)")
    assert "0 pairs" in row["note"]


def test_change_and_sign_are_held_against_main(participants, tidy):
    rng = np.random.default_rng(4)
    values = rng.normal(0, 0.1, 28) - 1.0 * (participants["group"] == "ALS")
    values[:6] += 5.0
    table = vary(tidy(participants, fa=values), participants, flagged={"dwi": {f"sub-0{i}" for i in range(6)}})
    table = table[table["contrast"] == "ALS-control"].set_index("variant")
    main, other = table.loc["main"], table.loc["without_flagged"]
    assert main["estimate"] > 0 > other["estimate"]
    assert other["same_sign"] == "no"
    assert other["change_percent"] == pytest.approx(100 * (other["estimate"] - main["estimate"]) / main["estimate"])


def test_only_primary_measures_have_rows_and_the_order_of_rows_decides_nothing(participants, tidy, values):
    measures = tidy(participants, fa=values, md=-values)
    motion = pd.Series(np.linspace(0.1, 0.9, 28), participants["participant_id"])
    options = {"age": "age", "sex": "sex", "site": "site", "motion": motion, "flagged": {"dwi": {"sub-03"}}}
    table = vary(measures, participants, primary=[{"measure": "md"}], **options)
    assert set(table["measure"]) == {"md"}
    mixed = measures.sample(frac=1, random_state=0), participants.sample(frac=1, random_state=1)
    shuffled = vary(*mixed, primary=[{"measure": "md"}], **options)
    pd.testing.assert_frame_equal(table, shuffled)
    assert len(table) == 4 * 7


def test_columns_are_all_explained(measures, participants):
    assert list(vary(measures, participants).columns) == column_names(sensitivity_dictionary(GROUPS))


def test_what_is_wrong_with_the_input_is_named(measures, participants):
    with pytest.raises(InputError, match="no column scanner"):
        vary(measures, participants, site="scanner")
    with pytest.raises(InputError, match=r"matched on numbers; the column sex has '[FM]'"):
        vary(measures, participants, age="sex")
    motion = pd.Series([0.1, 0.2], ["sub-01", "sub-01"])
    with pytest.raises(InputError, match="sub-01: the motion is there twice"):
        vary(measures, participants, motion=motion)
