"""Tests on ranks: Kruskal-Wallis, and Dunn's test of its pairs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from mndmri.statistics.contrasts import OMNIBUS, Contrast
from mndmri.statistics.effect_sizes import hodges_lehmann
from mndmri.statistics.samples import Sample


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
