"""Who decides a comparison: every primary difference with each participant left out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mndmri.statistics.contrasts import list_contrasts
from mndmri.statistics.differences import AS_REPORTED, PLACE, Difference, reported_differences
from mndmri.statistics.families import is_primary
from mndmri.statistics.samples import NO_OTHERS, each_sample
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import RATINGS, UNIT, with_units

_INFLUENCE = {
    **PLACE,
    **UNIT,
    "contrast": "The two groups, first minus second; patients is all of them.",
    "n": "Participants in the model.",
    "estimate": "Difference adjusted for the covariates, of ratings the Hodges-Lehmann shift, in the unit of the "
    "measure.",
    "p": f"Two-sided, not corrected: {AS_REPORTED}.",
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
    "note": "Why a number is missing, and groups without a spread of their own.",
}


def influence_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of influence."""
    return dictionary("The primary differences with each participant left out", _INFLUENCE)


def influence_table(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    primary: Sequence[Mapping[str, str]] | None,
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Every primary difference with each participant left out in turn.

    Parameters
    ----------
    measures, participants, groups, reference, covariates, measure_covariates, contrasts, pooled, alpha
        As in `mndmri.statistics.comparisons.compare_groups`.
    primary : sequence of mapping or None
        Each names a modality, measure, region and hemi, or some of these. None for every measure.

    Raises
    ------
    InputError
        If a column or a group is missing, or a participant is there twice.
    """
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    chosen = measures[is_primary(measures, primary)]
    rows = []
    for measured, sample in each_sample(
        chosen,
        participants,
        groups=groups,
        covariates=covariates,
        chosen=measure_covariates,
        unadjusted=RATINGS,
    ):
        rating = measured.key["measure"] in RATINGS
        everybody = reported_differences(sample, compared, rating=rating)
        without = {
            who: reported_differences(sample._replace(data=sample.data.drop(who)), compared, rating=rating)
            for who in sample.data.index
        }
        for k, (contrast, found) in enumerate(zip(compared, everybody, strict=True)):
            row: dict[str, Any] = measured.key | {"contrast": contrast.name, "n": len(sample.data), "note": ""}
            if isinstance(found, str):
                rows.append(row | {"note": found})
                continue
            estimate, p = found.result.interval.estimate, found.result.p
            left = _numbers({who: differences[k] for who, differences in without.items()})
            row |= {"estimate": estimate, "p": p} | _ranges(left, estimate, p, alpha=alpha)
            rows.append(row | {"note": "; ".join([*found.notes, *row["note"]])})
    return with_units(pd.DataFrame(rows, columns=list(_INFLUENCE)), measures)


def _numbers(found: Mapping[str, Difference | str]) -> pd.DataFrame:
    """Estimate and p, by the participant who is left out; NaN where no difference is left."""
    numbers = {
        who: (np.nan, np.nan) if isinstance(one, str) else (one.result.interval.estimate, one.result.p)
        for who, one in found.items()
    }
    return pd.DataFrame.from_dict(numbers, orient="index", columns=["estimate", "p"])


def _ranges(without: pd.DataFrame, estimate: float, p: float, *, alpha: float) -> dict[str, Any]:
    lost = without.index[without["estimate"].isna()]
    notes = [f"no difference is left without {', '.join(lost)}"] if len(lost) else []
    notes += [] if np.isfinite(p) else ["no p: no variation within the groups"]
    row: dict[str, Any] = {"note": notes}
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
