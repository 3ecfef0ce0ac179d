"""The study as a run has found it, for its jobs: they read one file instead of looking at every scan."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mndmri import __version__
from mndmri.cohort.records import Scan, Study
from mndmri.io import read_json, write_json

HANDED_OVER = "resources/study.json"  # below the results


def hand_over(study: Study, config: Mapping[str, Any], path: str | Path) -> None:
    """Write a study without problems for the jobs of a run.

    Parameters
    ----------
    study : Study
        As settled (`mndmri.cohort.settle`).
    config : mapping
        The resolved config: a job with another one does not use the file.
    path : path
    """
    named = {"participants": study.participants, "others": study.others, "visits": study.visits}
    tables = {name: None if table is None else _plain(table) for name, table in named.items()}
    content = {"config": _digest(config), "study": asdict(study) | tables}
    write_json(content, path)


def take_over(config: Mapping[str, Any], path: str | Path) -> Study | None:
    """The study that a run has left for its jobs; None if there is none, or one of another config or version.

    Parameters
    ----------
    config : mapping
        The resolved config of the job.
    path : path
        As given to `hand_over`.
    """
    if not Path(path).is_file():
        return None
    content = read_json(path)
    if content.get("config") != _digest(config):
        return None
    own = content["study"]
    return Study(
        participants=_table(own["participants"]),
        others=_table(own["others"]),
        listed=tuple(own["listed"]),
        scans={who: {name: _scan(scan) for name, scan in scans.items()} for who, scans in own["scans"].items()},
        left_out=own["left_out"],
        bids_dir=own["bids_dir"],
        notes=tuple(own["notes"]),
        simulated=own["simulated"],
        cases=own["cases"],
        excluded=own["excluded"],
        decisions=tuple(own["decisions"]),
        rated=own["rated"],
        visits=None if own["visits"] is None else _table(own["visits"]),
    )


def _plain(table: pd.DataFrame) -> dict[str, Any]:
    """A table as JSON can hold it."""
    return {
        name: {"dtype": str(column.dtype), "values": [None if pd.isna(value) else value for value in column.tolist()]}
        for name, column in table.items()
    }


def _table(plain: Mapping[str, Any]) -> pd.DataFrame:
    """A table that `_plain` has taken apart."""
    return pd.DataFrame({name: _column(**column) for name, column in plain.items()})


def _column(dtype: str, values: list[Any]) -> pd.Series:
    """A column of the table, as JSON has it; what is missing is NaN."""
    return pd.Series([np.nan if value is None else value for value in values], dtype=dtype)


def _scan(own: Mapping[str, Any]) -> Scan:
    """A scan, as JSON has it."""
    files = {role: tuple(paths) for role, paths in own["files"].items()}
    return Scan(own["modality"], files, own["distortion"], tuple(own["notes"]), own["declared"])


def _digest(config: Mapping[str, Any]) -> str:
    """What tells configs, and versions of the program, apart."""
    text = json.dumps([__version__, config], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
