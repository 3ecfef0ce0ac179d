"""The groups compared with the site as a random intercept."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from statsmodels.regression.mixed_linear_model import MixedLM

from mndmri.statistics.contrasts import Contrast
from mndmri.statistics.models import Estimate, build_design, contrast_vector, is_estimable, t_test
from mndmri.statistics.samples import Sample


def random_intercept(
    sample: Sample, sites: pd.Series, *, covariates: Sequence[str], contrasts: Sequence[Contrast], alpha: float
) -> dict[str, Estimate]:
    """Adjusted differences by a linear model in which every site has an intercept drawn from a normal distribution.

    Unlike the mean of the sites' own differences, it takes the difference, the effects of the covariates and the
    variance to be the same at every site, and uses sites with one group too.

    Parameters
    ----------
    sample : Sample
        Complete cases of everybody at the sites.
    sites : Series
        Site by participant_id.
    covariates : sequence of str
        Of the sample, without the site.
    contrasts : sequence of Contrast
    alpha : float
        One minus the coverage.

    Returns
    -------
    dict
        Name of a contrast to its estimate by restricted maximum likelihood, with the degrees of freedom that the model
        with fixed sites has; without those that cannot be estimated.

    References
    ----------
    Laird and Ware 1982, Biometrics 38:963; fitted by statsmodels' MixedLM.
    """
    if sample.problem():
        return {}
    own = sites.reindex(sample.data.index)
    design = build_design(sample.data, groups=sample.groups, covariates=covariates)
    n, k = design.matrix.shape
    df = n - k - (own.nunique() - 1)
    scale = float(sample.y.std())
    if own.nunique() < 2 or df < 1 or np.linalg.matrix_rank(design.matrix) < k:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance of the sites of zero is no failure
        try:
            fitted = MixedLM(sample.y / scale, design.matrix, groups=own.to_numpy()).fit(reml=True)
        except np.linalg.LinAlgError:
            return {}
    covariance = np.asarray(fitted.cov_params())[:k, :k]
    if not (fitted.converged and np.isfinite(covariance).all()):
        return {}
    found = {}
    for contrast in contrasts:
        if not all(len(sample.values(side)) for side in (contrast.left, contrast.right)):
            continue
        vector = contrast_vector(design, contrast.weights(sample.sizes()))
        error = float(np.sqrt(vector @ covariance @ vector))
        if is_estimable(design.matrix, vector) and error > 0:
            difference = float(vector @ np.asarray(fitted.fe_params))
            found[contrast.name] = t_test(scale * difference, scale * error, float(df), alpha=alpha)
    return found
