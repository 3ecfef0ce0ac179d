"""A user's own table of measures, completed for the statistics."""

import numpy as np
import pandas as pd

from mndmri.io import InputError
from mndmri.tables.measures import GROUP_COLUMNS, KEY, MEASURE_COLUMNS, OK, stack_measures
from mndmri.tables.words import name_people

NEEDED = ["participant_id", *KEY, "value"]
HEMIS = ("L", "R", "both")
# Columns that a table may lack: rows with a value are used, their unit is unknown.
_UNKNOWN = {"unit": "", "n_voxels": 0}


def _mixed_units(rows: pd.DataFrame) -> list[str]:
    """Measures whose values are in more than one unit."""
    problems = []
    for key, own in rows.groupby(KEY, sort=False):
        people = own.dropna(subset="unit").groupby("unit", sort=False)["participant_id"]
        if people.ngroups > 1:
            listed = ", ".join(f"'{unit}' in {name_people(list(ids))}" for unit, ids in people)
            problems.append(f"{' '.join(map(str, key))} is in {listed}; convert the values to one unit")
    return problems


def complete_measures(table: pd.DataFrame, participants: pd.DataFrame) -> pd.DataFrame:
    """Measures of everyone in the study, from a long table laid out as ``group/measures.tsv``.

    Parameters
    ----------
    table : DataFrame
        ``participant_id`` (with or without ``sub-``), ``modality``, ``measure``, ``region``, ``hemi``
        and ``value``; ``unit``, ``n_voxels`` and ``status`` if present. A value that is missing
        or infinite is a missing value.
    participants : DataFrame
        ``participant_id`` and ``group``; others are excluded.

    Returns
    -------
    DataFrame
        Columns `GROUP_COLUMNS`; every participant has every row that any participant has.

    Raises
    ------
    InputError
        With all problems of the table.
    """
    lacking = [name for name in NEEDED if name not in table.columns]
    if lacking:
        has = ", ".join(map(str, table.columns))
        raise InputError(
            f"the measures table has no column {', '.join(lacking)}; it has {has}. Lay it out as group/measures.tsv"
        )
    own = table.assign(
        participant_id=["sub-" + str(who).removeprefix("sub-") for who in table["participant_id"]],
        value=pd.to_numeric(table["value"], errors="coerce"),
    )
    own = own.assign(**{name: value for name, value in _UNKNOWN.items() if name not in own.columns})
    problems = [
        f"{row.participant_id}: {row.measure} {row.region} {row.hemi} is '{row.value}', expected a number or n/a"
        for row in table[own["value"].isna() & table["value"].notna()].itertuples()
    ]
    problems += [
        f"{row.participant_id}: {row.measure} {row.region} has hemi '{row.hemi}', expected L, R or both"
        for row in own[~own["hemi"].isin(HEMIS)].itertuples()
    ]
    for name in KEY[:3]:
        problems += [
            f"{row.participant_id}: a row has no {name}; name it" for row in own[own[name].isna()].itertuples()
        ]
    repeated = own.duplicated(["participant_id", *KEY])
    problems += [
        f"{row.participant_id}: {row.measure} {row.region} {row.hemi} is there twice; keep one row"
        for row in own[repeated].itertuples()
    ]
    problems += _mixed_units(own[np.isfinite(own["value"])])
    known = own["participant_id"].isin(participants["participant_id"])
    if not known.any():
        problems.append("none of its participants is in the participants table; use the same ids in both tables")
    if problems:
        raise InputError("the measures table cannot be used:\n" + "\n".join(f"  - {p}" for p in problems))

    finite = np.isfinite(own["value"])
    reason = own["status"] if "status" in own.columns else pd.Series(np.nan, own.index)
    reason = reason.where(reason.notna() & (reason != OK), "no value in the table").where(
        ~np.isinf(own["value"]), "infinite"
    )
    own = own.assign(status=np.where(finite, OK, reason), value=own["value"].where(finite))
    tables = {str(who): rows[MEASURE_COLUMNS] for who, rows in own[known].groupby("participant_id", sort=False)}
    return stack_measures(tables, participants, {})[GROUP_COLUMNS]
