"""Which groups are compared."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from mndmri.io import InputError
from mndmri.statistics.samples import reference_last

POOLED = "patients"
OMNIBUS = "group"


class Contrast(NamedTuple):
    """Groups on the left minus groups on the right."""

    name: str
    left: tuple[str, ...]
    right: tuple[str, ...]

    @property
    def is_pair(self) -> bool:
        """Whether it compares one group with one other."""
        return len(self.left) == len(self.right) == 1

    def weights(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Weight of each group; those that are pooled weigh by their size. Both sides have someone."""
        weights = {}
        for side, sign in ((self.left, 1), (self.right, -1)):
            total = sum(sizes[name] for name in side)
            weights.update({name: sign * sizes[name] / total for name in side})
        return weights


def list_contrasts(
    groups: Sequence[str], *, reference: str | None, pairs: Sequence[Sequence[str]] | None = None, pooled: bool = True
) -> list[Contrast]:
    """Pairs asked for (default all, the reference second), then all patients ``pooled`` against the reference.

    Raises
    ------
    InputError
        If the reference or a pair is not of the groups.
    """
    ordered = reference_last(groups, reference)
    chosen = combinations(ordered, 2) if pairs is None else map(tuple, pairs)
    contrasts = []
    for pair in chosen:
        if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(groups):
            found, expected = ", ".join(pair), ", ".join(groups)
            raise InputError(f"a contrast needs two different groups of {expected}; found {found}")
        contrasts.append(Contrast(f"{pair[0]}-{pair[1]}", (pair[0],), (pair[1],)))
    if pooled and reference is not None and len(ordered) > 2:
        contrasts.append(Contrast(f"{POOLED}-{reference}", tuple(ordered[:-1]), (reference,)))
    return contrasts
