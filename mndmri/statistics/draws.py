"""Statistics of many places under the null hypothesis: residuals drawn from everybody, on the scale of each group.

For corrections by the largest of many statistics. Sign flips, which serve a single measure (`flip_p`), make skewed
errors symmetric, and the largest statistic depends on their tails; exchanging residuals between groups gives a group
the spread of the others. Residuals are therefore divided by the standard deviation of their own group and multiplied by
that of the group that they are drawn for, which keeps the shape of the errors and the spread of every group. They are
drawn with replacement: the sum of residuals that are only exchanged is fixed, and the mean of a large group then varies
too little where the groups vary differently.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from mndmri.statistics.welch import ErrorModel, group_variances, refitted_sums, signed_pivots, sums_of

# Weight of the whole map or profile, against that of the place, in the ratio of the groups' variances: few people say
# little of one place, and the spread may differ between places
SHARED = 0.5
_AT_A_TIME = 6_000_000  # drawn residuals, at most 50 MB but for those of a single draw


@lru_cache(maxsize=4)
def draw_people(n: int, *, number: int, seed: int) -> np.ndarray:
    """Whose residuals each of n participants has in each of the draws, with replacement; shape (number, n)."""
    return np.random.default_rng(seed).integers(0, n, (number, n))


def draw_among(drawn: np.ndarray, present: np.ndarray, errors: ErrorModel, *, seed: int) -> np.ndarray:
    """Draws of the participants who are present, as they were where that one can lend, counted among these.

    A group without a variance of its own lends no residuals, unless all groups have one variance.

    Parameters
    ----------
    drawn : array, shape (m, n)
        From `draw_people`.
    present : array of bool, shape (n,)
    errors : ErrorModel
        Of those present.
    seed : int
        Of the draws that replace those of the others.
    """
    lending = present.copy()
    lending[present] = ~errors.borrowing[errors.owner] | errors.borrowing.all()
    if lending.all():
        return drawn
    number = np.cumsum(present) - 1
    others = np.random.default_rng([seed, *np.flatnonzero(lending)]).choice(number[lending], drawn.shape)
    return np.where(lending[drawn], number[drawn], others)[:, present]


def drawn_pivots(
    errors: ErrorModel,
    y: np.ndarray,
    hypotheses: Sequence[np.ndarray],
    drawn: np.ndarray,
    *,
    places: np.ndarray | None = None,
) -> Iterator[list[np.ndarray]]:
    """Statistics of data in which no hypothesis is false: residuals drawn participant by participant.

    Parameters
    ----------
    errors : ErrorModel
    y : array, shape (n, v)
    hypotheses : sequence of array, shape (r, q)
        Directions, from `directions_of`.
    drawn : array of int, shape (m, n)
        Whose residuals each participant has, the same for all variables; from `draw_among`.
    places : array of int, shape (v,), optional
        Number of the map or profile to which each variable belongs; all to one by default.

    Yields
    ------
    list of array, shape (some of the draws, v)
        `signed_pivots` for each hypothesis.

    Notes
    -----
    The scale is that of the residuals where they come from, and of the errors (unbiased) where they go to. The ratio of
    the groups' variances is a half that of the variable and a half the mean of the map or profile.

    References
    ----------
    Westfall and Young 1993, Resampling-Based Multiple Testing (residual vectors drawn with replacement, largest
    statistic); Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 9 (residuals of a regression).
    """
    kind, n_variables = y.dtype, y.shape[1]
    members = [errors.owner == g for g in range(len(errors.inner))]
    basis = errors.basis.astype(kind)
    fitted, squares = sums_of(errors, y)
    lent, given = _scales(errors, squares, np.zeros(n_variables, int) if places is None else places)
    residuals = y - basis @ fitted
    residuals /= lent[errors.owner]

    batch = max(_AT_A_TIME // y.size, 1)
    for start in range(0, len(drawn), batch):
        parts, totals = [], []
        for own, scale in zip(members, given, strict=True):
            values = residuals[drawn[start : start + batch, own]]  # (draws, people of the group, v)
            values *= scale
            parts.append(basis[own].T @ values)
            totals.append(np.einsum("mnv,mnv->mv", values, values))
        whole, left = refitted_sums(errors, parts, totals)
        found = signed_pivots(errors, whole, left, hypotheses)
        # few people can have the same residual drawn for all of them: no spread, no test. A group without a variance of
        # its own needs none
        spread = left > 2 * np.finfo(kind).eps * np.array(totals).reshape(left.shape)
        tested = spread.any(axis=0) if errors.borrowing.all() else spread[~errors.borrowing].all(axis=0)
        yield [np.where(tested, statistic, 0).reshape(-1, n_variables) for statistic in found]


def _scales(errors: ErrorModel, squares: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations of the residuals and of the errors of each group, each of shape (G, v)."""
    sizes = np.bincount(errors.owner)[:, None].astype(squares.dtype)
    of_residuals = squares / sizes
    if errors.borrowing.all():  # one variance for everybody
        of_residuals = np.broadcast_to(squares.sum(axis=0) / sizes.sum(), squares.shape)
    steady = [_steady(variances, places) for variances in (of_residuals, group_variances(errors, squares))]
    return np.sqrt(steady[0]), np.sqrt(steady[1])


def _steady(variances: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Variances, (G, v), whose ratios between the groups are partly those of their whole map or profile."""
    level = np.maximum(variances.mean(axis=0), np.finfo(variances.dtype).tiny)
    ratio = variances / level
    shared = np.array([np.bincount(places, own) / np.bincount(places) for own in ratio], variances.dtype)[:, places]
    return np.maximum(level * ((1 - SHARED) * ratio + SHARED * shared), np.finfo(variances.dtype).tiny)
