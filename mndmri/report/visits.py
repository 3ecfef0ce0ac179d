"""A person's visits on one page."""

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import quote

import pandas as pd

from mndmri.report.pages import Picture, View, render
from mndmri.units import name_unit


def visits_page(
    participant_id: str,
    group: str,
    *,
    measures: pd.DataFrame,
    views: Sequence[View],
    over_months: Picture | None,
    change: Picture | None,
    baseline: str,
    pages: Collection[str],
    versions: Mapping[str, str],
) -> str:
    """Page of a person's visits as HTML: which there are, measures over the months, and the same slices of each.

    Parameters
    ----------
    participant_id, group : str
    measures : DataFrame
        The person's rows of the measures of all visits.
    views : sequence of View
        Their frames are visits.
    over_months, change : Picture, optional
        Measures over the months, and where grey matter changed.
    baseline : str
        Session that the groups' tables have.
    pages : collection of str
        Visits (`mndmri.units`) that have a page of their own.
    versions : mapping
    """
    return render(
        "visits.html.j2",
        participant_id=participant_id,
        group=group,
        visits=_visits(participant_id, measures, baseline, pages),
        modalities=list(dict.fromkeys(measures["modality"])),
        views=list(views),
        over_months=over_months,
        change=change,
        versions=dict(versions),
    )


def visit_names(measures: pd.DataFrame) -> dict[str, str]:
    """Sessions in the order of the measures of all visits, each with its months in words."""
    visits = measures[["session", "months"]].drop_duplicates("session")
    return {session: f"{session}, {_months(months)}" for session, months in visits.itertuples(index=False)}


def _months(months: float) -> str:
    return "no months" if pd.isna(months) else f"{round(months, 1):g} months"


def _visits(who: str, measures: pd.DataFrame, baseline: str, pages: Collection[str]) -> list[dict[str, object]]:
    """Each visit: when, whether it is the baseline, its page, and what was measured."""
    found = []
    for session, own in measures.groupby("session", sort=False):
        unit = name_unit(who, str(session))
        measured = own.groupby("modality", sort=False)["value"].count()
        reasons = own[own["value"].isna()].groupby("modality", sort=False)["status"].first()
        found.append(
            {
                "session": session,
                "months": _months(own["months"].iloc[0]),
                "baseline": session == baseline,
                "page": f"{quote(str(session))}/{quote(unit)}.html" if unit in pages else "",
                "measured": {modality: "" if n else reasons[modality] for modality, n in measured.items()},
            }
        )
    return found
