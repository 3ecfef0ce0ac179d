import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from mndmri.cohort.lock import LOCK, lock_results
from mndmri.io import InputError

HOLD = """
import sys, time
from mndmri.cohort.lock import lock_results
lock_results(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def holder(folder, seconds=60.0, **environment):
    """A process that holds a folder's lock."""
    line = [sys.executable, "-c", HOLD, str(folder), str(seconds)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=os.environ | environment)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_folder_in_use_is_not_given_twice(tmp_path, zone):
    process = holder(tmp_path, TZ=zone)
    with pytest.raises(InputError, match=f"process {process.pid} on"):
        lock_results(tmp_path)
    process.kill()
    process.wait()


def test_a_lock_goes_with_its_process(tmp_path):
    holder(tmp_path, 0).wait()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    process = holder(tmp_path)
    process.kill()
    process.wait()
    assert (tmp_path / LOCK).exists()
    holder(tmp_path, 0).wait()
    assert not (tmp_path / LOCK).exists()


def test_a_number_that_was_given_to_a_later_process_is_no_lock(tmp_path):
    other = {"pid": os.getpid(), "began": psutil.Process().create_time() - 1000, "host": "", "since": ""}
    process = holder(tmp_path, 0.2)
    content = json.loads((tmp_path / LOCK).read_text())
    process.wait()
    (tmp_path / LOCK).write_text(json.dumps(other | {"host": content["host"]}))
    holder(tmp_path, 0).wait()


@pytest.mark.parametrize(("age_s", "over"), [(60, False), (3600, True)])
def test_a_lock_of_another_machine_is_over_when_it_is_not_renewed(tmp_path, age_s, over):
    path = tmp_path / LOCK
    path.write_text(json.dumps({"pid": 1, "began": 0, "host": "elsewhere", "since": "2026-01-01"}))
    os.utime(path, (time.time() - age_s,) * 2)
    if over:
        holder(tmp_path, 0).wait()
    else:
        with pytest.raises(InputError, match="process 1 on elsewhere"):
            lock_results(tmp_path)


def test_the_second_pass_takes_the_lock_over(tmp_path):
    first = holder(tmp_path)
    inherit = HOLD.replace("lock_results(sys.argv[1])", "lock_results(sys.argv[1], inherit=True)")
    second = subprocess.Popen([sys.executable, "-c", inherit, str(tmp_path), "60"], stdout=subprocess.PIPE, text=True)
    assert second.stdout is not None and second.stdout.readline() == "held\n"
    first.kill()
    first.wait()
    with pytest.raises(InputError, match=f"process {second.pid} on"):
        lock_results(tmp_path)
    second.kill()
    second.wait()


def test_a_damaged_lock_is_over_in_its_time(tmp_path):
    """It may be another machine's, and is over when it is not renewed."""
    path = tmp_path / LOCK
    path.write_text("")
    with pytest.raises(InputError, match="another run is writing"):
        lock_results(tmp_path)
    os.utime(path, (time.time() - 3600,) * 2)
    holder(tmp_path, 0).wait()
