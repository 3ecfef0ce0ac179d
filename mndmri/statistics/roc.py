"""Separation of two groups by one measure: area under the ROC curve, and sensitivity at a fixed specificity."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.io import InputError
from mndmri.statistics.auc import area_within, components, delong_interval, likelihood_ratios, predictive_value
from mndmri.statistics.contrasts import POOLED, Contrast, list_contrasts
from mndmri.statistics.deviations import NO_CONTROLS, NOT_IN_NORMS, model_covariates, score_deviations
from mndmri.statistics.effect_sizes import EXACT_BELOW, UNKNOWN, Interval
from mndmri.statistics.exact import EXACT_TIES, rank_sum_p
from mndmri.statistics.families import corrected, is_primary
from mndmri.statistics.norms import stored_norms
from mndmri.statistics.own_covariates import adjust_measured
from mndmri.statistics.samples import (
    NO_OTHERS,
    Measured,
    each_measure,
    own_columns,
    select_people,
    take_sample,
)
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import KEY, RATINGS, UNIT, with_units
from mndmri.tables.neuron import damage_sign

_KEY_DESCRIPTIONS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    **UNIT,
    "contrast": f"The two groups: the first is the positive class, the second the negative; {POOLED} is every patient.",
}
_TABLE_DESCRIPTIONS = _KEY_DESCRIPTIONS | {
    "n_positive": "Participants of the first group with a value.",
    "n_negative": "Participants of the second group with a value.",
    "n_missing": "Participants of the groups of the contrast without a value.",
    "direction": "Whether higher or lower values are positive: the direction declared in advance, in "
    "which upper-motor-neuron damage changes the measure, also between groups of patients; where none is declared, "
    "the direction in which the groups differ, as stated in the note.",
    "auc": "Area under the ROC curve in that direction, adjusted for the covariates of the measure alone "
    "(measure_covariates, as head size of volumes; each person by slopes within the groups estimated from the others; "
    "note says so), not for those of every measure: the probability that a "
    "participant of the first group is beyond one of the second, ties counting half; where the study names sites, "
    "one of the same site. Below 0.5, the difference is opposite to expectation.",
    "ci_low": "Lower confidence limit of the AUC (DeLong, on the logit scale; of sites, by each person's influence).",
    "ci_high": "Upper confidence limit of the AUC.",
    "p": f"Two-sided Mann-Whitney test, not corrected: exact where both groups have fewer than {EXACT_BELOW} (with "
    f"ties, over every division of the midranks, where the smaller group times both is at most {EXACT_TIES}), "
    "otherwise by the normal approximation with continuity correction; of several sites, of the sum of their "
    "statistics.",
    "q_fdr": "p after Benjamini-Hochberg, over the primary measures at this contrast.",
    "auc_adjusted": "Area of the W-scores (as in deviations.tsv, by stored norms if the config names them; the "
    "covariates of the config and of the measure; where sites are harmonised, of the measures as measured, with the "
    "site as a covariate): the probability that a participant of the first group is further beyond what is expected of "
    "a control with the same covariates than one of the second.",
    "adjusted_ci_low": "Lower confidence limit of the adjusted AUC (DeLong, on the logit scale).",
    "adjusted_ci_high": "Upper confidence limit.",
    "threshold": "In the measure's unit (at the average of the measure's own covariates, if any); of W-scores where "
    "the study names sites. Values strictly beyond it are positive. Set on the second group alone: the nearest of its "
    "values with at least the specificity of the config.",
    "sensitivity": "Share of the first group beyond the threshold.",
    "sens_ci_low": "Lower confidence limit of the sensitivity at this threshold (Wilson).",
    "sens_ci_high": "Upper confidence limit of the sensitivity at this threshold.",
    "specificity": "Share of the second group not beyond the threshold, in the participants on whom it was set.",
    "specificity_new": "Specificity to be expected in new people, without ties: k / (n + 1), where the threshold is "
    "the k-th of n values; with 10 participants 0.82 for 0.9, with 8 0.89 for 1.",
    "lr_positive": "Likelihood ratio of a value beyond the threshold: sensitivity / (1 - specificity_new).",
    "lr_positive_ci_low": "Lower confidence limit, for sampling of both groups: quantile of the ratio of a beta "
    "distribution (sensitivity, Jeffreys) and that of the k-th of n values.",
    "lr_positive_ci_high": "Upper confidence limit.",
    "lr_negative": "Likelihood ratio of a value not beyond it: (1 - sensitivity) / specificity_new.",
    "lr_negative_ci_low": "Lower confidence limit.",
    "lr_negative_ci_high": "Upper confidence limit.",
    "ppv": "Probability that a person with a value beyond the threshold is of the first group, at "
    "statistics.prevalence of patients; n/a without it, and between groups of patients. The share of patients in a "
    "study is no prevalence.",
    "ppv_ci_low": "Lower confidence limit, the prevalence being known.",
    "ppv_ci_high": "Upper confidence limit.",
    "npv": "Probability that a person with a value not beyond it is of the second group, at the same prevalence.",
    "npv_ci_low": "Lower confidence limit.",
    "npv_ci_high": "Upper confidence limit.",
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
    sites: tuple[np.ndarray, ...] | None = None  # of the positives and of the negatives


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
    beaten_by_positive, beating_negative = components(positive, negative)
    auc = float(beaten_by_positive.mean())
    if min(m, n) == 1:
        return Interval(auc, math.nan, math.nan)
    variance = float(beaten_by_positive.var(ddof=1) / m + beating_negative.var(ddof=1) / n)
    return delong_interval(auc, variance, [(m, n)], alpha=alpha, logit=logit)


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
    threshold = np.sort(negative)[_rank(specificity, len(negative)) - 1]
    found = stats.binomtest(int((positive > threshold).sum()), len(positive))
    limits = found.proportion_ci(1 - alpha, method="wilson")
    sensitivity = Interval(float(found.statistic), float(limits.low), float(limits.high))
    return Cutoff(float(threshold), sensitivity, float((negative <= threshold).mean()))


def _rank(specificity: float, n: int) -> int:
    """Place of the threshold among n sorted negatives; 0.7 x 10 must not become 8 of 10 by rounding."""
    return math.ceil(specificity * n - 1e-9)


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
    prevalence: float | None = None,
    covariates: Sequence[str] = (),
    site: str | None = None,
    norms: pd.DataFrame | None = None,
    onset_side: str | None = None,
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
        More of them for some measures, as in `mndmri.tables.covariates.covariates_of`, which every area is adjusted
        for.
    contrasts : sequence of pairs, optional
        Pairs of groups, the first the positive class; default all, the reference second.
    pooled : bool
        Also all patients together against the reference, where they are in several groups.
    primary : sequence of mapping, optional
        The family of the false discovery rate: each names a modality, measure, region and
        hemi, or some of these. Default every measure.
    specificity : float
        At which the threshold is set.
    prevalence : float, optional
        Of the first group among those to whom the test will be applied, for the predictive values.
    covariates : sequence of str
        Of the controls' model, for the adjusted area.
    site : str, optional
        Column of the site; the measures are given as they were measured. Only people of one site are
        compared, the threshold is one of W-scores, and the site is one more covariate.
    norms : DataFrame, optional
        Stored norms (`mndmri.tables.norms.read_norms`), whose W-scores the adjusted area and the threshold of several
        sites then rest on.
    onset_side : str, optional
        Column of the side of onset, by which stored norms judge contra and ipsi.
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
        If a column or a group is missing, a participant is there twice, the specificity is
        out of its range, or stored norms do not fit the study (`mndmri.statistics.deviations.score_deviations`).
    """
    own = own_columns(participants, measure_covariates)
    in_site = [site] if site else []
    everyone = select_people(participants, groups=groups, covariates=list(dict.fromkeys([*in_site, *own])))
    in_model = list(dict.fromkeys([*covariates, *in_site]))
    scores = _w_scores(
        measures,
        participants,
        groups=groups,
        reference=reference,
        covariates=in_model,
        measure_covariates=measure_covariates,
        site=site,
        norms=norms,
        onset_side=onset_side,
    )
    known = None if norms is None else stored_norms(norms)
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    people = {contrast: everyone[everyone["group"].isin([*contrast.left, *contrast.right])] for contrast in compared}
    rows: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    for measured in each_measure(measures, everyone):
        _, absent = model_covariates(
            measured.key, everyone, covariates=in_model, chosen=measure_covariates, known=known
        )
        key = measured.key
        declared = damage_sign(key["modality"], key["measure"], key["region"], directions)
        drawn = is_primary(pd.DataFrame([measured.key]), primary).all()
        freed, told = adjust_measured(measured, everyone, chosen=measure_covariates, within=["group", *in_site])
        for contrast in compared:
            # damage is in the patients, also where they are named second
            sign = -declared if contrast.left == (reference,) else declared
            split = _split(freed, people[contrast], contrast, sign, site=site)
            split.notes.extend(told if not split.problem else [])
            adjusted = _adjusted(measured, scores, people[contrast], contrast, split)
            share = _share_of_first(contrast, prevalence, reference)
            row = _classified(split, adjusted, specificity=specificity, prevalence=share, alpha=alpha)
            if "auc_adjusted" in row and not set(absent) <= set(told):
                row["note"] = "; ".join([note for note in (row["note"], f"adjusted AUC: {absent[0]}") if note])
            rows.append(row)
            points += _curve(adjusted if site and measured.key["measure"] not in RATINGS else split) if drawn else []
    table = with_units(pd.DataFrame(rows, columns=list(_TABLE_DESCRIPTIONS)), measures)
    chosen = is_primary(table, primary)
    table["q_fdr"] = corrected(table[chosen], ["contrast"], stats.false_discovery_control)
    curves = with_units(pd.DataFrame(points, columns=list(_POINTS_DESCRIPTIONS)), measures)
    return Classification(table, curves)


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


