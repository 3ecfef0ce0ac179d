"""The linear model of a measure: group means adjusted for covariates, and tests on them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import linalg, stats

from mndmri.statistics.effect_sizes import UNKNOWN, Interval
from mndmri.statistics.samples import NO_SPREAD

COLLINEAR = 1e-8  # singular values below this, relative to the largest, are rounding
TIE = 1e-9  # relative; the same sum in another order is the same statistic


class Design(NamedTuple):
    """Model matrix with one column a group (its adjusted mean), then centred covariates."""

    matrix: np.ndarray  # (n, k)
    groups: list[str]  # the first columns
    terms: list[str]  # of each column, the group or the covariate that it belongs to
    constant: list[str]  # covariates left out: the same in everyone


class Fit(NamedTuple):
    """What tests of a fitted model rest on."""

    coefficients: np.ndarray  # (k,)
    covariance: np.ndarray  # (k, k)
    hc3: np.ndarray  # (k, k), robust to unequal variances; NaN where it is not defined
    df: int  # residual
    ssr: float  # residual sum of squares
    inverse: np.ndarray  # (k, n), pseudo-inverse of the model matrix
    basis: np.ndarray  # (n, rank), orthonormal, of the space that its columns span


class Estimate(NamedTuple):
    """A contrast's estimate and interval, its t (or F), degrees of freedom and p, and its standard error."""

    interval: Interval
    statistic: float
    df: float
    p: float
    error: float


def covariate_columns(values: pd.Series) -> pd.DataFrame:
    """A covariate's model columns, centred: itself if numeric, else a dummy for all levels but the first.

    Centring the dummies too puts the adjusted means at the sample's own mix of levels.
    """
    if is_numeric_dtype(values):
        columns = values.astype(float).to_frame()
    else:
        columns = pd.get_dummies(values.astype(str), drop_first=True, dtype=float)
    return columns - columns.mean()


def build_design(people: pd.DataFrame, *, groups: Sequence[str], covariates: Sequence[str]) -> Design:
    """Model matrix of complete cases.

    Parameters
    ----------
    people : DataFrame
        ``group`` and the covariates, none missing; a row for each participant.
    groups : sequence of str
        In the order wanted; one without participants gets no column.
    covariates : sequence of str
        Numbers are used as they are, text as categories. One that is the same in everyone is left out.
    """
    present = [name for name in groups if (people["group"] == name).any()]
    parts = [(people["group"] == name).to_numpy(float)[:, None] for name in present]
    terms, constant = list(present), []
    for name in covariates:
        if _is_constant(people[name]):
            constant.append(name)
            continue
        columns = covariate_columns(people[name]).to_numpy()
        if is_numeric_dtype(people[name]):
            columns = columns / columns.std()  # an income in cents must not decide the matrix's rank
        parts.append(columns)
        terms += [name] * columns.shape[1]
    matrix = np.hstack(parts) if parts else np.empty((len(people), 0))
    return Design(matrix, present, terms, constant)


def _is_constant(values: pd.Series) -> bool:
    """Whether a covariate is the same in everyone, but for rounding."""
    if not is_numeric_dtype(values) or values.empty:
        return values.nunique() < 2
    numbers = values.to_numpy(float)
    return bool(np.ptp(numbers) <= NO_SPREAD * np.abs(numbers).max())


def contrast_vector(design: Design, weights: Mapping[str, float]) -> np.ndarray:
    """Weights of the model's columns from weights of its groups; covariates get 0."""
    vector = np.zeros(len(design.terms))
    vector[: len(design.groups)] = [weights.get(name, 0.0) for name in design.groups]
    return vector


def between_groups(design: Design) -> np.ndarray:
    """Hypothesis that all groups are equal: each against the last, shape (groups - 1, k)."""
    last = design.groups[-1]
    return np.array([contrast_vector(design, {name: 1, last: -1}) for name in design.groups[:-1]])


def is_estimable(matrix: np.ndarray, hypothesis: np.ndarray) -> bool:
    """Whether the data determine the contrasts: they lie in the row space of the model matrix."""
    return np.allclose(hypothesis @ linalg.pinv(matrix, rtol=COLLINEAR) @ matrix, hypothesis, atol=1e-6)


