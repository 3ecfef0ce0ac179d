"""The workflow through a real Slurm, of this machine alone (``cluster.sh``): what a cluster loses is made good.

Stub scripts (`tests.workflow.stubs`): what is tested is what becomes of jobs. Runs where ``MNDMRI_SLURM`` is set, as
``make test-slurm`` does, which starts the cluster first.
"""

import os
import subprocess

import pytest

from tests.workflow.stubs import PEOPLE, THREE_ECHOES, StubStudy, add_gradient_echo, make_dataset

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("MNDMRI_SLURM" not in os.environ, reason="needs a Slurm to submit to: make test-slurm"),
]
# A pass asks only for new states of jobs every 40 s by itself.
ASK_OFTEN = ("--slurm-init-seconds-before-status-checks", "5", "--seconds-between-status-checks", "3")


@pytest.fixture
def study(tmp_path):
    make_dataset(tmp_path / "bids")
    for who in PEOPLE:
        add_gradient_echo(tmp_path / "bids", who, *THREE_ECHOES)
    return StubStudy(tmp_path, {"modalities": ["t1w", "dwi", "swi"]})


def on_cluster(study, *more):
    """Arguments that submit a study's jobs as the profile does."""
    profile = study.root / "workflow/profiles/slurm"
    return ("--workflow-profile", str(profile), "--latency-wait", "5", *ASK_OFTEN, *more)


def made(study):
    """What was made of the study: every file of the results, with what a stub has written into it."""
    skip = ("logs", "benchmarks")
    files = [path for path in study.results.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(study.results)): path.read_text(errors="replace")
        for path in files
        if path.relative_to(study.results).parts[0] not in skip
        # of the run, its machine and its time
        and not path.name.startswith(".")
    }


def test_the_cluster_makes_what_one_machine_makes_in_few_jobs(study, tmp_path):
    local = study.copy(tmp_path / "local")
    local.finish()
    study.finish(*on_cluster(study))
    assert made(study) == made(local)
    submitted = {record.slurm for record in study.records() if "subject" in record.job.wildcards}
    # T1w, diffusion, gradient echo, tracking, table and page of each participant
    assert len(submitted) == 6 * len(PEOPLE)


def test_jobs_killed_cancelled_out_of_memory_or_over_their_time_are_tried_again(study, tmp_path):
    local = study.copy(tmp_path / "local")
    local.finish()
    study.set_fates(
        {
            "sub-01_label-GM_probseg.nii.gz": "be killed once",
            "sub-02_desc-precentral_measures.tsv": "hang once",  # and is cancelled
            "sub-02_desc-tracked_qc.tsv": "need more memory once",
            "sub-03_desc-tracked_qc.tsv": "hang once",  # and takes longer than it may
        }
    )
    process = study.start(*on_cluster(study, "--default-resources", "runtime=1", "mem_mb=1000"))
    hung = study.wait_until("hang", process, "sub-02_desc-precentral_measures.tsv")
    subprocess.run(["scancel", hung.slurm], check=True)
    assert process.wait(timeout=1500) == 1  # of the first pass
    assert made(study) == made(local)


def test_a_job_that_fails_on_a_cluster_costs_its_participant_what_it_costs_on_one_machine(study, tmp_path):
    study.set_fates({"sub-01_desc-tracked_qc.tsv": "fail", "sub-02_Chimap.nii.gz": "fail"})
    local = study.copy(tmp_path / "local")
    assert local.run("--keep-going").returncode == 1
    assert study.run(*on_cluster(study)).returncode == 1
    assert made(study) == made(local)
