"""The motor band index: how dark the band of a person is, in standard deviations of controls, with its interval."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from mndmri.statistics.band_norms import Banded, Spread, band_of, spread_of
from mndmri.statistics.samples import NO_SPREAD
from mndmri.tables.band_norms import INDEX, INDEX_REGION, MIN_CONTROLS
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.protocols import KIND, differences

ERROR = "band_index_error"
_SIDES = ("L", "R", "both")
_N_POINTS = 2000
_INDEX = {
    "participant_id": "Participant.",
    "group": "Study group.",
    "hemi": "Side of the participant's body: L, R, or both: mean of the two.",
    "value": "band_index of measures.tsv: mean of band_darkness over leg, hand and face.",
    "ci_low": "Lower limit of 95% of the value, by the noise of the scan (band_index_error).",
    "ci_high": "Upper limit.",
    "w": "Index: the value less the controls' mean, in standard deviations of the controls (of a side, or of the mean "
    "of both). Controls of this study are compared with the others of them. Not adjusted for covariates, as "
    "deviations.tsv is.",
    "w_low": "Lower limit of 95% of the index, by the noise of the scan and the number of controls.",
    "w_high": "Upper limit.",
    "n_controls": "Controls compared with.",
    "note": "Why a number is missing; an age beyond the controls'; in what the scan was made otherwise than theirs, "
    "which stand in brackets.",
}


def index_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of the index."""
    return dictionary("Motor band index of every person against the controls", _INDEX)


def index_table(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    reference: str | None,
    norms: pd.DataFrame | None = None,
    protocols: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Motor band index of everybody, each side and both, with intervals of 95%.

    Parameters
    ----------
    measures, participants, reference, norms, protocols
        As in `mndmri.statistics.motor_band.score_motor_band`; of the measures also the rows ``band_index_error``.

    Returns
    -------
    DataFrame
        Three rows a person; columns as in `index_dictionary`.

    Raises
    ------
    InputError
        As `mndmri.statistics.motor_band.score_motor_band`.

    Notes
    -----
    The limits are those of the noncentral t distribution (Crawford and Garthwaite 2002, Neuropsychologia 40:1196, for a
    person without error), with the variance of the person's own error added to that of the controls' mean.
    """
    band = band_of(measures, participants, protocols=protocols)
    own = measures[(measures["modality"] == INDEX[0]) & measures["measure"].isin([INDEX[1], ERROR])]
    rows = own.set_index(["participant_id", "measure", "hemi"])
    limits = band.limits(reference, norms)
    table = []
    for who in participants["participant_id"]:
        lines = _person(band, who, rows, limits[who])
        table += [{"participant_id": who, "group": band.groups[who], **line} for line in lines]
    return pd.DataFrame(table, columns=list(_INDEX))


def _person(band: Banded, who: str, rows: pd.DataFrame, limits: pd.DataFrame) -> list[dict[str, Any]]:
    kind = band.protocols.at[who, KIND]
    alike = limits[limits[KIND] == kind]
    found = alike[(alike["measure"] == INDEX[1]) & (alike["region"] == INDEX_REGION)]
    row = found.iloc[0] if len(found) else None
    notes = []
    if len(alike):
        theirs = alike.iloc[0] if row is None else row
        notes = _beyond(band.ages[who], theirs) + differences(band.protocols.loc[who].to_dict(), theirs)
    lines = []
    for hemi in _SIDES:
        line: dict[str, Any] = {"hemi": hemi}
        if (who, INDEX[1], hemi) not in rows.index:
            lines.append(line | {"note": "no row in the table"})
            continue
        value, error = (float(rows.at[(who, name, hemi), "value"]) for name in (INDEX[1], ERROR))
        if np.isnan(value):
            lines.append(line | {"note": rows.at[(who, INDEX[1], hemi), "status"]})
            continue
        half = float(stats.norm.isf(0.025)) * error
        line |= {"value": value, "ci_low": value - half, "ci_high": value + half}
        against = _against(value, error, kind, row, hemi)
        lines.append(line | against | {"note": "; ".join([against["note"]] * bool(against["note"]) + notes)})
    return lines


def _against(value: float, error: float, kind: str, row: pd.Series | None, hemi: str) -> dict[str, Any]:
    """Index of a value against the controls of a row of the cut-offs."""
    if row is None:
        return {"n_controls": 0, "note": f"the norms have no index of scans of the kind {kind}"}
    n = int(row["n_both" if hemi == "both" else "n"])
    if n < MIN_CONTROLS:
        return {"n_controls": n, "note": f"{n} controls with a scan of the kind {kind}, at least {MIN_CONTROLS} needed"}
    norm = norm_of(row, hemi)
    if not norm.sd > NO_SPREAD * abs(norm.mean):
        return {"n_controls": n, "note": "the controls do not vary"}
    w = (value - norm.mean) / norm.sd
    if np.isnan(error):
        return {"w": w, "n_controls": n, "note": "no interval: the value has no standard error"}
    low, high = w_interval(w, np.hypot(np.sqrt(norm.mean_share), error / norm.sd), norm.freedom)
    return {"w": w, "w_low": low, "w_high": high, "n_controls": n, "note": ""}


def norm_of(row: pd.Series, hemi: str) -> Spread:
    """How the index of a side, or the mean of both, varies in the controls of a row of the cut-offs."""
    if hemi != "both":
        return spread_of(row)
    n = int(row["n_both"])
    # squares of the means of two sides: half of the mean of their squares and products
    variance = n * row["sd_both"] ** 2 * (1 + row["sides_r"]) / 2 / (n - 1)
    return Spread(float(row["mean_both"]), float(np.sqrt(variance)), n - 1, 1 / n)


def w_interval(w: float, error: float, freedom: float, *, alpha: float = 0.05) -> tuple[float, float]:
    """Limits of a standardised distance, whose scale has been estimated.

    Parameters
    ----------
    w : float
        Distance from the estimated mean in estimated standard deviations.
    error : float
        Standard error of the distance apart from that of the scale, in standard deviations.
    freedom : float
        Degrees of freedom of the standard deviation.

    Notes
    -----
    Estimated over true standard deviation is the root of chi2/df, so that the true distance is distributed as w times
    that root plus error times a normal deviate; of this the quantiles are taken. They are the limits that the
    noncentral t distribution gives, without its trouble far out.
    """
    chances = (np.arange(_N_POINTS) + 0.5) / _N_POINTS
    centres = w * np.sqrt(stats.chi2.ppf(chances, freedom) / freedom)

    def limit(chance: float) -> float:
        ends = centres.min() - 10 * error, centres.max() + 10 * error
        return float(optimize.brentq(lambda x: stats.norm.cdf((x - centres) / error).mean() - chance, *ends))

    return limit(alpha / 2), limit(1 - alpha / 2)


def _beyond(age: float, row: Mapping[str, Any] | pd.Series) -> list[str]:
    """Note on an age that the controls do not have."""
    low, high = row["age_from"], row["age_to"]
    if np.isnan(age) or pd.isna(low) or low <= age <= high:
        return []
    return [f"aged {age:g}, the controls are {low:g} to {high:g}"]
