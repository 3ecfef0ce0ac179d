"""What the models of the comparisons assume, tested."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import linalg, stats

from mndmri.statistics.ancova import fit_sample
from mndmri.statistics.differences import PLACE
from mndmri.statistics.models import COLLINEAR
from mndmri.statistics.samples import NO_OTHERS, NO_SPREAD, Sample, each_sample
from mndmri.tables.dictionaries import dictionary

BROWN_FORSYTHE, SLOPES, NORMALITY, OUTLIER = "brown_forsythe", "equal_slopes", "normality", "outlier"
_ASSUMPTIONS = PLACE | {
    "check": f"{BROWN_FORSYTHE}: equal spread of the groups, on the residuals of the model. {SLOPES}: a covariate's "
    f"effect is the same in every group (F of the interaction with group). {NORMALITY}: Shapiro and Wilk's test of the "
    f"residuals, each divided by its group's standard deviation. {OUTLIER}: the largest residual, externally "
    "studentised within the spread of its own group.",
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
    Brown and Forsythe 1974, J Am Stat Assoc 69:364; Shapiro and Wilk 1965, Biometrika 52:591.
    """
    rows = []
    for measured, sample in each_sample(
        measures, participants, groups=groups, covariates=covariates, chosen=measure_covariates
    ):
        for row in _assumptions(sample):
            rows.append(measured.key | {"n": len(sample.data)} | row)
    return pd.DataFrame(rows, columns=list(_ASSUMPTIONS))


def _assumptions(sample: Sample) -> Iterator[dict[str, Any]]:
    numeric = [name for name in sample.covariates if is_numeric_dtype(sample.data[name])]
    checks = [(BROWN_FORSYTHE, None), *((SLOPES, name) for name in numeric), (NORMALITY, None), (OUTLIER, None)]
    design, fit, problems = fit_sample(sample, sample.covariates)
    if fit is None:
        for check, term in checks:
            yield {"check": check, "term": term, "note": problems[-1]}
        return
    owner = sample.data["group"]
    residuals = pd.Series(sample.y - design.matrix @ fit.coefficients, sample.data.index)
    parts = {name: own for name, own in residuals.groupby(owner) if len(own) > 2}
    spreads = "; ".join(f"SD {name} {own.std():.4g}" for name, own in parts.items())
    yield {"check": BROWN_FORSYTHE} | _brown_forsythe(parts) | {"note": spreads}
    for name in numeric:
        if name in design.constant:
            yield {"check": SLOPES, "term": name, "note": "the same in everyone"}
            continue
        values = sample.data[name].to_numpy(float)
        columns = [
            (owner == group).to_numpy(float) * (values - values.mean()) / values.std() for group in design.groups
        ]
        yield {"check": SLOPES, "term": name} | _added(design.matrix, np.column_stack(columns[1:]), sample.y)
    spread = owner.map({name: own.std() for name, own in parts.items()}).astype(float)
    scaled = (residuals / spread).replace([np.inf, -np.inf], np.nan).dropna()
    if len(scaled) < 3:
        for check in (NORMALITY, OUTLIER):
            yield {"check": check, "note": "no group of three or more with variation"}
        return
    w, p = stats.shapiro(scaled)
    yield {"check": NORMALITY, "statistic": float(w), "p": float(p)}
    yield {"check": OUTLIER} | _outlier(residuals[scaled.index], owner[scaled.index])


def _brown_forsythe(parts: Mapping[str, pd.Series]) -> dict[str, Any]:
    if len(parts) < 2 or all(np.ptp(own) == 0 for own in parts.values()):
        return {}
    f, p = stats.levene(*parts.values(), center="median")
    n, k = sum(map(len, parts.values())), len(parts)
    return {"statistic": float(f), "df_num": k - 1, "df": n - k, "p": float(p)}


def _added(matrix: np.ndarray, columns: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """F of columns added to a model."""

    def rest(model: np.ndarray) -> tuple[float, int]:
        inverse, rank = linalg.pinv(model, rtol=COLLINEAR, return_rank=True)
        residuals = y - model @ (inverse @ y)
        return float(residuals @ residuals), int(rank)

    (before, small), (after, large) = rest(matrix), rest(np.column_stack([matrix, columns]))
    q, df = large - small, len(y) - large
    if q < 1 or df < 1 or after <= NO_SPREAD * before:
        return {"note": "too few participants"}
    f = (before - after) / q / (after / df)
    return {"statistic": f, "df_num": q, "df": df, "p": float(stats.f.sf(f, q, df))}


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
