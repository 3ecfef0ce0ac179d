"""Measures and clinical scores: rank correlations within patients."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import stats

from mndmri.io import InputError
from mndmri.statistics.contrasts import POOLED
from mndmri.statistics.families import corrected, is_primary
from mndmri.statistics.models import covariate_columns
from mndmri.statistics.progression import clinical_numbers
from mndmri.statistics.rank_correlations import ENUMERATED, KENDALL_EXACT, MIN_PEOPLE, has_ties, kendall, spearman
from mndmri.statistics.samples import (
    NO_OTHERS,
    NO_SPREAD,
    Measured,
    check_columns,
    count_reasons,
    covariates_for,
    each_measure,
    own_columns,
    patient_groups,
    reference_last,
    select_people,
)
from mndmri.statistics.sides import OPPOSITE
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import BY_ONSET

_DESCRIPTIONS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "group": f"Patients in whom the correlation is computed; {POOLED}: all groups, ranked within each group.",
    "score": "Clinical score that the measure is correlated with.",
    "laterality": "contralateral: the score rates the limbs of one side and the region is in the other hemisphere "
    "(there is no row for the same hemisphere). not lateralised: the score or the region has no side.",
    "method": "spearman: rho. kendall: tau-b. partial_spearman: Pearson correlation of the residuals of "
    "the ranks given the covariates (as ranks; categories as they are).",
    "adjusted_for": "Adjustment of the correlation. Covariates of the measure (measure_covariates, as head size of "
    f"volumes): spearman and partial_spearman. group, for {POOLED}: spearman and partial_spearman by "
    "subtracting the mean ranks of the groups, kendall by using pairs of patients of one group only.",
    "n": "Patients in this row.",
    "n_missing": "Excluded patients of the group: no value, no score, or no covariate (partial_spearman).",
    "estimate": "Correlation, -1 to 1.",
    "ci_low": "Lower confidence limit, by Fisher's z: rho with the variance (1 + rho^2 / 2) / (n - 3 - k) of Bonett "
    "and Wright, k terms adjusted for; tau with Fieller's, 0.437 / (n - 4), where n is the number of patients that "
    "without ties and groups would have tau's null variance.",
    "ci_high": "Upper confidence limit.",
    "statistic": "t (spearman, partial_spearman) or z (kendall); missing where p is exact.",
    "df": "Degrees of freedom of t.",
    "p": "Two-sided, not corrected.",
    "p_by": f"Source of p. exact: every order of the patients is equally likely (up to {ENUMERATED} of them; "
    f"kendall without ties, up to {KENDALL_EXACT - 1}). t, normal: approximations, with the variance of the ties.",
    "q_fdr": "p after Benjamini-Hochberg, over the primary measures of this group, score and method.",
    "note": "Excluded patients, ties and missing numbers, with the reasons.",
}


def correlations_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of correlations."""
    return dictionary("Measures and clinical scores, within patients", _DESCRIPTIONS)


