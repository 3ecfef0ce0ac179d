"""A job that does not end well says why, and one that does leaves no note."""

import signal
import subprocess
import sys
import textwrap

import pytest

from mndmri.jobs import read_unfinished

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
    log = tmp_path / "logs" / "fit_tensor" / "sub-07.log"
    code = textwrap.dedent(START.format(log=str(log))) + body
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_job_that_ends_well_leaves_no_note(tmp_path):
    assert run(tmp_path, "print('done')").returncode == 0
    assert read_unfinished(tmp_path / "logs") == []
    assert "begun" in (tmp_path / "logs/fit_tensor/sub-07.log").read_text()


def test_the_reason_of_a_failure_is_on_the_terminal_and_in_the_note(tmp_path):
    done = run(tmp_path, "raise InputError('sub-07: the series has 5 directions; 6 are needed')")
    assert done.returncode != 0
    assert done.stderr == "fit_tensor: sub-07: the series has 5 directions; 6 are needed\n"
    [job] = read_unfinished(tmp_path / "logs")
    assert (job["participant_id"], job["rule"]) == ("sub-07", "fit_tensor")
    assert "5 directions" in job["reason"]


def test_what_a_library_prints_from_below_python_goes_to_the_log(tmp_path):
    done = run(tmp_path, "import os; os.system('echo from outside')")
    assert done.stdout == ""
    assert "from outside" in (tmp_path / "logs/fit_tensor/sub-07.log").read_text()


@pytest.mark.parametrize("body", [f"import os, signal; os.kill(os.getpid(), {int(signal.SIGKILL)})"])
def test_a_killed_job_leaves_its_note(tmp_path, body):
    assert run(tmp_path, body).returncode != 0
    [job] = read_unfinished(tmp_path / "logs")
    assert "killed" in job["reason"]


@pytest.mark.parametrize("log", ["sub-03.log", "sub-03_FLAIR.log"])
def test_a_note_cut_short_still_names_the_participant(tmp_path, log):
    note = tmp_path / f"logs/register_t1w/{log}.unfinished.json"
    note.parent.mkdir(parents=True)
    note.write_text('{"rule": "regis')
    [job] = read_unfinished(tmp_path / "logs")
    assert (job["participant_id"], job["rule"]) == ("sub-03", "register_t1w")
