"""Rank correlations: rho, partial rho and tau-b, each with its interval and its test."""

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import numpy as np
from scipy import linalg, stats

from mndmri.statistics.effect_sizes import UNKNOWN, Interval
from mndmri.statistics.models import COLLINEAR
from mndmri.statistics.samples import NO_SPREAD

MIN_PEOPLE = 4  # one fewer leaves Fisher's z without a variance
ENUMERATED = 9  # participants whose 362,880 orders are all looked at
KENDALL_EXACT = 50  # without ties, fewer than these have an exact p (as in R's cor.test)


class Correlation(NamedTuple):
    """A correlation and its test."""

    interval: Interval = UNKNOWN
    statistic: float = math.nan  # t or z; NaN where p is exact
    df: float = math.nan  # of t
    p: float = math.nan
    p_by: str = ""  # exact, t or normal
    note: str = ""  # why a number is missing


def spearman(x: np.ndarray, y: np.ndarray, *, columns: np.ndarray | None = None, alpha: float = 0.05) -> Correlation:
    """Spearman's rho of ``x`` and ``y``, with ``columns`` the partial one, and its test.

    Parameters
    ----------
    x, y : array, shape (n,)
        Finite values.
    columns : array, shape (n, q), optional
        What both are adjusted for: ranks or dummies. One that the others determine counts for nothing.
    alpha : float
        One minus the coverage.

    Returns
    -------
    Correlation
        NaN where fewer than four participants are left after one is taken off for each term, or
        where nothing varies. Exact p up to `ENUMERATED` participants, without ``columns``.

    References
    ----------
    Interval: Bonett and Wright 2000, Psychometrika 65:23.
    """
    n = len(x)
    ranks = np.column_stack([stats.rankdata(x), stats.rankdata(y)])
    nuisance = np.ones((n, 1)) if columns is None else np.column_stack([np.ones(n), columns])
    basis = linalg.orth(nuisance, rcond=COLLINEAR)
    terms = basis.shape[1] - 1
    if n - terms < MIN_PEOPLE:
        return Correlation(note=f"too few participants ({n}), adjusting for {terms} terms")
    left = ranks - basis @ (basis.T @ ranks)
    spread = (left**2).sum(axis=0)
    for name, gone in zip(("measure", "score"), spread <= NO_SPREAD * (ranks**2).sum(axis=0), strict=True):
        if gone:
            return Correlation(note=f"adjusted, nothing is left of the {name}")
    rho = float(left[:, 0] @ left[:, 1] / math.sqrt(spread.prod()))
    interval, note = _fisher_interval(rho, (1 + rho**2 / 2) / (n - 3 - terms), alpha=alpha)
    if columns is None and n <= ENUMERATED:
        return Correlation(interval, p=_enumerated_p(x, y, _rho_statistic), p_by="exact", note=note)
    df = n - 2 - terms
    if math.isnan(interval.low):  # t is infinite, and 0 is no p
        return Correlation(interval, note=f"{note}, no p")
    t = rho * math.sqrt(df / (1 - rho**2))
    return Correlation(interval, t, df, float(2 * stats.t.sf(abs(t), df)), "t")


def kendall(x: np.ndarray, y: np.ndarray, *, strata: np.ndarray | None = None, alpha: float = 0.05) -> Correlation:
    """Kendall's tau-b of ``x`` and ``y``, over the pairs of the same stratum, and its test.

    Parameters
    ----------
    x, y : array, shape (n,)
        Finite values.
    strata : array, shape (n,), optional
        Default all are in one.
    alpha : float
        One minus the coverage.

    Returns
    -------
    Correlation
        NaN with fewer than four participants, or where nothing varies within a stratum. Exact p for
        one stratum up to `ENUMERATED` participants and, without ties, below `KENDALL_EXACT`.

    Notes
    -----
    With strata, S and its variance are sums over them (Hirsch, Slack and Smith 1982, Water Resour
    Res 18:107). Fieller's variance of the z of tau, 0.437 / (n - 4), is that of one sample without
    ties; here n is the size of such a sample with the same null variance of tau, which it is itself
    where there is nothing to correct. Coverage of 95% intervals, simulated, is 91 to 97% with 10 to 60 participants of
    one group.

    References
    ----------
    Interval: Fieller, Hartley and Pearson 1957, Biometrika 44:470. Variance with ties: Kendall 1970,
    Rank Correlation Methods, 4th ed.
    """
    n = len(x)
    if n < MIN_PEOPLE:
        return Correlation(note=f"fewer than {MIN_PEOPLE} participants")
    strata = np.zeros(n, int) if strata is None else np.unique(strata, return_inverse=True)[1]
    parts = np.array([_concordance(x[strata == s], y[strata == s]) for s in range(strata.max() + 1)])
    excess, variance, pairs_x, pairs_y = parts.sum(axis=0)
    if variance == 0:
        return Correlation(note="no pair of one group differs in both")
    tau = float(excess / math.sqrt(pairs_x * pairs_y))
    spare = _size_of_null_variance(variance / (pairs_x * pairs_y)) - 4
    interval, note = _fisher_interval(tau, 0.437 / spare if spare > NO_SPREAD else math.inf, alpha=alpha)
    if len(parts) == 1 and n <= ENUMERATED:
        return Correlation(interval, p=_enumerated_p(x, y, _tau_statistic), p_by="exact", note=note)
    if len(parts) == 1 and n < KENDALL_EXACT and not has_ties(x) and not has_ties(y):
        exact = stats.kendalltau(x, y, method="exact").pvalue
        return Correlation(interval, p=float(exact), p_by="exact", note=note)
    z = float(excess / math.sqrt(variance))
    return Correlation(interval, z, p=float(2 * stats.norm.sf(abs(z))), p_by="normal", note=note)


