"""Visits: when each person was seen, which visit is the baseline, and the measures of all of them."""

import datetime
import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mndmri.io import InputError
from mndmri.tables.columns import SESSION, bare_session, check_name, plain_text, session_column, tidy
from mndmri.tables.decisions import leave_out
from mndmri.tables.dictionaries import TITLE
from mndmri.tables.given import PARTICIPANT, match_people, repeated
from mndmri.tables.measures import (
    COLUMN_DESCRIPTIONS,
    KEY,
    MEASURE_COLUMNS,
    NOT_MEASURED,
    OK,
    data_dictionary,
    stack_measures,
)
from mndmri.tables.sheets import MISSING_WORDS, Cell, Sheet, as_text, read_sheet, to_number
from mndmri.tables.words import name_people
from mndmri.units import name_unit, person_of, split_unit

MONTHS = "months"
SCANNER = "scanner"  # column of the visits table
CLINICAL = "clinical"  # modality of the scores of the visits table
MONTH = 365.25 / 12  # days
_LONGEST = 120.0  # months between visits of one person: longer ones are told, as days that were written as months
VISIT_COLUMNS = [PARTICIPANT, "group", SESSION, MONTHS, *MEASURE_COLUMNS]
_TIME = "acq_time"
_EPOCH = datetime.datetime(2000, 1, 1)
_NUMBERS = re.compile(r"(\d+)")
NOTHING_LEFT_OUT: Mapping[str, Mapping[str, str]] = MappingProxyType({})
DESCRIPTIONS = {
    SESSION: "Session of the visit, as in the visits table.",
    MONTHS: "Months of the visit, as in the visits table; where that has acq_time, since the person's first visit.",
}


class Visits(NamedTuple):
    """Visits of those studied, and what there is to say of their table."""

    table: pd.DataFrame  # participant_id, session, months and the scores; by person and months
    problems: list[str]
    notes: list[str]


def read_visits(
    path: str | Path, *, scores: Sequence[str] = (), known: Sequence[str], studied: Sequence[str]
) -> Visits:
    """The table of visits, one row for each.

    Parameters
    ----------
    path : path
        Columns participant_id, session_id (or session), and months or, without it, acq_time (a date as BIDS has it).
    scores : sequence of str
        Further columns, of numbers.
    known : sequence of str
        Every ``participant_id`` of the participants table.
    studied : sequence of str
        Those of them that are in the study.

    Returns
    -------
    Visits
        A visit without a time keeps its row. A column ``scanner`` is kept as text.
    """
    try:
        sheet = read_sheet(path)
    except InputError as error:
        return Visits(_no_visits(scores), [str(error)], [])
    return _take_sheet(sheet, path, scores=scores, known=known, studied=studied)


def read_sessions(
    paths: Mapping[str, str | Path], *, scores: Sequence[str] = (), known: Sequence[str], studied: Sequence[str]
) -> Visits:
    """The visits by each participant's own table, ``sub-01_sessions.tsv`` of BIDS.

    Parameters
    ----------
    paths : mapping
        ``participant_id`` to the file; those without one have no dates.
    scores, known, studied
        As in `read_visits`. A time is not required here.
    """
    try:
        sheets = {who: read_sheet(path) for who, path in paths.items()}
    except InputError as error:
        return Visits(_no_visits(scores), [str(error)], [])
    if not sheets:
        lacking = [f"visits.scores: no table sub-*_sessions.tsv with the columns {', '.join(scores)}"] if scores else []
        return Visits(_no_visits(scores), lacking, [])
    columns = dict.fromkeys(name for sheet in sheets.values() for name in sheet.header if name != PARTICIPANT)
    names = [*columns, *([] if {MONTHS, _TIME} & columns.keys() else [MONTHS])]
    rows: list[list[Cell]] = []
    for who, sheet in sheets.items():
        cells = [sheet.column(name) if name in sheet.header else [""] * len(sheet.rows) for name in names]
        rows += [[who, *own] for own in zip(*cells, strict=True)]
    lines = [line for sheet in sheets.values() for line in sheet.lines]
    together = Sheet([PARTICIPANT, *names], rows, lines, [])
    return _take_sheet(together, "sub-*_sessions.tsv", scores=scores, known=known, studied=studied)


def _no_visits(scores: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=[PARTICIPANT, SESSION, MONTHS, *scores]).astype({MONTHS: float})


