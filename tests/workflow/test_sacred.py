"""What belongs to the user is as it was, after every kind of run."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.running import ROOT
from tests.workflow.stubs import StubStudy, make_dataset


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file below a folder, and what is in it; but for the config of the test and Snakemake's own notes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".snakemake" not in path.parts and path.name != "config.yaml"
    }


def a_simulation() -> dict:
    """The simulation of the demo study, of three people."""
    simulation = yaml.safe_load((ROOT / "config/config.yaml").read_text())["simulation"]
    return simulation | {"groups": {"ALS": 1, "PLS": 1, "control": 1}, "missing": {"dwi": 0, "swi": 0}}


@pytest.fixture
def study(tmp_path) -> StubStudy:
    make_dataset(tmp_path / "bids")
    return StubStudy(tmp_path, {"modalities": ["t1w", "dwi"]})


def refused(study: StubStudy, said: str) -> None:
    """A run, dry and real, that must not start, and changes nothing anywhere."""
    before = fingerprint(study.folder)
    for options in (["--dry-run"], []):
        run = study.run(*options)
        assert run.returncode != 0
        assert said in run.said, run.said
        assert "Traceback" not in run.said and "common.smk" not in run.said
        assert run.records == []
    assert fingerprint(study.folder) == before


def test_packages_keep_their_notes_in_the_results(study):
    study.edit(
        "scripts/describe_results.py",
        "start_job(snakemake)\n",
        "start_job(snakemake)\nPath('environment.json').write_text(json.dumps(dict(os.environ)))\n",
    )
    study.finish("results/provenance.json")
    seen = json.loads((study.folder / "environment.json").read_text())
    for variable in ("MPLCONFIGDIR", "NIPYPE_CONFIG_DIR"):
        assert Path(seen[variable]).is_relative_to(study.results.resolve())


@pytest.mark.parametrize(
    "fates", [{}, {"sub-01": "fail", "sub-02": "be killed", "sub-03": "vanish"}], ids=["ends", "fails"]
)
def test_a_run_leaves_the_dataset_as_it_was(study, fates):
    before = fingerprint(study.bids)
    fates = {f"{who}_desc-cst_measures.tsv": fate for who, fate in fates.items()}
    if fates:
        study.make_up(*fates)
    study.set_fates(fates)
    study.run("--dry-run")
    run = study.run("--keep-going")
    assert (run.returncode == 0) == (not fates)
    assert {record.fate for record in run.records} == {"end", *fates.values()}
    assert fingerprint(study.bids) == before
    assert {path.name for path in study.folder.iterdir()} <= {
        "bids", "results", "code", "config.yaml", "fates.json", "jobs.jsonl", ".snakemake",
    }  # fmt: skip


def test_the_block_of_the_demo_does_not_simulate_over_somebodys_scans(study):
    study.config |= {"simulation": a_simulation()}
    refused(study, "simulation: bids is not empty, and its scans are not simulated")


def test_a_simulation_goes_on_in_the_folder_that_it_has_made(tmp_path):
    study = StubStudy(tmp_path, {"simulation": a_simulation()})
    study.config |= {"bids_dir": "results/sourcedata"}
    mask = "results/sub-02/anat/sub-02_desc-brain_mask.nii.gz"
    study.set_fates({"sub-02_T1w.nii.gz": "fail"})
    run = study.run(mask)
    assert run.returncode != 0 and run.records[-1].fate == "fail"
    study.set_fates({})
    study.finish(mask)
    assert study.plan(mask) == {}


def test_results_are_not_written_among_the_scans(study):
    for where, said in (("bids", "is bids_dir"), ("bids/sub-01", "lies in bids_dir"), (".", "holds bids_dir")):
        study.config["output_dir"] = where
        refused(study, f"output_dir: {where} {said}")
    (study.folder / "other").mkdir()
    (study.folder / "other/dataset_description.json").write_text(json.dumps({"Name": "mine", "BIDSVersion": "1.9.0"}))
    study.config["output_dir"] = "other"
    refused(study, "output_dir: other holds a dataset_description.json that mndmri has not written")
    study.config["output_dir"] = "bids/derivatives/mndmri"
    assert study.plan()


def test_results_are_not_written_over_what_somebody_else_has_made(study):
    """A folder of fMRIPrep or QSIPrep without a description has files of the same names."""
    mine = study.folder / "other/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    study.config["output_dir"] = "other"
    refused(study, "output_dir: other holds sub-01, which mndmri has not written")
    mine.unlink()
    mine.parent.rmdir()
    mine.parent.parent.rmdir()
    (study.folder / "other/status.html").write_text("mine")
    refused(study, "output_dir: other holds status.html, which mndmri has not written")
    (study.folder / "other/status.html").unlink()
    (study.folder / "other/notes.txt").write_text("of the study")
    assert study.plan()


def test_a_run_that_was_cut_short_goes_on_in_its_folder(study):
    study.set_fates({"sub-01_desc-brain_mask.nii.gz": "fail", "dataset_description.json": "fail"})
    assert study.run().returncode != 0
    study.set_fates({})
    assert study.plan()


def test_a_folder_of_series_that_is_read_is_not_written(study):
    shutil.copytree(study.bids, study.folder / "own")
    (study.folder / "own/dataset_description.json").unlink()
    study.config |= {"output_dir": "own", "dwi": {"preprocessed": True, "dir": "own"}}
    refused(study, "dwi.dir: own lies in output_dir")


def test_a_table_that_is_read_is_not_in_the_folder_that_is_written(study):
    (study.folder / "results/group").mkdir(parents=True)
    shutil.move(study.bids / "participants.tsv", study.folder / "results/group/participants.tsv")
    study.config["participants"] = "results/group/participants.tsv"
    refused(study, "participants: results/group/participants.tsv lies in output_dir")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("../sub-02/anat/*_T1w.nii.gz", "leads out of the participant's folder"),
        ("/data/*_T1w.nii.gz", "leads out of the participant's folder"),
        ("~/*_T1w.nii.gz", "leads out of the participant's folder"),
        ("anat/***_T1w.nii.gz", "** stands for folders"),
        ("anat/{T1w,T2w}.nii.gz", "holds a brace"),
    ],
)
def test_a_pattern_finds_files_of_its_participant_alone(study, pattern, said):
    study.config["t1w"] = {"pattern": pattern}
    refused(study, said)


def test_a_brace_in_a_path_is_told(study):
    shutil.move(study.bids, study.folder / "{bids}")
    study.config["bids_dir"] = "{bids}"
    refused(study, "bids_dir: the path {bids} holds a brace")


def test_a_tilde_is_the_home_folder(study, monkeypatch):
    monkeypatch.setenv("HOME", str(study.folder))
    study.config["bids_dir"] = "~/bids"
    assert study.plan()
