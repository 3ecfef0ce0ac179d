"""Groups compared along the corticospinal tract, node by node."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.io import InputError
from mndmri.statistics.ancova import REPORTED, contrast_of, errors_of, fill, fit_sample
from mndmri.statistics.contrasts import POOLED, Contrast, list_contrasts
from mndmri.statistics.draws import draw_among, draw_people, drawn_pivots
from mndmri.statistics.models import TIE
from mndmri.statistics.samples import (
    NO_OTHERS,
    Measured,
    Sample,
    covariates_for,
    each_measure,
    own_columns,
    select_people,
    take_sample,
)
from mndmri.statistics.welch import ErrorModel, directions_of, signed_pivots, sums_of, welch_contrast
from mndmri.tables.dictionaries import column_names, dictionary

_FAMILY = ["modality", "measure"]  # p is corrected over the nodes of one
_NODE = [*_FAMILY, "hemi", "node"]

_DESCRIPTIONS = {
    "modality": "dwi, or the map or contrast that was measured.",
    "measure": "What was measured along the tract; see profiles.json.",
    "hemi": "Side of the participant's body: L or R.",
    "node": "Position along the tract, counted from the pons to the cortex.",
    "position_mm": "Arc length of the node along the tract's centre line in the template.",
    "contrast": f"The groups compared, first minus second; {POOLED} is every patient, each group weighted by its size.",
    "n_missing": "Excluded participants of the study's groups: no value at this node, or no covariate.",
    "estimate": "Adjusted difference in the measure's unit.",
    "se": "Standard error of the estimate, each group with a variance of its own.",
    "ci_low": "Lower confidence limit of the estimate, of this node alone.",
    "ci_high": "Upper confidence limit of the estimate, of this node alone.",
    "statistic": "t of the adjusted difference.",
    "df": "Degrees of freedom (Satterthwaite).",
    "p": "Two-sided, by t, not corrected.",
    "p_fwe": "p corrected over all nodes of both sides of this measure and contrast, by residuals drawn anew "
    "on the scale of each group, (b + 1) / (m + 1): b of m draws have any node at least as extreme as this one.",
    "note": "Excluded participants and missing numbers, with the reasons.",
}
_MEANS = {
    **{column: _DESCRIPTIONS[column] for column in (*_NODE, "position_mm")},
    "unit": "Unit of the mean; 1 for FA and ratios.",
    "group": "Study group.",
    "n": "Participants of the group with a value at this node.",
    "mean": "Their mean, not adjusted.",
    "ci_low": "Lower confidence limit of the mean, by t.",
    "ci_high": "Upper confidence limit of the mean.",
}


def compare_profiles_dictionary(groups: Sequence[str]) -> dict[str, Any]:
    """BIDS data dictionary of the table of compared profiles."""
    return dictionary("The groups compared at every node of the corticospinal tract", _DESCRIPTIONS, groups)


class _Node(NamedTuple):
    """One node of one measure, its model fitted."""

    family: tuple[str, ...]
    sample: Sample
    errors: ErrorModel | None
    rows: dict[Contrast, dict[str, Any]]
    directions: dict[Contrast, np.ndarray]  # in the basis of the model; only of the contrasts with an estimate


def compare_profiles(
    profiles: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    n_permutations: int = 5000,
    seed: int = 0,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Adjusted differences at every node, with p corrected over the nodes of both sides.

    The test is that of `compare_groups` that the report prints: each group has a variance of its own. The statistic of
    the correction is the largest |t| of each draw of the residuals, brought to one number of degrees of freedom
    (`pivot`): a |t| of three of them means less than one of twenty, and a node that few people have would drown the
    rest.

    Parameters
    ----------
    profiles : DataFrame
        Long: participant_id, modality, measure, hemi, node, position_mm, value, status. A value that is not
        finite is missing; each node rests on those who have it.
    participants, groups, reference, covariates, measure_covariates, contrasts, pooled, alpha
        As in `compare_groups`; a node is of the region ``cst``.
    n_permutations : int
        Draws of the residuals (`drawn_pivots`); 0 for none: p_fwe is missing.
    seed : int
        The draws depend on this and on how many participants the groups have.

    Returns
    -------
    DataFrame
        Columns as in `compare_profiles_dictionary`; by modality, measure, side, node and contrast. A difference
        that cannot be had is a row with missing numbers and a note, and stays out of the correction.

    Raises
    ------
    InputError
        If a column or a group is missing, a participant has a node twice, or a node has two positions.

    References
    ----------
    Westfall and Young 1993, Resampling-Based Multiple Testing (single-step max T).
    """
    own = own_columns(participants, measure_covariates)
    people = select_people(participants, groups=groups, covariates=list(dict.fromkeys([*covariates, *own])))
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    places = _places(profiles)
    # each node is a region of its own, always in the same order
    table = profiles.sort_values(_NODE, kind="stable").rename(columns={"node": "region"})
    nodes = []
    for measured in each_measure(table, people):
        names, absent = covariates_for(
            measured.key | {"region": "cst"}, people, covariates=covariates, chosen=measure_covariates
        )
        node = _fit_node(measured, people, groups=groups, covariates=names, contrasts=compared, alpha=alpha)
        for row in node.rows.values():
            row["note"] += absent
        nodes.append(node)
    drawn = draw_people(len(people), number=n_permutations, seed=seed)
    found = _corrected(nodes, people.index, drawn, seed=seed) if n_permutations else {}
    rows = []
    for number, node in enumerate(nodes):
        uneven = node.sample.uneven()
        for contrast, row in node.rows.items():
            row["p_fwe"] = found.get((number, contrast), np.nan)
            position = places[tuple(row[name] for name in _NODE)]
            note = "; ".join([*row["note"], *uneven])
            rows.append(row | {"position_mm": position, "note": note})
    return pd.DataFrame(rows, columns=column_names(compare_profiles_dictionary(groups)))


