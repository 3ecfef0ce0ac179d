"""Groups compared along the corticospinal tract, node by node."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import linalg, stats

from mndmri.io import InputError
from mndmri.statistics.ancova import contrast_of, fill, fit_sample
from mndmri.statistics.contrasts import POOLED, Contrast, list_contrasts
from mndmri.statistics.models import COLLINEAR, TIE, Design, permutations, t_contrast
from mndmri.statistics.samples import Measured, Sample, each_measure, select_people, take_sample
from mndmri.tables.dictionaries import column_names, dictionary

_NODE = ["measure", "hemi", "node"]
_BATCH = 250  # permutations at a time: some 10 MB at 1,000 participants

_DESCRIPTIONS = {
    "measure": "What was measured along the tract; see profiles.json.",
    "hemi": "Side of the participant's body: L or R.",
    "node": "Position along the tract, counted from the pons to the cortex.",
    "position_mm": "Arc length of the node along the tract's centre line in the template.",
    "contrast": f"The groups compared, first minus second; {POOLED} is every patient, each group weighted by its size.",
    "n_missing": "Excluded participants of the study's groups: no value at this node, or no covariate.",
    "estimate": "Adjusted difference in the measure's unit.",
    "ci_low": "Lower confidence limit of the estimate, of this node alone.",
    "ci_high": "Upper confidence limit of the estimate, of this node alone.",
    "statistic": "t of the adjusted difference.",
    "df": "Residual degrees of freedom.",
    "p": "Two-sided, by t, not corrected.",
    "p_fwe": "p corrected over all nodes of both sides of this measure and contrast, by Freedman-Lane "
    "permutations, (b + 1) / (m + 1): b of m permutations have any node at least as extreme as this one.",
    "note": "Excluded participants and missing numbers, with the reasons.",
}
_MEANS = {
    **{column: _DESCRIPTIONS[column] for column in (*_NODE, "position_mm")},
    "unit": "Unit of the mean; 1 for FA.",
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

    measure: str
    sample: Sample
    design: Design
    rows: dict[Contrast, dict[str, Any]]
    vectors: dict[Contrast, np.ndarray]  # weights of the model's columns; only of the contrasts with an estimate


def compare_profiles(
    profiles: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    covariates: Sequence[str] = (),
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    n_permutations: int = 5000,
    seed: int = 0,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Adjusted differences at every node, with p corrected over the nodes of both sides.

    The statistic of the correction is the smallest p of each permutation, which is the largest
    |t| wherever all nodes rest on the same people. Where they do not, a |t| of three degrees of
    freedom means less than one of twenty, and a node that few people have would drown the rest.

    Parameters
    ----------
    profiles : DataFrame
        Long: participant_id, measure, hemi, node, position_mm, value, status. A value that is not
        finite is missing; each node rests on those who have it.
    participants, groups, reference, covariates, contrasts, pooled, alpha
        As in `compare_groups`.
    n_permutations : int
        0 for none: p_fwe is missing.
    seed : int
        The permutations depend on this and on how many participants have every covariate.

    Returns
    -------
    DataFrame
        Columns as in `compare_profiles_dictionary`; by measure, side, node and contrast. A difference
        that cannot be had is a row with missing numbers and a note, and stays out of the correction.

    Raises
    ------
    InputError
        If a column or a group is missing, a participant has a node twice, or a node has two positions.

    References
    ----------
    Westfall and Young 1993, Resampling-Based Multiple Testing (single-step min P and max T);
    Freedman and Lane 1983, J Bus Econ Stat 1:292; Winkler et al. 2014, NeuroImage 92:381.
    """
    people = select_people(participants, groups=groups, covariates=covariates)
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    places = _places(profiles)
    # each node is a region of its own, always in the same order
    table = profiles.sort_values(_NODE, kind="stable").rename(columns={"node": "region"}).assign(modality="dwi")
    nodes = [
        _fit_node(measured, people, groups=groups, covariates=covariates, contrasts=compared, alpha=alpha)
        for measured in each_measure(table, people)
    ]
    complete = people.dropna().index
    smallest = _smallest_p(nodes, complete, permutations(len(complete), number=n_permutations, seed=seed))
    rows = []
    for node in nodes:
        for contrast, row in node.rows.items():
            if n_permutations and contrast in node.vectors:
                extreme = np.count_nonzero(smallest[node.measure, contrast] <= row["p"] * (1 + TIE))
                row["p_fwe"] = (extreme + 1) / (n_permutations + 1)
            position = places[row["measure"], row["hemi"], row["node"]]
            rows.append(row | {"position_mm": position, "note": "; ".join(row["note"])})
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
    """Position of each node, mm, by measure, side and node.

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
    place = {name: measured.key[key] for name, key in zip(_NODE, ("measure", "hemi", "region"), strict=True)}
    rows = {c: place | sample.row("ancova_contrast", c.name) for c in contrasts}
    vectors = {}
    for contrast, row in rows.items():
        row["note"] += problems
        if fit is None:
            continue
        vector, reason = contrast_of(design, sample, contrast)
        if reason:
            row["note"].append(reason)
            continue
        vectors[contrast] = vector
        fill(row, t_contrast(fit, vector, alpha=alpha))
    return _Node(measured.key["measure"], sample, design, rows, vectors)


def _smallest_p(nodes: list[_Node], complete: pd.Index, orders: np.ndarray) -> dict[tuple[str, Contrast], np.ndarray]:
    """Smallest p over all nodes in every permutation, by measure and contrast.

    Parameters
    ----------
    nodes : list of _Node
    complete : Index, length n
        Participants with every covariate.
    orders : array of int, shape (m, n)
        Their permutations.
    """
    by_people = defaultdict(list)
    for node in nodes:
        if node.vectors:
            by_people[tuple(node.sample.data.index)].append(node)
    smallest: dict[tuple[str, Contrast], np.ndarray] = {}
    for ids, alike in by_people.items():
        for key, p in _permuted_p(alike, induced(orders, complete.isin(ids))).items():
            smallest[key] = np.minimum(smallest.get(key, 1.0), p)
    return smallest


def induced(orders: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Permutations of some of the people that agree as far as they can with those of everyone.

    Who is not chosen is taken out of the cycles: a place that would have gone to them goes to
    the next of the chosen along the cycle. If every permutation of everyone is equally likely,
    so is every one of the chosen; and nodes that nearly the same people have are permuted
    nearly alike, so that they stay as correlated as they are.

    Parameters
    ----------
    orders : array of int, shape (m, n)
    chosen : array of bool, shape (n,)

    Returns
    -------
    array of int, shape (m, number chosen)
        Places among the chosen.

    References
    ----------
    Pitman 2006, Combinatorial Stochastic Processes, section 3.1 (uniform permutations are
    consistent in this sense).
    """
    if chosen.all():
        return orders
    kept = orders[:, chosen]
    while len((gone := np.nonzero(~chosen[kept]))[0]):
        kept[gone] = orders[gone[0], kept[gone]]
    return (np.cumsum(chosen) - 1)[kept]