def _take_sheet(
    sheet: Sheet, path: str | Path, *, scores: Sequence[str], known: Sequence[str], studied: Sequence[str]
) -> Visits:
    """Visits of a table that has been read."""
    name, empty = Path(path).name, _no_visits(scores)
    session = session_column(sheet.header)
    time = next((column for column in (MONTHS, _TIME) if column in sheet.header), None)
    lacking = [] if PARTICIPANT in sheet.header else [PARTICIPANT]
    lacking += ([] if session else ["session_id"]) + ([] if time else [f"{MONTHS} (or {_TIME})"])
    lacking += [column for column in scores if column not in sheet.header]
    if session is None or time is None or lacking:
        told = f"{path}: the visits table has no column {', '.join(lacking)}; it has {', '.join(sheet.header)}"
        return Visits(empty, [told], [])
    written = [as_text(cell) for cell in sheet.column(PARTICIPANT)]
    ids, notes, problems = match_people(written, known=known, studied=studied)
    labels = [plain_text(cell) for cell in sheet.column(session)]
    own = [ids[who] in set(studied) for who in written]
    tidied = [tidy(SESSION, label) for label in labels]
    spelt = _spellings(tidied)
    rows: dict[str, list[Any]] = {
        PARTICIPANT: [ids[who] for who in written],
        SESSION: [spelt[bare_session(label)] for label in tidied],
    }
    problems += [
        f"row {line} has no {PARTICIPANT}; fill it in or remove the row"
        for line, who in zip(sheet.lines, written, strict=True)
        if who in MISSING_WORDS
    ]
    problems += [f"visits.scores: {wrong}" for wrong in (check_name("measure", column) for column in scores) if wrong]
    for column in (time, *scores):
        read = [_time_of(cell) if column == _TIME else _number_of(cell, sheet) for cell in sheet.column(column)]
        rows[MONTHS if column == time else column] = [value for value, _ in read]
        problems += [
            f"row {line} ({who}): {column} is {wrong}"
            for line, who, (_, wrong), kept in zip(sheet.lines, written, read, own, strict=True)
            if kept and wrong
        ]
    problems += [
        f"row {line} ({who}) has no {session}; name the session, or remove the row"
        for line, who, label, kept in zip(sheet.lines, written, labels, own, strict=True)
        if kept and label in MISSING_WORDS
    ]
    if SCANNER in sheet.header:
        rows[SCANNER] = ["" if text in MISSING_WORDS else text for text in map(plain_text, sheet.column(SCANNER))]
    table = pd.DataFrame(rows, index=sheet.lines)[own]
    named = table[table[SESSION] != tidy(SESSION, "")]
    for (who, label), twice in named.groupby([PARTICIPANT, SESSION], sort=False):
        if len(twice) > 1:
            lines = " and ".join(map(str, twice.index))
            problems.append(f"{who} {label} is there twice, rows {lines}; keep one row for each visit")
    if time == _TIME:
        days = table[MONTHS] - table.groupby(PARTICIPANT)[MONTHS].transform("min")
        table = table.assign(months=(days / MONTH).to_numpy())
    table = _ordered(table.reset_index(drop=True)).reset_index(drop=True)
    return Visits(table, [f"{name}: {text}" for text in problems], [f"{name}: {text}" for text in notes])


def take_visits(
    rows: pd.DataFrame, chosen: Mapping[str, Any], *, known: Sequence[str], studied: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of measures with their sessions matched, and the visits, refused where there is a problem.

    Parameters
    ----------
    rows : DataFrame
        Of `mndmri.tables.given.take_given`, with sessions.
    chosen : mapping
        The config's ``visits``.
    known, studied : sequence of str
        As in `read_visits`.

    Raises
    ------
    InputError
        With all problems.
    """
    visits = read_visits(chosen["table"], scores=chosen["scores"], known=known, studied=list(studied))
    matched = match_sessions(rows, visits.table)
    if problems := [*visits.problems, *contradictions(matched, visits.table, chosen["baseline"])]:
        raise InputError("the visits cannot be used:\n" + "\n".join(f"  - {text}" for text in problems))
    return matched, visits.table


def match_sessions(rows: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    """Rows of measures with sessions as the visits table spells them: ``ses-1`` is its ``ses-01``.

    That of the same person is taken, if there is one: ``ses-1`` of one may be ``ses-01`` of another.

    Parameters
    ----------
    rows : DataFrame
        Of `mndmri.tables.given.read_given`, with sessions.
    visits : DataFrame
        Of `read_visits`.
    """
    spelt = _spellings(rows[SESSION]) | _spellings(visits[SESSION])
    own = {str(who): _spellings(labels) for who, labels in visits.groupby(PARTICIPANT)[SESSION]}
    pairs = [(who, bare_session(label)) for who, label in rows[[PARTICIPANT, SESSION]].itertuples(index=False)]
    return rows.assign(session=[own.get(who, {}).get(bare, spelt[bare]) for who, bare in pairs])


def rows_of_visits(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of single visits below each other, with the participant and the session of each row.

    Parameters
    ----------
    tables : mapping
        Unit of each visit (`mndmri.units`) to its table.
    """
    parts = []
    for unit, own in tables.items():
        who, session = split_unit(unit)
        parts.append(own.assign(participant_id=who, session=session))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[PARTICIPANT, SESSION])