def profile_means_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of `profile_means`."""
    return dictionary("Means of the groups at every node of the corticospinal tract", _MEANS)


def profile_means(
    profiles: pd.DataFrame, participants: pd.DataFrame, *, groups: Sequence[str], alpha: float = 0.05
) -> pd.DataFrame:
    """Mean of each group at each node, unadjusted, with its t interval.

    Parameters
    ----------
    profiles, participants, groups, alpha
        As in `compare_profiles`; the profiles also have a unit.

    Returns
    -------
    DataFrame
        Columns as in `profile_means_dictionary`. Every group has a row at every node; nobody has no
        mean, and one person no interval.

    Raises
    ------
    InputError
        As `compare_profiles`.
    """
    people = select_people(participants, groups=groups, covariates=[])
    places = _places(profiles).reset_index()
    # by id, for a sum in another order is another number
    values = profiles.sort_values([*_NODE, "participant_id"])
    values = values.assign(
        group=values["participant_id"].map(people["group"]),
        value=values["value"].astype(float).replace([np.inf, -np.inf], np.nan),
    )
    found = values.groupby([*_NODE, "group"])["value"].agg(n="count", mean="mean", sd="std").reset_index()
    units = values.groupby(_NODE)["unit"].first().reset_index()
    table = places.merge(units, on=_NODE).merge(pd.DataFrame({"group": groups}), how="cross")
    table = table.merge(found, how="left", on=[*_NODE, "group"])
    table["n"] = table["n"].fillna(0).astype(int)
    several = table["n"].where(table["n"] > 1)  # one person has no interval
    half = stats.t.isf(alpha / 2, several - 1) * table.pop("sd") / np.sqrt(several)
    return table.assign(ci_low=table["mean"] - half, ci_high=table["mean"] + half)


def _places(profiles: pd.DataFrame) -> pd.Series:
    """Position of each node, mm, by modality, measure, side and node.

    Raises
    ------
    InputError
        If a column is missing, a participant has a node twice, or a node has two positions.
    """
    lacking = [c for c in ("participant_id", *_NODE, "position_mm", "value", "status") if c not in profiles]
    if lacking:
        has = ", ".join(map(str, profiles.columns))
        raise InputError(
            f"the table of profiles has no column {', '.join(lacking)}; it has {has}; lay it out as group/profiles.tsv"
        )
    twice = profiles[profiles.duplicated(["participant_id", *_NODE])]
    if len(twice):
        who, *where = twice.iloc[0][["participant_id", *_NODE]]
        raise InputError(f"{who}: the table of profiles has {' '.join(map(str, where))} twice; keep one row each")
    positions = profiles.groupby(_NODE)["position_mm"]
    several = positions.nunique() > 1
    if several.any():
        where = " ".join(map(str, several.idxmax()))
        raise InputError(f"{where}: the node has more than one position_mm; give the one along the template's tract")
    return positions.first()


def _fit_node(
    measured: Measured,
    people: pd.DataFrame,
    *,
    groups: Sequence[str],
    covariates: Sequence[str],
    contrasts: Sequence[Contrast],
    alpha: float,
) -> _Node:
    sample = take_sample(measured, people, groups=groups, covariates=covariates)
    design, fit, problems = fit_sample(sample, covariates)
    place = {name: measured.key[key] for name, key in zip(_NODE, [*_FAMILY, "hemi", "region"], strict=True)}
    rows = {c: place | sample.row(REPORTED, c.name) for c in contrasts}
    errors, borrowed = (None, []) if fit is None else errors_of(sample, design)
    directions = {}
    for contrast, row in rows.items():
        row["note"] += [*problems, *borrowed]
        if errors is None:
            continue
        vector, reason = contrast_of(design, sample, contrast)
        if reason:
            row["note"].append(reason)
            continue
        directions[contrast] = directions_of(errors, vector)
        fill(row, welch_contrast(errors, sample.y, vector, alpha=alpha))
    return _Node(tuple(place[name] for name in _FAMILY), sample, errors, rows, directions)


def _corrected(
    nodes: list[_Node], everyone: pd.Index, drawn: np.ndarray, *, seed: int
) -> dict[tuple[int, Contrast], float]:
    """Corrected p of each node and contrast, over all nodes of its measure; keys are the number of the node.

    Parameters
    ----------
    nodes : list of _Node
    everyone : Index, length n
        Participants.
    drawn : array of int, shape (m, n)
        Whose residuals they have; the same for every node, so that the nodes stay as correlated as they are.
    seed : int
    """
    alike = defaultdict(list)  # nodes of the same people, covariates and groups that vary
    for number, node in enumerate(nodes):
        if node.errors is not None and node.directions:
            data = node.sample.data
            alike[tuple(data.index), tuple(data.columns), tuple(node.errors.borrowing)].append(number)
    observed: dict[tuple[int, Contrast], float] = {}
    largest: dict[tuple[tuple[str, ...], Contrast], np.ndarray] = {}
    for (ids, *_), numbers in alike.items():
        y = np.column_stack([nodes[number].sample.y for number in numbers])
        first, families = nodes[numbers[0]], [nodes[number].family for number in numbers]
        errors, contrasts = first.errors, list(first.directions)
        assert errors is not None
        hypotheses = [first.directions[contrast] for contrast in contrasts]
        observed_here = signed_pivots(errors, *sums_of(errors, y), hypotheses)
        for contrast, values in zip(contrasts, observed_here, strict=True):
            observed |= {(number, contrast): abs(v) for number, v in zip(numbers, values, strict=True)}
        own_draws = draw_among(drawn, everyone.isin(ids), errors, seed=seed)
        start, names = 0, list(dict.fromkeys(families))
        places = np.array([names.index(family) for family in families])
        for batch_of_draws in drawn_pivots(errors, y, hypotheses, own_draws, places=places):
            batch = slice(start, start := start + len(batch_of_draws[0]))
            for contrast, values in zip(contrasts, batch_of_draws, strict=True):
                for place, family in enumerate(names):
                    kept = largest.setdefault((family, contrast), np.zeros(len(drawn)))
                    of_family = np.abs(values[:, places == place]).max(axis=1)
                    kept[batch] = np.maximum(kept[batch], of_family)
    return {
        (number, contrast): (np.count_nonzero(largest[nodes[number].family, contrast] >= own * (1 - TIE)) + 1)
        / (len(drawn) + 1)
        for (number, contrast), own in observed.items()
    }
