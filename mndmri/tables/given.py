"""Tables of measures that somebody brings: read, checked, and completed for the statistics."""

import difflib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mndmri.io import InputError
from mndmri.tables.codes import codes_for_missing
from mndmri.tables.columns import (
    FIELDS,
    HEMIS,
    SESSION,
    Column,
    check_name,
    columns_by_mapping,
    columns_by_pattern,
    plain_text,
    session_column,
    tidy,
)
from mndmri.tables.covariates import VOLUMES, place_of
from mndmri.tables.decisions import leave_out
from mndmri.tables.dictionaries import dictionary_path
from mndmri.tables.measures import BY_ONSET, GROUP_COLUMNS, KEY, MEASURE_COLUMNS, OK, stack_measures
from mndmri.tables.programs import files_of_entry, mapping_of, read_entry
from mndmri.tables.sheets import MISSING_WORDS, Cell, Percent, Sheet, as_text, read_sheet, to_number
from mndmri.tables.words import name_people

PARTICIPANT = "participant_id"
BROUGHT = "Brought"  # key of a definition: the files that the measure came from
NO_VALUE = "no value in the table"
_SHOWN = 12  # columns, rows or ids named in a line
_FACTOR = 100.0  # between two units of one quantity, at least: values within a group of people vary less
_COLUMNS = [PARTICIPANT, SESSION, *MEASURE_COLUMNS, "file", "line"]


class Given(NamedTuple):
    """Measures of tables that were brought, and what there is to say of them."""

    rows: pd.DataFrame  # participant_id, session, `MEASURE_COLUMNS`, file, line
    problems: list[str]
    notes: list[str]
    unused: tuple[str, ...] = ()  # columns of a wide table that are no measures


def read_given(
    entries: Sequence[Mapping[str, Any]],
    *,
    known: Sequence[str],
    studied: Sequence[str],
    reserved: Iterable[str] = (),
    sessions: bool = False,
) -> Given:
    """Measures of all tables of the config, long.

    Parameters
    ----------
    entries : sequence of mapping
        As in the config's ``measures`` and ``tables``, defaults filled in: file, sheet, participant, modality, measure,
        region, hemi, unit and wide (None for a long table, or pattern or mapping).
    known : sequence of str
        Every ``participant_id`` of the participants table.
    studied : sequence of str
        Those of them that are in the study.
    reserved : iterable of str
        Columns that hold something else than measures (group, age), which are not told as unused.
    sessions : bool
        Whether people have several visits: every row has a session, of a column ``session`` or ``session_id`` or of
        the entry's key. Otherwise it is empty.

    Returns
    -------
    Given
        Rows of those who are studied. With problems, the rows may lack what could not be read.
    """
    parts, problems, notes = [], [], []
    unused: dict[str, list[str]] = {}  # by none of the entries of a file
    members = set(studied)
    for written_entry in entries:
        name = Path(written_entry["file"]).name
        try:
            whole, entry = read_entry(written_entry)
            _check_layout(whole, entry)
            written = [as_text(cell) for cell in whole.column(entry["participant"])]
            ids, told, wrong = match_people(written, known=known, studied=studied)
            # what is wrong with the values of others is of no concern
            kept = [who in MISSING_WORDS or ids[who] in members for who in written]
            sheet = whole._replace(rows=list(compress(whole.rows, kept)), lines=list(compress(whole.lines, kept)))
            labels = _sessions(sheet, entry) if sessions else [""] * len(sheet.rows)
            apart = {*reserved, (session_column(sheet.header) if sessions else None) or ""}
            part = _wide(sheet, entry, apart) if entry["wide"] else _long(sheet, entry)
        except InputError as error:
            problems.append(str(error))
            continue
        of_line = dict(zip(sheet.lines, labels, strict=True))
        own = part.rows.assign(
            file=name, participant_id=part.rows[PARTICIPANT].map(ids), session=part.rows["line"].map(of_line)
        )
        problems += [
            f"{name}: row {line} has no session; fill it in or remove the row"
            for line, label in of_line.items()
            if sessions and not label
        ]
        problems += [f"{name}: {text}" for text in (*part.problems, *wrong)]
        notes += [f"{name}: {text}" for text in (*sheet.notes, *part.notes, *told)]
        known_before = unused.get(entry["file"], part.unused)
        unused[entry["file"]] = [column for column in part.unused if column in known_before]
        parts.append(own)
    for path, columns in unused.items():
        notes += [f"{Path(path).name}: columns that are no measures: {_few(columns)}"] if columns else []
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)
    rows = rows[rows[PARTICIPANT].isin(studied)].reset_index(drop=True)
    problems += [*repeated(rows), *_mixed_units(rows)]
    no_measures = tuple(dict.fromkeys(column for columns in unused.values() for column in columns))
    return Given(rows[_COLUMNS], problems, [*notes, *_doubtful_units(rows)], no_measures)


