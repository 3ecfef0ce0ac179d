"""Differences by site and over sites: against R's metafor, `compare_groups`, and planted truths."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.statistics.comparisons import compare_groups
from mndmri.statistics.samples import KEY
from mndmri.statistics.sites import pool_estimates, site_effects, site_effects_dictionary
from mndmri.tables.dictionaries import column_names

GROUPS = ["ALS", "PLS", "control"]
OVER_SITES = ["tau2", "i2_percent", "q", "q_p", "n_sites"]


def effects(measures, participants, **options):
    settings = {"groups": GROUPS, "reference": "control", "site": "site", "covariates": ["age", "sex", "site"]}
    return site_effects(measures, participants, **(settings | options))


def study(n, *, sites, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i:03d}" for i in range(n)],
            "group": np.resize(["ALS", "control", "PLS", "control", "ALS"], n),
            "age": rng.normal(60, 9, n),
            "sex": rng.choice(["F", "M"], n),
            "site": np.sort(np.resize(list(sites), n)),
        }
    )


@pytest.fixture
def people():
    return study(90, sites=["Graz", "Linz", "Wien"])


@pytest.fixture
def values(people):
    return np.random.default_rng(6).normal(size=90) - 1.0 * (people["group"] == "ALS").to_numpy()


@pytest.mark.parametrize(
    ("estimates", "errors", "expected", "weights"),
    [
        (
            [-0.031, -0.012, -0.055, 0.004],
            [0.009, 0.014, 0.02, 0.011],
            [
                3.54293699e-4,
                -0.0208799499,
                0.0119358532,
                -0.0588651620,
                0.0171052621,
                69.4445147,
                9.63427127,
                0.0219450176,
            ],
            [30.45113349, 24.08747649, 17.57297795, 27.88841208],
        ),
        (
            [12.5, 3.1, 44, 18, 9],
            [3, 4, 20, 2.5, 6],
            [32.0636102, 12.1540133, 3.79839122, 1.60798862, 22.7000381, 66.4185046, 12.9770452, 0.0113885014],
            [27.59009885, 23.57186777, 2.622181172, 29.57040745, 16.64544476],
        ),
        (
            [1.1, 1.3, 0.9],
            [0.4, 0.5, 0.6],
            [0, 1.11876333, 0.2770542579, -0.0733049329, 2.3108315854, 0, 0.266524520, 0.875235523],
            [47.97441365, 30.70362473, 21.32196162],
        ),
        (
            [-0.5, 0.2],
            [0.1, 0.2],
            [0.22, -0.171428571, 0.349343407, -4.61025743, 4.26740029, 89.7959184, 9.8, 0.00174511870],
            [53.06122449, 46.93877551],
        ),
    ],
)
def test_pooled_estimate_is_that_of_metafor(estimates, errors, expected, weights):
    """By metafor 3.8.1 in R.

    m <- rma(yi, sei=sei, method="REML", test="adhoc", control=list(threshold=1e-14, maxiter=1e4, stepadj=.5))
    c(m$tau2, m$beta, m$se, m$ci.lb, m$ci.ub, m$I2, m$QE, m$QEp); weights(m)
    """
    pooled = pool_estimates(estimates, errors)
    mean, low, high = pooled.interval
    found = [pooled.tau2, mean, pooled.se, low, high, 100 * pooled.i2, pooled.q, pooled.q_p]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(100 * pooled.weights, weights, rtol=1e-7)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_pooling_does_not_depend_on_the_unit(factor):
    y, errors = np.array([12.5, 3.1, 44, 18, 9]), np.array([3, 4, 20, 2.5, 6])
    plain, scaled = pool_estimates(y, errors), pool_estimates(y * factor, errors * factor)
    np.testing.assert_allclose(scaled.tau2, plain.tau2 * factor**2, rtol=1e-9)
    np.testing.assert_allclose(scaled.interval, np.array(plain.interval) * factor, rtol=1e-9)


def test_interval_over_sites_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(12)
    covered = 0
    for _ in range(1000):
        errors = rng.uniform(0.5, 2, 5)
        low, high = pool_estimates(3 + rng.normal(0, 1, 5) + errors * rng.normal(size=5), errors).interval[1:]
        covered += low < 3 < high
    assert 0.93 < covered / 1000 < 0.97


def test_a_site_has_what_it_finds_alone(people, values, tidy):
    measures = tidy(people, fa=values)
    table = effects(measures, people)
    for site in ("Graz", "Linz", "Wien"):
        own = people[people["site"] == site]
        alone = compare_groups(
            measures[measures["participant_id"].isin(own["participant_id"])],
            own,
            groups=GROUPS,
            reference="control",
            covariates=["age", "sex"],
            n_permutations=0,
        )
        alone = alone[(alone["test"] == "ancova_welch") & (alone["contrast"] != "group")]
        found = table[table["site"] == site]
        columns = ["estimate", "ci_low", "ci_high", "hedges_g", "g_ci_low", "g_ci_high", "n_missing"]
        assert found["contrast"].tolist() == alone["contrast"].tolist()
        np.testing.assert_allclose(found[columns].astype(float), alone[columns].astype(float), rtol=1e-12)
        np.testing.assert_allclose(found["se"], alone["estimate"] / alone["statistic"], rtol=1e-9)
        assert found[["n_first", "n_second"]].iloc[0].tolist() == [12, 6]  # ALS-PLS
        assert found[["n_first", "n_second"]].iloc[-1].tolist() == [18, 12]  # patients-control
        assert found[OVER_SITES].isna().all(axis=None)


def test_row_of_all_sites_is_the_mean_of_the_sites(people, values, tidy):
    table = effects(tidy(people, fa=values), people)
    rows = table[table["contrast"] == "ALS-control"].set_index("site")
    pooled = pool_estimates(rows["estimate"][:3], rows["se"][:3])
    total = rows.loc["all"]
    assert tuple(total[["estimate", "ci_low", "ci_high"]]) == pytest.approx(tuple(pooled.interval))
    assert total[["tau2", "q", "q_p"]].tolist() == pytest.approx([pooled.tau2, pooled.q, pooled.q_p])
    assert rows["weight_percent"].tolist() == pytest.approx([*100 * pooled.weights, 100])
    assert total[["n_first", "n_second", "n_missing", "n_sites"]].tolist() == [36, 36, 0, 3]
    assert np.isnan(total["hedges_g"])


def test_a_planted_difference_is_found_and_sites_that_differ_are_told(tidy):
    people = study(400, sites="ABCD", seed=2)
    rng = np.random.default_rng(21)
    is_als = (people["group"] == "ALS").to_numpy()
    offset = people["site"].map({"A": 0, "B": 5, "C": -5, "D": 20}).to_numpy()
    same = offset - 1.0 * is_als + rng.normal(size=400)
    differing = offset - is_als * people["site"].map({"A": 0, "B": 1, "C": 2, "D": 3}).to_numpy() + rng.normal(size=400)
    table = effects(tidy(people, same=same, differing=differing), people, contrasts=[("ALS", "control")], pooled=False)
    total = table[table["site"] == "all"].set_index("measure")
    assert total["ci_low"]["same"] < -1 < total["ci_high"]["same"] < 0
    assert total["q_p"]["same"] > 0.01
    assert total["q_p"]["differing"] < 1e-6
    assert np.sqrt(total["tau2"]["differing"]) == pytest.approx(np.std([0, 1, 2, 3], ddof=1), abs=0.4)
    assert total["i2_percent"]["differing"] > 80


@pytest.mark.parametrize("kept", [["ALS"], ["control"], ["PLS", "control"]])
def test_a_site_without_a_side_of_the_contrast_is_a_row_with_a_note_and_out_of_the_mean(people, values, tidy, kept):
    gone = (people["site"] == "Linz") & ~people["group"].isin(kept)
    some = people[~gone]
    rows = effects(tidy(some, fa=values[~gone]), some, contrasts=[("ALS", "control")], pooled=False).set_index("site")
    assert rows.loc["Linz", ["estimate", "ci_low", "se", "weight_percent"]].isna().all()
    assert rows.loc["Linz", "note"]
    assert rows["note"]["all"].startswith("no estimate: Linz")
    without = some[some["site"] != "Linz"]
    alone = effects(tidy(without, fa=values[without.index]), without, contrasts=[("ALS", "control")], pooled=False)
    total = alone.set_index("site").loc["all"]
    numbers = ["n_first", "n_second", "estimate", "ci_low", "ci_high", "se", *OVER_SITES]
    assert rows.loc["all", numbers].tolist() == total[numbers].tolist()
    assert rows["n_missing"]["all"] == (some["site"] == "Linz").sum()


def test_a_site_with_one_person_is_a_row_with_a_note(people, values, tidy):
    people.loc[0, "site"] = "東京"
    row = effects(tidy(people, fa=values), people).set_index(["contrast", "site"]).loc[("ALS-control", "東京")]
    assert row[["n_first", "n_second", "n_missing"]].tolist() == [1, 0, 0]
    assert np.isnan(row["estimate"])
    assert "one participant only: ALS" in row["note"]
    assert "fewer than two groups with data" in row["note"]


@pytest.mark.parametrize("sites", [["Graz"], ["Graz", "Linz"]])
def test_one_site_with_an_estimate_is_not_pooled(people, values, tidy, sites):
    people["site"] = people["site"].where(people["site"] == "Graz", sites[-1])
    people.loc[(people["site"] == "Linz") & (people["group"] == "control"), "group"] = "PLS"
    people = people[people["site"].isin(sites)] if len(sites) > 1 else people.assign(site="Graz")
    rows = effects(tidy(people, fa=values), people, contrasts=[("ALS", "control")], pooled=False).set_index("site")
    assert np.isfinite(rows["estimate"]["Graz"])
    assert rows.loc["all", ["estimate", "ci_low", "tau2", "q_p"]].isna().all()
    assert rows["n_sites"]["all"] == 1
    assert "fewer than two sites with an estimate" in rows["note"]["all"]


def test_who_is_left_out_is_counted_with_the_reason(people, values, tidy):
    values[0], values[1] = np.nan, np.inf
    people.loc[2, "age"], people.loc[3, "site"] = np.nan, None
    rows = effects(tidy(people, fa=values), people).set_index(["contrast", "site"])
    assert rows["n_missing"]["ALS-PLS", "Graz"] == 3
    assert rows["note"]["ALS-PLS", "Graz"] == "left out: no dwi image (1), infinite value (1), no age (1)"
    assert rows["n_missing"]["ALS-PLS", "all"] == 4
    assert "left out: no site (1)" in rows["note"]["ALS-PLS", "all"]


def test_a_covariate_that_sets_groups_apart_at_a_site_leaves_it_without_an_estimate(people, values, tidy):
    sets_apart = (people["site"] == "Wien") & (people["group"] == "control")
    people["coil"] = np.where(sets_apart, "new", np.where(people.index % 2, "old", "new"))
    people.loc[(people["site"] == "Wien") & ~sets_apart, "coil"] = "old"
    rows = effects(tidy(people, fa=values), people, covariates=["coil"]).set_index(["contrast", "site"])
    assert "not estimable: groups confounded with coil" in rows["note"]["ALS-control", "Wien"]
    assert np.isfinite(rows["estimate"]["ALS-PLS", "Wien"])
    assert rows["n_sites"]["ALS-control", "all"] == 2


def test_a_covariate_the_same_at_each_site_is_left_out_there_and_said(people, values, tidy):
    people["tesla"] = people["site"].map({"Graz": 3.0, "Linz": 3.0, "Wien": 1.5})
    rows = effects(tidy(people, fa=values), people, covariates=["tesla"])
    same = effects(tidy(people, fa=values), people, covariates=[])
    np.testing.assert_allclose(rows["estimate"], same["estimate"])
    assert rows["note"].iloc[0] == "constant, left out of the model: tesla"


@pytest.mark.parametrize(("value", "note"), [(np.nan, "fewer than two groups"), (0.1, "every value is the same")])
def test_values_that_cannot_be_compared_are_rows_with_notes(people, tidy, value, note):
    rows = effects(tidy(people, fa=np.full(90, value)), people)
    assert len(rows) == 4 * 4
    assert rows["estimate"].isna().all()
    assert rows["note"][rows["site"] != "all"].str.contains(note).all()
    assert rows["n_sites"].dropna().eq(0).all()


def test_sites_that_happen_to_agree_do_not_make_the_interval_narrower_than_their_errors(people, tidy):
    one_site = np.random.default_rng(1).normal(size=30)
    rows = effects(tidy(people, fa=np.tile(one_site, 3)), people, covariates=[]).set_index(["contrast", "site"])
    assert rows["q"]["ALS-control", "all"] == pytest.approx(0, abs=1e-12)
    alone, whole = rows.loc[("ALS-control", "Graz")], rows.loc[("ALS-control", "all")]
    assert whole["se"] == pytest.approx(alone["se"] / np.sqrt(3), rel=1e-6)


def test_only_primary_measures_are_compared_and_order_decides_nothing(people, values, tidy):
    measures = tidy(people, fa=values, md=values[::-1])
    table = effects(measures, people, primary=[{"modality": "dwi", "measure": "md"}])
    assert set(table["measure"]) == {"md"}
    shuffled = effects(measures.sample(frac=1, random_state=0), people.sample(frac=1, random_state=1))
    shuffled = shuffled[shuffled["measure"] == "md"].reset_index(drop=True)
    pd.testing.assert_frame_equal(shuffled, table, check_dtype=False)


def test_columns_are_explained_and_an_empty_table_gives_an_empty_one(people, values, tidy):
    measures = tidy(people, fa=values)
    columns = ["contrast", "site", "n_first", "n_second", "n_missing", "estimate", "ci_low", "ci_high", "se"]
    columns += ["hedges_g", "g_ci_low", "g_ci_high", "weight_percent", *OVER_SITES]
    columns += ["mixed_estimate", "mixed_ci_low", "mixed_ci_high", "mixed_p", "note"]
    columns = [*KEY, "unit", *columns]
    assert list(effects(measures, people).columns) == columns == column_names(site_effects_dictionary())
    assert effects(measures.iloc[:0], people).empty


def test_what_is_wrong_with_the_input_is_named(people, values, tidy):
    measures = tidy(people, fa=values)
    with pytest.raises(InputError, match="no column scanner; it has participant_id"):
        effects(measures, people, site="scanner")
    with pytest.raises(InputError, match="a site is called 'all'"):
        effects(measures, people.assign(site="all"))
    with pytest.raises(InputError, match="reference group 'HC' is not one of ALS, PLS, control"):
        effects(measures, people, reference="HC")
