"""Survival of the patients by each measure: Cox's proportional hazards."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import stats
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from mndmri.io import InputError
from mndmri.statistics.families import corrected, is_primary
from mndmri.statistics.models import covariate_columns
from mndmri.statistics.samples import (
    NO_OTHERS,
    NO_SPREAD,
    count_reasons,
    covariates_for,
    each_measure,
    own_columns,
    patient_groups,
    select_people,
)
from mndmri.tables.dictionaries import dictionary

MIN_EVENTS = 5  # of each term of a model; with fewer, hazard ratios lean away from 1 (Vittinghoff and McCulloch 2007)
ALONE, ADJUSTED = "alone", "adjusted"
_LARGEST = 10  # logarithm of a hazard ratio of one standard deviation; beyond it the likelihood has no maximum
_DESCRIPTIONS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side: L, R, both; contra, ipsi or mean with a side of onset.",
    "model": f"{ALONE}: the measure. {ADJUSTED}: the measure and the terms named in adjusted_for. Patients of several "
    "groups are strata, each with a baseline hazard of its own.",
    "adjusted_for": "Other terms of the model.",
    "n": "Patients in the model.",
    "n_events": "Events among them.",
    "n_missing": "Patients without the measure, the time, the event or a term.",
    "sd": "Standard deviation of the measure in them.",
    "hazard_ratio": "Of a patient with a value that is one sd higher.",
    "ci_low": "Lower confidence limit (Wald).",
    "ci_high": "Upper confidence limit.",
    "statistic": "z of the logarithm of the hazard ratio.",
    "p": "Two-sided, not corrected.",
    "q_fdr": "p after Benjamini-Hochberg, over the primary measures of a model.",
    "p_proportional": "Of the correlation of the measure's scaled Schoenfeld residuals with the rank of time (Grambsch "
    "and Therneau): small where the measure's own hazard ratio changes with time. Missing with fewer than four events, "
    "or all at one time.",
    "note": f"Left out, why a number is missing, and fewer than {MIN_EVENTS} events a term.",
}


def survival_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of survival."""
    return dictionary("Survival of the patients by each measure, Cox's model", _DESCRIPTIONS)


