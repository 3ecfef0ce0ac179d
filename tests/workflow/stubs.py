"""The real workflow over stub scripts, which make their outputs out of nothing: a whole study runs in seconds.

Snakefile, rules, config, schemas and library are the real ones; only ``scripts/`` is replaced. A stub calls
``start_job`` as every script does, so that logs and notes of failures are real too, then meets the fate that the
test has set for it, and otherwise touches its outputs. Nothing computes, so nothing can be said of values.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np

from mndmri.cohort.bids import entities
from mndmri.cohort.folders import mark_results, mark_simulated
from mndmri.io import write_table
from tests import running

PEOPLE = ("sub-01", "sub-02", "sub-03")
OF_PEOPLE = [("ALS", 61, "F"), ("PLS", 58, "M"), ("HC", 60, "F")]
# A scan of three echoes with phase, of which everything can be made.
THREE_ECHOES = [f"echo-{echo}_part-{part}_MEGRE" for echo in (1, 2, 3) for part in ("mag", "phase")]

# One text for every rule. What `mndmri.io` imports costs each job half a second, and no stub reads an image.
STUB = """
import json, os, signal, sys, time
from fnmatch import fnmatch
from pathlib import Path
from unittest.mock import MagicMock

for heavy in ("nibabel", "nibabel.spatialimages", "numpy", "pandas"):
    sys.modules[heavy] = MagicMock()

from mndmri.io import InputError
from mndmri.jobs import start_job

fates = json.loads(Path("fates.json").read_text())
names = [Path(path).name for path in snakemake.output]
fate = next((fate for made, fate in fates.items() for name in names if fnmatch(name, made)), "end")
if fate.endswith(" once"):
    before = Path("jobs.jsonl").read_text() if Path("jobs.jsonl").exists() else ""
    fate = "end" if json.dumps(list(snakemake.output)) in before else fate.removesuffix(" once")
if fate != "vanish":
    start_job(snakemake)
job = {
    "rule": snakemake.rule,
    "wildcards": ", ".join(f"{key}={value}" for key, value in snakemake.wildcards.items()),
    "input": list(snakemake.input),
    "output": list(snakemake.output),
    "params": dict(snakemake.params.items()),
    "fate": fate,
    "slurm": os.environ.get("SLURM_JOB_ID", ""),
}
with open("jobs.jsonl", "a") as record:
    record.write(json.dumps(job, default=str) + "\\n")
if fate == "fail":
    raise InputError("told to fail")
if fate in ("be killed", "vanish"):
    os.kill(os.getpid(), signal.SIGKILL)
if fate == "hang":
    time.sleep(600)
if fate == "need more memory":
    held = bytearray(b"1" * 6_000_000_000)
    time.sleep(60)
for path in map(Path, snakemake.output):
    if "." in path.name:
        read_by_the_run = {
            "dataset_description.json": '{"GeneratedBy": [{"Name": "mndmri"}]}',
            "qc.tsv": "participant_id\\tmodality\\tmeasure\\tflag\\n",
            "qc_visits.tsv": "participant_id\\tsession\\tmodality\\tmeasure\\tflag\\n",
        }
        path.write_text(read_by_the_run.get(path.name, f"{job['rule']} {job['wildcards']}\\n"))
    else:  # directory(...)
        path.mkdir(exist_ok=True)
"""
PLANNED = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)
DETAIL = re.compile(r"^    (input|output|wildcards|reason): (.*)$", re.MULTILINE)


class Job(NamedTuple):
    """A job, as Snakemake names it."""

    rule: str
    wildcards: str = ""
    """Such as ``subject=01, map=flair``; empty for a job of the whole study."""


class Record(NamedTuple):
    """A job that has begun, and what it was given and asked for."""

    job: Job
    input: list[str]
    output: list[str]
    params: dict[str, Any]
    fate: str
    """``end``, ``fail``, ``be killed``, ``vanish``, ``hang`` or ``need more memory``."""
    slurm: str
    """Number of the cluster's job, empty where there is none."""


class Run(NamedTuple):
    """A run that has come to its end, whatever that was."""

    returncode: int
    said: str
    """Standard output and error."""
    records: list[Record]
    """Jobs that began, in the order in which they did."""

    @property
    def jobs(self) -> list[Job]:
        """Jobs that ended well, in the order in which they began."""
        return [record.job for record in self.records if record.fate == "end"]


