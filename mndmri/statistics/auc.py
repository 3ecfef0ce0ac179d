"""Areas under ROC curves: two markers in the same people, pairs within sites; likelihood ratios, predictive values."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from mndmri.statistics.effect_sizes import UNKNOWN, Interval

TINY = 1e-9  # smaller differences are rounding
_GRID = 200  # quantiles of each of two distributions, whose ratio's distribution is wanted


Strata = tuple[np.ndarray, np.ndarray]  # of the positives (m,) and the negatives (n,)


class Components(NamedTuple):
    """Structural components of an area: what each person contributes to it (Sun and Xu 2014)."""

    positive: np.ndarray  # (m,) share of the negatives below each positive, ties half
    negative: np.ndarray  # (n,) share of the positives above each negative


class AreaDifference(NamedTuple):
    """Difference of two areas, its interval, and the test that it is 0."""

    areas: tuple[float, float]
    interval: Interval
    z: float
    p: float


def components(positive: np.ndarray, negative: np.ndarray) -> Components:
    """Structural components by midranks, each group not empty."""
    m, n = len(positive), len(negative)
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    return Components((ranks[:m] - stats.rankdata(positive)) / n, 1 - (ranks[m:] - stats.rankdata(negative)) / m)


def auc_interval(auc: float, strata: Sequence[tuple[int, int]], *, alpha: float = 0.05, inflation: float) -> Interval:
    """AUC with the interval of those true ones that it is not too far from; an AUC of 1 has one too.

    Newcombe 2006 (Stat Med 25:559, method 5), with ``inflation`` times the variance. Each of the ``strata`` is
    a number of positives and of negatives that were compared, each with each.
    """
    positive, negative = np.array(strata, float).T
    pairs = positive * negative
    half = (positive + negative) / 2 - 1

    def error(true: float) -> float:
        variance = true * (1 - true) / pairs * (1 + half * ((1 - true) / (2 - true) + true / (1 + true)))
        return float(np.sqrt(inflation * (pairs**2 @ variance)) / pairs.sum())

    def lowest(observed: float) -> float:
        if observed <= TINY:
            return 0.0
        z = stats.norm.isf(alpha / 2)
        return float(optimize.brentq(lambda true: observed - true - z * error(true), 0, observed - TINY, xtol=TINY))

    return Interval(auc, lowest(auc), 1 - lowest(1 - auc))


def _influences(positive: np.ndarray, negative: np.ndarray, strata: Strata) -> tuple[float, np.ndarray, np.ndarray]:
    """Area over pairs of one stratum, how far each positive (m,) and negative (n,) moves it; NaN without pairs."""
    gain, lose = np.zeros(len(positive)), np.zeros(len(negative))
    of_positive, of_negative = np.zeros(len(positive)), np.zeros(len(negative))
    for name in np.intersect1d(*strata):
        left, right = strata[0] == name, strata[1] == name
        m, n = left.sum(), right.sum()
        parts = components(positive[left], negative[right])
        gain[left], lose[right] = n * parts.positive, m * parts.negative
        of_positive[left], of_negative[right] = n, m
    pairs = float(of_positive.sum())
    if pairs == 0:
        return math.nan, gain, lose
    area = float(gain.sum()) / pairs
    return area, (gain - area * of_positive) / pairs, (lose - area * of_negative) / pairs


def _variance(of_positive: np.ndarray, of_negative: np.ndarray, strata: Strata) -> float:
    """Variance of a sum of influences; NaN where fewer than two people of a group have somebody to be compared with."""
    shared = np.intersect1d(*strata)
    m, n = (int(np.isin(side, shared).sum()) for side in strata)
    if min(m, n) < 2:
        return math.nan
    return float(m / (m - 1) * (of_positive**2).sum() + n / (n - 1) * (of_negative**2).sum())


def _one_stratum(m: int, n: int) -> Strata:
    return np.zeros(m), np.zeros(n)


def compare_areas(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    strata: Strata | None = None,
    *,
    alpha: float = 0.05,
) -> AreaDifference:
    """Area of one marker minus that of another in the same people, by DeLong's paired test.

    Parameters
    ----------
    first, second : pair of arrays, shapes (m,) and (n,)
        Values of the positives and of the negatives, people in the same order; positives are
        expected to be higher.
    strata : pair of arrays, optional
        Stratum of each, such as the site: only people of one are compared.
    alpha : float
        One minus the coverage.

    Returns
    -------
    AreaDifference
        Markers that put everybody in the same order, or fewer than two people in a group, have no
        test: NaN.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837.
    """
    groups = _one_stratum(len(first[0]), len(first[1])) if strata is None else strata
    (one, *moved_by_one), (other, *moved_by_other) = (_influences(*marker, groups) for marker in (first, second))
    difference = one - other
    moved = [x - y for x, y in zip(moved_by_one, moved_by_other, strict=True)]
    variance = _variance(moved[0], moved[1], groups)
    if not variance > 1e-15:
        return AreaDifference((one, other), Interval(difference, math.nan, math.nan), math.nan, math.nan)
    error = math.sqrt(variance)
    half, z = stats.norm.isf(alpha / 2) * error, difference / error
    limits = Interval(difference, max(difference - half, -1.0), min(difference + half, 1.0))
    return AreaDifference((one, other), limits, z, float(2 * stats.norm.sf(abs(z))))


def area_within(
    positive: np.ndarray, negative: np.ndarray, strata: Strata, *, alpha: float = 0.05
) -> tuple[Interval, float]:
    """Area over the pairs of people of one stratum, such as a site, its interval on the logit scale, and p.

    Every pair counts alike. With one stratum the variance is DeLong's; p is of the sum of
    Mann-Whitney statistics over the strata, by its normal approximation with ties.

    Parameters
    ----------
    positive, negative : array, shape (m,) and (n,)
    strata : pair of arrays
        Stratum of each.
    alpha : float
        One minus the coverage.

    Returns
    -------
    interval : Interval
        NaN without a pair of one stratum. An area of 0 or 1 has Newcombe's limits.
    p : float

    References
    ----------
    Influence of each person on a ratio of sums: Obuchowski 1997, Biometrics 53:567.
    """
    area, of_positive, of_negative = _influences(positive, negative, strata)
    if math.isnan(area):
        return UNKNOWN, math.nan
    sizes, spread = [], 0.0
    for name in np.intersect1d(*strata):
        left, right = strata[0] == name, strata[1] == name
        m, n = int(left.sum()), int(right.sum())
        _, ties = np.unique(np.concatenate([positive[left], negative[right]]), return_counts=True)
        spread += m * n / 12 * (m + n + 1 - (ties**3 - ties).sum() / ((m + n) * (m + n - 1)))
        sizes.append((m, n))
    pairs = sum(m * n for m, n in sizes)
    z = pairs * (area - 0.5) / math.sqrt(spread) if spread > 0 else math.nan
    p = float(2 * stats.norm.sf(abs(z)))
    return delong_interval(area, _variance(of_positive, of_negative, strata), sizes, alpha=alpha), p


def delong_interval(
    area: float, variance: float, strata: Sequence[tuple[int, int]], *, alpha: float = 0.05, logit: bool = True
) -> Interval:
    """Area with limits from its variance, on the logit scale or else as estimate ± z SE, cut at 0 and 1.

    An area of 0 or 1, which has none, has the limits of Newcombe's score method (`auc_interval`, with its ``strata``);
    one whose variance is not known (NaN) has none.
    """
    if area in (0, 1):
        return auc_interval(area, strata, alpha=alpha, inflation=1.0)
    if math.isnan(variance):
        return Interval(area, math.nan, math.nan)
    half = stats.norm.isf(alpha / 2) * math.sqrt(variance)
    if not logit:
        return Interval(area, max(area - half, 0.0), min(area + half, 1.0))
    centre, half = special.logit(area), half / (area * (1 - area))
    return Interval(area, float(special.expit(centre - half)), float(special.expit(centre + half)))


def likelihood_ratios(n_beyond: int, m: int, rank: int, n: int, *, alpha: float = 0.05) -> tuple[Interval, Interval]:
    """Likelihood ratios of a positive and of a negative result at a threshold set on the negatives.

    The threshold is the ``rank``-th lowest of ``n`` negatives. Of new negatives the share
    rank / (n + 1) lies below it on average: that, and not the share in those on whom it was set, is the
    specificity. It follows Beta(rank, n + 1 - rank); the sensitivity at the threshold is binomial
    (Jeffreys' Beta). The limits are quantiles of the ratio of the two.

    Parameters
    ----------
    n_beyond, m : int
        Positives beyond the threshold, and all of them.
    rank, n : int
    alpha : float
        One minus the coverage.
    """
    grid = (np.arange(_GRID) + 0.5) / _GRID
    sensitivity = special.betaincinv(n_beyond + 0.5, m - n_beyond + 0.5, grid)
    specificity = special.betaincinv(rank, n + 1 - rank, grid)
    kept, found = rank / (n + 1), n_beyond / m
    plus = np.quantile(np.divide.outer(sensitivity, 1 - specificity), [alpha / 2, 1 - alpha / 2])
    minus = np.quantile(np.divide.outer(1 - sensitivity, specificity), [alpha / 2, 1 - alpha / 2])
    return Interval(found / (1 - kept), *map(float, plus)), Interval((1 - found) / kept, *map(float, minus))


def predictive_value(ratio: Interval, prevalence: float) -> Interval:
    """Probability of the positive class after a result with a likelihood ratio, at a prevalence before it."""
    odds = prevalence / (1 - prevalence)
    return Interval(*(odds * value / (1 + odds * value) for value in ratio))