def name_units(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the unit of each row as its ``participant_id``; without a session, as it is."""
    if SESSION not in table:
        return table
    pairs = table[[PARTICIPANT, SESSION]].itertuples(index=False, name=None)
    return table.assign(participant_id=[name_unit(who, session) for who, session in pairs])


def baseline_sessions(rows: pd.DataFrame, visits: pd.DataFrame, baseline: str | None = None) -> dict[str, str]:
    """Session whose measures the comparisons of the groups use, by participant.

    Parameters
    ----------
    rows : DataFrame
        Of `match_sessions`.
    visits : DataFrame
        Of `read_visits`.
    baseline : str, optional
        Session of everybody; who has no rows of it is not in the result. Default the first by months of those that
        have a value, or, of somebody without any value, of those that have a row; of visits without months, or of the
        same, the first by name.
    """
    seen = _with_months(rows[[PARTICIPANT, SESSION]].drop_duplicates(), visits)
    if baseline is not None:
        seen = seen[seen[SESSION].map(bare_session) == bare_session(baseline)]
    known = _measured(rows)
    empty = [pair not in known for pair in map(tuple, seen[[PARTICIPANT, SESSION]].to_numpy())]
    # a wide table has a row of a visit whose cells are blank, a run's measures.tsv of one whose scans were excluded
    seen = _ordered(seen.assign(empty=empty)).sort_values("empty", kind="stable")
    return seen.drop_duplicates(PARTICIPANT).set_index(PARTICIPANT)[SESSION].to_dict()


def at_baseline(rows: pd.DataFrame, sessions: Mapping[str, str]) -> pd.DataFrame:
    """Rows of everybody's baseline, from `baseline_sessions`."""
    return rows[rows[SESSION] == rows[PARTICIPANT].map(sessions)]


def contradictions(rows: pd.DataFrame, visits: pd.DataFrame, baseline: str | None) -> list[str]:
    """What is wrong with the measures and the visits beside each other.

    Parameters
    ----------
    rows, visits, baseline
        As in `baseline_sessions`. A value that is there twice may be so only since the sessions were matched.
    """
    problems = [*repeated(rows), *unknown_baseline(rows, baseline)]
    scores = set(visits.columns) - {PARTICIPANT, SESSION, MONTHS}
    again = sorted(scores & set(rows.loc[rows["modality"] == CLINICAL, "measure"]))
    if again:
        problems.append(
            f"{CLINICAL} {', '.join(again)}: in the tables of measures and in visits.scores; remove it from one of them"
        )
    return problems


def unknown_baseline(rows: pd.DataFrame, baseline: str | None, *, of: str = "the tables of measures") -> list[str]:
    """That nobody has measures, or what else the rows are ``of``, of the session named as the baseline, if so."""
    labels = sorted(rows[SESSION].unique())
    if baseline is None or not labels or bare_session(baseline) in map(bare_session, labels):
        return []
    near = difflib.get_close_matches(tidy(SESSION, baseline), labels, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"they have {', '.join(labels)}"
    return [f"visits.baseline: {of} have no session '{baseline}'; {hint}"]


def visit_notes(
    rows: pd.DataFrame, visits: pd.DataFrame, baseline: str | None, studied: Sequence[str], *, what: str = "measures"
) -> list[str]:
    """What is peculiar about the visits, a sentence for each kind with everybody whom it is about.

    Parameters
    ----------
    rows, visits, baseline
        As in `baseline_sessions`.
    studied : sequence of str
        Everybody in the study.
    what : str
        What the rows say of a visit that it has: measures, or scans.
    """
    measured = _measured(rows)
    planned = set(map(tuple, visits[[PARTICIPANT, SESSION]].to_numpy()))
    timed = visits.dropna(subset=[MONTHS])
    told: dict[str, list[str]] = {}

    def tell(text: str, who: str) -> None:
        told.setdefault(text, []).append(who)

    for who, label in sorted(planned - measured):
        tell(f"{label} is in the visits table and has no {what}", who)
    for who, label in sorted(measured - planned):
        tell(f"{label} has {what} and is not in the visits table; it has no months and is in no slope", who)
    for who, label in visits.loc[visits[MONTHS].isna(), [PARTICIPANT, SESSION]].itertuples(index=False):
        tell(f"{label} has no months; it is in no slope", who)
    pairs = map(tuple, timed[[PARTICIPANT, SESSION]].to_numpy())
    # as an array: an empty list would choose no columns
    used = timed[np.array([pair in measured for pair in pairs], bool)]
    for who, own in used.groupby(PARTICIPANT, sort=False):
        months, labels = own[MONTHS].to_numpy(), own[SESSION].to_list()
        if months[-1] - months[0] > _LONGEST:
            tell(f"visits over more than {_LONGEST:g} months; check that they are months, not days, and the dates", who)
        if len(own) == 1:
            tell(f"one visit with {what}; no slope", who)
        for n in range(1, len(own)):
            first, second = labels[n - 1], labels[n]
            if months[n] == months[n - 1]:
                tell(f"{first} and {second} are at the same time; both are used", who)
            elif _natural(first) > _natural(second):
                tell(f"{second} is later than {first}; visits are taken in the order of months", who)
    sessions = baseline_sessions(rows, visits, baseline)
    first_planned = timed.drop_duplicates(PARTICIPANT).set_index(PARTICIPANT)[SESSION].to_dict()
    undated = visits[visits[MONTHS].isna()].groupby(PARTICIPANT)[SESSION].agg(list).to_dict()
    for who in studied:
        own = sessions.get(who)
        if (who, own) not in measured:
            tell(f"no {what} at the baseline", who)
        elif baseline is None and first_planned.get(who, own) != own:
            tell(f"the baseline is {own}, the first with {what}, not {first_planned[who]}", who)
        elif baseline is None:
            for label in undated.get(who, []):
                if (who, label) in measured and _natural(label) < _natural(str(own)):
                    tell(f"the baseline is {own}, the first with months, not {label}", who)
    return [f"{name_people(people)}: {text}" for text, people in told.items()]


def complete_visits(
    rows: pd.DataFrame,
    visits: pd.DataFrame,
    participants: pd.DataFrame,
    excluded: Mapping[str, Mapping[str, str]],
    *,
    scores: Sequence[str] = (),
    left_out: Mapping[str, Mapping[str, str]] = NOTHING_LEFT_OUT,
) -> pd.DataFrame:
    """Measures of every visit: each visit has every row that any visit has.

    Parameters
    ----------
    rows : DataFrame
        Of `match_sessions`.
    visits : DataFrame
        Of `read_visits`.
    participants : DataFrame
        ``participant_id`` and ``group``.
    excluded : mapping
        As in `mndmri.tables.given.complete_measures`; of all visits of a participant, or of a visit under its unit.
    scores : sequence of str
        Columns of ``visits`` that become measures of the modality `CLINICAL`.
    left_out : mapping
        Unit of each scanned visit (`mndmri.units`) to the reasons why it has no rows of a modality.

    Returns
    -------
    DataFrame
        Columns `VISIT_COLUMNS`, by participant and months.
    """
    scanned = pd.DataFrame(map(split_unit, left_out), columns=[PARTICIPANT, SESSION]).query("session > ''")
    parts = [visits[[PARTICIPANT, SESSION]], scanned, rows[[PARTICIPANT, SESSION]]]
    seen = _ordered(_with_months(pd.concat(parts).drop_duplicates(), visits))
    seen = participants[[PARTICIPANT, "group"]].merge(seen, on=PARTICIPANT)
    seen["visit"] = seen[PARTICIPANT] + "_" + seen[SESSION]
    tables = {
        unit: leave_out(own[MEASURE_COLUMNS], {**excluded.get(str(who), {}), **excluded.get(unit, {})})
        for (who, label), own in rows.groupby([PARTICIPANT, SESSION], sort=False)
        for unit in [name_unit(str(who), str(label))]
    }
    for visit, own in _score_rows(visits, scores).groupby("visit", sort=False):
        tables[visit] = pd.concat([tables.get(visit), own[MEASURE_COLUMNS]], ignore_index=True)
    stacked = stack_measures(tables, seen[["visit", "group"]].rename(columns={"visit": PARTICIPANT}), left_out)
    stacked = stacked.drop(columns="group").rename(columns={PARTICIPANT: "visit"})
    return seen.merge(stacked, on="visit")[VISIT_COLUMNS]


def visits_dictionary(
    measures: Iterable[tuple[str, str]], brought: Mapping[tuple[str, str], Mapping[str, str]]
) -> dict[str, Any]:
    """BIDS data dictionary of the measures of all visits.

    Parameters
    ----------
    measures : iterable of (modality, measure)
        Those in the table.
    brought : mapping
        Definitions, of `mndmri.tables.given.given_definitions`.
    """
    kinds = list(measures)
    clinical = {
        (of, name): {"Description": f"Column {name} of the visits table."} for of, name in kinds if of == CLINICAL
    }
    described = data_dictionary(kinds, brought={**clinical, **brought})
    columns = {**COLUMN_DESCRIPTIONS, **DESCRIPTIONS}
    named = {name: {"Description": columns[name]} for name in VISIT_COLUMNS}
    return {TITLE: "Every measure of every visit, one a row", **named, "measures": described["measures"]}


def _measured(rows: pd.DataFrame) -> set[tuple[str, str]]:
    """Participant and session of every visit with a value."""
    known = rows.loc[rows["value"].notna(), [PARTICIPANT, SESSION]].drop_duplicates()
    return set(known.itertuples(index=False, name=None))


def _score_rows(visits: pd.DataFrame, scores: Sequence[str]) -> pd.DataFrame:
    """Scores of the visits as rows of measures, with the ``visit`` that they are of."""
    parts = []
    for name in scores:
        value = visits[name].astype(float)
        fixed = dict(zip(KEY, (CLINICAL, name, "total", "both"), strict=True))
        status = np.where(value.notna(), OK, NOT_MEASURED)
        own = pd.DataFrame({"visit": visits[PARTICIPANT] + "_" + visits[SESSION], "value": value, "status": status})
        parts.append(own.assign(**fixed, unit="", n_voxels=0))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["visit", *MEASURE_COLUMNS])


def in_order(scans: Mapping[str, Any], visits: pd.DataFrame) -> dict[str, Any]:
    """What there is of each unit (`mndmri.units`), with each person's visits in the order of `baseline_sessions`."""
    units = pd.DataFrame(map(split_unit, scans), columns=[PARTICIPANT, SESSION])
    ordered = _ordered(_with_months(units, visits)).groupby(PARTICIPANT, sort=False)[SESSION]
    of_person = {who: dict.fromkeys(name_unit(str(who), label) for label in labels) for who, labels in ordered}
    return {unit: scans[unit] for who in dict.fromkeys(map(person_of, scans)) for unit in of_person[who]}


def _with_months(seen: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    return seen.merge(visits[[PARTICIPANT, SESSION, MONTHS]], on=[PARTICIPANT, SESSION], how="left")


def _ordered(visits: pd.DataFrame) -> pd.DataFrame:
    """Visits by person and months, those without months last, and by the numbers in their names."""
    keys = visits.assign(natural=visits[SESSION].map(_natural))
    return visits.loc[keys.sort_values([PARTICIPANT, MONTHS, "natural"], kind="stable", na_position="last").index]


def _natural(label: str) -> tuple[tuple[int, str], ...]:
    """Key by which ses-2 is before ses-10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBERS.split(label))


def _spellings(labels: Iterable[str]) -> dict[str, str]:
    """How each session is written, by its bare name: with most zeros, of several ways."""
    return {bare_session(label): label for label in sorted(set(labels), key=len)}


def _number_of(cell: Cell, sheet: Sheet) -> tuple[float, str | None]:
    value, wrong = to_number(cell, decimal_comma=sheet.decimal_comma)
    if wrong is None and math.isinf(value):
        return math.nan, "infinite; expected a number or n/a"
    return value, f"{wrong}; expected a number or n/a" if wrong else None


def _time_of(cell: Cell) -> tuple[float, str | None]:
    """Days of a date, or of a date with a time of day, by the clock where it was written; also of a workbook's date."""
    text = plain_text(cell)
    if text in MISSING_WORDS:
        return math.nan, None
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        return math.nan, f"'{text}'; expected a date as 2024-05-31 or 2024-05-31T10:30:00"
    return (when.replace(tzinfo=None) - _EPOCH) / datetime.timedelta(days=1), None
