"""The reported differences between the groups, for what is computed besides the comparisons."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mndmri.statistics.ancova import REPORTED, contrast_of, errors_of, fit_sample
from mndmri.statistics.contrasts import Contrast
from mndmri.statistics.effect_sizes import Interval
from mndmri.statistics.models import Estimate
from mndmri.statistics.ranks import RANKS, rating_rows
from mndmri.statistics.samples import Sample
from mndmri.statistics.welch import group_variances, sums_of, welch_contrast

PLACE = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side: L, R, both; contra, ipsi or mean with a side of onset.",
}
AS_REPORTED = f"of the reported test in comparisons.tsv ({REPORTED}; of ratings {RANKS})"


class Difference(NamedTuple):
    """Difference between the two sides of a contrast."""

    result: Estimate
    sd: float  # root of the mean of the two sides' variances (pooled groups: mean weighted by size); NaN of ratings
    notes: list[str]


def reported_differences(
    sample: Sample, contrasts: Sequence[Contrast], *, rating: bool = False, alpha: float = 0.05
) -> list[Difference | str]:
    """Difference of each contrast by the test of the comparisons (of a ``rating`` its shift), or why there is none."""
    if rating:
        return _shifts(sample, contrasts, alpha=alpha)
    design, fit, problems = fit_sample(sample, sample.covariates)
    if fit is None:
        return [problems[-1]] * len(contrasts)
    errors, notes = errors_of(sample, design)
    variances = dict(
        zip(design.groups, group_variances(errors, sums_of(errors, sample.y[:, None])[1])[:, 0], strict=True)
    )
    found: list[Difference | str] = []
    for contrast in contrasts:
        vector, reason = contrast_of(design, sample, contrast)
        if reason:
            found.append(reason)
            continue
        weights = contrast.weights(sample.sizes())
        sd = float(np.sqrt(sum(abs(weight) * variances.get(name, 0.0) for name, weight in weights.items()) / 2))
        found.append(Difference(welch_contrast(errors, sample.y, vector, alpha=alpha), sd, notes))
    return found


def _shifts(sample: Sample, contrasts: Sequence[Contrast], *, alpha: float) -> list[Difference | str]:
    made = rating_rows(sample, contrasts=contrasts, n_permutations=0, seed=0, alpha=alpha)
    found: list[Difference | str] = []
    for row in made[1:]:
        if "p" not in row:
            found.append(row["note"][-1])
            continue
        interval = Interval(row["estimate"], row["ci_low"], row["ci_high"])
        result = Estimate(interval, row["statistic"], np.nan, row["p"], np.nan)
        found.append(Difference(result, np.nan, [note for note in row["note"] if note not in sample.notes]))
    return found
