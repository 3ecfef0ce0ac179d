"""What is installed from the wheel is the whole pipeline."""

import os
import subprocess
import sys
import zipfile

import pytest

from tests.running import ROOT
from tests.workflow.stubs import make_dataset

CARRIED = ("Snakefile", "workflow", "scripts", "config")


@pytest.mark.slow
def test_a_study_is_checked_from_the_wheel_alone_in_any_folder(tmp_path):
    source = tmp_path / "source"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run(build, check=True)
    [wheel] = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    for name in tracked.splitlines():
        if name.split("/")[0] in CARRIED:
            assert (installed / "mndmri/pipeline" / name).read_bytes() == (ROOT / name).read_bytes()

    make_dataset(tmp_path / "bids")
    work = tmp_path / "work"
    work.mkdir()
    variables = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "mndmri.command"]
    first = subprocess.run([*command, "init", "../bids"], cwd=work, env=variables, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    checked = subprocess.run([*command, "check", "study.yaml"], cwd=work, env=variables, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr[-3000:]
    assert "Nothing is wrong with the input." in checked.stderr
    assert "preprocess_t1w" in checked.stdout + checked.stderr
    assert str(ROOT) not in checked.stdout + checked.stderr
