"""Values freed of the covariates of their measure: a volume as it would be in a head of average size."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import linalg

from mndmri.statistics.models import COLLINEAR, covariate_columns
from mndmri.statistics.samples import Measured, covariates_for


def adjust_measured(
    measured: Measured, people: pd.DataFrame, *, chosen: Mapping[str, Sequence[str]], within: Sequence[str]
) -> tuple[Measured, list[str]]:
    """A measure with the effects of its own covariates taken out, and notes.

    Each person's value is moved to the average of the covariates, along slopes within the groups that are
    estimated from all others: nobody's value takes part in their own adjustment, as in cross-validation.

    Parameters
    ----------
    measured : Measured
        Of ``people``.
    people : DataFrame
        By participant_id, with the covariates.
    chosen : mapping
        As in `mndmri.tables.covariates.covariates_of`.
    within : sequence of str
        Columns whose every combination has a mean of its own: group, and site where there are several.

    Returns
    -------
    measured : Measured
        As it was, if it has no covariates of its own, nobody has them, or there are too few people. Without a
        covariate a value is missing.
    notes : list of str
    """
    names, notes = covariates_for(measured.key, people, covariates=(), chosen=chosen)
    if not names:
        return measured, notes
    lacking = people[[*names, *within]].isna()
    known = (measured.values.notna() & ~lacking.any(axis=1)).to_numpy()
    columns = np.hstack([covariate_columns(people.loc[known, name]).to_numpy() for name in names])
    spread = columns.std(axis=0) if known.any() else np.zeros(columns.shape[1])
    columns = columns[:, spread > 0] / spread[spread > 0]
    cells = pd.get_dummies(people.loc[known, list(within)].astype(str).agg(" ".join, axis=1), dtype=float).to_numpy()
    matrix = np.hstack([columns, cells])
    inverse, rank = linalg.pinv(matrix, rtol=COLLINEAR, return_rank=True) if known.any() else (matrix.T, 0)
    if known.sum() - rank < 2:
        return measured, [*notes, f"not adjusted for {', '.join(names)}: too few participants"]
    y = measured.values.to_numpy()[known]
    leverage = np.einsum("nk,kn->n", matrix, inverse)
    residuals = y - matrix @ (inverse @ y)
    # who decides a mean alone, as the only one of a group, says nothing of the slopes
    share = np.where(leverage < 1 - COLLINEAR, residuals / np.maximum(1 - leverage, COLLINEAR), 0.0)
    slopes = (inverse @ y)[:, None] - inverse * share
    values = measured.values.where(pd.Series(known, people.index))
    values[known] = y - np.einsum("nk,kn->n", columns, slopes[: columns.shape[1]])
    reasons = measured.reasons
    for name in lacking:
        reasons = reasons.mask(measured.values.notna() & people[name].isna(), f"no {name}")
    return measured._replace(values=values, reasons=reasons), [*notes, f"adjusted for {', '.join(names)}"]
