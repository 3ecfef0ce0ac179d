"""Analysis of covariance of one measure: rows of the comparisons table, and adjusted means."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mndmri.statistics.contrasts import OMNIBUS, Contrast
from mndmri.statistics.effect_sizes import UNKNOWN, hedges_g
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
    permutation_p,
    t_contrast,
)
from mndmri.statistics.samples import KEY, NO_SPREAD, Sample, each_measure, select_people, take_sample


def ancova_rows(
    sample: Sample,
    *,
    covariates: Sequence[str],
    contrasts: Sequence[Contrast],
    n_permutations: int,
    seed: int,
    alpha: float,
) -> list[dict[str, Any]]:
    """Omnibus test, then every contrast by the model's errors, then by robust ones."""
    design, fit, problems = _fit_sample(sample, covariates)
    omnibus = sample.row("ancova", OMNIBUS)
    plain = {contrast: sample.row("ancova_contrast", contrast.name) for contrast in contrasts}
    robust = {contrast: sample.row("ancova_hc3", contrast.name) for contrast in contrasts}
    rows = [omnibus, *plain.values(), *robust.values()]
    for row in rows:
        row["note"] += problems
    for contrast, row in plain.items():
        sizes = hedges_g(sample.values(contrast.left), sample.values(contrast.right), alpha=alpha)
        row.update(zip(("hedges_g", "g_ci_low", "g_ci_high"), sizes, strict=True))
    if fit is None:
        return rows

    def permuted(hypothesis: np.ndarray) -> float:
        return permutation_p(sample.y, design, hypothesis, number=n_permutations, seed=seed)

    hypothesis = between_groups(design)
    if reason := _confounding(design, hypothesis):
        omnibus["note"].append(reason)
    else:
        result, eta = f_hypothesis(fit, hypothesis)
        omnibus.update(statistic=result.statistic, df=f"{len(hypothesis)}, {result.df}", p=result.p)
        omnibus.update(partial_eta_sq=eta, p_permutation=permuted(hypothesis))
    for contrast in contrasts:
        both = plain[contrast], robust[contrast]
        vector, reason = _vector(design, sample, contrast)
        if reason:
            for row in both:
                row["note"].append(reason)
            continue
        _fill(plain[contrast], t_contrast(fit, vector, alpha=alpha))
        plain[contrast]["p_permutation"] = permuted(vector)
        if np.isfinite(fit.hc3).all():
            _fill(robust[contrast], t_contrast(fit, vector, robust=True, alpha=alpha))
        else:
            robust[contrast]["note"].append("HC3 not defined: one participant alone decides a term of the model")
    return rows


def adjusted_means(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    covariates: Sequence[str] = (),
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Mean of each group at the sample's mean covariates, with its interval.

    Parameters
    ----------
    measures, participants, groups, covariates, alpha
        As in `compare_groups`.

    Returns
    -------
    DataFrame
        modality, measure, region, hemi, group, n, estimate, ci_low, ci_high (the measure's
        unit), note. Every group has a row.
    """
    people = select_people(participants, groups=groups, covariates=covariates)
    rows = []
    for measured in each_measure(measures, people):
        sample = take_sample(measured, people, groups=groups, covariates=covariates)
        design, fit, problems = _fit_sample(sample, covariates)
        for group, n in sample.sizes().items():
            notes, interval = [*sample.notes, *problems], UNKNOWN
            vector = contrast_vector(design, {group: 1.0})
            if fit is not None and n and not (reason := _confounding(design, vector)):
                interval = t_contrast(fit, vector, alpha=alpha).interval
            elif fit is not None and n:
                notes.append(str(reason))
            numbers = dict(zip(("estimate", "ci_low", "ci_high"), interval, strict=True))
            rows.append(measured.key | {"group": group, "n": n, **numbers, "note": "; ".join(notes)})
    return pd.DataFrame(rows, columns=[*KEY, "group", "n", "estimate", "ci_low", "ci_high", "note"])


def _fit_sample(sample: Sample, covariates: Sequence[str]) -> tuple[Design, Fit | None, list[str]]:
    """Model of a sample, its fit unless the data forbid one, and notes."""
    design = build_design(sample.data, groups=sample.groups, covariates=covariates)
    if problem := sample.problem():
        return design, None, [problem]
    notes = [f"constant, left out of the model: {', '.join(design.constant)}"] if design.constant else []
    fit = fit_ols(sample.y, design)
    if fit.df < 1:
        problem = f"too few participants ({len(sample.y)}) for the model's {len(design.terms)} terms"
    elif fit.ssr <= NO_SPREAD * np.sum((sample.y - sample.y.mean()) ** 2):
        problem = "the model leaves no variation to judge a difference by"
    return design, None if problem else fit, [*notes, problem] if problem else notes


def _confounding(design: Design, hypothesis: np.ndarray) -> str | None:
    if is_estimable(design.matrix, hypothesis):
        return None
    return f"not estimable: groups confounded with {', '.join(confounders(design, hypothesis))}"


def _vector(design: Design, sample: Sample, contrast: Contrast) -> tuple[np.ndarray, str | None]:
    """Weights of the model's columns, or why the contrast has no estimate."""
    if not all(len(sample.values(side)) for side in (contrast.left, contrast.right)):
        return np.zeros(len(design.terms)), "a group of the contrast has no data"
    vector = contrast_vector(design, contrast.weights(sample.sizes()))
    return vector, _confounding(design, vector)


def _fill(row: dict[str, Any], result: Estimate) -> None:
    row.update(zip(("estimate", "ci_low", "ci_high"), result.interval, strict=True))
    row.update(statistic=result.statistic, df=result.df, p=result.p)
