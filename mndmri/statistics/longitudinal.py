"""Slopes of every measure over the visits, compared between the groups."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import stats

from mndmri.statistics.ancova import fill
from mndmri.statistics.changes import YEAR, usable_visits
from mndmri.statistics.clustered import Clustered, clustered_test, fit_clustered, flip_people_p
from mndmri.statistics.contrasts import Contrast, list_contrasts
from mndmri.statistics.families import corrected, holm, is_primary
from mndmri.statistics.growth import fit_growth
from mndmri.statistics.models import build_design, covariate_columns
from mndmri.statistics.samples import (
    KEY,
    NO_OTHERS,
    Measured,
    Sample,
    covariates_for,
    own_columns,
    select_people,
    take_sample,
)
from mndmri.tables.dictionaries import column_names, dictionary
from mndmri.tables.measures import with_units

SLOPE, DIFFERENCE, MODERATOR = "slope", "difference", "moderator"
# Of a group whose slope is told: so that how its people differ can be seen
FEWEST_FOLLOWED = 2
_DESCRIPTIONS = {
    "modality": "Kind of image measured; clinical: a score of the visits table.",
    "measure": "What was measured.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "unit": "Unit of the measure; estimates are in this unit per year.",
    "effect": "slope: mean change per year of a group; difference: of the slopes of two groups, first minus second; "
    "moderator: of the slopes of people of one group who differ by one in the column, or between its two levels.",
    "contrast": "The group, or the groups compared; patients: every patient, each group weighted by its size; of a "
    "moderator its column, and the levels compared.",
    "primary": "yes or no: whether the measure is one of the primary measures of the config.",
    "n_visits": "Visits in the model.",
    "n_missing": "Excluded participants of the study's groups: no visit with a value, or no covariate.",
    "random": "Random effects of the model: intercept and slope, or intercept.",
    "estimate": "Change per year, or difference of changes.",
    "se": "Standard error that allows people and groups to vary differently (CR2).",
    "ci_low": "Lower confidence limit of the estimate.",
    "ci_high": "Upper confidence limit of the estimate.",
    "statistic": "t.",
    "df": "Degrees of freedom: Satterthwaite's of each group, combined after Welch.",
    "p": "Two-sided, by the t distribution, not corrected.",
    "p_permutation": "Two-sided, not corrected: the statistic against those after flips of the signs of the residuals "
    "of whole people, of the model without the effect, (b + 1) / (m + 1).",
    "p_confirmatory": "p after Holm over one family: the differences of all primary measures and all pairs of groups.",
    "q_exploratory": "p after Benjamini-Hochberg over the differences of all measures at this contrast.",
    "note": "Excluded participants and missing numbers, with the reasons; why there is no random slope.",
}


def longitudinal_dictionary(groups: Sequence[str]) -> dict[str, Any]:
    """BIDS data dictionary of the table of slopes."""
    return dictionary("Change of every measure over the visits, compared between the groups", _DESCRIPTIONS, groups)


def compare_change(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    moderators: Sequence[str] = (),
    primary: Sequence[Mapping[str, str]] | None = None,
    n_permutations: int = 5000,
    seed: int = 0,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Slopes of the groups and their differences, by a mixed model of all visits.

    The fixed effects are the groups, their slopes over the months, and the covariates; every person has a random
    intercept and, where it can be estimated, a random slope. These weight the visits; the standard errors do not rest
    on groups varying alike.

    Parameters
    ----------
    measures : DataFrame
        Measures of all visits: participant_id, session, months, modality, measure, region, hemi, value, status, and
        unit if known.
    participants : DataFrame
        participant_id, group and the covariates, one row for each person.
    groups, reference, covariates, measure_covariates, contrasts, pooled, primary, n_permutations, seed, alpha
        As in `mndmri.statistics.compare_groups`.
    moderators : sequence of str
        Columns of the participants, each of which a model of its own lets change the level and the slope of everybody
        who has it, alike in all groups.

    Returns
    -------
    DataFrame
        Columns as in `longitudinal_dictionary`.

    Raises
    ------
    InputError
        If a column or a group is missing, or a participant is there twice.
    """
    own = own_columns(participants, measure_covariates)
    columns = list(dict.fromkeys([*covariates, *own, *moderators]))
    people = select_people(participants, groups=groups, covariates=columns)
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    rows: list[dict[str, Any]] = []
    for name, of_measure in measures.groupby(KEY, sort=False):
        key = dict(zip(KEY, name, strict=True))
        names, absent = covariates_for(key, people, covariates=covariates, chosen=measure_covariates)
        used = usable_visits(of_measure)
        means = used.groupby("participant_id")["value"].mean().reindex(people.index)
        reasons = pd.Series("no visit with a value and months", people.index)
        measured = Measured(key, means, reasons)
        options: dict[str, Any] = {"number": n_permutations, "seed": seed, "alpha": alpha}
        sample = take_sample(measured, people, groups=groups, covariates=names)
        sample.notes.extend(absent)
        made = _rows(sample, used, contrasts=compared, covariates=names, **options)
        for moderator in moderators:
            sample = take_sample(measured, people, groups=groups, covariates=list(dict.fromkeys([*names, moderator])))
            sample.notes.extend(absent)
            made += _moderated(sample, used, moderator, **options)
        rows += [key | row | {"note": "; ".join(row["note"])} for row in made]
    table = with_units(pd.DataFrame(rows, columns=column_names(longitudinal_dictionary(groups))), measures)
    differences = table["effect"] == DIFFERENCE
    pairs = table["contrast"].isin([contrast.name for contrast in compared if contrast.is_pair])
    chosen = is_primary(table, primary)
    table["primary"] = np.where(chosen, "yes", "no")
    table["p_confirmatory"] = corrected(table[differences & pairs & chosen], [], holm)
    table["q_exploratory"] = corrected(table[differences], ["contrast"], stats.false_discovery_control)
    return table


