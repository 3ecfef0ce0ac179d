"""How well two or more ratings of the same people agree: kappa, intraclass correlation, limits of agreement."""

from typing import NamedTuple

import numpy as np
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

from mndmri.statistics.effect_sizes import UNKNOWN, Interval
from mndmri.statistics.samples import NO_SPREAD

LIMITS = ("limit_low", "limit_high")
N_DRAWS = 2000
_OF_DIFFERENCES = 0.975  # the limits of agreement enclose 95% of them


class Agreement(NamedTuple):
    """A statistic with its interval, or why it lacks them."""

    interval: Interval
    problem: str | None = None


def share(hits: int, n: int, *, alpha: float = 0.05) -> Interval:
    """Percentage ``hits`` of ``n``, with Wilson's interval with continuity correction; unknown of nobody."""
    if n == 0:
        return UNKNOWN
    result = stats.binomtest(hits, n)
    limits = result.proportion_ci(1 - alpha, method="wilsoncc")
    return Interval(*(100 * float(v) for v in (result.statistic, limits.low, limits.high)))


def detected(
    truth: np.ndarray, found: np.ndarray, *, what: str = "a band", alpha: float = 0.05
) -> dict[str, Agreement]:
    """``sensitivity`` and ``specificity`` of what was found, percent, each with Wilson's interval with correction.

    Parameters
    ----------
    truth, found : ndarray of bool, shape (n,)
    what : str
        What is there or not, for the messages.
    alpha : float
        One minus the coverage of the interval.
    """
    right = {
        "sensitivity": (found[truth], f"nobody has {what}"),
        "specificity": (~found[~truth], f"everybody has {what}"),
    }
    return {
        name: Agreement(share(int(hits.sum()), len(hits), alpha=alpha), None if len(hits) else why)
        for name, (hits, why) in right.items()
    }


def equal_share(first: np.ndarray, second: np.ndarray, *, alpha: float = 0.05) -> Agreement:
    """Percentage of people on whom two raters agree exactly, with Wilson's interval with continuity correction."""
    return Agreement(share(int((first == second).sum()), len(first), alpha=alpha))