def _w_scores(measures: pd.DataFrame, participants: pd.DataFrame, **model: Any) -> dict[tuple[str, ...], pd.DataFrame]:
    """W-score and note of every person, by measure."""
    table = score_deviations(measures, participants, by_onset_too=True, **model).deviations
    return {key: own.set_index("participant_id")[["w_score", "note"]] for key, own in table.groupby(KEY, sort=False)}


def _adjusted(
    measured: Measured,
    scores: Mapping[tuple[str, ...], pd.DataFrame],
    people: pd.DataFrame,
    contrast: Contrast,
    split: _Split,
) -> _Split:
    """The same groups by their W-scores, in the same direction."""
    own = scores[tuple(measured.key.values())].reindex(measured.values.index)
    reasons = measured.reasons.where(measured.values.isna(), own["note"])
    made = _split(measured._replace(values=own["w_score"], reasons=reasons), people, contrast, split.sign or 1)
    if made.problem:
        whole = [why for why in (NO_CONTROLS, NOT_IN_NORMS) if (own["note"] == why).any()]
        made.notes.append(whole[0] if whole else "too few W-scores, see deviations.tsv")
    return made._replace(sign=split.sign)


def _split(
    measured: Measured, people: pd.DataFrame, contrast: Contrast, sign: int, *, site: str | None = None
) -> _Split:
    own = measured._replace(values=measured.values[people.index], reasons=measured.reasons[people.index])
    sample = take_sample(own, people, groups=[*contrast.left, *contrast.right], covariates=[site] if site else [])
    positive, negative = sample.values(contrast.left), sample.values(contrast.right)
    problem = "a group of the contrast has no data" if min(len(positive), len(negative)) == 0 else sample.problem()
    notes = [*sample.notes]
    if problem:
        notes.append(problem)
    elif sign == 0:
        sign = 1 if auc_delong(positive, negative).estimate >= 0.5 else -1
        notes.append("direction from the data")
    strata = None
    if site:
        strata = tuple(
            sample.data.loc[sample.data["group"].isin(side), site].to_numpy()
            for side in (contrast.left, contrast.right)
        )
    missing = sample.n_missing
    return _Split(measured.key, contrast.name, positive, negative, sign, missing, notes, bool(problem), strata)


