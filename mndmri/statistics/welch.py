"""Tests of a linear model whose groups have variances of their own: Welch's t, with covariates.

The coefficients are those of ordinary least squares. Groups need not spread alike: the variance
of each is estimated from its own residuals, and the degrees of freedom follow from how well these variances are known
(Satterthwaite). Without covariates a contrast of two groups is Welch's t test. Everything is written for many variables
at once, so that tables, profiles, maps and their resamplings are tested by the same lines.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import linalg, stats

from mndmri.statistics.models import COLLINEAR, TIE, Estimate, t_test

# An unbiased estimate of a variance can be negative, where the other groups' residuals explain all of this group's. It
# is at least this share of the mean square of the group's own residuals.
FLOOR = 0.1
# A group whose residuals have fewer degrees of freedom than this has no variance of its own to estimate
FEWEST_DF = 0.5
_AT_A_TIME = 100_000  # statistics, some 50 MB


class ErrorModel(NamedTuple):
    """What a design and its groups of equal variance determine before there are data; G groups, rank r."""

    basis: np.ndarray  # (n, r), orthonormal columns of the model
    inverse: np.ndarray  # (k, n), pseudo-inverse of the model matrix
    owner: np.ndarray  # (n,), group of each participant
    inner: np.ndarray  # (G, r, r), inner products of the basis within each group
    estimator: np.ndarray  # (G, G), from sums of squared residuals to variances
    least: np.ndarray  # (G,), times the sum of squares: the smallest variance
    spread: np.ndarray  # (G, G, G, G), covariance of estimates g and f for a product of variances h and k
    borrowing: np.ndarray  # (G,), bool: groups with the pooled variance of the others


class Tested(NamedTuple):
    """F (or squared t) of one hypothesis in many variables, and its degrees of freedom."""

    statistic: np.ndarray  # (v,)
    numerator: int
    df: np.ndarray  # (v,); 0 or less where there is no test
    error: np.ndarray  # (v,), standard error of one contrast; NaN of several


def error_model(matrix: np.ndarray, owner: np.ndarray, *, borrowing: Sequence[bool] | None = None) -> ErrorModel:
    """Geometry of the errors of a design.

    Parameters
    ----------
    matrix : array, shape (n, k)
        Model matrix, of any rank.
    owner : array of int, shape (n,)
        Group of each participant, 0 to G - 1; each group has its own variance.
    borrowing : sequence of bool, optional
        Groups that have no spread of their own (one participant, or all values the same) and are taken to vary as
        the others, pooled. A group that the model leaves less than half a degree of freedom always does.

    Notes
    -----
    With M the residual-forming matrix, the sum of squared residuals of group g has the expectation
    ``sum_h T[g, h] s_h``, ``T[g, h] = sum of M_ij^2 over i in g, j in h``; the variances s solve that system.
    For normal errors the sums of squares f and g have the covariance
    ``2 sum_hk s_h s_k tr(E_g M E_h M E_f M E_k M)``.

    References
    ----------
    Welch 1947, Biometrika 34:28; Satterthwaite 1946, Biometrics Bull 2:110; variances by unbiased equations: Rao
    1970, J Am Stat Assoc 65:161 (MINQUE).
    """
    inverse, rank = linalg.pinv(matrix, rtol=COLLINEAR, return_rank=True)
    basis = linalg.svd(matrix, full_matrices=False)[0][:, :rank]
    number = int(owner.max()) + 1
    members = [owner == g for g in range(number)]
    inner = np.array([basis[own].T @ basis[own] for own in members])
    traces = np.einsum("gaa->g", inner)
    sizes = np.array([own.sum() for own in members], float)
    free = sizes - traces
    total = np.diag(sizes - 2 * traces) + np.einsum("gab,hba->gh", inner, inner)
    borrows = free < FEWEST_DF if borrowing is None else np.asarray(borrowing) | (free < FEWEST_DF)
    own = ~borrows
    estimator = np.zeros((number, number))
    # pairs that share a term of the model have one residual: their sum of variances is known, and they share it
    estimator[np.ix_(own, own)] = np.linalg.pinv(total[np.ix_(own, own)], rcond=COLLINEAR, hermitian=True)
    lent = own if own.any() else borrows  # all alike: one variance
    estimator[borrows] = lent / free[lent].sum()
    least = np.where(borrows, 0.0, FLOOR / np.where(borrows, 1.0, free))

    # block (g, f) of M E_h M is [g = h = f] I + Q_g B Q_f', B = inner_h - ([h = f] + [g = h]) I
    alike, unit = np.eye(number), np.eye(rank)
    sums = alike[None, :, :, None, None] + alike[:, None, :, None, None]
    between = np.broadcast_to(inner, (number, number, *inner.shape)) - sums * unit  # (g, f, h, r, r)
    products = np.einsum("gfhab,gac,gfkcd,fdb->gfhk", between, inner, between, inner, optimize=True)
    same = np.einsum("gf,gh->gfh", alike, alike)
    single = np.einsum("gfkab,gba->gfk", between, inner)
    products = products + same[..., None] * single[:, :, None, :] + single[..., None] * same[:, :, None, :]
    products = products + same[..., None] * same[:, :, None, :] * sizes[:, None, None, None]
    spread = 2 * np.einsum("ga,fb,abhk->gfhk", estimator, estimator, products, optimize=True)
    return ErrorModel(basis, inverse, owner, inner, estimator, least, spread, borrows)


def directions_of(errors: ErrorModel, hypothesis: np.ndarray) -> np.ndarray:
    """Contrasts of the coefficients, (q, k) or (k,), as columns in the basis of the model, shape (r, q)."""
    return errors.basis.T @ (np.atleast_2d(hypothesis) @ errors.inverse).T


def wald_test(errors: ErrorModel, directions: np.ndarray, fitted: np.ndarray, squares: np.ndarray) -> Tested:
    """Approximate F test that q contrasts are zero, for many variables.

    Parameters
    ----------
    errors : ErrorModel
    directions : array, shape (r, q)
        Linearly independent, from `directions_of`.
    fitted : array, shape (r, v)
        The data along the basis.
    squares : array, shape (G, v)
        Sums of squared residuals within the groups.

    Notes
    -----
    One contrast: t squared, with Satterthwaite's degrees of freedom. Several: the Wald statistic is taken for
    Hotelling's T squared, with the degrees of freedom of the Wishart distribution that has the first two moments of the
    estimated covariance matrix.

    References
    ----------
    Zhang 2012, Open J Stat 2:1 (heteroscedastic one-way layouts); Pustejovsky and Tipton 2018, J Bus
    Econ Stat 36:672 (AHT, of regressions).
    """
    q = directions.shape[1]
    variances = group_variances(errors, squares)
    parts = np.einsum("ra,grs,sb->gab", directions, errors.inner, directions, optimize=True)
    effect = directions.T.astype(fitted.dtype) @ fitted
    if q == 1:
        weights = parts[:, 0, 0].astype(variances.dtype)
        error = weights @ variances
        form = np.einsum("g,f,gfhk->hk", weights, weights, errors.spread).astype(variances.dtype)
        uncertainty = np.einsum("hv,hv->v", variances, form @ variances)
        with np.errstate(divide="ignore", invalid="ignore"):
            return Tested(effect[0] ** 2 / error, 1, 2 * error**2 / uncertainty, np.sqrt(error))
    covariance = np.einsum("gab,gv->vab", parts, variances)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = _invert(covariance)
        scaled = np.einsum("vab,gbc->gvac", inverse, parts.astype(variances.dtype), optimize=True)
        uncertainty = np.zeros(variances.shape[1], variances.dtype)
        for g in range(len(parts)):
            for f in range(len(parts)):
                form = errors.spread[g, f].astype(variances.dtype)
                of_pair = np.einsum("hv,hv->v", variances, form @ variances)
                uncertainty += of_pair * np.einsum("vab,vba->v", scaled[g], scaled[f])
        wishart = q * (q + 1) / uncertainty
        df = wishart - q + 1
        wald = np.einsum("av,vab,bv->v", effect, inverse, effect, optimize=True)
        return Tested(wald * df / (wishart * q), q, df, np.full_like(df, np.nan))


def _invert(matrices: np.ndarray) -> np.ndarray:
    """Inverses of covariance matrices, shape (v, q, q); NaN where there is none."""
    if matrices.shape[-1] == 2:
        (a, b), (_, d) = matrices[:, 0].T, matrices[:, 1].T
        return np.array([[d, -b], [-b, a]]).transpose(2, 0, 1) / (a * d - b * b)[:, None, None]
    singular = np.linalg.cond(matrices) > 1 / np.finfo(matrices.dtype).eps
    inverse = np.linalg.inv(np.where(singular[:, None, None], np.eye(matrices.shape[-1]), matrices))
    inverse[singular] = np.nan
    return inverse


def group_variances(errors: ErrorModel, squares: np.ndarray) -> np.ndarray:
    """Variance of each group, shape (G, v), from the sums of squared residuals within them."""
    kind = squares.dtype
    return np.maximum(errors.estimator.astype(kind) @ squares, errors.least.astype(kind)[:, None] * squares)


def pivot(tested: Tested) -> np.ndarray:
    """Statistic whose distribution under the hypothesis is nearly that of the root of chi-square over q.

    However many degrees of freedom a variable has, so that the largest of many can be looked for. 0 where there is
    no test.

    References
    ----------
    Wallace 1959, Ann Math Stat 30:1121 (q = 1); Bartlett 1938, Math Proc Camb Philos Soc 34:33.
    """
    q = tested.numerator
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.maximum(tested.df + q / 2 - 1, tested.df / 2) / q
        found = np.sqrt(scale * np.log1p(q * tested.statistic / tested.df))
    return np.where(tested.df > 0, np.nan_to_num(found, posinf=0.0), 0)


def signed_pivots(
    errors: ErrorModel, fitted: np.ndarray, squares: np.ndarray, hypotheses: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """`pivot` of each hypothesis, shape (v,), with the sign of the estimate where it is one contrast.

    Parameters
    ----------
    errors : ErrorModel
    fitted, squares : array, shape (r, v) and (G, v)
        From `sums_of`.
    hypotheses : sequence of array, shape (r, q)
        Directions, from `directions_of`.
    """
    found = []
    for hypothesis in hypotheses:
        statistic = pivot(wald_test(errors, hypothesis, fitted, squares))
        single = hypothesis.shape[1] == 1
        found.append(statistic * np.sign(hypothesis[:, 0].astype(fitted.dtype) @ fitted) if single else statistic)
    return found


def welch_contrast(errors: ErrorModel, y: np.ndarray, contrast: np.ndarray, *, alpha: float = 0.05) -> Estimate:
    """Estimate, interval and two-sided t test of one contrast of the coefficients."""
    directions = directions_of(errors, contrast)
    fitted, squares = sums_of(errors, y[:, None])
    tested = wald_test(errors, directions, fitted, squares)
    estimate = float((directions.T @ fitted)[0, 0])
    return t_test(estimate, float(tested.error[0]), float(tested.df[0]), alpha=alpha)


def welch_omnibus(errors: ErrorModel, y: np.ndarray, hypothesis: np.ndarray) -> tuple[float, int, float, float]:
    """F, its degrees of freedom and p of several contrasts together; NaN where the denominator has none."""
    tested = wald_test(errors, directions_of(errors, hypothesis), *sums_of(errors, y[:, None]))
    f, df = float(tested.statistic[0]), float(tested.df[0])
    if not df > 0:
        return np.nan, tested.numerator, np.nan, np.nan
    return f, tested.numerator, df, float(stats.f.sf(f, tested.numerator, df))


def sums_of(errors: ErrorModel, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Data (n, v) along the basis, (r, v), and sums of squared residuals within the groups, (G, v)."""
    basis = errors.basis.astype(y.dtype)
    fitted = basis.T @ y
    residuals = (y - basis @ fitted) ** 2
    return fitted, np.array([residuals[errors.owner == g].sum(axis=0) for g in range(len(errors.inner))])


