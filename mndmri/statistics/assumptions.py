"""What the models of the comparisons assume, tested."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg, stats

from mndmri.statistics.ancova import errors_of, fit_sample
from mndmri.statistics.differences import PLACE
from mndmri.statistics.models import COLLINEAR, Design, covariate_columns, fit_ols
from mndmri.statistics.samples import NO_OTHERS, NO_SPREAD, Sample, each_sample
from mndmri.statistics.welch import welch_omnibus
from mndmri.tables.dictionaries import dictionary

BROWN_FORSYTHE, SLOPES, NORMALITY, OUTLIER = "brown_forsythe", "equal_slopes", "normality", "outlier"
FEWEST_NORMAL = 5  # people; residuals of fewer, divided by their own SD, are not normal if the values are
_ASSUMPTIONS = PLACE | {
    "check": f"{BROWN_FORSYTHE}: equal spread of the groups, on the residuals of the model. {SLOPES}: a covariate's "
    "effect is the same in every group (F of the interaction with group, each group with a variance of its own, as "
    f"ancova_welch). {NORMALITY}: Shapiro and Wilk's test of the residuals of groups of {FEWEST_NORMAL} or more, "
    f"each divided by its group's standard deviation. {OUTLIER}: the largest residual, externally studentised within "
    "the spread of its own group.",
    "term": "Covariate of the interaction.",
    "n": "Participants in the model.",
    "statistic": "F, W or t.",
    "df_num": "Degrees of freedom of the numerator.",
    "df": "Degrees of freedom, of the denominator.",
    "p": f"Not corrected; of {OUTLIER} by Bonferroni's correction over the participants.",
    "who": "Participant with the largest residual.",
    "note": "Why there is no test; sd of each group. With few people, a test that does not reject says little.",
}


def assumptions_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of assumptions."""
    return dictionary("What the models of the comparisons assume, tested", _ASSUMPTIONS)


def assumptions_table(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
) -> pd.DataFrame:
    """What the models of the comparisons assume, tested for every measure.

    Parameters
    ----------
    measures, participants, groups, covariates, measure_covariates
        As in `mndmri.statistics.comparisons.compare_groups`.

    References
    ----------
    Brown and Forsythe 1974, J Am Stat Assoc 69:364; interactions: Zhang 2012, Open J Stat 2:1; Shapiro and Wilk 1965,
    Biometrika 52:591.
    """
    rows = []
    for measured, sample in each_sample(
        measures, participants, groups=groups, covariates=covariates, chosen=measure_covariates
    ):
        for row in _assumptions(sample):
            rows.append(measured.key | {"n": len(sample.data)} | row)
    return pd.DataFrame(rows, columns=list(_ASSUMPTIONS))


def _assumptions(sample: Sample) -> Iterator[dict[str, Any]]:
    design, fit, problems = fit_sample(sample, sample.covariates)
    if fit is None:
        slopes = [(SLOPES, name) for name in sample.covariates]
        for check, term in [(BROWN_FORSYTHE, None), *slopes, (NORMALITY, None), (OUTLIER, None)]:
            yield {"check": check, "term": term, "note": problems[-1]}
        return
    owner = sample.data["group"]
    residuals = pd.Series(sample.y - design.matrix @ fit.coefficients, sample.data.index)
    parts = {name: own for name, own in residuals.groupby(owner) if len(own) > 2}
    spreads = "; ".join(f"SD {name} {own.std():.4g}" for name, own in parts.items())
    yield {"check": BROWN_FORSYTHE} | _brown_forsythe(parts) | {"note": spreads}
    for name in sample.covariates:
        found = {"note": "the same in everyone"} if name in design.constant else _slopes(sample, design, name)
        yield {"check": SLOPES, "term": name} | found
    yield {"check": NORMALITY} | _normality(parts, sample.sizes())
    varying = [own for own in parts.values() if own.std() > 0]
    if not varying:
        yield {"check": OUTLIER, "note": "no group of three or more with variation"}
        return
    yield {"check": OUTLIER} | _outlier(residuals.loc[pd.concat(varying).index], owner)


