"""Comparison of the groups, measure by measure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.statistics.ancova import REPORTED, ancova_rows
from mndmri.statistics.contrasts import OMNIBUS, POOLED, list_contrasts
from mndmri.statistics.exact import EXACT_TIES
from mndmri.statistics.families import corrected, holm, is_primary
from mndmri.statistics.ranks import RANKS, rank_rows, rating_rows
from mndmri.statistics.samples import (
    KEY,
    NO_OTHERS,
    covariates_for,
    each_measure,
    own_columns,
    select_people,
    take_sample,
)
from mndmri.tables.dictionaries import column_names, dictionary
from mndmri.tables.measures import RATINGS, with_units

_DESCRIPTIONS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "unit": "Unit of the estimate, its limits, se and sd.",
    "test": "ancova_welch: adjusted difference (t) or all groups at once (F), adjusted for the covariates, each group "
    "with a variance of its own; without covariates a pair is Welch's t test. ancova: F test of the groups (type II), "
    "all with one variance. ancova_contrast: t test of an adjusted difference, all groups with one variance. "
    "ancova_hc3: the same difference with errors robust to any unequal variances (HC3), degrees of freedom by Bell and "
    "McCaffrey. kruskal: Kruskal-Wallis, unadjusted. dunn: Dunn's test of a pair, unadjusted. "
    f"{RANKS}, of ratings (the motor band score) alone: sum of midranks of the two sides, unadjusted, exact where the "
    f"smaller times both together is at most {EXACT_TIES}, else by the normal approximation; of all groups Kruskal and "
    "Wallis's statistic among random divisions; the note has which.",
    "contrast": f"The groups compared, first minus second; {OMNIBUS} is all of them at once, {POOLED} is "
    "every patient, each group weighted by its size.",
    "primary": "yes or no: whether the measure is one of the primary measures of the config.",
    "reported": f"yes or no: whether this is the test that the report prints ({REPORTED}; of ratings {RANKS}); one row "
    "for each measure, region, hemi and contrast.",
    "n_missing": "Excluded participants of the study's groups: no value, or no covariate (ancova).",
    "estimate": "Difference in the measure's unit: of adjusted means, or (dunn, "
    f"{RANKS}) the Hodges-Lehmann shift, whose limits do not allow for ties.",
    "se": "Standard error of the estimate.",
    "ci_low": "Lower confidence limit of the estimate.",
    "ci_high": "Upper confidence limit of the estimate.",
    "hedges_g": "Unadjusted standardised difference (pooled SD), corrected for small samples.",
    "g_ci_low": "Lower confidence limit of Hedges g, by the noncentral t distribution: of Welch's t in rows of "
    "ancova_welch, else of Student's, which assumes equal variances.",
    "g_ci_high": "Upper confidence limit of Hedges g.",
    "adjusted_g": "Adjusted difference over the model's residual SD (pooled over the groups), corrected for small "
    "samples.",
    "adj_g_ci_low": "Lower confidence limit of the adjusted g, by the noncentral t distribution with the statistic and "
    "df of the row: it agrees with its p.",
    "adj_g_ci_high": "Upper confidence limit of the adjusted g.",
    "partial_eta_sq": "Share of the variance not explained by the covariates that the groups explain (ancova).",
    "statistic": "F (ancova, ancova_welch of all groups), t (contrasts), H (kruskal), z (dunn); of "
    f"{RANKS} U of the first side, of all groups H.",
    "df_num": "Numerator degrees of freedom of F; missing for other tests.",
    "df": "Degrees of freedom: of the denominator for F, of t, and for H the number of groups less one.",
    "p": "Two-sided, by the test's distribution, not corrected.",
    "p_permutation": "Two-sided, not corrected: the statistic of ancova_welch against those after flips of the signs "
    "of the residuals of the model without the contrast, (b + 1) / (m + 1).",
    "p_confirmatory": "p after Holm over one family: the reported tests of all primary measures and all pairs of "
    "groups.",
    "q_exploratory": "p after Benjamini-Hochberg over the reported tests of all measures at this contrast.",
    "p_holm": "p after Holm, over the pairs of groups of this measure, region, hemi and test.",
    "q_fdr": "p after Benjamini-Hochberg, over the primary measures at this test and contrast.",
    "note": "Excluded participants and missing numbers, with the reasons; groups of very unequal spread (largest SD "
    "over twice the smallest); groups of fewer than four, whose variance is hardly known.",
}


def comparisons_dictionary(groups: Sequence[str]) -> dict[str, Any]:
    """BIDS data dictionary of the comparisons table."""
    return dictionary("Every measure compared between the groups", _DESCRIPTIONS, groups, spread=True)


def compare_groups(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    primary: Sequence[Mapping[str, str]] | None = None,
    n_permutations: int = 5000,
    seed: int = 0,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Compare every measure between the groups: ANCOVA, its contrasts, and rank tests.

    Of each contrast one test is the reported one: `ancova_welch`, which lets each group have its own variance; of
    ratings `permuted_ranks`.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value, status, and unit if known. A value that
        is not finite is missing.
    participants : DataFrame
        participant_id, group and the covariates: numbers are used as they are, text as
        categories. Participants in none of ``groups`` are excluded.
    groups : sequence of str
    reference : str or None
        One of the groups: the second of its pairs, and the group with which all patients are compared.
    covariates : sequence of str
        Columns of ``participants``. Participants without one are excluded from the ANCOVA, not from the rank tests.
    measure_covariates : mapping
        More of them for some measures, as in `mndmri.tables.covariates.covariates_of`; one that nobody has is left out
        of the model, with a note.
    contrasts : sequence of pairs, optional
        Pairs of groups, first minus second; default all.
    pooled : bool
        Also all patients together against the reference, where they are in several groups.
    primary : sequence of mapping, optional
        The confirmatory family, with all pairs of groups: each names a modality, measure, region and
        hemi, or some of these. Default every measure.
    n_permutations : int
        Sign flips, and divisions of the ranks of ratings; 0 for none.
    seed : int
        The flips of a measure depend on this and on how many have it, not on the other
        measures.
    alpha : float
        One minus the coverage of the intervals.

    Returns
    -------
    DataFrame
        Columns as in `comparisons_dictionary`. A test that cannot
        be done is a row with missing numbers and a note.

    Raises
    ------
    InputError
        If a column or a group is missing, or a participant is there twice.
    """
    own = own_columns(participants, measure_covariates)
    people = select_people(participants, groups=groups, covariates=list(dict.fromkeys([*covariates, *own])))
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    rows = []
    for measured in each_measure(measures, people):
        names, absent = covariates_for(measured.key, people, covariates=covariates, chosen=measure_covariates)
        adjusted = take_sample(measured, people, groups=groups, covariates=names)
        adjusted.notes.extend(absent)
        made = ancova_rows(
            adjusted,
            covariates=names,
            contrasts=compared,
            n_permutations=n_permutations,
            seed=seed,
            alpha=alpha,
        )
        unadjusted = take_sample(measured, people, groups=groups)
        of_ranks = rank_rows(unadjusted, contrasts=compared, alpha=alpha)
        if measured.key["measure"] in RATINGS:
            of_ranks += rating_rows(
                unadjusted, contrasts=compared, n_permutations=n_permutations, seed=seed, alpha=alpha
            )
        for tests, sample in ((made, adjusted), (of_ranks, unadjusted)):
            rows += [measured.key | row | {"note": "; ".join([*row["note"], *sample.uneven()])} for row in tests]
    table = with_units(pd.DataFrame(rows, columns=column_names(comparisons_dictionary(groups))), measures)
    pairs = table["contrast"].isin([contrast.name for contrast in compared if contrast.is_pair])
    chosen = is_primary(table, primary)
    reported = table["test"] == np.where(table["measure"].isin(RATINGS), RANKS, REPORTED)
    table["primary"], table["reported"] = (np.where(which, "yes", "no") for which in (chosen, reported))
    table["p_confirmatory"] = corrected(table[pairs & chosen & reported], [], holm)
    table["q_exploratory"] = corrected(table[reported], ["contrast"], stats.false_discovery_control)
    table["p_holm"] = corrected(table[pairs], [*KEY, "test"], holm)
    table["q_fdr"] = corrected(table[chosen], ["test", "contrast"], stats.false_discovery_control)
    return table
