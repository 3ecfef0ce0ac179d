"""Separation of two groups by one measure: area under the ROC curve, and sensitivity at a fixed specificity."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import linalg, optimize, special, stats

from mndmri.io import InputError
from mndmri.statistics.contrasts import POOLED, Contrast, list_contrasts
from mndmri.statistics.effect_sizes import UNKNOWN, Interval
from mndmri.statistics.families import corrected, is_primary
from mndmri.statistics.models import COLLINEAR, covariate_columns
from mndmri.statistics.samples import (
    NO_OTHERS,
    Measured,
    covariates_for,
    each_measure,
    own_columns,
    select_people,
    take_sample,
)
from mndmri.tables.dictionaries import dictionary

# Beyond this many in a group, R's wilcox.test too leaves the exact distribution for the normal one
_EXACT_BELOW = 50

_KEY_DESCRIPTIONS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "contrast": f"The two groups: the first is the positive class, the second the negative; {POOLED} is every patient.",
}
_TABLE_DESCRIPTIONS = _KEY_DESCRIPTIONS | {
    "n_positive": "Participants of the first group with a value.",
    "n_negative": "Participants of the second group with a value.",
    "n_missing": "Participants of the groups of the contrast without a value.",
    "direction": "Whether higher or lower values are positive: the direction declared in advance, in "
    "which upper-motor-neuron damage changes the measure, also between groups of patients; where none is declared, "
    "the direction in which the groups differ, as stated in the note.",
    "auc": "Area under the ROC curve in that direction, adjusted for no covariate but the measure's own (see note): "
    "the probability that a participant of the first group is beyond one of the second, ties counting half. Below 0.5, "
    "the difference is opposite to expectation.",
    "ci_low": "Lower confidence limit of the AUC (DeLong, on the logit scale).",
    "ci_high": "Upper confidence limit of the AUC.",
    "p": "Two-sided Mann-Whitney test, not corrected: exact where no values are tied and both groups have fewer than "
    f"{_EXACT_BELOW}, otherwise by the normal approximation with continuity correction.",
    "q_fdr": "p after Benjamini-Hochberg, over the primary measures at this contrast.",
    "threshold": "In the measure's unit. Values strictly beyond it are positive. Set on the second group alone: the "
    "nearest of its values with at least the specificity of the config.",
    "sensitivity": "Share of the first group beyond the threshold.",
    "sens_ci_low": "Lower confidence limit of the sensitivity at this threshold (Wilson).",
    "sens_ci_high": "Upper confidence limit of the sensitivity at this threshold.",
    "specificity": "Share of the second group not beyond the threshold, in the participants on whom it was set. In "
    "new ones "
    "it is on average n / (n + 1) of this, without ties: with 10 participants, 0.82 for 0.9.",
    "note": "Excluded participants, how a number was computed, and why one is missing.",
}
_POINTS_DESCRIPTIONS = _KEY_DESCRIPTIONS | {
    "false_positive_rate": "Share of the second group that is positive: 1 - specificity.",
    "true_positive_rate": "Share of the first group that is positive: sensitivity.",
    "note": "Why there is no curve, or that its direction was taken from the data.",
}


class Cutoff(NamedTuple):
    """A threshold, with sensitivity and specificity in the participants on whom it was set."""

    threshold: float  # values above it are positive
    sensitivity: Interval
    specificity: float


class Classification(NamedTuple):
    """The table of areas, and the curves of the primary measures."""

    table: pd.DataFrame
    points: pd.DataFrame


class _Split(NamedTuple):
    """A measure in the two groups of a contrast."""

    key: dict[str, str]
    contrast: str
    positive: np.ndarray
    negative: np.ndarray
    sign: int  # 1 if higher values are positive, -1 if lower, 0 if not known
    n_missing: int
    notes: list[str]
    problem: bool  # the last note says that there is no curve


def classification_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the classification table."""
    return dictionary("How well each measure alone separates the groups", _TABLE_DESCRIPTIONS)


