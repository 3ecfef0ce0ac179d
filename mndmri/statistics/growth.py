"""How people's values vary about the lines of their groups: random intercept and slope, by restricted likelihood."""

import warnings
from typing import NamedTuple

import numpy as np
from statsmodels.regression.mixed_linear_model import MixedLM

from mndmri.statistics.mixed import NOT_CONVERGED
from mndmri.statistics.samples import NO_SPREAD

# Beyond two visits at different times, over all people: with fewer, the spread of slopes and the error of a visit
# cannot be told apart
FEWEST_FURTHER = 3


class Growth(NamedTuple):
    """Variances of a model with a random intercept and, where it could be estimated, a random slope."""

    effects: np.ndarray  # (k,), of the fixed effects
    random: (
        np.ndarray
    )  # (2, 2), covariance of intercept and slope, at the mean time; 0 in the slope's places without one
    residual: float  # variance
    centre: float  # mean time, years
    note: str  # why there is no random slope, empty where there is one

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

    References
    ----------
    Laird and Ware 1982, Biometrics 38:963; fitted by statsmodels' MixedLM.
    """
    people = np.split(years, np.flatnonzero(np.diff(owner)) + 1)
    times = np.array([len(np.unique(own)) for own in people])
    if not (np.bincount(owner) > 1).any():
        return "nobody has two visits"
    if len(y) - len(people) - 2 < FEWEST_FURTHER:
        return f"too few values ({len(y)}) of {len(people)} people"
    residuals = y - matrix @ np.linalg.lstsq(matrix, y, rcond=None)[0]
    scale = float(residuals.std())
    if not scale > NO_SPREAD * np.abs(y).max():
        return "no variation about the groups' lines"
    centre = float(years.mean())
    enough = np.maximum(times - 2, 0).sum() >= FEWEST_FURTHER
    note = "random intercept alone: too few people with three visits"
    if enough:
        fitted = _fit(matrix, y / scale, owner, np.column_stack([np.ones(len(y)), years - centre]))
        if fitted is not None:
            return _growth(fitted, scale, centre, "")
        note = "random intercept alone: the fit with a random slope did not converge"
    fitted = _fit(matrix, y / scale, owner, np.ones((len(y), 1)))
    return NOT_CONVERGED if fitted is None else _growth(fitted, scale, centre, note)


def _growth(fitted: tuple[np.ndarray, np.ndarray, float], scale: float, centre: float, note: str) -> Growth:
    effects, random, residual = fitted
    both = np.zeros((2, 2))
    both[: len(random), : len(random)] = random * scale**2
    return Growth(effects * scale, both, residual * scale**2, centre, note)


def _fit(
    matrix: np.ndarray, y: np.ndarray, owner: np.ndarray, lines: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Fixed effects, covariance of the random ones, and residual variance; None where the fit fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance of zero is no failure
        try:
            fitted = MixedLM(y, matrix, groups=owner, exog_re=lines).fit(reml=True, method=["lbfgs", "powell"])
        except (np.linalg.LinAlgError, ValueError):
            return None
    random, residual = np.asarray(fitted.cov_re), float(fitted.scale)
    if not (fitted.converged and np.isfinite(random).all() and residual > 0):
        return None
    return np.asarray(fitted.fe_params), random, residual
