"""Looking for files below a participant's folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mndmri.cohort import bids

_ASK = {
    "t1w": "set t1w.pattern so that one matches",
    "dwi": "set dwi.pattern so that one series, or two of opposite phase encoding, match",
    "swi": "set swi.patterns so that one series matches",
    "flair": "set flair.pattern so that one matches",
    "t2w": "set t2w.pattern so that one matches",
}


class Found(NamedTuple):
    """Files of a modality by role, and problems in using them; see `mndmri.cohort.Scan`."""

    files: dict[str, list[Path]]
    problems: list[str]
    distortion: str | None = None
    notes: tuple[str, ...] = ()


def matches(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """Files that match any of the patterns, in the participant's folder or in a session's."""
    found: set[Path] = set()
    for pattern in patterns:
        for within in (pattern, f"ses-*/{pattern}"):
            found |= {path for path in folder.glob(within) if path.is_file()}
    return sorted(found)


def names(paths: Iterable[Path], folder: Path) -> str:
    """The files as a list in words, relative to a folder."""
    return ", ".join(str(path.relative_to(folder)) for path in paths)


def too_many(paths: Sequence[Path], folder: Path, modality: str, what: str) -> str:
    """Message where more files match than can be used."""
    return f"{len(paths)} files match where {what}: {names(paths, folder)}; {_ASK[modality]}, or move the others away"


def sidecars(paths: Iterable[Path], root: Path) -> list[Path]:
    """Every sidecar that applies to any of the images, the most general first."""
    return list(dict.fromkeys(file for path in paths for file in bids.inherited_files(path, ".json", root)))
