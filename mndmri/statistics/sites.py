"""What each site finds alone, and what the sites find together."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, stats

from mndmri.io import InputError
from mndmri.statistics.ancova import REPORTED, ancova_rows
from mndmri.statistics.contrasts import POOLED, Contrast, list_contrasts
from mndmri.statistics.effect_sizes import Interval
from mndmri.statistics.families import is_primary
from mndmri.statistics.mixed import random_intercept
from mndmri.statistics.models import Estimate
from mndmri.statistics.samples import (
    NO_OTHERS,
    Measured,
    Sample,
    covariates_for,
    each_measure,
    own_columns,
    select_people,
    take_sample,
)
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import UNIT, with_units

ALL_SITES = "all"
_DESCRIPTIONS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    **UNIT,
    "contrast": f"The groups compared, first minus second; {POOLED} is every patient, each group weighted by its "
    "size at the site.",
    "site": f"Site; {ALL_SITES} is the random-effects mean of the sites that have an estimate.",
    "n_first": "Participants of the contrast's first side.",
    "n_second": "Participants of its second side.",
    "n_missing": "Excluded participants of the study's groups: no value, no covariate, or (all sites) no site.",
    "estimate": "Difference of means adjusted for the covariates, in the measure's unit.",
    "ci_low": "Lower confidence limit of the estimate: by t, and over the sites by Hartung, Knapp, Sidik and Jonkman "
    "(never narrower than by the sites' own errors).",
    "ci_high": "Upper confidence limit of the estimate.",
    "se": "Standard error of the estimate.",
    "hedges_g": "Unadjusted standardised difference at the site, corrected for small samples.",
    "g_ci_low": "Lower confidence limit of Hedges g, by the noncentral t distribution.",
    "g_ci_high": "Upper confidence limit of Hedges g.",
    "weight_percent": "Weight of the site in the mean of the sites.",
    "tau2": "Variance of the true difference between sites (REML), in the measure's unit squared.",
    "i2_percent": "Share of the variance of the estimates that is due to such differences.",
    "q": "Cochran's Q.",
    "q_p": "Probability of Q if the true difference is the same at every site.",
    "n_sites": "Sites with an estimate.",
    "mixed_estimate": "The difference over all sites by a linear model with the site as a random intercept (REML), "
    "which takes it to be the same at every site.",
    "mixed_ci_low": "Lower confidence limit, by t with Satterthwaite's degrees of freedom; each group has its own "
    "variance.",
    "mixed_ci_high": "Upper confidence limit.",
    "mixed_p": "Two-sided p of this difference, not corrected.",
    "note": "Excluded participants and missing numbers, with the reasons; a sentence where the mean of the sites and "
    "the model with a random intercept disagree.",
}


class Pooled(NamedTuple):
    """Random-effects mean of several estimates, and how these differ."""

    interval: Interval
    se: float
    weights: np.ndarray  # (k,), sum 1
    tau2: float
    i2: float  # share, 0 to 1
    q: float
    q_p: float


def site_effects_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of `site_effects`."""
    return dictionary("The groups compared within each site, and pooled", _DESCRIPTIONS)


