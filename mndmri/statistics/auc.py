"""Areas under ROC curves: two markers in the same people, pairs within sites; likelihood ratios, predictive values."""

import math
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from mndmri.statistics.effect_sizes import UNKNOWN, Interval

_GRID = 200  # quantiles of each of two distributions, whose ratio's distribution is wanted


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


def compare_areas(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], *, alpha: float = 0.05
) -> AreaDifference:
    """Area of one marker minus that of another in the same people, by DeLong's paired test.

    Parameters
    ----------
    first, second : pair of arrays, shapes (m,) and (n,)
        Values of the positives and of the negatives, people in the same order; positives are
        expected to be higher.
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
    one, other = components(*first), components(*second)
    areas = float(one.positive.mean()), float(other.positive.mean())
    m, n = len(one.positive), len(one.negative)
    difference = areas[0] - areas[1]
    if min(m, n) < 2:
        return AreaDifference(areas, Interval(difference, math.nan, math.nan), math.nan, math.nan)
    variance = (one.positive - other.positive).var(ddof=1) / m + (one.negative - other.negative).var(ddof=1) / n
    if variance <= 1e-15:
        return AreaDifference(areas, Interval(difference, math.nan, math.nan), math.nan, math.nan)
    error = math.sqrt(variance)
    half, z = stats.norm.isf(alpha / 2) * error, difference / error
    limits = Interval(difference, max(difference - half, -1.0), min(difference + half, 1.0))
    return AreaDifference(areas, limits, z, float(2 * stats.norm.sf(abs(z))))


def area_within(
    positive: np.ndarray, negative: np.ndarray, strata: tuple[np.ndarray, np.ndarray], *, alpha: float = 0.05
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
        NaN without a pair of one stratum. An area of 0 or 1 has no limits.
    p : float

    References
    ----------
    Influence of each person on a ratio of sums: Obuchowski 1997, Biometrics 53:567.
    """
    gain, lose = np.zeros(len(positive)), np.zeros(len(negative))
    of_positive, of_negative = np.zeros(len(positive)), np.zeros(len(negative))
    variance_null = 0.0
    for name in np.intersect1d(*strata):
        left, right = strata[0] == name, strata[1] == name
        m, n = int(left.sum()), int(right.sum())
        parts = components(positive[left], negative[right])
        gain[left], lose[right] = n * parts.positive, m * parts.negative
        of_positive[left], of_negative[right] = n, m
        _, ties = np.unique(np.concatenate([positive[left], negative[right]]), return_counts=True)
        total = m + n
        variance_null += m * n / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
    pairs = float(of_positive.sum())
    if pairs == 0:
        return UNKNOWN, math.nan
    area = float(gain.sum()) / pairs
    p = (
        float(2 * stats.norm.sf(abs(gain.sum() - pairs / 2) / math.sqrt(variance_null)))
        if variance_null > 0
        else math.nan
    )
    m, n = int((of_positive > 0).sum()), int((of_negative > 0).sum())
    if min(m, n) < 2 or area in (0, 1):
        return Interval(area, math.nan, math.nan), p
    first, second = (gain - area * of_positive) / pairs, (lose - area * of_negative) / pairs
    error = math.sqrt(m / (m - 1) * (first**2).sum() + n / (n - 1) * (second**2).sum())
    centre, half = special.logit(area), stats.norm.isf(alpha / 2) * error / (area * (1 - area))
    return Interval(area, float(special.expit(centre - half)), float(special.expit(centre + half))), p


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