def _classified(
    split: _Split, adjusted: _Split, *, specificity: float, prevalence: float | None, alpha: float
) -> dict[str, Any]:
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
    if split.problem:
        return row | {"note": "; ".join(notes)}
    positive, negative = split.sign * split.positive, split.sign * split.negative
    auc, p, told = _area(positive, negative, split.sites, alpha=alpha)
    row.update(zip(("auc", "ci_low", "ci_high"), auc, strict=True), p=p)
    notes += told
    if adjusted.problem:
        notes.append(f"no adjusted AUC: {adjusted.notes[-1]}")
    else:
        area = auc_delong(split.sign * adjusted.positive, split.sign * adjusted.negative, alpha=alpha)
        row.update(zip(("auc_adjusted", "adjusted_ci_low", "adjusted_ci_high"), area, strict=True))
    if not adjusted.problem and adjusted.n_missing > split.n_missing:
        notes.append(f"no W-score in {adjusted.n_missing - split.n_missing} more: see deviations.tsv")
    # a rating means the same at every site
    by_site = split.sites is not None and split.key["measure"] not in RATINGS
    if by_site and adjusted.problem:
        notes.append("no threshold: several sites, and no W-scores")
    elif by_site:
        notes.append("threshold of W-scores: several sites")
        row |= _at_threshold(adjusted, specificity=specificity, prevalence=prevalence, alpha=alpha)
    else:
        row |= _at_threshold(split, specificity=specificity, prevalence=prevalence, alpha=alpha)
    return row | {"note": "; ".join(notes)}


