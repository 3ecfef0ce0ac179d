"""A participant without a T1w image, of whom the diffusion series or the gradient echo is measured."""

import pandas as pd

from tests.workflow.stubs import PEOPLE, add_gradient_echo, make_dataset


def test_an_image_stands_in_for_the_t1w_of_who_has_none_and_nothing_else_is_made_of_it(tmp_path, snakemake):
    bids = tmp_path / "bids"
    make_dataset(bids, PEOPLE)
    (bids / "sub-02/anat/sub-02_T1w.nii.gz").unlink()
    config = {"bids_dir": str(bids), "output_dir": str(tmp_path / "results"), "modalities": ["t1w", "dwi"]}
    run = snakemake(config | {"dwi": {"without_t1w": True}})
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    assert "t1w: 2 of 3; without: sub-02 (no file in the dataset)" in said
    jobs = dict(line.split() for line in said.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit())
    jobs = pd.Series(jobs).astype(int)
    assert jobs["make_stand_in"] == 1
    assert (jobs[["preprocess_t1w", "register_t1w", "preprocess_dwi", "extract_cst", "draw_participant"]] == 3).all()
    assert (jobs[["measure_thickness", "align_map"]] == 2).all()


def test_without_the_key_it_is_a_problem_that_names_the_key(tmp_path, snakemake):
    bids = tmp_path / "bids"
    make_dataset(bids, PEOPLE)
    (bids / "sub-02/anat/sub-02_T1w.nii.gz").unlink()
    run = snakemake({"bids_dir": str(bids), "output_dir": str(tmp_path / "results"), "modalities": ["t1w", "dwi"]})
    assert run.returncode != 0
    assert "see dwi.without_t1w" in run.stdout + run.stderr


def test_a_gradient_echo_stands_in_and_the_scan_that_it_is_made_of_is_measured(tmp_path, snakemake):
    bids = tmp_path / "bids"
    make_dataset(bids, PEOPLE)
    for who in PEOPLE:
        add_gradient_echo(bids, who, "echo-1_part-mag_MEGRE", "echo-1_part-phase_MEGRE")
    (bids / "sub-02/anat/sub-02_T1w.nii.gz").unlink()
    config = {"bids_dir": str(bids), "output_dir": str(tmp_path / "results"), "modalities": ["t1w", "dwi", "swi"]}
    run = snakemake(config | {"swi": {"without_t1w": True}, "dwi": {"without_t1w": True}})
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    assert "in place of the T1w image: the gradient echo in 1" in said
    jobs = dict(line.split() for line in said.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit())
    jobs = pd.Series(jobs).astype(int)
    assert jobs["make_stand_in"] == 1
    assert (jobs[["locate_regions", "measure_swi", "measure_qsm", "extract_cst"]] == 3).all()
    assert (jobs[["measure_thickness", "measure_cord"]] == 2).all()


def test_a_gradient_echo_alone_has_its_viewer_linked_and_is_not_compared_with_itself(tmp_path, snakemake):
    bids = tmp_path / "bids"
    make_dataset(bids, PEOPLE)
    for who in PEOPLE:
        add_gradient_echo(bids, who, "echo-1_part-mag_MEGRE")
    (bids / "sub-02/anat/sub-02_T1w.nii.gz").unlink()
    config = {"bids_dir": str(bids), "output_dir": str(tmp_path / "results"), "modalities": ["t1w", "swi"]}
    run = snakemake(config | {"swi": {"without_t1w": True}})
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    taken = {}
    for job in said.split("\nrule ")[1:]:
        lines = [line.strip() for line in job.splitlines()]
        subject = next((line.split("=")[1] for line in lines if line.startswith("wildcards: subject=")), "")
        taken[lines[0].rstrip(":"), subject] = next((line for line in lines if line.startswith("input: ")), "")
    for subject in ("01", "02"):
        assert f"sub-{subject}_viewer.html" in taken["draw_participant", subject]
    assert "sub-01_desc-brain_T1w" in taken["measure_swi", "01"]
    assert "sub-02_desc-brain_T1w" not in taken["measure_swi", "02"]
