"""Change of every measure in every person: a line through the visits."""

from typing import Any

import numpy as np
import pandas as pd

from mndmri.tables.dictionaries import column_names, dictionary
from mndmri.tables.measures import KEY

YEAR = 12.0  # months
_DESCRIPTIONS = {
    "participant_id": "Participant.",
    "group": "Group.",
    "modality": "Kind of image measured; clinical: a score of the visits table.",
    "measure": "What was measured.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "unit": "Unit of the measure; the slope is in this unit per year.",
    "slope": "Change per year: least squares line through the person's own visits.",
    "se": "Standard error of the slope from the person's own residuals; n/a with fewer than three visits.",
    "n_visits": "Visits with a value and with months.",
    "first_month": "First of them, months.",
    "last_month": "Last of them, months.",
    "note": "Why there is no slope or no error, and visits that are not used.",
}


def changes_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of changes."""
    return dictionary("Change per year of every measure in every person", _DESCRIPTIONS)


def usable_visits(measures: pd.DataFrame) -> pd.DataFrame:
    """Rows of the measures of all visits that have a finite value and months."""
    return measures[np.isfinite(measures["value"].astype(float)) & np.isfinite(measures["months"].astype(float))]


def changes_table(measures: pd.DataFrame) -> pd.DataFrame:
    """Slope per year of every measure in every person.

    Parameters
    ----------
    measures : DataFrame
        Measures of all visits: participant_id, group, session, months, modality, measure, region, hemi, value, unit.

    Returns
    -------
    DataFrame
        Columns as in `changes_dictionary`; everybody has a row of every measure.
    """
    rows = []
    for key, own in measures.groupby(["participant_id", "group", *KEY], sort=False):
        used = usable_visits(own)
        months, values = used["months"].to_numpy(float), used["value"].to_numpy(float)
        slope, error, note = _line(months / YEAR, values)
        timeless = int((own["value"].notna() & own["months"].isna()).sum())
        notes = [note, f"visits without months: {timeless}" if timeless else ""]
        rows.append(
            dict(zip(["participant_id", "group", *KEY], key, strict=True))
            | {"unit": own["unit"].iloc[0], "slope": slope, "se": error, "n_visits": len(used)}
            | {"first_month": months.min(initial=np.inf), "last_month": months.max(initial=-np.inf)}
            | {"note": "; ".join(filter(None, notes))}
        )
    table = pd.DataFrame(rows, columns=column_names(changes_dictionary()))
    ends = ["first_month", "last_month"]
    table[ends] = table[ends].astype(float).replace([np.inf, -np.inf], np.nan)
    return table


def true_changes(truth: pd.DataFrame) -> pd.DataFrame:
    """Slope per year of every true value of simulated people who came more than once.

    Parameters
    ----------
    truth : DataFrame
        As ``measures`` of `changes_table`, without units.

    Returns
    -------
    DataFrame
        Columns of `changes_table`, but for those of an estimate's error.
    """
    table = changes_table(truth.assign(unit=""))
    return table.loc[table["n_visits"] > 1].drop(columns=["unit", "se", "note"])


def _line(years: np.ndarray, values: np.ndarray) -> tuple[float, float, str]:
    """Slope, its standard error, and why one of them is missing."""
    centred = years - years.mean() if len(years) else years
    sum_of_squares = float(centred @ centred)
    if len(np.unique(years)) < 2:
        reason = {0: "no visit with a value", 1: "one visit"}.get(len(years), "all visits at the same time")
        return np.nan, np.nan, reason
    slope = float(centred @ values) / sum_of_squares
    if len(years) == 2:
        return slope, np.nan, "two visits: no error of its own"
    residuals = values - values.mean() - slope * centred
    return slope, float(np.sqrt(residuals @ residuals / (len(years) - 2) / sum_of_squares)), ""
