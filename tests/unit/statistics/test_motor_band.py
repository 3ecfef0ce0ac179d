import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.io import InputError, read_table, write_table
from mndmri.statistics.motor_band import add_motor_band, learn_cutoffs, score_motor_band
from mndmri.statistics.prevalence import sign_prevalence
from mndmri.tables.band_norms import MARKED_SHARE, MILD_SHARE, MIN_CONTROLS, PARTS, cutoffs_dictionary
from mndmri.tables.dictionaries import column_names
from mndmri.tables.measures import GROUP_COLUMNS

SIDES = [(part, hemi) for part in PARTS for hemi in "LR"]
SIZES = {"ALS": 13, "PLS": 5, "control": 10}
SD = 0.015
BAND = 0.09  # what darkening by 15% adds to the contrast at 0.8 x 0.8 x 1.5 mm


def people(**sizes) -> pd.DataFrame:
    groups = np.repeat(list(sizes), list(sizes.values()))
    return pd.DataFrame({"participant_id": [f"sub-{n:02d}" for n in range(len(groups))], "group": groups})


def contrasts(participants: pd.DataFrame, *, seed: int = 4) -> pd.DataFrame:
    """Contrasts of people without a band, in the measures table's form."""
    rng = np.random.default_rng(seed)
    rows = [
        (who, group, "swi", "band_darkness", part, hemi, rng.normal(0.01, SD), "1", 900, "ok")
        for who, group in participants.to_numpy()
        for part, hemi in SIDES
    ]
    return pd.DataFrame(rows, columns=GROUP_COLUMNS)


def plant(measures: pd.DataFrame, who: list[str], *, keys=SIDES, amount: float = BAND) -> pd.DataFrame:
    here = measures["participant_id"].isin(who)
    here &= pd.MultiIndex.from_frame(measures[["region", "hemi"]]).isin(keys)
    return measures.assign(value=measures["value"] + amount * here)


def spoil(measures: pd.DataFrame, who: list[str], part: str, hemi: str, why: str) -> pd.DataFrame:
    here = measures["participant_id"].isin(who) & (measures["region"] == part) & (measures["hemi"] == hemi)
    return measures.assign(value=measures["value"].mask(here), status=measures["status"].mask(here, why))


def wide(scored: pd.DataFrame) -> pd.DataFrame:
    return scored.pivot(index="participant_id", columns=["region", "hemi"], values="value")


def totals(scored: pd.DataFrame) -> pd.Series:
    return wide(scored)["precentral", "both"]


@pytest.fixture
def cohort():
    return people(**SIZES)


@pytest.fixture
def healthy(cohort):
    return contrasts(cohort)


def test_a_band_everywhere_is_marked_everywhere_and_none_is_none(cohort, healthy):
    scored = score_motor_band(plant(healthy, ["sub-00"], amount=1.0), cohort, reference="control")
    assert list(scored.columns) == GROUP_COLUMNS
    assert (wide(scored).loc["sub-00"] == [2] * 6 + [12]).all()
    assert (totals(scored).drop("sub-00") <= 1).all()
    assert len(scored) == 7 * len(cohort)


@pytest.mark.parametrize("key", SIDES)
def test_a_band_in_one_region_is_found_there_and_nowhere_else(cohort, healthy, key):
    flat = healthy.assign(value=healthy["value"].mask(healthy["group"] == "ALS", 0.01))
    scored = wide(score_motor_band(plant(flat, ["sub-03"], keys=[key]), cohort, reference="control"))
    own = scored.loc["sub-03"]
    assert own[key] == own["precentral", "both"] == 2
    assert own.drop([key, ("precentral", "both")]).eq(0).all()


