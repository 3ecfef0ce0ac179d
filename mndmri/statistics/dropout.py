"""Who was seen when: the visits of each group, and how those who left differed at their first."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mndmri.tables.dictionaries import column_names, dictionary
from mndmri.tables.visits import CLINICAL

PATTERN, STAYED, LEFT = "pattern", "stayed", "left"
_DESCRIPTIONS = {
    "group": "Group.",
    "people": "pattern: with these sessions and no others; stayed: with the study's last session; left: without it.",
    "sessions": "Sessions with a measure, in the order of the months since each person's first, those without months "
    "before; of stayed and left the last session.",
    "n": "People.",
    "percent": "Percent of the group.",
}


def visits_dictionary(scores: Sequence[str]) -> dict[str, Any]:
    """BIDS data dictionary of the table of visits."""
    columns = dict(_DESCRIPTIONS)
    for name in scores:
        columns[f"{name}_n"] = f"People of the row with {name} at some visit."
        columns[f"{name}_mean"] = f"Mean of {name} at each person's first visit that has it."
        columns[f"{name}_sd"] = f"Standard deviation of {name} at that visit."
    return dictionary("Which visits the people of each group have, and who left", columns)


def count_visits(
    measures: pd.DataFrame, participants: pd.DataFrame, *, groups: Sequence[str], scores: Sequence[str]
) -> pd.DataFrame:
    """People of each group by the sessions that they have, and by whether they have the last.

    Parameters
    ----------
    measures : DataFrame
        Measures of all visits; those of the modality ``clinical`` are scores and make no visit.
    participants : DataFrame
        participant_id and group.
    groups, scores : sequence of str

    Returns
    -------
    DataFrame
        Columns as in `visits_dictionary`.
    """
    of_scores = measures["modality"] == CLINICAL
    seen = measures[~of_scores & measures["value"].notna()].drop_duplicates(["participant_id", "session"])
    # not of the months themselves, which may count from onset: those who are seen longest progress slowly
    since = seen["months"] - seen.groupby("participant_id")["months"].transform("min")
    # a session of which nobody has months cannot be the last
    medians = since.groupby(seen["session"], sort=False).median()
    order = list(medians.sort_values(kind="stable", na_position="first").index)
    sessions = seen.groupby("participant_id")["session"].agg(set).reindex(participants["participant_id"])
    people = pd.DataFrame(
        {
            "group": participants["group"].to_numpy(),
            "seen": [own if isinstance(own, set) else set() for own in sessions],
        },
        index=participants["participant_id"],
    )
    people["sessions"] = [" ".join(name for name in order if name in own) or "none" for own in people["seen"]]
    for name in scores:
        first = measures[of_scores & (measures["measure"] == name)].dropna(subset=["value"])
        first = first.sort_values("months", kind="stable").drop_duplicates("participant_id")
        people[name] = first.set_index("participant_id")["value"].astype(float).reindex(people.index)
    rows = []
    for group in groups:
        own = people[people["group"] == group]
        for sessions_of, some in own.groupby("sessions", sort=False):
            rows.append(_row(group, PATTERN, str(sessions_of), some, own, scores))
        if order:
            last = own["seen"].map(lambda labels: order[-1] in labels).astype(bool)
            rows.append(_row(group, STAYED, order[-1], own[last], own, scores))
            rows.append(_row(group, LEFT, order[-1], own[~last], own, scores))
    return pd.DataFrame(rows, columns=column_names(visits_dictionary(scores)))


def _row(
    group: str, kind: str, sessions: str, some: pd.DataFrame, own: pd.DataFrame, scores: Sequence[str]
) -> dict[str, Any]:
    row = {"group": group, "people": kind, "sessions": sessions, "n": len(some)}
    row["percent"] = 100 * len(some) / len(own) if len(own) else np.nan
    for name in scores:
        row |= {f"{name}_n": some[name].count(), f"{name}_mean": some[name].mean(), f"{name}_sd": some[name].std()}
    return row


def left_by_group(table: pd.DataFrame) -> list[str]:
    """How many of each group lack the study's last session, as ``5 of 13 ALS``; empty if nobody does."""
    counts = table.pivot_table(index="group", columns="people", values="n", aggfunc="sum", sort=False)
    if LEFT not in counts or not counts[LEFT].sum():
        return []
    return [f"{own[LEFT]:.0f} of {own[LEFT] + own[STAYED]:.0f} {group}" for group, own in counts.iterrows()]
