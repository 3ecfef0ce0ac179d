"""A job that does not end well says why, and one that does leaves no note."""

import signal
import subprocess
import sys
import textwrap

from mndmri.jobs import why_unfinished

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


def test_a_job_that_ends_well_leaves_no_note(tmp_path):
    assert run(tmp_path, "print('done')").returncode == 0
    assert why_unfinished(tmp_path / LOG) is None
    assert "begun" in (tmp_path / LOG).read_text()


def test_the_reason_of_a_failure_is_on_the_terminal_and_in_the_note(tmp_path):
    done = run(tmp_path, "raise InputError('sub-07: the series has 5 directions; 6 are needed')")
    assert done.returncode != 0
    assert done.stderr == "fit_tensor: sub-07: the series has 5 directions; 6 are needed\n"
    assert why_unfinished(tmp_path / LOG) == "sub-07: the series has 5 directions; 6 are needed"


def test_a_job_that_has_not_begun_has_no_note(tmp_path):
    assert why_unfinished(tmp_path / LOG) is None


def test_a_job_that_succeeds_in_the_end_takes_its_note_away(tmp_path):
    run(tmp_path, "raise InputError('too short')")
    run(tmp_path, "print('done')")
    assert why_unfinished(tmp_path / LOG) is None


def test_what_a_library_prints_from_below_python_goes_to_the_log(tmp_path):
    done = run(tmp_path, "import os; os.system('echo from outside')")
    assert done.stdout == ""
    assert "from outside" in (tmp_path / LOG).read_text()


def test_a_killed_job_leaves_its_note(tmp_path):
    assert run(tmp_path, f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})").returncode != 0
    assert "killed" in why_unfinished(tmp_path / LOG)
