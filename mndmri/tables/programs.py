"""Tables as other programs write them (LCModel, Osprey, Spinal Cord Toolbox), as long tables of measures."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mndmri.io import InputError, read_text
from mndmri.tables.sheets import MISSING_WORDS, Cell, Sheet, as_text, read_sheet

PARTICIPANT = "participant_id"
_LONG = [PARTICIPANT, "modality", "measure", "region", "unit", "value", "status"]
_LABEL = re.compile(r"sub-[A-Za-z0-9]+")
# A line of LCModel's concentration table: concentration, Cramer-Rao bound in %, ratio to creatine, metabolite; the
# last two of a sum may be joined by a plus, and names begin with a minus (-CrCH2) or a digit (2HG) too.
_CONCENTRATION = re.compile(r"^\s*(\d\S*?)\s+(\d+)%\s+([\d.]+(?:E[+-]?\d+)?)\s*\+?(\S*[A-Za-z]\S*)\s*$")
# Units in place of which the config's is taken: LCModel's institutional units, and none.
_NO_UNIT = ("i.u.", "")
_NOT_FITTED = 999  # %: LCModel's bound of a metabolite that it has not found
_SD = "%SD"
# Of Osprey's columns, that no other table is likely to have together.
_OSPREY = {"tNAA", "tCr", "tCho"}
# Columns of the Spinal Cord Toolbox: measure and unit.
_CORD = {
    "MEAN(area)": ("csa", "mm2"),
    "MEAN(diameter_AP)": ("diameter_ap", "mm"),
    "MEAN(diameter_RL)": ("diameter_lr", "mm"),
    "MEAN(eccentricity)": ("eccentricity", "1"),
    "MEAN(solidity)": ("solidity", "1"),
    "SUM(length)": ("length", "mm"),
}
_LEVELS = [*(f"c{n}" for n in range(1, 8)), *(f"t{n}" for n in range(1, 13)), *(f"l{n}" for n in range(1, 6))]


def files_of_entry(entry: Mapping[str, Any]) -> list[str]:
    """Files of one entry of the config's tables: one, or all that its ``*`` finds, in the order of their names."""
    path = Path(entry["file"])
    if "*" not in str(path) or path.is_file():
        return [str(path)]
    root = Path(path.anchor)
    return sorted(map(str, root.glob(str(path.relative_to(root)))))


def read_entry(entry: Mapping[str, Any]) -> tuple[Sheet, dict[str, Any]]:
    """Table of an entry of the config, and the entry as the table is now laid out.

    Parameters
    ----------
    entry : mapping
        As in the config's ``tables``, defaults filled in. A ``file`` with ``*`` is a file for each participant, whose
        label (``sub-01``) is in its path.

    Returns
    -------
    sheet : Sheet
        As `mndmri.tables.sheets.read_sheet` reads it; of a program that is known, a long table.
    entry : dict

    Raises
    ------
    InputError
        If a file cannot be read, or a program's table does not say whose it is.
    """
    paths = files_of_entry(entry)
    if not paths:
        raise InputError(f"{entry['file']}: no file of that name; correct the path, or the pattern")
    parts = {path: _of_program(path, entry) for path in paths}
    unknown = [path for path, part in parts.items() if part is None]
    if unknown and len(paths) > 1:
        raise InputError(
            f"{entry['file']}: {len(unknown)} of {len(paths)} files are no tables of LCModel, Osprey or the Spinal "
            f"Cord Toolbox ({unknown[0]}); correct the pattern, or give the path of one table"
        )
    if unknown:
        return read_sheet(paths[0], sheet=entry["sheet"]), dict(entry)
    rows = [row for part in parts.values() for row in part or []]
    of_unit = _LONG.index("unit")
    for row in rows:  # a ratio of a spectrum stays one
        row[of_unit] = entry["unit"] if entry["unit"] and row[of_unit] in _NO_UNIT else row[of_unit]
    lacking = [name for name in ("modality", "measure", "region") if entry[name]]
    kept = [name for name in _LONG if name not in lacking and (name != "region" or any(row[3] for row in rows))]
    places = [_LONG.index(name) for name in kept]
    sheet = Sheet(kept, [[row[n] for n in places] for row in rows], list(range(2, len(rows) + 2)), [])
    return sheet, {**entry, "participant": PARTICIPANT, "unit": None}


def _of_program(path: str, entry: Mapping[str, Any]) -> list[list[Cell]] | None:
    """Rows of `_LONG` of a table that a known program wrote; None for any other."""
    if entry["wide"]:
        return None
    if Path(path).suffix.lower() in (".table", ".coord"):
        return list(_lcmodel_text(path))
    if Path(path).suffix.lower() not in (".csv", ".tsv", ".txt"):
        return None
    sheet = read_sheet(path)
    names = set(sheet.header)
    if {"Row", "Col"} <= names and any(name.endswith(_SD) for name in names):
        return list(_lcmodel_csv(path, sheet))
    if "Filename" in names and names & _CORD.keys():
        return list(_cord(path, sheet))
    if names >= _OSPREY:
        return list(_osprey(path, sheet, str(entry["participant"])))
    return None


