"""The statistics alone, on a table of measures that somebody brings."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mndmri.io import read_json, read_table
from mndmri.statistics.deviations import NO_CONTROLS
from mndmri.statistics.prevalence import RATED
from mndmri.statistics.roc import auc_delong
from mndmri.tables.dictionaries import column_names
from mndmri.tables.participants import read_participants
from tests.running import finish, run

SIZES = {"ALS": 24, "PLS": 14, "control": 22}
LOSS = {"ALS": -1.2, "PLS": -2.0, "control": 0.0}  # standard deviations, of FA on both sides
# What the scanner adds, standard deviations; the sites are codes that look like numbers, and both like one.
SITES = {"01": 0.0, "1": 0.8}
FA = {"modality": "dwi", "measure": "fa", "region": "cst"}


def cohort() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Participants and measures: FA is lost, the left limbs suffer with the right tract, a volume knows nothing."""
    rng = np.random.default_rng(7)
    group = np.repeat(list(SIZES), list(SIZES.values()))
    n = len(group)
    people = pd.DataFrame({"participant_id": [f"sub-{i:02d}" for i in range(n)], "group": group})
    people["age"] = rng.normal(60, 8, n).round()
    people["sex"] = rng.choice(["F", "M"], n)
    people["site"] = np.resize(list(SITES), n)
    sick = people["group"] != "control"
    damage = {hemi: rng.standard_normal(n) for hemi in "LR"}
    for limbs, other in (("left", "R"), ("right", "L")):
        people[f"umn_{limbs}"] = np.where(sick, (4 + 2 * damage[other] + 0.3 * rng.standard_normal(n)).round(1), np.nan)
    people["onset"] = np.where(sick, np.resize(["L", "right", "bulbar", "R"], n), "n/a")
    fa_side = (damage["L"] + damage["R"]) / 2
    lived = np.random.default_rng(8).exponential(30 * np.exp(-fa_side))
    people["lived"] = np.where(sick, np.minimum(lived, 40).round(2) + 0.01, np.nan)
    people["died"] = np.where(sick, (lived < 40) * 1.0, np.nan)
    people["alsfrs_r"], people["months"] = np.where(sick, 36.0, np.nan), np.where(sick, 24.0, np.nan)
    score = np.where(sick, 6.0, 0.0)
    people["rated"] = score
    rows = [{"modality": "swi", "measure": "motor_band_score", "region": "precentral", "hemi": "both", "value": score}]
    base = people["group"].map(LOSS).to_numpy() + people["site"].map(SITES).to_numpy()
    for hemi in "LR":
        rows.append({**FA, "hemi": hemi, "value": 0.55 + 0.03 * (base - damage[hemi])})
        volume = 12 + rng.standard_normal(n)
        rows.append({"modality": "t1w", "measure": "volume", "region": "precentral", "hemi": hemi, "value": volume})
        md = 0.75 - 0.03 * base + 0.03 * rng.standard_normal(n)
        rows.append({**FA, "measure": "md", "hemi": hemi, "value": md})
    measures = pd.concat([people[["participant_id"]].assign(**row) for row in rows])
    return people, measures


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two sites with everything switched on that statistics can do."""
    folder = tmp_path_factory.mktemp("brought")
    people, measures = cohort()
    people.to_csv(folder / "people.tsv", sep="\t", index=False, na_rep="n/a")
    measures.to_csv(folder / "brought.tsv", sep="\t", index=False)
    quality = {"participant_id": "sub-03", "modality": "dwi", "measure": "mean_fd", "region": "brain", "hemi": "both"}
    quality |= {"value": 2.5, "unit": "mm", "lower": "n/a", "upper": 1.0, "flag": "yes", "reason": "2.5 is above 1"}
    still = [quality | {"participant_id": who, "value": 0.4, "flag": "no"} for who in people["participant_id"]]
    pd.DataFrame([row if row["participant_id"] != "sub-03" else quality for row in still]).to_csv(
        folder / "qc.tsv", sep="\t", index=False
    )
    config = {
        "output_dir": str(folder / "results"),
        "participants": str(folder / "people.tsv"),
        "measures": str(folder / "brought.tsv"),
        "quality": str(folder / "qc.tsv"),
        "site": "site",
        "onset_side": "onset",
        "survival": {"time": "lived", "event": "died", "covariates": ["age"]},
        "clinical_scores": ["alsfrs_r", "umn_left", "umn_right"],
        "clinical_sides": {"umn_left": "L", "umn_right": "R"},
        "progression": {"score": "alsfrs_r", "months": "months"},
        "statistics": {
            "harmonise": "combat",
            "rated_sign": "rated",
            "n_permutations": 100,
            "primary": [{**FA, "hemi": hemi} for hemi in "LR"],
        },
    }
    config["statistics"]["primary"].append({**FA, "hemi": "contra"})
    finish(folder, config, "--cores", "2", "statistics")
    return folder, config


@pytest.fixture(scope="module")
def group(study) -> Path:
    return study[0] / "results/group"


def of_tract(table: pd.DataFrame, hemi: str = "L") -> pd.DataFrame:
    return table.merge(pd.DataFrame([{**FA, "hemi": hemi}]))


def test_a_planted_difference_is_found_and_nothing_else(group):
    rows = read_table(group / "comparisons.tsv").query("reported == 'yes' and contrast != 'group'")
    for hemi in "LR":
        found = of_tract(rows, hemi).set_index("contrast")
        assert (found.loc[["ALS-control", "PLS-control"], "p_holm"] < 0.05).all()
        assert found.loc["PLS-control", "ci_low"] <= -0.06 <= found.loc["PLS-control", "ci_high"]
    assert (rows.query("measure == 'volume'")["p_holm"].dropna() > 0.05).all()


def test_the_sites_are_harmonised_and_each_is_compared(group):
    harmonised, raw = (read_table(group / name) for name in ("measures_harmonised.tsv", "measures.tsv"))
    site = read_participants(group / "participants.tsv").set_index("participant_id")["site"]

    def gap(table: pd.DataFrame) -> float:
        controls = of_tract(table).query("group == 'control'")
        means = controls.groupby(controls["participant_id"].map(site))["value"].mean()
        return abs(means["1"] - means["01"])

    assert gap(harmonised) < gap(raw)
    effects = of_tract(read_table(group / "site_effects.tsv")).query("contrast == 'PLS-control'").set_index("site")
    assert set(effects.index) == {*SITES, "all"}
    assert (effects["estimate"] < 0).all()
    assert effects.loc["all", "ci_low"] < -0.06 < effects.loc["all", "ci_high"]  # two sites: a wide interval


def test_codes_of_sites_are_names_in_every_table(group):
    assert set(read_participants(group / "participants.tsv")["site"]) == set(SITES)
    assert set(read_table(group / "site_shifts.tsv", text=["site"])["site"]) == set(SITES)
    levels = read_table(group / "demographics.tsv", text=["level"]).query("variable == 'site'")["level"]
    assert set(levels.dropna()) == set(SITES)
    balance = read_table(group / "balance.tsv", text=["level"]).query("variable == 'site'")
    assert set(balance["level"]) <= set(SITES) and balance["test"].ne("welch").all()


def test_limbs_answer_to_the_tract_of_the_other_side(group):
    table = read_table(group / "correlations.tsv").query("method == 'spearman' and group == 'ALS'")
    crossed = of_tract(table, "R").set_index("score")
    assert crossed.loc["umn_left", "ci_high"] < 0
    assert "umn_right" not in crossed.index
    assert "progression_rate" in crossed.index


def test_the_area_the_index_and_the_sign_are_those_of_the_cohort(group):
    areas = of_tract(read_table(group / "classification.tsv")).set_index("contrast")
    assert areas.loc["PLS-control", "auc"] > 0.8
    assert areas.loc["PLS-control", "direction"] == "lower"
    index = read_table(group / "multimodal_index.tsv").set_index(["contrast", "scheme"])
    assert index.loc[("PLS-control", "site held out"), "auc"] > 0.8
    sign = read_table(group / "motor_band_sign.tsv").query("source == 'automated' and test.isna()").set_index("group")
    assert sign["n_present"].loc[["ALS", "PLS", "control"]].tolist() == [24, 14, 0]
    agreement = read_table(group / "motor_band_agreement.tsv").set_index("statistic")
    assert agreement.loc["kappa", "estimate"] == 1


def test_the_flagged_person_is_missing_from_one_variant_of_the_comparison(group):
    rows = of_tract(read_table(group / "sensitivity.tsv")).query("contrast == 'ALS-control'").set_index("variant")
    assert rows.loc["without_flagged", "n_ALS"] == rows.loc["main", "n_ALS"] - 1
    assert {"motion_covariate", "age_matched", "without_covariates", "without_site_01"} <= set(rows.index)


def test_the_hemisphere_opposite_to_onset_is_compared_like_any_other(group):
    contrasts = of_tract(read_table(group / "comparisons.tsv"), "contra").query("test == 'ancova_contrast'")
    assert (contrasts.set_index("contrast").loc[["ALS-control", "PLS-control"], "p_holm"] < 0.05).all()
    assert of_tract(read_table(group / "correlations.tsv"), "contra")["score"].unique().tolist() == [
        "alsfrs_r",
        "progression_rate",
    ]
    sides = read_table(group / "sides.tsv").query("measure == 'fa' and group == 'ALS' and test == 'paired_t'")
    assert sides[["n_left", "n_right", "n_missing"]].iloc[0].tolist() == [6, 12, 6]


def test_patients_lie_outside_of_the_controls_and_controls_within(group):
    scores = of_tract(read_table(group / "deviations.tsv")).set_index("participant_id")
    owner = read_participants(group / "participants.tsv").set_index("participant_id")["group"]
    medians = scores["w_score"].groupby(owner).median()
    # planted: 2.0, 1.2 and 0 standard deviations; the controls' own spread is sqrt(2) of those
    assert medians["PLS"] < medians["ALS"] < -0.4 < medians["control"] < 0.4
    assert (scores["n_controls"] == np.where(owner[scores.index] == "control", 21, 22)).all()
    # read again to compute the controls' range: not rounded to six digits
    assert (scores["value"] != scores["value"].map(lambda value: float(f"{value:.6g}"))).any()


def test_norms_of_one_run_judge_the_people_of_another(study, tmp_path):
    folder, config = study
    norms = folder / "results/group/norms.tsv"
    other = {key: config[key] for key in ("participants", "measures", "statistics")}
    other |= {"output_dir": str(tmp_path / "results"), "norms": str(norms)}
    other["statistics"] = other["statistics"] | {"harmonise": "none", "primary": [{**FA, "hemi": "L"}]}
    group = tmp_path / "results/group"
    finish(tmp_path, other, "--cores", "2", str(group / "deviations.tsv"), str(group / "classification.tsv"))
    scores = of_tract(read_table(group / "deviations.tsv")).set_index("participant_id")["w_score"]
    assert scores.notna().all() and (of_tract(read_table(group / "deviations.tsv"))["n_controls"] == 22).all()
    owner = read_participants(group / "participants.tsv").set_index("participant_id")["group"][scores.index]
    area = of_tract(read_table(group / "classification.tsv")).set_index("contrast").loc["ALS-control", "auc_adjusted"]
    assert area == pytest.approx(auc_delong(-scores[owner == "ALS"], -scores[owner == "control"]).estimate)
    said = run(tmp_path, other | {"covariates": ["age"]}, "-n")
    assert said.returncode != 0
    assert "norms: their model has the covariates age, sex, the config's are age" in said.stderr + said.stdout


def test_survival_answers_to_the_tract_and_not_to_a_volume(group):
    table = read_table(group / "survival.tsv").set_index(["measure", "hemi", "model"])
    assert table.loc[("fa", "mean", "alone"), "ci_high"] < 1
    assert table.loc[("fa", "mean", "adjusted"), "adjusted_for"] == "age, progression_rate"
    assert table.loc[("volume", "mean", "alone"), "p"] > 0.01


def test_comparisons_are_checked_for_influence_assumptions_and_equivalence(group):
    influence = of_tract(read_table(group / "influence.tsv")).set_index("contrast")
    assert (influence["estimate_low"] <= influence["estimate"]).all()
    assert influence.loc["PLS-control", "n_sign"] == 0
    assumptions = read_table(group / "assumptions.tsv")
    assert set(assumptions["check"]) == {"brown_forsythe", "equal_slopes", "normality", "outlier"}
    equivalence = of_tract(read_table(group / "equivalence.tsv")).set_index("contrast")
    assert equivalence.loc["PLS-control", "conclusion"] == "different"
    assert (equivalence["detectable_sd"].dropna() > 0.5).all()


def test_markers_are_compared_with_each_other(group):
    table = read_table(group / "marker_comparisons.tsv")
    # every pair of the primary measures, and the motor band score with its human rating, in each contrast
    by_people = table["modality_2"] == RATED
    assert (~by_people).sum() == 3 * 4 and by_people.sum() == 4
    assert set(table.loc[by_people, "measure"]) == {"motor_band_score"} and table["p"].notna().any()


def test_every_table_has_a_dictionary_that_names_its_columns(group):
    for table in group.glob("*.tsv"):
        meanings = read_json(group / f"{table.stem.replace('_harmonised', '')}.json")
        assert set(read_table(table).columns) <= set(column_names(meanings)), table.name


def test_page_spreadsheet_and_methods_are_there(group):
    page = (group / "report.html").read_text()
    for heading in (
        "Motor band sign",
        "Multimodal index",
        "Clinical scores",
        "Sites",
        "Survival",
        "Markers compared",
        "Methods text for a paper",
    ):
        assert heading in page
    assert "ComBat" in (group / "methods.md").read_text()
    sheets = pd.read_excel(group / "tables.xlsx", sheet_name=None)
    assert len(sheets["comparisons"]) == len(read_table(group / "comparisons.tsv"))
    contents = sheets["Contents"].set_index("sheet")["content"].iloc[: len(sheets) - 2]
    assert list(contents.index) == list(sheets)[2:]
    assert contents.notna().all() and contents.is_unique


def test_a_second_run_has_nothing_to_do(study):
    folder, config = study
    assert "Nothing to be done" in finish(folder, config, "--cores", "2", "statistics")


def test_no_scan_is_asked_for_and_nothing_is_measured(study):
    folder, config = study
    plan = run(folder, config, "-n", "--forceall")
    assert plan.returncode == 0, plan.stderr
    assert "preprocess_t1w" not in plan.stdout + plan.stderr


def test_measures_without_participants_are_refused(study, tmp_path):
    config = {key: value for key, value in study[1].items() if key != "participants"}
    said = run(tmp_path, config, "-n")
    assert said.returncode != 0
    assert "participants: missing; with measures" in said.stderr + said.stdout


def test_a_study_too_small_for_statistics_has_all_its_tables_and_says_why(tmp_path):
    """A group of one, a site of one, values missing, infinite or all the same, and markup in the names."""
    rng = np.random.default_rng(0)
    people = pd.DataFrame(
        {"participant_id": [f"{n:03d}" for n in range(8)], "group": [*["Ł-ALS"] * 3, "PLS", *["HC"] * 4]}
    )
    people = people.assign(age=rng.normal(60, 8, 8), sex=list("FMFMFMFM"), site=[*"AAAAAAA", "B"])
    people["umn"] = [1.0, 2.0, *[np.nan] * 6]
    people.to_csv(tmp_path / "people.tsv", sep="\t", index=False, na_rep="n/a")
    noise = rng.normal(size=8)
    values = {
        "cst": noise,
        "<script>": noise + 1,
        "all_missing": np.nan,
        "all_same": 1.0,
        "infinite": [np.inf, *noise[1:]],
    }
    tables = [
        people[["participant_id"]].assign(modality="dwi", measure="fa", region=region, hemi="L", value=value)
        for region, value in values.items()
    ]
    pd.concat(tables).to_csv(tmp_path / "brought.tsv", sep="\t", index=False, na_rep="n/a")
    config = {
        "output_dir": str(tmp_path / "results"),
        "participants": str(tmp_path / "people.tsv"),
        "measures": str(tmp_path / "brought.tsv"),
        "groups": {"reference": "control", "levels": {"Ł-ALS": ["Ł-ALS"], "PLS": ["PLS"], "control": ["HC"]}},
        "site": "site",
        "clinical_scores": ["umn"],
        "statistics": {
            "n_permutations": 100,
            "primary": [{"modality": "dwi", "measure": "fa", "region": region, "hemi": "L"} for region in values],
        },
    }
    finish(tmp_path, config, "--cores", "2", "statistics")
    group = tmp_path / "results/group"
    assert "<script>" not in (group / "report.html").read_text()
    rows = read_table(group / "comparisons.tsv")
    without = rows[rows["region"].isin(["all_missing", "all_same"])]
    assert without["p"].isna().all()
    assert without["note"].notna().all()
    for name in ("classification", "correlations", "multimodal_index", "site_effects", "sensitivity"):
        table = read_table(group / f"{name}.tsv")
        estimate = table.columns.intersection(["auc", "estimate"])[0]
        assert table.loc[table[estimate].isna(), "note"].notna().all(), name


@pytest.mark.parametrize(
    "levels",
    [["ALS"], pytest.param(["PLS", "ALS"], marks=pytest.mark.slow), pytest.param(["control"], marks=pytest.mark.slow)],
)
def test_a_group_alone_or_patients_without_controls_have_their_tables_and_page(levels, tmp_path):
    people, measures = cohort()
    studied = people[people["group"].isin(levels)]
    studied.to_csv(tmp_path / "people.tsv", sep="\t", index=False, na_rep="n/a")
    measures = measures[measures["participant_id"].isin(studied["participant_id"])]
    measures.to_csv(tmp_path / "brought.tsv", sep="\t", index=False, na_rep="n/a")
    config = {
        "output_dir": str(tmp_path / "results"),
        "participants": str(tmp_path / "people.tsv"),
        "measures": str(tmp_path / "brought.tsv"),
        "groups": {
            "levels": {name: [name] for name in levels},
            "reference": "control" if "control" in levels else None,
        },
        "statistics": {"n_permutations": 100, "primary": [{**FA, "hemi": hemi} for hemi in "LR"]},
    }
    finish(tmp_path, config, "--cores", "2", "statistics")
    group = tmp_path / "results/group"
    assert set(read_table(group / "measures_wide.tsv")["participant_id"]) == set(studied["participant_id"])
    rows = read_table(group / "comparisons.tsv")
    assert set(rows["contrast"]) == {"group", *(["PLS-ALS"] if len(levels) > 1 else [])}
    if len(levels) == 1:
        assert rows["p"].isna().all()
        assert rows["note"].str.contains("fewer than two groups").all()
    deviations = read_table(group / "deviations.tsv")
    judged = deviations["w_score"].notna().any()
    assert judged == ("control" in levels)
    assert judged or set(deviations.loc[deviations["value"].notna(), "note"]) <= {NO_CONTROLS, "a rating: no W-score"}
    assert len(read_table(group / "norms.tsv")) > 0 or not judged
    adjusted = read_table(group / "classification.tsv")
    assert adjusted["auc_adjusted"].isna().all()
    assert adjusted.loc[adjusted["auc"].notna(), "note"].str.contains(NO_CONTROLS).all()
    for name in ("influence", "equivalence", "marker_comparisons"):
        assert (len(read_table(group / f"{name}.tsv")) > 0) == (len(levels) > 1), name
    methods = (group / "methods.md").read_text()
    for text in ("with each participant left out", "W-scores"):
        assert (text in methods) == {"W": judged, "w": len(levels) > 1}[text[0]], text
    assert ("One group was studied" in methods) == (len(levels) == 1)
    assert "minus" not in methods or len(levels) > 1
    for name in levels:
        assert name in (group / "report.html").read_text()