def take_given(
    entries: Sequence[Mapping[str, Any]],
    *,
    known: Sequence[str],
    reserved: Sequence[str],
    studied: Sequence[str],
    sessions: bool = False,
) -> pd.DataFrame:
    """Rows of `read_given`, refused where it finds a problem.

    Raises
    ------
    InputError
        With all problems.
    """
    found = read_given(entries, known=known, studied=list(studied), reserved=reserved, sessions=sessions)
    if found.problems:
        raise InputError("the tables of measures cannot be used:\n" + "\n".join(f"  - {p}" for p in found.problems))
    return found.rows


def described(dictionaries: Iterable[Any]) -> dict[str, Mapping[str, Any]]:
    """Definitions of measures, by ``modality measure``, in data dictionaries as of ``group/measures.tsv``.

    What is laid out in another way has none.
    """
    blocks = [found.get("measures") for found in dictionaries if isinstance(found, Mapping)]
    named = [block.items() for block in blocks if isinstance(block, Mapping)]
    return {name: own for items in named for name, own in items if isinstance(own, Mapping)}


def files_of(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every file that the entries name, once."""
    named = [path for own in entries for path in (*files_of_entry(own), (own["wide"] or {}).get("mapping")) if path]
    return list(dict.fromkeys(named))


def dictionaries_of(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Data dictionaries that lie beside the long tables."""
    beside = [dictionary_path(path) for own in entries if not own["wide"] for path in files_of_entry(own)]
    return [path for path in dict.fromkeys(beside) if Path(path).is_file()]


def complete_measures(
    rows: pd.DataFrame, participants: pd.DataFrame, excluded: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """Measures of everyone in the study: every participant has every row that any participant has.

    Parameters
    ----------
    rows : DataFrame
        Of `read_given`, without problems.
    participants : DataFrame
        ``participant_id`` and ``group``.
    excluded : mapping
        ``participant_id`` to modality to the reason: what readers have excluded has no value
        (`mndmri.tables.decisions.leave_out`).

    Returns
    -------
    DataFrame
        Columns `GROUP_COLUMNS`.
    """
    tables = {
        str(who): leave_out(own[MEASURE_COLUMNS], excluded.get(str(who), {}))
        for who, own in rows.groupby(PARTICIPANT, sort=False)
    }
    return stack_measures(tables, participants, {})[GROUP_COLUMNS]


def join_measures(measured: pd.DataFrame, given: pd.DataFrame, participants: pd.DataFrame) -> pd.DataFrame:
    """Measured and brought measures in one table, those of a participant together, the measured ones first."""
    order = {who: place for place, who in enumerate(participants[PARTICIPANT])}
    both = pd.concat([measured, given], ignore_index=True)
    return both.sort_values(PARTICIPANT, key=lambda who: who.map(order), kind="stable", ignore_index=True)


def given_definitions(rows: pd.DataFrame, described: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, str]]:
    """Definition of every (modality, measure) that was brought: its own if it came with one.

    Parameters
    ----------
    rows : DataFrame
        Of `read_given`.
    described : mapping
        ``modality measure`` to a definition, from the ``measures`` of data dictionaries that lie beside the tables.
    """
    found = {}
    spelt = {"_".join(name.split()): own for name, own in described.items()}  # with blanks inside a name
    for (modality, measure), own in rows.groupby(["modality", "measure"], sort=False):
        files = ", ".join(dict.fromkeys(own["file"]))
        units = [unit for unit in dict.fromkeys(own["unit"]) if unit]
        plain = {"Description": "From a table of the investigators; how it was measured is not known here."}
        plain |= {"Units": units[0]} if len(units) == 1 else {}
        own_words = described.get(f"{modality} {measure}", spelt.get(f"{modality}_{measure}", plain))
        found[str(modality), str(measure)] = {**own_words, BROUGHT: files}
    return found


def clashes(rows: pd.DataFrame, measured: Iterable[tuple[str, str]]) -> list[str]:
    """Measures that are brought under the name of one that the scans give: one name would have two meanings.

    Parameters
    ----------
    rows : DataFrame
        Of `read_given`.
    measured : iterable of (modality, measure)
        Those of the study's scans.
    """
    brought = rows.drop_duplicates(["modality", "measure"])
    taken = set(measured)
    return [
        f"{row.file}: {row.modality} {row.measure} is measured from the scans too; give it another name, as "
        f"{row.measure}_own (measure:, pattern or mapping), or take {row.modality} out of modalities"
        for row in brought.itertuples()
        if (row.modality, row.measure) in taken
    ]


def unknown_primary(primary: Mapping[int, Mapping[str, str]], rows: pd.DataFrame) -> list[str]:
    """Primary measures that none of the tables has.

    Parameters
    ----------
    primary : mapping
        Place in the config's list to the measure.
    rows : DataFrame
        Of `read_given`.
    """
    known = {tuple(key) for key in rows[KEY].drop_duplicates().itertuples(index=False)}
    names = [" ".join(key) for key in known]
    problems = []
    for index, chosen in primary.items():
        wanted = tuple(chosen[name] for name in KEY)
        if wanted in known or (wanted[3] in BY_ONSET and {(*wanted[:3], "L"), (*wanted[:3], "R")} <= known):
            continue
        near = difflib.get_close_matches(" ".join(wanted), names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"they have {_few(sorted(names))}"
        problems.append(f"statistics.primary[{index}]: the tables have no '{' '.join(wanted)}'; {hint}")
    return problems


def unknown_covariates(
    chosen: Mapping[str, Sequence[str]],
    rows: pd.DataFrame,
    *,
    measured: Collection[tuple[str, str]],
    known: Collection[str],
) -> list[str]:
    """Covariates of some measures that are named as measures, and are neither in the tables nor measured.

    Parameters
    ----------
    chosen : mapping
        As in `mndmri.tables.covariates.covariates_of`.
    rows : DataFrame
        Of `read_given`.
    measured : collection of pairs
        Modality and measure that the scans give, in some region.
    known : collection of str
        Columns of the participants table.
    """
    brought = {tuple(key) for key in rows[KEY].drop_duplicates().itertuples(index=False)}
    problems = []
    for place, names in chosen.items():
        for name in names:
            of, where = place_of(name), f"measure_covariates: '{place}'"
            if of is None or name in VOLUMES or name in known or of[:2] in measured:
                continue
            sides = [key[3] for key in brought if key[: len(of)] == of]
            if not sides:
                near = difflib.get_close_matches(name, {" ".join(key[: len(of)]) for key in brought}, n=1)
                hint = f"did you mean '{near[0]}'?" if near else "correct the name"
                problems.append(f"{where}: '{name}' is no measure of the tables and no column; {hint}")
            elif len(sides) > 1:
                problems.append(f"{where}: the tables have {name} of {', '.join(sorted(sides))}; name one side too")
    return problems


# -- one table ------------------------------------------------------------------------------------


def _check_layout(sheet: Sheet, entry: Mapping[str, Any]) -> None:
    """Raise an `InputError` if a table lacks a column that it must have."""
    people = entry["participant"]
    if entry["wide"]:
        if people not in sheet.header:
            near = difflib.get_close_matches(people, sheet.header, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it has {_few(sheet.header)}"
            raise InputError(f"{entry['file']}: no column '{people}' of participants (key participant); {hint}")
        return
    needed = [people, *(name for name in KEY if not entry[name] and name != "hemi"), "value"]
    lacking = [name for name in needed if name not in sheet.header]
    if lacking:
        raise InputError(
            f"{entry['file']}: has no column {', '.join(map(repr, lacking))}; it has {_few(sheet.header)}. "
            "Lay it out as group/measures.tsv, name what all rows share as a key (modality: dwi), "
            "or describe its columns with wide"
        )
    doubled = [name for name in FIELDS if entry[name] and name in sheet.header]
    if doubled:
        raise InputError(f"{entry['file']}: {doubled[0]} is a column and a key in the config; remove one of them")


def _sessions(sheet: Sheet, entry: Mapping[str, Any]) -> list[str]:
    """Session of each row, empty where it is missing."""
    column = session_column(sheet.header)
    if column and entry[SESSION]:
        raise InputError(f"{entry['file']}: {column} is a column and session a key in the config; remove one of them")
    if not column and not entry[SESSION]:
        raise InputError(
            f"{entry['file']}: has no column session or session_id; it has {_few(sheet.header)}. With visits every row "
            "is of a session: add the column, or name the session of the whole table as a key (session: ses-01)"
        )
    written = [plain_text(cell) for cell in sheet.column(column)] if column else [entry[SESSION]] * len(sheet.rows)
    return ["" if text in MISSING_WORDS else tidy(SESSION, text) for text in written]


def _long(sheet: Sheet, entry: Mapping[str, Any]) -> Given:
    """Rows of a table laid out as ``group/measures.tsv``."""
    columns = {name: [as_text(cell) for cell in sheet.column(name)] for name in sheet.header if name != "value"}
    n = len(sheet.rows)
    text = {name: columns.get(name, [entry.get(name) or ""] * n) for name in (*FIELDS, "status")}
    text["hemi"] = text["hemi"] if "hemi" in columns or entry["hemi"] else ["both"] * n
    text |= {name: [tidy(name, cell) for cell in text[name]] for name in FIELDS}
    people = columns[entry["participant"]]
    values, problems, notes = [], [], []
    faults: dict[str, list[tuple[int, str, str]]] = {}
    for line, who, cell, *key in zip(
        sheet.lines, people, sheet.column("value"), *(text[name] for name in KEY), strict=True
    ):
        value, wrong = to_number(cell, decimal_comma=sheet.decimal_comma)
        values.append(value)
        if wrong:
            faults.setdefault(" ".join(key), []).append((line, who, wrong))
        if who in MISSING_WORDS:
            problems.append(f"row {line} has no {entry['participant']}; fill it in or remove the row")
        if key[3] not in HEMIS:
            problems.append(f"row {line} ({who}): hemi '{key[3]}', expected {', '.join(HEMIS)}")
        for what, name in zip(KEY[:3], key[:3], strict=True):
            if name in MISSING_WORDS:
                problems.append(f"row {line} ({who}) has no {what}; name it")
            elif told := check_name(what, name):
                problems.append(f"row {line} ({who}): {told}")
    counts = [0.0] * n
    if "n_voxels" in columns:
        read = [to_number(cell, decimal_comma=sheet.decimal_comma) for cell in sheet.column("n_voxels")]
        counts = [count for count, _ in read]
        wrong_counts = [
            (line, who, wrong) for line, who, (_, wrong) in zip(sheet.lines, people, read, strict=True) if wrong
        ]
        faults |= {"n_voxels": wrong_counts} if wrong_counts else {}
    problems = [*_some(problems), *(_told(name, own) for name, own in faults.items())]
    rows = pd.DataFrame(text).assign(participant_id=people, value=values, line=sheet.lines)
    rows["n_voxels"] = np.nan_to_num(counts, posinf=0, neginf=0).astype(int)
    for name, own in rows.groupby(KEY, sort=False):
        problems += _codes(" ".join(map(str, name)), own)
    if sheet.decimal_comma:
        notes.append("its commas are read as decimal points")
    return Given(_stated(rows), problems, notes)


def _wide(sheet: Sheet, entry: Mapping[str, Any], reserved: set[str]) -> Given:
    """Rows of a table with a row for each participant and a column for each measure."""
    people = entry["participant"]
    candidates = [name for name in sheet.header if name != people and name not in reserved]
    wide, fixed = entry["wide"], {name: entry[name] for name in FIELDS}
    if wide["mapping"]:
        found = columns_by_mapping(candidates, read_sheet(wide["mapping"]), fixed)
    elif wide.get("columns"):
        found = columns_by_mapping(candidates, mapping_of(wide["columns"], FIELDS), fixed)
    else:
        found = columns_by_pattern(candidates, wide["pattern"], fixed)
    problems, notes = list(found.problems), []
    if found.columns:
        kinds = dict.fromkeys(f"{column.key['modality']} {column.key['measure']}" for column in found.columns)
        notes.append(f"{len(found.columns)} columns of measures ({_few(list(kinds))})")
    elif not problems:
        problems.append(f"no column follows the pattern '{wide['pattern']}'; it has {_few(candidates)}")
    problems += _twice_named(found.columns)
    ids = [as_text(cell) for cell in sheet.column(people)]
    named = []
    for line, who, cells in zip(sheet.lines, ids, sheet.rows, strict=True):
        named.append(who not in MISSING_WORDS)
        if not named[-1]:
            problems.append(
                f"row {line} has no {people} and '{as_text(next(c for c in cells if c != ''))}'; fill it in"
            )
    parts = []
    for column in found.columns:
        cells = sheet.column(column.name)
        values, told, wrong = _column_values(column, cells, sheet, ids)
        problems += wrong
        notes += told
        own = pd.DataFrame({PARTICIPANT: ids, "value": values, "line": sheet.lines})[np.array(named, bool)]
        problems += _codes(f"column '{column.name}'", own)
        parts.append(own.assign(**column.key, unit=column.unit, n_voxels=0, status=""))
    if sheet.decimal_comma:
        notes.append("its commas are read as decimal points")
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)
    return Given(_stated(rows), problems, notes, tuple(found.unused))


def _column_values(
    column: Column, cells: Sequence[Cell], sheet: Sheet, ids: Sequence[str]
) -> tuple[list[float], list[str], list[str]]:
    """Numbers of a wide table's column, notes, and what is wrong with it, a line for all cells."""
    read = [to_number(cell, decimal_comma=sheet.decimal_comma) for cell in cells]
    faults = [
        (line, who, wrong) for line, who, (_, wrong) in zip(sheet.lines, ids, read, strict=True) if wrong is not None
    ]
    notes, problems = [], [_told(f"column '{column.name}'", faults)] if faults else []
    shares = [isinstance(cell, Percent) for cell, (value, _) in zip(cells, read, strict=True) if math.isfinite(value)]
    if any(shares) and not all(shares):
        problems.append(
            f"column '{column.name}': {sum(shares)} of {len(shares)} numbers are percentages in Excel "
            "(12% is stored as 0.12); give all cells one format and one unit"
        )
    elif shares and all(shares):
        notes.append(f"column '{column.name}' is of percentages in Excel: the stored numbers are used, 0.12 for 12%")
    return [value for value, _ in read], notes, problems


def _stated(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with a reason in status where there is no value; infinity is none."""
    values = rows["value"].astype(float)
    finite, reason = np.isfinite(values), rows["status"].astype(str)
    reason = reason.where(~reason.isin([*MISSING_WORDS, OK]), NO_VALUE).where(~np.isinf(values), "infinite")
    unit = rows["unit"].where(~rows["unit"].isin(list(MISSING_WORDS)), "")
    stated = rows.assign(value=values.where(finite), status=np.where(finite, OK, reason), unit=unit)
    return stated[[name for name in _COLUMNS if name in stated]]


def _told(name: str, faults: Sequence[tuple[int, str, str]]) -> str:
    """Cells of a column that are no numbers, in a line: how many, and the first."""
    line, who, wrong = faults[0]
    more = f" (and {len(faults) - 1} more in it)" if len(faults) > 1 else ""
    return f"{name}, row {line} ({who}): found {wrong}; expected a number or n/a{more}"


def _some(problems: Sequence[str]) -> list[str]:
    more = len(problems) - _SHOWN
    return [*problems[:_SHOWN], *([f"and {more} rows more with problems like these"] if more > 0 else [])]


def _few(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(name[:60] for name in names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _twice_named(columns: Sequence[Column]) -> list[str]:
    """Columns of one table that are one measure."""
    owner: dict[tuple[str, ...], str] = {}
    problems = []
    for column in columns:
        other = owner.setdefault(tuple(column.key.values()), column.name)
        if other != column.name:
            problems.append(
                f"columns '{other}' and '{column.name}' are both {' '.join(column.key.values())}; name one otherwise"
            )
    return problems


def _codes(name: str, own: pd.DataFrame) -> list[str]:
    """Numbers that stand for a missing value."""
    coded = codes_for_missing(own["value"])
    if not coded.any():
        return []
    first = own[coded].iloc[0]
    return [
        f"{name}, row {first['line']} ({first[PARTICIPANT]}): found {first['value']:g}, far from the others, "
        "as codes for a missing value are; write n/a or leave the cell empty"
    ]


# -- people ---------------------------------------------------------------------------------------


def match_people(
    written: Sequence[str], *, known: Sequence[str], studied: Sequence[str]
) -> tuple[dict[str, str], list[str], list[str]]:
    """The study's id of each id that is written, notes, and what is wrong with the ids.

    ``01`` is ``sub-01``; where a program has taken the zeros away, so is 1, if nobody else can be meant.
    """
    taken = set(known)
    bare: dict[str, list[str]] = {}
    for who in known:
        bare.setdefault(who.removeprefix("sub-").lstrip("0"), []).append(who)
    names: dict[str, str] = {}
    padded = []
    for text in dict.fromkeys(written):
        who = text if text.startswith("sub-") else f"sub-{text}"
        label = who.removeprefix("sub-")
        if who not in taken and label.isdecimal() and len(bare.get(label.lstrip("0"), [])) == 1:
            [who] = bare[label.lstrip("0")]
            padded.append(f"{text} as {who}")
        names[text] = who
    strangers = [text for text, who in names.items() if who not in taken and text not in MISSING_WORDS]
    absent = [who for who in studied if who not in names.values()]
    notes = [f"ids without their zeros are read so: {_few(padded)}"] if padded else []
    problems: list[str] = []
    if not studied:  # the participants table has problems of its own
        return names, notes, problems
    if len(absent) == len(studied):
        problems.append(
            f"none of its participants ({_few(strangers)}) is in the participants table ({_few(list(known))}); use the "
            "same ids in both tables"
        )
    elif strangers and absent:
        near = difflib.get_close_matches(f"sub-{strangers[0].removeprefix('sub-')}", absent, n=1, cutoff=0.5)
        problems.append(
            f"{_few(strangers)} is not in the participants table, while {_few(absent)} is not in this table"
            + (f" (is '{strangers[0]}' {near[0]}?)" if near else "")
            + "; correct the ids, or remove the rows of those who are not in the study"
        )
    elif strangers:
        notes.append(f"not in the participants table, left out: {_few(strangers)}")
    if absent and not problems:
        notes.append(f"without: {name_people(absent)}")
    return names, notes, problems


# -- all tables -----------------------------------------------------------------------------------


def repeated(rows: pd.DataFrame) -> list[str]:
    """Values that are there twice, in one table or in two."""
    again = rows[rows.duplicated([PARTICIPANT, SESSION, *KEY], keep=False)]
    problems: list[str] = []
    for (who, label), own in again.groupby([PARTICIPANT, SESSION], sort=False):
        key = tuple(own[KEY].iloc[0])
        same = own[(own[KEY] == key).all(axis=1)]
        places = " and ".join(f"{row.file} row {row.line}" for row in same.itertuples())
        count = len(own.drop_duplicates(KEY))
        more = f" (and {count - 1} more measures)" if count > 1 else ""
        visit = f"{who} {label}".strip()
        advice = (
            "keep one row" if label else "keep one row, or name the table of visits (visits) if they are of several"
        )
        problems.append(f"{visit}: {' '.join(key)} is there twice, {places}{more}; {advice}")
    return _some(problems)


def _mixed_units(rows: pd.DataFrame) -> list[str]:
    """Measures whose values are in more than one unit; the two sides of a region have one."""
    problems = []
    for key, own in rows[rows["value"].notna()].groupby(KEY[:3], sort=False):
        people = own.groupby("unit", sort=False)[PARTICIPANT]
        if people.ngroups > 1:
            named = [(f"'{unit}'" if unit else "no unit", list(dict.fromkeys(ids))) for unit, ids in people]
            listed = ", ".join(f"{unit} in {name_people(ids)}" for unit, ids in named)
            problems.append(f"{' '.join(map(str, key))} is in {listed}; convert the values to one unit")
    return problems


def _doubtful_units(rows: pd.DataFrame) -> list[str]:
    """Measures whose values fall into two heaps so far apart that they look like two units."""
    notes = []
    for key, own in rows.groupby(KEY, sort=False):
        sizes = own.dropna(subset="value").assign(size=lambda table: table["value"].abs()).sort_values("size")
        values = sizes["size"].to_numpy()
        if len(values) < 4 or values[0] <= 0:
            continue
        steps = values[1:] / values[:-1]
        place = int(steps.argmax()) + 1
        spread = max(values[place - 1] / values[0], values[-1] / values[place])
        if 2 <= place <= len(values) - 2 and steps[place - 1] >= _FACTOR > spread:
            above = name_people(sorted(sizes[PARTICIPANT].iloc[place:].unique()))
            notes.append(
                f"{' '.join(map(str, key))}: the values of {above} are over {_FACTOR:g} times those of the others, "
                "as in another unit"
            )
    return notes
