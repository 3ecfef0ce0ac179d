"""Which of two markers separates the groups better: areas under the curve compared in the same people."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mndmri.statistics.auc import compare_areas
from mndmri.statistics.contrasts import list_contrasts
from mndmri.statistics.families import corrected, holm, is_primary
from mndmri.statistics.own_covariates import adjust_measured
from mndmri.statistics.prevalence import RATED, SCORE
from mndmri.statistics.samples import KEY, NO_OTHERS, Measured, each_measure, own_columns, select_people
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.neuron import damage_sign

_SECOND = {name: f"{name}_2" for name in KEY}
_DESCRIPTIONS = {
    "contrast": "The two groups: the first is the positive class.",
    "modality": "Kind of image of the first marker.",
    "measure": "First marker; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Its side.",
    "modality_2": f"Kind of image of the second marker; {RATED} for the human rating of the config (rated_sign), with "
    "which the motor band score is compared.",
    "measure_2": "Second marker.",
    "region_2": "Where it was measured.",
    "hemi_2": "Its side.",
    "n_positive": "Participants of the first group with both.",
    "n_negative": "Participants of the second group with both.",
    "n_missing": "Participants of the two groups without one of them.",
    "auc": "Area of the first marker in these participants, in its direction of damage, as auc of classification.tsv; "
    "over the pairs of one site, where the study names sites.",
    "auc_2": "Area of the second.",
    "difference": "auc minus auc_2.",
    "ci_low": "Lower confidence limit of the difference (DeLong).",
    "ci_high": "Upper confidence limit.",
    "statistic": "z, DeLong's paired test.",
    "p": "Two-sided, not corrected.",
    "p_holm": "p after Holm, over the pairs of markers of a contrast.",
    "note": "Why there is no test; markers without a declared direction of damage are not compared.",
}


def markers_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of markers compared with each other."""
    return dictionary("The primary measures compared by their areas under the ROC curve", _DESCRIPTIONS)


def compare_markers(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    directions: Mapping[tuple[str, ...], int],
    primary: Sequence[Mapping[str, str]],
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    site: str | None = None,
    rated: str | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Area of each primary measure minus that of each other, in the people who have both.

    Parameters
    ----------
    measures, participants, groups, reference, directions, measure_covariates, contrasts, pooled, alpha
        As in `mndmri.statistics.roc.classify`.
    primary : sequence of mapping
        Each names a modality, measure, region and hemi, or some of these.
    site : str, optional
        Column of the site: only people of one are compared.
    rated : str, optional
        Column of human ratings of the motor band, higher where it is darker: the automated score is compared with
        them, whether or not it is primary.

    Raises
    ------
    InputError
        If a column or a group is missing, or a participant is there twice.
    """
    extra = [column for column in (site, rated) if column]
    own = own_columns(participants, measure_covariates)
    people = select_people(participants, groups=groups, covariates=list(dict.fromkeys([*extra, *own])))
    sites = people[site] if site else pd.Series("", people.index)
    within = ["group", *([site] if site else [])]
    chosen = [
        adjust_measured(one, people, chosen=measure_covariates, within=within)[0]
        for one in each_measure(measures[is_primary(measures, primary)], people)
    ]
    pairs = list(combinations(chosen, 2))
    if rated:
        score = measures[is_primary(measures, [SCORE])]
        reading = Measured(SCORE | {"modality": RATED, "measure": rated}, people[rated], pd.Series("", people.index))
        directions = {**directions, (RATED, rated): 1}
        pairs += [(one, reading) for one in each_measure(score, people)]
    rows = []
    for contrast in list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled):
        sides = [people["group"].isin(side).to_numpy() for side in (contrast.left, contrast.right)]
        turned = -1 if contrast.left == (reference,) else 1
        for pair in pairs:
            values = [one.values.to_numpy() for one in pair]
            known = np.isfinite(values).all(axis=0) & sites.notna().to_numpy()
            left, right = (side & known for side in sides)
            n_known, n_all = int(left.sum() + right.sum()), int(sum(side.sum() for side in sides))
            row: dict[str, Any] = {"contrast": contrast.name, **pair[0].key}
            row |= {_SECOND[name]: value for name, value in pair[1].key.items()}
            row |= {"n_positive": int(left.sum()), "n_negative": int(right.sum()), "n_missing": n_all - n_known}
            keys = [one.key for one in pair]
            signs = [turned * damage_sign(k["modality"], k["measure"], k["region"], directions) for k in keys]
            row["note"] = ""
            if 0 in signs:
                row["note"] = "no declared direction of damage"
            elif not left.any() or not right.any():
                row["note"] = "a group of the contrast has no data"
            else:
                first, second = ((sign * v[left], sign * v[right]) for sign, v in zip(signs, values, strict=True))
                strata = sites[left].to_numpy(), sites[right].to_numpy()
                found = compare_areas(first, second, strata, alpha=alpha)
                row |= dict(zip(("auc", "auc_2"), found.areas, strict=True))
                row |= dict(zip(("difference", "ci_low", "ci_high"), found.interval, strict=True))
                row |= {"statistic": found.z, "p": found.p}
                if np.isnan(found.p):
                    row["note"] = "no test: fewer than two in a group, no site with both, or no difference"
            rows.append(row)
    table = pd.DataFrame(rows, columns=list(_DESCRIPTIONS))
    table["p_holm"] = corrected(table, ["contrast"], holm)
    return table
