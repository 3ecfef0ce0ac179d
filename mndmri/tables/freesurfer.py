"""A user's own volumes and thickness, from the tables that FreeSurfer or FastSurfer wrote, in place of ours."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from mndmri.io import InputError
from mndmri.tables.measures import KEY, MEASURE_COLUMNS, row

# Our name of a gyrus, and its structures in the Desikan-Killiany parcellation (Desikan et al. 2006, NeuroImage
# 31:968). The supplementary motor area has no structure of its own, and stays ours.
STRUCTURES = {
    "precentral": ("precentral",),
    "paracentral": ("paracentral",),
    "postcentral": ("postcentral",),
    "superior_frontal": ("superiorfrontal",),
    "middle_frontal": ("caudalmiddlefrontal", "rostralmiddlefrontal"),
}
THICKNESS_REGIONS = ("precentral", "postcentral")
_HEMI = {"lh": "L", "rh": "R"}
_SIDE_IN_NAME = re.compile(r"(?:^|[_.])([lr])h[_.]|hemi-([lr])", re.IGNORECASE)
_COLUMNS = {"StructName": "structure", "NumVert": "n_vertices", "GrayVol": "volume_mm3", "ThickAvg": "thickness_mm"}
_ETIV = "EstimatedTotalIntraCranialVol"
# Beyond these a number is in another unit, or no gyrus's.
_THICKNESS_MM = (0.5, 6.0)
_ETIV_MM3 = (0.5e6, 3e6)
# We have no voxels of theirs: this marks the rows that are the user's own.
NO_VOXELS = 0


def read_aparc_stats(text: str) -> pd.DataFrame:
    """Table of one hemisphere's cortical structures.

    Parameters
    ----------
    text : str
        Contents of ``lh.aparc.stats`` or ``rh.aparc.stats`` (also of FastSurfer's ``aparc.DKTatlas.mapped``).

    Returns
    -------
    DataFrame
        ``hemi`` (L or R, as the file's header has it), ``structure``, ``n_vertices``, ``volume_mm3`` and
        ``thickness_mm``.

    Raises
    ------
    InputError
        If it is no such table, does not name its hemisphere, or lacks a structure of `STRUCTURES`.
    """
    header, lines = _parse(text)
    columns = header.get("ColHeaders", "").split()
    lacking = [name for name in _COLUMNS if name not in columns]
    if lacking:
        raise InputError(
            f"no column {', '.join(lacking)}; expected lh.aparc.stats or rh.aparc.stats of FreeSurfer or FastSurfer"
        )
    if header.get("hemi") not in _HEMI:
        raise InputError("its header has neither '# hemi lh' nor '# hemi rh'; use the file as written by FreeSurfer")
    wrong = [line[0] for line in lines if len(line) != len(columns)]
    if wrong:
        raise InputError(f"the line of {wrong[0]} has not {len(columns)} cells; the file is damaged, copy it again")
    cells = pd.DataFrame(lines, columns=columns)[list(_COLUMNS)].rename(columns=_COLUMNS)
    numbers = cells[["n_vertices", "volume_mm3", "thickness_mm"]].apply(pd.to_numeric, errors="coerce")
    table = cells[["structure"]].join(numbers)
    needed = [name for names in STRUCTURES.values() for name in names]
    absent = [name for name in needed if (table["structure"] == name).sum() != 1]
    if absent:
        raise InputError(
            f"no structure {', '.join(absent)}; expected the Desikan-Killiany parcellation (aparc, not aparc.a2009s)"
        )
    own = table[table["structure"].isin(needed)]
    low, high = _THICKNESS_MM
    bad = own[~((own["volume_mm3"] > 0) & own["thickness_mm"].between(low, high))]
    if len(bad):
        first = bad.iloc[0]
        raise InputError(
            f"{first['structure']} has {first['volume_mm3']:g} mm3 and {first['thickness_mm']:g} mm; "
            f"expected a volume above 0 and a thickness of {low:g} to {high:g} mm"
        )
    table.insert(0, "hemi", _HEMI[header["hemi"]])
    return table


def read_intracranial_volume(text: str) -> float:
    """Estimated total intracranial volume in ``aseg.stats``, mm3 (Buckner et al. 2004, NeuroImage 23:724).

    Raises
    ------
    InputError
        If it is not there or cannot be one.
    """
    for line in text.splitlines():
        if not line.startswith("# Measure "):
            continue
        cells = [cell.strip() for cell in line.removeprefix("# Measure ").split(",")]
        if cells[0] == _ETIV and len(cells) >= 4:
            value = pd.to_numeric(cells[3], errors="coerce")
            if not _ETIV_MM3[0] <= value <= _ETIV_MM3[1]:
                raise InputError(f"{_ETIV} is {cells[3]}; expected {_ETIV_MM3[0]:g} to {_ETIV_MM3[1]:g} mm3")
            return float(value)
    raise InputError(f"no {_ETIV} in it; expected aseg.stats of FreeSurfer or FastSurfer")


def surface_measures(files: Mapping[str, str]) -> pd.DataFrame:
    """Rows of the measures table, from a participant's stats files.

    Parameters
    ----------
    files : mapping
        Name of each file to its contents: those of both hemispheres, in any order, and ``aseg.stats`` if head size
        is to be theirs too (a name that holds ``aseg``).

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`: volume (ml) of the gyri in `STRUCTURES`, thickness (mm) of the precentral and
        postcentral, and ``tiv`` if there is an aseg. ``n_voxels`` is 0: a surface has none.

    Raises
    ------
    InputError
        Naming the file: if it cannot be used, if a side is missing or there twice, if name and contents disagree on
        the side, or if the files are of two people.
    """
    aseg = {name: text for name, text in files.items() if "aseg" in name}
    sides: dict[str, tuple[str, pd.DataFrame]] = {}
    for name, text in files.items():
        if name in aseg:
            continue
        table = _naming(name, read_aparc_stats, text)
        hemi = str(table["hemi"].iloc[0])
        claimed = _side_in_name(name)
        if claimed and claimed != hemi:
            raise InputError(
                f"{name}: its name is of {claimed}, its header of {hemi}; find out which is correct and rename it"
            )
        if hemi in sides:
            raise InputError(
                f"{sides[hemi][0]} and {name} are both of the {'left' if hemi == 'L' else 'right'} hemisphere; "
                "give one of each side"
            )
        sides[hemi] = name, table
    if set(sides) != {"L", "R"} or len(aseg) > 1:
        listed = ", ".join(files) or "none"
        raise InputError(
            f"stats files found: {listed}; expected lh.aparc.stats, rh.aparc.stats and at most one aseg.stats: "
            "correct t1w.surface_stats_pattern"
        )
    people = {name: _parse(text)[0].get("subjectname", "") for name, text in files.items()}
    if len(set(people.values()) - {""}) > 1:
        # the names that a surface program was given may be those of people
        raise InputError(
            f"the stats files {', '.join(files)} are of {len(set(people.values()))} different subjects by their "
            "headers; put each person's in their own folder"
        )
    rows = []
    for hemi in "LR":
        own = sides[hemi][1].set_index("structure")
        for region, names in STRUCTURES.items():
            ml = float(own.loc[list(names), "volume_mm3"].sum()) / 1000.0
            rows.append(row("t1w", "volume", region, hemi, ml, unit="ml", n_voxels=NO_VOXELS))
        for region in THICKNESS_REGIONS:
            mm = float(own.at[STRUCTURES[region][0], "thickness_mm"])
            rows.append(row("t1w", "thickness", region, hemi, mm, unit="mm", n_voxels=NO_VOXELS))
    for name, text in aseg.items():
        ml = _naming(name, read_intracranial_volume, text) / 1000.0
        rows.append(row("t1w", "volume", "tiv", "both", ml, unit="ml", n_voxels=NO_VOXELS))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)


def replace_rows(measures: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """A user's own rows, and after them those measures that they do not replace; columns `MEASURE_COLUMNS`."""
    return pd.concat([own, measures], ignore_index=True).drop_duplicates(KEY, ignore_index=True)[MEASURE_COLUMNS]


def _naming(name: str, read: Callable[[str], Any], text: str) -> Any:
    """What a reader finds in a file; its complaint with the file's name."""
    try:
        return read(text)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _side_in_name(name: str) -> str | None:
    """Side that a file's name claims, None if it claims none or both."""
    claims = {mark.upper() for marks in _SIDE_IN_NAME.findall(name) for mark in marks if mark}
    return claims.pop() if len(claims) == 1 else None


def _parse(text: str) -> tuple[dict[str, str], list[list[str]]]:
    """Header entries (first word: the rest) and the cells of the lines below."""
    header, lines = {}, []
    for line in text.splitlines():
        if line.startswith("#"):
            key, _, rest = line.lstrip("# ").partition(" ")
            header[key] = rest.strip()
        elif line.strip():
            lines.append(line.split())
    return header, lines
