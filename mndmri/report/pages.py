"""HTML pages of a participant and of the group.

Every page is one file: styles and pictures are inside it; only a person's comparison with the controls lies in a
file beside the page. All text that comes from tables is escaped by the templates.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd

from mndmri.report.pictures import media_type
from mndmri.tables.measures import OK
from mndmri.tables.qc import FLAGGED
from mndmri.tables.words import (
    MISSING,
    OMNIBUS,
    capitalised,
    readable,
    readable_interval,
    readable_level,
    readable_number,
    readable_p,
    readable_place,
    readable_test,
    readable_unit,
)

_TEMPLATES = Path(__file__).parent / "templates"
_LONG_NOTE = 20  # characters; a longer one stands below the table, once


class Picture(NamedTuple):
    """A figure on a page: title, caption and the bytes of a PNG or WebP file.

    A wide one has the full width of the page.
    """

    title: str
    caption: str
    png: bytes
    wide: bool = False


class View(NamedTuple):
    """What is looked at on a participant's page: one picture, or several of one place, shown one after the other."""

    title: str
    frames: Mapping[str, bytes]
    """WebP by what it shows."""
    look_for: str
    bad: str
    """How a bad one looks."""


class Link(NamedTuple):
    """A cell of a table that leads to another page; a click anywhere on its row does so too."""

    text: str
    path: str
    """From this page."""


class Section(NamedTuple):
    """A section of the group page: a heading, and any of note, link, table, pictures and text."""

    heading: str
    note: str = ""
    table: pd.DataFrame | None = None
    pictures: Sequence[Picture] = ()
    text: str = ""
    """Shown verbatim, to be copied."""
    viewer: str = ""
    """Path, from the page, of one on which what is shown can be looked at slice by slice."""


def _picture_uri(picture: bytes) -> str:
    return f"data:{media_type(picture)};base64," + base64.b64encode(picture).decode("ascii")


def _anchor(heading: str) -> str:
    """Name of a heading's place on the page, for links to it."""
    return "-".join(re.findall(r"\w+", heading.lower()))


def _cell(value: object) -> str | Link:
    """Any value of a table as text, a link as it is; empty text stays empty."""
    if isinstance(value, Link):
        return value
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e6 else readable_number(number)
    return MISSING if value is None or value is pd.NA else str(value)


