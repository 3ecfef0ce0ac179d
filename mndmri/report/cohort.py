"""Pages of the whole cohort: an index of quality control, and a contact sheet of each step."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd

from mndmri.report.pages import render
from mndmri.tables.decisions import decision_lines, decisions_on
from mndmri.tables.grades import MARK, PARTS, letter, percent
from mndmri.tables.qc import FLAGGED
from mndmri.tables.visits import name_units
from mndmri.tables.words import capitalised, readable, readable_place, readable_unit
from mndmri.units import person_of, split_unit


class Step(NamedTuple):
    """A step that is looked at in all people on one page."""

    title: str
    modality: str
    """What is excluded where it went wrong."""
    look: str
    """What to look for, and how a bad one looks."""


STEPS = {
    "brain_mask": Step(
        "Brain mask",
        "t1w",
        "The line follows the surface of the brain, at the vertex and the temporal poles too. Bad: it cuts into "
        "cortex, or includes eyes, neck or dura.",
    ),
    "tissue": Step(
        "Tissue",
        "t1w",
        "Orange: grey matter, blue: white matter; both lines follow the borders in the image. Bad: the lines cross "
        "gyri, or are the same in every person.",
    ),
    "registration": Step(
        "Registration to the template",
        "t1w",
        "The person's image, with the template's brain (orange) and white matter (blue). Bad: ventricles, midline or "
        "brainstem lie beside the lines.",
    ),
    "tract": Step(
        "Corticospinal tract",
        "dwi",
        "The outlines lie on the blue tract, from the cortex to the pons; the corpus callosum is red. Bad: they lie "
        "beside it, or the capsule has another colour.",
    ),
    "swi_regions": Step(
        "Regions of the SWI",
        "swi",
        "Orange and blue: both banks of the precentral gyrus, yellow: postcentral gyrus. Bad: the lines lie in another "
        "gyrus, or outside the brain.",
    ),
}
THUMBNAIL = "brain_mask"
"""Step that stands for a person on the index."""
_WHOLE = "brain"  # region of a measure of the whole scan
_KEYS = ["modality", "measure", "region", "hemi"]


def qc_index(
    participants: pd.DataFrame,
    qc: pd.DataFrame,
    *,
    failed: Mapping[str, str],
    versions: Mapping[str, str],
    pages: Collection[str] | None = None,
    thumbnails: Mapping[str, bytes] | None = None,
    viewers: Collection[str] = (),
    sheets: Collection[str] = (),
    decisions: Iterable[Mapping[str, Any]] = (),
    site: str = "",
) -> str:
    """Index of quality control as HTML: everybody in a table, and everybody's value of each quality measure.

    Parameters
    ----------
    participants : DataFrame
        ``participant_id, group``, and the column of sites.
    qc : DataFrame
        The study's quality-control table (`mndmri.tables.qc.QC_COLUMNS`).
    failed : mapping
        ``participant_id`` to the reason.
    versions : mapping
    pages : collection of str, optional
        Participants whose page exists and is linked to; by default all who did not fail.
    thumbnails : mapping, optional
        ``participant_id`` to a small WebP.
    viewers : collection of str
        Participants whose images can be looked at slice by slice, on a page beside theirs.
    sheets : collection of str
        Names in `STEPS` of the contact sheets that there are.
    decisions : iterable of mapping
        What readers have decided: rows of `mndmri.tables.decisions.DECISION_COLUMNS`, also of people who are excluded
        as a whole.
    site : str
        Column of sites; empty if the study has none.
    """
    rows = list(decisions)
    people = _people(participants, qc, failed=failed, pages=pages, decisions=rows, site=site, up="..")
    for person in people:
        person["thumbnail"] = (thumbnails or {}).get(person["participant_id"])
        person["viewer"] = (
            f"{_beside(person['participant_id'], '..')}_viewer.html" if person["participant_id"] in viewers else ""
        )
    studied = set(map(person_of, participants["participant_id"]))
    return render(
        "qc_index.html.j2",
        by_visit=any(split_unit(person["participant_id"])[1] for person in people),
        people=people,
        filters=_filters(people),
        steps={name: STEPS[name] for name in STEPS if name in sheets},
        excluded={who: "; ".join(lines) for who, lines in decision_lines(rows).items() if who not in studied},
        n_flagged=sum(bool(person["flags"]) for person in people),
        n_failed=sum(bool(person["failed"]) for person in people),
        with_thumbnails=bool(thumbnails),
        graded=[modality for modality in PARTS if any(modality in person["grades"] for person in people)],
        strips=_strips(people, qc),
        versions=dict(versions),
    )


def by_visits(participants: pd.DataFrame, qc: pd.DataFrame, units: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Participants and their quality with a row for each visit, under the visit's name; as they are without visits.

    Parameters
    ----------
    participants, qc : DataFrame
        As in `qc_index`; ``qc`` with sessions.
    units : sequence of str
        Every visit (`mndmri.units`), in order; empty of a study without visits.
    """
    if not units:
        return participants, qc
    visits = pd.DataFrame({"unit": list(units), "participant_id": [person_of(unit) for unit in units]})
    rows = participants.merge(visits, on="participant_id", how="inner")
    return rows.assign(participant_id=rows["unit"]).drop(columns="unit"), name_units(qc)


