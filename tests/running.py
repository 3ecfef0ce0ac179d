"""Running Snakemake as a user does."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]


def command(folder: Path, config: Mapping[str, Any], *arguments: str, root: Path = ROOT) -> list[str]:
    """Command line of a study whose config is written into a folder, which also is the working directory."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False))
    start = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--directory", str(folder)]
    # the default scheduler solves an integer programme for each job, and looks again every second for each that ended
    return [*start, "--configfile", str(path), "--scheduler", "greedy", "--max-jobs-per-timespan", "100/2s", *arguments]


def environment() -> dict[str, str]:
    """The caller's environment, less what a run in which something failed hands to its second pass."""
    return {key: value for key, value in os.environ.items() if not key.startswith("MNDMRI_WITHOUT")}


def run(folder: Path, config: Mapping[str, Any], *arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess:
    """Run a study to its end, whatever that is."""
    line = command(folder, config, *arguments, root=root)
    return subprocess.run(line, capture_output=True, text=True, check=False, env=environment())


def finish(folder: Path, config: Mapping[str, Any], *arguments: str) -> str:
    """Run a study that must succeed, and return what was said."""
    done = run(folder, config, *arguments)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    return done.stdout + done.stderr


def start(folder: Path, config: Mapping[str, Any], *arguments: str, root: Path = ROOT) -> subprocess.Popen:
    """Start a study in a process group of its own."""
    return subprocess.Popen(
        command(folder, config, *arguments, root=root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment(),
    )


def kill(process: subprocess.Popen) -> None:
    """Kill a study and all its jobs at once, as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
