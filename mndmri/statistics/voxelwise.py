"""Groups compared voxel by voxel: maps in template space, one linear model, corrected over the brain.

Each group has a variance of its own (`mndmri.statistics.welch`), and p comes from residuals drawn participant by
participant, on the scale of each group (`mndmri.statistics.draws`). What is assumed: errors are independent between
participants and, but for their size, alike in the groups, skewed or not. Groups may vary differently, but skewed errors
in groups that do make p too small (docs/validation.md). A site is a covariate, and sites may differ in their noise.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from pandas.api.types import is_numeric_dtype

from mndmri.grids import check_same_grid, make_image, voxel_volume_ml
from mndmri.io import InputError
from mndmri.statistics.ancova import contrast_of, variance_notes
from mndmri.statistics.contrasts import OMNIBUS, POOLED, list_contrasts
from mndmri.statistics.draws import draw_among, draw_people, drawn_pivots
from mndmri.statistics.families import holm
from mndmri.statistics.models import (
    COLLINEAR,
    between_groups,
    build_design,
    confounders,
    is_estimable,
)
from mndmri.statistics.samples import (
    NO_OTHERS,
    NO_SPREAD,
    Measured,
    Sample,
    covariates_for,
    own_columns,
    select_people,
    take_sample,
)
from mndmri.statistics.tfce import enhance
from mndmri.statistics.welch import (
    ErrorModel,
    directions_of,
    error_model,
    signed_pivots,
    sums_of,
    wald_test,
)
from mndmri.tables.dictionaries import column_names, dictionary
from mndmri.tables.names import contrast_label, file_names

# A sum of float32 in another order is the same sum: relative
_TIE = 1e-4
NO_VALUE = "the map has no value in the mask (the reason is in the status of the measures)"
# A participant without values in a larger share of the mask is named
_INCOMPLETE = 0.05

_DESCRIPTIONS = {
    "contrast": f"What is tested: groups, first minus second; {POOLED} is every patient, each group weighted by its "
    f"size; {OMNIBUS} is all groups at once; or a covariate (positive: the map increases with it).",
    "maps": "First part of the file names of its maps.",
    "n_missing": "Excluded participants of the study's groups: no map, or no covariate.",
    "statistic": "t, or F where several differences are tested at once; each group with a variance of its own.",
    "df_num": "Numerator degrees of freedom of F; missing for t.",
    "df": "Degrees of freedom of t, or of the denominator of F (Satterthwaite): median over the voxels.",
    "n_voxels": "Voxels compared: in the mask, with a value in every participant.",
    "mask_ml": "Volume of these voxels, ml.",
    "highest": "Highest t (or F).",
    "lowest": "Lowest t.",
    "p_fwe": "Smallest p, two-sided, corrected over all voxels compared: threshold-free cluster enhancement, "
    "residuals drawn anew on the scale of each group, (b + 1) / (m + 1). Not corrected over the contrasts.",
    "p_holm": "The smallest p after Holm, over the pairs of groups.",
    "higher_ml": "Volume where the first side of the contrast is higher (covariate: positive effect) at the corrected "
    "level, ml; for F, where the groups differ.",
    "lower_ml": "Volume where it is lower, ml.",
    "n_permutations": "Draws of the residuals, m.",
    "note": "Excluded participants and missing numbers, with the reasons.",
}
MAP_DESCRIPTIONS = {
    "stat-t_statmap": "t of the adjusted difference, or of the covariate.",
    "stat-f_statmap": "F of all groups at once.",
    "stat-tfce_statmap": "The statistic, brought to infinite degrees of freedom (F: its root), after threshold-free "
    "cluster enhancement, negative where t is.",
    "desc-fwep_statmap": "Negative decimal logarithm of p corrected over the voxels, two-sided: 1.301 is 0.05.",
    "mask": "Voxels that were compared.",
}


class ContrastMaps(NamedTuple):
    """What one contrast found; 0 outside the voxels compared."""

    kind: str  # "t" or "F"
    statistic: SpatialImage
    tfce: SpatialImage
    log_p: SpatialImage  # minus the decimal logarithm of the corrected p


class MapComparison(NamedTuple):
    """The contrasts' maps, by contrast, the voxels compared, and a row for each contrast."""

    summary: pd.DataFrame
    maps: dict[str, ContrastMaps]  # of those that have an estimate
    mask: SpatialImage


