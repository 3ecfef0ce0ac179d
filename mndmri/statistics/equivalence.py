"""What a study without a difference shows: equivalence within a margin, and the smallest detectable difference."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from mndmri.statistics.contrasts import list_contrasts
from mndmri.statistics.differences import AS_REPORTED, PLACE, Difference, reported_differences
from mndmri.statistics.samples import NO_OTHERS, each_sample
from mndmri.statistics.welch import FEWEST_DF
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import RATINGS, UNIT, with_units

POWER = 0.8
_EQUIVALENCE = {
    **PLACE,
    **UNIT,
    "contrast": "The two groups, first minus second.",
    "n_first": "Participants of the first group.",
    "n_second": "Participants of the second group.",
    "estimate": "Difference adjusted for the covariates, in the unit of the measure.",
    "se": f"Its standard error, {AS_REPORTED}.",
    "df": "Its degrees of freedom.",
    "sd": "Standard deviation of the model's residuals: root of the mean of the two groups' variances (of several "
    "groups together their mean, weighted by size), as the reported test estimates them.",
    "margin": "Differences below it count as none: statistics.equivalence_sd times sd, in the unit of the measure.",
    "p_tost": "Larger p of the two one-sided tests that the difference lies within the margin (Schuirmann 1987).",
    "ci_low": "Lower limit of the interval of 1 - 2 alpha that belongs to it.",
    "ci_high": "Upper limit.",
    "conclusion": "equivalent (the interval lies within the margin), different (the two-sided test rejects 0), "
    "different but small (both), or undecided (neither).",
    "detectable": f"Smallest difference that a two-sided test finds with a power of {POWER:.0%}, from se and df.",
    "detectable_sd": "The same in sd.",
    "note": "Why a number is missing, and groups without a spread of their own.",
}


def equivalence_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of equivalence."""
    return dictionary("Equivalence of the groups, and the differences that the study could detect", _EQUIVALENCE)


def equivalence_table(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    margin_sd: float,
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Two one-sided tests of every difference, and the smallest difference that could have been detected.

    The margin and the detectable difference are taken from the spread and the error observed: they
    tell what this study could show, and no power "of the result" (Hoenig and Heisey 2001).

    Parameters
    ----------
    measures, participants, groups, reference, covariates, measure_covariates, contrasts, pooled, alpha
        As in `mndmri.statistics.comparisons.compare_groups`.
    margin_sd : float
        Margin in standard deviations of the model's residuals, above 0.

    References
    ----------
    Schuirmann 1987, J Pharmacokinet Biopharm 15:657; Hoenig and Heisey 2001, Am Stat 55:19.
    """
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    rows = []
    for measured, sample in each_sample(
        measures, participants, groups=groups, covariates=covariates, chosen=measure_covariates
    ):
        rating = measured.key["measure"] in RATINGS
        differences = (
            ["a rating, compared by ranks"] * len(compared) if rating else reported_differences(sample, compared)
        )
        for contrast, found in zip(compared, differences, strict=True):
            sizes = [len(sample.values(side)) for side in (contrast.left, contrast.right)]
            row: dict[str, Any] = measured.key | {"contrast": contrast.name}
            row |= dict(zip(("n_first", "n_second"), sizes, strict=True))
            rows.append(row | ({"note": found} if isinstance(found, str) else _equivalence(found, margin_sd, alpha)))
    return with_units(pd.DataFrame(rows, columns=list(_EQUIVALENCE)), measures)


def _equivalence(found: Difference, margin_sd: float, alpha: float) -> dict[str, Any]:
    estimate, error, df, sd = found.result.interval.estimate, found.result.error, found.result.df, found.sd
    if not (error > 0 and df > 0):
        return {"estimate": estimate, "note": "no variation within the groups"}
    margin = margin_sd * sd
    p = max(float(stats.t.sf((estimate + margin) / error, df)), float(stats.t.sf((margin - estimate) / error, df)))
    half = stats.t.isf(alpha, df) * error
    low, high = estimate - half, estimate + half
    within, excludes = -margin < low and high < margin, abs(estimate) > stats.t.isf(alpha / 2, df) * error
    conclusion = {
        (True, False): "equivalent",
        (True, True): "different but small",
        (False, True): "different",
        (False, False): "undecided",
    }[within, excludes]
    detectable = error * detectable_t(df, alpha=alpha)
    notes = [
        *found.notes,
        *(["too few degrees of freedom for a detectable difference"] if np.isnan(detectable) else []),
    ]
    row: dict[str, Any] = {"estimate": estimate, "se": error, "df": df, "sd": sd, "margin": margin, "p_tost": p}
    row |= {"ci_low": low, "ci_high": high, "conclusion": conclusion, "note": "; ".join(notes)}
    return row | {"detectable": detectable, "detectable_sd": detectable / sd}


def detectable_t(df: float, *, alpha: float = 0.05, power: float = POWER) -> float:
    """Difference in standard errors that a two-sided t test finds with a given power.

    NaN below half a degree of freedom: the limit of such a test is of the order of thousands of standard errors, where
    the inverse of the noncentral t distribution does not converge.
    """
    if df < FEWEST_DF:
        return np.nan
    # the other tail adds less than 1e-5 at a power of one half and more
    return float(special.nctdtrinc(df, 1 - power, stats.t.isf(alpha / 2, df)))