def test_swapping_the_sides_swaps_the_scores(cohort, healthy):
    measures = plant(plant(healthy, ["sub-01"], keys=[("precentral_hand", "L")]), ["sub-02"], keys=SIDES[2:5])
    mirrored = measures.assign(hemi=measures["hemi"].map({"L": "R", "R": "L"}))
    asis, swapped = (wide(score_motor_band(table, cohort, reference="control")) for table in (measures, mirrored))
    for part, hemi in SIDES:
        pd.testing.assert_series_equal(asis[part, hemi], swapped[part, "LR"[hemi == "L"]], check_names=False)
    pd.testing.assert_series_equal(asis["precentral", "both"], swapped["precentral", "both"])


def test_where_both_sides_are_alike_limits_are_the_prediction_limits_of_as_many_people(cohort, healthy):
    """Hahn 1970: with one value a person, mean + t(n - 1) * SD * sqrt(1 + 1/n)."""
    alike = healthy.assign(value=healthy.groupby(["participant_id", "region"])["value"].transform("first"))
    cutoffs = learn_cutoffs(plant(alike, ["sub-00", "sub-14"]), cohort, reference="control").set_index("region")
    for part in PARTS:
        own = alike.query("group == 'control' and region == @part and hemi == 'L'")["value"]
        assert cutoffs.loc[part, "n"] == 10
        assert cutoffs.loc[part, "sd"] == pytest.approx(own.std())
        for column, share in (("mild_above", MILD_SHARE), ("marked_above", MARKED_SHARE)):
            limit = own.mean() + stats.t.ppf(1 - share, 9) * own.std() * np.sqrt(1.1)
            assert cutoffs.loc[part, column] == pytest.approx(limit)


def test_where_the_sides_are_opposites_limits_are_those_of_twice_as_many_people_but_for_the_margin(cohort, healthy):
    """Correlation of -1 counts as none; the standard error added is 1 / sqrt(30 pairs)."""
    signs = healthy["hemi"].map({"L": 1, "R": -1})
    first = healthy.groupby(["participant_id", "region"])["value"].transform("first")
    cutoffs = learn_cutoffs(healthy.assign(value=signs * first), cohort, reference="control").set_index("region")
    alike = 1 / np.sqrt(30)
    freedom = (9 * (1 + alike) + 10 * (1 - alike)) ** 2 / (9 * (1 + alike) ** 2 + 10 * (1 - alike) ** 2)
    assert 18 < freedom < 19
    for part in PARTS:
        one = healthy.query("group == 'control' and region == @part and hemi == 'L'")["value"]
        sd = np.sqrt(2 * (one**2).sum() / (20 - 1 - alike))
        assert cutoffs.loc[part, "sides_alike"] == pytest.approx(alike)
        limit = stats.t.ppf(1 - MILD_SHARE, freedom) * sd * np.sqrt(1 + (1 + alike) / 20)
        assert cutoffs.loc[part, "mild_above"] == pytest.approx(limit)


def test_with_one_side_of_each_person_a_side_counts_as_a_person(cohort, healthy):
    left = healthy.assign(value=healthy["value"].mask(healthy["hemi"] == "R"), status="R was not seen")
    cutoffs = learn_cutoffs(left, cohort, reference="control").set_index("region")
    own = healthy.query("group == 'control' and region == 'precentral_leg' and hemi == 'L'")["value"]
    limit = own.mean() + stats.t.ppf(1 - MILD_SHARE, 9) * own.std() * np.sqrt(1.1)
    assert cutoffs.loc["precentral_leg", "mild_above"] == pytest.approx(limit)


def test_the_ages_that_limits_hold_for_are_stated(cohort, healthy):
    ages = cohort.assign(age=np.arange(len(cohort)) + 40.0)
    controls = ages.loc[ages["group"] == "control", "age"]
    cutoffs = learn_cutoffs(healthy, ages, reference="control")
    assert (cutoffs["age_from"] == controls.min()).all()
    assert (cutoffs["age_to"] == controls.max()).all()
    assert learn_cutoffs(healthy, cohort, reference="control")["age_from"].isna().all()


