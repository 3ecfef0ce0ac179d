"""Exact test of a contingency table."""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from mndmri.io import InputError


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
