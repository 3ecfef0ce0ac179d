"""The groups compared with the site as a random intercept."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from statsmodels.regression.mixed_linear_model import MixedLM

from mndmri.statistics.ancova import errors_of
from mndmri.statistics.contrasts import Contrast
from mndmri.statistics.models import (
    Design,
    Estimate,
    build_design,
    confounders,
    contrast_vector,
    is_estimable,
    t_test,
)
from mndmri.statistics.samples import Sample
from mndmri.statistics.welch import ErrorModel, directions_of, group_variances, sums_of, wald_test

NO_DATA = "a group of the contrast has no data"
NOT_CONVERGED = "the fit did not converge"


def random_intercept(
    sample: Sample, sites: pd.Series, *, covariates: Sequence[str], contrasts: Sequence[Contrast], alpha: float
) -> dict[str, Estimate | str]:
    """Adjusted differences by a linear model in which every site has an intercept drawn from a normal distribution.

    Unlike the mean of the sites' own differences, it takes the difference, the effects of the covariates and the
    variance of a group to be the same at every site, and uses sites with one group too. Each group has a variance of
    its own.

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
        Name of every contrast to its estimate by restricted maximum likelihood, or to the reason why there is none.
        The degrees of freedom are Satterthwaite's of the groups' variances, at most those of the model with fixed
        sites.

    Notes
    -----
    The variances are those of the model with fixed sites; each participant is weighted by the inverse of the group's.

    References
    ----------
    Laird and Ware 1982, Biometrics 38:963; fitted by statsmodels' MixedLM. Satterthwaite 1946, Biometrics Bull 2:110.
    """
    fitted = _fit(sample, sites, covariates=covariates)
    if isinstance(fitted, str):
        return {contrast.name: fitted for contrast in contrasts}
    matrix = fitted.design.matrix
    found: dict[str, Estimate | str] = {}
    for contrast in contrasts:
        if not all(len(sample.values(side)) for side in (contrast.left, contrast.right)):
            found[contrast.name] = NO_DATA
            continue
        vector = contrast_vector(fitted.design, contrast.weights(sample.sizes()))
        error = float(np.sqrt(vector @ fitted.covariance @ vector))
        if not is_estimable(matrix, vector):
            found[contrast.name] = f"confounded with {', '.join(confounders(fitted.design, vector))}"
        elif not error > 0:
            found[contrast.name] = NOT_CONVERGED
        else:
            difference = float(vector @ fitted.effects)
            found[contrast.name] = t_test(difference, error, fitted.df_of(vector), alpha=alpha)
    return found


class _Fitted(NamedTuple):
    """A model with a random intercept, in the units of the measure."""

    design: Design
    effects: np.ndarray  # (k,)
    covariance: np.ndarray  # (k, k)
    errors: ErrorModel  # of the model without sites
    squares: np.ndarray  # (G, 1), sums of squared residuals of the model with fixed sites
    most: int  # degrees of freedom of the model with fixed sites

    def df_of(self, vector: np.ndarray) -> float:
        """Degrees of freedom of a contrast."""
        nothing = np.zeros((self.errors.basis.shape[1], 1))
        tested = wald_test(self.errors, directions_of(self.errors, vector), nothing, self.squares)
        return min(float(tested.df[0]), float(self.most))


def _fit(sample: Sample, sites: pd.Series, *, covariates: Sequence[str]) -> _Fitted | str:
    """The model of everybody, or why there is none."""
    if problem := sample.problem():
        return problem
    own = sites.reindex(sample.data.index)
    design = build_design(sample.data, groups=sample.groups, covariates=covariates)
    n, k = design.matrix.shape
    if own.nunique() < 2:
        return "one site"
    df = n - k - (own.nunique() - 1)
    if df < 1:
        return f"too few participants ({n}) for {k} terms and {own.nunique()} sites"
    if np.linalg.matrix_rank(design.matrix) < k:
        return "the covariates and groups determine each other"
    dummies = pd.get_dummies(own, dtype=float).to_numpy()
    errors, _ = errors_of(sample, design._replace(matrix=np.hstack([design.matrix, dummies])))
    _, squares = sums_of(errors, sample.y[:, None])
    sd = np.sqrt(group_variances(errors, squares))[errors.owner, 0]
    if not (sd > 0).all():
        return "no variation within the groups"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance of the sites of zero is no failure
        try:
            # Gradients fail where the variance of the sites is near zero: of 80 fits 10, of Powell's none, and where
            # both work the estimates differ by less than 0.001 SD.
            model = MixedLM(sample.y / sd, design.matrix / sd[:, None], groups=own.to_numpy(), exog_re=1 / sd)
            fitted = model.fit(reml=True, method=["powell"])
        except np.linalg.LinAlgError:
            return NOT_CONVERGED
    covariance = np.asarray(fitted.cov_params())[:k, :k]
    if not (fitted.converged and np.isfinite(covariance).all()):
        return NOT_CONVERGED
    of_groups, _ = errors_of(sample, design)
    return _Fitted(design, np.asarray(fitted.fe_params), covariance, of_groups, squares, df)