def _label(path: str) -> str:
    """Participant whose a file is, by its path."""
    found = _LABEL.findall(path)
    if not found:
        raise InputError(f"{path}: nothing in its path says whose it is; name the folder or the file by sub-<label>")
    return str(found[-1])


def _metabolite(who: str, name: str, value: Cell, bound: str, ratio: Cell | None) -> Iterator[list[Cell]]:
    """Rows of a metabolite: concentration and, where it is given, ratio to creatine."""
    name = name.removeprefix("-")  # of -CrCH2, which spreadsheets would take for a formula
    gone = bound.isdecimal() and int(bound) >= _NOT_FITTED
    status = f"not found by LCModel (bound of {bound}%)" if gone else ""
    named = [(name, "i.u.", value), *([(f"{name}_to_cr", "1", ratio)] if ratio is not None else [])]
    for measure, unit, number in named:
        yield [who, "mrs", measure, "", unit, "" if gone else number, status]


def _lcmodel_text(path: str) -> Iterator[list[Cell]]:
    """Concentrations in LCModel's one-page or coordinate output."""
    found = [match.groups() for match in map(_CONCENTRATION.match, read_text(path).splitlines()) if match]
    if not found:
        raise InputError(f"{path}: no table of concentrations (Conc., %SD, Metabolite), as LCModel writes it")
    for value, bound, ratio, name in dict.fromkeys(found):
        yield from _metabolite(_label(path), name, value, bound, ratio)


def _lcmodel_csv(path: str, sheet: Sheet) -> Iterator[list[Cell]]:
    """Concentrations in LCModel's table of a spectrum."""
    if len(sheet.rows) != 1:
        raise InputError(f"{path}: {len(sheet.rows)} voxels of an LCModel table; one of a participant is read")
    cells = dict(zip(sheet.header, sheet.rows[0], strict=True))
    for heading, bound in cells.items():
        if heading.endswith(_SD):
            name = heading.removesuffix(_SD).strip()
            if name not in cells:
                raise InputError(f"{path}: has a column '{heading}' and none '{name}'; export the table again")
            ratios = [key for key in cells if key.startswith(f"{name}/")]
            ratio = cells[ratios[0]] if ratios else None
            yield from _metabolite(_label(path), name, cells[name], as_text(bound), ratio)


def _osprey(path: str, sheet: Sheet, participant: str) -> Iterator[list[Cell]]:
    """Metabolites of Osprey's tables, whose rows have no names of their own."""
    if participant not in sheet.header:
        raise InputError(
            f"{path}: looks like a table of Osprey, whose rows do not say whose they are; add a column "
            f"'{participant}' with the ids in the order of the job file"
        )
    for who, row in zip(sheet.column(participant), sheet.rows, strict=True):
        for name, cell in zip(sheet.header, row, strict=True):
            if name != participant:
                yield [who, "mrs", name, "", "", cell, ""]


def _cord(path: str, sheet: Sheet) -> Iterator[list[Cell]]:
    """Shape of the cord by vertebral level, from the Spinal Cord Toolbox."""
    for cells in (dict(zip(sheet.header, row, strict=True)) for row in sheet.rows):
        who, region = _label(as_text(cells["Filename"])), _cord_region(path, cells)
        for name, (measure, unit) in _CORD.items():
            if name in cells:
                yield [who, "cord", measure, region, unit, cells[name], ""]


def _cord_region(path: str, cells: Mapping[str, Cell]) -> str:
    """Name of a level or of levels (``2:3`` are C2 and C3), or of a distance from the pontomedullary junction."""
    level = as_text(cells.get("VertLevel", ""))
    if level not in MISSING_WORDS:
        ends = [int(n) for n in re.findall(r"\d+", level)]
        if not ends or not all(1 <= n <= len(_LEVELS) for n in ends):
            raise InputError(f"{path}: VertLevel '{level}' is no vertebral level; 1 is C1 and 8 is T1")
        return "cord_" + "".join(dict.fromkeys(_LEVELS[n - 1] for n in (ends[0], ends[-1])))
    distance = as_text(cells.get("DistancePMJ", ""))
    return f"cord_pmj{distance}mm" if distance not in MISSING_WORDS else "cord"


def mapping_of(columns: Mapping[str, Mapping[str, str]], fields: Sequence[str]) -> Sheet:
    """Mapping of a wide table's columns, as `mndmri.tables.columns.columns_by_mapping` reads it from a file."""
    rows: list[list[Cell]] = [[name, *(own.get(field) or "" for field in fields)] for name, own in columns.items()]
    return Sheet(["column", *fields], rows, list(range(1, len(rows) + 1)), [])
