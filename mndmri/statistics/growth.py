"""How people's values vary about the lines of their groups: random intercept and slope, by restricted likelihood."""

from typing import NamedTuple

import numpy as np
from scipy import optimize

from mndmri.statistics.mixed import NOT_CONVERGED
from mndmri.statistics.samples import NO_SPREAD

# Of the search for the variances, in deviance per degree of freedom
_PRECISION = 1e-12
# Standard deviations of the random effects where the search begins, in those of a visit. The deviance is level where
# one of them is zero, so that a search that comes there stays: the better of two is taken
_STARTS = (0.5, 4.0)
# Beyond two visits at different times, over all people: with fewer, the spread of slopes and the error of a visit
# cannot be separated
FEWEST_FURTHER = 3
FEW_TIMES = "random intercept alone: too few people with visits at three times"


class Growth(NamedTuple):
    """Variances of a model with a random intercept and, where it could be estimated, a random slope."""

    effects: np.ndarray
    """Of the fixed effects, shape (k,)."""
    random: np.ndarray
    """Covariance of intercept and slope at the mean time, shape (2, 2); 0 in the slope's places without one."""
    residual: float
    """Variance of a visit."""
    centre: float
    """Mean time, years."""
    note: str
    """Why there is no random slope, empty where there is one."""

    def covariance(self, years: np.ndarray) -> np.ndarray:
        """Covariance of a person's values at some times, shape (n_i, n_i)."""
        lines = np.column_stack([np.ones(len(years)), years - self.centre])
        return lines @ self.random @ lines.T + self.residual * np.eye(len(years))


def fit_growth(matrix: np.ndarray, y: np.ndarray, owner: np.ndarray, years: np.ndarray) -> Growth | str:
    """Variances of the random effects, or why there are none.

    Parameters
    ----------
    matrix : array, shape (N, k)
        Fixed effects, of full rank.
    y : array, shape (N,)
    owner : array of int, shape (N,)
        Person of each row, 0 to n - 1, in rising order.
    years : array, shape (N,)

    Notes
    -----
    By restricted maximum likelihood, profiled as in lme4. statsmodels' MixedLM agrees and takes 0.1 to 0.3 s a fit,
    too long for the thousands of a bootstrap.

    References
    ----------
    Laird and Ware 1982, Biometrics 38:963; Bates et al. 2015, J Stat Softw 67:1.
    """
    times = np.array([len(np.unique(own)) for own in np.split(years, np.flatnonzero(np.diff(owner)) + 1)])
    if not (np.bincount(owner) > 1).any():
        return "nobody has two visits"
    if len(y) - len(times) - 2 < FEWEST_FURTHER:
        return f"too few values ({len(y)}) of {len(times)} people"
    plain = np.linalg.lstsq(matrix, y, rcond=None)[0]
    left = y - matrix @ plain
    spread = float(left.std())
    if not spread > NO_SPREAD * np.abs(y).max():
        return "no variation about the groups' lines"
    centre = float(years.mean())
    lines = np.column_stack([np.ones(len(y)), years - centre])
    note = "" if np.maximum(times - 2, 0).sum() >= FEWEST_FURTHER else FEW_TIMES
    fitted = _fit(matrix, left / spread, owner, lines[:, :1] if note else lines)
    if fitted is None:
        return NOT_CONVERGED
    effects, random, residual = fitted
    return Growth(plain + spread * effects, spread**2 * random, spread**2 * residual, centre, note)


def _fit(
    matrix: np.ndarray, y: np.ndarray, owner: np.ndarray, lines: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Fixed effects, covariance of intercept and slope, and residual variance; None where the search fails."""
    n, k = matrix.shape
    scales = np.array([1.0, lines[:, 1].std()]) if lines.shape[1] == 2 else np.ones(1)
    random, whole = lines / scales, np.column_stack([matrix, y])
    starts = np.flatnonzero(np.r_[True, np.diff(owner) > 0])
    inner = np.add.reduceat(random[:, :, None] * random[:, None, :], starts)  # (n, q, q)
    across = np.add.reduceat(random[:, :, None] * whole[:, None, :], starts)  # (n, q, k + 1)
    total, q = whole.T @ whole, len(scales)
    lower = np.tril_indices(q)

    def solved(parameters: np.ndarray) -> tuple[float, np.ndarray, float, np.ndarray]:
        """Deviance, effects, residual variance and the root of the random effects' relative covariance."""
        root = np.zeros((q, q))
        root[lower] = parameters
        blocks = np.eye(q) + root.T @ inner @ root
        parts = root.T @ across
        products = total - np.einsum("nqa,nqb->ab", parts, np.linalg.solve(blocks, parts))
        effects = np.linalg.solve(products[:k, :k], products[:k, k])
        squares = float(products[k, k] - products[:k, k] @ effects)
        determinants = np.linalg.slogdet(blocks)[1].sum() + np.linalg.slogdet(products[:k, :k])[1]
        deviance = float(determinants + (n - k) * np.log(max(squares, np.finfo(float).tiny)))
        return deviance, effects, squares / (n - k), root

    def searched(start: np.ndarray) -> optimize.OptimizeResult:
        return optimize.minimize(
            lambda parameters: solved(parameters)[0] / (n - k),
            start,
            method="L-BFGS-B",
            options={"ftol": _PRECISION, "gtol": 1e-8},
        )

    found = min((searched(size * np.eye(q)[lower]) for size in _STARTS), key=lambda result: result.fun)
    deviance, effects, residual, root = solved(found.x)
    if not (np.isfinite(deviance) and residual > 0):
        return None
    covariance = np.zeros((2, 2))
    covariance[:q, :q] = residual * root @ root.T / np.outer(scales, scales)
    return effects, covariance, residual