@lru_cache(maxsize=4)
def sign_flips(n: int, *, number: int, seed: int) -> np.ndarray:
    """Random signs of n participants, 1 or -1, shape (number, n): the same for every measure of those n."""
    return np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), (number, n))


def flipped_pivots(
    errors: ErrorModel, y: np.ndarray, hypotheses: Sequence[np.ndarray], signs: np.ndarray
) -> Iterator[list[np.ndarray]]:
    """Statistics of data whose residuals under each hypothesis have their signs flipped, participant by participant.

    The residuals of the model without a hypothesis are those of the full model and the hypothesis's own part, so that
    one product serves all hypotheses, and another, small one each.

    Parameters
    ----------
    errors : ErrorModel
    y : array, shape (n, v)
    hypotheses : sequence of array, shape (r, q)
        Directions, from `directions_of`.
    signs : array, shape (m, n)
        1 leaves a participant's residuals as they are.

    Yields
    ------
    list of array, shape (some of the flips, v)
        `pivot` for each hypothesis; with the sign of the estimate where it is one contrast.

    References
    ----------
    Winkler et al. 2014, NeuroImage 92:381 (sign flips, and the statistic G for groups of unequal variance); Davidson
    and Flachaire 2008, J Econom 146:162 (signs at random, under the hypothesis).
    """
    kind, n_variables = y.dtype, y.shape[1]
    members = [errors.owner == g for g in range(len(errors.inner))]
    basis = [errors.basis[own].astype(kind) for own in members]
    fitted = errors.basis.astype(kind).T @ y
    residuals = [y[own] - own_basis @ fitted for own, own_basis in zip(members, basis, strict=True)]
    restricted: list[tuple[np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray]]] = []
    for hypothesis in hypotheses:
        directions = linalg.orth(hypothesis)
        if directions.shape[1] == 1:  # a basis of one has an arbitrary sign, a contrast has not
            directions = directions * np.sign(directions[:, 0] @ hypothesis[:, 0])
        directions = directions.astype(kind)
        effect = directions.T @ fitted
        added = [own_basis @ directions for own_basis in basis]
        totals = [((r + a @ effect) ** 2).sum(axis=0) for r, a in zip(residuals, added, strict=True)]
        restricted.append((directions, effect, added, totals))

    batch = max(_AT_A_TIME // n_variables, 1)
    for start in range(0, len(signs), batch):
        drawn = [signs[start : start + batch, own].astype(kind) for own in members]
        of_residuals = [_along(*three) for three in zip(drawn, basis, residuals, strict=True)]  # (flips, r, v)
        found = []
        for directions, effect, added, totals in restricted:
            own_parts = [_along(*three) @ effect for three in zip(drawn, basis, added, strict=True)]
            parts = [p + own for p, own in zip(of_residuals, own_parts, strict=True)]
            whole, left = refitted_sums(errors, parts, totals)
            (statistic,) = signed_pivots(errors, whole, left, [directions])
            found.append(statistic.reshape(-1, n_variables))
        yield found


def refitted_sums(
    errors: ErrorModel, parts: Sequence[np.ndarray], totals: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """What `sums_of` finds in m sets of data of v variables, (r, m v) and (G, m v), from sums within the groups.

    Parameters
    ----------
    errors : ErrorModel
    parts : sequence of array, shape (m, r, v)
        Products of each group's data with its rows of the basis.
    totals : sequence of array, shape (m, v) or (v,)
        Sums of each group's squared data.
    """
    along = np.sum(parts, axis=0)
    squares = [
        total - 2 * (along * part).sum(axis=1) + (along * (own.astype(along.dtype) @ along)).sum(axis=1)
        for total, part, own in zip(totals, parts, errors.inner, strict=True)
    ]
    # below the total's rounding, what is left cannot be distinguished from nothing
    rounding = np.finfo(along.dtype).eps
    left = [np.maximum(own, rounding * total) for own, total in zip(squares, totals, strict=True)]
    whole = along.transpose(1, 0, 2).reshape(along.shape[1], -1)
    return whole, np.array(left).reshape(len(left), -1)


def _along(signs: np.ndarray, basis: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (n, v) with flipped signs (m, n) along a basis (n, r), shape (m, r, v)."""
    if len(signs) < values.shape[1]:
        return (signs[:, None] * basis.T) @ values
    products = (basis[:, :, None] * values[:, None]).reshape(len(values), -1)
    return (signs @ products).reshape(len(signs), basis.shape[1], -1)


def flip_p(
    errors: ErrorModel, y: np.ndarray, hypotheses: Sequence[np.ndarray], *, number: int, seed: int
) -> list[float]:
    """Two-sided p of each hypothesis by sign flips of the studentised statistic.

    Parameters
    ----------
    errors : ErrorModel
    y : array, shape (n,)
    hypotheses : sequence of array, shape (k,) or (q, k)
        Estimable contrasts of the coefficients; several in one are tested together.
    number : int
        Flips, m.
    seed : int

    Returns
    -------
    list of float
        (b + 1) / (m + 1), with b of the m flips at least as extreme as the data; NaN for m = 0.

    Notes
    -----
    Needs errors that are symmetric, or many participants; not that groups vary alike.
    """
    if number == 0 or not hypotheses:
        return [np.nan] * len(hypotheses)
    directions = [directions_of(errors, hypothesis) for hypothesis in hypotheses]
    ((*observed,),) = flipped_pivots(errors, y[:, None], directions, np.ones((1, len(y))))
    extreme = np.zeros(len(hypotheses), int)
    for drawn in flipped_pivots(errors, y[:, None], directions, sign_flips(len(y), number=number, seed=seed)):
        extreme += [np.count_nonzero(np.abs(d) >= np.abs(o) * (1 - TIE)) for d, o in zip(drawn, observed, strict=True)]
    return [(count + 1) / (number + 1) for count in extreme]
