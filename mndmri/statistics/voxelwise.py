"""Groups compared voxel by voxel: maps in template space, one linear model, corrected over the brain.

What is assumed: under the hypothesis tested, what the model without it leaves over can be
exchanged between all participants, of every group and every site. A site is a covariate; sites
that differ in their noise, and not in their mean alone, break the assumption.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from pandas.api.types import is_numeric_dtype
from scipy import linalg

from mndmri.grids import check_same_grid, make_image, voxel_volume_ml
from mndmri.io import InputError
from mndmri.statistics.ancova import contrast_of
from mndmri.statistics.contrasts import OMNIBUS, POOLED, list_contrasts
from mndmri.statistics.families import holm
from mndmri.statistics.models import (
    COLLINEAR,
    Design,
    between_groups,
    build_design,
    confounders,
    is_estimable,
    permutations,
)
from mndmri.statistics.samples import NO_SPREAD, Measured, Sample, select_people, take_sample
from mndmri.statistics.tfce import enhance
from mndmri.tables.dictionaries import column_names, dictionary
from mndmri.tables.names import contrast_label, file_names

# A sum of float32 in another order is the same sum: relative
_TIE = 1e-4
# A participant without values in a larger share of the mask is named
_INCOMPLETE = 0.05

_DESCRIPTIONS = {
    "contrast": f"What is tested: groups, first minus second; {POOLED} is every patient, each group weighted by its "
    f"size; {OMNIBUS} is all groups at once; or a covariate (positive: the map increases with it).",
    "maps": "First part of the file names of its maps.",
    "n_missing": "Excluded participants of the study's groups: no map, or no covariate.",
    "statistic": "t, or F where several differences are tested at once.",
    "df": "Degrees of freedom; for F both, numerator first.",
    "n_voxels": "Voxels compared: in the mask, with a value in every participant.",
    "mask_ml": "Volume of these voxels, ml.",
    "highest": "Highest t (or F).",
    "lowest": "Lowest t.",
    "p_fwe": "Smallest p, two-sided, corrected over all voxels compared: threshold-free cluster enhancement, "
    "Freedman-Lane permutations, (b + 1) / (m + 1). Not corrected over the contrasts.",
    "p_holm": "The smallest p after Holm, over the pairs of groups.",
    "higher_ml": "Volume where the first side of the contrast is higher (covariate: positive effect) at the corrected "
    "level, ml; for F, where the groups differ.",
    "lower_ml": "Volume where it is lower, ml.",
    "n_permutations": "Permutations, m.",
    "note": "Excluded participants and missing numbers, with the reasons.",
}
MAP_DESCRIPTIONS = {
    "stat-t_statmap": "t of the adjusted difference, or of the covariate.",
    "stat-f_statmap": "F of all groups at once.",
    "stat-tfce_statmap": "The statistic (F: its root) after threshold-free cluster enhancement, negative where t is.",
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
    tested: Sequence[str] = (),
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    reasons: Mapping[str, str] | None = None,
    n_permutations: int = 1000,
    seed: int = 0,
    alpha: float = 0.05,
) -> MapComparison:
    """Differences between groups, and effects of covariates, at every voxel, with p corrected over all voxels.

    Of the model of the groups and covariates, each contrast is one part and what is orthogonal to
    it the other, so that exactly the contrast is tested, whichever groups it weighs (Beckmann's
    partition). The residuals of the other part are permuted (Freedman and Lane), the map of t,
    or of the root of F, is enhanced (TFCE), and the largest value anywhere, of either sign, is
    with which the data are compared.

    Parameters
    ----------
    maps : mapping
        ``participant_id`` to a map, 3D, all on the grid of ``mask``. A voxel that is not finite in
        somebody is left out.
    mask : SpatialImage
        Where to compare: above 0.
    participants, groups, reference, covariates, contrasts, pooled
        As in `compare_groups`. With a single group only covariates are tested.
    tested : sequence of str
        Covariates, numbers, whose own effect is mapped as well.
    reasons : mapping, optional
        ``participant_id`` to why there is no map.
    n_permutations : int
        m, besides the data's own order.
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
    Winkler et al. 2014, NeuroImage 92:381 (partition, Freedman-Lane, correction by the largest);
    Smith and Nichols 2009, NeuroImage 44:83 (TFCE).
    """
    people = select_people(participants, groups=groups, covariates=covariates)
    _check_tested(people, covariates, tested)
    has_map = pd.Series(np.where(people.index.isin(list(maps)), 1.0, np.nan), people.index)
    why = pd.Series([(reasons or {}).get(who, "no map") for who in people.index], people.index)
    sample = take_sample(Measured({}, has_map, why), people, groups=groups, covariates=covariates)
    design = build_design(sample.data, groups=sample.groups, covariates=covariates)
    y, compared, notes = _read(maps, mask, sample)
    notes = [*sample.notes, *([f"constant, left out: {', '.join(design.constant)}"] if design.constant else []), *notes]

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

    basis = linalg.orth(design.matrix, rcond=COLLINEAR) if len(y) else np.empty((0, 0))
    df = len(y) - basis.shape[1]
    if df < 1:
        notes.append(f"too few participants ({len(y)}) for the model's {len(design.terms)} terms")
    elif not y.shape[1]:
        notes.append("no voxel of the mask has a value in everyone")
    testable = {} if df < 1 or not y.shape[1] else {k: h for k, h in hypotheses.items() if not isinstance(h, str)}
    orders = permutations(len(y), number=n_permutations, seed=seed)
    found = _permute(y, design, testable, basis, orders, np.asarray(compared.dataobj) > 0) if testable else {}

    images = {
        name: ContrastMaps("F" if len(testable[name]) > 1 else "t", *(make_image(values, mask) for values in arrays))
        for name, arrays in found.items()
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
            row["df"] = f"{len(testable[name])}, {df}" if images[name].kind == "F" else df
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


def _read(
    maps: Mapping[str, SpatialImage], mask: SpatialImage, sample: Sample
) -> tuple[np.ndarray, SpatialImage, list[str]]:
    """Values, shape (people, voxels), the voxels, and who lacks many."""
    inside = np.asarray(mask.dataobj) > 0
    y = np.empty((len(sample.data), int(inside.sum())), np.float32)
    for row, who in zip(y, sample.data.index, strict=True):
        check_same_grid(mask, maps[who])
        row[:] = np.asarray(maps[who].dataobj, np.float32)[inside]
    known = np.isfinite(y)
    lacking = pd.Series(1 - known.mean(axis=1) if y.size else 0.0, sample.data.index)
    notes = [f"{who} has no value in {share:.0%} of the mask" for who, share in lacking[lacking > _INCOMPLETE].items()]
    kept = known.all(axis=0)
    y = y[:, kept]
    # who has the same value everywhere says nothing, and would divide nothing by nothing
    varies = np.ptp(y, axis=0) > NO_SPREAD * np.abs(y).max(axis=0) if len(y) else np.ones(y.shape[1], dtype=bool)
    compared = np.zeros(inside.shape, bool)
    compared[inside] = kept
    compared[compared] = varies
    return y[:, varies], make_image(compared, mask), notes


class _Test(NamedTuple):
    """One hypothesis about all voxels."""

    directions: np.ndarray  # (rank, q), orthonormal, in the model's basis
    effects: np.ndarray  # (q, voxels), the data along them
    total: np.ndarray  # (voxels,), sum of squares that the model without them leaves


def _permute(
    y: np.ndarray,
    design: Design,
    hypotheses: Mapping[str, np.ndarray],
    basis: np.ndarray,
    orders: np.ndarray,
    inside: np.ndarray,
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Statistic, its enhancement and minus log10 p of each hypothesis, on the grid.

    The people's rows of the model are moved and their residuals stay, which is the inverse order
    of the residuals and as likely; then one product, by far the largest, serves all hypotheses:
    the residuals of the model without a hypothesis are those of the full model and the
    hypothesis's own part.
    """
    df = len(y) - basis.shape[1]
    inverse = linalg.pinv(design.matrix, rtol=COLLINEAR)
    basis = basis.astype(np.float32)
    fit = basis.T @ y
    residuals = y - basis @ fit
    left = np.einsum("nv,nv->v", residuals, residuals)
    tests = {}
    for name, hypothesis in hypotheses.items():
        directions = linalg.orth(basis.T @ (hypothesis @ inverse).T).astype(np.float32)
        if len(hypothesis) == 1:  # a basis of one has an arbitrary sign, a contrast has not
            directions *= np.sign(directions[:, 0] @ (basis.T @ (hypothesis @ inverse)[0]))
        effects = directions.T @ fit
        tests[name] = _Test(directions, effects, left + (effects**2).sum(axis=0))

    # only the box round the mask is searched for clusters
    box = tuple(slice(found.min(), found.max() + 1) for found in np.nonzero(inside))
    place = np.flatnonzero(inside[box])

    def maps(order: np.ndarray) -> Iterable[tuple[str, np.ndarray, np.ndarray]]:
        """Statistic and its enhancement, in the box, of each test with the people in an order."""
        moved = basis[order].T
        fitted, turned = moved @ residuals, moved @ basis
        for name, test in tests.items():
            values = np.zeros(inside[box].shape, np.float32)
            values.flat[place] = _statistic(test, fitted, turned, df)
            yield name, values, enhance(values)

    found = {name: (values, enhanced) for name, values, enhanced in maps(np.arange(len(y)))}
    largest = {name: np.empty(len(orders), np.float32) for name in tests}
    for n, order in enumerate(orders):
        for name, _, enhanced in maps(order):
            largest[name][n] = np.abs(enhanced).max()

    results = {}
    for name, (values, enhanced) in found.items():
        height = np.abs(enhanced.flat[place]) * (1 - _TIE)
        extreme = len(orders) - np.searchsorted(np.sort(largest[name]), height)
        whole = [np.zeros(inside.shape, np.float32) for _ in range(3)]
        whole[0][box] = values if len(hypotheses[name]) == 1 else values**2
        whole[1][box] = enhanced
        whole[2][inside] = -np.log10((extreme + 1) / (len(orders) + 1))
        results[name] = (whole[0], whole[1], whole[2])
    return results


def _statistic(test: _Test, fitted: np.ndarray, turned: np.ndarray, df: int) -> np.ndarray:
    """Statistic of every voxel: t of one contrast, or the root of F of several, shape (voxels,).

    Parameters
    ----------
    test : _Test
    fitted : array, shape (rank, voxels)
        The full model's residuals along the moved basis.
    turned : array, shape (rank, rank)
        The basis along the moved basis.
    df : int
    """
    parts = fitted + (turned @ test.directions) @ test.effects
    along = test.directions.T @ parts
    # below the total's rounding, what is left cannot be told from nothing
    rest = test.total - np.einsum("rv,rv->v", parts, parts)
    floor = np.finfo(np.float32).eps * test.total + np.finfo(np.float32).tiny
    scale = np.sqrt(df / np.maximum(rest, floor))
    return along[0] * scale if len(along) == 1 else np.sqrt((along**2).mean(axis=0)) * scale


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
