"""A job that does not end well says why, and one that does leaves no note."""

import signal
import subprocess
import sys
import textwrap
import time

import nibabel as nb
import numpy as np
import psutil
import pytest

from mndmri.io import InputError
from mndmri.jobs import bad_end, cost_of_job, describe_error

LOG = "logs/fit_tensor/sub-07.log"
START = """
import types
from mndmri.io import InputError
from mndmri.jobs import start_job

class Wildcards(dict):
    pass

snakemake = types.SimpleNamespace(
    rule="fit_tensor", threads=1, log=[{log!r}], wildcards=Wildcards(subject="07")
)
log = start_job(snakemake)
log.info("begun")
"""


def run(tmp_path, body: str) -> subprocess.CompletedProcess:
    code = textwrap.dedent(START.format(log=str(tmp_path / LOG))) + body
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def notes(folder):
    """Notes of jobs that did not end well."""
    return list(folder.rglob("*.unfinished.json"))


def test_a_job_that_ends_well_leaves_no_note(tmp_path):
    assert run(tmp_path, "print('done')").returncode == 0
    assert not notes(tmp_path)
    assert "begun" in (tmp_path / LOG).read_text()


def test_the_log_ends_with_the_cpu_time_and_the_memory_that_the_job_has_used(tmp_path):
    """Both of a child, which Snakemake's benchmarks miss if it has ended when they look."""
    child = "x = bytearray(300 * 2**20); import time; t = time.process_time()\nwhile time.process_time() - t < 1: pass"
    assert run(tmp_path, f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])").returncode == 0
    cost = cost_of_job(tmp_path / LOG)
    assert 1.0 < cost.cpu_s < 5
    assert 300 < cost.peak_mb < 600


def test_the_cost_of_a_job_that_has_not_ended_is_not_known(tmp_path):
    (tmp_path / "job.log").write_text("begun\n")
    with pytest.raises(InputError, match=r"job\.log does not say what its job used"):
        cost_of_job(tmp_path / "job.log")


def test_the_reason_of_a_failure_is_on_the_terminal_and_in_the_note(tmp_path):
    done = run(tmp_path, "raise InputError('sub-07: the series has 5 directions; 6 are needed')")
    assert done.returncode != 0
    assert done.stderr == "fit_tensor: sub-07: the series has 5 directions; 6 are needed\n"
    assert bad_end(tmp_path / LOG) == ("sub-07: the series has 5 directions; 6 are needed", False)


def test_a_job_that_has_not_begun_ended_before_it_could_say_why(tmp_path):
    reason, stopped = bad_end(tmp_path / LOG)
    assert stopped
    assert "before it could say why" in reason and str(tmp_path / LOG) in reason


def test_a_note_of_an_earlier_run_says_nothing_of_this_one(tmp_path):
    run(tmp_path, "raise InputError('too short')")
    assert bad_end(tmp_path / LOG, since=time.time() - 60).reason == "too short"
    assert bad_end(tmp_path / LOG, since=time.time() + 60).stopped


def test_a_job_that_succeeds_in_the_end_takes_its_note_away(tmp_path):
    run(tmp_path, "raise InputError('too short')")
    run(tmp_path, "print('done')")
    assert not notes(tmp_path)


def test_what_a_library_prints_from_below_python_goes_to_the_log(tmp_path):
    done = run(tmp_path, "import os; os.system('echo from outside')")
    assert done.stdout == ""
    assert "from outside" in (tmp_path / LOG).read_text()


def test_a_killed_job_leaves_its_note(tmp_path):
    assert run(tmp_path, f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})").returncode != 0
    reason, stopped = bad_end(tmp_path / LOG)
    assert "killed" in reason and stopped


def test_a_full_disk_is_named_and_told_on_the_terminal_though_nothing_can_be_written(tmp_path):
    body = "import errno, mndmri.jobs\ndef full(*_): raise OSError(errno.ENOSPC, 'No space left on device')\n"
    done = run(tmp_path, body + "mndmri.jobs.write_json = full\nfull()")
    assert done.returncode != 0
    assert "sub-07: the disk is full, or a quota is used up" in done.stderr


def test_an_image_that_ends_too_early_is_named(tmp_path):
    path = tmp_path / "map.nii.gz"
    nb.save(nb.Nifti1Image(np.random.default_rng(1).normal(size=(20, 20, 20)), np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(Exception) as caught:
        np.asarray(nb.load(path).dataobj)
    assert describe_error(caught.value).startswith(f"{path} is damaged or incomplete")


def test_a_job_does_not_outlive_the_run_that_started_it(tmp_path):
    script = tmp_path / "job.py"
    end = "import time; time.sleep(30)"
    script.write_text(textwrap.dedent(START.format(log=str(tmp_path / LOG))) + end)
    starter = f"import subprocess, sys; subprocess.run([sys.executable, {str(script)!r}])"
    snakemake = subprocess.Popen([sys.executable, "-c", starter, "snakemake"])
    started = psutil.Process(snakemake.pid)
    wait_for(lambda: (tmp_path / LOG).exists() and "begun" in (tmp_path / LOG).read_text())
    [job] = started.children()
    snakemake.kill()
    snakemake.wait()
    wait_for(lambda: not job.is_running())


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
