"""Tables as other programs save them: text with tabs, commas or semicolons, and Excel workbooks."""

import csv
import datetime
import io
import math
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mndmri.io import InputError, read_bytes

TEXT, WORKBOOK = (".tsv", ".csv", ".txt"), (".xlsx", ".xlsm")
# Words for a missing value: empty, BIDS's, R's, pandas', Excel's and SAS's
MISSING_WORDS = frozenset({"", "n/a", "N/A", "NA", "NaN", "nan", "#N/A", "."})
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)
_LARGEST = 2**30  # bytes of an unpacked workbook; one of 3,000 people and 2,000 measures takes 0.3 of it
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # first line with which Excel is told


class Fault(str):
    """Cell that holds no number and no text, in the words in which it is told."""

    plain: str = ""
    """What the cell says where text is wanted; empty if nothing."""


class Percent(float):
    """Number that Excel shows as a percentage: 12% is stored as 0.12."""


Cell = str | float | Fault


class Sheet(NamedTuple):
    """A table's cells: text without blanks around it, or a number; a missing cell is the empty text."""

    header: list[str]
    rows: list[list[Cell]]  # each as long as the header
    lines: list[int]  # of each row, in the file
    notes: list[str]
    decimal_comma: bool = False

    def column(self, name: str) -> list[Cell]:
        """Cells of a column, by the name in the header."""
        place = self.header.index(name)
        return [row[place] for row in self.rows]


def read_sheet(path: str | Path, *, sheet: str | None = None) -> Sheet:
    """Cells of a table, as they are.

    Parameters
    ----------
    path : path
        ``.tsv``, ``.csv``, ``.txt`` (UTF-8, or UTF-16 with a mark; tabs, commas or semicolons) or ``.xlsx``. The
        header is the first line that is not empty; empty lines, and columns without a name and without a
        value, are left out.
    sheet : str, optional
        Name of a workbook's sheet; without it, the only one that is not empty and not hidden.

    Returns
    -------
    Sheet
        Numbers of a workbook in full precision. Commas are decimal in a table of semicolons, as Excel
        writes it where the comma is decimal.

    Raises
    ------
    InputError
        If the file cannot be read, or is not one table with one header line.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in (*TEXT, *WORKBOOK):
        raise InputError(f"{path}: a table ends in {', '.join((*TEXT, *WORKBOOK))}; save it as one of them")
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of a table") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a table") from None
    if ending in WORKBOOK:
        return _complete(path, *_of_workbook(path, data, sheet))
    if sheet is not None:
        raise InputError(f"{path}: a text file has no sheet '{sheet}'; remove the key sheet")
    lines, separator = _of_text(path, data)
    found = _complete(path, lines, [])
    return found._replace(decimal_comma=separator == ";" and _commas_are_decimal(path, found))


def to_number(cell: Cell, *, decimal_comma: bool = False) -> tuple[float, str | None]:
    """Value of a cell, NaN where it is missing, and what is wrong with it: None where nothing is.

    Infinity is a value, if it is written so; a number too large for the computer is not.
    """
    if isinstance(cell, Fault):
        return math.nan, str(cell)
    if isinstance(cell, float):
        return (cell, None) if math.isfinite(cell) else (math.nan, "a number too large for a computer")
    if cell in MISSING_WORDS:
        return math.nan, None
    if _INFINITE.fullmatch(cell):
        return float(cell), None
    text = cell.replace(",", ".") if decimal_comma and _COMMA_NUMBER.fullmatch(cell) else cell
    if not _NUMBER.fullmatch(text):
        return math.nan, f"'{cell}'{_advice(cell)}"
    value = float(text)
    return (value, None) if math.isfinite(value) else (math.nan, f"'{cell}', too large for a computer")


def as_text(cell: Cell) -> str:
    """Cell as somebody would type it: the whole number 1.0 is ``1``."""
    if isinstance(cell, float):
        return str(int(cell)) if math.isfinite(cell) and cell.is_integer() else str(cell)
    return str(cell)


def _advice(cell: str) -> str:
    """What is peculiar about a cell that is nearly a number."""
    if _COMMA_NUMBER.fullmatch(cell):
        return " with a comma; write the decimal point"
    if cell.endswith("%"):
        return "; write the number alone, and % as its unit"
    if cell[:1] in "<>≤≥":
        return ", a limit and not a value; write the value measured, or n/a"
    return ""


# -- text -----------------------------------------------------------------------------------------


def _of_text(path: Path, data: bytes) -> tuple[list[tuple[int, list[Any]]], str]:
    """Numbered rows of a text file, and what separates its cells."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text in UTF-8 ({error}); save it as 'CSV UTF-8'") from None
    if "\x00" in text:
        raise InputError(f"{path}: not a text file, it holds zero bytes; save it again as CSV or TSV")
    lines = re.split(r"\r\n|\r|\n", text)
    skipped, separator = 0, ""
    if told := _SEPARATOR_LINE.fullmatch(lines[0]):
        skipped, separator = 1, told[1]
    first = next((line for line in lines[skipped:] if line.strip()), "")
    if not separator:
        separator = "\t" if "\t" in first else max(",;", key=first.count)
    reader = csv.reader(io.StringIO("\n".join(lines[skipped:])), delimiter=separator, strict=True)
    rows: list[tuple[int, list[Any]]] = []
    try:
        rows += ((reader.line_num + skipped, row) for row in reader)
    except csv.Error as error:
        raise InputError(
            f"{path}: row {reader.line_num + skipped} cannot be taken apart ({error}); a quotation mark that is opened "
            "must be closed"
        ) from None
    return rows, separator


