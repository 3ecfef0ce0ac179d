"""Sizes of a difference between two groups, with confidence intervals."""

import math
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats


class Interval(NamedTuple):
    """An estimate and its confidence limits; NaN where it cannot be computed."""

    estimate: float
    low: float
    high: float


EXACT_BELOW = 50  # in both groups; beyond, R's wilcox.test too leaves the exact distribution of ranks
HUGE = 1e6  # t squared over df: beyond it the normal part of the noncentral t moves its quantiles by 1e-5 or less
UNKNOWN = Interval(math.nan, math.nan, math.nan)


def _noncentrality(t: float, df: float, probability: float) -> float:
    """Noncentrality at which ``t`` is that quantile of the noncentral t distribution."""
    if t < 0:  # the distribution function is the less exact there, far out NaN
        return -_noncentrality(-t, df, 1 - probability)

    if t**2 > HUGE * df:  # the distribution function is slow there, or NaN; the normal part no longer counts
        return t * math.sqrt(stats.chi2.isf(probability, df) / df)

    def excess(noncentrality: float) -> float:
        return float(special.nctdtr(df, noncentrality, t)) - probability

    # the root lies within a few units of t by its normal approximation (Johnson and Welch 1940), and not
    # below what P(T <= t) >= P(T <= 0) = Phi(-noncentrality) allows; farther out there may be NaN
    unit = math.sqrt(1 + t**2 / (2 * df))
    return optimize.brentq(excess, max(t - 7 * unit, -special.ndtri(probability) - 1), t + 7 * unit)


def hedges_g(first: np.ndarray, second: np.ndarray, *, own_variances: bool = False, alpha: float = 0.05) -> Interval:
    """Hedges g of ``first`` minus ``second``, with its interval.

    The standardised difference of means (pooled SD), times the exact small-sample factor
    J; the limits invert the noncentral t distribution and are scaled by the same factor.

    Parameters
    ----------
    first, second : array, shape (n,)
        Finite values. A group of one, or no spread in either, has no g: NaN.
    own_variances : bool
        Limits from Welch's t and its degrees of freedom: they hold 0 where Welch's test does not reject it. Otherwise
        from Student's t, exact if both groups vary alike.
    alpha : float
        One minus the coverage.

    References
    ----------
    Hedges 1981, J Educ Stat 6:107; Cumming and Finch 2001, Educ Psychol Meas 61:532.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if min(len(first), len(second)) < 2:
        return UNKNOWN
    n = np.array([len(first), len(second)])
    variances = np.array([first.var(ddof=1), second.var(ddof=1)])
    df = int(n.sum()) - 2
    pooled = math.sqrt((n - 1) @ variances / df)
    if pooled <= 1e-12 * max(np.abs(first).max(), np.abs(second).max()):
        return UNKNOWN
    squares = (variances if own_variances else pooled**2) / n  # of the standard errors of the means
    error = math.sqrt(squares.sum())
    welch = float(error**4 / (squares**2 / (n - 1)).sum())
    t = float(first.mean() - second.mean()) / error
    return g_of_t(t, df=welch if own_variances else df, sd_df=df, scale=error / pooled, alpha=alpha)


def g_of_t(t: float, *, df: float, sd_df: int, scale: float, alpha: float = 0.05) -> Interval:
    """Hedges g of a difference that a linear model estimates, with its interval.

    The difference over the model's residual SD, times the exact small-sample factor J of
    its residual degrees of freedom. With covariates in the model it is the *adjusted* g.

    Parameters
    ----------
    t : float
        The difference over its standard error.
    df : float
        Of this t: those of the residuals, or of a standard error by the groups' own variances. Below 1 the tails are
        so heavy that limits by them may leave out the estimate: there are none, NaN.
    sd_df : int
        Of the residual SD; below 2 there is no J and no g: NaN.
    scale : float
        The standard error over the residual SD; of one variance for all, the root of c'(X'X)^-1 c for the contrast c.
    alpha : float
        One minus the coverage.

    References
    ----------
    Hedges 1981, J Educ Stat 6:107; Lai and Kelley 2012, Br J Math Stat Psychol 65:350 (contrasts
    of an ANCOVA, standardised by its residual SD).
    """
    if sd_df < 2:
        return UNKNOWN
    correction = math.exp(special.gammaln(sd_df / 2) - special.gammaln((sd_df - 1) / 2)) * math.sqrt(2 / sd_df)
    low, high = (_noncentrality(t, df, p) if df >= 1 else math.nan for p in (1 - alpha / 2, alpha / 2))
    return Interval(*(correction * scale * value for value in (t, low, high)))


def hodges_lehmann(first: np.ndarray, second: np.ndarray, *, alpha: float = 0.05) -> Interval:
    """Shift of ``first`` against ``second``: the median of all pairwise differences.

    The limits are the order statistics of the differences that belong to the rank-sum
    test: by its exact distribution where both groups have fewer than 50, by the normal
    approximation without correction for continuity otherwise. NaN where the groups are too
    small to have any: three and three have none of 95%, three and four none, four and four have.

    Parameters
    ----------
    first, second : array, shape (n,)
        Finite values, at least one in each.
    alpha : float
        One minus the coverage.

    References
    ----------
    Hodges and Lehmann 1963, Ann Math Stat 34:598; the limits: Bauer 1972, J Am Stat Assoc 67:687;
    Campbell and Gardner 1988, BMJ 296:1454.
    """
    differences = np.sort(np.subtract.outer(first, second), axis=None)
    pairs = len(differences)
    if max(len(first), len(second)) < EXACT_BELOW:
        rank = _exact_rank(len(first), len(second), alpha)
    else:
        spread = math.sqrt(pairs * (len(first) + len(second) + 1) / 12)
        rank = math.ceil(pairs / 2 - stats.norm.isf(alpha / 2) * spread)
    shift = float(np.median(differences))
    if rank < 1:
        return Interval(shift, math.nan, math.nan)
    return Interval(shift, float(differences[rank - 1]), float(differences[pairs - rank]))


@lru_cache(maxsize=256)
def _exact_rank(m: int, n: int, alpha: float) -> int:
    """Largest k for which the Mann-Whitney statistic of groups of m and n is below k with no more than alpha / 2."""
    # ways to reach each value, up to half of them: the coefficients of the Gaussian binomial, in whole numbers
    ways = [1, *[0] * (m * n // 2)]
    for i in range(1, min(m, n) + 1):
        top = max(m, n) + i
        for value in range(len(ways) - 1, top - 1, -1):
            ways[value] -= ways[value - top]
        for value in range(i, len(ways)):
            ways[value] += ways[value - i]
    below = list(accumulate(ways))
    limit = alpha / 2 * math.comb(m + n, m)
    return sum(1 for count in below if count <= limit)
