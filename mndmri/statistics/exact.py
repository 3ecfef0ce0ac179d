"""Exact tests: of a contingency table, and of ranks with ties."""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
from scipy import special, stats

from mndmri.io import InputError
from mndmri.statistics.effect_sizes import EXACT_BELOW

# The smaller of two groups times both together, up to which tied ranks are divided in every way: 60 and 55 people, whom
# it takes a tenth of a second. Where most values are the same, the normal approximation is too bold in groups of any
# size: with 5 and 60 people, of whom 3% have a score above 0, p was at most 0.05 in 7.2% of 4,000 null studies
EXACT_TIES = 7_000


def _fillings(total: int, room: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every way to put ``total`` into cells with that much room each."""
    if len(room) == 1:
        if total <= room[0]:
            yield (total,)
        return
    for count in range(min(total, room[0]) + 1):
        for rest in _fillings(total - count, room[1:]):
            yield (count, *rest)


def _multinomial(counts: tuple[int, ...]) -> int:
    return math.factorial(sum(counts)) // math.prod(map(math.factorial, counts))


def count_tables(table: np.ndarray) -> int:
    """Upper bound of the number of tables with the same margins."""
    rows, columns = np.sum(table, axis=1), len(np.sum(table, axis=0))
    return math.prod(math.comb(int(n) + columns - 1, columns - 1) for n in sorted(rows)[:-1])


def fisher_freeman_halton(table: np.ndarray) -> float:
    """Exact p of an r x c table: all tables with its margins that are no more probable.

    Every table is enumerated, in whole numbers, so there is no sampling error and no
    rounding. Meant for small tables (see `count_tables`); a 2 x 2 gives Fisher's two-sided p.

    Parameters
    ----------
    table : array of int, shape (r, c)
        Counts, at least 2 x 2.

    Returns
    -------
    float
        In (0, 1]; 1 where a margin leaves only one table.

    Raises
    ------
    InputError
        If the table is not one of counts.

    References
    ----------
    Freeman and Halton 1951, Biometrika 38:141.
    """
    counts = np.asarray(table)
    if counts.ndim != 2 or min(counts.shape) < 2 or (counts < 0).any() or (counts != np.floor(counts)).any():
        raise InputError(f"an exact test needs a table of counts, at least 2 x 2; found {counts.tolist()}")
    observed = [tuple(map(int, line)) for line in counts]
    # A table's probability is proportional to the product of its rows' multinomial coefficients.
    # Tables that leave the same column totals to the rows below, at the same product, are one state.
    states = Counter({(tuple(map(int, counts.sum(axis=0))), 1): 1})
    for line in observed:
        following: Counter = Counter()
        for (room, weight), number in states.items():
            for filling in _fillings(sum(line), room):
                left = tuple(r - f for r, f in zip(room, filling, strict=True))
                following[left, weight * _multinomial(filling)] += number
        states = following
    limit = math.prod(map(_multinomial, observed))
    extreme = sum(weight * number for (_, weight), number in states.items() if weight <= limit)
    return extreme / sum(weight * number for (_, weight), number in states.items())


def rank_sum_p(first: np.ndarray, second: np.ndarray) -> tuple[float, str]:
    """Two-sided p of the sum of ranks of two groups, and how it was computed.

    With ties over every division of the midranks (`permuted_ranks_p`), up to `EXACT_TIES`; without, by the exact
    distribution where both groups have fewer than `EXACT_BELOW`. Otherwise by the normal approximation with the
    variance of the ties and correction for continuity.

    Parameters
    ----------
    first, second : array, shape (m,) and (n,)
        Finite values, at least one in each.
    """
    tied = len(np.unique([*first, *second])) < len(first) + len(second)
    if tied and min(len(first), len(second)) * (len(first) + len(second)) <= EXACT_TIES:
        return permuted_ranks_p(first, second), "over every division of the midranks"
    exact = not tied and max(len(first), len(second)) < EXACT_BELOW
    p = float(stats.mannwhitneyu(first, second, method="exact" if exact else "asymptotic").pvalue)
    return p, "exact" if exact else "by the normal approximation"


def permuted_ranks_p(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided p of the sum of ranks over every way to form groups of these sizes from these values, tied or not.

    For whole-numbered scores and other tied values, where the distribution of untied ranks and its normal
    approximation do not hold. p is the share of ways whose sum of midranks lies as far from its mean or
    farther.

    Parameters
    ----------
    first, second : array, shape (m,) and (n,)
        Finite values, at least one in each. Time grows with the square of the smaller number times m + n, less where
        many have the lowest value.

    References
    ----------
    Streitberg and Röhmel 1986, Stat Softw Newsl 12:10.
    """
    small, m, n = min(len(first), len(second)), len(first), len(second)
    doubled = np.rint(2 * stats.rankdata(np.concatenate([first, second]))).astype(int)
    doubled -= doubled.min()
    observed = int(doubled[:m].sum() if m == small else doubled[m:].sum())
    above = np.sort(doubled[doubled > 0])
    most = min(small, len(above))
    largest = int(above[len(above) - most :].sum())
    # ways to choose k of those above the lowest value with each sum of doubled midranks, then the others among these
    ways = np.zeros((most + 1, largest + 1))
    ways[0, 0] = 1
    for value in above:
        ways[1:, value:] += ways[:-1, : largest + 1 - value].copy()
    counts = special.comb(m + n - len(above), small - np.arange(most + 1)) @ ways
    # the distance from the mean, times the number of people to be a whole one
    distance = np.abs(np.arange(largest + 1) * (m + n) - small * int(above.sum()))
    as_far = distance >= distance[observed]
    return float(counts[as_far].sum() / counts.sum())
