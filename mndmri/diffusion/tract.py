"""Diffusion measures in the levels of the corticospinal tract and in the callosum."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.regions import select
from mndmri.grids import check_same_grid
from mndmri.tables.coverage import coverage_rows, coverage_status
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

MEASURES = {"fa": "1", "md": "1e-3 mm2/s", "ad": "1e-3 mm2/s", "rd": "1e-3 mm2/s"}
ATLAS_MEAN = {"fa_atlas_mean": "1"}
NOWHERE: Mapping[tuple[str, str], str] = {}
CST_REGIONS = ("cst", "cst_subcortical", "cst_corona_radiata", "cst_plic", "cst_peduncle", "cst_pons")
# What the measures, the checks and the tracking of a diffusion series ask of an atlas
ATLAS_REGIONS = (*CST_REGIONS, "cc_midbody", "callosum", "precentral")
REGIONS = [(region, hemi) for region in CST_REGIONS for hemi in "LR"] + [("cc_midbody", "both")]


def measure_tract(
    maps: Mapping[str, SpatialImage],
    weights: SpatialImage,
    table: pd.DataFrame,
    wm_probability: SpatialImage,
    coverage: pd.Series,
    *,
    beside: Mapping[tuple[str, str], str] = NOWHERE,
    min_fa: float = 0.2,
    min_coverage: float = 0.8,
    min_voxels: float = 10,
) -> pd.DataFrame:
    """Weighted means of the tensor maps: every level and side, and the mid-body of the callosum.

    Parameters
    ----------
    maps : mapping
        ``fa``, ``md``, ``ad``, ``rd``: 3D images on the diffusion grid, as from `tensor.fit_tensor`.
    weights : SpatialImage
        4D atlas probabilities, 0 to 1, brought to the diffusion grid.
    table : DataFrame
        ``index``, ``region``, ``hemi`` of the atlas's volumes.
    wm_probability : SpatialImage
        White-matter probability, 0 to 1, brought to the diffusion grid.
    coverage : Series
        From `mndmri.tables.coverage.measure_coverage`.
    beside : mapping
        Regions, with their side, that do not lie on the tract, and how that shows (`direction.off_tract`).
    min_fa : float
        Voxels with FA up to this are left out of all four measures: they are not tract.
    min_coverage : float
        Minimum fraction of a region in the field of view.
    min_voxels : float
        Minimum effective number of voxels of a mean.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`, one row per measure of `MEASURES` and `ATLAS_MEAN` and region of
        `REGIONS`, and the asymmetry of each of `CST_REGIONS`. ``n_voxels`` is the effective number,
        sum(w)^2 / sum(w^2): the far tail of an atlas counts for little.

    Notes
    -----
    Mean = sum(w m) / sum(w), with w = p(region) x p(white matter) x (FA > ``min_fa``). Voxels that fall
    below ``min_fa`` leave the mean, which hides some of a loss: `ATLAS_MEAN` has w = p(region) wherever
    there is brain, and keeps them.
    """
    check_same_grid(weights, wm_probability, *maps.values())
    tract = tract_weight(maps["fa"], wm_probability, min_fa=min_fa)
    data = {name: maps[name].get_fdata() for name in MEASURES}
    of_brain = {name: data[name.removesuffix("_atlas_mean")] for name in ATLAS_MEAN}
    kinds = ((data, MEASURES, tract, tract_kind(min_fa)), (of_brain, ATLAS_MEAN, data["fa"] > 0, "brain"))
    limits: dict[str, Any] = {"beside": beside, "min_coverage": min_coverage, "min_voxels": min_voxels}
    rows = []
    for place in REGIONS:
        probability = region_weight(weights, table, *place)
        for values, units, tissue, kind in kinds:
            rows += _region_rows(values, units, place, probability * tissue, coverage, kind=kind, **limits)
    means = pd.DataFrame(rows, columns=MEASURE_COLUMNS)
    return pd.concat([means, measure_asymmetry(means)], ignore_index=True)


def _region_rows(
    values: Mapping[str, np.ndarray],
    units: Mapping[str, str],
    place: tuple[str, str],
    weight: np.ndarray,
    coverage: pd.Series,
    **limits: Any,
) -> list[dict]:
    """Rows of the weighted means of several measures in one region.

    Parameters
    ----------
    values : mapping
        Name of a measure to its map, shape (X, Y, Z).
    units : mapping
        Unit of each measure that has a row.
    place : tuple of str
        Region and hemi.
    weight : ndarray, shape (X, Y, Z)
        Of each voxel.
    coverage
        As for `measure_tract`.
    **limits
        As for `judge_region`.
    """
    n_voxels, status = judge_region(weight, place, coverage, **limits)
    return [
        row(
            "dwi",
            name,
            *place,
            weighted_mean(values[name], weight) if status == OK else np.nan,
            unit=unit,
            n_voxels=n_voxels,
            status=status,
        )
        for name, unit in units.items()
    ]


def measure_on_tract(
    maps: Mapping[str, SpatialImage],
    units: Mapping[str, str],
    fa: SpatialImage,
    weights: SpatialImage,
    table: pd.DataFrame,
    wm_probability: SpatialImage,
    coverage: pd.Series,
    *,
    min_fa: float = 0.2,
    **limits: Any,
) -> pd.DataFrame:
    """Weighted means of other maps of the diffusion series, in the voxels in which those of the tensor are measured.

    Parameters
    ----------
    maps : mapping
        Name of a measure to its map, on the grid of ``fa``.
    units : mapping
        Unit of each.
    fa : SpatialImage
        Of the tensor.
    weights, table, wm_probability, coverage, min_fa
        As for `measure_tract`.
    **limits
        ``beside, min_coverage, min_voxels``, as for `measure_tract`.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`, one row per measure and region of `REGIONS`.
    """
    check_same_grid(weights, wm_probability, fa, *maps.values())
    data = {name: image.get_fdata() for name, image in maps.items()}
    tract, kind = tract_weight(fa, wm_probability, min_fa=min_fa), tract_kind(min_fa)
    rows = []
    for place in REGIONS:
        weight = region_weight(weights, table, *place) * tract
        rows += _region_rows(data, units, place, weight, coverage, kind=kind, **limits)
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)


def tract_kind(min_fa: float) -> str:
    """What the voxels of the tract are, in words."""
    return f"white matter with FA > {min_fa:g}"


def tract_weight(fa: SpatialImage, wm_probability: SpatialImage, *, min_fa: float = 0.2) -> np.ndarray:
    """Weight of each voxel as tract besides the probability of its region, 0 to 1, shape (X, Y, Z).

    Parameters
    ----------
    fa, wm_probability, min_fa
        As for `measure_tract`.
    """
    return np.clip(wm_probability.get_fdata(), 0, 1) * (fa.get_fdata() > min_fa)


def judge_region(
    weight: np.ndarray,
    place: tuple[str, str],
    coverage: pd.Series,
    *,
    kind: str,
    beside: Mapping[tuple[str, str], str] = NOWHERE,
    min_coverage: float = 0.8,
    min_voxels: float = 10,
) -> tuple[int, str]:
    """Effective number of voxels of a region, and why its mean is missing; ok if it is not.

    Parameters
    ----------
    weight : ndarray, shape (X, Y, Z)
        Of each voxel.
    place : tuple of str
        Region and hemi.
    coverage, beside, min_coverage, min_voxels
        As for `measure_tract`.
    kind : str
        What the voxels are, as for `mndmri.tables.coverage.coverage_status`.
    """
    n_voxels = effective_number(weight)
    seen = float(coverage[place])
    status = coverage_status(seen, n_voxels, min_coverage=min_coverage, min_voxels=min_voxels, kind=kind)
    return n_voxels, beside.get(place, OK) if status == OK else status


def measure_asymmetry(means: pd.DataFrame) -> pd.DataFrame:
    """How much higher FA is on the left than on the right, for the tract and each of its levels.

    Parameters
    ----------
    means : DataFrame
        Columns `MEASURE_COLUMNS`, with the rows ``fa`` of `CST_REGIONS`, L and R.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`: ``fa_asymmetry``, 200 (L - R) / (L + R), in percent of the mean of the two
        sides. ``n_voxels`` is that of the smaller side. Where a side has no value neither has the asymmetry,
        and its status gives the side and the reason.
    """
    fa = means[means["measure"] == "fa"].set_index(["region", "hemi"])
    rows = []
    for region in CST_REGIONS:
        left, right = fa.loc[(region, "L")], fa.loc[(region, "R")]
        lacking = [f"{hemi}: {side['status']}" for hemi, side in (("L", left), ("R", right)) if side["status"] != OK]
        value = np.nan if lacking else 200 * (left["value"] - right["value"]) / (left["value"] + right["value"])
        n_voxels = int(min(left["n_voxels"], right["n_voxels"]))
        status = "; ".join(lacking) or OK
        rows.append(row("dwi", "fa_asymmetry", region, "both", value, unit="%", n_voxels=n_voxels, status=status))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)


def tract_coverage(coverage: pd.Series, weights: SpatialImage, table: pd.DataFrame) -> pd.DataFrame:
    """Share of each region of the tract that the scan shows, for quality control.

    Parameters
    ----------
    coverage, weights, table
        As for `measure_tract`.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`: ``coverage``, 0 to 1, of each region of `REGIONS`.
    """
    n_voxels = {place: effective_number(region_weight(weights, table, *place)) for place in REGIONS}
    return coverage_rows("dwi", "coverage", coverage.loc[REGIONS], n_voxels)


def measure_quality(
    maps: Mapping[str, SpatialImage],
    weights: SpatialImage,
    table: pd.DataFrame,
    wm_probability: SpatialImage,
    *,
    negative_fraction: float,
    min_fa: float = 0.2,
) -> pd.DataFrame:
    """Quality measures of a diffusion series on the tract and in the brain.

    Parameters
    ----------
    maps, weights, table, wm_probability, min_fa
        As for `measure_tract`.
    negative_fraction : float
        As from `tensor.fit_tensor`.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`: the fraction of the tract's white matter with FA above
        ``min_fa`` (L, R), the fraction of voxels with a
        negative eigenvalue, FA of the callosum, the most coherent bundle there is (below
        about 0.4, doubt the gradient table or the alignment with the T1w image), and the Dice overlap of
        the brain's voxels with FA above ``min_fa`` with those that are mostly white matter on the T1w image
        (low where the two are misaligned or one is distorted; compare scans of one protocol).
    """
    check_same_grid(weights, wm_probability, *maps.values())
    fa = maps["fa"].get_fdata()
    wm = np.clip(wm_probability.get_fdata(), 0, 1)
    rows = []
    for hemi in "LR":
        weight = region_weight(weights, table, "cst", hemi) * wm
        rows.append(_mean_row("fraction_above_min_fa", "cst", hemi, (fa > min_fa).astype(float), weight))
    rows.append(_mean_row("fa", "callosum", "both", fa, region_weight(weights, table, "callosum", "both") * wm))
    n_brain = int(np.sum(fa > 0))
    rows.append(_dice_row(fa > min_fa, (wm > 0.5) & (fa > 0)))
    name = "negative_eigenvalue_fraction"
    rows.append(row("dwi", name, "brain", "both", negative_fraction, unit="1", n_voxels=n_brain))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)


def _mean_row(measure: str, region: str, hemi: str, values: np.ndarray, weight: np.ndarray) -> dict:
    n_voxels = effective_number(weight)
    if n_voxels == 0:
        status = "no white matter of the region in the image"
        return row("dwi", measure, region, hemi, np.nan, unit="1", n_voxels=0, status=status)
    return row("dwi", measure, region, hemi, weighted_mean(values, weight), unit="1", n_voxels=n_voxels)


def _dice_row(first: np.ndarray, second: np.ndarray) -> dict:
    n_voxels = int(second.sum())
    if n_voxels == 0:
        status = "no white matter in the image"
        return row("dwi", "dice_wm", "wm", "both", np.nan, unit="1", n_voxels=0, status=status)
    dice = 2 * float(np.sum(first & second)) / float(first.sum() + n_voxels)
    return row("dwi", "dice_wm", "wm", "both", dice, unit="1", n_voxels=n_voxels)


def region_weight(weights: SpatialImage, table: pd.DataFrame, region: str, hemi: str) -> np.ndarray:
    """Probability of one region, shape (X, Y, Z)."""
    return np.clip(select(weights, table, region, hemi).get_fdata(), 0, None)


def weighted_mean(values: np.ndarray, weight: np.ndarray) -> float:
    """Mean whose last digit does not depend on how the arrays lie in memory: they are summed in one order."""
    return float(np.average(np.ravel(values), weights=np.ravel(weight)))


def effective_number(weight: np.ndarray) -> int:
    """Number of equally weighted voxels that would carry as much (Kish 1965, Survey Sampling)."""
    squares = float(np.sum(weight**2))
    return round(float(weight.sum()) ** 2 / squares) if squares > 0 else 0
