"""From the names of a wide table's columns to measures: by a pattern, or by a table that lists them."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mndmri.tables.measures import KEY
from mndmri.tables.sheets import MISSING_WORDS, Cell, Fault, Sheet, as_text

HEMIS = ("L", "R", "both")
FIELDS = (*KEY, "unit")
SESSION = "session"
# Words for a side, as they stand in tables and in names of columns
_SIDES = {"l": "L", "left": "L", "lh": "L", "r": "R", "right": "R", "rh": "R", "both": "both", "bilateral": "both"}
_FIELD = re.compile(r"\{([^{}]*)\}")
# What spreadsheets take for a formula at the beginning, parts of paths, and what figures and rules take for their own
_REFUSED = re.compile(r"^[=+@-]|[/\\${}\x00-\x1f]")
_LIKENESS = 0.6


class Column(NamedTuple):
    """A column of measures: which measure it is, and its unit, empty where that is unknown."""

    name: str
    key: dict[str, str]
    unit: str


class Found(NamedTuple):
    """Columns of measures, those that are none, and what is wrong."""

    columns: list[Column]
    unused: list[str]
    problems: list[str]


def tidy(what: str, text: str) -> str:
    """One of `FIELDS` of a measure, or its session, however a table or a key writes it.

    Words for a side are L, R or both, whatever their capitals; blanks inside the name of a modality, measure or region
    are underscores; a session begins with ``ses-``.
    """
    if what == SESSION:
        return f"ses-{text.strip().removeprefix('ses-')}"
    if what == "hemi":
        return _SIDES.get(text.casefold(), text)
    return text.strip() if what == "unit" else "_".join(text.split())


def bare_session(label: str) -> str:
    """Session without ``ses-`` and the zeros that a program takes away from a number."""
    bare = label.removeprefix("ses-")
    return bare.lstrip("0") if bare.isdecimal() else bare


def session_column(header: Sequence[str]) -> str | None:
    """Column of the sessions, if a table has one."""
    return next((name for name in (SESSION, f"{SESSION}_id") if name in header), None)


def plain_text(cell: Cell) -> str:
    """Cell as somebody would type it, where a date is welcome: what a workbook took for one is that date."""
    return (isinstance(cell, Fault) and cell.plain) or as_text(cell)


def check_name(what: str, name: str) -> str | None:
    """Why a name cannot be that of a modality, measure or region, if it cannot."""
    if not _REFUSED.search(name):
        return None
    return (
        f"the {what} '{name[:60]}' begins like a formula (= + - @) or has one of / \\ $ {{ }} in it; write another name"
    )


def columns_by_pattern(header: Sequence[str], pattern: str, fixed: Mapping[str, str | None]) -> Found:
    """Columns whose names follow a pattern, as ``{measure}_{region}_{hemi} [{unit}]``.

    Parameters
    ----------
    header : sequence of str
    pattern : str
        What stands in braces is modality, measure, region, hemi (L, R, left, right, lh, rh, both) or unit; all else
        is literal. Blanks inside a name become underscores (`tidy`).
    fixed : mapping
        What holds for all columns: those of `FIELDS` that the pattern does not have. A side that is neither in the
        pattern nor here is ``both``, a unit is unknown.

    Returns
    -------
    Found
        A column that can be read in two ways is a problem.
    """
    tokens = _FIELD.split(pattern)  # literal, field, literal, ..., literal
    fields = tokens[1::2]
    problems = [
        f"the pattern '{pattern}' has {{{name}}}; there are {_braced(FIELDS)}" for name in fields if name not in FIELDS
    ]
    problems += [
        f"the pattern '{pattern}' has {{{name}}} twice" for name in dict.fromkeys(fields) if fields.count(name) > 1
    ]
    if any(not literal for literal in tokens[2:-1:2]):
        problems.append(f"the pattern '{pattern}' has two names with nothing between them; write what parts them")
    if not fields:
        problems.append(
            f"the pattern '{pattern}' names nothing; write {_braced(('measure', 'region', 'hemi'))} where they stand"
        )
    problems += [
        f"{name} is in the pattern '{pattern}' and a key beside it; remove one" for name in fields if fixed.get(name)
    ]
    problems += _lacking({*fields, *(name for name in FIELDS if fixed.get(name))}, "the pattern")
    if problems:
        return Found([], [], problems)
    columns, unused = [], []
    for name in header:
        readings = [dict(parts) for parts in dict.fromkeys(map(_items, _readings(name, tokens)))]
        if not readings:
            unused.append(name)
        elif len(readings) > 1:
            first, second = (", ".join(f"{k} '{v}'" for k, v in r.items()) for r in readings[:2])
            problems.append(
                f"column '{name}' can be read as {first} or as {second}; write what is the same in the pattern and as "
                "a key (measure: thickness), or list the columns in a mapping"
            )
        else:
            columns.append(_column(name, readings[0], fixed))
    return Found(columns, unused, problems + _bad_names(columns))


def columns_by_mapping(header: Sequence[str], mapping: Sheet, fixed: Mapping[str, str | None]) -> Found:
    """Columns that a table lists, a row each: ``column``, and those of `FIELDS` in which they differ.

    Parameters
    ----------
    header : sequence of str
    mapping : Sheet
        A cell that is empty takes what is ``fixed``.
    fixed : mapping
        As in `columns_by_pattern`.
    """
    known = [name for name in FIELDS if name in mapping.header]
    if "column" not in mapping.header:
        has = ", ".join(mapping.header)
        return Found([], [], [f"the mapping has no column 'column', the names of the table's columns; it has {has}"])
    problems = _lacking({*known, *(name for name in FIELDS if fixed.get(name))}, "the mapping")
    if problems:
        return Found([], [], problems)
    columns: list[Column] = []
    for line, row in zip(mapping.lines, mapping.rows, strict=True):
        cells = {name: as_text(cell) for name, cell in zip(mapping.header, row, strict=True)}
        name, own = cells["column"], {field: cells[field] for field in known if cells[field] not in MISSING_WORDS}
        if name not in header:
            near = difflib.get_close_matches(name, header, n=1, cutoff=_LIKENESS)
            hint = f"did you mean '{near[0]}'?" if near else "remove the row"
            problems.append(f"the mapping, row {line}: the table has no column '{name}'; {hint}")
            continue
        lacking = [field for field in KEY[:3] if not (own.get(field) or fixed.get(field))]
        if lacking:
            problems.append(f"the mapping, row {line}: column '{name}' has no {' and no '.join(lacking)}; fill it in")
            continue
        columns.append(_column(name, own, fixed))
    twice = [column.name for column in columns if [c.name for c in columns].count(column.name) > 1]
    problems += [f"the mapping has the column '{name}' twice; keep one row" for name in dict.fromkeys(twice)]
    listed = {column.name for column in columns}
    return Found(columns, [name for name in header if name not in listed], problems + _bad_names(columns))


def _braced(names: Sequence[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def _lacking(given: set[str], where: str) -> list[str]:
    return [
        f"no {name}: neither {where} nor a key beside it names it; write for instance {name}: ..."
        for name in KEY[:3]
        if name not in given
    ]


def _items(parts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(parts.items())


def _readings(text: str, tokens: Sequence[str]) -> Iterator[dict[str, str]]:
    """Every way in which a name follows a pattern; tokens are literal, field, literal and so on."""
    if not text.startswith(tokens[0]):
        return
    rest = text[len(tokens[0]) :]
    if len(tokens) == 1:
        if not rest:
            yield {}
        return
    field, literal = tokens[1], tokens[2]
    last = len(tokens) == 3
    ends = [len(rest) - len(literal)] if last else [n for n in range(1, len(rest)) if rest.startswith(literal, n)]
    for end in ends:
        part = tidy(field, rest[:end]) if end > 0 else ""
        if part and (field != "hemi" or part in HEMIS):
            yield from ({field: part, **others} for others in _readings(rest[end:], tokens[2:]))


def _column(name: str, own: Mapping[str, str], fixed: Mapping[str, str | None]) -> Column:
    parts = {field: tidy(field, own.get(field) or fixed.get(field) or "") for field in FIELDS}
    unit = parts.pop("unit")
    return Column(name, parts | {"hemi": parts["hemi"] or "both"}, unit)


def _bad_names(columns: Sequence[Column]) -> list[str]:
    problems = []
    for column in columns:
        told = [check_name(what, column.key[what]) for what in KEY[:3]]
        problems += [f"column '{column.name[:60]}': {text}" for text in told if text]
        if column.key["hemi"] not in HEMIS:
            problems.append(f"column '{column.name[:60]}' has hemi '{column.key['hemi']}', expected {', '.join(HEMIS)}")
    return problems
