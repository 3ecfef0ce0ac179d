"""Packages and command-line tools that a choice in the config needs, checked without importing or using them."""

import os
import re
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

from mndmri.io import InputError

# Oldest versions that are known to do what is asked: dwidenoise estimates noise as we do since MRtrix3 3.0, and
# FSL's eddy finds outliers and writes the files that are read here since 6.0.
MIN_VERSION = {"MRtrix3": (3, 0), "FSL": (6, 0)}
# FSL 6.0.6 and later have eddy_cpu; eddy is a script that chooses between that and the one for a GPU.
EDDY_COMMANDS = ("eddy_openmp", "eddy_cpu", "eddy")
_WITHOUT_VERSION = {"MRtrix3": "install it again", "FSL": "set FSLDIR to the folder of FSL"}


class _Step(NamedTuple):
    """A step that a tool may do."""

    key: str
    value: str
    suite: str
    commands: tuple[str, ...]
    """Any of them will do."""
    built_in: str


_STEPS = (
    _Step("denoise", "mrtrix3", "MRtrix3", ("dwidenoise",), "true"),
    _Step("gibbs", "mrtrix3", "MRtrix3", ("mrdegibbs",), "true"),
    _Step("motion", "fsl", "FSL", EDDY_COMMANDS, "true"),
    _Step("distortion", "fsl", "FSL", ("topup",), "reverse"),
)


def check_packages(config: Mapping[str, Any]) -> None:
    """Raise `InputError` if a package that the config asks for is not installed.

    Parameters
    ----------
    config : mapping
        Resolved config.
    """
    if config["qsm"]["unwrapper"] == "romeo" and find_spec("warpkit") is None:
        raise InputError(
            "qsm.unwrapper: romeo needs the package warpkit, which is not installed; "
            "pip install warpkit, or set it to skimage"
        )
    own_masks = config["t1w"]["mask_pattern"] is not None
    if config["t1w"]["brain_extraction"] == "deepbet" and not own_masks:
        missing = [name for name in ("torch", "deepbet") if find_spec(name) is None]
        if missing:
            raise InputError(
                f"t1w.brain_extraction: deepbet needs {' and '.join(missing)}, which is not installed; "
                "pip install deepbet torch, or set it to template, which needs neither"
            )


def check_tools(config: Mapping[str, Any]) -> dict[str, str]:
    """Versions of the command-line tools that the config asks for, by suite (``MRtrix3``, ``FSL``).

    Parameters
    ----------
    config : mapping
        Resolved config.

    Raises
    ------
    InputError
        With a line for each step whose tool is not on the PATH, or is too old, and what does without.
    """
    versions: dict[str, str] = {}
    problems = []
    dwi = config["dwi"]
    asked = [] if dwi["preprocessed"] or "dwi" not in config["modalities"] else _STEPS
    for step in (step for step in asked if dwi[step.key] == step.value):
        otherwise = f"or set dwi.{step.key} to {step.built_in}, which needs no other program"
        found = next((path for path in map(which, step.commands) if path), None)
        if found is None:
            problems.append(
                f"dwi.{step.key}: {step.value} needs {' or '.join(step.commands)} of {step.suite}, which is not on the "
                f"PATH; install {step.suite} and make it known there, {otherwise}"
            )
            continue
        version = _mrtrix3_version(found) if step.suite == "MRtrix3" else _fsl_version(found)
        least = ".".join(map(str, MIN_VERSION[step.suite]))
        if version is None:
            problems.append(
                f"dwi.{step.key}: the version of {found} cannot be determined, expected {step.suite} {least} or later; "
                f"{_WITHOUT_VERSION[step.suite]}, {otherwise}"
            )
        elif tuple(map(int, version.split(".")[:2])) < MIN_VERSION[step.suite]:
            problems.append(
                f"dwi.{step.key}: {found} is of {step.suite} {version}, expected {least} or later; install a "
                f"later one, {otherwise}"
            )
        else:
            versions[step.suite] = version
    if problems:
        raise InputError("\n".join(problems))
    return versions


def _mrtrix3_version(command: str) -> str | None:
    """Version that a command of MRtrix3 tells of itself."""
    told = subprocess.run([command, "-version"], capture_output=True, text=True, check=False).stdout
    return _number(told.partition("\n")[0])


def _fsl_version(command: str) -> str | None:
    """Version of FSL, which stands in a file of its folder."""
    above = [Path(command).parents[1], *Path(command).resolve().parents[1:4]]
    folders = [Path(os.environ["FSLDIR"])] if os.environ.get("FSLDIR") else above
    for file in (folder / "etc/fslversion" for folder in folders):
        if file.is_file():
            return _number(file.read_text(encoding="utf-8", errors="replace"))
    return None


def _number(text: str) -> str | None:
    """First version number in a text."""
    found = re.search(r"\d+\.\d+(\.\d+)*", text)
    return found and found.group()
