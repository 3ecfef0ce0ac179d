"""The slow tests of a day: a third of them, none left out for ever, and none that goes on when its time is over."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from tests.running import ROOT
from tests.turns import turn


@pytest.mark.parametrize("n_files", [1, 2, 3, 7, 8, 9, 20])
def test_three_days_take_every_file_once(n_files):
    files = list(range(n_files))
    for day in (1, 2, 3, 100, 364):
        assert sorted(file for later in range(3) for file in turn(files, day + later)) == files


@pytest.mark.parametrize("n_files", [1, 2, 3, 7, 8, 9, 20])
def test_within_a_year_every_file_is_the_first_of_its_day_many_times(n_files):
    files = list(range(n_files))
    first = [own[0] for own in (turn(files, day) for day in range(1, 366)) if own]
    assert min(first.count(file) for file in files) >= 365 // (3 * n_files)


SLOW = """
import subprocess, sys
import pytest

pytestmark = pytest.mark.slow

@pytest.fixture(scope="module")
def made():
    from pathlib import Path
    from tests.running import run
    run(Path(sys.argv[-1]), {}, "--cores", "1")

def test_quick():
    pass

def test_that_takes_an_hour(made):
    raise AssertionError

def test_of_the_same(made):
    raise AssertionError

def test_after_it():
    raise AssertionError
"""
SNAKEFILE = """
rule hour:
    shell: "sleep 3600"
"""


def test_a_test_that_is_not_over_in_time_is_skipped_with_the_reason_and_its_jobs_end(tmp_path):
    """Not failed: what was begun too late is no fault of the code. Its whole study goes, jobs and all."""
    for name in ("running.py", "turns.py", "conftest.py", "__init__.py"):
        place = tmp_path / "tests" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text((ROOT / "tests" / name).read_text())
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "tests/test_slow.py").write_text(SLOW.replace("sys.argv[-1]", repr(str(tmp_path))))
    line = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "--day", "3", "--minutes", "0.15", "tests"]
    options = [*line, "-o", "markers=slow", "--rootdir", str(tmp_path), "-c", os.devnull]
    begun = time.monotonic()
    done = subprocess.run(options, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - begun < 40
    assert "1 passed, 3 skipped" in done.stdout, done.stdout
    assert "not run for want of time: 0.15 minutes are over" in done.stdout
    assert [own for own in psutil.process_iter(["cwd"]) if own.info["cwd"] == str(tmp_path)] == []
