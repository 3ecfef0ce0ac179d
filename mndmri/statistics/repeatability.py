"""Repeatability of every measure, from scans of the same person that are close in time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.statistics.agreement import intraclass_correlation
from mndmri.statistics.changes import usable_visits
from mndmri.tables.dictionaries import column_names, dictionary
from mndmri.tables.measures import KEY

_FEWEST = 2  # people from whom repeatability is estimated
_ROUNDING = 1e-6  # months: 20.1 - 20 is more than 0.1
_DESCRIPTIONS = {
    "modality": "Kind of image measured; clinical: a score of the visits table.",
    "measure": "What was measured.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "unit": "Unit of the mean, within_sd with its limits, and mdc.",
    "n_people": "People with two or more visits at most visits.rescan_months apart.",
    "n_visits": "Their visits.",
    "mean": "Mean of the people's means.",
    "within_sd": "Standard deviation within a person.",
    "within_sd_low": "Lower confidence limit of it, by the chi-square distribution.",
    "within_sd_high": "Upper confidence limit of it.",
    "cv_percent": "Coefficient of variation, within_sd in percent of the mean; meaningful where 0 is the absence of "
    "what is measured.",
    "icc": "Intraclass correlation of single scans, absolute agreement, ICC(A,1), of each person's first two.",
    "icc_low": "Lower confidence limit of the ICC.",
    "icc_high": "Upper confidence limit of the ICC.",
    "mdc": "Minimal detectable change between two scans of a person, at the level of the intervals.",
    "note": "Why numbers are missing.",
}


def repeatability_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of repeatability."""
    return dictionary("Repeatability of every measure, of scans and rescans", _DESCRIPTIONS)


def repeatability_table(measures: pd.DataFrame, *, rescan_months: float, alpha: float = 0.05) -> pd.DataFrame:
    """Agreement of each measure between scans of the same person that are close in time.

    Parameters
    ----------
    measures : DataFrame
        Measures of all visits, as in `mndmri.statistics.changes.changes_table`.
    rescan_months : float
        Visits at most this long after the first of them are rescans of it; of each person the first such visits are
        used.
    alpha : float
        One minus the coverage of the intervals.

    References
    ----------
    Bland and Altman 1996, BMJ 312:1654 (within-subject standard deviation and repeatability); McGraw and Wong 1996,
    Psychol Methods 1:30 (ICC(A,1)).
    """
    rows = []
    for key, own in measures.groupby(KEY, sort=False):
        repeats = list(_repeats(usable_visits(own), rescan_months))
        row = {**dict(zip(KEY, key, strict=True)), "unit": own["unit"].iloc[0], "n_people": len(repeats)}
        row["n_visits"] = sum(map(len, repeats))
        if len(repeats) < _FEWEST:
            few = f"fewer than {_FEWEST} people with visits at most {rescan_months:g} months apart"
            rows.append({**row, "note": few})
            continue
        rows.append(row | _agreement(repeats, alpha=alpha))
    return pd.DataFrame(rows, columns=column_names(repeatability_dictionary()))


def _repeats(visits: pd.DataFrame, most: float) -> Iterator[np.ndarray]:
    """Values of each person's first visits that are close in time."""
    for _, own in visits.sort_values("months", kind="stable").groupby("participant_id"):
        months, values = own["months"].to_numpy(float), own["value"].to_numpy(float)
        for first in range(len(months) - 1):
            close = (months >= months[first]) & (months - months[first] <= most + _ROUNDING)
            close[:first] = False
            if close.sum() > 1:
                yield values[close]
                break


def _agreement(repeats: list[np.ndarray], *, alpha: float) -> dict[str, Any]:
    mean = float(np.mean([own.mean() for own in repeats]))
    squares = sum(float(((own - own.mean()) ** 2).sum()) for own in repeats)
    df = sum(len(own) - 1 for own in repeats)
    within = np.sqrt(squares / df)
    low, high = (np.sqrt(squares / stats.chi2.isf(share, df)) for share in (alpha / 2, 1 - alpha / 2))
    icc = intraclass_correlation(np.array([own[:2] for own in repeats]), alpha=alpha)
    return {
        "mean": mean,
        "within_sd": within,
        "within_sd_low": low,
        "within_sd_high": high,
        "cv_percent": 100 * within / abs(mean) if mean else np.nan,
        "icc": icc.interval.estimate,
        "icc_low": icc.interval.low,
        "icc_high": icc.interval.high,
        "mdc": stats.norm.isf(alpha / 2) * np.sqrt(2) * within,
        "note": icc.problem or "",
    }