def _numbered(notes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Notes of the rows of a table, the long ones as numbers in a list of them, which comes second."""
    listed = list(dict.fromkeys(note for note in notes if len(note) > _LONG_NOTE))
    numbers = {note: str(n) for n, note in enumerate(listed, start=1)}
    return [numbers.get(note, note) for note in notes], listed


def _shown(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Header and rows of a table as text, which columns are numeric, and the long notes, which rows have by number."""
    listed: list[str] = []
    if "note" in table:
        numbers, listed = _numbered(table["note"].map(_cell).to_list())
        table = table.assign(note=numbers)
    columns = [
        [readable_p(v) if isinstance(v, float) else _cell(v) for v in table[name]]
        if name == "p" or str(name).startswith("p_")
        else [_cell(v) for v in table[name]]
        for name in table.columns
    ]
    return {
        "header": [readable(name) for name in table.columns],
        "numeric": [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes],
        "rows": list(zip(*columns, strict=True)),
        "notes": listed,
    }


def _environment() -> jinja2.Environment:
    """Templates of the pages, which escape what is inserted."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "picture_uri": _picture_uri,
        "anchor": _anchor,
        "readable": readable,
        "capitalised": capitalised,
    }
    return templates


def render(template: str, **values: Any) -> str:
    """Text of a template with values in it."""
    return _environment().get_template(template).render(**values)


# -- one participant ------------------------------------------------------------------------------


def participant_page(
    participant_id: str,
    group: str,
    *,
    views: Sequence[View],
    measures: pd.DataFrame,
    qc: pd.DataFrame,
    stages: pd.DataFrame,
    versions: Mapping[str, str],
    controls: str = "",
    reader: str = "",
    viewer: str = "",
    visits: str = "",
    decisions: Sequence[str] = (),
) -> str:
    """Page of one participant, or visit, as HTML.

    Parameters
    ----------
    participant_id, group : str
    views : sequence of View
        In reading order.
    measures : DataFrame
        The person's measures table (`mndmri.tables.measures.MEASURE_COLUMNS`). Left and right stand side by side.
    qc : DataFrame
        The person's rows of the quality-control table (`mndmri.tables.qc.QC_COLUMNS`).
    stages : DataFrame
        ``stage, status, reason``: status ``done``, ``excluded``, ``left out`` or ``failed``, and why.
    versions : mapping
        Name of a program to its version.
    controls : str
        Name of the file beside the page that compares the person with the controls
        (`mndmri.report.controls.controls_panel`), whether it is there yet or not; empty if nothing is compared.
    reader : str
        Path of the page on which the motor band is rated, from this one; empty if there is none.
    viewer : str
        Path of the page on which the images are looked at slice by slice; empty if there is none.
    visits : str
        Path of the page with all visits of the participant; empty if there is none.
    decisions : sequence of str
        What readers have decided on the scans, a line each.
    """
    return render(
        "participant.html.j2",
        reader=reader,
        viewer=viewer,
        visits=visits,
        decisions=list(decisions),
        participant_id=participant_id,
        group=group,
        views=list(views),
        controls=controls,
        modalities=_side_by_side(measures),
        flags=qc[qc["flag"] == FLAGGED].pipe(_qc_records),
        checks=_qc_records(qc),
        stages=stages.fillna("").to_dict("records"),
        versions=dict(versions),
    )


def _side_by_side(measures: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Rows of a measures table by modality, with left, right and both as columns of one row."""
    found: dict[str, list[dict[str, Any]]] = {}
    for (modality, measure, region), rows in measures.groupby(["modality", "measure", "region"], sort=False):
        values = dict(zip(rows["hemi"], rows["value"], strict=True))
        lacking = rows[rows["status"] != OK]
        by_reason = lacking.groupby("status", sort=False)["hemi"].agg(list)
        found.setdefault(modality, []).append(
            {
                "measure": capitalised(readable(measure)),
                "region": capitalised(readable(region)),
                # blank where the measure has no such side; n/a where it has, and no value
                "values": {
                    hemi: readable_number(values[hemi], digits=4) if hemi in values else ""
                    for hemi in ("L", "R", "both")
                },
                "unit": readable_unit(rows["unit"].iloc[0]),
                "note": "; ".join(
                    f"{reason} ({', '.join(hemis)})" if len(hemis) < len(rows) else str(reason)
                    for reason, hemis in by_reason.items()
                ),
            }
        )
    return found


def _qc_records(qc: pd.DataFrame) -> list[dict[str, Any]]:
    records = []
    for row in qc.to_dict("records"):
        limits = [
            f"{word} {readable_number(row[end])}"
            for word, end in (("at least", "lower"), ("at most", "upper"))
            if np.isfinite(row[end])
        ]
        records.append(
            {
                "what": f"{readable(row['modality'])}: {readable(row['measure'])}",
                "where": readable_place(row["region"], row["hemi"]) if pd.notna(row["region"]) else "",
                "value": readable_number(row["value"]),
                "unit": readable_unit(row["unit"]) if pd.notna(row["unit"]) else "",
                "limits": ", ".join(limits),
                "flag": row["flag"] if pd.notna(row["flag"]) else MISSING,
                "reason": row["reason"] if pd.notna(row["reason"]) else "",
            }
        )
    return records


# -- the group ------------------------------------------------------------------------------------


def group_page(
    *,
    title: str,
    written: str,
    people_page: str,
    participants: pd.DataFrame,
    flow: Sequence[Mapping[str, Any]],
    left_out: Sequence[str],
    failed: Mapping[str, str],
    measures: pd.DataFrame,
    demographics: pd.DataFrame,
    comparisons: pd.DataFrame,
    pictures: Sequence[Picture],
    versions: Mapping[str, str],
    findings: Sequence[str] = (),
    sections: Sequence[Section] = (),
    primary: bool = True,
    alpha: float = 0.05,
) -> str:
    """Report of the study as HTML.

    Parameters
    ----------
    title : str
        Name of the study.
    written : str
        Date of the report.
    people_page : str
        Path of the index of quality control, from this page; empty if there is none.
    participants : DataFrame
        ``participant_id, group``: everyone in the study, in the config's order of groups.
    flow : sequence of mapping
        ``step``, ``modality``, ``n`` and ``lost``, from the participants table to those measured
        (`mndmri.cohort.flow.participant_flow`).
    left_out : sequence of str
        Exclusions with their reasons, a sentence each.
    failed : mapping
        ``participant_id`` to the reason, for participants with a failed job.
    measures : DataFrame
        The study's measures table: missing modalities with their reasons, and units.
    demographics : DataFrame
        Table 1 in its long form: ``variable, level, group, n_missing, mean, sd, count, percent, test, p,
        note``; a row a group, and a row a test.
    comparisons : DataFrame
        Rows of the comparisons table for the primary measures. The reported test is shown; the others are folded
        below it.
    pictures : sequence of Picture
        One for each primary measure.
    versions : mapping
        Name of a program to its version.
    findings : sequence of str
        What was found, in sentences.
    sections : sequence of Section
        What follows the comparisons: motor band sign, classification, correlations and so on.
    primary : bool
        Whether the comparisons are of primary measures; otherwise of those that differ most.
    alpha : float
        One minus the coverage of the intervals.
    """
    return render(
        "group.html.j2",
        title=title,
        written=written,
        people_page=people_page,
        summary=_summary(participants, failed, measures),
        n_participants=len(participants),
        left_out=list(left_out),
        lacking=_lacking(measures),
        failed=dict(failed),
        table_one=_table_one(demographics),
        primary=primary,
        level=readable_level(alpha),
        comparisons=_comparison_tables(comparisons, measures),
        pictures=list(pictures),
        findings=list(findings),
        # the steps of the whole study, then those of each modality
        flow=[list(steps) for _, steps in groupby(flow, itemgetter("modality"))],
        sections=[
            section._asdict() | {"table": None if section.table is None else _shown(section.table)}
            for section in sections
        ],
        versions=dict(versions),
    )


def _summary(participants: pd.DataFrame, failed: Mapping[str, str], measures: pd.DataFrame) -> dict[str, list[Any]]:
    """Counts by group: header and rows."""
    modalities = list(dict.fromkeys(measures["modality"]))
    measured = measures[measures["value"].notna()]
    who = {m: set(measured.loc[measured["modality"] == m, "participant_id"]) for m in modalities}
    rows = []
    for group, people in participants.groupby("group", sort=False)["participant_id"]:
        ids = set(people)
        rows.append([group, len(ids), len(ids & set(failed)), *(len(ids & who[m]) for m in modalities)])
    header = ["Group", "In the study", "Failed", *(f"With {readable(m)}" for m in modalities)]
    return {"header": header, "rows": rows}


def _lacking(measures: pd.DataFrame) -> list[dict[str, str]]:
    """Participants without any value of a modality, with the reasons in their rows."""
    found = []
    for (who, modality), rows in measures.groupby(["participant_id", "modality"], sort=False):
        if rows["value"].isna().all():
            reasons = dict.fromkeys(rows["status"].astype(str))
            # what was not assessable for a reason that stands there already says nothing more
            own = [reason for reason in reasons if not any(reason.endswith(f": {other}") for other in reasons)]
            found.append({"participant_id": who, "modality": readable(modality), "reason": "; ".join(own)})
    return found


def _table_one(demographics: pd.DataFrame) -> dict[str, Any]:
    """Table 1 as in papers: a row for each variable (or level), a column for each group, the tests last."""
    # everyone together stands in the rows of tests, and comes last
    groups = list(dict.fromkeys(demographics.sort_values("test", na_position="first", kind="stable")["group"]))
    rows = []
    for variable, of_variable in demographics.groupby("variable", sort=False):
        # as text: a level may be a number, and 0 is a level too
        of_variable = of_variable.assign(level=[_cell(v) if pd.notna(v) else "" for v in of_variable["level"]])
        tests = of_variable[of_variable["test"].notna()]
        told = "; ".join(f"{readable_test(t)} {readable_p(p)}" for t, p in zip(tests["test"], tests["p"], strict=True))
        notes = "; ".join(dict.fromkeys(note for note in of_variable["note"].dropna() if note))
        described = of_variable[of_variable["test"].isna()]
        for n, (level, of_level) in enumerate(described.groupby("level", sort=False)):
            cells = {row["group"]: _summary_cell(row) for row in of_level.to_dict("records")}
            # the name that the study's own table has: only its owner knows how to write it better
            name = f"{variable}: {level}" if level else f"{variable}, mean (SD)"
            for row in tests.to_dict("records") if not level else []:
                cells[row["group"]] = _summary_cell(row)
            first = n == 0  # the tests are of the variable, not of its levels
            rows.append(
                {
                    "name": name,
                    "cells": [cells.get(group, "") for group in groups],
                    "tests": told if first else "",
                    "note": notes if first else "",
                }
            )
    return {"groups": groups, "rows": rows}


def _summary_cell(row: Mapping[str, Any]) -> str:
    """Mean (SD) or count (percent), and how many are missing."""
    missing = f", {_cell(row['n_missing'])} missing" if row["n_missing"] else ""
    if np.isfinite(row["count"]):
        return f"{int(row['count'])} ({readable_number(row['percent'])}%){missing}"
    if not np.isfinite(row["mean"]):
        return MISSING + missing
    return f"{readable_number(row['mean'])} ({readable_number(row['sd'], digits=2)}){missing}"


def compared_groups(comparisons: pd.DataFrame) -> list[str]:
    """Groups of which a table of comparisons has a count."""
    groups = [column.removeprefix("n_") for column in comparisons.columns if column.startswith("n_")]
    # n_missing is a count of people too, but not of a group
    return [group for group in groups if group != "missing"]


def _comparison_tables(comparisons: pd.DataFrame, measures: pd.DataFrame) -> dict[str, Any]:
    """Reported tests, and the others, each with rows under a heading for each measure in each place."""
    groups = compared_groups(comparisons)
    key = ["modality", "measure"]
    units = measures.drop_duplicates(key).set_index(key)["unit"].to_dict()
    found: dict[str, dict[str, list[dict[str, Any]]]] = {"reported": {}, "others": {}}
    for row in comparisons.to_dict("records"):
        unit = readable_unit(units.get((row["modality"], row["measure"]), ""))
        place = readable_place(row["region"], row["hemi"])
        heading = f"{readable(row['modality'])}: {readable(row['measure'])}, {place}"
        table = found["reported" if row["reported"] == "yes" else "others"]
        table.setdefault(heading + (f" ({unit})" if unit else ""), []).append(_comparison(row, groups))
    notes = {}
    for kind, table in found.items():
        rows = [row for of_measure in table.values() for row in of_measure]
        numbers, notes[kind] = _numbered([row["note"] for row in rows])
        for row, number in zip(rows, numbers, strict=True):
            row["note"] = number
    return {"groups": groups, "notes": notes} | found


def _comparison(row: Mapping[str, Any], groups: Sequence[str]) -> dict[str, Any]:
    # a test over all groups has no difference and no pairs: nothing is missing there
    pair, reported = row["contrast"] != OMNIBUS, row["reported"] == "yes"
    size = ("adjusted_g", "adj_g_ci_low", "adj_g_ci_high") if reported else ("hedges_g", "g_ci_low", "g_ci_high")
    pairs_only = {"p_confirmatory", "p_holm"}
    columns = ("p", "p_confirmatory", "q_exploratory", "p_permutation") if reported else ("p", "p_holm", "q_fdr")
    return {
        "test": readable_test(row["test"]),
        "contrast": row["contrast"] if pair else "all groups",
        "n": [_cell(row[f"n_{group}"]) for group in groups],
        "estimate": readable_interval(row["estimate"], row["ci_low"], row["ci_high"]) if pair else "",
        "g": readable_interval(*(row[name] for name in size)) if pair else "",
        "p": [readable_p(row[name]) if pair or name not in pairs_only else "" for name in columns],
        "note": row["note"] if pd.notna(row["note"]) else "",
    }