def _rows(
    sample: Sample,
    used: pd.DataFrame,
    *,
    contrasts: Sequence[Contrast],
    covariates: Sequence[str],
    number: int,
    seed: int,
    alpha: float,
) -> list[dict[str, Any]]:
    """Rows of one measure; notes are lists."""
    visits = used[used["participant_id"].isin(sample.data.index)]
    followed = _followed(visits, sample.data["group"])
    effects = [(SLOPE, Contrast(name, (name,), ())) for name in sample.groups]
    effects += [(DIFFERENCE, contrast) for contrast in contrasts]
    blank = {**sample.row("", ""), "n_visits": len(visits)}
    del blank["test"]
    model = _model(sample, visits, covariates) if sum(followed.values()) else "nobody has two visits"
    rows = []
    for effect, contrast in effects:
        row = {**blank, "effect": effect, "contrast": contrast.name, "note": [*sample.notes]}
        few = [name for name in (*contrast.left, *contrast.right) if followed.get(name, 0) < FEWEST_FOLLOWED]
        if isinstance(model, str):
            row["note"].append(model)
        elif few:
            row["note"].append(_too_few(few))
        else:
            _fill(row, model, _weights(contrast, sample), number=number, seed=seed, alpha=alpha)
        rows.append(row)
    return rows


def _moderated(
    sample: Sample, used: pd.DataFrame, moderator: str, *, number: int, seed: int, alpha: float
) -> list[dict[str, Any]]:
    """Rows of one measure and one moderator, one for each of its levels but the first; notes are lists."""
    visits = used[used["participant_id"].isin(sample.data.index)]
    blank = {**sample.row("", moderator), "n_visits": len(visits), "effect": MODERATOR}
    del blank["test"]
    values = sample.data[moderator]
    if values.nunique() < 2:
        return [blank | {"note": [*sample.notes, f"{moderator} is the same in everyone who has visits"]}]
    followed = _followed(visits, values.astype(str))
    model: _Model | str = "nobody has two visits"
    if sum(followed.values()):
        model = _model(sample, visits, sample.covariates, moderator=moderator)
    first, *others = sorted(followed)
    rows = []
    for place, name in enumerate(_changes(sample, moderator)):
        compared = [] if is_numeric_dtype(values) else [others[place], first]
        few = [level for level in compared if followed[level] < FEWEST_FOLLOWED]
        row = {**blank, "contrast": name, "note": [*sample.notes]}
        if isinstance(model, str):
            row["note"].append(model)
        elif few:
            row["note"].append(_too_few(few))
        else:
            _fill(row, model, {name: 1.0}, number=number, seed=seed, alpha=alpha)
        rows.append(row)
    return rows


