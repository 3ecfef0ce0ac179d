"""Tables that somebody brings to a study: participants in any format, and measures."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mndmri.cohort.config import primary_of_tables, scanned_modalities, unknown_directions
from mndmri.cohort.records import Problem
from mndmri.cohort.table import category_columns, columns_used, ids_of, listed_ids, participants_path
from mndmri.io import LINE, InputError, read_table
from mndmri.tables.given import Given, clashes, read_given, unknown_covariates, unknown_primary
from mndmri.tables.maps import all_definitions
from mndmri.tables.measures import KEY
from mndmri.tables.sheets import MISSING_WORDS, Fault, as_text, read_sheet, to_number
from mndmri.tables.visits import Visits, contradictions, match_sessions, read_visits, visit_notes


class Brought(NamedTuple):
    """What the tables of measures hold and lack, and the columns of participants that nothing uses."""

    problems: list[Problem]
    notes: list[str]
    others: pd.DataFrame  # participant_id and columns; those studied


def read_people(config: Mapping[str, Any]) -> pd.DataFrame:
    """The participants table, one row for each person; `category_columns` as text.

    A table of measures may be it, too, and Excel's and comma-separated tables can be read. The index is the row in the
    file, named `mndmri.io.LINE`. What Excel has no text for (an error, a formula without a result) stays a `Fault`.

    Raises
    ------
    InputError
        If the file cannot be read, or has two columns of participants.
    """
    path = participants_path(config)
    entry = _entry_of(path, config)
    if entry is None and path.suffix.lower() not in (".csv", ".xlsx", ".xlsm"):
        return read_table(path, text=category_columns(config), numbered=True)
    sheet = read_sheet(path, sheet=entry["sheet"] if entry else None)

    if entry and entry["participant"] != "participant_id" and "participant_id" in sheet.header:
        raise InputError(
            f"{path}: has the column '{entry['participant']}' of participants (key participant) and a column "
            "'participant_id'; name that one in the key, or rename it in the table"
        )

    def plain(cell: Any) -> Any:
        if isinstance(cell, Fault):
            return cell.plain or cell
        if isinstance(cell, str) and cell in MISSING_WORDS:
            return np.nan
        value, wrong = to_number(cell, decimal_comma=sheet.decimal_comma)
        # a comma is decimal here, or the cell is text: a site called 1,2
        return value if wrong is None and isinstance(cell, str) and "," in cell else cell

    cells = {name: [plain(cell) for cell in sheet.column(name)] for name in sheet.header}
    table = pd.DataFrame(cells, index=pd.Index(sheet.lines, name=LINE), dtype=object)
    return table.rename(columns={entry["participant"]: "participant_id"}) if entry else table


def look_at_tables(config: Mapping[str, Any], table: pd.DataFrame, participants: pd.DataFrame) -> Brought:
    """What is wrong with the tables of measures, and what they hold, before anything is computed.

    Parameters
    ----------
    config : mapping
        Resolved config.
    table : DataFrame
        The participants table, as in the file.
    participants : DataFrame
        The study's, from `mndmri.cohort.load_participants`.
    """
    entries = [*config["measures"], *config["tables"]]
    reserved = {config["groups"]["column"], *columns_used(config)[1]}
    people = {"known": listed_ids(table), "studied": list(participants["participant_id"])}
    given = read_given(entries, **people, reserved=reserved, sessions=bool(config["visits"]))
    of_measures = config["visits"] and config["measures"]  # of scans, see mndmri.cohort.visits
    of_visits = _look_at_visits(config["visits"], given, **people) if of_measures else None
    problems = [*given.problems, *(of_visits.problems if of_visits else [])]
    scanned, defined = scanned_modalities(config), all_definitions(config["maps"])
    problems += clashes(given.rows, [(of, name) for of, name in defined if of in scanned])
    if not given.problems and len(participants):  # of a participants table with problems nobody is studied
        problems += unknown_primary(primary_of_tables(config), given.rows)
        problems += unknown_covariates(
            config["measure_covariates"],
            given.rows,
            measured={key for key in defined if key[0] in scanned},
            known=list(table.columns),
        )
        if entries:  # without any, the config has been looked at
            brought = {(str(m), str(n), str(r)) for m, n, r in given.rows[KEY[:3]].itertuples(index=False)}
            measured = {(of, name, "") for of, name in defined if of in scanned}
            problems += unknown_directions(config["higher_is"], brought | measured)
    notes = [*_notes(config, given), *(of_visits.notes if of_visits else [])]
    return Brought([Problem(text) for text in problems], notes, _others(config, table, participants, given))


def _look_at_visits(chosen: Mapping[str, Any], given: Given, *, known: Sequence[str], studied: Sequence[str]) -> Visits:
    """The visits, with what is wrong with and peculiar about them beside the measures."""
    visits = read_visits(chosen["table"], scores=chosen["scores"], known=known, studied=studied)
    if given.problems or visits.problems or not studied:
        return visits
    rows = match_sessions(given.rows, visits.table)
    if wrong := contradictions(rows, visits.table, chosen["baseline"]):
        return visits._replace(problems=wrong)
    return visits._replace(notes=[*visits.notes, *visit_notes(rows, visits.table, chosen["baseline"], studied)])


def _notes(config: Mapping[str, Any], given: Given) -> list[str]:
    """What the tables hold, and that nothing of it is primary where nothing was named."""
    if not (config["measures"] or config["tables"]):
        return []
    brought = {tuple(key) for key in given.rows[["modality", "measure"]].drop_duplicates().itertuples(index=False)}
    chosen = {(own["modality"], own["measure"]) for own in config["statistics"]["primary"]}
    if brought & chosen:
        return given.notes
    return [
        *given.notes,
        "no measure of the tables is primary (statistics.primary): all of them are exploratory",
    ]


def _others(config: Mapping[str, Any], table: pd.DataFrame, participants: pd.DataFrame, given: Given) -> pd.DataFrame:
    """Columns of the participants table that the config does not name, of those studied, as they are."""
    if not len(participants):
        return pd.DataFrame({"participant_id": []})
    used = {"participant_id", config["groups"]["column"], *columns_used(config)[1], *participants.columns}
    names = [name for name in table.columns if name not in used]
    if _entry_of(participants_path(config), config):
        names = [name for name in names if name in given.unused]
    own = table.assign(participant_id=ids_of(table))
    own = own.drop_duplicates("participant_id")  # a problem already
    rows = own.set_index("participant_id").reindex(participants["participant_id"])[names]
    columns = {name: _typed(rows[name]) for name in names}
    return pd.DataFrame({"participant_id": rows.index, **columns}).reset_index(drop=True)


def _typed(column: pd.Series) -> Sequence[Any]:
    """Numbers as numbers; otherwise text, as it stands in the file; what Excel has no text for is missing."""
    cells = [
        "" if pd.isna(cell) or isinstance(cell, Fault) else as_text(float(cell) if isinstance(cell, int) else cell)
        for cell in column
    ]
    read = [to_number(cell) for cell in cells]
    if all(wrong is None and not math.isinf(value) for value, wrong in read):
        return [value for value, _ in read]
    return [np.nan if cell in MISSING_WORDS else cell for cell in cells]


def _entry_of(path: Path, config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The table of measures that a path is, if it is one and wide."""
    entries = [*config["measures"], *config["tables"]]
    same = [entry for entry in entries if entry["wide"] and Path(entry["file"]).resolve() == Path(path).resolve()]
    return same[0] if same else None