def _permuted_p(nodes: list[_Node], orders: np.ndarray) -> dict[tuple[str, Contrast], np.ndarray]:
    """Smallest p over nodes of the same people in every permutation, by measure and contrast.

    The people's rows of the model are moved and their residuals stay, which is the inverse
    order of the residuals and as likely; then one product serves all contrasts. The residuals
    of the model without the contrast are those of the full model and the contrast's own part.
    """
    design, vectors = nodes[0].design, nodes[0].vectors
    basis = linalg.orth(design.matrix, rcond=COLLINEAR)
    inverse = linalg.pinv(design.matrix, rtol=COLLINEAR)
    y = np.column_stack([node.sample.y for node in nodes])
    residuals = y - basis @ (basis.T @ y)
    df = len(y) - basis.shape[1]
    fixed = np.hstack([residuals, basis])
    measures = np.array([node.measure for node in nodes])
    smallest = {key: np.empty(len(orders)) for key in product(dict.fromkeys(measures), vectors)}
    for start in range(0, len(orders), _BATCH):
        batch = slice(start, start + _BATCH)
        fitted = basis.T[:, orders[batch]] @ fixed  # (rank, batch, nodes and rank)
        of_residuals, of_basis = fitted[..., : len(nodes)], fitted[..., len(nodes) :]
        for contrast, vector in vectors.items():
            direction = basis.T @ (vector @ inverse)
            direction /= linalg.norm(direction)
            effect = direction @ (basis.T @ y)
            parts = of_residuals + (of_basis @ direction)[..., None] * effect
            explained = np.tensordot(direction, parts, axes=1) ** 2
            total = (residuals**2).sum(axis=0) + effect**2
            # below the total's rounding, what is left cannot be told from nothing
            rest = np.maximum(total - (parts**2).sum(axis=0), np.finfo(float).eps * total)
            squared = df * explained / rest  # t, (batch, nodes)
            for measure in dict.fromkeys(measures):
                largest = squared[:, measures == measure].max(axis=1)
                smallest[measure, contrast][batch] = 2 * stats.t.sf(np.sqrt(largest), df)
    return smallest
