"""Sections of the group's page on maps compared voxel by voxel."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import NamedTuple

import pandas as pd

from mndmri.report.pages import Link, Picture, Section
from mndmri.tables.words import readable_number, readable_p

KINDS = {
    "vbm": "Grey-matter volume",
    "vbm_headsize": "Grey-matter volume corrected for head size",
    "fa": "Fractional anisotropy",
    "swi": "Signal on SWI",
}

_CAPTION = (
    "Slices: the statistic in every voxel compared, paler where it is smaller. Yellow outlines, and the glass brain: "
    "what survives the correction."
)


class ComparedMaps(NamedTuple):
    """What there is of one kind of map: two tables, and a PNG for each contrast by the name of its maps."""

    summary: pd.DataFrame
    clusters: pd.DataFrame
    pictures: Mapping[str, bytes]


def map_sections(compared: Mapping[str, ComparedMaps]) -> list[Section]:
    """Two sections for each kind of map: every contrast with its picture, and its clusters if there are any.

    Parameters
    ----------
    compared : mapping
        Kind, one of `KINDS` or a map of the config, to what was found.
    """
    sections = []
    for kind, found in compared.items():
        title = KINDS.get(kind, f"Map {kind}")
        names = dict(zip(found.summary["maps"], found.summary["contrast"], strict=True))
        sections.append(
            Section(
                f"{title}, voxel by voxel",
                "p is two-sided and corrected over all voxels compared (threshold-free cluster enhancement, "
                "residuals resampled, each group with a variance of its own). Volumes are at the corrected level.",
                pd.DataFrame({name: list(map(cell, _records(found.summary))) for name, cell in _SUMMARY.items()}),
                [Picture(f"{title}: {names[name]}", _CAPTION, png, wide=True) for name, png in found.pictures.items()],
                viewer=f"{kind}/viewer.html" if found.pictures else "",
            )
        )
        if len(found.clusters):
            # the scenes of the viewer are the contrasts that have maps
            drawn = found.summary.loc[found.summary["maps"].notna(), "contrast"]
            scenes = {contrast: n for n, contrast in enumerate(drawn, start=1)}
            rows = [row | {"place": _place(row, kind, scenes)} for row in _records(found.clusters)]
            named = {heading: _text(name) for name, heading in _ATLASES.items() if name in found.clusters}
            cells = _CLUSTERS | named
            table = pd.DataFrame({name: list(map(cell, rows)) for name, cell in cells.items()})
            note = (
                "Peaks of each cluster, at least 8 mm apart; a row leads to its place in the slices. clusters.tsv also "
                "has the share of each region."
            )
            sections.append(Section(f"{title}: clusters", note, table))
    return sections


def _records(table: pd.DataFrame) -> list[dict]:
    return table.to_dict("records")


def _text(name: str) -> Callable[[dict], str]:
    return lambda row: str(row[name]) if pd.notna(row[name]) else ""


def _number(name: str) -> Callable[[dict], str]:
    return lambda row: readable_number(row[name]) if pd.notna(row[name]) else ""


def _place(row: dict, kind: str, scenes: Mapping[str, int]) -> Link:
    """Peak of a cluster, and the place in the viewer that it leads to."""
    mm = [float(row[axis]) for axis in "xyz"]
    numbers = ",".join(f"{round(v, 1):g}" for v in (scenes[row["contrast"]], *mm))
    return Link(", ".join(map(readable_number, mm)), f"{kind}/viewer.html#{numbers}")


def _people(row: dict) -> str:
    return ", ".join(
        f"{name.removeprefix('n_')} {int(row[name])}"
        for name in row
        if name.startswith("n_") and name not in ("n_missing", "n_voxels", "n_permutations")
    )


def _statistic(row: dict) -> str:
    """Statistic with its degrees of freedom; empty without a test."""
    if pd.isna(row["statistic"]):
        return ""
    known = [readable_number(row[name]) for name in ("df_num", "df") if pd.notna(row[name])]
    return f"{row['statistic']} ({', '.join(known)})"


_SUMMARY: dict[str, Callable[[dict], object]] = {
    "contrast": _text("contrast"),
    "n": _people,
    "missing": _text("n_missing"),
    "statistic": _statistic,
    "highest": _number("highest"),
    "lowest": _number("lowest"),
    "p, corrected": lambda row: readable_p(row["p_fwe"]),
    "higher, ml": _number("higher_ml"),
    "lower, ml": _number("lower_ml"),
    "note": _text("note"),
}
_CLUSTERS: dict[str, Callable[[dict], object]] = {
    "contrast": _text("contrast"),
    "direction": _text("direction"),
    "cluster": _text("cluster"),
    "ml": _number("cluster_ml"),
    "x, y, z (mm of the template)": itemgetter("place"),
    "side": _text("hemi"),
    "statistic": _number("statistic"),
    "p, corrected": lambda row: readable_p(row["p_fwe"]),
}
# Column of the clusters' table with a region's name, and its heading; a study has those of the atlases it is named by.
_ATLASES = {"harvard_oxford": "Harvard-Oxford", "juelich": "Juelich", "atlas": "Region"}