def survival_table(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    time: str,
    event: str,
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    primary: Sequence[Mapping[str, str]] | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Hazard ratio of every measure in the patients, alone and adjusted.

    Efron's handling of ties, Wald's limits.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value, status.
    participants : DataFrame
        participant_id, group, ``time`` (above 0, from the scan), ``event`` (1 if it was seen, 0 if the patient was
        censored) and the covariates.
    groups : sequence of str
    reference : str or None
        Those who are not patients; without one everybody is.
    time, event : str
        Columns.
    covariates : sequence of str
        Terms beside the measure, numbers or categories: age, the rate of progression, bulbar onset.
    measure_covariates : mapping
        More terms for some measures, as in `mndmri.tables.covariates.covariates_of`.
    primary : sequence of mapping, optional
        The family of the false discovery rate.
    alpha : float
        One minus the coverage of the intervals.

    Raises
    ------
    InputError
        If a column is missing, a time is not above 0, or an event is neither 0 nor 1.

    References
    ----------
    Cox 1972, J R Stat Soc B 34:187; Efron 1977, J Am Stat Assoc 72:557; Grambsch and Therneau 1994, Biometrika 81:515.
    """
    patients = patient_groups(groups, reference)
    terms = [name for name in covariates if name not in (time, event)]
    own = own_columns(participants, measure_covariates)
    wanted = list(dict.fromkeys([time, event, *terms, *own]))
    people = select_people(participants, groups=patients, covariates=wanted)
    _check(people, time, event)
    rows = []
    for measured in each_measure(measures, people):
        names, absent = covariates_for(measured.key, people, covariates=terms, chosen=measure_covariates)
        for model, adjusted in ((ALONE, []), *([(ADJUSTED, names)] if names else [])):
            data = people.assign(value=measured.values)[["group", time, event, *adjusted, "value"]]
            reasons = measured.reasons.where(measured.values.isna(), "")
            for name in (time, event, *adjusted):
                reasons = reasons.mask((reasons == "") & people[name].isna(), f"no {name}")
            data = data[reasons == ""]
            row = measured.key | {
                "model": model,
                "adjusted_for": ", ".join(adjusted),
                "n_missing": len(people) - len(data),
            }
            notes = [*count_reasons("left out", reasons[reasons != ""]), *(absent if model == ADJUSTED else [])]
            result = _cox(data, time, event, adjusted, alpha=alpha)
            notes += [result.pop("note")] if "note" in result else []
            rows.append(row | result | {"note": "; ".join(notes)})
    table = pd.DataFrame(rows, columns=list(_DESCRIPTIONS))
    table["q_fdr"] = corrected(table[is_primary(table, primary)], ["model"], stats.false_discovery_control)
    return table


def _check(people: pd.DataFrame, time: str, event: str) -> None:
    for name in (time, event):
        if not is_numeric_dtype(people[name]):
            raise InputError(
                f"survival: the column {name} is not one of numbers; write months, and 1 or 0 for the event"
            )
    if (bad := people.index[people[time] <= 0]).size:
        raise InputError(
            f"{bad[0]}: {time} is {people.loc[bad[0], time]:g}, expected a time above 0; correct it or write n/a"
        )
    if (bad := people.index[people[event].notna() & ~people[event].isin([0, 1])]).size:
        raise InputError(
            f"{bad[0]}: {event} is {people.loc[bad[0], event]:g}, expected 1 (seen) or 0 (censored); correct it"
        )


def _cox(data: pd.DataFrame, time: str, event: str, adjusted: Sequence[str], *, alpha: float) -> dict[str, Any]:
    """Cells of one model."""
    y = data["value"].to_numpy(float)
    row: dict[str, Any] = {"n": len(data), "n_events": int(data[event].sum())}
    if row["n_events"] < 2:
        return row | {"note": "fewer than two events"}
    if np.ptp(y) <= NO_SPREAD * np.abs(y).max():
        return row | {"note": "every value is the same"}
    row["sd"] = float(y.std(ddof=1))
    constant = [name for name in adjusted if data[name].nunique() < 2]
    others = [covariate_columns(data[name]).to_numpy() for name in adjusted if name not in constant]
    parts = [((y - y.mean()) / row["sd"])[:, None], *(part / part.std(axis=0) for part in others)]
    matrix = np.hstack(parts)
    if (
        np.linalg.matrix_rank(matrix - matrix.mean(axis=0), tol=1e-8) < matrix.shape[1]
        or len(data) <= matrix.shape[1] + 1
    ):
        return row | {"note": "the terms of the model follow from each other"}
    strata = data["group"].to_numpy() if data["group"].nunique() > 1 else None
    times, seen = data[time].to_numpy(float), data[event].to_numpy() == 1
    model = PHReg(times, matrix, status=seen.astype(int), strata=strata, ties="efron")
    nothing = {"note": "no estimate: a term foretells every event, or nobody was at risk beside those with one"}
    if not any(_compares(own[time].to_numpy(), own[event].to_numpy() == 1) for _, own in data.groupby("group")):
        return row | nothing
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = model.fit(disp=0)
    except np.linalg.LinAlgError:
        return row | nothing
    beta, error = float(fit.params[0]), float(fit.bse[0])
    if not (np.isfinite(fit.params).all() and np.isfinite(error)) or np.abs(fit.params).max() > _LARGEST:
        return row | nothing
    half = stats.norm.isf(alpha / 2) * error
    row |= dict(zip(("hazard_ratio", "ci_low", "ci_high"), np.exp([beta, beta - half, beta + half]), strict=True))
    row |= {"statistic": beta / error, "p": float(2 * stats.norm.sf(abs(beta / error)))}
    row["p_proportional"] = _proportional(fit, matrix, times, seen, data["group"].to_numpy())
    notes = [f"constant, not adjusted for: {', '.join(constant)}"] if constant else []
    if row["n_events"] < MIN_EVENTS * matrix.shape[1]:
        notes.append(f"fewer than {MIN_EVENTS} events for each of {matrix.shape[1]} terms")
    return row | ({"note": "; ".join(notes)} if notes else {})


def _compares(times: np.ndarray, seen: np.ndarray) -> bool:
    """Whether at the first event somebody was at risk who had none then; if not, no later event has such a one."""
    if not seen.any():
        return False
    first = times[seen].min()
    return bool(((times >= first) & ~(seen & (times == first))).any())


def _proportional(fit: Any, matrix: np.ndarray, times: np.ndarray, seen: np.ndarray, strata: np.ndarray) -> float:
    """P of the correlation of the first term's scaled Schoenfeld residuals with the rank of time; NaN for no test.

    Residuals as they are would show the changing hazard of any term that the first is correlated with. Multiplied by
    the covariance of the coefficients, they are of the term itself (Grambsch and Therneau 1994).
    """
    if seen.sum() <= 3 or np.ptp(times[seen]) == 0:
        return np.nan
    residuals = _schoenfeld(matrix, np.exp(matrix @ fit.params), times, seen, strata)[seen]
    scaled = residuals @ fit.cov_params()
    return float(stats.pearsonr(stats.rankdata(times[seen]), scaled[:, 0]).pvalue)


def _schoenfeld(
    matrix: np.ndarray, hazards: np.ndarray, times: np.ndarray, seen: np.ndarray, strata: np.ndarray
) -> np.ndarray:
    """Terms of each event less their mean in those at risk, shape (n, k); NaN without an event.

    Where several have an event at once, the mean is that of Efron's likelihood: those at risk as one after the other
    of them is counted out in part. (statsmodels' residuals leave them in, whatever the ties.)
    """
    residuals = np.full(matrix.shape, np.nan)
    for stratum in np.unique(strata):
        inside = strata == stratum
        for time in np.unique(times[inside & seen]):
            at_risk, tied = inside & (times >= time), inside & seen & (times == time)
            left_in = 1 - np.arange(tied.sum())[:, None] / tied.sum() * tied  # (events, n)
            weights = hazards * left_in * at_risk
            means = weights @ matrix / weights.sum(axis=1, keepdims=True)
            residuals[tied] = matrix[tied] - means.mean(axis=0)
    return residuals