def _commas_are_decimal(path: Path, table: Sheet) -> bool:
    """Whether the commas in the numbers of a table of semicolons are decimal.

    Raises
    ------
    InputError
        If they could be thousands, or both marks stand in numbers.
    """
    cells = [cell for row in table.rows for cell in row if isinstance(cell, str)]
    commas = [cell for cell in cells if _COMMA_NUMBER.fullmatch(cell)]
    points = [cell for cell in cells if "." in cell and _NUMBER.fullmatch(cell)]
    if commas and points:
        raise InputError(
            f"{path}: has numbers with a decimal comma ('{commas[0]}') and with a point ('{points[0]}'); write all "
            "with a point"
        )
    if commas and all(_THOUSANDS.fullmatch(cell) for cell in commas):
        raise InputError(
            f"{path}: the comma in '{commas[0]}' could be decimal or of thousands; write numbers with a decimal point"
        )
    return bool(commas)


# -- workbooks ------------------------------------------------------------------------------------


def _of_workbook(path: Path, data: bytes, name: str | None) -> tuple[list[tuple[int, list[Any]]], list[str]]:
    """Numbered rows of a sheet of a workbook, and notes."""
    import openpyxl  # takes 0.4 s, and most studies have no workbook

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > _LARGEST:
            raise InputError(f"{path}: unpacks to {size / 2**30:.0f} GiB, too much for a table; save it as CSV")
        values, formulas = (openpyxl.load_workbook(io.BytesIO(data), data_only=only) for only in (True, False))
    except InputError:
        raise
    except Exception as error:  # a damaged workbook fails in many ways
        raise InputError(
            f"{path}: cannot be read as an Excel workbook ({error}); if it has a password, save it without, otherwise "
            "save it again as .xlsx"
        ) from None
    sheet = _choose_sheet(path, values.worksheets, name)
    if sheet.merged_cells.ranges:
        merged = ", ".join(sorted(str(cells) for cells in sheet.merged_cells.ranges)[:5])
        raise InputError(
            f"{path}: sheet '{sheet.title}' has merged cells ({merged}); unmerge them, write the name of each column "
            "in one header row and each value in its own cell"
        )
    notes = []
    hidden = [number for number, row in sheet.row_dimensions.items() if row.hidden]
    if hidden:
        notes.append(f"{len(hidden)} hidden rows of sheet '{sheet.title}' are read as the others are")
    origins = formulas[sheet.title]
    return [
        (number, [_cell(cell, origins.cell(number, place).value) for place, cell in enumerate(row, 1)])
        for number, row in enumerate(sheet.iter_rows(), 1)
    ], notes