def has_ties(values: np.ndarray) -> bool:
    """Whether two of the values are the same."""
    return len(np.unique(values)) < len(values)


def _fisher_interval(estimate: float, variance: float, *, alpha: float) -> tuple[Interval, str]:
    """Limits by Fisher's z, and why there are none where it is infinite or has no variance."""
    if 1 - abs(estimate) < NO_SPREAD:
        return Interval(math.copysign(1, estimate), math.nan, math.nan), "the orders agree fully: no interval"
    if not math.isfinite(variance):
        return Interval(estimate, math.nan, math.nan), "too few participants for an interval"
    z, half = math.atanh(estimate), stats.norm.isf(alpha / 2) * math.sqrt(variance)
    return Interval(estimate, math.tanh(z - half), math.tanh(z + half)), ""


def _concordance(x: np.ndarray, y: np.ndarray) -> list[float]:
    """Concordant minus discordant pairs, its null variance, and the pairs not tied in x and in y."""
    n = len(x)
    tied = [np.unique(v, return_counts=True)[1].astype(float) for v in (x, y)]
    twos, threes = ([float((t * (t - 1) * (t - 2) ** k).sum()) for t in tied] for k in (0, 1))
    pairs = [(n * (n - 1) - two) / 2 for two in twos]
    if min(pairs) <= 0:
        return [0.0, 0.0, *pairs]
    method = "asymptotic" if n > 2 else "exact"  # of two, SciPy's asymptotic p divides by zero
    excess = float(np.rint(stats.kendalltau(x, y, method=method).statistic * math.sqrt(math.prod(pairs))))
    variance = (n * (n - 1) * (2 * n + 5) - sum(float((t * (t - 1) * (2 * t + 5)).sum()) for t in tied)) / 18
    variance += math.prod(twos) / (2 * n * (n - 1))
    if n > 2:
        variance += math.prod(threes) / (9 * n * (n - 1) * (n - 2))
    return [excess, variance, *pairs]


def _size_of_null_variance(variance: float) -> float:
    """Size n of a sample without ties whose tau has this variance, 2 (2 n + 5) / (9 n (n - 1))."""
    return (9 * variance + 4 + math.sqrt((9 * variance + 4) ** 2 + 360 * variance)) / (18 * variance)


def _rho_statistic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rho of each row of x, but for a factor: whole numbers."""
    return len(y) * (x @ y) - x.sum(axis=1) * y.sum()


def _tau_statistic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tau of each row of x, but for a factor: whole numbers."""
    first, second = np.triu_indices(len(y), 1)
    return np.sign(x[:, first] - x[:, second]) @ np.sign(y[first] - y[second])


def _enumerated_p(x: np.ndarray, y: np.ndarray, statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
    """Two-sided p over every order of the participants, ties as they are."""
    # twice the ranks are whole numbers, also of ties, so that equal statistics are equal
    x, y = (np.rint(2 * stats.rankdata(values)).astype(np.int32) for values in (x, y))
    null = _null_statistics(tuple(sorted(x.tolist())), tuple(sorted(y.tolist())), statistic)
    return float(np.mean(null >= abs(statistic(x[None], y)[0])))


@lru_cache(maxsize=16)
def _null_statistics(x: tuple[int, ...], y: tuple[int, ...], statistic: Callable) -> np.ndarray:
    """Size of the statistic in every order, had once for all measures of as many people and like ties."""
    return np.abs(statistic(np.array(x, np.int32)[_orders(len(x))], np.array(y, np.int32)))


@lru_cache(maxsize=2)
def _orders(n: int) -> np.ndarray:
    return np.array(list(permutations(range(n))), dtype=np.int8)