def _brown_forsythe(parts: Mapping[str, pd.Series]) -> dict[str, Any]:
    if len(parts) < 2 or all(np.ptp(own) == 0 for own in parts.values()):
        return {}
    f, p = stats.levene(*parts.values(), center="median")
    n, k = sum(map(len, parts.values())), len(parts)
    return {"statistic": float(f), "df_num": k - 1, "df": n - k, "p": float(p)}


def _slopes(sample: Sample, design: Design, term: str) -> dict[str, Any]:
    """Test of a covariate's interaction with group, a variance for each group."""
    columns = covariate_columns(sample.data[term]).to_numpy()
    owner = sample.data["group"].to_numpy()
    crossed = np.hstack([(owner == group)[:, None] * columns / columns.std(axis=0) for group in design.groups[1:]])
    # what the model does not span already; a group that has one level alone adds nothing
    within = linalg.orth(design.matrix, rcond=COLLINEAR)
    left, sizes, _ = linalg.svd(crossed - within @ (within.T @ crossed), full_matrices=False)
    added = left[:, sizes > COLLINEAR * linalg.norm(crossed, 2)]
    q, start = added.shape[1], design.matrix.shape[1]
    if q == 0:
        return {"note": "no two groups in which it varies"}
    if len(owner) - within.shape[1] - q < 1:
        return {"note": "too few participants"}
    extended = design._replace(matrix=np.hstack([design.matrix, added]), terms=[*design.terms, *[SLOPES] * q])
    fit = fit_ols(sample.y, extended)
    if fit.ssr <= NO_SPREAD * np.sum((sample.y - sample.y.mean()) ** 2):
        return {"note": "too few participants"}
    errors, notes = errors_of(sample, extended)
    f, df_num, df, p = welch_omnibus(errors, sample.y, np.eye(start + q)[start:])
    if np.isnan(p):
        notes.append("too few degrees of freedom")
    return {"statistic": f, "df_num": df_num, "df": df, "p": p, "note": "; ".join(notes)}


def _normality(parts: Mapping[str, pd.Series], sizes: Mapping[str, int]) -> dict[str, Any]:
    """Shapiro and Wilk's test of the residuals of groups that are large enough, each divided by the group's SD."""
    scaled = [own / own.std() for own in parts.values() if len(own) >= FEWEST_NORMAL and own.std() > 0]
    if not scaled:
        return {"note": f"no group of {FEWEST_NORMAL} or more with variation"}
    small = [f"{name} ({size})" for name, size in sizes.items() if 0 < size < FEWEST_NORMAL]
    w, p = stats.shapiro(pd.concat(scaled))
    note = f"fewer than {FEWEST_NORMAL} people, left out: {', '.join(small)}" if small else ""
    return {"statistic": float(w), "p": float(p), "note": note}


def _outlier(residuals: pd.Series, owner: pd.Series) -> dict[str, Any]:
    """Residual that lies furthest out among those of its own group."""
    sizes = residuals.groupby(owner).transform("size")
    centred = residuals - residuals.groupby(owner).transform("mean")
    squares = (centred**2).groupby(owner).transform("sum")
    # of one residual of n around their mean: externally studentised, n - 2 degrees of freedom
    left = (squares - centred**2 * sizes / (sizes - 1)).clip(lower=0)
    t = centred / np.sqrt(left / (sizes - 2) * (sizes - 1) / sizes).replace(0, np.nan)
    p = pd.Series(2 * stats.t.sf(t.abs(), sizes - 2), t.index).dropna()
    if p.empty:
        return {"note": "no variation within the groups"}
    who = p.idxmin()
    corrected = min(1.0, float(p[who]) * len(p))
    return {"statistic": float(t[who]), "df": int(sizes[who]) - 2, "p": corrected, "who": who}