def _choose_sheet(path: Path, sheets: Sequence[Any], name: str | None) -> Any:
    titles = ", ".join(f"'{sheet.title}'" for sheet in sheets)
    if name is not None:
        chosen = [sheet for sheet in sheets if sheet.title.strip() == name.strip()]
        if not chosen:
            raise InputError(f"{path}: has no sheet '{name}'; it has {titles}")
        return chosen[0]
    filled = [
        sheet
        for sheet in sheets
        if sheet.sheet_state == "visible"
        and any(v is not None for row in sheet.iter_rows(values_only=True) for v in row)
    ]
    if len(filled) != 1:
        raise InputError(
            f"{path}: has {len(filled)} sheets with something in them ({titles}); name the one to read in the key sheet"
        )
    return filled[0]


def _cell(cell: Any, origin: Any) -> Cell:
    """Value of a workbook's cell; ``origin`` is its formula, where it has one."""
    value = cell.value
    if value is None:
        origin = getattr(origin, "text", origin)  # of an array formula
        if isinstance(origin, str) and origin.startswith("="):
            return Fault(
                f"the formula {origin[:40]} without a stored result; open the workbook in Excel and save it, or paste "
                "the values"
            )
        return ""
    if isinstance(value, bool):
        return _readable(Fault(f"the logical value {str(value).upper()}"), str(value).upper())
    if isinstance(value, datetime.datetime | datetime.date | datetime.time | datetime.timedelta):
        told = f"a date or time ({value}), into which Excel turns what looks like one; type the number again"
        return _readable(Fault(told), str(value).removesuffix(" 00:00:00"))
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        return Percent(number) if "%" in str(cell.number_format) else number
    if cell.data_type == "e" and value != "#N/A":
        return Fault(f"Excel's error {value}")
    return str(value)


def _readable(fault: Fault, plain: str) -> Fault:
    """A fault that would be text, had somebody typed it."""
    fault.plain = plain
    return fault


# -- both -----------------------------------------------------------------------------------------


def _complete(path: Path, numbered: Sequence[tuple[int, list[Any]]], notes: list[str]) -> Sheet:
    """Rows below their header, checked."""
    plain = [(number, [cell.strip() if type(cell) is str else cell for cell in row]) for number, row in numbered]
    plain = [(number, row) for number, row in plain if any(cell != "" for cell in row)]
    if len(plain) < 2:
        raise InputError(f"{path}: has {'no rows below its header' if plain else 'nothing in it'}; expected a table")
    header = [as_text(cell) for cell in plain[0][1]]
    rows = [row for _, row in plain[1:]]
    width = max(len(header), *map(len, rows))
    header += [""] * (width - len(header))
    rows = [[*row, *[""] * (width - len(row))] for row in rows]
    kept = []
    for place, name in enumerate(header):
        filled = next((n for n, row in enumerate(rows) if row[place] != ""), None)
        if not name and filled is not None:
            raise InputError(
                f"{path}: column {place + 1} has no name and, in row {plain[filled + 1][0]}, "
                f"'{as_text(rows[filled][place])}'; the first row must name every column, and each row have as many "
                "cells"
            )
        if name:
            kept.append(place)
    names = [header[place] for place in kept]
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise InputError(f"{path}: has {names.count(twice[0])} columns '{twice[0]}'; keep one, or rename the others")
    return Sheet(names, [[row[place] for place in kept] for row in rows], [number for number, _ in plain[1:]], notes)
