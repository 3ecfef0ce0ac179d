"""What a large cohort costs before anything is computed: dry runs, and the start of each job of a cluster."""

import os
import resource
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml

from mndmri.cohort import check_study, load_study
from mndmri.cohort.config import resolve_config
from tests import running
from tests.workflow.stubs import StubStudy, add_gradient_echo, make_dataset

PEOPLE, JOBS = 1000, 23  # of each participant
PHASE = ("part-mag_GRE", "part-phase_GRE")
# As many jobs as the study has, in as many chains of the same length, that do nothing.
EMPTY = """
rule all:
    input: expand("{{who}}/{length}", who=range({people}))
rule first:
    output: touch("{{who}}/0")
""" + "".join(
    f"""
rule step_{step}:
    input: "{{{{who}}}}/{step - 1}"
    output: touch("{{{{who}}}}/{step}")
"""
    for step in range(1, JOBS)
)


def cost(line, folder):
    """CPU seconds and peak memory in MB of a command, which must succeed, and what it said."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, env=running.environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr[-2000:]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, after.ru_maxrss / 1024, done.stdout + done.stderr


def cohort(folder, people):
    """A stub study of so many people with T1w, diffusion and gradient echo with phase."""
    everyone = [f"sub-{number:04d}" for number in range(people)]
    make_dataset(folder / "bids", everyone)
    first, *others = everyone
    add_gradient_echo(folder / "bids", first, *PHASE)
    for who in others:
        for own in (folder / "bids" / first / "anat").glob("*_GRE.*"):
            os.link(own, folder / "bids" / who / "anat" / own.name.replace(first, who))
    return StubStudy(folder, {"modalities": ["t1w", "dwi", "swi"]})


@pytest.mark.benchmark
def test_a_thousand_participants_cost_little_more_than_snakemake_itself(tmp_path):
    study = cohort(tmp_path / "study", PEOPLE)
    dry = running.command(study.folder, study.config, "--dry-run", "--quiet", "all", root=study.root)
    first = cost(dry, study.folder)
    again = cost(dry, study.folder)
    jobs = int(again[2].split("total")[1].split()[0])
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "Snakefile").write_text(EMPTY.format(people=PEOPLE, length=JOBS - 1))
    snakemake = [sys.executable, "-m", "snakemake", "--scheduler", "greedy", "--dry-run", "--quiet", "all"]
    nothing = cost([*snakemake, "--cores", "1"], empty)
    for name, run in (("first dry run", first), ("second", again), ("as many empty jobs", nothing)):
        print(f"\n{name}: {run[0]:.1f} CPU s, {run[1]:.0f} MB at most so far")
    assert jobs == pytest.approx(JOBS * PEOPLE, rel=0.01)
    assert again[0] < 3 * nothing[0]
    assert again[1] < 1024


@pytest.mark.benchmark
def test_a_job_of_a_thousand_participants_starts_as_fast_as_one_of_ten(tmp_path):
    cpu_s = {}
    for people in (10, PEOPLE):
        study = cohort(tmp_path / str(people), people)
        template = "results/resources/tpl-MNI152NLin6Asym_res-01_desc-brain_T1w.nii.gz"
        study.finish("--", template)  # a run, which leaves the study for its jobs
        own = ["--mode", "remote", "--nolock", "--target-jobs", "preprocess_t1w:subject=0001"]
        own += ["--allowed-rules", "preprocess_t1w", "--dry-run", "--quiet", "all"]
        cpu_s[people], _, _ = cost(running.command(study.folder, study.config, *own, root=study.root), study.folder)
    print(f"\nCPU s of a job's own start, by participants: {cpu_s}")
    assert cpu_s[PEOPLE] < cpu_s[10] + 1


@pytest.mark.benchmark
@pytest.mark.real
def test_the_first_look_at_a_persons_scans_costs_half_a_second(real_data):
    """Every voxel is read: a 1 mm T1w, a 2 mm diffusion series of 17 volumes and a dual-echo scan, in the largest."""
    root = real_data / "real"
    names = sorted(path.name for path in root.glob("sub-*"))
    schema = yaml.safe_load((running.ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    groups = {"levels": {"all": ["all"]}, "reference": None}
    config = resolve_config({"bids_dir": str(root), "groups": groups, "covariates": []}, schema)
    study = load_study(config, participants_table=pd.DataFrame({"participant_id": names, "group": "all"}))
    assert not study.problems
    assert {who for who, scans in study.scans.items() if "dwi" in scans} == set(names)
    check_study(study, {})  # the imports
    cpu_s = {}
    for which, cache in (("first", {}), ("second", check_study(study, {})[1])):
        before = time.process_time()
        problems, _ = check_study(study, cache)
        cpu_s[which] = (time.process_time() - before) / len(names)
        assert not problems
    print(f"\nCPU s a person: {cpu_s}")
    assert cpu_s["first"] < 0.5
    assert cpu_s["second"] < 0.005