def summary_dictionary(groups: Sequence[str]) -> dict[str, Any]:
    """BIDS data dictionary of the summary of compared maps."""
    return dictionary("The groups compared voxel by voxel", _DESCRIPTIONS, groups)


def compare_maps(
    maps: Mapping[str, SpatialImage],
    mask: SpatialImage,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    covariates: Sequence[str] = (),
    measure_covariates: Mapping[str, Sequence[str]] = NO_OTHERS,
    place: Mapping[str, str] | None = None,
    tested: Sequence[str] = (),
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    reasons: Mapping[str, str] | None = None,
    n_permutations: int = 1000,
    seed: int = 0,
    alpha: float = 0.05,
) -> MapComparison:
    """Differences between groups, and effects of covariates, at every voxel, with p corrected over all voxels.

    The test is the reported one of `compare_groups`: each group has its own variance. The residuals of the model are
    drawn anew, on the scale of each group (`drawn_pivots`), the map of the statistic, brought to infinite degrees of
    freedom (`pivot`), is enhanced (TFCE), and the data are compared with the largest value anywhere, of either sign.

    Parameters
    ----------
    maps : mapping
        ``participant_id`` to a map, 3D, all on the grid of ``mask``. A voxel that is not finite in
        somebody is left out; who has no finite voxel in the mask has no map.
    mask : SpatialImage
        Where to compare: above 0.
    participants, groups, reference, covariates, contrasts, pooled
        As in `compare_groups`. With a single group only covariates are tested.
    measure_covariates : mapping
        As in `compare_groups`.
    place : mapping, optional
        modality and measure of the maps, which select of these.
    tested : sequence of str
        Covariates, numbers, whose own effect is mapped as well.
    reasons : mapping, optional
        ``participant_id`` to why there is no map.
    n_permutations : int
        Draws, m, besides the data.
    seed : int
    alpha : float
        Corrected level of the volumes in the summary.

    Returns
    -------
    MapComparison
        The summary has a row for each contrast, columns `summary_dictionary`. One that cannot be
        estimated has no maps, and a note.

    Raises
    ------
    InputError
        If a column or a group is missing, a participant is there twice, the grids differ, or a
        covariate to be tested is no number or not in the model.

    References
    ----------
    Winkler et al. 2014, NeuroImage 92:381 (groups of unequal variance, correction by the largest); Smith and Nichols
    2009, NeuroImage 44:83 (TFCE).
    """
    key = {"modality": "", "measure": "", "region": ""} | dict(place or {})
    own = own_columns(participants, measure_covariates)
    people = select_people(participants, groups=groups, covariates=list(dict.fromkeys([*covariates, *own])))
    covariates, absent = covariates_for(key, people, covariates=covariates, chosen=measure_covariates)
    _check_tested(people, covariates, tested)
    values = {who: _read(maps[who], mask) for who in people.index if who in maps}
    empty = {who: NO_VALUE for who, own in values.items() if own.size and not np.isfinite(own).any()}
    has_map = pd.Series([1.0 if who in maps and who not in empty else np.nan for who in people.index], people.index)
    why = pd.Series([(empty | dict(reasons or {})).get(who, "no map") for who in people.index], people.index)
    sample = take_sample(Measured({}, has_map, why), people, groups=groups, covariates=covariates)
    design = build_design(sample.data, groups=sample.groups, covariates=covariates)
    # each row is let go once it is copied: of many people they do not fit in memory twice
    y = np.empty((len(sample.data), np.count_nonzero(np.asarray(mask.dataobj) > 0)), np.float32)
    for row_of_one, who in zip(y, sample.data.index, strict=True):
        row_of_one[:] = values.pop(who)
    y, compared, notes = _common(y, mask, sample)
    notes = [
        *sample.notes,
        *absent,
        *([f"constant, left out: {', '.join(design.constant)}"] if design.constant else []),
        *notes,
    ]

    hypotheses: dict[str, np.ndarray | str] = {}
    pairs = []
    if len(design.groups) > 2:
        hypotheses[OMNIBUS] = between_groups(design)
    if len(groups) > 1:
        for contrast in list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled):
            vector, problem = contrast_of(design, sample, contrast)
            hypotheses[contrast.name] = problem or vector[None]
            pairs += [contrast.name] if contrast.is_pair else []
    for name in tested:
        chosen = np.array([term == name for term in design.terms], float)[None]
        hypotheses[name] = chosen if chosen.any() else f"{name} is the same in everyone"
    for name, hypothesis in hypotheses.items():
        if not isinstance(hypothesis, str) and not is_estimable(design.matrix, hypothesis):
            hypotheses[name] = f"not estimable: confounded with {', '.join(confounders(design, hypothesis))}"

    free = len(y) - (np.linalg.matrix_rank(design.matrix, rtol=COLLINEAR) if len(y) else 0)
    if free < 1:
        notes.append(f"too few participants ({len(y)}) for the model's {len(design.terms)} terms")
    elif not y.shape[1]:
        notes.append("no voxel of the mask has a value in everyone")
    testable = {} if free < 1 or not y.shape[1] else {k: h for k, h in hypotheses.items() if not isinstance(h, str)}
    found = {}
    if testable:
        owner = np.array([design.groups.index(name) for name in sample.data["group"]])
        errors = error_model(design.matrix, owner)
        notes += variance_notes(sample, design, errors)
        drawn = draw_people(len(y), number=n_permutations, seed=seed)
        drawn = draw_among(drawn, np.ones(len(y), bool), errors, seed=seed)
        directions = {name: directions_of(errors, hypothesis) for name, hypothesis in testable.items()}
        found = _tested(y, errors, directions, drawn, np.asarray(compared.dataobj) > 0)

    images = {
        name: ContrastMaps("F" if len(testable[name]) > 1 else "t", *(make_image(values, mask) for values in arrays))
        for name, (arrays, _) in found.items()
    }
    files = dict(zip(hypotheses, file_names(hypotheses, spell=contrast_label), strict=True))
    rows = []
    for name, hypothesis in hypotheses.items():
        row = sample.row("", name) | {
            "note": "; ".join([*notes, *([hypothesis] if isinstance(hypothesis, str) else [])])
        }
        row |= {"n_voxels": y.shape[1], "mask_ml": y.shape[1] * voxel_volume_ml(mask)}
        if name in images:
            row |= _row_of(images[name], compared, alpha=alpha)
            row |= {"maps": f"contrast-{files[name]}", "n_permutations": n_permutations}
            row |= {"df": found[name][1]} | ({"df_num": len(testable[name])} if images[name].kind == "F" else {})
        rows.append(row)
    summary = pd.DataFrame(rows, columns=column_names(summary_dictionary(groups)))
    of_pairs = summary["contrast"].isin(pairs) & summary["p_fwe"].notna()
    summary.loc[of_pairs, "p_holm"] = holm(summary.loc[of_pairs, "p_fwe"].to_numpy(float))
    return MapComparison(summary, images, compared)