@pytest.mark.parametrize("n", [10, 30])
@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_as_many_new_controls_pass_the_limits_as_the_limits_say_or_fewer(n, shared):
    """``shared``: correlation of the two sides of a person."""
    rng = np.random.default_rng(n)
    draws = np.sqrt(shared) * rng.normal(size=(25, n + 200, 1, 1))
    draws = draws + np.sqrt(1 - shared) * rng.normal(size=(25, n + 200, 3, 2))
    table = people(control=n)
    passed = []
    for values in draws:
        measures = contrasts(table).assign(value=values[:n].ravel())
        limits = learn_cutoffs(measures, table, reference="control")["mild_above"].to_numpy()
        passed.append((values[n:] > limits[:, None]).mean())
    assert 0.5 * MILD_SHARE < np.mean(passed) < 1.3 * MILD_SHARE


def test_a_control_with_a_band_is_judged_by_the_others(cohort, healthy):
    measures = plant(healthy, ["sub-20"])
    assert totals(score_motor_band(measures, cohort, reference="control"))["sub-20"] >= 10
    # with its own values among those of the controls the limits would let it pass
    shared = learn_cutoffs(measures, cohort, reference="control")
    assert totals(score_motor_band(measures, cohort, reference="control", norms=shared))["sub-20"] < 10


def test_patients_have_no_part_in_the_limits(cohort, healthy):
    patients = cohort.query("group != 'control'")["participant_id"].tolist()
    after = learn_cutoffs(plant(healthy, patients, amount=5.0), cohort, reference="control")
    pd.testing.assert_frame_equal(learn_cutoffs(healthy, cohort, reference="control"), after)


def test_the_order_of_the_rows_decides_nothing(cohort, healthy):
    measures = plant(healthy, ["sub-05"])
    asis = score_motor_band(measures, cohort, reference="control")
    shuffled = score_motor_band(measures.sample(frac=1, random_state=1), cohort[::-1], reference="control")
    pd.testing.assert_frame_equal(wide(asis), wide(shuffled))
    assert shuffled["participant_id"].drop_duplicates().tolist() == cohort["participant_id"].tolist()[::-1]


def test_a_region_without_value_is_not_assessable_nor_is_the_total(cohort, healthy):
    measures = spoil(plant(healthy, ["sub-04"], amount=1.0), ["sub-04"], "precentral_face", "R", "9 voxels")
    own = score_motor_band(measures, cohort, reference="control").query("participant_id == 'sub-04'")
    own = own.set_index(["region", "hemi"])
    assert own.loc[("precentral_face", "R"), "status"] == "not assessable: 9 voxels"
    assert np.isnan(own.loc[("precentral", "both"), "value"])
    assert (
        own.loc[("precentral", "both"), "status"]
        == "not assessable: 9 voxels (precentral_face R); the others add up to 10"
    )
    assert own["value"].notna().sum() == 5


def test_who_was_not_scanned_is_not_assessable(cohort, healthy):
    measures = healthy[healthy["participant_id"] != "sub-06"]
    own = score_motor_band(measures, cohort, reference="control").query("participant_id == 'sub-06'")
    assert len(own) == 7
    assert own["value"].isna().all()
    assert (own["status"] == "not assessable: no row in the table").all()
    assert (own["n_voxels"] == 0).all()


def test_too_few_controls_judge_nobody_and_a_control_needs_as_many_others():
    few = people(ALS=2, control=MIN_CONTROLS)
    scored = score_motor_band(contrasts(few), few, reference="control")
    assert scored.query("group == 'ALS'")["value"].notna().all()
    controls = scored.query("group == 'control'")
    assert controls["value"].isna().all()
    assert f"{MIN_CONTROLS - 1} controls to compare with, at least {MIN_CONTROLS} needed" in controls["status"].iloc[0]
    nobody = few.assign(group="ALS")
    assert score_motor_band(contrasts(nobody), nobody, reference="control")["value"].isna().all()


