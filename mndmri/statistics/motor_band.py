"""The motor band score, 0 to 12: six regions compared with the limits of controls."""

from typing import Any

import numpy as np
import pandas as pd

from mndmri.statistics.band_norms import Banded, band_of
from mndmri.statistics.prevalence import NOT_ASSESSABLE, SCORE
from mndmri.tables.band_norms import CONTRAST, MIN_CONTROLS, PARTS
from mndmri.tables.measures import GROUP_COLUMNS, OK, row
from mndmri.tables.protocols import KIND

_SCORED = (SCORE["modality"], SCORE["measure"])


def learn_cutoffs(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    reference: str | None,
    protocols: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Limits of the band's contrast that the reference group rarely exceeds.

    Parameters
    ----------
    measures, participants, protocols : DataFrame
        As in `mndmri.statistics.band_norms.band_of`.
    reference : str or None
        The group of the controls.

    Returns
    -------
    DataFrame
        For each kind of scan a row for each of `PARTS`, and for the index where it was measured; columns as in
        `mndmri.tables.band_norms.cutoffs_dictionary`. The limits are missing where fewer than `MIN_CONTROLS` have a
        value. Written as a table it can be the norms of another study of the same scan.

    Raises
    ------
    InputError
        If a column is missing, or a participant or a row is there twice.

    Notes
    -----
    Prediction limits of one more control (Hahn 1970, J Am Stat Assoc 65:1668), so that few controls make them wide and
    not too low. Both sides share the mean and the standard deviation, so that swapped sides swap the score. Two sides
    are not two people, unless they vary on their own: the degrees of freedom, and the error of the mean, follow from
    the correlation of the sides (Satterthwaite 1946, Biometrics Bull 2:110), which is estimated from all regions
    together, with one standard error added. No limit lies below `MILD_CONTRAST` and `MARKED_CONTRAST`.
    """
    return band_of(measures, participants, protocols=protocols).cutoffs(reference)


def score_motor_band(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    reference: str | None,
    norms: pd.DataFrame | None = None,
    protocols: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Motor band score of every participant: none, mild or marked (0, 1, 2) in six regions, and their sum.

    Parameters
    ----------
    measures, participants, reference, protocols
        As in `learn_cutoffs`. Who was scanned in another way than all of those whom the limits come from (vendor SWI,
        homodyne SWI, magnitude) is not assessable.
    norms : DataFrame, optional
        Cut-offs of another study, as `learn_cutoffs` returns them, or of several
        (`mndmri.statistics.band_norms.pool_norms`); by default those of this study's controls, of whom each is judged
        by the others. Patients never have a part in them.

    Returns
    -------
    DataFrame
        Columns `mndmri.tables.measures.GROUP_COLUMNS`; for each participant the measure ``motor_band_score`` of
        `PARTS`, L and R (0 to 2), and of the row `prevalence.SCORE` (0 to 12). What cannot be judged has the status
        ``not assessable`` with its reason.

    Raises
    ------
    InputError
        As `learn_cutoffs`, or if the norms are no such table.

    Notes
    -----
    After the motor cortex low intensity (MCLI) score of human raters: isointense, hypointense or markedly
    hypointense. There is no total over fewer than six regions. Such a sum is not on the scale of 12 from which
    the sign's threshold was taken, and counting a region that was not seen as free of a band would turn a poor
    scan into a healthy one; the status gives the sum of the others instead.
    """
    band = band_of(measures, participants, protocols=protocols)
    limits = band.limits(reference, norms)
    scored = []
    for who in participants["participant_id"]:
        lines = _score(band, who, limits[who])
        scored += [{"participant_id": who, "group": band.groups[who], **line} for line in lines]
    return pd.DataFrame(scored, columns=GROUP_COLUMNS)


def add_motor_band(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    reference: str | None,
    norms: pd.DataFrame | None = None,
    protocols: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measures with the rows of `score_motor_band` below them, and the cut-offs that the scores rest on.

    Parameters and errors are those of `score_motor_band`.
    """
    options: dict[str, Any] = {"reference": reference, "protocols": protocols}
    scores = score_motor_band(measures, participants, norms=norms, **options)
    cutoffs = learn_cutoffs(measures, participants, **options) if norms is None else norms
    return pd.concat([measures, scores], ignore_index=True), cutoffs


def _why_not(kind: object, limits: pd.DataFrame, limit: pd.Series | None) -> str | None:
    """Why a region with a value cannot be judged, None if it can."""
    if limit is None:
        kinds = ", ".join(dict.fromkeys(limits[KIND].astype(str)))
        return f"the limits are of scans of the kind {kinds}, this one is {kind}: kinds do not share limits"
    if np.isnan(limit["mild_above"]):
        of_kind = f" with a scan of the kind {kind}" if len(set(limits[KIND])) > 1 else ""
        return f"{limit['n']} controls{of_kind} to compare with, at least {MIN_CONTROLS} needed"
    return None


def _score(band: Banded, who: str, limits: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of one person: six regions, and their sum."""
    kind = band.protocols.at[who, KIND]
    own = limits[(limits[KIND] == kind) & (limits["measure"] == CONTRAST[1])].set_index("region")
    regions = [(part, hemi) for part in PARTS for hemi in "LR"]
    values, reasons, n_voxels = (table.loc[who, CONTRAST[1]] for table in band[:3])
    lines: list[dict[str, Any]] = []
    scores: list[float] = []
    problems: dict[str, list[str]] = {}
    for part, hemi in regions:
        value, n = float(values[part, hemi]), int(n_voxels[part, hemi])
        limit = own.loc[part] if part in own.index else None
        reason = reasons[part, hemi] if np.isnan(value) else _why_not(kind, limits, limit)
        if reason is None and limit is not None:
            scores.append(float(value > limit["mild_above"]) + float(value > limit["marked_above"]))
            lines.append(_line(part, hemi, scores[-1], n, OK))
        else:
            problems.setdefault(str(reason), []).append(f"{part} {hemi}")
            lines.append(_line(part, hemi, np.nan, n, f"{NOT_ASSESSABLE}: {reason}"))
    total, status = sum(scores), OK
    if problems:
        told = [
            reason if len(where) == len(regions) else f"{reason} ({', '.join(where)})"
            for reason, where in problems.items()
        ]
        told += [f"the others add up to {total:g}"] if scores else []
        total, status = np.nan, f"{NOT_ASSESSABLE}: {'; '.join(told)}"
    lines.append(_line(SCORE["region"], SCORE["hemi"], total, int(n_voxels.sum()), status))
    return lines


def _line(region: str, hemi: str, score: float, n_voxels: int, status: str) -> dict[str, Any]:
    return row(*_SCORED, region, hemi, score, unit="1", n_voxels=int(n_voxels), status=status)