def _check_tested(people: pd.DataFrame, covariates: Sequence[str], tested: Sequence[str]) -> None:
    for name in tested:
        if name not in covariates:
            raise InputError(
                f"the effect of '{name}' is to be mapped, but it is not a covariate "
                f"({', '.join(covariates) or 'there are none'}); add it to the covariates"
            )
        if not is_numeric_dtype(people[name]):
            raise InputError(
                f"the effect of '{name}' is to be mapped, but it is a category; name a covariate of numbers"
            )


def _read(image: SpatialImage, mask: SpatialImage) -> np.ndarray:
    """Values inside the mask, shape (voxels,)."""
    check_same_grid(mask, image)
    return np.asarray(image.dataobj, np.float32)[np.asarray(mask.dataobj) > 0]


def _common(y: np.ndarray, mask: SpatialImage, sample: Sample) -> tuple[np.ndarray, SpatialImage, list[str]]:
    """Values of the voxels that everybody has, shape (people, voxels), these voxels, and who lacks many."""
    inside = np.asarray(mask.dataobj) > 0
    known = np.isfinite(y)
    lacking = pd.Series(1 - known.mean(axis=1) if y.size else 0.0, sample.data.index)
    notes = [f"{who} has no value in {share:.0%} of the mask" for who, share in lacking[lacking > _INCOMPLETE].items()]
    kept = known.all(axis=0)
    if len(y):
        # a voxel with the same value in everybody says nothing, and would divide nothing by nothing
        with np.errstate(invalid="ignore"):
            low, high = y.min(axis=0), y.max(axis=0)
            kept &= high - low > NO_SPREAD * np.maximum(high, -low)
    compared = np.zeros(inside.shape, bool)
    compared[inside] = kept
    return y[:, kept], make_image(compared, mask), notes


