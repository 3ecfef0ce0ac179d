"""Brightness of the corticospinal tract on T1w, FLAIR and T2w images, against white matter elsewhere."""

from collections.abc import Sequence

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.atlases import select
from mndmri.grids import check_same_grid, make_image, resampled_grid, voxel_sizes
from mndmri.measures import MEASURE_COLUMNS, OK, row
from mndmri.transforms import Transform, map_points, resample

CST_REGIONS = ("cst", "cst_subcortical", "cst_corona_radiata", "cst_plic", "cst_peduncle", "cst_pons")
REFERENCE_REGIONS = ("frontal_wm", "occipital_wm")
ATLAS_REGIONS = (*CST_REGIONS, *REFERENCE_REGIONS)  # what `measure_signal` asks of an atlas

# N4's mesh for these images ends at 50 mm. At its usual end, 25 mm, the field follows the tract itself: of a planted
# brightening of 10% it left 4, in a simulated and in a real head; this leaves 9 and 8, and of a simulated shading of
# 30% less than 1%. One level less leaves all of the brightening and the real head's sides 2 to 3% apart.
N4_ITERATIONS = (50, 50, 50)

# The core of the tract: its outer half is shared with its neighbours, and a change of the tract would be diluted.
MIN_TRACT_PROBABILITY = 0.5
_MIN_TRACT_WM = 0.5
# Reference: white matter and nothing else, also where slices are thick.
_MIN_REFERENCE_PROBABILITY = 0.5
_MIN_REFERENCE_WM = 0.95
_MAX_REFERENCE_CST = 0.05


def average_over_voxels(image: SpatialImage, grid: SpatialImage, transforms: Sequence[Transform]) -> SpatialImage:
    """Image on a coarser grid, each voxel the mean of what lies in it.

    Parameters
    ----------
    image : SpatialImage
        3D.
    grid : SpatialImage
        Where the output's voxels lie.
    transforms : sequence of transforms
        From points of ``grid`` to those of ``image``.
    """
    parts = np.maximum(np.rint(voxel_sizes(grid) / voxel_sizes(image).min()), 1).astype(int)
    fine = resample(image, resampled_grid(grid, tuple(voxel_sizes(grid) / parts)), transforms).get_fdata()
    blocks = fine.reshape([n for pair in zip(grid.shape[:3], parts, strict=True) for n in pair])
    return make_image(blocks.mean(axis=(1, 3, 5)).astype(np.float32), grid)


def measure_coverage(
    atlas: SpatialImage, table: pd.DataFrame, image: SpatialImage, to_image: Sequence[Transform]
) -> pd.Series:
    """Share of each region of the tract that an image shows.

    Parameters
    ----------
    atlas, table
        The atlas in template space, where every region is whole.
    image : SpatialImage
        3D; 0 where the scanner recorded nothing.
    to_image : sequence of transforms
        From points of the template to those of the image.

    Returns
    -------
    Series
        0 to 1, indexed by ``region`` and ``hemi``; missing for a region that is empty.
    """
    seen = np.asarray(image.dataobj) != 0
    shares = {}
    for region in CST_REGIONS:
        for hemi in "LR":
            weight = np.asarray(select(atlas, table, region, hemi).dataobj)
            inside = weight >= MIN_TRACT_PROBABILITY
            points = map_points(nb.affines.apply_affine(atlas.affine, np.argwhere(inside)), to_image)
            ijk = nb.affines.apply_affine(np.linalg.inv(image.affine), points)
            shown = ndimage.map_coordinates(seen.astype(np.uint8), ijk.T, order=0, mode="constant")
            shares[region, hemi] = float(shown.mean()) if len(points) else np.nan
    return pd.Series(shares, dtype=float).rename_axis(["region", "hemi"])


def measure_signal(
    image: SpatialImage,
    wm: SpatialImage,
    atlas: SpatialImage,
    table: pd.DataFrame,
    coverage: pd.Series,
    *,
    modality: str,
    min_coverage: float = 0.8,
    min_voxels: int = 10,
) -> pd.DataFrame:
    """Signal of each level of the tract over that of frontal and occipital white matter.

    Parameters
    ----------
    image : SpatialImage
        3D, shading removed.
    wm : SpatialImage
        White-matter probability, 0 to 1, on its grid (`average_over_voxels`).
    atlas : SpatialImage
        Probabilities of `ATLAS_REGIONS` on its grid, shape (X, Y, Z, n), 0 to 1.
    table : DataFrame
        ``index``, ``region``, ``hemi`` of the atlas's volumes.
    coverage : Series
        From `measure_coverage`.
    modality : {'t1w', 'flair', 't2w'}
    min_coverage : float
        Share of a level that the image has to show.
    min_voxels : int
        A level, or a reference, of fewer is not measured.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`: ``signal_ratio`` of each of `CST_REGIONS`, left and right.

    Notes
    -----
    median(level) / median(reference), over voxels of the tract's core (probability >= 0.5) that are mostly white
    matter (Fabes et al. 2017). The reference is of both sides, frontal and occipital with equal weight: with one
    side's, a shading left to right would pass for a difference of the tracts.
    """
    check_same_grid(image, wm, atlas)
    values, white = image.get_fdata(), wm.get_fdata()
    lit = np.isfinite(values) & (values > 0)
    reference = _reference_signal(values, lit & (white >= _MIN_REFERENCE_WM), atlas, table, min_voxels)
    rows = []
    for region in CST_REGIONS:
        for hemi in "LR":
            core = np.asarray(select(atlas, table, region, hemi).dataobj) >= MIN_TRACT_PROBABILITY
            own = values[core & (white >= _MIN_TRACT_WM) & lit]
            seen = float(coverage[region, hemi])
            status = OK
            if not np.isfinite(seen):
                status = "the atlas has no such region"
            elif seen < min_coverage:
                status = f"field of view covers {100 * seen:.0f}% of the level"
            elif len(own) < max(min_voxels, 1):
                status = f"{len(own)} voxels of white matter, at least {min_voxels} are needed"
            elif isinstance(reference, str):
                status = reference
            value = float(np.median(own)) / reference if status == OK and not isinstance(reference, str) else np.nan
            rows.append(row(modality, "signal_ratio", region, hemi, value, unit="1", n_voxels=len(own), status=status))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)


def _reference_signal(
    values: np.ndarray, white: np.ndarray, atlas: SpatialImage, table: pd.DataFrame, min_voxels: int
) -> float | str:
    """Mean of the medians of frontal and occipital white matter, off the tract; or why there is none."""
    tract = np.max([np.asarray(select(atlas, table, "cst", hemi).dataobj) for hemi in "LR"], axis=0)
    usable = white & (tract <= _MAX_REFERENCE_CST)
    medians = []
    for region in REFERENCE_REGIONS:
        for hemi in "LR":
            own = usable & (np.asarray(select(atlas, table, region, hemi).dataobj) >= _MIN_REFERENCE_PROBABILITY)
            if own.sum() < max(min_voxels, 1):
                return f"{own.sum()} voxels of {region} ({hemi}) to compare with, at least {min_voxels} are needed"
            medians.append(np.median(values[own]))
    return float(np.mean(medians))
