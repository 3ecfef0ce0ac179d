"""Every person against the controls: W-scores and percentiles of every measure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mndmri.io import InputError
from mndmri.statistics.norms import (
    MIN_CONTROLS,
    Norm,
    StoredNorms,
    deviations,
    fit_norm,
    norm_rows,
    outside_range,
    stored_norms,
)
from mndmri.statistics.samples import (
    NO_OTHERS,
    Measured,
    covariates_for,
    each_measure,
    own_columns,
    reference_last,
    select_people,
)
from mndmri.statistics.sides import CONTRA, IPSI, NO_SIDE, assumed_sides, by_onset, paired_rows, side_of_onset
from mndmri.tables.covariates import column_of, covariates_of
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import KEY, RATINGS, UNIT
from mndmri.tables.norms import INTERCEPT, NORM_COLUMNS, check_norms, check_people

NO_CONTROLS = "the study has no controls"
NOT_IN_NORMS = "not in the norms"
_NUMBERS = ("expected", "w_score", "percentile", "pct_low", "pct_high")
_DESCRIPTIONS = {
    "participant_id": "Participant.",
    "session": "Session; n/a where the study has none.",
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both; with a side of onset also contra and ipsi (the rows of "
    "L and R under another name) and mean.",
    **UNIT,
    "value": "The participant's value.",
    "expected": "Value expected of a control with the same covariates.",
    "w_score": "(value - expected) / (s sqrt(1 + h)): s is the controls' residual standard deviation, h the leverage "
    "of the participant's covariates. In healthy people it follows a t distribution. A control is compared with the "
    "others.",
    "percentile": "Percent of controls with the same covariates expected to have a lower value, by that distribution.",
    "pct_low": "Lower confidence limit of the percentage of the population of controls with a lower value (noncentral "
    "t; Crawford and Garthwaite 2002); at most the percentile, which allows for the error of the controls' model and "
    "far out in a tail is the nearer to 50.",
    "pct_high": "Upper confidence limit; at least the percentile.",
    "n_controls": "Controls in the model.",
    "note": f"Why a number is missing (fewer than {MIN_CONTROLS} controls, no covariate), or what limits it.",
}


class DeviationTables(NamedTuple):
    """Everyone against the controls, and the controls' models."""

    deviations: pd.DataFrame
    norms: pd.DataFrame


def deviations_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of deviations."""
    return dictionary("Every measure of every participant against the controls", _DESCRIPTIONS)


def score_deviations(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    covariates: Sequence[str] = ("age", "sex"),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    site: str | None = None,
    norms: pd.DataFrame | None = None,
    onset_side: str | None = None,
    by_onset_too: bool = False,
    alpha: float = 0.05,
) -> DeviationTables:
    """How far every measure of every person lies from what is expected of a control.

    Ratings have no normal distribution to be judged by, and get no W-score.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value, unit, status.
    participants : DataFrame
        participant_id, group and the covariates.
    groups : sequence of str
    reference : str or None
        The controls, each judged by the model of the others. Without them and without stored norms nobody has a
        W-score.
    covariates : sequence of str
        Of the controls' model.
    measure_covariates : mapping
        More of them for some measures, as in `mndmri.tables.covariates.covariates_of`. The model of stored norms has
        the terms that it was made with; who lacks one has no W-score, and a note says which of these it lacks.
    site : str, optional
        Covariate that stored norms need not have; if they have it, of sites of the study's.
    norms : DataFrame, optional
        Stored norms (`mndmri.tables.norms.read_norms`) in place of the study's controls, who are
        then judged like everybody else.
    onset_side : str, optional
        Column of the side of onset. Rows of contra and ipsi are then those of L and R by another name:
        a hemisphere is compared with the same one of the controls.
    by_onset_too : bool
        Whether the rows of contra and ipsi are scored as measures of their own, by controls whose sides
        are in the proportion of the patients', as a comparison of groups needs. Stored norms have no such controls:
        then everybody's hemisphere is scored as itself, the controls' by the sides that they are given.
    alpha : float
        One minus the coverage of the percentiles' limits.

    Raises
    ------
    InputError
        If a column or a group is missing, a participant is there twice, or stored norms have other
        covariates, one as a number that is a category here or reversed, other sites, or none of the measures.
    """
    reference_last(groups, reference)
    own_names = own_columns(participants, measure_covariates)
    people = select_people(participants, groups=groups, covariates=list(dict.fromkeys([*covariates, *own_names])))
    known = None
    if norms is not None:
        check_norms(norms, covariates, own=own_names, site=site)
        check_people(norms, people, site=site)
        known = stored_norms(norms)
    of_their_own = by_onset_too and known is None
    if not of_their_own:
        measures = measures[~measures["hemi"].isin([CONTRA, IPSI])]
    units = measures.reindex(columns=[*KEY, "unit"]).drop_duplicates(KEY).set_index(KEY)["unit"]
    measured = list(each_measure(measures, people))
    if known is not None and not any(tuple(one.key.values()) in known for one in measured):
        raise InputError("norms: they have none of the study's measures; give norms of the same modalities")
    rows, models = [], []
    for one in measured:
        unit = units.loc[tuple(one.key.values())]
        names, notes = model_covariates(one.key, people, covariates=covariates, chosen=measure_covariates, known=known)
        own = people.assign(**{name: np.nan for name in names if name not in people})
        norm = _norm_of(one, own, names, reference=reference, unit=unit, known=known)
        made = _rows(one, own, names, norm, own_controls=reference if known is None else None, alpha=alpha)
        rows.append(made.assign(unit=unit))
        if isinstance(norm, Norm):
            rows[-1]["note"] = [_joined(*notes, note) for note in rows[-1]["note"]]
            models.append(norm_rows(one.key, unit, norm))
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(_DESCRIPTIONS))
    if onset_side and not of_their_own:
        sides = side_of_onset(participants, onset_side)
        sides = assumed_sides(participants, sides, reference=reference) if by_onset_too else sides
        table = pd.concat([table, *_by_onset(table, sides)], ignore_index=True)
    columns = list(_DESCRIPTIONS)
    written = pd.concat(models, ignore_index=True) if models else pd.DataFrame(columns=NORM_COLUMNS)
    return DeviationTables(table[columns], written)


def _by_onset(table: pd.DataFrame, sides: pd.Series) -> Iterator[pd.DataFrame]:
    """Rows of contra and ipsi, those of people without a side of onset empty."""
    for rows, lacking in by_onset(paired_rows(table), sides):
        rows.loc[lacking, ["value", *_NUMBERS, "n_controls"]] = np.nan
        rows.loc[lacking, "note"] = NO_SIDE
        yield rows


def _unit(cell: object) -> str:
    """Unit as text: a column of ones is read as numbers."""
    if isinstance(cell, int | float | np.number):
        return "n/a" if np.isnan(cell) else f"{cell:g}"
    return str(cell)


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def model_covariates(
    key: Mapping[str, str],
    people: pd.DataFrame,
    *,
    covariates: Sequence[str],
    chosen: Mapping[str, Sequence[str]],
    known: StoredNorms | None,
) -> tuple[list[str], list[str]]:
    """Covariates of the controls' model of a measure, by its stored norm if any, and a note on those that it lacks."""
    if known is None:
        return covariates_for(key, people, covariates=covariates, chosen=chosen)
    stored = known.get(tuple(key.values()))
    if stored is None:
        return list(covariates), []
    names = [name for name in dict.fromkeys(stored[1].terms["term"]) if name != INTERCEPT]
    wanted = [*covariates, *(column_of(name, key["modality"]) for name in covariates_of(key, chosen))]
    lacking = [name for name in dict.fromkeys(wanted) if name not in names]
    return names, [f"not adjusted for {', '.join(lacking)}: the norms have it not"] if lacking else []


