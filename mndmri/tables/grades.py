"""Grades of scans, as school marks: 1 is excellent, 6 is unacceptable.

A mark is linear in a measure of quality, as in CAT12 (Dahnke and Gaser, ``cat_stat_marks``): for a T1-weighted scan its
limits are CAT12's, and the mark of the scan is the power mean (exponent 8) of those of resolution and noise, which the
worse of the two decides. The mark of a diffusion series is that of its motion, 4.5 at the config's limit.
"""

from typing import Any

import numpy as np
import pandas as pd

MARK = "mark"
# Measure, and its values at the marks 1 and 6; mark by the name that it has in qc.tsv.
_OF_T1W = {
    "mark_resolution": ("resolution_rms", 0.5, 3.0),
    "mark_noise": ("noise_to_contrast", 0.0466, 0.3949),
    "mark_bias": ("inhomogeneity_to_contrast", 0.2178, 1.1169),
}
_TOGETHER, _EXPONENT = ("mark_resolution", "mark_noise"), 8
_MOTION, _MARK_AT_LIMIT = "mean_fd", 4.5
_BEST, _WORST = 1.0, 6.0
_ENDS = (0.5, 9.5)
_LETTERS = [f"{letter}{sign}" for letter in "ABCDE" for sign in ("+", "", "\N{MINUS SIGN}")]
PARTS = {"t1w": {"mark_resolution": "resolution", "mark_noise": "noise", "mark_bias": "bias"}, "dwi": {}}
"""Parts of the grade of each modality, and what they are called."""


def letter(mark: float) -> str:
    """School mark as a letter: 0.5 is A+, 1 is A, 2 is B, 5.5 and more is F; empty if it is missing."""
    if not np.isfinite(mark):
        return ""
    # three steps a mark, halves upwards
    step = int(np.floor(3 * mark - 0.5))
    return _LETTERS[max(step, 1) - 1] if step <= len(_LETTERS) else "F"


def percent(mark: float) -> float:
    """Mark as a percentage: 100 at 0.5 and better, 95 at 1, 45 at 6, and 0 from 10.5."""
    return float(np.clip(105 - 10 * mark, 0, 100))


def grade_rows(qc: pd.DataFrame, *, max_motion_mm: float | None) -> pd.DataFrame:
    """Marks of every scan.

    Parameters
    ----------
    qc : DataFrame
        Quality measures of everybody: ``participant_id, modality, measure, value`` and, where a value is missing, the
        reason in ``status``.
    max_motion_mm : float, optional
        Limit of mean framewise displacement, the config's ``qc.max_mean_fd_mm``; without one motion has no mark.

    Returns
    -------
    DataFrame
        As the input: a row for each mark, and ``mark``, of the scan; none of a scan without their measures.
    """
    rows: list[dict[str, Any]] = []
    for _, own in qc.groupby("participant_id", sort=False):
        rows += _of_t1w(own)
        if max_motion_mm:
            limit = max_motion_mm * (_WORST - _BEST) / (_MARK_AT_LIMIT - _BEST)
            rows += [_mark(MARK, source, 0.0, limit) for source in _named(own, "dwi", _MOTION)]
    return pd.DataFrame(rows, columns=list(dict.fromkeys([*qc.columns, "status"])))


def _of_t1w(own: pd.DataFrame) -> list[dict[str, Any]]:
    """Marks of the parts of a person's T1w image, and the one of all of it."""
    marks = {
        name: _mark(name, source, best, worst)
        for name, (measure, best, worst) in _OF_T1W.items()
        for source in _named(own, "t1w", measure)
    }
    parts = [marks[name] for name in _TOGETHER if name in marks]
    if len(parts) < len(_TOGETHER):
        return list(marks.values())
    value = np.mean([part["value"] ** _EXPONENT for part in parts]) ** (1 / _EXPONENT)
    missing = [part for part in parts if not np.isfinite(part["value"])]
    return [*marks.values(), {**(missing or parts)[0], "measure": MARK, "value": value}]


def _named(own: pd.DataFrame, modality: str, measure: str) -> list[dict[str, Any]]:
    return own[(own["modality"] == modality) & (own["measure"] == measure)].to_dict("records")


def _mark(name: str, source: dict[str, Any], best: float, worst: float) -> dict[str, Any]:
    value = np.clip(_BEST + (_WORST - _BEST) * (source["value"] - best) / (worst - best), *_ENDS)
    return {**source, "measure": name, "value": value, "unit": "1"}
