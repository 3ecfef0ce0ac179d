"""Every person against the controls: W-scores, their percentiles, and stored norms."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from mndmri.io import InputError, read_table, write_table
from mndmri.statistics.deviations import score_deviations
from mndmri.statistics.norms import percentile
from mndmri.statistics.roc import classify
from mndmri.statistics.sides import add_sides, assumed_sides, side_of_onset
from mndmri.tables.dictionaries import column_names
from mndmri.tables.norms import norms_dictionary, read_norms

GROUPS = ["ALS", "control"]
OPTIONS = {"groups": GROUPS, "reference": "control"}


def cohort(n_patients: int = 6, n_controls: int = 12, seed: int = 0) -> pd.DataFrame:
    rng, n = np.random.default_rng(seed), n_patients + n_controls
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(n)],
            "group": np.repeat(GROUPS, [n_patients, n_controls]),
            "age": rng.normal(60, 9, n).round(1),
            "sex": np.resize(["F", "M"], n),
        }
    )


def values(people: pd.DataFrame, y: np.ndarray, **key: str) -> pd.DataFrame:
    key = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1"} | key
    return people[["participant_id", "group"]].assign(
        **key, value=y, n_voxels=9, status=np.where(np.isnan(y), "x", "ok")
    )


def by_person(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("participant_id")


def test_without_covariates_it_is_the_test_of_crawford_and_howell():
    people = cohort()
    y = np.random.default_rng(1).normal(size=18)
    found = by_person(score_deviations(values(people, y), people, covariates=[], **OPTIONS).deviations)
    controls = y[6:]
    t = (y[0] - controls.mean()) / (controls.std(ddof=1) * np.sqrt(13 / 12))
    assert found.loc["sub-00", "w_score"] == pytest.approx(t)
    assert found.loc["sub-00", "percentile"] == pytest.approx(100 * stats.t.cdf(t, 11))
    assert found.loc["sub-00", "expected"] == pytest.approx(controls.mean())
    assert found.loc["sub-00", "n_controls"] == 12
    assert found.loc["sub-07", "n_controls"] == 11


def test_scores_are_those_of_statsmodels_predictions_and_deleted_residuals():
    people = cohort()
    y = np.random.default_rng(2).normal(size=18) + 0.1 * people["age"].to_numpy()
    found = score_deviations(values(people, y), people, **OPTIONS).deviations
    data = people.assign(y=y)
    fit = smf.ols("y ~ age + C(sex)", data[6:]).fit()
    predicted = fit.get_prediction(data[:6])
    assert found["expected"][:6].to_numpy() == pytest.approx(predicted.predicted_mean)
    assert found["w_score"][:6].to_numpy() == pytest.approx((y[:6] - predicted.predicted_mean) / predicted.se_obs)
    assert found["w_score"][6:].to_numpy() == pytest.approx(fit.get_influence().resid_studentized_external)
    alone = smf.ols("y ~ age + C(sex)", data[6:17]).fit()
    assert found["expected"][17] == pytest.approx(alone.predict(data[17:]).iloc[0])


def test_the_score_of_an_example_is_that_of_singcar():
    """R: TD(-2, controls = 0, controls.sd = 1, controls.n = 15) has t = -1.936."""
    quantiles = stats.norm.ppf((np.arange(15) + 0.5) / 15)
    controls = (quantiles - quantiles.mean()) / quantiles.std(ddof=1)
    people = cohort(1, 15)
    found = score_deviations(values(people, np.array([-2.0, *controls])), people, covariates=[], **OPTIONS).deviations
    assert round(found["w_score"][0], 3) == -1.936


def test_limits_of_a_percentile_put_the_observed_at_the_tails_of_a_noncentral_t():
    w, df, h = np.array([-2.5, 0.3, 3.0]), np.array([9.0, 7.0, 20.0]), np.array([0.1, 0.35, 0.08])
    for point, low, high, one, d, lever in zip(*percentile(w, df, h), w, df, h, strict=True):
        observed = one * np.sqrt((1 + lever) / lever)
        parameters = stats.norm.ppf(np.array([low, high]) / 100) / np.sqrt(lever)
        assert stats.nct.cdf(observed, d, parameters) == pytest.approx([0.975, 0.025], abs=1e-6)
        assert low < point < high


@pytest.mark.parametrize("n", [8, 10, 40])
def test_a_percentile_lies_within_its_limits_however_far_out(n):
    w = np.linspace(-12, 12, 97)
    below, low, high = percentile(w, np.full(97, n - 1.0), np.full(97, 1 / n))
    assert (low <= below).all() and (below <= high).all()
    assert (low >= 0).all() and (high <= 100).all()
    # the upper limit of a low and the lower of a high one mirror each other
    assert low == pytest.approx(100 - high[::-1], abs=1e-6)


def test_one_in_twenty_healthy_people_lies_outside_and_the_limits_hold_the_truth_with_ten_controls():
    rng, outside, held = np.random.default_rng(5), [], []
    for seed in range(100):
        people = cohort(10, 10, seed)
        z = rng.normal(size=20)
        y = z + 0.05 * people["age"].to_numpy() + (people["sex"] == "M")
        found = score_deviations(values(people, y), people, **OPTIONS).deviations
        outside.append(~found["percentile"].between(2.5, 97.5))
        true = 100 * stats.norm.cdf(z[:10])
        held.append((found["pct_low"][:10] <= true) & (true <= found["pct_high"][:10]))
    # half of the 2,000 by the ten controls of their study, half are controls and judged by the nine others
    assert np.mean(outside) == pytest.approx(0.05, abs=0.015)  # 3 standard errors
    assert np.mean(outside, axis=0)[10:].mean() == pytest.approx(0.05, abs=0.021)
    assert np.mean(held) == pytest.approx(0.95, abs=0.021)


def test_volumes_of_regions_are_judged_by_the_size_of_the_head_and_nothing_else_is():
    people = cohort(4, 20)
    rng = np.random.default_rng(6)
    tiv = rng.normal(1400, 100, 24)
    tiv[0] = 2200  # a giant with a gyrus to match
    volume = {"modality": "t1w", "measure": "volume", "unit": "ml"}
    tables = [
        values(people, tiv, **volume, region="tiv", hemi="both"),
        values(people, 0.01 * tiv + 0.3 * rng.normal(size=24), **volume, region="precentral"),
        values(people, rng.normal(size=24), region="cst"),
    ]
    measures, of_volumes = pd.concat(tables), {"measure_covariates": {"t1w volume": ["tiv"]}}
    found = score_deviations(measures, people.assign(tiv=tiv), **of_volumes, **OPTIONS)
    giant = found.deviations[found.deviations["participant_id"] == "sub-00"].set_index("region")
    assert abs(giant.loc["precentral", "w_score"]) < 3 < giant.loc["tiv", "w_score"]
    assert "tiv" in giant.loc["precentral", "note"] and "outside" in giant.loc["precentral", "note"]
    terms = found.norms.groupby("region")["term"].agg(set)
    assert terms["precentral"] == {"intercept", "age", "sex", "tiv"}
    assert terms["tiv"] == terms["cst"] == {"intercept", "age", "sex"}
    nobody = score_deviations(measures, people, **of_volumes, **OPTIONS).deviations
    notes = nobody.loc[nobody["region"] == "precentral", "note"]
    assert notes.str.contains("not adjusted for tiv: nobody has it").all()
    # a stored norm keeps its terms, whatever the study adjusts for
    stored = score_deviations(measures, people.assign(tiv=tiv), norms=found.norms, **of_volumes, **OPTIONS).deviations
    own = found.deviations
    patients = (own["region"] == "precentral") & (own["participant_id"] < "sub-04")
    assert stored.loc[patients, "w_score"].tolist() == pytest.approx(own.loc[patients, "w_score"].tolist())
    without = score_deviations(measures, people, norms=found.norms, **OPTIONS).deviations.set_index("region")
    assert without.loc["precentral", "w_score"].isna().all()
    assert set(without.loc["precentral", "note"]) == {"no tiv"}
    assert without.loc["cst", "w_score"].notna().all()
    plain = score_deviations(measures, people.assign(tiv=tiv), **OPTIONS).norms
    unadjusted = score_deviations(measures, people.assign(tiv=tiv), norms=plain, **of_volumes, **OPTIONS).deviations
    unadjusted = unadjusted.set_index("region")
    assert unadjusted["w_score"].notna().all()
    assert unadjusted.loc["precentral", "note"].str.startswith("not adjusted for tiv: the norms have it not").all()
    assert not unadjusted.loc[["cst", "tiv"], "note"].str.contains("not adjusted").any()


def test_a_study_without_controls_has_no_scores_unless_norms_are_given():
    people = cohort()
    y = np.random.default_rng(8).normal(size=18)
    controls = score_deviations(values(people, y), people, **OPTIONS)
    patients = people[:6]
    alone = score_deviations(values(patients, y[:6]), patients, groups=["ALS"], reference=None)
    assert len(alone.deviations) == 6 and alone.norms.empty
    assert alone.deviations[["w_score", "percentile", "n_controls"]].isna().all(axis=None)
    assert set(alone.deviations["note"]) == {"the study has no controls"}
    judged = score_deviations(
        values(patients, y[:6]), patients, groups=["ALS"], reference=None, norms=controls.norms
    ).deviations
    assert judged["w_score"].tolist() == pytest.approx(controls.deviations["w_score"][:6].tolist())


@pytest.mark.parametrize(("controls", "of_patients", "of_controls"), [(7, 0, 0), (8, 6, 0), (9, 6, 9)])
def test_fewer_than_eight_controls_judge_nobody(controls, of_patients, of_controls):
    people = cohort(6, controls)
    y = np.random.default_rng(7).normal(size=6 + controls)
    found = score_deviations(values(people, y), people, **OPTIONS).deviations
    known = found["w_score"].notna()
    assert (known[:6].sum(), known[6:].sum()) == (of_patients, of_controls)
    assert found.loc[~known, "note"].str.contains("fewer than 8").all()


def test_who_is_like_no_control_has_no_score_and_who_is_older_than_all_has_a_note():
    people = cohort()
    people.loc[people["group"] == "control", "sex"] = "M"
    people.loc[[0, 1], "age"] = [99.0, np.nan]
    people.loc[0, "sex"] = "M"
    y = np.random.default_rng(8).normal(size=18)
    y[2] = np.nan
    found = by_person(score_deviations(values(people, y), people, **OPTIONS).deviations)
    assert found.loc["sub-00", "note"].startswith("age 99 is outside the controls'")
    assert np.isfinite(found.loc["sub-00", "w_score"])
    assert found.loc["sub-01", "note"] == "no age"
    assert found.loc["sub-02", "note"] == "x"
    assert found.loc["sub-04", "note"] == "no control has sex F"
    assert found.loc[["sub-01", "sub-02", "sub-04"], "w_score"].isna().all()


def test_a_number_that_is_the_same_in_every_control_stays_in_the_model_and_says_of_whom_it_tells_nothing():
    people = cohort().assign(male=[1.0, *[0.0] * 17])
    y = np.random.default_rng(8).normal(size=18)
    found = score_deviations(values(people, y), people, covariates=["age", "male"], **OPTIONS)
    without = by_person(score_deviations(values(people, y), people, covariates=["age"], **OPTIONS).deviations)
    table = by_person(found.deviations)
    assert table["w_score"].tolist() == pytest.approx(without["w_score"].tolist())
    assert "male 1 is outside the controls' 0" in table.loc["sub-00", "note"]
    assert not table["note"].drop("sub-00").str.contains("male").any()
    # and the study's own norms fit the study
    own = {"covariates": ["age", "male"], "norms": found.norms, **OPTIONS}
    again = by_person(score_deviations(values(people, y), people, **own).deviations)
    assert again["w_score"][:6].tolist() == pytest.approx(table["w_score"][:6].tolist())


def test_the_only_control_of_a_site_is_not_judged_by_the_others():
    people = cohort().assign(site="A")
    people.loc[[0, 17], "site"] = "B"
    y = np.random.default_rng(9).normal(size=18)
    found = by_person(score_deviations(values(people, y), people, covariates=["age", "site"], **OPTIONS).deviations)
    assert found.loc["sub-17", "note"] == "the only control like this one"
    assert found["w_score"].drop("sub-17").notna().all()


def test_ratings_and_measures_without_variation_have_no_score():
    people = cohort()
    y = np.random.default_rng(9).normal(size=18)
    tables = [
        values(people, y.round(), modality="swi", measure="motor_band_score"),
        values(people, np.where(people["group"] == "ALS", y, 1.0), region="flat"),
    ]
    found = score_deviations(pd.concat(tables), people, **OPTIONS).deviations
    assert found["w_score"].isna().all()
    assert set(found["note"]) == {"a rating: no W-score", "no variation in the controls"}


@pytest.fixture
def stored(tmp_path):
    """Norms of another study's 20 controls, as they lie in a file, and that study's own model."""
    other = cohort(0, 20, seed=20)
    y = np.random.default_rng(21).normal(size=20) + 0.05 * other["age"].to_numpy()
    norms = score_deviations(values(other, y), other, groups=["control"], reference="control").norms
    write_table(norms, tmp_path / "norms.tsv", digits=17)
    return read_norms(tmp_path / "norms.tsv"), smf.ols("y ~ age + C(sex)", other.assign(y=y)).fit()


def test_stored_norms_judge_as_the_study_that_they_are_of_would(stored):
    norms, fit = stored
    people = cohort()
    y = np.random.default_rng(22).normal(size=18)
    found = score_deviations(values(people, y), people, norms=norms, **OPTIONS).deviations
    predicted = fit.get_prediction(people)
    # everyone, controls of this study too, by all of the other study's
    assert found["w_score"].to_numpy() == pytest.approx((y - predicted.predicted_mean) / predicted.se_obs, rel=1e-9)
    assert (found["n_controls"] == 20).all()


def test_stored_norms_that_do_not_fit_are_refused_or_noted(stored):
    norms, _ = stored
    people = cohort().assign(site="A")
    y = np.random.default_rng(22).normal(size=18)
    with pytest.raises(InputError, match="covariates age, sex, the config's are age"):
        score_deviations(values(people, y), people, covariates=["age"], norms=norms, **OPTIONS)
    with pytest.raises(InputError, match="none of the study's measures"):
        score_deviations(values(people, y, measure="md"), people, norms=norms, **OPTIONS)
    tables = pd.concat([values(people, y, unit="%"), values(people, y, region="plic")])
    found = score_deviations(
        tables, people, covariates=["age", "sex", "site"], site="site", norms=norms, **OPTIONS
    ).deviations
    assert set(found["note"]) == {"the norms are in 1, the values in %", "not in the norms"}
    assert found["w_score"].isna().all()


def test_norms_with_a_number_for_what_is_a_category_here_are_refused_and_reversed(stored):
    people = cohort()
    y = np.random.default_rng(22).normal(size=18)
    coded = people.assign(sex=(people["sex"] == "M") * 1.0)
    by_number = score_deviations(values(coded, y), coded, **OPTIONS).norms
    said = r"sex is a number \(0 to 1\) in the norms and a category \(F, M\) in the participants table; .* without it"
    with pytest.raises(InputError, match=said):
        score_deviations(values(people, y), people, norms=by_number, **OPTIONS)
    said = r"sex is a category \(F, M\) in the norms and a number \(0 to 1\) in the participants table; .* with it"
    with pytest.raises(InputError, match=said):
        score_deviations(values(coded, y), coded, norms=stored[0], **OPTIONS)
    nobody = people.assign(sex=np.nan)
    found = score_deviations(values(nobody, y), nobody, norms=stored[0], **OPTIONS).deviations
    assert set(found["note"]) == {"no sex"}


def test_norms_of_several_sites_judge_people_of_these_sites_and_are_refused_for_others():
    other = cohort(0, 24, seed=20).assign(site=np.resize(["A", "B", "B"], 24))
    y = np.random.default_rng(21).normal(size=24)
    options = {"covariates": ["age", "sex", "site"], "site": "site"}
    norms = score_deviations(values(other, y), other, groups=["control"], reference="control", **options).norms
    people = cohort()
    y = np.random.default_rng(22).normal(size=18)
    remedy = "judge people of these sites only; for others, make norms of the controls of one site"
    with pytest.raises(InputError, match=rf"their model has site \(A, B\), which the config.s .* have not; .*{remedy}"):
        score_deviations(values(people, y), people, norms=norms, **OPTIONS)
    elsewhere = people.assign(site="C")
    with pytest.raises(InputError, match=f"site is A, B in the norms and C in the participants table; .*{remedy}"):
        score_deviations(values(elsewhere, y), elsewhere, norms=norms, **options, **OPTIONS)
    some = people.assign(site=["B", *["C"] * 17])
    found = by_person(score_deviations(values(some, y), some, norms=norms, **options, **OPTIONS).deviations)
    assert np.isfinite(found.loc["sub-00", "w_score"])
    assert set(found["note"].drop("sub-00")) == {"no control has site C"}


def test_a_file_that_is_no_table_of_norms_is_refused(stored, tmp_path):
    path = tmp_path / "norms.tsv"
    table = read_table(path)
    for change, said in (
        (table.drop(columns="s"), "lacks the columns s"),
        (table.drop(columns="cov_4"), "needs as many columns"),
        (table.assign(coefficient="x"), "coefficient is not a number"),
        (pd.concat([table[:3], table]), "two models|needs as many"),
        (table[:0], "no norms"),
    ):
        write_table(change, path)
        with pytest.raises(InputError, match=said):
            read_norms(path)


def test_the_dictionary_names_every_column_of_the_norms(stored):
    assert column_names(norms_dictionary(4)) == list(stored[0])


def test_contra_and_ipsi_are_judged_as_the_hemisphere_that_they_are():
    people = cohort()
    people["onset"] = ["L", "R", "bulbar", *["L"] * 3, *[np.nan] * 12]
    rng = np.random.default_rng(23)
    tables = pd.concat([values(people, rng.normal(size=18), hemi=hemi) for hemi in "LR"])
    found = score_deviations(tables, people, onset_side="onset", **OPTIONS).deviations
    w = found.pivot(index="participant_id", columns="hemi", values="w_score")
    assert w.loc["sub-00", "contra"] == w.loc["sub-00", "R"] and w.loc["sub-00", "ipsi"] == w.loc["sub-00", "L"]
    assert w.loc["sub-01", "contra"] == w.loc["sub-01", "L"]
    assert w.loc[["sub-02", "sub-10"], ["contra", "ipsi"]].isna().all(axis=None)


def test_stored_norms_of_left_and_right_judge_contra_and_ipsi_in_a_comparison_of_groups():
    other, people = cohort(0, 20, seed=24), cohort()
    people["onset"] = ["L", "R", "bulbar", *["L"] * 3, *[np.nan] * 12]
    rng = np.random.default_rng(25)
    own = pd.concat([values(other, rng.normal(size=20), hemi=hemi) for hemi in "LR"])
    norms = score_deviations(own, other, groups=["control"], reference="control").norms
    tables = pd.concat([values(people, rng.normal(size=18), hemi=hemi) for hemi in "LR"])
    oriented = add_sides(tables, assumed_sides(people, side_of_onset(people, "onset"), reference="control"))
    settings = {"norms": norms, "onset_side": "onset", "by_onset_too": True}
    found = score_deviations(oriented, people, **settings, **OPTIONS).deviations
    w = found.pivot(index="participant_id", columns="hemi", values="w_score")
    # the value of contra is that of a hemisphere, and its W-score is that hemisphere's
    held = oriented.pivot(index="participant_id", columns="hemi", values="value")
    for who in people["participant_id"].drop(2):
        side = "L" if held.loc[who, "contra"] == held.loc[who, "L"] else "R"
        assert w.loc[who, "contra"] == w.loc[who, side]
    assert np.isnan(w.loc["sub-02", "contra"])
    measured = classify(
        oriented, people, directions={}, covariates=["age", "sex"], norms=norms, onset_side="onset", **OPTIONS
    ).table
    areas = measured.set_index("hemi")["auc_adjusted"]
    assert areas[["L", "R", "contra", "ipsi"]].notna().all()
    sick = w["contra"][people["participant_id"][:6]].dropna()
    healthy = w["contra"][people["participant_id"][6:]]
    area = np.mean([[(a > b) + (a == b) / 2 for b in healthy] for a in sick])
    assert areas["contra"] in (pytest.approx(area), pytest.approx(1 - area))
