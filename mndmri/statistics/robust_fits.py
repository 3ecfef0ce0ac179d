"""Least squares with errors robust to unequal variances, for what is computed besides the comparisons."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import linalg, stats

from mndmri.statistics.contrasts import Contrast
from mndmri.statistics.models import COLLINEAR, build_design, contrast_vector, is_estimable
from mndmri.statistics.samples import NO_SPREAD, Measured, Sample, each_measure, select_people, take_sample

PLACE = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side: L, R, both; contra, ipsi or mean with a side of onset.",
}
ROBUST = "standard errors robust to unequal variances (HC3) and n - k degrees of freedom"


class RobustFit(NamedTuple):
    """Fit of a sample: contrasts and their robust errors."""

    matrix: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray  # HC3
    residuals: np.ndarray
    df: int
    alone: np.ndarray  # (k, a) what the coefficients owe to those who decide one of them alone

    def contrast(self, vector: np.ndarray) -> tuple[float, float, float]:
        """Estimate, standard error and two-sided p; without error and p if one person alone decides it."""
        estimate, error = float(vector @ self.coefficients), float(np.sqrt(vector @ self.covariance @ vector))
        if np.abs(vector @ self.alone).max(initial=0.0) > COLLINEAR:
            return estimate, np.nan, np.nan
        p = float(2 * stats.t.sf(abs(estimate) / error, self.df)) if error > 0 else np.nan
        return estimate, error, p


def fit_robust(matrix: np.ndarray, y: np.ndarray) -> RobustFit | str:
    """Least squares with HC3, or why there is none."""
    inverse, rank = linalg.pinv(matrix, rtol=COLLINEAR, return_rank=True)
    coefficients = inverse @ y
    residuals, df = y - matrix @ coefficients, len(y) - rank
    leverage = np.einsum("nk,kn->n", matrix, inverse)
    if df < 1:
        return "no residual degree of freedom"
    if residuals @ residuals <= NO_SPREAD * np.sum((y - y.mean()) ** 2):
        return "the model leaves no residual variation"
    # who decides a coefficient alone has no residual, and adds nothing to the error of the others
    alone = leverage >= 1 - COLLINEAR
    root = inverse * np.where(alone, 0.0, residuals / np.where(alone, 1.0, 1 - leverage))
    return RobustFit(matrix, coefficients, root @ root.T, residuals, df, inverse[:, alone])


def each_sample(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    covariates: Sequence[str],
) -> Iterator[tuple[Measured, Sample]]:
    """Every measure, and its complete cases."""
    people = select_people(participants, groups=groups, covariates=covariates)
    for measured in each_measure(measures, people):
        yield measured, take_sample(measured, people, groups=groups, covariates=covariates)


def fit_contrast(sample: Sample, covariates: Sequence[str], contrast: Contrast) -> tuple[RobustFit, np.ndarray] | str:
    """Model of a sample and the weights of a contrast, or why it has no estimate."""
    if problem := sample.problem():
        return problem
    if not all(len(sample.values(side)) for side in (contrast.left, contrast.right)):
        return "a group of the contrast has no data"
    design = build_design(sample.data, groups=sample.groups, covariates=covariates)
    vector = contrast_vector(design, contrast.weights(sample.sizes()))
    if not is_estimable(design.matrix, vector):
        return "not estimable: groups confounded with covariates"
    model = fit_robust(design.matrix, sample.y)
    return model if isinstance(model, str) else (model, vector)
