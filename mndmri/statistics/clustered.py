"""Linear models of several values of each person, with errors that allow every person and group to vary differently."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from mndmri.statistics.models import COLLINEAR, TIE, Estimate, t_test
from mndmri.statistics.samples import NO_SPREAD
from mndmri.statistics.welch import sign_flips

_BATCH = 2**22  # numbers at a time


class Clustered(NamedTuple):
    """A fit by generalised least squares, and what robust errors of it need."""

    effects: np.ndarray  # (k,)
    inverse: np.ndarray  # (k, k), of the information
    matrix: np.ndarray  # (N, k)
    y: np.ndarray  # (N,)
    starts: np.ndarray  # (n,), first row of each person
    scores: np.ndarray  # (k, N), from residuals to each person's part of the estimates, adjusted for leverage
    estimator: np.ndarray  # (k, N), from data to the estimates
    covariances: list[np.ndarray]  # of each person's values, (n_i, n_i)
    groups: np.ndarray  # (n,), group of each person; each varies in its own way


def fit_clustered(
    matrix: np.ndarray, y: np.ndarray, owner: np.ndarray, covariances: list[np.ndarray], groups: np.ndarray
) -> Clustered:
    """Effects of a model whose persons' values are correlated.

    Parameters
    ----------
    matrix : array, shape (N, k)
        Of full rank.
    y : array, shape (N,)
    owner : array of int, shape (N,)
        Person of each row, 0 to n - 1, in rising order.
    covariances : list of array
        Of the values of each person, as the model has them. They decide how visits are weighted; the errors of the
        estimates do not rest on their being right.
    groups : array, shape (n,)
        Group of each person.
    """
    starts = np.flatnonzero(np.r_[True, np.diff(owner) > 0])
    parts = np.split(np.arange(len(y)), starts[1:])
    weighted = [linalg.solve(v, matrix[own], assume_a="pos") for v, own in zip(covariances, parts, strict=True)]
    inverse = linalg.inv(sum(matrix[own].T @ part for own, part in zip(parts, weighted, strict=True)))
    estimator = inverse @ np.vstack(weighted).T
    scores = np.empty_like(estimator)
    for own, part, covariance in zip(parts, weighted, covariances, strict=True):
        scores[:, own] = inverse @ part.T @ _adjustment(matrix[own], covariance, inverse)
    return Clustered(estimator @ y, inverse, matrix, y, starts, scores, estimator, covariances, groups)


def _adjustment(matrix: np.ndarray, covariance: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Matrix that gives a person's residuals the covariance that their errors have in the model (CR2).

    References
    ----------
    Bell and McCaffrey 2002, Surv Methodol 28:169; Pustejovsky and Tipton 2018, J Bus Econ Stat 36:672.
    """
    root = linalg.cholesky(covariance)
    left = root @ (covariance - matrix @ inverse @ matrix.T) @ root.T
    values, vectors = linalg.eigh((left + left.T) / 2)
    kept = values > COLLINEAR * values.max(initial=0)
    powers = np.where(kept, np.where(kept, values, 1.0) ** -0.5, 0.0)
    return root.T @ (vectors * powers) @ vectors.T @ root


def clustered_test(fit: Clustered, contrast: np.ndarray, *, alpha: float = 0.05) -> Estimate:
    """Estimate, interval and t test of a contrast of the effects, by robust errors of people.

    Without variation between the people compared there is no error and no test. The degrees of freedom of each
    group's part of the variance are those of the model; the parts are added as Welch does, each as large as it was
    found to be.

    References
    ----------
    Pustejovsky and Tipton 2018, J Bus Econ Stat 36:672 (errors CR2, and their degrees of freedom in one group);
    Welch 1947, Biometrika 34:28.
    """
    scores = contrast @ fit.scores
    residuals = fit.y - fit.matrix @ fit.effects
    of_people = np.add.reduceat(scores * residuals, fit.starts) ** 2
    variance = float(of_people.sum())
    forms, uncertainty = _forms(fit, scores), 0.0
    for group in np.unique(fit.groups):
        own = fit.groups == group
        block = forms[np.ix_(own, own)]
        if np.trace(block) > COLLINEAR * np.trace(forms):  # of others than those compared, rounding
            uncertainty += of_people[own].sum() ** 2 * (block**2).sum() / np.trace(block) ** 2
    known = variance > (NO_SPREAD * np.abs(fit.y).max()) ** 2 and uncertainty > 0
    error, df = (np.sqrt(variance), variance**2 / uncertainty) if known else (np.nan, np.nan)
    return t_test(float(contrast @ fit.effects), float(error), float(df), alpha=alpha)


def _forms(fit: Clustered, scores: np.ndarray) -> np.ndarray:
    """Covariances of the people's parts of an estimate in the model, shape (n, n)."""
    parts = np.split(np.arange(len(fit.y)), fit.starts[1:])
    of_model = np.array([scores[own] @ fit.matrix[own] for own in parts])
    forms = -of_model @ fit.inverse @ of_model.T
    forms[np.diag_indices_from(forms)] += [
        scores[own] @ v @ scores[own] for own, v in zip(parts, fit.covariances, strict=True)
    ]
    return forms


def _of_people(fit: Clustered, parts: np.ndarray) -> np.ndarray:
    """Sum over people of the squares of their sums, shape (m,), of (N, m)."""
    return (np.add.reduceat(parts, fit.starts, axis=0) ** 2).sum(axis=0)


def flip_people_p(fit: Clustered, contrast: np.ndarray, *, number: int, seed: int) -> float:
    """Two-sided p of a contrast by sign flips of the studentised statistic, each person's residuals as a whole.

    The residuals are those of the model without the contrast. NaN for no flips.

    Parameters
    ----------
    fit : Clustered
    contrast : array, shape (k,)
    number : int
        Flips, m; p is (b + 1) / (m + 1), with b of them at least as extreme as the data.
    seed : int

    References
    ----------
    Cameron, Gelbach and Miller 2008, Rev Econ Stat 90:414; Winkler et al. 2014, NeuroImage 92:381.
    """
    if number == 0:
        return np.nan
    lost = fit.inverse @ contrast / (contrast @ fit.inverse @ contrast)
    residuals = fit.y - fit.matrix @ (fit.effects - lost * (contrast @ fit.effects))
    scores = contrast @ fit.scores

    def statistic(signs: np.ndarray) -> np.ndarray:
        """Absolute statistic of people's signs, (m, n)."""
        lengths = np.diff(np.r_[fit.starts, len(fit.y)])
        flipped = np.repeat(signs, lengths, axis=1).T * residuals[:, None]
        effects = fit.estimator @ flipped
        left = flipped - fit.matrix @ effects
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.abs(contrast @ effects) / np.sqrt(_of_people(fit, scores[:, None] * left))

    n = len(fit.starts)
    [observed] = statistic(np.ones((1, n)))
    signs = sign_flips(n, number=number, seed=seed)
    step = max(_BATCH // len(fit.y), 1)
    extreme = sum(
        np.count_nonzero(statistic(signs[start : start + step]) >= observed * (1 - TIE))
        for start in range(0, number, step)
    )
    return (extreme + 1) / (number + 1)