def site_effects(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    site: str,
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    primary: Sequence[Mapping[str, str]] | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Adjusted group differences within each site, and their random-effects mean.

    Parameters
    ----------
    measures, participants, groups, reference, measure_covariates, contrasts, pooled, alpha
        As in `compare_groups`.
    site : str
        Column of the site or scanner, text. Whose is not known is left out.
    covariates : sequence of str
        Of the model within a site; the site itself is passed over.
    primary : sequence of mapping, optional
        The measures compared: each names a modality, measure, region and hemi, or some of these.
        Default every measure.

    Returns
    -------
    DataFrame
        A row per measure, contrast and site, then one of all sites; columns `site_effects_dictionary`.
        A site that has no estimate is a row with a note, and is left out of the mean.

    Raises
    ------
    InputError
        If a column or a group is missing, a participant is there twice, or a site is called "all".
    """
    kept = [name for name in covariates if name != site]
    own = own_columns(participants, measure_covariates)
    people = select_people(participants, groups=groups, covariates=list(dict.fromkeys([site, *kept, *own])))
    names = sorted(people[site].dropna().unique())
    if ALL_SITES in names:
        raise InputError(f"a site is called '{ALL_SITES}', which is the row of all sites together; rename it")
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    at_site = {name: people[people[site] == name] for name in names}
    rows = []
    for measured in each_measure(measures[is_primary(measures, primary)], people):
        found = {}
        for name, there in at_site.items():
            covariates, absent = covariates_for(measured.key, there, covariates=kept, chosen=measure_covariates)
            local = Measured(measured.key, measured.values[there.index], measured.reasons[there.index])
            sample = take_sample(local, there, groups=groups, covariates=covariates)
            sample.notes.extend(absent)
            found[name] = _site_rows(sample, compared, covariates=covariates, alpha=alpha)
        at_sites = people[people[site].notna()]
        names_of_all, absent = covariates_for(measured.key, at_sites, covariates=kept, chosen=measure_covariates)
        local = Measured(measured.key, measured.values[at_sites.index], measured.reasons[at_sites.index])
        everybody = take_sample(local, at_sites, groups=groups, covariates=names_of_all)
        mixed = random_intercept(everybody, people[site], covariates=names_of_all, contrasts=compared, alpha=alpha)
        for contrast in compared:
            own_rows = [measured.key | {"site": name} | found[name][contrast.name] for name in names]
            whole = measured.key | {"contrast": contrast.name} | _together(own_rows, alpha=alpha)
            whole["n_missing"] = len(people) - whole["n_used"]
            whole["note"] += absent
            _add_mixed(whole, mixed[contrast.name])
            if without := int(people[site].isna().sum()):
                whole["note"].append(f"left out: no {site} ({without})")
            rows += [*own_rows, whole]
    for row in rows:
        row["note"] = "; ".join(row["note"])
    return with_units(pd.DataFrame(rows, columns=list(_DESCRIPTIONS)), measures)


def _site_rows(
    sample: Sample, contrasts: Sequence[Contrast], *, covariates: Sequence[str], alpha: float
) -> dict[str, dict[str, Any]]:
    """Rows of one site, by contrast."""
    made = ancova_rows(sample, covariates=covariates, contrasts=contrasts, n_permutations=0, seed=0, alpha=alpha)
    rows = {row["contrast"]: row for row in made if row["test"] == REPORTED}
    for contrast in contrasts:
        row = rows[contrast.name]
        row.update(n_first=len(sample.values(contrast.left)), n_second=len(sample.values(contrast.right)))
        row.update(n_used=len(sample.data))
    return rows


def _together(rows: list[dict[str, Any]], *, alpha: float) -> dict[str, Any]:
    """Row of what the sites that have an estimate find together; gives each of theirs its weight."""
    used = [row for row in rows if "se" in row]
    together: dict[str, Any] = {"site": ALL_SITES, "n_sites": len(used), "note": []}
    together |= {name: sum(row[name] for row in used) for name in ("n_first", "n_second", "n_used")}
    if lacking := [row["site"] for row in rows if "se" not in row]:
        together["note"].append(f"no estimate: {', '.join(lacking)}")
    if len(used) < 2:
        together["note"].append("fewer than two sites with an estimate")
        return together
    pooled = pool_estimates([row["estimate"] for row in used], [row["se"] for row in used], alpha=alpha)
    for row, weight in zip(used, pooled.weights, strict=True):
        row["weight_percent"] = 100 * weight
    together |= dict(zip(("estimate", "ci_low", "ci_high"), pooled.interval, strict=True))
    together |= {"se": pooled.se, "weight_percent": 100.0, "tau2": pooled.tau2, "i2_percent": 100 * pooled.i2}
    return together | {"q": pooled.q, "q_p": pooled.q_p}


def _add_mixed(whole: dict[str, Any], mixed: Estimate | str) -> None:
    """Put the model with a random intercept beside the mean of the sites, with a sentence where they disagree."""
    if isinstance(mixed, str):
        whole["note"].append(f"no model with a random intercept: {mixed}")
        return
    columns = ("mixed_estimate", "mixed_ci_low", "mixed_ci_high")
    whole |= dict(zip(columns, mixed.interval, strict=True)) | {"mixed_p": mixed.p}
    if "estimate" not in whole:
        return
    beyond = [low > 0 or high < 0 for low, high in ((whole["ci_low"], whole["ci_high"]), mixed.interval[1:])]
    if beyond[0] != beyond[1]:
        which = ("the mean of the sites", "the model with a random intercept")
        differs, other = which if beyond[0] else which[::-1]
        whole["note"].append(
            f"{differs} differs from 0, {other} does not; the mean of the sites allows for differences that vary "
            f"between the {whole['n_sites']} sites, the model takes one to hold at all"
        )
    elif whole["estimate"] * mixed.interval.estimate < 0 and any(beyond):
        whole["note"].append("the mean of the sites and the model with a random intercept have opposite signs")


def pool_estimates(estimates: ArrayLike, errors: ArrayLike, *, alpha: float = 0.05) -> Pooled:
    """Random-effects mean of estimates with known standard errors.

    The variance between them is by restricted maximum likelihood, the interval by Hartung,
    Knapp, Sidik and Jonkman, which holds its level with few estimates too, and is never narrower
    than the estimates' own errors make it (as Röver et al. advise).

    Parameters
    ----------
    estimates, errors : array, shape (k,)
        At least 2; the errors above 0.
    alpha : float
        One minus the coverage.

    References
    ----------
    Viechtbauer 2005, J Educ Behav Stat 30:261 (REML); IntHout, Ioannidis and Borm 2014, BMC Med
    Res Methodol 14:25, and Röver, Knapp and Friede 2015, 15:99 (the interval); Higgins and
    Thompson 2002, Stat Med 21:1539 (I2).
    """
    y, variances = np.asarray(estimates, float), np.asarray(errors, float) ** 2
    tau2 = _reml(y, variances)
    weights = 1 / (variances + tau2)
    mean, df = np.average(y, weights=weights), len(y) - 1
    # sites that happen to agree must not make it surer than their own errors allow
    se = max(np.sqrt(np.average((y - mean) ** 2, weights=weights) / df), np.sqrt(1 / weights.sum()))
    half = stats.t.isf(alpha / 2, df) * se
    fixed = 1 / variances
    q = np.sum(fixed * (y - np.average(y, weights=fixed)) ** 2)
    typical = df / (fixed.sum() - np.sum(fixed**2) / fixed.sum())
    interval = Interval(mean, mean - half, mean + half)
    return Pooled(interval, se, weights / weights.sum(), tau2, tau2 / (tau2 + typical), q, stats.chi2.sf(q, df))


def _reml(y: np.ndarray, variances: np.ndarray) -> float:
    """Variance between estimates of highest restricted likelihood, at least 0."""
    unit = variances.mean()

    def slope(ratio: float) -> float:
        """Derivative of twice the log likelihood at a variance of ``ratio`` units."""
        weights = unit / (variances + ratio * unit)
        mean = np.average(y, weights=weights)
        return np.sum((weights * (y - mean)) ** 2) / unit - weights.sum() + np.sum(weights**2) / weights.sum()

    if slope(0.0) <= 0:
        return 0.0
    high = 1.0
    while slope(high) > 0:
        high *= 2
    return unit * optimize.brentq(slope, 0.0, high, xtol=1e-12)