def kappa(
    first: np.ndarray, second: np.ndarray, *, top: int, weights: str = "quadratic", alpha: float = 0.05
) -> Agreement:
    """Cohen's kappa of two ratings.

    Parameters
    ----------
    first, second : ndarray of int, shape (n,)
        0 to ``top``.
    top : int
        Highest category.
    weights : {'quadratic', 'linear'}
        A disagreement counts by its square, or by its size. Of two categories both are the unweighted kappa.
    alpha : float
        One minus the coverage of the interval.

    References
    ----------
    Cohen 1960, Educ Psychol Meas 20:37, and 1968, Psychol Bull 70:213; large-sample error: Fleiss, Cohen and Everitt
    1969, Psychol Bull 72:323.
    """
    if len(np.union1d(first, second)) < 2:
        return Agreement(UNKNOWN, "both say the same of everybody, so that chance explains it all")
    table = np.zeros((top + 1, top + 1))
    np.add.at(table, (first, second), 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # in a test of kappa that is not used
        result = cohens_kappa(table, wt=weights)
    estimate, variance = float(result.kappa), float(result.var_kappa)
    if variance < NO_SPREAD:
        return Agreement(Interval(estimate, np.nan, np.nan), "no interval: the large-sample error is zero")
    half = float(stats.norm.isf(alpha / 2)) * np.sqrt(variance)
    return Agreement(Interval(estimate, max(estimate - half, -1.0), min(estimate + half, 1.0)))


def kappa_of_areas(
    first: np.ndarray, second: np.ndarray, *, top: int, weights: str = "quadratic", alpha: float = 0.05, seed: int = 1
) -> Agreement:
    """Cohen's kappa over several areas of each person.

    Parameters
    ----------
    first, second : ndarray, shape (n_people, n_areas)
        0 to ``top``, NaN where an area is not rated; such areas are left out.
    top, weights, alpha
        As in `kappa`.
    seed : int
        Of the drawings.

    Notes
    -----
    The interval is by `N_DRAWS` drawings of whole people with replacement (percentiles): areas of one person are not
    independent (Field and Welsh 2007, J R Stat Soc B 69:369).
    """
    both = np.isfinite(first) & np.isfinite(second)
    tables = np.zeros((len(first), top + 1, top + 1))
    who, area = np.nonzero(both)
    np.add.at(tables, (who, first[who, area].astype(int), second[who, area].astype(int)), 1)
    tables = tables[both.any(axis=1)]
    power = {"linear": 1, "quadratic": 2}[weights]
    cost = np.abs(np.subtract.outer(np.arange(top + 1), np.arange(top + 1))) ** power

    def of(sums: np.ndarray) -> np.ndarray:
        by_chance = np.einsum("...i,...j,ij->...", sums.sum(axis=-1), sums.sum(axis=-2), cost) / sums.sum(axis=(-2, -1))
        return 1 - (sums * cost).sum(axis=(-2, -1)) / np.where(by_chance > 0, by_chance, np.nan)

    if not len(tables):
        return Agreement(UNKNOWN, "no participant has both")
    estimate = float(of(tables.sum(axis=0)))
    if np.isnan(estimate):
        return Agreement(UNKNOWN, "both say the same of everybody, so that chance explains it all")
    if len(tables) < 2:
        return Agreement(Interval(estimate, np.nan, np.nan), "one participant only")
    drawn = np.random.default_rng(seed).multinomial(len(tables), np.full(len(tables), 1 / len(tables)), size=N_DRAWS)
    found = of(np.einsum("dn,nij->dij", drawn, tables))
    low, high = np.nanquantile(found, [alpha / 2, 1 - alpha / 2])
    if high - low < NO_SPREAD:
        return Agreement(Interval(estimate, np.nan, np.nan), "no interval: the same in all drawings")
    return Agreement(Interval(estimate, float(low), float(high)))


def bland_altman(differences: np.ndarray, *, alpha: float = 0.05) -> dict[str, Agreement]:
    """Mean difference (``bias``), and `LIMITS` within which 95% of the differences are expected, with intervals.

    References
    ----------
    Bland and Altman 1999, Stat Methods Med Res 8:135.
    """
    n, bias = len(differences), float(differences.mean())
    if n < 2:
        alone = "one participant only"
        return {"bias": Agreement(Interval(bias, np.nan, np.nan), alone)} | dict.fromkeys(
            LIMITS, Agreement(UNKNOWN, alone)
        )
    sd, z, t = (
        float(differences.std(ddof=1)),
        float(stats.norm.ppf(_OF_DIFFERENCES)),
        float(stats.t.isf(alpha / 2, n - 1)),
    )
    error = {"bias": sd / np.sqrt(n)} | dict.fromkeys(LIMITS, sd * np.sqrt(1 / n + z**2 / (2 * (n - 1))))
    centre = {"bias": bias, "limit_low": bias - z * sd, "limit_high": bias + z * sd}
    return {
        name: Agreement(Interval(value, value - t * error[name], value + t * error[name]))
        for name, value in centre.items()
    }


def intraclass_correlation(ratings: np.ndarray, *, alpha: float = 0.05) -> Agreement:
    """Agreement of single raters who are a sample of all raters: ICC(2,1), also called ICC(A,1).

    Parameters
    ----------
    ratings : ndarray, shape (n_people, n_raters)
        Without missing values.
    alpha : float
        One minus the coverage of the interval.

    References
    ----------
    Shrout and Fleiss 1979, Psychol Bull 86:420; interval: McGraw and Wong 1996, Psychol Methods 1:30.
    """
    n, k = ratings.shape
    if n < 2 or k < 2:
        return Agreement(UNKNOWN, "fewer than two participants" if n < 2 else "one rater only")
    total = float(((ratings - ratings.mean()) ** 2).sum())
    people = k * float(((ratings.mean(axis=1) - ratings.mean()) ** 2).sum())
    raters = n * float(((ratings.mean(axis=0) - ratings.mean()) ** 2).sum())
    between, across = people / (n - 1), raters / (k - 1)
    error = max(total - people - raters, 0.0) / ((n - 1) * (k - 1))
    if total < NO_SPREAD:
        return Agreement(UNKNOWN, "all ratings are the same")
    whole = between + (k - 1) * error + k * (across - error) / n
    if whole < NO_SPREAD:
        return Agreement(UNKNOWN, "no variance that people and raters would explain")
    estimate = (between - error) / whole
    if error < NO_SPREAD * total:
        return Agreement(Interval(estimate, np.nan, np.nan), "no interval: raters differ by a constant or not at all")
    share = k * estimate / (n * (1 - estimate))
    a, b = share, 1 + share * (n - 1)
    freedom = (a * across + b * error) ** 2 / ((a * across) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    rest = k * across + (k * n - k - n) * error
    lower, upper = float(stats.f.isf(alpha / 2, n - 1, freedom)), float(stats.f.isf(alpha / 2, freedom, n - 1))
    low = n * (between - lower * error) / (lower * rest + n * between)
    high = n * (upper * between - error) / (rest + n * upper * between)
    return Agreement(Interval(estimate, low, high))
