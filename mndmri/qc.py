"""What a person should look at: quality measures outside their limits, and unlikely values.

Nothing here leaves anyone out. A flag asks for a look; exclusion is a person's decision.
"""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from mndmri.io import InputError

QC_COLUMNS = [
    "participant_id",
    "modality",
    "measure",
    "region",
    "hemi",
    "value",
    "unit",
    "lower",
    "upper",
    "flag",
    "reason",
]
FLAGGED = "yes"
NOT_FLAGGED = "no"

Limits = Mapping[str, tuple[float | None, float | None]]

# Lowest and highest value that passes without a look; None is no limit on that side.
DEFAULT_LIMITS: dict[str, tuple[float | None, float | None]] = {
    "brain_volume": (1000.0, 2000.0),  # ml
    "dice_gm": (0.75, None),  # grey matter against the template's after registration
    "mean_fd": (None, 1.0),  # mm, framewise displacement on a 50 mm sphere
    "neighbour_correlation": (0.6, None),  # of neighbouring diffusion-weighted volumes
    "outlier_slice_fraction": (None, 0.05),
    "callosal_fa": (0.5, None),
    "cst_fraction_above_min_fa": (0.6, None),
    "level_coverage": (0.8, None),  # of a level of the tract by the field of view
}
ROBUST_Z_LIMIT = 3.5  # Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers
# Scales the median absolute deviation to the standard deviation of a normal distribution.
_MAD_TO_SD = 1.482602218505602
# With fewer values, the median deviation says nothing on a value's place among the others.
MIN_GROUP_FOR_OUTLIERS = 5


def _judge(value: float, lower: float | None, upper: float | None) -> str:
    """Why a value needs a look; empty if it does not."""
    if lower is not None and value < lower:
        return f"{value:.4g} is below {lower:g}"
    if upper is not None and value > upper:
        return f"{value:.4g} is above {upper:g}"
    return ""


def qc_table(qc_rows: pd.DataFrame, limits: Limits = DEFAULT_LIMITS) -> pd.DataFrame:
    """Quality measures with their limits, and a flag on those outside.

    Parameters
    ----------
    qc_rows : DataFrame
        ``participant_id, modality, measure, region, hemi, value, unit`` and, where a value is missing, the
        reason in ``status``.
    limits : mapping
        Measure to the lowest and highest value that pass, both included; None for no limit.

    Returns
    -------
    DataFrame
        Columns `QC_COLUMNS`, every row of the input in its order. ``flag`` is ``yes``, ``no``, or missing
        where there is no value to judge; ``reason`` says what is wrong or why there is no value. A measure
        without limits is never flagged.

    Raises
    ------
    InputError
        If a lower limit is above the upper one.
    """
    for measure, (low, high) in limits.items():
        if low is not None and high is not None and low > high:
            raise InputError(f"qc limits of {measure}: the lower, {low:g}, is above the upper, {high:g}")
    rows = []
    for record in qc_rows.to_dict("records"):
        lower, upper = limits.get(record["measure"], (None, None))
        if np.isfinite(record["value"]):
            reason = _judge(record["value"], lower, upper)
            flag = FLAGGED if reason else NOT_FLAGGED
        else:
            flag, reason = None, record.get("status", "no value")
        rows.append(record | {"lower": lower, "upper": upper, "flag": flag, "reason": reason})
    table = pd.DataFrame(rows, columns=QC_COLUMNS)
    return table.astype({"value": float, "lower": float, "upper": float})


def robust_outliers(measures: pd.DataFrame, primary: Collection[tuple[str, str, str]]) -> pd.DataFrame:
    """Robust z of every participant on the primary measures, flagged beyond 3.5.

    z = (value - median) / (1.4826 MAD), within the participant's own group: what sets a patient apart
    from controls is what the study looks for, not a fault of the scan.

    Parameters
    ----------
    measures : DataFrame
        The study's measures table.
    primary : collection of (modality, measure, region)

    Returns
    -------
    DataFrame
        Columns `QC_COLUMNS`; ``measure`` is ``robust_z_<measure>``, ``value`` is z (unit 1). Groups with
        fewer than 5 values, or whose values are mostly equal, have no z: flag missing, and the reason.
    """
    wanted = set(primary)
    kinds = list(zip(measures["modality"], measures["measure"], measures["region"], strict=True))
    chosen = measures[[kind in wanted for kind in kinds]]
    rows = []
    for _, group in chosen.groupby(["modality", "measure", "region", "hemi", "group"], sort=False):
        values = group["value"].to_numpy(float)
        known = values[np.isfinite(values)]
        median = np.median(known) if known.size else np.nan
        spread = _MAD_TO_SD * np.median(np.abs(known - median)) if known.size else np.nan
        for record, value in zip(group.to_dict("records"), values, strict=True):
            z, flag, reason = np.nan, None, ""
            if not np.isfinite(value):
                reason = str(record["status"])
            elif known.size < MIN_GROUP_FOR_OUTLIERS:
                reason = (
                    f"not judged: group {record['group']} has {known.size} of {MIN_GROUP_FOR_OUTLIERS} values"
                )
            elif spread == 0:
                reason = f"not judged: most values in group {record['group']} are equal"
            else:
                z = (value - median) / spread
                flag = FLAGGED if abs(z) > ROBUST_Z_LIMIT else NOT_FLAGGED
                if flag == FLAGGED:
                    reason = f"{value:.4g} is far from the median of group {record['group']}, {median:.4g}"
            rows.append(
                record
                | {"measure": f"robust_z_{record['measure']}", "value": z, "unit": "1", "flag": flag}
                | {"lower": -ROBUST_Z_LIMIT, "upper": ROBUST_Z_LIMIT, "reason": reason}
            )
    return pd.DataFrame(rows, columns=QC_COLUMNS)