def _changes(sample: Sample, moderator: str) -> pd.DataFrame:
    """Columns by which a moderator changes the slope of each person, by the name of the contrast."""
    columns = covariate_columns(sample.data[moderator])
    if is_numeric_dtype(sample.data[moderator]):
        return columns
    first = min(sample.data[moderator].astype(str))
    return columns.rename(columns=lambda level: f"{moderator}: {level}-{first}")


class _Model(NamedTuple):
    """A fit, its random effects, the column of each slope, and notes."""

    fit: Clustered
    random: str
    place: dict[str, int]
    notes: list[str]


def _too_few(kinds: Sequence[str]) -> str:
    return f"fewer than {FEWEST_FOLLOWED} people with two visits: {', '.join(kinds)}"


def _fill(
    row: dict[str, Any], model: _Model, weights: Mapping[str, float], *, number: int, seed: int, alpha: float
) -> None:
    """Put a weighted sum of slopes and its tests into a row."""
    row["random"] = model.random
    row["note"] += model.notes
    vector = np.zeros(len(model.fit.effects))
    for name, weight in weights.items():
        vector[model.place[name]] = weight
    fill(row, tested := clustered_test(model.fit, vector, alpha=alpha))
    if np.isfinite(tested.p):
        row["p_permutation"] = flip_people_p(model.fit, vector, number=number, seed=seed)
    else:
        row["note"].append("no test: people of a group do not vary")


def _weights(contrast: Contrast, sample: Sample) -> dict[str, float]:
    return contrast.weights(sample.sizes()) if contrast.right else {contrast.left[0]: 1.0}


def _followed(visits: pd.DataFrame, kinds: pd.Series) -> dict[str, int]:
    """People with visits at two times, of each group or other kind of people."""
    times = visits.groupby("participant_id")["months"].nunique().reindex(kinds.index)
    return {str(kind): int(count) for kind, count in (times > 1).groupby(kinds).sum().items()}


def _model(
    sample: Sample, visits: pd.DataFrame, covariates: Sequence[str], *, moderator: str | None = None
) -> _Model | str:
    """The model of the groups' slopes, and of what changes everybody's; or why there is none."""
    design = build_design(sample.data, groups=sample.groups, covariates=covariates)
    owner = sample.data.index.get_indexer(visits["participant_id"])
    order = np.argsort(owner, kind="stable")
    owner = owner[order]
    y = visits["value"].to_numpy(float)[order]
    years = visits["months"].to_numpy(float)[order] / YEAR
    of_people = design.matrix[owner]
    groups = of_people[:, : len(design.groups)]
    of_group = sample.data["group"].to_numpy()
    # a group that was seen at one time has no slope
    sloped = [n for n, own in enumerate(groups.T) if np.ptp(years[own > 0]) > 0]
    changes = _changes(sample, moderator) if moderator else pd.DataFrame(index=sample.data.index)
    slopes = np.hstack([groups[:, sloped], changes.to_numpy(float)[owner]])
    matrix = np.hstack([of_people, slopes * (years - years.mean())[:, None]])
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        return "the covariates and groups determine each other"
    growth = fit_growth(matrix, y, owner, years)
    if isinstance(growth, str):
        return growth
    cuts = np.flatnonzero(np.diff(owner)) + 1
    fit = fit_clustered(matrix, y, owner, [growth.covariance(own) for own in np.split(years, cuts)], of_group)
    names = [*(design.groups[own] for own in sloped), *changes]
    place = {name: of_people.shape[1] + n for n, name in enumerate(names)}
    constant = f"not adjusted for {', '.join(design.constant)}: the same in everyone" if design.constant else ""
    random = "intercept" if growth.note else "intercept and slope"
    return _Model(fit, random, place, list(filter(None, [growth.note, constant])))
