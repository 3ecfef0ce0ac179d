"""Stop means stop, and failed means failed: what follows a signal, and a job that died without a word."""

import os
import random
import signal
import time

import psutil
import pytest

from tests.running import hit, kill
from tests.workflow.stubs import PEOPLE, StubStudy, make_dataset

TABLE = "results/group/measures.tsv"
CST = "sub-02_desc-cst_measures.tsv"


@pytest.fixture
def study(tmp_path) -> StubStudy:
    """A study of three people of which all has been made but one person's tract and what is made of it."""
    make_dataset(tmp_path / "bids")
    study = StubStudy(tmp_path, {"modalities": ["t1w", "dwi"]})
    study.make_up(CST)
    return study


def rules(run) -> list[tuple[str, str]]:
    return [(record.job.rule, record.fate) for record in run.records]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_run_is_the_users_stop(study, number):
    study.set_fates({CST: "hang"})
    process = study.start("--keep-going", TABLE)
    study.wait_until("hang", process)
    group = os.getpgid(process.pid)
    os.killpg(group, number) if number == signal.SIGINT else [
        os.kill(own.pid, number) for own in [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
    ]
    process.wait(timeout=60)
    assert process.returncode != 0
    assert [record.job.rule for record in study.records()] == ["extract_cst"]
    study.set_fates({})
    study.finish("--rerun-incomplete", TABLE)
    assert study.plan(TABLE) == {}


@pytest.mark.parametrize("fate", ["be killed", "vanish"])
def test_a_job_that_died_is_tried_once_more_and_then_left_out(study, fate):
    study.set_fates({CST: fate})
    run = study.run("--keep-going", TABLE)
    assert run.returncode != 0
    assert [own for own in rules(run) if own[0] == "extract_cst"] == [("extract_cst", fate)] * 2
    [gathered] = [record for record in run.records if TABLE in record.output]
    assert set(gathered.params["left_out"]["sub-02"]) == {"dwi"}
    why = {"be killed": "stopped before its end", "vanish": "ended before it could say why"}[fate]
    assert why in gathered.params["left_out"]["sub-02"]["dwi"]
    assert (study.folder / TABLE).exists()


def test_a_job_that_was_stopped_once_costs_nobody_anything(study):
    study.set_fates({CST: "be killed once"})
    run = study.run("--keep-going", TABLE)
    assert [own for own in rules(run) if own[0] == "extract_cst"] == [
        ("extract_cst", "be killed"),
        ("extract_cst", "end"),
    ]
    [gathered] = [record for record in run.records if TABLE in record.output]
    assert gathered.params["left_out"] == {who: {} for who in PEOPLE}
    assert study.plan(TABLE) == {}


def test_a_table_of_the_group_that_died_is_tried_once_more(study):
    study.set_fates({"measures.tsv": "be killed once"})
    run = study.run("--keep-going", TABLE)
    assert [own for own in rules(run) if own[0] == "gather_measures"][-1] == ("gather_measures", "end")
    assert (study.folder / TABLE).exists()


def test_the_second_pass_takes_targets_and_folders_as_the_first_did(study):
    study.set_fates({CST: "fail"})
    os.chdir(study.folder)
    run = study.run("--keep-going", "--", TABLE)
    assert (study.folder / TABLE).exists(), run.said
    assert [own[0] for own in rules(run)].count("extract_cst") == 1


def test_another_run_does_not_write_into_the_same_results(study, tmp_path):
    study.set_fates({CST: "hang"})
    process = study.start(TABLE)
    study.wait_until("hang", process)
    other = tmp_path / "elsewhere"
    other.mkdir()
    second = StubStudy.__new__(StubStudy)
    second.__dict__ |= study.__dict__ | {"folder": other}
    second.config = {**study.config, "bids_dir": str(study.bids), "output_dir": str(study.results)}
    second.set_fates({})
    run = second.run(str(study.folder / TABLE))
    assert run.returncode != 0
    assert f"another run is writing into {study.results} (process {process.pid} on " in run.said
    assert run.records == []
    kill(process)  # -9: the lock stays, and its process does not
    time.sleep(0.2)
    assert second.run(str(study.folder / TABLE)).returncode == 0
    assert not (study.results / ".running.json").exists()


def test_a_job_does_not_write_on_when_the_run_was_killed(study):
    study.set_fates({CST: "hang"})
    process = study.start(TABLE)
    study.wait_until("hang", process)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def made(study: StubStudy) -> dict[str, bytes]:
    """Every file of the results that a rule makes, but logs and times."""
    apart = {"logs", "benchmarks", "status.html"}
    paths = [path for path in study.results.rglob("*") if path.is_file() and not apart & set(path.parts)]
    return {str(p.relative_to(study.results)): p.read_bytes() for p in paths if not p.name.startswith(".")}


@pytest.mark.slow
def test_twenty_kills_of_runs_and_jobs_change_nothing_in_the_end(tmp_path):
    """Whatever is killed whenever, the next runs make what a run that nobody touched makes, and no job is left over."""
    studies = []
    for name in ("untouched", "killed"):
        make_dataset(tmp_path / name / "bids")
        studies.append(StubStudy(tmp_path / name, {"modalities": ["t1w", "dwi"]}))
    untouched, killed = studies
    untouched.finish()
    rng = random.Random(1)
    for _ in range(20):
        hit(killed.start("--keep-going", "--rerun-incomplete"), rng, patience_s=0.5)
        killed.run("--unlock")
    killed.finish("--rerun-incomplete")
    assert made(killed) == made(untouched)
    assert killed.plan() == {}
