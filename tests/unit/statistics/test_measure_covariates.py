"""Covariates of some measures alone, in every analysis that adjusts."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.statistics import adjusted_means, compare_groups
from mndmri.statistics.assumptions import assumptions_table
from mndmri.statistics.correlations import correlation_table
from mndmri.statistics.deviations import score_deviations
from mndmri.statistics.equivalence import equivalence_table
from mndmri.statistics.influence import influence_table
from mndmri.statistics.markers import compare_markers
from mndmri.statistics.multimodal import multimodal_index
from mndmri.statistics.own_covariates import adjust_measured
from mndmri.statistics.roc import classify
from mndmri.statistics.samples import Measured
from mndmri.statistics.sensitivity import sensitivity_table
from mndmri.statistics.sites import site_effects
from mndmri.statistics.survival import survival_table
from mndmri.statistics.voxelwise import compare_maps

GROUPS = ["ALS", "PLS", "control"]
STUDY = {"groups": GROUPS, "reference": "control"}
OF_VOLUMES = {"t1w volume": ["tiv"]}


@pytest.fixture
def study(participants, tidy):
    """Volumes that depend on head size alone, which differs between the groups; FA that depends on nothing."""
    rng = np.random.default_rng(4)
    people = participants.assign(tiv=1400 + 60 * rng.normal(size=28) - 150 * (participants["group"] == "ALS"))
    volume = 0.01 * people["tiv"].to_numpy() + 0.3 * rng.normal(size=28)
    measures = tidy(participants, volume=volume, fa=rng.normal(size=28))
    measures.loc[measures["measure"] == "volume", ["modality", "region"]] = ["t1w", "precentral"]
    whole = measures[measures["measure"] == "volume"].assign(region="tiv", value=people["tiv"].to_numpy())
    return people, pd.concat([measures, whole], ignore_index=True)


def same(found, expected):
    pd.testing.assert_frame_equal(found.reset_index(drop=True), expected.reset_index(drop=True))


def test_each_measure_has_the_model_with_its_own_covariates(study):
    people, measures = study
    options = STUDY | {"covariates": ["age"], "n_permutations": 9}
    families = ["q_exploratory", "p_confirmatory", "q_fdr"]
    found = compare_groups(measures, people, **options, measure_covariates=OF_VOLUMES).drop(columns=families)
    plain = compare_groups(measures, people, **options).drop(columns=families)
    adjusted = compare_groups(measures, people, **(options | {"covariates": ["age", "tiv"]})).drop(columns=families)
    of = {name: (t["measure"] == "volume") & (t["region"] == "precentral") for name, t in (("all", found),)}["all"]
    same(found[of], adjusted[of])
    same(found[~of], plain[~of])
    row = found[of & (found["test"] == "ancova_welch") & (found["contrast"] == "ALS-control")].iloc[0]
    assert row["ci_low"] < 0 < row["ci_high"]
    assert plain.loc[row.name, "p"] < 0.001
    means = adjusted_means(measures, people, groups=GROUPS, covariates=["age"], measure_covariates=OF_VOLUMES)
    same(means[:3], adjusted_means(measures, people, groups=GROUPS, covariates=["age", "tiv"])[:3])


def test_who_lacks_it_is_left_out_of_that_measure_alone_and_one_that_nobody_has_is_said(study):
    people, measures = study
    people.loc[0, "tiv"] = np.nan
    options = STUDY | {"n_permutations": 0, "measure_covariates": OF_VOLUMES}
    found = compare_groups(measures, people, **options)
    row = found[(found["test"] == "ancova_welch") & (found["contrast"] == "group")].set_index(["measure", "region"])
    assert row.loc[("volume", "precentral"), "n_ALS"] == 12
    assert "left out: no tiv (1)" in row.loc[("volume", "precentral"), "note"]
    assert row.loc[("fa", "cst"), "n_ALS"] == 13
    nobody = compare_groups(measures, people.assign(tiv=np.nan), **options)
    note = nobody.loc[(nobody["region"] == "precentral") & (nobody["test"] == "ancova_welch"), "note"]
    assert note.str.contains("not adjusted for tiv: nobody has it").all()
    assert nobody.loc[note.index, "p"].notna().all()


def test_sites_and_sensitivity_have_the_same_model(study):
    people, measures = study
    volumes = measures[measures["region"] == "precentral"]
    options = STUDY | {"covariates": ["age"], "measure_covariates": OF_VOLUMES}
    main = compare_groups(volumes, people, **options, n_permutations=0)
    main = main[(main["reported"] == "yes") & (main["contrast"] != "group")]["estimate"].tolist()
    varied = sensitivity_table(volumes, people, **options)
    assert varied.loc[varied["variant"] == "main", "estimate"].tolist() == pytest.approx(main)
    one_site = people.assign(site="Linz")
    sites = site_effects(volumes, one_site, **options, site="site")
    assert sites.loc[sites["site"] == "Linz", "estimate"].tolist() == pytest.approx(main)


def test_sites_and_sensitivity_say_what_nobody_has(study):
    people, measures = study
    volumes, people = measures[measures["region"] == "precentral"], people.assign(tiv=np.nan)
    options = STUDY | {"covariates": ["age"], "measure_covariates": OF_VOLUMES}
    for table in (
        sensitivity_table(volumes, people, **options, age="age"),
        site_effects(volumes, people, **options, site="site"),
    ):
        assert len(table) and table["note"].str.contains("not adjusted for tiv: nobody has it").all()


def test_the_differences_checked_are_the_reported_ones(study):
    people, measures = study
    options = STUDY | {"covariates": ["age"], "measure_covariates": OF_VOLUMES}
    reported = compare_groups(measures, people, **options, n_permutations=0)
    reported = reported[(reported["reported"] == "yes") & (reported["contrast"] != "group")]
    checked = equivalence_table(measures, people, **options, margin_sd=0.5)
    for name in ("estimate", "se", "df"):
        assert checked[name].tolist() == pytest.approx(reported[name].tolist())
    left_out = influence_table(measures, people, **options, primary=None)
    for name in ("estimate", "p"):
        assert left_out[name].tolist() == pytest.approx(reported[name].tolist())
    checks = assumptions_table(measures, people, groups=GROUPS, covariates=["age"], measure_covariates=OF_VOLUMES)
    crossed = checks[checks["check"] == "equal_slopes"].groupby("region")["term"].agg(list).to_dict()
    assert crossed == {"precentral": ["age", "tiv"], "cst": ["age"], "tiv": ["age"]}


def test_a_patients_survival_is_adjusted_for_the_covariates_of_the_measure(study):
    people, measures = study
    rng = np.random.default_rng(3)
    people = people.assign(time=rng.exponential(size=28), event=1.0)
    options = STUDY | {"time": "time", "event": "event", "measure_covariates": OF_VOLUMES}
    found = survival_table(measures, people, **options).set_index(["region", "model"])
    assert found.loc[("precentral", "adjusted"), "adjusted_for"] == "tiv"
    assert set(found.index) == {("precentral", "alone"), ("precentral", "adjusted"), ("cst", "alone"), ("tiv", "alone")}


def test_head_size_alone_separates_nobody_in_roc_and_index():
    """Groups that differ in head size and in nothing else: the adjusted areas are 0.5 within their error."""
    rng = np.random.default_rng(1)
    areas = []
    options = {"groups": ["ALS", "control"], "reference": "control", "directions": {("t1w", "volume"): -1}}
    people = pd.DataFrame({"participant_id": [f"sub-{n:02d}" for n in range(50)]})
    people["group"] = np.repeat(["ALS", "control"], [20, 30])
    place = {"modality": "t1w", "measure": "volume", "region": "precentral", "hemi": "L", "status": "ok"}
    for _ in range(40):
        people["tiv"] = 1400 + 100 * rng.normal(size=50) - 100 * (people["group"] == "ALS")
        measures = people[["participant_id"]].assign(value=0.01 * people["tiv"] + rng.normal(size=50), **place)
        raw = classify(measures, people, **options).table.iloc[0]["auc"]
        found = classify(measures, people, **options, measure_covariates=OF_VOLUMES).table.iloc[0]
        areas.append([raw, found["auc"], found["auc_adjusted"]])
        assert "adjusted for tiv" in found["note"]
    raw, own, adjusted = np.mean(areas, axis=0)
    error = 0.084 / np.sqrt(40)  # of an area of 0.5 with 20 and 30 people, and 40 studies
    assert abs(adjusted - 0.5) < 4 * error
    assert abs(own - 0.5) < 4 * error
    assert raw > 0.6
    nobody = classify(measures, people.drop(columns="tiv"), **options, measure_covariates=OF_VOLUMES).table.iloc[0]
    assert nobody["note"] == "not adjusted for tiv: nobody has it"
    assert nobody["auc_adjusted"] == pytest.approx(nobody["auc"], abs=0.05)
    people["tiv"] = 1400 + 100 * rng.normal(size=50) - 250 * (people["group"] == "ALS")
    measures = people[["participant_id"]].assign(value=0.01 * people["tiv"] + rng.normal(size=50), **place)
    index = [
        multimodal_index(
            measures, people, groups=["ALS", "control"], reference="control", primary=[{"measure": "volume"}],
            covariates=[], measure_covariates=chosen, n_repeats=2,
        ).performance["auc"].iloc[0]
        for chosen in (OF_VOLUMES, {})
    ]  # fmt: skip
    assert abs(index[0] - 0.5) < 0.25
    assert index[1] > 0.8


def test_a_map_has_the_covariates_of_its_measure(study):
    people, _ = study
    rng = np.random.default_rng(2)
    mask = nb.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4))
    maps = {
        who: nb.Nifti1Image((0.01 * tiv + rng.normal(size=(3, 3, 3))).astype(np.float32), np.eye(4))
        for who, tiv in zip(people["participant_id"], people["tiv"], strict=True)
    }

    def t_map(**options):
        return compare_maps(maps, mask, people, **STUDY, **options, n_permutations=1).maps["ALS-control"].statistic

    own = t_map(measure_covariates=OF_VOLUMES, place={"modality": "t1w", "measure": "volume"})
    other = t_map(measure_covariates=OF_VOLUMES, place={"modality": "dwi", "measure": "fa"})
    np.testing.assert_array_equal(own.get_fdata(), t_map(covariates=["tiv"]).get_fdata())
    np.testing.assert_array_equal(other.get_fdata(), t_map().get_fdata())


def test_every_table_in_the_unit_of_a_measure_has_it(study):
    people, measures = study
    measures = measures.assign(unit=np.where(measures["modality"] == "t1w", "ml", "1"))
    options = STUDY | {"covariates": ["age"]}
    tables = [
        compare_groups(measures, people, **options, n_permutations=0),
        adjusted_means(measures, people, groups=GROUPS, covariates=["age"]),
        sensitivity_table(measures, people, **options),
        site_effects(measures, people, **options, site="site"),
        influence_table(measures, people, **options, primary=None),
        equivalence_table(measures, people, **options, margin_sd=0.5),
        score_deviations(measures, people, groups=GROUPS, reference="control", covariates=["age"]).deviations,
        classify(measures, people, **options, directions={}).table,
    ]
    for table in tables:
        found = table.groupby("modality")["unit"].unique().map(list).to_dict()
        assert found == {"t1w": ["ml"], "dwi": ["1"]}
        assert list(table).index("unit") == list(table).index("hemi") + 1
    without = sensitivity_table(measures.drop(columns="unit"), people, **options)
    assert len(without) and without["unit"].isna().all()


def test_each_value_is_adjusted_by_slopes_of_the_others(study):
    """Refitted without each person: groups with a mean each, age and the levels of a category."""
    people, _ = study
    people = people.set_index("participant_id")
    people.iloc[4, people.columns.get_loc("age")] = np.nan
    values = pd.Series(np.random.default_rng(6).normal(size=28) + 0.1 * people["tiv"], people.index)
    values.iloc[7] = np.nan
    key = {"modality": "t1w", "measure": "volume", "region": "gm", "hemi": "both"}
    chosen = {"t1w": ["tiv", "age", "site"]}
    measured = Measured(key, values, pd.Series("no scan", people.index))
    found, notes = adjust_measured(measured, people, chosen=chosen, within=["group"])
    assert notes == ["adjusted for tiv, age, site"]
    assert np.isnan(found.values.iloc[[4, 7]]).all()
    assert found.reasons.iloc[4] == "no age" and found.reasons.iloc[7] == "no scan"
    known = people.drop(people.index[[4, 7]])
    x = known[["tiv", "age"]].assign(site=known["site"] == known["site"].max()).astype(float)
    x -= x.mean()
    cells = pd.get_dummies(known["group"], dtype=float)
    for who in known.index:
        matrix = pd.concat([cells, x], axis=1).drop(who)
        slopes = np.linalg.lstsq(matrix.to_numpy(), values[matrix.index].to_numpy(), rcond=None)[0][-3:]
        assert found.values[who] == pytest.approx(values[who] - x.loc[who].to_numpy() @ slopes)


def test_a_value_without_a_site_is_missing_for_that_reason(study):
    people, measures = study
    people.loc[3, "site"] = None
    options = STUDY | {"directions": {("t1w", "volume"): -1}, "pooled": False, "site": "site"}
    found = classify(measures, people, measure_covariates=OF_VOLUMES, **options).table
    notes = found.query("region == 'precentral' and contrast == 'ALS-control'")["note"]
    assert notes.item().startswith("left out: no site (1)")


def test_a_covariate_that_nobody_has_is_told_once(study):
    people, measures = study
    options = STUDY | {"directions": {("t1w", "volume"): -1}, "pooled": False}
    both = {"t1w volume": ["tiv", "coil"]}
    notes = classify(measures, people, measure_covariates=both, **options).table.query("region == 'precentral'")["note"]
    assert notes.str.count("not adjusted for coil").eq(1).all() and notes.str.contains("; adjusted for tiv").all()


def test_too_few_people_are_left_as_they_are_with_a_note(study):
    people, _ = study
    few = people.set_index("participant_id").iloc[[0, 1, 14, 20]]
    values = pd.Series([1.0, 2, 3, 4], few.index)
    key = {"modality": "t1w", "measure": "volume", "region": "gm", "hemi": "both"}
    found, notes = adjust_measured(
        Measured(key, values, pd.Series("", few.index)), few, chosen=OF_VOLUMES, within=["group"]
    )
    assert found.values.equals(values) and notes == ["not adjusted for tiv: too few participants"]


def test_markers_are_compared_with_head_size_taken_out(study):
    people, measures = study
    options = STUDY | {"directions": {("t1w", "volume"): -1, ("dwi", "fa"): -1}, "pooled": False}
    both = [{"measure": "volume", "region": "precentral"}, {"measure": "fa"}]
    rows = compare_markers(measures, people, primary=both, measure_covariates=OF_VOLUMES, **options)
    areas = classify(measures, people, measure_covariates=OF_VOLUMES, **options).table.set_index(["region", "contrast"])
    for row in rows.itertuples():
        assert row.auc == pytest.approx(areas.loc[("precentral", row.contrast), "auc"])
        assert row.auc_2 == pytest.approx(areas.loc[("cst", row.contrast), "auc"])


def test_a_correlation_with_head_size_alone_is_none(study):
    people, measures = study
    # a small head has a high score, and nothing else decides it
    people = people.assign(score=-people["tiv"] + 15 * np.random.default_rng(8).normal(size=len(people)))
    volumes = measures[measures["region"] == "precentral"]
    plain = correlation_table(volumes, people, **STUDY, scores=["score"], adjust=["age"])
    found = correlation_table(volumes, people, **STUDY, scores=["score"], adjust=["age"], measure_covariates=OF_VOLUMES)
    als, before = (table[table["group"] == "ALS"].set_index("method") for table in (found, plain))
    assert before.loc["spearman", "estimate"] < -0.6
    assert abs(als.loc["spearman", "estimate"]) < 0.3
    assert als.loc["spearman", "adjusted_for"] == "tiv"
    assert als.loc["partial_spearman", "adjusted_for"] == "age, tiv"
    assert als.loc["kendall", "estimate"] == before.loc["kendall", "estimate"]
    assert als.loc["kendall", "adjusted_for"] == ""
