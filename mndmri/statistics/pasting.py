"""One row for each measure and contrast, with all tests beside each other: to paste into a paper's table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mndmri.tables.dictionaries import column_names, dictionary
from mndmri.tables.measures import KEY
from mndmri.tables.words import OMNIBUS, readable_interval, readable_p

# Test of a pair and of all groups, to the beginning of its columns
_OTHERS = {
    "one_variance": ("ancova_contrast", "ancova"),
    "hc3": ("ancova_hc3", "ancova_hc3"),
    "ranks": ("dunn", "kruskal"),
}
_REPORTED = ["estimate", "se", "ci_low", "ci_high", "adjusted_g", "adj_g_ci_low", "adj_g_ci_high"]
_REPORTED += ["statistic", "df_num", "df", "p", "p_permutation", "p_confirmatory", "q_exploratory"]

_DESCRIPTIONS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "unit": "Unit of the estimate, its limits, se, sd and shift.",
    "contrast": f"The groups compared, first minus second; {OMNIBUS} is all of them at once.",
    "primary": "yes or no: whether the measure is one of the primary measures of the config.",
    "text": "The reported result in words: difference with its limits, and p.",
    "n_missing": "Excluded participants of the study's groups: no value, or no covariate.",
    **dict.fromkeys(_REPORTED, "Of the reported test; see comparisons.json."),
    "p_one_variance": "p with one variance for all groups (ancova, ancova_contrast), not corrected.",
    "p_hc3": "p with errors robust to any unequal variances (ancova_hc3), not corrected; none of all groups at once.",
    "p_ranks": "p of ranks, without covariates (dunn, kruskal), not corrected.",
    "shift": "Hodges-Lehmann shift of the pair, without covariates.",
    "shift_ci_low": "Lower confidence limit of the shift.",
    "shift_ci_high": "Upper confidence limit of the shift.",
    "note": "Notes of the reported test.",
}


def comparisons_wide_dictionary(groups: Sequence[str]) -> dict[str, Any]:
    """BIDS data dictionary of the wide table of comparisons."""
    return dictionary("Every measure compared, one row a contrast, to be pasted", _DESCRIPTIONS, groups, spread=True)


def widen_comparisons(comparisons: pd.DataFrame, *, groups: Sequence[str]) -> pd.DataFrame:
    """One row for each measure, region, side and contrast.

    Parameters
    ----------
    comparisons : DataFrame
        As `mndmri.statistics.compare_groups` returns it.
    groups : sequence of str
        Of the study.

    Returns
    -------
    DataFrame
        Columns as in `comparisons_wide_dictionary`, rows in the order of the reported tests.
    """
    place = [*KEY, "contrast"]
    table = comparisons[comparisons["reported"] == "yes"]
    for name, tests in _OTHERS.items():
        rows = comparisons[comparisons["test"].isin(tests)].drop_duplicates(place)
        table = table.merge(rows[[*place, "p"]].rename(columns={"p": f"p_{name}"}), on=place, how="left")
    dunn = comparisons[comparisons["test"] == "dunn"].drop_duplicates(place)
    shifts = {"estimate": "shift", "ci_low": "shift_ci_low", "ci_high": "shift_ci_high"}
    table = table.merge(dunn[[*place, *shifts]].rename(columns=shifts), on=place, how="left")
    return table.assign(text=[_in_words(row) for row in table.to_dict("records")])[
        column_names(comparisons_wide_dictionary(groups))
    ]


def _in_words(row: dict[str, Any]) -> str | float:
    if not np.isfinite(row["p"]):
        return np.nan
    p = f"p {readable_p(row['p'])}".replace("p <", "p < ")
    if row["contrast"] == OMNIBUS:
        return p
    unit = f" {row['unit']}" if isinstance(row["unit"], str) and row["unit"] not in ("", "1") else ""
    return f"{readable_interval(row['estimate'], row['ci_low'], row['ci_high'])}{unit}, {p}"
