"""Rate of progression: points of a functional score lost per month."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from mndmri.io import InputError
from mndmri.statistics.samples import check_columns
from mndmri.tables.participants import PROGRESSION_RATE


def add_progression(participants: pd.DataFrame, progression: Mapping[str, Any] | None) -> pd.DataFrame:
    """Participants with the column `PROGRESSION_RATE`, if the config has ``progression``."""
    if progression is None:
        return participants
    return participants.assign(**{PROGRESSION_RATE: progression_rate(participants, **progression)})


def progression_rate(participants: pd.DataFrame, *, score: str, months: str, maximum: float = 48.0) -> pd.Series:
    """Points lost in a month since onset, (maximum - score) / months.

    Parameters
    ----------
    participants : DataFrame
    score : str
        Column of the functional score, 0 to ``maximum``; `maximum` is that of someone unaffected.
    months : str
        Column of the months from the first symptom to that score, above 0.
    maximum : float
        48 for the ALSFRS-R.

    Returns
    -------
    Series
        Points a month, 0 or more, with the index of ``participants``; NaN where `progression_reasons`
        has a reason.

    Raises
    ------
    InputError
        If a column is missing or is not of numbers.

    References
    ----------
    Kimura et al. 2006, Neurology 66:265.
    """
    reasons = progression_reasons(participants, score=score, months=months, maximum=maximum)
    usable = participants[reasons == ""]
    rate = (maximum - usable[score].astype(float)) / usable[months].astype(float)
    return rate.reindex(participants.index).rename(PROGRESSION_RATE)


def progression_reasons(participants: pd.DataFrame, *, score: str, months: str, maximum: float = 48.0) -> pd.Series:
    """Why someone has no `progression_rate`; empty where there is one.

    Parameters, index and errors are those of `progression_rate`.
    """
    check_columns(participants, [score, months])
    points, duration = clinical_numbers(participants, score), clinical_numbers(participants, months)
    reasons = np.select(
        [~np.isfinite(points), ~np.isfinite(duration), (points < 0) | (points > maximum), duration <= 0],
        [f"no {score}", f"no {months}", f"{score} not within 0 to {maximum:g}", f"{months} not above 0"],
        default="",
    )
    return pd.Series(reasons, participants.index, dtype=object)


def missing_rate_reasons(participants: pd.DataFrame, progression: Mapping[str, Any] | None) -> dict[str, pd.Series]:
    """`progression_reasons` by the name of the score, as `correlation_table` takes them; none without such a score."""
    return {} if progression is None else {PROGRESSION_RATE: progression_reasons(participants, **progression)}


def clinical_numbers(participants: pd.DataFrame, name: str) -> pd.Series:
    """Column of a clinical score as floats; NaN is missing.

    Raises
    ------
    InputError
        If it holds text.
    """
    column = participants[name]
    if column.notna().any() and (not is_numeric_dtype(column) or is_bool_dtype(column)):
        found = ", ".join(sorted(map(str, column.dropna().unique()))[:3])
        raise InputError(
            f"the clinical score '{name}' must be numbers; found {found}. "
            "Code it as numbers, leave what is missing n/a, or take it out of the clinical scores"
        )
    return column.astype(float)