def test_stored_norms_give_the_same_scores_as_the_controls_they_come_from(cohort, healthy, tmp_path):
    measures = plant(healthy, ["sub-00", "sub-07", "sub-15"])
    write_table(learn_cutoffs(measures, cohort, reference="control"), tmp_path / "norms.tsv")
    patients = cohort[cohort["group"] != "control"]
    own = score_motor_band(measures, cohort, reference="control").query("group != 'control'").reset_index(drop=True)
    norms = read_table(tmp_path / "norms.tsv")
    alone = score_motor_band(measures, patients, reference="control", norms=norms)
    pd.testing.assert_frame_equal(own, alone)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="sd"), "no column sd"),
        (lambda t: t.iloc[:2], "have the rows"),
        (lambda t: pd.concat([t, t]), "have the rows"),
        (lambda t: t.assign(measure="bank_ratio"), "have the rows swi bank_ratio"),
        (lambda t: t.assign(mild_above=t["marked_above"] + 1), "in rising order"),
        (lambda t: t.assign(mean=np.nan), "mean nan"),
        (lambda t: t.assign(n=3), "n 3"),
        (lambda t: t.assign(marked_above="high"), "marked_above high"),
    ],
)
def test_norms_that_are_none_are_refused(cohort, healthy, change, message):
    norms = change(learn_cutoffs(healthy, cohort, reference="control"))
    with pytest.raises(InputError, match=message):
        score_motor_band(healthy, cohort, reference="control", norms=norms)


def test_a_row_given_twice_is_refused(cohort, healthy):
    with pytest.raises(InputError, match="twice"):
        score_motor_band(pd.concat([healthy, healthy.iloc[:1]]), cohort, reference="control")


def test_the_published_prevalence_is_found(cohort, healthy):
    """13 ALS, 5 PLS, 10 controls, of whom 9, 4 and 0 have the sign."""
    bearers = [*cohort["participant_id"][:9], *cohort["participant_id"][13:17]]
    scored = score_motor_band(plant(healthy, bearers), cohort, reference="control")
    table = sign_prevalence(scored, cohort, groups=list(SIZES), reference="control")
    groups = table[table["test"].isna()].set_index("group")
    assert groups["n_present"].to_dict() == {"ALS": 9, "PLS": 4, "control": 0}
    assert groups.loc["ALS", ["ci_low", "ci_high"]].tolist() == pytest.approx([38.9, 89.6], abs=0.05)
    p = table.dropna(subset="test").set_index("contrast")["p"]
    assert p["ALS-control"] == pytest.approx(0.0016, abs=5e-5)


def test_every_column_of_the_cutoffs_is_described(cohort, healthy):
    assert column_names(cutoffs_dictionary()) == list(learn_cutoffs(healthy, cohort, reference="control").columns)


def test_no_band_is_called_so_that_an_eye_would_not_see_however_alike_the_controls():
    everyone = people(ALS=2, control=10)
    measures = contrasts(everyone).assign(value=lambda table: -0.02 + 0.001 * table.groupby("region").cumcount() / 40)
    cutoffs = learn_cutoffs(measures, everyone, reference="control")
    assert (cutoffs["mild_above"] == 0.03).all() and (cutoffs["marked_above"] == 0.06).all()
    faint = plant(measures, ["sub-00"], amount=0.045)
    assert totals(score_motor_band(faint, everyone, reference="control"))["sub-00"] == 0


def test_scores_stand_below_the_measures_with_the_cutoffs_that_they_rest_on(healthy, cohort):
    added, cutoffs = add_motor_band(healthy, cohort, reference="control")
    pd.testing.assert_frame_equal(added.iloc[: len(healthy)], healthy.reset_index(drop=True), check_dtype=False)
    scores = score_motor_band(healthy, cohort, reference="control")
    assert added.iloc[len(healthy) :]["value"].tolist() == scores["value"].tolist()
    pd.testing.assert_frame_equal(cutoffs, learn_cutoffs(healthy, cohort, reference="control"))
    norms = cutoffs.assign(mild_above=cutoffs["mild_above"] * 2, marked_above=cutoffs["marked_above"] * 2)
    _, given = add_motor_band(healthy, cohort, reference="control", norms=norms)
    assert given is norms
