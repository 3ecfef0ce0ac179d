"""Ratings of motor bands by eye, of several raters, put into one table."""

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import pandas as pd

from mndmri.tables.dictionaries import dictionary
from mndmri.tables.readings import MISSING_WORDS, Source, identify, latest

AREAS = ("leg", "hand", "face")
TOP = 2  # none, mild, marked: 0, 1, 2
N_RATED = 2 * len(AREAS)
_NEEDED = ("rater", "region", "hemi", "rating")
_KEY = ["participant_id", "rater", "region", "hemi"]
_RATINGS = tuple(map(str, range(TOP + 1)))


_DESCRIBED = {
    "participant_id": "Participant, as in the study's participants table.",
    "session": "Session that was rated; n/a where the participant has one.",
    "rater": "Who rated, blinded.",
    "region": "Area of the motor cortex: leg, hand or face.",
    "hemi": "Side of the participant's body: L or R.",
    "rating": "Motor band: 0 none, 1 mild, 2 marked; n/a: cannot be judged.",
    "confidence": "Of the rater in the participant's ratings: low, medium or high.",
    "comment": "Of the rater on the participant.",
    "date": "When the participant was rated.",
}


RATING_COLUMNS = list(_DESCRIBED)


def ratings_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of ratings."""
    return dictionary("Motor bands rated by eye", _DESCRIBED)


class Ratings(NamedTuple):
    """Ratings of a study, and what is to be said of them."""

    table: pd.DataFrame
    """Columns `RATING_COLUMNS`: a row for each area and side that a rater has judged; a rating that is missing says
    that it cannot be judged."""
    problems: list[str]
    notes: list[str]


def collect_ratings(sources: Iterable[Source], *, studied: Collection[str], listed: Collection[str]) -> Ratings:
    """Ratings of several files as one table.

    Parameters
    ----------
    sources : iterable of Source
        Tables with participant_id or case, and rater, region, hemi and rating; session, confidence, comment and date
        where they are known.
    studied, listed : collection of str
        As in `readings.identify`.

    Notes
    -----
    Of two ratings of a place by one rater the later counts, by ``date``; equal ones are one. Areas that a rater has
    not judged have no row.
    """
    parts, problems, notes = [], [], []
    for source in sources:
        found = identify(source, needed=_NEEDED, studied=studied, listed=listed)
        problems += found.problems
        notes += found.notes
        rows = found.rows.assign(file=source.name)
        rows["region"] = rows.get("region", pd.Series(dtype=str)).astype(str).str.removeprefix("precentral_")
        problems += _wrong(rows, source.name)
        parts.append(rows)
    rows = (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*RATING_COLUMNS, "when", "row", "file"])
    )
    if problems or rows.empty:
        return Ratings(pd.DataFrame(columns=RATING_COLUMNS), problems, notes)
    rows["rating"] = rows["rating"].str.removesuffix(".0").where(~rows["rating"].isin(MISSING_WORDS), "n/a")
    rows, contradictions, replaced = latest(rows, key=_KEY, value="rating", what="rating")
    notes += [*replaced, *_counted(rows)]
    table = rows.reindex(columns=RATING_COLUMNS).replace({"": None, "n/a": None})
    table["rating"] = pd.to_numeric(table["rating"])
    return Ratings(table.reset_index(drop=True), contradictions, notes)


def _wrong(rows: pd.DataFrame, name: str) -> list[str]:
    """Cells that are no rating of a place."""
    expected = {
        "region": (AREAS, ", ".join(AREAS)),
        "hemi": (("L", "R"), "L or R"),
        "rating": ((*_RATINGS, *(f"{v}.0" for v in _RATINGS), *MISSING_WORDS), f"{', '.join(_RATINGS)} or n/a"),
    }
    return [
        f"{name}, row {row}: {column} '{value}'; expected {words}"
        for column, (known, words) in expected.items()
        if column in rows
        for row, value in zip(rows["row"], rows[column], strict=True)
        if value not in known
    ]


def _counted(rows: pd.DataFrame) -> list[str]:
    """How many participants each rater has rated, and how many of them not completely."""
    notes = []
    for rater, own in rows.groupby("rater", sort=True):
        sizes = own.groupby("participant_id").size()
        half = int((sizes < N_RATED).sum())
        notes.append(
            f"ratings of {rater}: {len(sizes)} participant{'s' * (len(sizes) > 1)}"
            + (f", {half} of them not complete" if half else "")
        )
    return notes
