"""Analysis of covariance of one measure: rows of the comparisons table, and adjusted means."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mndmri.statistics.contrasts import OMNIBUS, Contrast
from mndmri.statistics.effect_sizes import UNKNOWN, Interval, g_of_t, hedges_g
from mndmri.statistics.models import (
    Design,
    Estimate,
    Fit,
    between_groups,
    build_design,
    confounders,
    contrast_vector,
    f_hypothesis,
    fit_ols,
    is_estimable,
    t_contrast,
)
from mndmri.statistics.samples import NO_OTHERS, NO_SPREAD, Sample, each_sample
from mndmri.statistics.welch import ErrorModel, error_model, flip_p, welch_contrast, welch_omnibus
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import UNIT, with_units

# The test that a report prints: it holds where groups vary differently, and loses little where they do not
REPORTED = "ancova_welch"
# A group with a variance of its own from fewer people makes the test too bold where it varies more than the others
FEWEST_SURE = 4

_MEANS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the person's body the region is on: L, R, or both.",
    **UNIT,
    "group": "Study group.",
    "n": "Participants of the group with a value and every covariate.",
    "estimate": "Mean of the group at the average covariates of everyone compared, in the measure's unit.",
    "ci_low": "Lower confidence limit of the mean, by the group's own variance.",
    "ci_high": "Upper confidence limit of the mean.",
    "note": "Who was left out and why, and why a number is missing.",
}


def ancova_rows(
    sample: Sample,
    *,
    covariates: Sequence[str],
    contrasts: Sequence[Contrast],
    n_permutations: int,
    seed: int,
    alpha: float,
) -> list[dict[str, Any]]:
    """Omnibus tests, then every contrast by groups of equal variance, of variances of their own, and by HC3."""
    design, fit, problems = fit_sample(sample, covariates)
    omnibus, own_omnibus = sample.row("ancova", OMNIBUS), sample.row(REPORTED, OMNIBUS)
    plain = {contrast: sample.row("ancova_contrast", contrast.name) for contrast in contrasts}
    own = {contrast: sample.row(REPORTED, contrast.name) for contrast in contrasts}
    robust = {contrast: sample.row("ancova_hc3", contrast.name) for contrast in contrasts}
    rows = [omnibus, own_omnibus, *plain.values(), *own.values(), *robust.values()]
    for row in rows:
        row["note"] += problems
    for contrast in contrasts:
        sides = sample.values(contrast.left), sample.values(contrast.right)
        for row in (plain[contrast], own[contrast]):
            size = hedges_g(*sides, own_variances=row is own[contrast], alpha=alpha)
            row.update(zip(("hedges_g", "g_ci_low", "g_ci_high"), size, strict=True))
            if math.isnan(size.estimate) and fit is not None and min(map(len, sides)) > 1:
                row["note"].append("no Hedges g: no variation within these groups")
    if fit is None:
        return rows

    errors, borrowed = errors_of(sample, design)
    for row in (own_omnibus, *own.values()):
        row["note"] += borrowed
    hypotheses: list[tuple[dict[str, Any], np.ndarray]] = []
    hypothesis = between_groups(design)
    if reason := _confounding(design, hypothesis):
        for row in (omnibus, own_omnibus):
            row["note"].append(reason)
    else:
        result, eta = f_hypothesis(fit, hypothesis)
        omnibus.update(statistic=result.statistic, df_num=len(hypothesis), df=result.df, p=result.p)
        omnibus.update(partial_eta_sq=eta)
        numbers = welch_omnibus(errors, sample.y, hypothesis)
        own_omnibus.update(zip(("statistic", "df_num", "df", "p"), numbers, strict=True))
        if math.isnan(numbers[-1]):
            own_omnibus["note"].append("too few degrees of freedom for all groups at once")
        hypotheses.append((own_omnibus, hypothesis))
    for contrast in contrasts:
        three = plain[contrast], own[contrast], robust[contrast]
        vector, reason = contrast_of(design, sample, contrast)
        if reason:
            for row in three:
                row["note"].append(reason)
            continue
        results = t_contrast(fit, vector, alpha=alpha), welch_contrast(errors, sample.y, vector, alpha=alpha)
        for row, result in zip((plain[contrast], own[contrast]), results, strict=True):
            fill(row, result)
            size = _adjusted_g(fit, result, alpha=alpha)
            row.update(zip(("adjusted_g", "adj_g_ci_low", "adj_g_ci_high"), size, strict=True))
            if math.isnan(size.estimate):
                row["note"].append("no adjusted g: one residual degree of freedom")
            elif math.isnan(size.low):
                row["note"].append("no limits of g: less than one degree of freedom")
        hypotheses.append((own[contrast], vector))
        if reason := _no_hc3(fit, vector):
            robust[contrast]["note"].append(reason)
        else:
            fill(robust[contrast], t_contrast(fit, vector, robust=True, alpha=alpha))
    flipped = flip_p(errors, sample.y, [tested for _, tested in hypotheses], number=n_permutations, seed=seed)
    for (row, _), p in zip(hypotheses, flipped, strict=True):
        row["p_permutation"] = p if np.isfinite(row["p"]) else np.nan
    return rows


def errors_of(sample: Sample, design: Design) -> tuple[ErrorModel, list[str]]:
    """Errors of the model with a variance for each group, and notes on these variances."""
    names = sample.data["group"].to_numpy()
    owner = np.array([design.groups.index(name) for name in names])
    alike = sample.alike()
    errors = error_model(design.matrix, owner, borrowing=[name in alike for name in design.groups])
    return errors, variance_notes(sample, design, errors)


def variance_notes(sample: Sample, design: Design, errors: ErrorModel) -> list[str]:
    """Notes on groups whose variance rests on few people, or is that of the others."""
    lacking = [name for name, lacks in zip(design.groups, errors.borrowing, strict=True) if lacks]
    notes = [f"no spread of its own, taken to vary as the others: {', '.join(lacking)}"] if lacking else []
    few = {name: size for name, size in sample.sizes().items() if 0 < size < FEWEST_SURE and name not in lacking}
    return notes + [f"variance of {name} estimated from {size} people" for name, size in few.items()]


def adjusted_means_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of `adjusted_means`."""
    return dictionary("Means of the groups at the average covariates", _MEANS)


