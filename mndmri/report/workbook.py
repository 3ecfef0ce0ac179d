"""The study's tables as one spreadsheet."""

import datetime
import io
import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.writer.excel import ExcelWriter

from mndmri import __version__
from mndmri.io import InputError
from mndmri.tables.dictionaries import TITLE, column_names

CONTENTS, COLUMNS = "Contents", "Columns"

# Excel's limits (Microsoft, "Excel specifications and limits")
MAX_COLUMNS, MAX_CHARACTERS = 16_384, 32_767
# A longer table has no sheet: Excel's own limit is five times as many rows, which take minutes to write and to open.
MAX_ROWS = 200_000
MAX_SHEET_NAME = 31
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f\ud800-\udfff\ufffe\uffff]")
# no XML file may hold these
_NOT_IN_CELLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Text that begins so would be taken for a formula or an error value
_LIKE_A_FORMULA = ("=", "+", "-", "@", "#")

_MIN_WIDTH, _MAX_WIDTH = 8, 60  # characters
_ROWS_THAT_SET_THE_WIDTH = 200
_DATE = datetime.datetime(1980, 1, 1)  # the first that a zip archive can tell
_NOTES = (
    "An empty cell is a missing value; columns note and status give the reason.",
    "The same tables are in the results as tab-separated text, with n/a for a missing value.",
)


class _Undated(zipfile.ZipFile):
    """Archive without the time of its making, so that the same tables are the same bytes."""

    def open(self, name: Any, mode: Any = "r", *args: Any, **options: Any) -> Any:
        if isinstance(name, zipfile.ZipInfo):
            name.date_time = _DATE.timetuple()[:6]
            name.external_attr = 0o600 << 16
        return super().open(name, mode, *args, **options)

    def writestr(self, zinfo_or_arcname: Any, data: Any, *args: Any, **options: Any) -> None:
        if zinfo_or_arcname == "docProps/core.xml":  # openpyxl enters the present time as it saves
            data = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + f"{_DATE:%FT%TZ}".encode(), data)
        super().writestr(zinfo_or_arcname, data, *args, **options)


def make_workbook(
    tables: Mapping[str, pd.DataFrame],
    dictionaries: Mapping[str, Mapping[str, Any]],
) -> bytes:
    """Spreadsheet (xlsx) with a sheet for each table, after their contents and the meaning of their columns.

    Parameters
    ----------
    tables : mapping
        Name to table; the name is the sheet's, shortened and cleaned where Excel forbids it.
    dictionaries : mapping
        Name of a table to its BIDS data dictionary with title
        (`mndmri.tables.dictionaries.dictionary`); a table may have none.

    Returns
    -------
    bytes
        The same for the same tables. A table of over 200,000 rows has no sheet, and a line among the contents that
        says so. Numbers are numbers; what is missing or infinite is an
        empty cell; text stays text, also where it looks like a formula.

    Raises
    ------
    InputError
        If a table has more columns than a sheet can have.
    """
    for name, table in tables.items():
        if table.shape[1] > MAX_COLUMNS:
            raise InputError(
                f"the table '{name}' has {table.shape[1]} columns; a sheet holds {MAX_COLUMNS}: leave it out of the "
                "spreadsheet and use the text file"
            )
    titles = {name: dictionaries.get(name, {}).get(TITLE) for name in tables}
    too_long = {name: table for name, table in tables.items() if len(table) > MAX_ROWS}
    tables = {name: table for name, table in tables.items() if name not in too_long}
    sheets = sheet_names(tables)
    listing: list[tuple[str | None, Any, int]] = [
        (sheets[name], titles[name], len(table)) for name, table in tables.items()
    ]
    for name, table in too_long.items():
        listing.append((None, f"{titles[name] or name}: too long for a sheet, read the text file", len(table)))
    contents = pd.DataFrame(listing, columns=["sheet", "content", "rows"])
    meanings = [
        {"sheet": sheets[name], **entry}
        for name, table in tables.items()
        for entry in _meanings(table, dictionaries.get(name, {}))
    ]
    columns = pd.DataFrame(meanings, columns=["sheet", "column", "description", "unit", "source"], dtype=object)

    workbook = Workbook(write_only=True)
    workbook.properties.creator = f"mndmri {__version__}"
    workbook.properties.created = _DATE
    _write_sheet(workbook, CONTENTS, contents, notes=_NOTES)
    _write_sheet(workbook, COLUMNS, columns)
    for name, table in tables.items():
        _write_sheet(workbook, sheets[name], table)
    stream = io.BytesIO()
    ExcelWriter(workbook, _Undated(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6)).save()
    return stream.getvalue()