def _norm_of(
    one: Measured,
    people: pd.DataFrame,
    names: list[str],
    *,
    reference: str | None,
    unit: object,
    known: StoredNorms | None,
) -> Norm | str:
    if one.key["measure"] in RATINGS:
        return "a rating: no W-score"
    if known is None and reference is None:
        return NO_CONTROLS
    if known is None:
        controls = people[(people["group"] == reference) & one.values.notna()][names].dropna()
        return fit_norm(one.values[controls.index], controls)
    stored = known.get(tuple(one.key.values()))
    if stored is None:
        return NOT_IN_NORMS
    theirs, ours = _unit(stored[0]), _unit(unit)
    if theirs != ours:
        return f"the norms are in {theirs}, the values in {ours}"
    if stored[1].n < MIN_CONTROLS:
        return f"fewer than {MIN_CONTROLS} controls in the norms ({stored[1].n})"
    return stored[1]


def _rows(
    one: Measured, people: pd.DataFrame, names: list[str], norm: Norm | str, *, own_controls: str | None, alpha: float
) -> pd.DataFrame:
    """Rows of one measure, a person each."""
    table = pd.DataFrame({"participant_id": people.index, "session": None, **one.key, "value": one.values.to_numpy()})
    table = table.assign(**dict.fromkeys(_NUMBERS, np.nan))
    notes = one.reasons.where(one.values.isna(), "")
    for name in names:
        notes = notes.where((notes != "") | people[name].notna(), f"no {name}")
    if isinstance(norm, str):
        controls = people.index[people["group"] == own_controls]
        n = one.values[controls].notna() & people.loc[controls, names].notna().all(axis=1)
        return table.assign(
            n_controls=int(n.sum()) if own_controls else None,
            note=notes.where(notes != "", norm).to_numpy(),
        )
    judged = people[notes == ""]
    members = (judged["group"] == own_controls).to_numpy()
    found = deviations(norm, one.values[judged.index], judged, members=members, alpha=alpha)
    at = np.flatnonzero((notes == "").to_numpy())
    for column, values in zip(
        _NUMBERS,
        (found.expected, found.w, found.percentile, found.low, found.high),
        strict=True,
    ):
        table.loc[at, column] = values
    beyond = outside_range(norm, judged).where(~members & (found.reasons == ""), "")
    notes[judged.index] = [_joined(why, far) for why, far in zip(found.reasons, beyond, strict=True)]
    own = pd.Series(norm.n, people.index)
    own[judged.index] = found.n_controls
    return table.assign(n_controls=own.to_numpy(), note=notes.to_numpy())
