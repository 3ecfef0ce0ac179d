"""Files of ratings and decisions: found, read, and checked before anything is computed."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mndmri.io import InputError, read_table
from mndmri.tables.readings import Source

KEY_FILE = "reader_key.tsv"


def find_readings(given: str | Sequence[str] | None, kind: str) -> tuple[list[str], list[str]]:
    """Files of one kind, and what is wrong with the paths.

    Parameters
    ----------
    given : str or sequence of str, optional
        Path of a file or of a folder, or several.
    kind : {'ratings', 'decisions'}
        In a folder, and those below it, the tables with this word in their names are taken.
    """
    found: list[str] = []
    problems = []
    for path in map(Path, [given] if isinstance(given, str) else given or []):
        if path.is_dir():
            inside = sorted(own for own in path.rglob("*.tsv") if kind in own.name.casefold() and own.name[0] != ".")
            found += map(str, inside)
            if not inside:
                problems.append(
                    f"{kind}: no table *{kind}*.tsv in the folder {path}; save one there, or remove the key"
                )
        elif path.is_file():
            found.append(str(path))
        else:
            problems.append(f"{kind}: no such file or folder {path}; correct the path")
    return list(dict.fromkeys(found)), problems


def read_sources(paths: Sequence[str], cases: Mapping[str, int]) -> tuple[list[Source], list[str]]:
    """Tables of raters with the key of their case numbers, and those that cannot be read.

    The key is ``reader_key.tsv`` beside a table, or else the study's own.

    Parameters
    ----------
    paths : sequence of str
    cases : mapping
        ``participant_id`` to the case number of this study.
    """
    sources, problems = [], []
    own = {str(number): who for who, number in cases.items()}
    for path in paths:
        key = Path(path).with_name(KEY_FILE)
        try:
            table = _as_text(path)
            known = own if not key.is_file() else _read_key(key)
        except InputError as error:
            problems.append(str(error))
            continue
        sources.append(Source(path, table, known))
    return sources, problems


def key_files(paths: Iterable[str]) -> list[str]:
    """Keys of case numbers that lie beside tables of raters."""
    return sorted({str(key) for key in (Path(path).with_name(KEY_FILE) for path in paths) if key.is_file()})


def _as_text(path: str | Path) -> pd.DataFrame:
    """Table of which every cell is text."""
    names = list(read_table(path))
    return read_table(path, text=names)


def _read_key(path: Path) -> dict[str, str]:
    table = _as_text(path)
    lacking = [name for name in ("case", "participant_id") if name not in table]
    if lacking:
        raise InputError(
            f"{path}: no column {', '.join(lacking)}; take the {KEY_FILE} that lies beside the readers' pages"
        )
    return dict(zip(table["case"], table["participant_id"], strict=True))


class Read(NamedTuple):
    """Tables of raters of one kind, their files, and what is wrong with these."""

    sources: list[Source]
    paths: list[str]
    problems: list[str]


def load_readings(given: str | Sequence[str] | None, kind: str, cases: Mapping[str, int]) -> Read:
    """Ratings or decisions that the config names, as their files are.

    Parameters
    ----------
    given, kind
        As in `find_readings`.
    cases
        As in `read_sources`.
    """
    paths, problems = find_readings(given, kind)
    sources, unread = read_sources(paths, cases)
    return Read(sources, paths, [*problems, *unread])
