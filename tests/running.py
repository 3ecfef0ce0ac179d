"""Running Snakemake as a user does."""

import atexit
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
# What every start of Snakemake on the workflow imports.
PRELOADED = ["snakemake.cli", "snakemake.api", "snakemake.dag", "snakemake.scheduling.job_scheduler"]
PRELOADED += ["mndmri.cohort.config", "mndmri.diffusion.shells", "mndmri.phantom.plan", "mndmri.packages"]


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
    """Run a study to its end, whatever that is; a test that ends before takes all jobs with it."""
    line = command(folder, config, *arguments, root=root)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, **pipes, start_new_session=True, env=environment()) as process:
        try:
            said = process.communicate()
        except BaseException:
            kill(process)
            raise
    return subprocess.CompletedProcess(line, process.returncode, *said)


def run_forked(
    folder: Path, config: Mapping[str, Any], *arguments: str, root: Path = ROOT
) -> subprocess.CompletedProcess:
    """Run a study to its end from a process forked with all imports behind it: a third of the time of a start."""
    line = command(folder, config, *arguments, root=root)
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as place:
        said = [Path(place, name) for name in ("stdout", "stderr")]
        process = context.Process(target=_snakemake, args=(line[3:], environment(), Path.cwd(), said))
        process.start()
        try:
            process.join()
        except BaseException:
            process.kill()  # it may not lead its group yet
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(line, process.exitcode, *(path.read_text() for path in said))


def dry_run(folder: Path, config: Mapping[str, Any], *arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess:
    """Run a study dry."""
    return run_forked(folder, config, "--dry-run", *arguments, root=root)


def _snakemake(arguments: list[str], variables: Mapping[str, str], folder: Path, said: list[Path]) -> None:
    """Snakemake's command line in this process; what it says to standard output and error goes to two files."""
    import snakemake.cli

    os.setsid()
    for descriptor, path in enumerate(said, start=1):
        with path.open("w") as file:
            os.dup2(file.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = ["snakemake", *arguments]  # which the second pass is started with
    try:
        snakemake.cli.main(arguments)
    finally:
        atexit._run_exitfuncs()  # of a process that is forked they are not run by themselves


def finish(folder: Path, config: Mapping[str, Any], *arguments: str) -> str:
    """Run a study that must succeed, and return what was said."""
    done = run(folder, config, *arguments)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    return done.stdout + done.stderr


def start(folder: Path, config: Mapping[str, Any], *arguments: str, root: Path = ROOT) -> subprocess.Popen:
    """Start a study in a process group of its own, which heeds Ctrl-C also where the tests run in the background."""
    return subprocess.Popen(
        command(folder, config, *arguments, root=root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment(),
        preexec_fn=_heed_interrupts,
    )


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def kill(process: subprocess.Popen) -> None:
    """Kill a study and all its jobs at once, as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def jobs_of(process: subprocess.Popen) -> list[psutil.Process]:
    """Scripts that a run has running."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
        return [own for own in below if any("/scripts/" in word for word in own.cmdline())]
    except psutil.Error:
        return []


def hit(process: subprocess.Popen, rng: random.Random, *, patience_s: float) -> None:
    """Kill a run, or one of its jobs and then stop the run, some seconds after its start; no job may go on after it."""
    begun, patience_s = time.monotonic(), patience_s * rng.random()
    while not (jobs := jobs_of(process)) or time.monotonic() - begun < patience_s:
        assert process.poll() is None, "the study ended before it could be killed"
        time.sleep(0.05)
    number = rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    if rng.random() < 0.5:
        os.kill(process.pid, number)
    else:
        with suppress(psutil.NoSuchProcess):
            rng.choice(jobs).send_signal(number)
        time.sleep(rng.random())
        process.send_signal(signal.SIGINT)
    process.wait(timeout=300)
    _, alive = psutil.wait_procs(jobs, timeout=20)
    assert alive == []