def contact_sheets(
    participants: pd.DataFrame,
    qc: pd.DataFrame,
    pictures: Mapping[str, Mapping[str, bytes]],
    *,
    failed: Mapping[str, str],
    versions: Mapping[str, str],
    pages: Collection[str] | None = None,
    decisions: Iterable[Mapping[str, Any]] = (),
    site: str = "",
) -> dict[str, str]:
    """A page for each step, with a picture of everybody, as HTML by the step's name in `STEPS`.

    Parameters
    ----------
    participants, qc, failed, versions, pages, decisions, site
        As in `qc_index`.
    pictures : mapping
        ``participant_id`` to the pictures of that person, WebP by the name of the step.
    """
    people = _people(participants, qc, failed=failed, pages=pages, decisions=list(decisions), site=site, up="../..")
    there = [name for name in STEPS if any(name in own for own in pictures.values())]
    return {
        name: render(
            "contact_sheet.html.j2",
            name=name,
            step=STEPS[name],
            steps={other: STEPS[other] for other in there},
            people=[
                {**person, "picture": pictures[person["participant_id"]][name]}
                for person in people
                if name in pictures.get(person["participant_id"], {})
            ],
            lacking=[
                person["participant_id"] for person in people if name not in pictures.get(person["participant_id"], {})
            ],
            filters=_filters(people),
            versions=dict(versions),
        )
        for name in there
    }


def _people(
    participants: pd.DataFrame,
    qc: pd.DataFrame,
    *,
    failed: Mapping[str, str],
    pages: Collection[str] | None,
    decisions: list[Mapping[str, Any]],
    site: str,
    up: str,
) -> list[dict[str, Any]]:
    """What the pages show of each person; ``up`` is the path from the page to the results."""
    linked = set(participants["participant_id"]) - set(failed) if pages is None else set(pages)
    flags = qc[qc["flag"] == FLAGGED]
    flagged = {who: [_flag(row) for row in own.to_dict("records")] for who, own in flags.groupby("participant_id")}
    marks = qc[qc["measure"].isin([MARK, *(part for own in PARTS.values() for part in own)])]
    graded = {who: _grades(own) for who, own in marks.groupby("participant_id")}
    people = []
    for row in participants.to_dict("records"):
        who = row["participant_id"]
        decided = decisions_on(decisions, who)
        people.append(
            {
                "participant_id": who,
                "group": row["group"],
                "site": str(row[site]) if site and pd.notna(row.get(site)) else "",
                "page": f"{_beside(who, up)}.html" if who in linked else "",
                "flags": flagged.get(who, []),
                "failed": failed.get(who, ""),
                "grades": graded.get(who, {}),
                "decisions": decision_lines(decided).get(person_of(who), []),
                "decided": sorted({said["decision"] for said in decided}),
            }
        )
    return people


def _beside(who: str, up: str) -> str:
    """Path to which the endings of a person's, or visit's, pages are added; what is quoted stays one segment."""
    folders = [quote(part, safe="") for part in split_unit(who) if part]
    return "/".join([up, *folders, quote(who, safe="")])


def _flag(row: Mapping[str, Any]) -> dict[str, str]:
    where = readable_place(row["region"], row["hemi"]) if pd.notna(row["region"]) else ""
    kind = f"{readable(row['modality'])}: {readable(row['measure'])}"
    return {"kind": kind, "said": f"{kind}{', ' + where if where else ''}: {row['reason']}"}


def _grades(marks: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Grade of each of a person's scans: mark, letter, percent, and its parts in words."""
    found = {}
    for modality, own in marks.groupby("modality", sort=False):
        values = dict(zip(own["measure"], own["value"], strict=True))
        if np.isfinite(values.get(MARK, np.nan)):
            parts = [
                f"{word} {letter(values[name])}" for name, word in PARTS.get(modality, {}).items() if name in values
            ]
            mark = values[MARK]
            found[modality] = {"mark": mark, "letter": letter(mark), "percent": percent(mark), "parts": parts}
    return found


def _filters(people: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What there is to choose from."""
    return {
        "flag": list(dict.fromkeys(flag["kind"] for person in people for flag in person["flags"])),
        "group": list(dict.fromkeys(person["group"] for person in people)),
        "site": sorted({person["site"] for person in people} - {""}),
        "decision": sorted({word for person in people for word in person["decided"]}),
    }


def _strips(people: list[dict[str, Any]], qc: pd.DataFrame) -> dict[str, Any]:
    """Everybody's value of each quality measure, for the script of the page; those of one side last."""
    places = {person["participant_id"]: n for n, person in enumerate(people)}
    measures = []
    for key, own in qc.groupby(_KEYS, sort=False):
        modality, measure, region, hemi = key
        values: list[float | None] = [None] * len(people)
        for row in own.to_dict("records"):
            if row["participant_id"] in places and np.isfinite(row["value"]):
                values[places[row["participant_id"]]] = float(f"{row['value']:.4g}")
        if any(value is not None for value in values):
            ends = {end: _limit(own[end]) for end in ("lower", "upper")}
            place = "" if region == _WHOLE else f", {readable_place(region, hemi)}"
            name = capitalised(readable(measure)) + place
            measures.append(
                {"modality": readable(modality), "name": name, "unit": readable_unit(own["unit"].iloc[0])}
                | {"sided": hemi != "both", "values": values}
                | ends
            )
    measures.sort(key=lambda own: bool(own["sided"]))
    shown = [{"id": person["participant_id"], "page": person["page"]} for person in people]
    return {"people": shown, "measures": measures}


def _limit(limits: pd.Series) -> float | None:
    """The limit that the rows of a measure share; None without one."""
    known = limits.dropna()
    return None if known.empty else float(known.iloc[0])