def _tested(
    y: np.ndarray,
    errors: ErrorModel,
    directions: Mapping[str, np.ndarray],
    drawn: np.ndarray,
    inside: np.ndarray,
) -> dict[str, tuple[tuple[np.ndarray, np.ndarray, np.ndarray], float]]:
    """Of each hypothesis the statistic, its enhancement and minus log10 p, on the grid, and the median df."""
    # only the box round the mask is searched for clusters
    box = tuple(slice(found.min(), found.max() + 1) for found in np.nonzero(inside))
    place = np.flatnonzero(inside[box])

    def enhanced(statistic: np.ndarray) -> np.ndarray:
        values = np.zeros(inside[box].shape, np.float32)
        values.flat[place] = statistic
        return enhance(values)

    hypotheses = list(directions.values())
    fitted, squares = sums_of(errors, y)
    # what is left below the rounding of the whole cannot be distinguished from nothing
    squares = np.maximum(squares, np.finfo(y.dtype).eps * np.var(y, axis=0) * len(y))
    own = [enhanced(statistic) for statistic in signed_pivots(errors, fitted, squares, hypotheses)]
    largest = np.array(
        [
            [np.abs(enhanced(statistic)).max() for statistic in of_draw]
            for batch in drawn_pivots(errors, y, hypotheses, drawn)
            for of_draw in zip(*batch, strict=True)
        ]
    )
    largest = np.sort(largest.reshape(len(drawn), len(directions)), axis=0)
    results = {}
    for n, (name, hypothesis) in enumerate(directions.items()):
        height = np.abs(own[n].flat[place]) * (1 - _TIE)
        extreme = len(drawn) - np.searchsorted(largest[:, n], height)
        tested = wald_test(errors, hypothesis, fitted, squares)
        squared = np.where(tested.df > 0, tested.statistic, 0)  # as in the enhanced map: no df, no test
        root = np.sign(hypothesis[:, 0] @ fitted) * np.sqrt(squared)
        whole = [np.zeros(inside.shape, np.float32) for _ in range(3)]
        whole[0][inside] = root if tested.numerator == 1 else squared
        whole[1][box] = own[n]
        whole[2][inside] = -np.log10((extreme + 1) / (len(drawn) + 1))
        results[name] = ((whole[0], whole[1], whole[2]), float(np.median(tested.df)))
    return results


def _row_of(maps: ContrastMaps, compared: SpatialImage, *, alpha: float) -> dict[str, Any]:
    """What the summary says of a contrast's maps."""
    inside = np.asarray(compared.dataobj) > 0
    statistic, log_p = (np.asarray(image.dataobj)[inside] for image in (maps.statistic, maps.log_p))
    significant, ml = is_significant(log_p, alpha=alpha), voxel_volume_ml(compared)
    row = {"statistic": maps.kind, "highest": statistic.max(), "p_fwe": 10.0 ** -float(log_p.max())}
    row["higher_ml"] = ml * np.count_nonzero(significant & (statistic > 0))
    if maps.kind == "t":
        row |= {"lowest": statistic.min(), "lower_ml": ml * np.count_nonzero(significant & (statistic < 0))}
    return row


def is_significant(log_p: np.ndarray, *, alpha: float) -> np.ndarray:
    """Where minus the decimal logarithm of p says that p is at most ``alpha``."""
    return log_p >= -np.log10(alpha) - 1e-6  # of float32