def correlation_table(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    scores: Sequence[str],
    sides: Mapping[str, str] | None = None,
    adjust: Sequence[str] = ("age",),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    reasons: Mapping[str, pd.Series] | None = None,
    primary: Sequence[Mapping[str, str]] | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Every measure correlated with every clinical score, in each group of patients and in all of them.

    Groups of patients differ in the score and in the measure alike, and a correlation over them mixed
    would be that difference; ``patients`` is therefore adjusted for group.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value, status. A value that is
        not finite is missing.
    participants : DataFrame
        participant_id, group, the scores and the covariates.
    groups : sequence of str
    reference : str or None
        One of the groups: those who are not patients, and are left out.
    scores : sequence of str
        Columns of numbers.
    sides : mapping, optional
        Score to the side, L or R, of the limbs that it rates: it is held against the other hemisphere
        and against regions of both.
    adjust : sequence of str
        Covariates of the partial correlation; numbers by their ranks, text as categories.
    measure_covariates : mapping
        Covariates of some measures, as in `mndmri.tables.covariates.covariates_of`: of both of Spearman's correlations.
    reasons : mapping, optional
        Score to a text for each row of ``participants`` (by index) that says why the score is missing,
        as `progression_reasons` gives it.
    primary : sequence of mapping, optional
        The family of the false discovery rate: each names a modality, measure, region and
        hemi, or some of these. Default every measure.
    alpha : float
        One minus the coverage of the intervals.

    Returns
    -------
    DataFrame
        Columns explained in `correlations_dictionary`. What cannot be computed is a row with
        missing numbers and a note.

    Raises
    ------
    InputError
        If a column or a group is missing, a score is text, a side is neither L nor R, or a
        participant is there twice.
    """
    sides = dict(sides or {})
    _check_sides(sides, scores)
    patients = patient_groups(reference_last(groups, reference), reference)
    own = own_columns(participants, measure_covariates)
    people = _select_patients(participants, patients, scores=scores, adjust=[*adjust, *own])
    lacking = _lacking(participants, people, reasons or {})
    populations = {name: [name] for name in patients} | ({POOLED: patients} if len(patients) > 1 else {})

    @cache
    def columns(members: tuple[str, ...], adjusted: tuple[str, ...]) -> tuple[np.ndarray | None, list[str]]:
        """Of most measures, the same people have a value."""
        return _columns(people.loc[list(members), list(adjusted)])

    rows = []
    for measured in each_measure(measures, people):
        names, absent = covariates_for(measured.key, people, covariates=(), chosen=measure_covariates)
        for score in scores:
            # limbs of one side are compared with the other hemisphere, not with one that onset has chosen
            if score in sides and measured.key["hemi"] in (sides[score], *BY_ONSET):
                continue
            lateral = score in sides and measured.key["hemi"] in OPPOSITE
            pair = {"score": score, "laterality": "contralateral" if lateral else "not lateralised"}
            for group, members in populations.items():
                made = _rows(
                    measured,
                    people,
                    lacking,
                    columns,
                    score=score,
                    members=members,
                    adjust=adjust,
                    own=[name for name in names if name != score],
                    alpha=alpha,
                )
                for row in made:
                    told = absent if row["method"] != "kendall" else []
                    row["note"] = "; ".join([note for note in (row["note"], *told) if note])
                    rows.append(measured.key | {"group": group} | pair | row)
    table = pd.DataFrame(rows, columns=list(_DESCRIPTIONS))
    chosen = is_primary(table, primary)
    table["q_fdr"] = corrected(table[chosen], ["group", "score", "method"], stats.false_discovery_control)
    return table


def _check_sides(sides: Mapping[str, str], scores: Sequence[str]) -> None:
    for score, side in sides.items():
        if score not in scores:
            raise InputError(f"a side is given for '{score}', which is not one of the scores {', '.join(scores)}")
        if side not in OPPOSITE:
            raise InputError(f"the side of '{score}' is the side of the limbs that it rates, L or R; found {side}")


def _select_patients(
    participants: pd.DataFrame, patients: Sequence[str], *, scores: Sequence[str], adjust: Sequence[str]
) -> pd.DataFrame:
    """Patients by id with scores and covariates; what is not finite is missing."""
    check_columns(participants, scores)
    numbers = participants.assign(**{score: clinical_numbers(participants, score) for score in scores})
    return select_people(numbers, groups=patients, covariates=list(dict.fromkeys([*scores, *adjust])))


def _lacking(
    participants: pd.DataFrame, people: pd.DataFrame, reasons: Mapping[str, pd.Series]
) -> dict[str, np.ndarray]:
    """Why each patient lacks a score or a covariate; empty text where there is one. By column, shape (n,)."""
    given = participants.set_index("participant_id").loc[people.index]
    lacking = {}
    for name in people.columns.drop("group"):
        infinite = given[name].notna() & people[name].isna()
        why = np.where(infinite, f"infinite {name}", np.where(people[name].isna(), f"no {name}", "")).astype(object)
        if name in reasons:
            said = reasons[name].set_axis(participants["participant_id"]).loc[people.index]
            why = np.where((why != "") & (said != ""), said, why)
        lacking[name] = why
    return lacking


def _rows(
    measured: Measured,
    people: pd.DataFrame,
    lacking: Mapping[str, np.ndarray],
    columns: Callable[[tuple[str, ...], tuple[str, ...]], tuple[np.ndarray | None, list[str]]],
    *,
    score: str,
    members: Sequence[str],
    adjust: Sequence[str],
    own: Sequence[str],
    alpha: float,
) -> Iterator[dict[str, Any]]:
    """A row of each method, of the patients of these groups."""
    strata = ["group"] if len(members) > 1 else []
    inside = people["group"].isin(members).to_numpy()
    everyone = people.assign(value=measured.values)[inside]
    no_value = np.where(measured.values.isna(), measured.reasons, "")
    for method in ("spearman", "kendall", *(["partial_spearman"] if adjust else [])):
        of_method = {"spearman": own, "kendall": [], "partial_spearman": [*adjust, *own]}[method]
        adjusted = list(dict.fromkeys([*strata, *of_method]))
        why = no_value
        for name in (score, *(name for name in adjusted if name in lacking)):
            why = np.where(why == "", lacking[name], why)
        sample, left_out = everyone[why[inside] == ""], [text for text in why[inside] if text]
        notes = count_reasons("left out", left_out)
        absent = [name for name in members if strata and not (sample["group"] == name).any()]
        notes += [f"no data: {', '.join(absent)}"] if absent else []
        row: dict[str, Any] = {"method": method, "adjusted_for": ", ".join(adjusted)}
        row |= {"n": len(sample), "n_missing": len(left_out)}
        if problem := _problem(sample, score):
            yield row | {"note": "; ".join([*notes, problem])}
            continue
        x, y = sample["value"].to_numpy(), sample[score].to_numpy()
        ties = [name for name, values in (("measure", x), (score, y)) if has_ties(values)]
        notes += [f"ties: {', '.join(ties)}"] if ties else []
        if method == "kendall":
            result = kendall(x, y, strata=sample["group"].to_numpy(), alpha=alpha)
        else:
            nuisance, constant = columns(tuple(sample.index), tuple(adjusted))
            notes += [f"constant, left out of the model: {', '.join(constant)}"] if constant else []
            result = spearman(x, y, columns=nuisance, alpha=alpha)
        row |= dict(zip(("estimate", "ci_low", "ci_high"), result.interval, strict=True))
        row |= {"statistic": result.statistic, "df": result.df, "p": result.p, "p_by": result.p_by}
        yield row | {"note": "; ".join([*notes, *([result.note] if result.note else [])])}


def _problem(sample: pd.DataFrame, score: str) -> str | None:
    """Why nothing can be correlated, if it cannot."""
    if len(sample) < MIN_PEOPLE:
        return f"fewer than {MIN_PEOPLE} participants"
    for name in ("value", score):
        values = sample[name].to_numpy()
        if np.ptp(values) <= NO_SPREAD * np.abs(values).max():
            return f"every {name} is the same"
    return None


def _columns(covariates: pd.DataFrame) -> tuple[np.ndarray | None, list[str]]:
    """Ranks and dummies to adjust for, shape (n, q), of spread 1; and the covariates that are the same in everyone."""
    constant = [name for name in covariates if covariates[name].nunique() < 2]
    parts = []
    for name in covariates.columns.drop(constant):
        values = covariates[name]
        columns = covariate_columns(values.rank() if is_numeric_dtype(values) else values).to_numpy()
        parts.append(columns / columns.std(axis=0))
    return np.hstack(parts) if parts else None, constant