def sheet_names(names: Iterable[str]) -> dict[str, str]:
    """Name of each table's sheet: at most 31 characters, none that Excel forbids, no two alike."""
    # Excel keeps History for itself, and does not tell upper from lower case
    taken = {CONTENTS.lower(), COLUMNS.lower(), "history"}
    sheets = {}
    for name in names:
        clean = _NOT_IN_SHEET_NAMES.sub("_", name).strip("' ") or "table"
        sheet, number = clean[:MAX_SHEET_NAME], 1
        while sheet.lower() in taken:
            number += 1
            ending = f"_{number}"
            sheet = clean[: MAX_SHEET_NAME - len(ending)] + ending
        taken.add(sheet.lower())
        sheets[name] = sheet
    return sheets


def _meanings(table: pd.DataFrame, dictionary: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the columns of a table mean, then whatever else its dictionary explains."""
    others = {name: dictionary[name] for name in column_names(dictionary) if name not in table.columns}
    entries = {str(name): dictionary.get(name, {}) for name in table.columns}
    for name, entry in others.items():
        entries |= {name: entry} if "Description" in entry else entry
    for name, entry in entries.items():
        known = {"description": "Description", "unit": "Units", "source": "Source"}
        yield {"column": name} | {column: entry.get(key) for column, key in known.items()}


def _write_sheet(workbook: Workbook, name: str, table: pd.DataFrame, *, notes: Iterable[str] = ()) -> None:
    """Add a sheet: a bold header that stays in view, filters, and the rows."""
    sheet = workbook.create_sheet(name)
    header = [_text(str(column)) for column in table.columns]
    columns = [_values(table.iloc[:, n]) for n in range(len(header))]
    for n, (title, values) in enumerate(zip(header, columns, strict=True), start=1):
        sheet.column_dimensions[get_column_letter(n)].width = _width(title, values)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(len(header), 1))}{len(table) + 1}"
    sheet.append([_cell(sheet, title, bold=True) for title in header])
    for row in zip(*columns, strict=True):
        sheet.append([_cell(sheet, v) if isinstance(v, str) and v.startswith(_LIKE_A_FORMULA) else v for v in row])
    for note in ["", *notes] if notes else []:
        sheet.append([note])


def _cell(sheet: Any, text: str, *, bold: bool = False) -> WriteOnlyCell:
    """Cell of text that is never read as anything else."""
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    cell.quotePrefix = text.startswith(_LIKE_A_FORMULA)  # else editing the cell would make a formula of it
    if bold:
        cell.font = Font(bold=True)
    return cell


def _values(column: pd.Series) -> list[Any]:
    return [_value(value) for value in column.astype(object)]


def _value(value: Any) -> Any:
    """Value as a sheet takes it: a finite number, text, or None."""
    if isinstance(value, str):
        return _text(value)
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return _text(str(value))


def _text(text: str) -> str:
    """Text without what a file cannot hold; an ellipsis says where more did not fit."""
    text = _NOT_IN_CELLS.sub("", text)
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _width(title: str, values: list[Any]) -> float:
    longest = max((len(str(v)) for v in values[:_ROWS_THAT_SET_THE_WIDTH] if v is not None), default=0)
    # 3 more for the arrow of the filter
    return float(min(max(longest + 1, len(title) + 3, _MIN_WIDTH), _MAX_WIDTH))
