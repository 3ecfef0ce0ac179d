"""The command line: ``init``, ``check``, ``run`` and ``show``."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mndmri import __version__
from mndmri.cohort.parts import FOLDER, PARTS, QUALITY_TARGET
from mndmri.command.draft import draft_config
from mndmri.command.place import pipeline_folder
from mndmri.command.show import describe
from mndmri.io import InputError, read_text

STUDY = "study.yaml"
_TARGETS = (
    f"what to make (default: everything): {', '.join(PARTS)}: tables and pages of the tract, of grey matter or of the "
    f"SWI alone, in {FOLDER}/ of the results; {QUALITY_TARGET}: participants' pages and quality index; statistics: "
    "group tables and report; or any file of the results"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what a command line says.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0, 1 for what is wrong with the input, else Snakemake's.
    """
    chosen, others = _parser().parse_known_args(arguments)
    if others and chosen.do not in (_check, _run):
        _parser().error(f"unrecognised arguments: {' '.join(others)}")
    try:
        return int(chosen.do(chosen, others))
    except InputError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mndmri", description="Upper-motor-neuron damage on MRI.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    init = commands.add_parser("init", help="write a config for a BIDS dataset", allow_abbrev=False)
    init.add_argument("bids_dir", type=Path, help="root of the dataset, with participants.tsv")
    init.add_argument("--config", type=Path, default=Path(STUDY), help=f"file to write (default: {STUDY})")
    init.add_argument("--output-dir", type=Path, default=Path("results"), help="where results will be written")
    init.add_argument("--group", help="column of participants.tsv with the groups")
    init.set_defaults(do=_init)

    check = commands.add_parser(
        "check", help="list every problem, and what would be computed; compute nothing", allow_abbrev=False
    )
    check.set_defaults(do=_check)
    run = commands.add_parser("run", help="run a study; other options go to Snakemake", allow_abbrev=False)
    run.add_argument("--slurm", action="store_true", help="run the jobs through Slurm")
    run.set_defaults(do=_run)
    for command in (check, run):
        command.add_argument("config", type=Path, help="the study's config")
        command.add_argument("targets", nargs="*", help=_TARGETS)
        command.add_argument("--cores", default="all", help="cores to use (default: all)")

    show = commands.add_parser("show", help="print a study's primary comparisons and where its pages are")
    show.add_argument("study", type=Path, help="the study's config, or its folder of results")
    show.set_defaults(do=_show)
    return parser


def _init(chosen: argparse.Namespace, _: Sequence[str]) -> int:
    if chosen.config.exists():
        raise InputError(f"{chosen.config}: is there already, and is not written over; name another with --config")
    if not chosen.config.parent.is_dir():
        raise InputError(f"{chosen.config.parent}: no such folder; make it, or name another file with --config")
    schema = _read_yaml(pipeline_folder() / "workflow/schemas/config.schema.yaml")
    draft = draft_config(
        chosen.bids_dir.expanduser().resolve(),
        output_dir=chosen.output_dir.expanduser().resolve(),
        schema=schema,
        group_column=chosen.group,
    )
    chosen.config.write_text(_as_text(draft.config), encoding="utf-8")
    print(*draft.remarks, sep="\n")
    print(f"\n{chosen.config} is written: look it over, then mndmri check {chosen.config}")
    return 0


def _check(chosen: argparse.Namespace, others: Sequence[str]) -> int:
    return _snakemake(chosen, ["--dry-run", "--quiet", "host", "rules", *others])


def _run(chosen: argparse.Namespace, others: Sequence[str]) -> int:
    profile = "slurm" if chosen.slurm else "local"
    where = pipeline_folder() / "workflow/profiles" / profile
    return _snakemake(chosen, ["--workflow-profile", str(where), *others])


def _show(chosen: argparse.Namespace, _: Sequence[str]) -> int:
    results = chosen.study
    if results.is_file():
        results = Path(_read_config(results).get("output_dir", "results")).expanduser()
    print(*describe(results), sep="\n")
    return 0


def _snakemake(chosen: argparse.Namespace, options: Sequence[str]) -> int:
    """Run Snakemake on a study, in a process of its own; its exit status."""
    _read_config(chosen.config)
    line = [sys.executable, "-m", "snakemake", "--snakefile", str(pipeline_folder() / "Snakefile")]
    line += ["--cores", chosen.cores, *options, "--configfile", str(chosen.config), "--", *chosen.targets]
    with subprocess.Popen(line) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # Snakemake has it too, and ends when its jobs have
                continue


def _read_config(path: Path) -> dict[str, Any]:
    """A config, or what is wrong with the file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; mndmri init BIDS_DIR writes a config for a dataset")
    config = _read_yaml(path)
    if not isinstance(config, dict):
        raise InputError(f"{path}: is not a config, which has a key and a value in each line, as bids_dir: /data/study")
    return config


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{path}{where}: not YAML ({getattr(error, 'problem', error)}); correct it") from None


_COMMENTS = {
    "groups": "Each group, and the labels of participants.tsv that belong to it. Others are left out.",
    "covariates": "Columns of participants.tsv that every comparison is adjusted for.",
    "site": "Column with the site or scanner, if there are several.",
    "clinical_scores": "Numeric columns, correlated with every measure in patients.",
    "modalities": "What the study has.",
}


def _as_text(config: dict[str, Any]) -> str:
    """A config as a file, a comment before what needs a look."""
    lines = ["# Made from what is in the dataset. What is not here has its default: config/README.md, make docs."]
    text = yaml.safe_dump(config, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)
    for line in text.splitlines():
        comment = _COMMENTS.get(line.partition(":")[0])
        lines += [*(["", f"# {comment}"] if comment else []), line]
    return "\n".join(lines) + "\n"
