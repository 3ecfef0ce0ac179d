"""The demo study, whole: what was planted comes back, and nothing else."""

import json
import random

import numpy as np
import pandas as pd
import pytest

from mndmri.grids import world_coordinates
from mndmri.io import load_field, load_image, read_table
from mndmri.phantom.deformation import head_map
from mndmri.phantom.plan import plan_cohort
from mndmri.registration.transforms import map_points
from mndmri.statistics.comparisons import compare_groups
from mndmri.tables.measures import GROUP_COLUMNS
from tests.e2e.cohorts import CONTRASTS, primary
from tests.running import finish, hit, run, start

pytestmark = pytest.mark.demo

SIGN = {("t1w", "volume"): -1, ("dwi", "fa"): -1, ("swi", "normalised_hypointensity"): 1}


@pytest.fixture(scope="module", params=["coarse", pytest.param("full", marks=pytest.mark.slow)])
def demo(request, study):
    folder, config = study("demo", full=request.param == "full")
    finish(folder, config, "--cores", "2")
    return folder / "results"


def planted(results) -> pd.Series:
    """What the same comparison finds in the true values of the same people."""
    config = json.loads((results / "provenance.json").read_text())["config"]
    truth = read_table(results / "simulation/truth.tsv").assign(status="ok")
    true = compare_groups(
        truth,
        read_table(results / "group/participants.tsv"),
        groups=list(config["groups"]["levels"]),
        reference=config["groups"]["reference"],
        covariates=config["covariates"],
        n_permutations=0,
    ).query("reported == 'yes'")
    return true.set_index(["modality", "measure", "region", "hemi", "contrast"])["estimate"]


def test_every_primary_measure_changes_in_the_planted_direction(demo):
    rows = primary(demo)
    assert len(rows) == 12
    for row in rows.itertuples():
        assert row.estimate * SIGN[row.modality, row.measure] > 0, row


def test_the_interval_of_every_primary_difference_covers_what_was_planted(demo):
    truth = planted(demo)
    for row in primary(demo).itertuples():
        true = truth[row.modality, row.measure, row.region, row.hemi, row.contrast]
        assert row.ci_low <= true <= row.ci_high, (row, true)


def test_fa_is_lost_most_where_the_loss_was_planted(demo):
    """The bell of the config's cst_profile is at 0.7 of the way up; the ends of a tract are measured worst."""
    rows = read_table(demo / "group/profile_comparisons.tsv").query("measure == 'fa' and contrast == 'PLS-control'")
    for _, side in rows.groupby("hemi"):
        assert side.loc[side["estimate"].idxmin(), "node"] in range(50, 91)
        assert side.loc[side["node"].between(55, 80), "estimate"].max() < 0


def test_what_was_not_planted_does_not_appear(demo):
    rows = read_table(demo / "group/comparisons.tsv").query("reported == 'yes'")
    rows = rows[rows["contrast"].isin(CONTRASTS)]
    untouched = rows.query("measure == 'volume' and region in ['postcentral', 'superior_frontal']")
    assert len(untouched) == 8
    assert (untouched["p_holm"] > 0.05).all(), untouched[["region", "hemi", "contrast", "estimate", "p_holm"]]


def test_the_output_is_what_the_contract_says(demo):
    for name in (
        "dataset_description.json",
        "provenance.json",
        "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz",
        "sub-01/anat/sub-01_desc-brain_mask.nii.gz",
        "sub-01/anat/sub-01_label-GM_probseg.nii.gz",
        "sub-01/anat/sub-01_from-T1w_to-MNI152NLin6Asym_mode-image_xfm.nii.gz",
        "sub-01/anat/sub-01_from-MNI152NLin6Asym_to-T1w_mode-image_xfm.nii.gz",
        "sub-01/anat/sub-01_space-MNI152NLin6Asym_label-GM_desc-modulated_probseg.nii.gz",
        "sub-01/dwi/sub-01_space-dwi_model-tensor_param-fa_dwimap.nii.gz",
        "sub-01/dwi/sub-01_space-MNI152NLin6Asym_model-tensor_param-fa_dwimap.nii.gz",
        "sub-01/swi/sub-01_space-swi_desc-normalised_swi.nii.gz",
        "sub-01/sub-01_measures.tsv",
        "sub-01/sub-01.html",
        "group/measures.tsv",
        "group/measures.json",
        "group/measures_wide.tsv",
        "group/demographics.tsv",
        "group/comparisons.tsv",
        "group/motor_band_sign.tsv",
        "group/motor_band_cutoffs.tsv",
        "group/strips.tsv",
        "group/figures/strip_swi.png",
        "group/figures/strip_qsm.png",
        "sub-01/swi/sub-01_Chimap.nii.gz",
        "group/classification.tsv",
        "group/deviations.tsv",
        "group/norms.tsv",
        "group/influence.tsv",
        "group/assumptions.tsv",
        "group/equivalence.tsv",
        "group/correlations.tsv",
        "group/multimodal_index.tsv",
        "group/sensitivity.tsv",
        "group/balance.tsv",
        "group/profiles.tsv",
        "group/profile_comparisons.tsv",
        "group/tables.xlsx",
        "group/methods.md",
        "group/figures/roc.png",
        "group/report.html",
        "reader/cohort.html",
        "reader/reader_key.tsv",
        "sub-01/sub-01_reader.html",
        "sub-01/sub-01_controls.js",
        "sub-01/sub-01_viewer.html",
        "group/vbm/viewer.html",
        "group/fa/viewer.html",
        "qc/qc.tsv",
        "qc/index.html",
        "qc/sheets/brain_mask.html",
        "qc/sheets/swi_regions.html",
        "status.html",
        "logs/extract_cst/sub-01.log",
        "benchmarks/extract_cst/sub-01.tsv",
    ):
        assert (demo / name).is_file(), name
    assert (demo / "group/report.html").stat().st_size < 8e6


