"""The range of the controls round what is expected of a person."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.statistics.bands import add_band, score_places
from mndmri.statistics.deviations import score_deviations
from tests.unit.statistics.test_deviations import OPTIONS, by_person, cohort, values


def scored(y, people, **options):
    options = {"covariates": []} | options
    found = score_deviations(values(people, y), people, **OPTIONS, **options)
    return by_person(add_band(found))


def test_the_range_is_the_prediction_interval_of_a_further_control():
    people = cohort()
    y = np.random.default_rng(3).normal(0.5, 0.04, size=18)
    controls = y[6:]
    half = stats.t.ppf(0.975, 11) * controls.std(ddof=1) * np.sqrt(1 + 1 / 12)
    row = scored(y, people).loc["sub-00"]
    assert row["w_limit"] == pytest.approx(stats.t.ppf(0.975, 11))
    assert [row["band_low"], row["band_high"]] == pytest.approx([controls.mean() - half, controls.mean() + half])


def test_a_control_is_within_the_range_of_the_others():
    people = cohort()
    y = np.random.default_rng(3).normal(0.5, 0.04, size=18)
    others = np.delete(y, 8)[6:]
    half = stats.t.ppf(0.975, 10) * others.std(ddof=1) * np.sqrt(1 + 1 / 11)
    row = scored(y, people).loc["sub-08"]
    assert [row["band_low"], row["band_high"]] == pytest.approx([others.mean() - half, others.mean() + half])


def test_a_side_by_onset_has_the_range_of_the_hemisphere_that_it_is():
    people = cohort().assign(onset=["L"] + [np.nan] * 17)
    y = np.random.default_rng(3).normal(0.5, 0.04, size=(2, 18))
    y[1, 17] = np.nan  # a control without the right side
    sides = pd.concat([values(people, y[0]), values(people, y[1], hemi="R")])
    table = add_band(score_deviations(sides, people, covariates=[], onset_side="onset", **OPTIONS))
    own = table[table["participant_id"] == "sub-00"].set_index("hemi")
    assert own["w_limit"].to_dict() == pytest.approx(
        {"L": stats.t.ppf(0.975, 11), "R": stats.t.ppf(0.975, 10)}
        | {"ipsi": stats.t.ppf(0.975, 11), "contra": stats.t.ppf(0.975, 10)}
    )


def test_a_value_leaves_the_range_where_its_percentile_leaves_the_central_95():
    people = cohort(n_patients=60, n_controls=20, seed=4)
    y = np.random.default_rng(5).normal(size=80) + 0.05 * people["age"].to_numpy()
    table = scored(y, people, covariates=["age", "sex"])
    outside = (table["value"] < table["band_low"]) | (table["value"] > table["band_high"])
    assert (outside == ~table["percentile"].between(2.5, 97.5)).all()
    assert (outside == (table["w_score"].abs() > table["w_limit"])).all()
    assert 0 < outside.sum() < 15


def test_a_side_of_onset_has_the_range_of_the_hemisphere_that_it_is():
    people = cohort()
    people["onset"] = ["L", "R", *["L"] * 4, *[np.nan] * 12]
    left, right = np.random.default_rng(7).normal(size=(2, 18))
    right[[6, 7]] = np.nan  # controls
    both = pd.concat([values(people, left, hemi="L"), values(people, right, hemi="R")])
    table = add_band(score_deviations(both, people, onset_side="onset", **OPTIONS))
    limits = table.pivot(index="participant_id", columns="hemi", values=["w_limit", "band_low", "band_high"])
    for name in ("w_limit", "band_low", "band_high"):
        own = limits[name]
        assert own.loc["sub-00", "contra"] == own.loc["sub-00", "R"] != own.loc["sub-00", "L"]
        assert own.loc["sub-01", "contra"] == own.loc["sub-01", "L"]


def test_stored_norms_give_controls_the_range_of_everybody():
    people, other = cohort(), cohort(0, 12, seed=1)
    y, theirs = np.random.default_rng(8).normal(size=18), np.random.default_rng(9).normal(size=12)
    none = {"covariates": []}
    norms = score_deviations(values(other, theirs), other, groups=["control"], reference="control", **none).norms
    table = by_person(add_band(score_deviations(values(people, y), people, norms=norms, **OPTIONS, **none)))
    assert table["w_limit"].nunique() == 1 and table["w_limit"].iloc[0] == pytest.approx(stats.t.ppf(0.975, 11))
    assert np.ptp(table["band_low"]) < 1e-9


def test_without_enough_controls_there_is_no_range():
    people = cohort(n_controls=7)
    table = scored(np.arange(13.0), people)
    assert table[["w_limit", "band_low", "band_high"]].isna().all(axis=None)


def test_each_place_is_compared_with_the_same_place_of_the_same_side():
    people = cohort()
    rng = np.random.default_rng(6)
    expected = {("L", 1): 0.3, ("L", 2): 0.5, ("R", 1): 0.7, ("R", 2): 0.9}
    places = pd.concat(
        [
            people[["participant_id"]].assign(hemi=hemi, node=node, value=rng.normal(mean, 0.001, len(people)))
            for (hemi, node), mean in expected.items()
        ],
        ignore_index=True,
    ).sample(frac=1, random_state=0)
    found = score_places(places, people, modality="dwi", measure="fa", named_by=["node"], covariates=[], **OPTIONS)
    assert len(found) == len(places)
    assert found["value"].tolist() == places["value"].tolist()
    for row in found.itertuples():
        assert row.expected == pytest.approx(expected[row.hemi, row.node], abs=0.002)
        assert row.band_low < row.expected < row.band_high