class StubStudy:
    """A study whose jobs are stubs, in a folder of its own.

    Parameters
    ----------
    folder : path
        Holds the dataset, as ``bids``; the workflow's copy goes to ``code``, outputs to ``results``.
    config : mapping
        The study's config, less the two folders; ``study.config`` may be changed between runs.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder, self.config = folder, {**config, "bids_dir": "bids", "output_dir": "results"}
        self.bids, self.results, self.root = (folder / name for name in ("bids", "results", "code"))
        if self.root.exists():  # a copy
            return
        shutil.copytree(running.ROOT / "workflow", self.root / "workflow")
        shutil.copy(running.ROOT / "Snakefile", self.root)
        for part in ("mndmri", "config", "envs"):
            (self.root / part).symlink_to(running.ROOT / part)
        (self.root / "scripts").mkdir()
        for script in (running.ROOT / "scripts").glob("*.py"):
            (self.root / "scripts" / script.name).write_text(STUB)
        self.set_fates({})

    def copy(self, folder: Path) -> "StubStudy":
        """The study in another folder with all that it has made, so that each test can start from a finished one."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return StubStudy(folder, self.config)

    def set_fates(self, fates: Mapping[str, str]) -> None:
        """Decide how jobs end from now on: by the name of a file that they make (``*`` and ``?`` allowed).

        Fates are ``fail`` (an `InputError`), ``be killed`` (as when memory runs out), ``vanish`` (before it has begun
        to say anything), ``hang`` (until the whole study is killed) and ``need more memory`` (6 GB); a job whose fate
        ends with `` once``, such as ``be killed once``, is spared the next time. Every other makes its outputs.
        """
        (self.folder / "fates.json").write_text(json.dumps(dict(fates)))

    def records(self) -> list[Record]:
        """All jobs that have ever begun."""
        path = self.folder / "jobs.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [
            Record(Job(own.pop("rule"), own.pop("wildcards")), **own) for own in (json.loads(line) for line in lines)
        ]

    def run(self, *arguments: str) -> Run:
        """Run the study with arguments of Snakemake."""
        before = len(self.records())
        done = running.run_forked(self.folder, self.config, "--cores", "2", *arguments, root=self.root)
        return Run(done.returncode, done.stdout + done.stderr, self.records()[before:])

    def finish(self, *arguments: str) -> list[Job]:
        """Run the study, which must succeed; the jobs that ran."""
        run = self.run(*arguments)
        assert run.returncode == 0, run.said
        return run.jobs

    def plan(self, *arguments: str) -> dict[Job, str]:
        """Jobs that a run would run, and Snakemake's reason for each; nothing is run."""
        return {job: details.get("reason", "") for job, details in self._plan(*arguments).items()}

    def wiring(self, *targets: str) -> dict[Job, tuple[list[str], list[str]]]:
        """Files that each job of a run would take, and those that it would make."""
        plan = self._plan(*targets).items()
        return {job: (details.get("input", "").split(", "), details["output"].split(", ")) for job, details in plan}

    def make_up(self, *missing: str) -> None:
        """Make the files that a run would make without running it, but for some and for what is made of these.

        Snakemake then knows nothing of how files were made, and goes by their times alone.

        Parameters
        ----------
        *missing : str
            Names of files, ``*`` and ``?`` allowed.
        """
        wiring = self.wiring()
        absent = {path for _, made in wiring.values() for path in made if _is_named(path, missing)}
        while more := {
            path for taken, made in wiring.values() if absent & {*taken, *made} for path in made if path not in absent
        }:
            absent |= more
        self._make(path for _, made in wiring.values() for path in made if path not in absent)

    def pretend(self, *targets: str) -> set[str]:
        """Have Snakemake believe that a study of which there is nothing has run; the rules that it would have run.

        With config, inputs and scripts as they are. It takes an eighth of the time of the run.
        """
        wiring = self.wiring(*targets)
        self._make(path for _, made in wiring.values() for path in made)
        run = self.run("--touch", "--forceall", *targets)
        assert run.returncode == 0, run.said
        return {job.rule for job in wiring}

    def _make(self, paths: Iterable[str]) -> None:
        """Empty files and folders."""
        mark_results(self.results)
        if self.config.get("simulation"):
            mark_simulated(self.bids)
        for path in (self.folder / path for path in paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch() if "." in path.name else path.mkdir(exist_ok=True)
            if path.name == "dataset_description.json":
                path.write_text('{"GeneratedBy": [{"Name": "mndmri"}]}')

    def edit(self, file: str, old: str, new: str) -> None:
        """Change the study's copy of the Snakefile, of a rule file or of a script."""
        path = self.root / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def _plan(self, *arguments: str) -> dict[Job, dict[str, str]]:
        """Jobs that a run would run, with what a dry run tells of each."""
        done = running.dry_run(self.folder, self.config, *arguments, root=self.root)
        assert done.returncode == 0, done.stdout + done.stderr
        planned = {}
        for rule, text in PLANNED.findall(done.stdout):
            details = dict(DETAIL.findall(text))
            if "output" in details:  # not so `all`
                planned[Job(rule, details.get("wildcards", ""))] = details
        return planned

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start the study in a process group of its own, to be killed (`tests.running.kill`)."""
        return running.start(self.folder, self.config, "--cores", "2", *arguments, root=self.root)

    def wait_until(self, fate: str, process: subprocess.Popen, name: str = "*") -> Record:
        """Wait until a job that makes a file of such a name has met a fate; what it was given."""
        while True:
            for record in self.records():
                if record.fate == fate and any(_is_named(path, [name]) for path in record.output):
                    return record
            assert process.poll() is None, f"the study ended before a job could {fate}"
            time.sleep(0.1)


def _is_named(path: str, names: Iterable[str]) -> bool:
    """True for a file that one of the names, or patterns, is the name of."""
    return any(fnmatch(Path(path).name, name) for name in names)


def make_dataset(bids: Path, people: Sequence[str] = PEOPLE, shells: Sequence[int] = (1000,), n: int = 8) -> None:
    """Write a BIDS dataset of people with T1w and diffusion, ``n`` directions a shell, that passes every check."""
    rng = np.random.default_rng(1)
    for who in people:
        (bids / who / "dwi").mkdir(parents=True)
        _save_image(bids / who / "anat" / f"{who}_T1w.nii.gz", rng, (8, 9, 10), (2, 2.5, 3))
        stem = bids / who / "dwi" / f"{who}_dwi"
        bvals = np.array([0, *np.repeat(shells, n)])
        bvecs = np.column_stack([np.zeros(3), rng.standard_normal((3, bvals.size - 1))])
        bvecs[:, 1:] /= np.linalg.norm(bvecs[:, 1:], axis=0)
        _save_image(stem.with_suffix(".nii.gz"), rng, (6, 7, 8, bvals.size), (3, 3, 3), np.exp(-bvals / 1000))
        np.savetxt(stem.with_suffix(".bval"), bvals[None], fmt="%g")
        np.savetxt(stem.with_suffix(".bvec"), bvecs, fmt="%.6f")
    (bids / "dataset_description.json").write_text(json.dumps({"Name": "made up", "BIDSVersion": "1.9.0"}))
    rows = (f"{who}\t{group}\t{age}\t{sex}\n" for who, (group, age, sex) in zip(people, cycle(OF_PEOPLE), strict=False))
    (bids / "participants.tsv").write_text("participant_id\tgroup\tage\tsex\n" + "".join(rows))


def directions(n: int) -> np.ndarray:
    """Unit vectors spread over a half sphere, shape (3, n)."""
    z = (np.arange(n) + 0.5) / n
    angle = np.arange(n) * np.pi * (3 - 5**0.5)
    return np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z])


def add_contrast(bids: Path, who: str, suffix: str) -> None:
    """Give a participant of the made-up dataset a further contrast, such as ``FLAIR``."""
    _save_image(bids / who / "anat" / f"{who}_{suffix}.nii.gz", np.random.default_rng(2), (8, 9, 10), (1, 1, 3))


def add_gradient_echo(bids: Path, who: str, *names: str) -> None:
    """Give a participant of the made-up dataset images of a gradient-echo scan, such as ``part-mag_GRE``."""
    for name in names:
        path = bids / who / "anat" / f"{who}_{name}"
        ppm = 0.001 if name == "Chimap" else 1.0
        _save_image(path.with_suffix(".nii.gz"), np.random.default_rng(3), (8, 9, 10), (1, 1, 2), ppm)
        echo_time_s = 0.008 * int(entities(name)[0].get("echo", "1"))
        path.with_suffix(".json").write_text(json.dumps({"EchoTime": echo_time_s, "MagneticFieldStrength": 3}))


def _save_image(
    path: Path, rng: np.random.Generator, shape: tuple[int, ...], voxel_mm: tuple[float, ...], brightness: Any = 1.0
) -> None:
    """Save an image of noise, of which each volume may have its brightness."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = rng.uniform(50, 100, shape) * brightness
    nb.save(nb.Nifti1Image(data.astype(np.float32), np.diag([*voxel_mm, 1])), path)


def write_band_norms(path: Path, kind: str, *, seed: int = 1) -> None:
    """Stored norms of the motor band as of eight controls with voxels of 1 x 1 x 2 mm."""
    from mndmri.statistics.motor_band import learn_cutoffs
    from mndmri.tables.protocols import protocol, protocol_table
    from tests.unit.statistics.test_motor_band import contrasts, people

    eight = people(control=8)
    made = protocol_table({who: protocol(kind, (1, 1, 2), [{"EchoTime": 0.02}]) for who in eight["participant_id"]})
    write_table(learn_cutoffs(contrasts(eight, seed=seed), eight, reference="control", protocols=made), path, digits=17)