def confounders(design: Design, hypothesis: np.ndarray) -> list[str]:
    """Covariates without any one of which the contrasts would be estimable."""
    covariates = list(dict.fromkeys(design.terms[len(design.groups) :]))
    kept = {name: [term != name for term in design.terms] for name in covariates}
    found = [n for n in covariates if is_estimable(design.matrix[:, kept[n]], hypothesis[..., kept[n]])]
    return found or covariates


def fit_ols(y: np.ndarray, design: Design) -> Fit:
    """Ordinary least squares fit; a column that the others determine takes no degree of freedom.

    Parameters
    ----------
    y : array, shape (n,)
    design : Design

    References
    ----------
    HC3: MacKinnon and White 1985, J Econometrics 29:305.
    """
    inverse, rank = linalg.pinv(design.matrix, rtol=COLLINEAR, return_rank=True)
    coefficients = inverse @ y
    residuals = y - design.matrix @ coefficients
    df = len(y) - rank
    ssr = float(residuals @ residuals)
    leverage = np.einsum("nk,kn->n", design.matrix, inverse)
    # a participant who decides a coefficient alone has leverage 1 and no residual to judge its error by
    defined = leverage.max() < 1 - COLLINEAR
    weighted = inverse * (residuals / (1 - leverage)) if defined else np.full_like(inverse, np.nan)
    variance = ssr / df if df > 0 else np.nan
    basis = linalg.orth(design.matrix, rcond=COLLINEAR)
    return Fit(coefficients, variance * inverse @ inverse.T, weighted @ weighted.T, df, ssr, inverse, basis)


def t_contrast(fit: Fit, contrast: np.ndarray, *, robust: bool = False, alpha: float = 0.05) -> Estimate:
    """Test of one contrast by t, by the model's covariance or by the ``robust`` one (HC3).

    The robust one has the degrees of freedom of `hc3_df`.
    """
    covariance, df = (fit.hc3, hc3_df(fit, contrast)) if robust else (fit.covariance, float(fit.df))
    return t_test(float(contrast @ fit.coefficients), float(np.sqrt(contrast @ covariance @ contrast)), df, alpha=alpha)


def t_test(estimate: float, error: float, df: float, *, alpha: float) -> Estimate:
    """Estimate with its interval and two-sided test, from its standard error."""
    half = float(stats.t.isf(alpha / 2, df)) * error
    t = estimate / error
    p = float(2 * stats.t.sf(abs(t), df))
    return Estimate(Interval(estimate, estimate - half, estimate + half), t, df, p, error)


def hc3_df(fit: Fit, contrast: np.ndarray) -> float:
    """Degrees of freedom of a contrast's HC3 variance: Satterthwaite's, were the errors normal with equal variance.

    The variance is a sum of squared residuals with weights w; with M the residual-forming matrix it has
    ``tr(WM)^2 / tr(WMWM)`` of them.

    References
    ----------
    Bell and McCaffrey 2002, Surv Methodol 28:169; for HC3: Imbens and Kolesar 2016, Rev Econ Stat 98:701.
    """
    leverage = (fit.basis**2).sum(axis=1)
    weights = ((contrast @ fit.inverse) / (1 - leverage)) ** 2
    inner = fit.basis.T @ (weights[:, None] * fit.basis)
    squares = (weights**2 * (1 - 2 * leverage)).sum() + (inner**2).sum()
    return float((weights * (1 - leverage)).sum() ** 2 / squares)


def f_hypothesis(fit: Fit, hypothesis: np.ndarray) -> tuple[Estimate, float]:
    """F test that all contrasts are zero, and their partial eta squared.

    For a model without interactions this is the type II test of the factor.

    Parameters
    ----------
    fit : Fit
    hypothesis : array, shape (q, k)
        Linearly independent contrasts.
    """
    q = len(hypothesis)
    effect = hypothesis @ fit.coefficients
    f = float(effect @ np.linalg.solve(hypothesis @ fit.covariance @ hypothesis.T, effect)) / q
    return Estimate(UNKNOWN, f, fit.df, float(stats.f.sf(f, q, fit.df)), np.nan), q * f / (q * f + fit.df)
