"""Tests on ranks: Kruskal-Wallis, and Dunn's test of its pairs; of ratings, by permutation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from mndmri.statistics.contrasts import OMNIBUS, Contrast
from mndmri.statistics.effect_sizes import hodges_lehmann
from mndmri.statistics.exact import rank_sum_p
from mndmri.statistics.models import TIE
from mndmri.statistics.samples import Sample

# The test of ratings that a report prints: whole numbers, often the same in a whole group, have no normal errors
RANKS = "permuted_ranks"


def dunn(values: Mapping[str, np.ndarray], first: str, second: str) -> tuple[float, float]:
    """Dunn's z and two-sided p of ``first`` against ``second``, corrected for ties.

    Parameters
    ----------
    values : mapping
        Group to its values, all groups that the Kruskal-Wallis test had; not all values the same.
    first, second : str
        Two of them.

    References
    ----------
    Dunn 1964, Technometrics 6:241.
    """
    pooled = np.concatenate(list(values.values()))
    ranks = stats.rankdata(pooled)
    owner = np.repeat(list(values), [len(v) for v in values.values()])
    n, (_, ties) = len(pooled), np.unique(pooled, return_counts=True)
    variance = n * (n + 1) / 12 - (ties.astype(float) ** 3 - ties).sum() / (12 * (n - 1))
    difference = ranks[owner == first].mean() - ranks[owner == second].mean()
    z = float(difference / np.sqrt(variance * (1 / len(values[first]) + 1 / len(values[second]))))
    return z, float(2 * stats.norm.sf(abs(z)))


def rank_rows(sample: Sample, *, contrasts: Sequence[Contrast], alpha: float) -> list[dict[str, Any]]:
    """Kruskal-Wallis test, then each pair of groups by Dunn's with the Hodges-Lehmann shift."""
    values = {name: sample.values([name]) for name, size in sample.sizes().items() if size}
    overall = sample.row("kruskal", OMNIBUS)
    pairs = {contrast: sample.row("dunn", contrast.name) for contrast in contrasts if contrast.is_pair}
    rows = [overall, *pairs.values()]
    if problem := sample.problem():
        for row in rows:
            row["note"].append(problem)
        return rows
    h, p = stats.kruskal(*values.values())
    overall.update(statistic=float(h), df=len(values) - 1, p=float(p))
    for contrast, row in pairs.items():
        first, second = contrast.left[0], contrast.right[0]
        if not {first, second} <= set(values):
            row["note"].append("a group of the contrast has no data")
            continue
        shift = hodges_lehmann(values[first], values[second], alpha=alpha)
        z, p = dunn(values, first, second)
        row.update(zip(("estimate", "ci_low", "ci_high"), shift, strict=True))
        row.update(statistic=z, p=p)
    return rows


def rating_rows(
    sample: Sample, *, contrasts: Sequence[Contrast], n_permutations: int, seed: int, alpha: float
) -> list[dict[str, Any]]:
    """Ranks of all groups, then of the two sides of each contrast, by permutation: exact if it can be.

    Parameters
    ----------
    sample : Sample
        Without covariates.
    contrasts : sequence of Contrast
        Sides of several groups are taken together.
    n_permutations : int
        Of the ranks of more than two groups, at random; 0 for the chi-square approximation.
    seed : int
    alpha : float
        One minus the coverage of the limits of the shift.
    """
    values = [sample.values([name]) for name, size in sample.sizes().items() if size]
    overall = sample.row(RANKS, OMNIBUS)
    sides = {contrast: sample.row(RANKS, contrast.name) for contrast in contrasts}
    rows = [overall, *sides.values()]
    for row in rows:
        row["note"].append("a rating: ranks, without covariates")
    if problem := sample.problem():
        for row in rows:
            row["note"].append(problem)
        return rows
    statistic, p = stats.kruskal(*values)
    how = "by chi-square"
    if len(values) == 2:
        p, how = rank_sum_p(*values)
    elif n_permutations:
        p, how = _permuted_kruskal(values, number=n_permutations, seed=seed), f"of {n_permutations} random divisions"
    overall.update(statistic=float(statistic), df=len(values) - 1, p=float(p))
    overall["note"].append(f"p {how}")
    for contrast, row in sides.items():
        first, second = sample.values(contrast.left), sample.values(contrast.right)
        if not (len(first) and len(second)):
            row["note"].append("a group of the contrast has no data")
            continue
        row.update(zip(("estimate", "ci_low", "ci_high"), hodges_lehmann(first, second, alpha=alpha), strict=True))
        p, how = rank_sum_p(first, second)
        row.update(statistic=float(stats.mannwhitneyu(first, second).statistic), p=p)
        row["note"].append(f"p {how}")
    return rows


def _permuted_kruskal(values: Sequence[np.ndarray], *, number: int, seed: int) -> float:
    """P of Kruskal and Wallis's statistic among random divisions of the midranks, (b + 1) / (m + 1)."""
    ranks = stats.rankdata(np.concatenate(values))
    sizes = np.array([len(own) for own in values])
    starts = np.cumsum(sizes) - sizes

    def between(orders: np.ndarray) -> np.ndarray:
        return (np.add.reduceat(orders, starts, axis=-1) ** 2 / sizes).sum(axis=-1)

    drawn = np.random.default_rng(seed).permuted(np.tile(ranks, (number, 1)), axis=1)
    as_large = between(drawn) >= between(ranks) * (1 - TIE)
    return float((as_large.sum() + 1) / (number + 1))
