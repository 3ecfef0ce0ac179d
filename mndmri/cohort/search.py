"""Looking for files below a participant's folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mndmri.cohort import bids
from mndmri.io import InputError

_ASK = {
    "t1w": "set t1w.pattern so that one matches",
    "dwi": "set dwi.pattern so that one series, or two of opposite phase encoding, match",
    "swi": "set swi.patterns so that one series matches",
}


class Found(NamedTuple):
    """Files of a modality by role, and problems in using them; see `mndmri.cohort.Scan`."""

    files: dict[str, list[Path]]
    problems: list[str]
    distortion: str | None = None
    notes: tuple[str, ...] = ()


def matches(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """Files that match any of the patterns, in the participant's folder or in a session's.

    A link to a file that is not there counts: it is told as what it is (see `dangling`). A pattern of ``.nii.gz``
    finds ``.nii`` where there is nothing else. Names that begin with a dot are not looked at.

    Raises
    ------
    InputError
        If a pattern is not relative to the folder.
    """
    found: set[Path] = set()
    for pattern in patterns:
        if Path(pattern).is_absolute():
            raise InputError(
                f"the pattern {pattern} begins at the root; write it from the participant's folder on, as "
                "anat/*_T1w.nii.gz (for maps and dwi, dir names another folder with sub-*/)"
            )
        for ending in (pattern, pattern.removesuffix(".gz")):
            own = {
                path
                for within in (ending, f"ses-*/{ending}")
                for path in folder.glob(within)
                if (path.is_file() or dangling(path)) and not is_hidden(path, folder)
            }
            found |= own
            if own:
                break
    return sorted(found)


def is_hidden(path: Path, folder: Path) -> bool:
    """True below a name that begins with a dot, as the ``._`` files that a Mac leaves behind do."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def dangling(path: Path) -> bool:
    """True for a link to a file that is not there, as DataLad's to what has not been fetched."""
    return path.is_symlink() and not path.exists()


def names(paths: Iterable[Path], folder: Path) -> str:
    """The files as a list in words, relative to a folder if they are below it."""
    return ", ".join(str(path.relative_to(folder) if path.is_relative_to(folder) else path) for path in paths)


def too_many(paths: Sequence[Path], folder: Path, modality: str, what: str) -> str:
    """Message where more files match than can be used."""
    ask = _ASK.get(modality, f"set {modality}.pattern so that one matches")
    if len({bids.session(path) for path in paths}) > 1:
        ask += " (or set visits, to measure every session)"
    return f"{len(paths)} files match where {what}: {names(paths, folder)}; {ask}, or move the others away"


def sidecars(paths: Iterable[Path], root: Path) -> list[Path]:
    """Every sidecar that applies to any of the images, the most general first."""
    return list(dict.fromkeys(file for path in paths for file in bids.inherited_files(path, ".json", root)))