def adjusted_means(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Mean of each group at the sample's mean covariates, with its interval.

    Parameters
    ----------
    measures, participants, groups, covariates, measure_covariates, alpha
        As in `compare_groups`.

    Returns
    -------
    DataFrame
        Columns as in `adjusted_means_dictionary`. Every group has a row.
    """
    rows = []
    for measured, sample in each_sample(
        measures, participants, groups=groups, covariates=covariates, chosen=measure_covariates
    ):
        design, fit, problems = fit_sample(sample, sample.covariates)
        for group, n in sample.sizes().items():
            notes, interval = [*sample.notes, *problems], UNKNOWN
            vector = contrast_vector(design, {group: 1.0})
            if fit is not None and n and not (reason := _confounding(design, vector)):
                interval = welch_contrast(errors_of(sample, design)[0], sample.y, vector, alpha=alpha).interval
            elif fit is not None and n:
                notes.append(str(reason))
            numbers = dict(zip(("estimate", "ci_low", "ci_high"), interval, strict=True))
            rows.append(measured.key | {"group": group, "n": n, **numbers, "note": "; ".join(notes)})
    return with_units(pd.DataFrame(rows, columns=list(_MEANS)), measures)


def fit_sample(sample: Sample, covariates: Sequence[str]) -> tuple[Design, Fit | None, list[str]]:
    """Model of a sample, its fit unless the data forbid one, and notes."""
    design = build_design(sample.data, groups=sample.groups, covariates=covariates)
    if problem := sample.problem():
        return design, None, [problem]
    notes = [f"constant, left out of the model: {', '.join(design.constant)}"] if design.constant else []
    notes += _alone(sample.data[[name for name in covariates if name in design.terms]])
    fit = fit_ols(sample.y, design)
    if fit.df < 1:
        problem = f"too few participants ({len(sample.y)}) for the model's {len(design.terms)} terms"
    elif fit.ssr <= NO_SPREAD * np.sum((sample.y - sample.y.mean()) ** 2):
        problem = "the model leaves no residual variation"
    return design, None if problem else fit, [*notes, problem] if problem else notes


def _alone(covariates: pd.DataFrame) -> list[str]:
    """Notes on levels with one participant, whom the model fits exactly."""
    notes = []
    for name in covariates.select_dtypes(exclude=["number", "bool"]):
        sizes = covariates[name].astype(str).value_counts()
        levels = sorted(sizes.index[sizes == 1])
        if levels:
            notes.append(
                f"only one participant, who does not contribute to the comparison, in {name}: {', '.join(levels)}"
            )
    return notes


def _confounding(design: Design, hypothesis: np.ndarray) -> str | None:
    if is_estimable(design.matrix, hypothesis):
        return None
    return f"not estimable: groups confounded with {', '.join(confounders(design, hypothesis))}"


def contrast_of(design: Design, sample: Sample, contrast: Contrast) -> tuple[np.ndarray, str | None]:
    """Weights of the model's columns, or why the contrast has no estimate."""
    if not all(len(sample.values(side)) for side in (contrast.left, contrast.right)):
        return np.zeros(len(design.terms)), "a group of the contrast has no data"
    vector = contrast_vector(design, contrast.weights(sample.sizes()))
    return vector, _confounding(design, vector)


def _adjusted_g(fit: Fit, result: Estimate, *, alpha: float) -> Interval:
    """Adjusted g of a contrast, whose limits agree with the test: both hold 0, or neither."""
    scale = result.error / math.sqrt(fit.ssr / fit.df)
    return g_of_t(result.statistic, df=result.df, sd_df=fit.df, scale=scale, alpha=alpha)


def _no_hc3(fit: Fit, vector: np.ndarray) -> str | None:
    """Why the contrast has no robust error, if it has none."""
    if not np.isfinite(fit.hc3).all():
        return "HC3 not defined: one participant alone decides a term of the model"
    # groups without any spread leave rounding, which would be taken for an error of zero
    none = vector @ fit.hc3 @ vector <= NO_SPREAD * (vector @ fit.covariance @ vector)
    return "HC3 not defined: no variation within these groups" if none else None


def fill(row: dict[str, Any], result: Estimate) -> None:
    """Put an estimate, its interval and its test into a row of a table."""
    row.update(zip(("estimate", "ci_low", "ci_high"), result.interval, strict=True))
    row.update(se=result.error, statistic=result.statistic, df=result.df, p=result.p)
