"""Sizes of a difference between two groups, with confidence intervals."""

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats


class Interval(NamedTuple):
    """An estimate and its confidence limits; NaN where it cannot be had."""

    estimate: float
    low: float
    high: float


UNKNOWN = Interval(math.nan, math.nan, math.nan)


def _noncentrality(t: float, df: int, probability: float) -> float:
    """Noncentrality at which ``t`` is that quantile of the noncentral t distribution."""

    def excess(noncentrality: float) -> float:
        return stats.nct.cdf(t, df, noncentrality) - probability

    # its normal approximation (Johnson and Welch 1940) puts the root within a few of these; farther
    # out the distribution function may be NaN, so that the bracket is widened from within
    unit = math.sqrt(1 + t**2 / (2 * df))
    for reach in (2.5, 3.5, 5.0, 7.0, 10.0):
        ends = t - reach * unit, t + reach * unit
        if excess(ends[0]) > 0 > excess(ends[1]):
            return optimize.brentq(excess, *ends)
    return math.nan  # for effects of tens of SD it underflows


def hedges_g(first: np.ndarray, second: np.ndarray, *, alpha: float = 0.05) -> Interval:
    """Hedges g of ``first`` minus ``second``, with its exact interval.

    The standardised difference of means (pooled SD), times the exact small-sample factor
    J; the limits invert the noncentral t distribution and are scaled by the same factor.

    Parameters
    ----------
    first, second : array, shape (n,)
        Finite values. A group of one, or no spread in either, has no g: NaN.
    alpha : float
        One minus the coverage.

    References
    ----------
    Hedges 1981, J Educ Stat 6:107; Cumming and Finch 2001, Educ Psychol Meas 61:532.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if min(len(first), len(second)) < 2:
        return UNKNOWN
    df = len(first) + len(second) - 2
    pooled = math.sqrt(((len(first) - 1) * first.var(ddof=1) + (len(second) - 1) * second.var(ddof=1)) / df)
    if pooled <= 1e-12 * max(np.abs(first).max(), np.abs(second).max()):
        return UNKNOWN
    correction = math.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) * math.sqrt(2 / df)
    scale = math.sqrt(1 / len(first) + 1 / len(second))
    t = float((first.mean() - second.mean()) / (pooled * scale))
    low, high = (_noncentrality(t, df, p) for p in (1 - alpha / 2, alpha / 2))
    return Interval(*(correction * scale * value for value in (t, low, high)))


def hodges_lehmann(first: np.ndarray, second: np.ndarray, *, alpha: float = 0.05) -> Interval:
    """Shift of ``first`` against ``second``: the median of all pairwise differences.

    The limits are the order statistics of the differences that belong to the rank-sum
    test, by its normal approximation; NaN where the groups are too small to have any.

    Parameters
    ----------
    first, second : array, shape (n,)
        Finite values, at least one in each.
    alpha : float
        One minus the coverage.

    References
    ----------
    Hodges and Lehmann 1963, Ann Math Stat 34:598.
    """
    differences = np.sort(np.subtract.outer(first, second), axis=None)
    pairs = len(differences)
    spread = math.sqrt(pairs * (len(first) + len(second) + 1) / 12)
    rank = math.floor(pairs / 2 - stats.norm.isf(alpha / 2) * spread)
    shift = float(np.median(differences))
    if rank < 1:
        return Interval(shift, math.nan, math.nan)
    return Interval(shift, float(differences[rank - 1]), float(differences[pairs - rank]))