def _area(
    positive: np.ndarray, negative: np.ndarray, sites: tuple[np.ndarray, ...] | None, *, alpha: float
) -> tuple[Interval, float, list[str]]:
    """Area, its interval, p, and notes on how they were computed."""
    if sites is not None:
        auc, p = area_within(positive, negative, (sites[0], sites[1]), alpha=alpha)
        if math.isnan(auc.estimate):
            return auc, p, ["no AUC: no site has both groups"]
        return auc, p, ["no interval of the AUC: too few pairs of one site"] if math.isnan(auc.low) else []
    auc, notes = auc_delong(positive, negative, alpha=alpha), []
    tied = len(np.unique([*positive, *negative])) < len(positive) + len(negative)
    p, how = rank_sum_p(positive, negative)
    if math.isnan(auc.low):
        notes.append("no interval of the AUC: DeLong's variance needs two participants on each side")
    elif auc.estimate in (0, 1):
        notes.append("AUC at its bound, where DeLong's variance is 0: interval by Newcombe's score method")
    if tied:
        notes.append(f"tied values: p {how}")
    return auc, p, notes


def _share_of_first(contrast: Contrast, prevalence: float | None, reference: str | None) -> float | None:
    """Proportion of the first group among the people of a contrast, where that of the patients says what it is."""
    if prevalence is None or reference is None or (reference,) not in (contrast.left, contrast.right):
        return None
    return prevalence if contrast.right == (reference,) else 1 - prevalence


def _at_threshold(split: _Split, *, specificity: float, prevalence: float | None, alpha: float) -> dict[str, Any]:
    """Cells of the threshold: sensitivity, specificity, likelihood ratios, predictive values."""
    positive, negative = split.sign * split.positive, split.sign * split.negative
    cutoff = sensitivity_at(positive, negative, specificity=specificity, alpha=alpha)
    m, n, rank = len(positive), len(negative), _rank(specificity, len(negative))
    plus, minus = likelihood_ratios(int((positive > cutoff.threshold).sum()), m, rank, n, alpha=alpha)
    row: dict[str, Any] = {"threshold": split.sign * cutoff.threshold, "specificity": cutoff.specificity}
    row |= {"specificity_new": rank / (n + 1)}
    named = {"sensitivity": cutoff.sensitivity, "lr_positive": plus, "lr_negative": minus}
    if prevalence is not None:
        after, without = predictive_value(plus, prevalence), predictive_value(minus, prevalence)
        named |= {"ppv": after, "npv": Interval(1 - without.estimate, 1 - without.high, 1 - without.low)}
    for name, interval in named.items():
        row |= dict(zip(_columns_of(name), interval, strict=True))
    return row


def _columns_of(name: str) -> tuple[str, str, str]:
    """Columns of an estimate and its limits."""
    short = {"sensitivity": "sens"}.get(name, name)
    return name, f"{short}_ci_low", f"{short}_ci_high"
