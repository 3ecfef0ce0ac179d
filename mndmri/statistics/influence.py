"""Who decides a comparison: every primary difference with each participant left out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mndmri.statistics.contrasts import Contrast, list_contrasts
from mndmri.statistics.families import is_primary
from mndmri.statistics.robust_fits import PLACE, ROBUST, each_sample, fit_contrast
from mndmri.statistics.samples import Sample
from mndmri.tables.dictionaries import dictionary

_INFLUENCE = PLACE | {
    "contrast": "The two groups, first minus second; patients is all of them.",
    "n": "Participants in the model.",
    "estimate": "Difference adjusted for the covariates, in the unit of the measure.",
    "p": f"Of the difference, with {ROBUST}.",
    "estimate_low": "Lowest difference that is left when one participant is left out.",
    "who_low": "That participant.",
    "estimate_high": "Highest difference.",
    "who_high": "That participant.",
    "p_low": "Lowest p.",
    "who_p_low": "That participant.",
    "p_high": "Highest p.",
    "who_p_high": "That participant.",
    "n_sign": "Participants each of whom, left out, turns the sign of the difference.",
    "n_significance": "Participants each of whom, left out, takes p across alpha; who_decides names them.",
    "who_decides": "Those who turn the sign or take p across alpha, the first ten.",
    "note": "Why a number is missing.",
}


def influence_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of influence."""
    return dictionary("The primary differences with each participant left out", _INFLUENCE)


def influence_table(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str,
    primary: Sequence[Mapping[str, str]],
    covariates: Sequence[str] = (),
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Every primary difference with each participant left out in turn.

    Parameters
    ----------
    measures, participants, groups, reference, covariates, contrasts, pooled, alpha
        As in `mndmri.statistics.comparisons.compare_groups`.
    primary : sequence of mapping
        Each names a modality, measure, region and hemi, or some of these.

    Raises
    ------
    InputError
        If a column or a group is missing, or a participant is there twice.
    """
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    chosen = measures[is_primary(measures, primary)]
    rows = []
    for measured, sample in each_sample(chosen, participants, groups=groups, covariates=covariates):
        for contrast in compared:
            row: dict[str, Any] = measured.key | {"contrast": contrast.name, "n": len(sample.data), "note": ""}
            found = fit_contrast(sample, covariates, contrast)
            if isinstance(found, str):
                rows.append(row | {"note": found})
                continue
            estimate, _, p = found[0].contrast(found[1])
            without = _without_each(sample, covariates, contrast)
            rows.append(row | {"estimate": estimate, "p": p} | _ranges(without, estimate, p, alpha=alpha))
    return pd.DataFrame(rows, columns=list(_INFLUENCE))


def _without_each(sample: Sample, covariates: Sequence[str], contrast: Contrast) -> pd.DataFrame:
    """Estimate and p of a contrast without each participant, by participant."""
    found = {}
    for who in sample.data.index:
        made = fit_contrast(sample._replace(data=sample.data.drop(who)), covariates, contrast)
        estimate, _, p = (np.nan, 0.0, np.nan) if isinstance(made, str) else made[0].contrast(made[1])
        found[who] = (estimate, p)
    return pd.DataFrame.from_dict(found, orient="index", columns=["estimate", "p"])


def _ranges(without: pd.DataFrame, estimate: float, p: float, *, alpha: float) -> dict[str, Any]:
    lost = without.index[without["estimate"].isna()]
    notes = [f"no difference is left without {', '.join(lost)}"] if len(lost) else []
    notes += [] if np.isfinite(p) else ["no p: a group of one, or no variation within the groups"]
    row: dict[str, Any] = {"note": "; ".join(notes)}
    for name, column in (("estimate", "estimate"), ("p", "p")):
        known = without[column].dropna()
        if known.empty:
            continue
        own = {f"{name}_low": known.min(), f"{name}_high": known.max()}
        first = "who" if name == "estimate" else "who_p"
        row |= own | {f"{first}_low": known.idxmin(), f"{first}_high": known.idxmax()}
    turned = np.sign(without["estimate"]) * np.sign(estimate) < 0
    crossed = ((without["p"] <= alpha) != (p <= alpha)) & without["p"].notna() & bool(np.isfinite(p))
    decide = list(without.index[turned | crossed])
    row["who_decides"] = ", ".join(decide[:10])
    return row | {"n_sign": int(turned.sum()), "n_significance": int(crossed.sum())}