def roc_points_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of ROC curves."""
    return dictionary("ROC curves of the primary measures", _POINTS_DESCRIPTIONS)


def auc_delong(positive: np.ndarray, negative: np.ndarray, *, alpha: float = 0.05, logit: bool = True) -> Interval:
    """Area under the ROC curve, with DeLong's interval.

    Parameters
    ----------
    positive, negative : array, shape (n,)
        Finite values; positives are expected to be higher. A group of one has no interval, an
        empty one no area: NaN.
    alpha : float
        One minus the coverage.
    logit : bool
        Whether the limits are set on the logit scale. If not they are estimate ± z SE, cut at 0
        and 1, as R's pROC gives them. In simulated groups of 13 and 10, 5 and 10, 13 and 5, 18
        and 10 with an area of 0.5 to 0.9, intervals of 95% contained it in 94.1 to 98.5% on the logit
        scale and in 84.3 to 94.7% without.

    Returns
    -------
    Interval
        In 0 to 1. An area of 0 or 1 has no variance by DeLong: its limits are those of
        Newcombe's score method. So completed, intervals of 95% in those groups had areas of 0.95
        and 0.98 in 96.8 to 98.2%.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837; by midranks: Sun and Xu 2014,
    IEEE Signal Process Lett 21:1389. Newcombe 2006, Stat Med 25:559 (method 5).
    """
    positive, negative = np.asarray(positive, float), np.asarray(negative, float)
    m, n = len(positive), len(negative)
    if min(m, n) == 0:
        return UNKNOWN
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    beaten_by_positive = (ranks[:m] - stats.rankdata(positive)) / n
    beating_negative = 1 - (ranks[m:] - stats.rankdata(negative)) / m
    auc = float(beaten_by_positive.mean())
    if min(m, n) == 1:
        return Interval(auc, math.nan, math.nan)
    if auc in (0, 1):
        reach = _reach_of_perfection(m, n, alpha=alpha)
        return Interval(1.0, 1 - reach, 1.0) if auc == 1 else Interval(0.0, 0.0, reach)
    error = math.sqrt(beaten_by_positive.var(ddof=1) / m + beating_negative.var(ddof=1) / n)
    half = stats.norm.isf(alpha / 2) * error
    if not logit:
        return Interval(auc, max(auc - half, 0.0), min(auc + half, 1.0))
    centre, half = special.logit(auc), half / (auc * (1 - auc))
    return Interval(auc, *(float(special.expit(limit)) for limit in (centre - half, centre + half)))


def _reach_of_perfection(m: int, n: int, *, alpha: float) -> float:
    """How far from 1 an area may be when every positive lay above every negative (Newcombe 2006)."""
    squared, size = stats.norm.isf(alpha / 2) ** 2, (m + n) / 2 - 1

    def excess(reach: float) -> float:
        area = 1 - reach
        return reach * m * n - squared * area * (1 + size * reach / (2 - area) + size * area / (1 + area))

    return optimize.brentq(excess, 0, 1)


def sensitivity_at(
    positive: np.ndarray, negative: np.ndarray, *, specificity: float = 0.9, alpha: float = 0.05
) -> Cutoff:
    """Threshold that keeps a specificity, and the sensitivity there with Wilson's interval.

    The threshold is the lowest value of the negatives that no more than 1 - ``specificity`` of
    them exceed. It does not depend on the positives, so that the number of them above it is
    binomial and the interval is that of a proportion: of the sensitivity of this threshold.
    In simulated groups of 5 to 18 an interval of 95% contained it in 93 to 96%. (An interval of
    the sensitivity at the threshold of the whole population would have to allow for the
    threshold's error too; the stratified bootstrap, meant for that, contained it in only 29 to 96%
    of the same groups: ten participants do not determine the 90th percentile.)

    Parameters
    ----------
    positive, negative : array, shape (n,)
        Finite values, at least one each; positives are expected to be higher.
    specificity : float
        Above 0, at most 1.
    alpha : float
        One minus the coverage.

    Raises
    ------
    InputError
        If the specificity is out of its range.

    References
    ----------
    Wilson 1927, J Am Stat Assoc 22:209.
    """
    if not 0 < specificity <= 1:
        raise InputError(f"the specificity is {specificity}; it has to be above 0 and at most 1, for example 0.9")
    # 0.7 x 10 must not become 8 of 10 by rounding
    kept = math.ceil(specificity * len(negative) - 1e-9)
    threshold = np.sort(negative)[kept - 1]
    found = stats.binomtest(int((positive > threshold).sum()), len(positive))
    limits = found.proportion_ci(1 - alpha, method="wilson")
    sensitivity = Interval(float(found.statistic), float(limits.low), float(limits.high))
    return Cutoff(float(threshold), sensitivity, float((negative <= threshold).mean()))


def classify(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    directions: Mapping[tuple[str, ...], int],
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    primary: Sequence[Mapping[str, str]] | None = None,
    specificity: float = 0.9,
    alpha: float = 0.05,
) -> Classification:
    """Separation of the groups of each contrast by each measure alone.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value, status. A value that is
        not finite is missing.
    participants : DataFrame
        participant_id and group. Who is in none of ``groups`` is left out.
    groups : sequence of str
    reference : str or None
        One of the groups: the one without damage.
    directions : mapping
        (modality, measure), or (modality, measure, region) where a region differs, to 1 if damage
        raises it, -1 if it lowers it, and 0 for none; `mndmri.tables.measures.DAMAGE_DIRECTION`.
    measure_covariates : mapping
        Covariates of some measures, as in `mndmri.tables.covariates.covariates_of`, taken out of them: by least
        squares in the reference group, for each of its participants in the others (leave-one-out).
    contrasts : sequence of pairs, optional
        Pairs of groups, the first the positive class; default all, the reference second.
    pooled : bool
        Also all patients together against the reference, where they are in several groups.
    primary : sequence of mapping, optional
        The family of the false discovery rate: each names a modality, measure, region and
        hemi, or some of these. Default every measure.
    specificity : float
        At which the threshold is set.
    alpha : float
        One minus the coverage of the intervals.

    Returns
    -------
    Classification
        ``table`` has a row per measure, region, side and contrast, explained in
        `classification_dictionary`; what cannot be computed is missing, with a note. ``points``
        has a row per point of each primary measure's ROC curve, from (0, 0) to (1, 1), explained in
        `roc_points_dictionary`; a curve that cannot be computed is one row without numbers, with a note.

    Raises
    ------
    InputError
        If a column or a group is missing, a participant is there twice, or the specificity is
        out of its range.
    """
    everyone = select_people(participants, groups=groups, covariates=own_columns(participants, measure_covariates))
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    people = {contrast: everyone[everyone["group"].isin([*contrast.left, *contrast.right])] for contrast in compared}
    rows: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    for measured in each_measure(measures, everyone):
        names, absent = covariates_for(measured.key, everyone, covariates=[], chosen=measure_covariates)
        adjusted, notes = regress_out(measured, everyone, covariates=names, reference=reference)
        kind = tuple(measured.key[name] for name in ("modality", "measure", "region"))
        declared = directions.get(kind, directions.get(kind[:2], 0))
        drawn = is_primary(pd.DataFrame([measured.key]), primary).all()
        for contrast in compared:
            # damage is in the patients, also where they are named second
            sign = -declared if contrast.left == (reference,) else declared
            split = _split(adjusted, people[contrast], contrast, sign, [*absent, *notes])
            rows.append(_classified(split, specificity=specificity, alpha=alpha))
            points += _curve(split) if drawn else []
    table = pd.DataFrame(rows, columns=list(_TABLE_DESCRIPTIONS))
    chosen = is_primary(table, primary)
    table["q_fdr"] = corrected(table[chosen], ["contrast"], stats.false_discovery_control)
    return Classification(table, pd.DataFrame(points, columns=list(_POINTS_DESCRIPTIONS)))


def _curve(split: _Split) -> list[dict[str, Any]]:
    """Points of a ROC curve, or one row with the reason why there is none."""
    row = split.key | {"contrast": split.contrast, "note": "; ".join(split.notes)}
    if split.problem:
        return [row]
    positive, negative = np.sort(split.sign * split.positive), np.sort(split.sign * split.negative)
    cuts = np.unique(np.concatenate([positive, negative, [np.inf]]))[::-1]
    shares = [1 - np.searchsorted(values, cuts) / len(values) for values in (negative, positive)]
    names = ("false_positive_rate", "true_positive_rate")
    return [row | dict(zip(names, point, strict=True)) for point in zip(*shares, strict=True)]


def regress_out(
    measured: Measured, people: pd.DataFrame, *, covariates: Sequence[str], reference: str
) -> tuple[Measured, list[str]]:
    """Measure without what covariates explain of it in the reference group, and a note.

    Least squares in the reference group; each of its participants is adjusted by the others (leave-one-out), so that
    nobody is adjusted by what was learnt from themselves. The mean of the reference group is kept.

    Parameters
    ----------
    measured : Measured
    people : DataFrame
        By id: group and the covariates.
    covariates : sequence of str
        Who lacks one has no value.
    reference : str
        Without two participants more than the model has terms, nothing is taken out.
    """
    if not covariates:
        return measured, []
    known = people[list(covariates)].notna().all(axis=1)
    values = measured.values.where(known)
    reasons = measured.reasons.mask(~known & measured.values.notna(), f"no {' or '.join(covariates)}")
    columns = [covariate_columns(people.loc[known, name]).to_numpy() for name in covariates]
    matrix = np.hstack([np.ones((int(known.sum()), 1)), *columns])
    y, learnt = values[known].to_numpy(), (people.loc[known, "group"] == reference).to_numpy()
    learnt &= np.isfinite(y)
    if learnt.sum() < matrix.shape[1] + 2:
        return measured, [f"not adjusted for {', '.join(covariates)}: too few in {reference}"]
    inverse = linalg.pinv(matrix[learnt], rtol=COLLINEAR)
    residuals = y - matrix @ (inverse @ y[learnt])
    residuals[learnt] /= np.maximum(1 - np.einsum("nk,kn->n", matrix[learnt], inverse), COLLINEAR)
    adjusted = values.copy()
    adjusted[known] = residuals + y[learnt].mean()
    return measured._replace(values=adjusted, reasons=reasons), [f"adjusted for {', '.join(covariates)}"]


def _split(
    measured: Measured, people: pd.DataFrame, contrast: Contrast, sign: int, adjustment: Sequence[str]
) -> _Split:
    own = measured._replace(values=measured.values[people.index], reasons=measured.reasons[people.index])
    sample = take_sample(own, people, groups=[*contrast.left, *contrast.right])
    positive, negative = sample.values(contrast.left), sample.values(contrast.right)
    problem = "a group of the contrast has no data" if min(len(positive), len(negative)) == 0 else sample.problem()
    notes = [*sample.notes, *adjustment]
    if problem:
        notes.append(problem)
    elif sign == 0:
        sign = 1 if auc_delong(positive, negative).estimate >= 0.5 else -1
        notes.append("direction from the data")
    return _Split(measured.key, contrast.name, positive, negative, sign, sample.n_missing, notes, bool(problem))


def _classified(split: _Split, *, specificity: float, alpha: float) -> dict[str, Any]:
    """Row of the classification table."""
    notes = [*split.notes]
    row: dict[str, Any] = {
        **split.key,
        "contrast": split.contrast,
        "n_positive": len(split.positive),
        "n_negative": len(split.negative),
        "n_missing": split.n_missing,
        "direction": {1: "higher", -1: "lower", 0: None}[split.sign],
    }
    if not split.problem:
        positive, negative = split.sign * split.positive, split.sign * split.negative
        auc = auc_delong(positive, negative, alpha=alpha)
        cutoff = sensitivity_at(positive, negative, specificity=specificity, alpha=alpha)
        tied = len(np.unique([*positive, *negative])) < len(positive) + len(negative)
        exact = not tied and max(len(positive), len(negative)) < _EXACT_BELOW
        p = stats.mannwhitneyu(positive, negative, method="exact" if exact else "asymptotic").pvalue
        row.update(zip(("auc", "ci_low", "ci_high"), auc, strict=True))
        row.update(zip(("sensitivity", "sens_ci_low", "sens_ci_high"), cutoff.sensitivity, strict=True))
        row.update(p=float(p), threshold=split.sign * cutoff.threshold, specificity=cutoff.specificity)
        if math.isnan(auc.low):
            notes.append("no interval of the AUC: DeLong's variance needs two participants on each side")
        elif auc.estimate in (0, 1):
            notes.append("AUC at its bound, where DeLong's variance is 0: interval by Newcombe's score method")
        if tied:
            notes.append("tied values: p by the normal approximation")
    return row | {"note": "; ".join(notes)}