def test_the_score_tells_who_has_a_motor_band(demo):
    planted = read_table(demo / "simulation/planted.tsv").set_index("participant_id")
    band = planted.filter(like="band_ppm_").gt(0).any(axis=1)
    rows = read_table(demo / "group/measures.tsv").query("measure == 'motor_band_score'")
    total = rows.query("region == 'precentral' and hemi == 'both'").set_index("participant_id")["value"]
    assert (total[band] >= 3).all() and (total[~band] <= 1).all(), total
    signs = read_table(demo / "group/motor_band_sign.tsv").query("test.isna()").set_index("group")
    assert signs["n_present"].to_dict() == band.groupby(planted["group"]).sum().to_dict()


def test_susceptibility_is_right_where_it_was_planted(demo):
    rows = read_table(demo / "group/measures.tsv").query("measure == 'chi_mean'")
    chi = rows.set_index(["participant_id", "region", "hemi"])["value"].unstack("participant_id")
    iron = chi.loc[[("pallidum", "L"), ("pallidum", "R")]] - chi.loc[("reference_wm", "both")]
    # 0.15 ppm planted at the centre; the region reaches its edge
    assert ((iron > 0.08) & (iron < 0.16)).all(axis=None), iron
    planted = read_table(demo / "simulation/planted.tsv").set_index("participant_id")
    band = planted.filter(like="band_ppm_").gt(0).any(axis=1)
    deep = chi.loc[("precentral_posterior_deep", "L")] - chi.loc[("postcentral_anterior_deep", "L")]
    assert deep[band].min() > deep[~band].max() + 0.005, deep


def test_a_place_of_the_template_is_the_same_place_in_everybody(demo):
    """Of the grey matter, half lies within a millimetre of where the others' registrations put it."""
    simulation = json.loads((demo / "provenance.json").read_text())["config"]["simulation"]
    tissue = load_image(demo / "resources/tpl-MNI152NLin6Asym_desc-tissue_probseg.nii.gz")
    grey = world_coordinates(tissue)[np.asarray(tissue.dataobj)[..., 0] > 0.5][::10]
    shared = []
    for person in plan_cohort(simulation).to_dict("records"):
        who = person["participant_id"]
        field = load_field(demo / who / f"anat/{who}_from-T1w_to-MNI152NLin6Asym_mode-image_xfm.nii.gz")
        shared.append(head_map(person, simulation, "t1w")(map_points(grey, [field])))
    apart = np.linalg.norm(shared - np.mean(shared, axis=0), axis=-1)
    assert np.median(apart) < 0.7
    assert (np.median(apart, axis=1) < 1.0).all()


def test_nobody_is_missing_from_the_tables_who_lacks_a_scan(demo):
    measures, plan = read_table(demo / "group/measures.tsv"), read_table(demo / "simulation/planted.tsv")
    assert list(measures.columns) == GROUP_COLUMNS
    assert set(measures.groupby("participant_id").size()) == {len(measures) // len(plan)}
    without = plan.loc[~plan["has_dwi"].astype(bool), "participant_id"]
    assert len(without) == 1
    rows = measures[measures["participant_id"].isin(without) & (measures["modality"] == "dwi")]
    assert len(rows)
    assert rows["value"].isna().all()
    assert set(rows["status"]) == {"no file in the dataset"}


def test_a_finished_study_has_nothing_to_do(study, demo):
    config = json.loads((demo / "provenance.json").read_text())["config"]
    assert "Nothing to be done" in finish(demo.parent, config, "--cores", "2")


@pytest.mark.slow
@pytest.mark.parametrize("demo", ["coarse"], indirect=True)
def test_five_kills_within_the_demo_change_no_table(demo, study):
    folder, config = study("killed")
    rng = random.Random(2)
    for _ in range(5):
        hit(start(folder, config, "--cores", "2", "--keep-going", "--rerun-incomplete"), rng, patience_s=90)
        run(folder, config, "--unlock")
    finish(folder, config, "--cores", "2", "--rerun-incomplete")
    tables = {path.relative_to(demo) for path in demo.rglob("*.tsv") if "benchmarks" not in path.parts}
    assert len(tables) > 200
    assert tables == {
        path.relative_to(folder / "results")
        for path in (folder / "results").rglob("*.tsv")
        if "benchmarks" not in path.parts
    }
    for table in tables:
        assert (folder / "results" / table).read_bytes() == (demo / table).read_bytes(), table
