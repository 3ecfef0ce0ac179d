"""Signal intensity of the corticospinal tract on an image of any contrast, relative to reference white matter."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.regions import select
from mndmri.grids import check_same_grid, make_image
from mndmri.tables.coverage import coverage_status
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

CST_REGIONS: tuple[str, ...] = ("cst", "cst_subcortical", "cst_corona_radiata", "cst_plic", "cst_peduncle", "cst_pons")
REFERENCE_REGIONS = ("frontal_wm", "occipital_wm")
ATLAS_REGIONS = (*CST_REGIONS, *REFERENCE_REGIONS)  # what `measure_signal` asks of an atlas

# N4's mesh for these images ends at 50 mm. At its usual end, 25 mm, the field follows the tract itself: of a planted
# brightening of 10% it left 4, in a simulated and in a real head; this leaves 9 and 8, and of a simulated shading of
# 30% less than 1%. One level less leaves all of the brightening and the real head's sides 2 to 3% apart.
N4_ITERATIONS = (50, 50, 50)

# The core of the tract: its outer half is shared with its neighbours, and a change of the tract would be diluted.
MIN_TRACT_PROBABILITY = 0.5
MIN_TRACT_WM = 0.5
# Reference: white matter and nothing else, also where slices are thick.
_MIN_REFERENCE_PROBABILITY = 0.5
_MIN_REFERENCE_WM = 0.95
_MAX_REFERENCE_CST = 0.05


def recorded(image: SpatialImage) -> SpatialImage:
    """Where a scanner recorded a signal, 0 or 1: it writes 0 where it did not."""
    return make_image(np.asarray(image.dataobj) != 0, image)


def measure_signal(
    image: SpatialImage,
    wm: SpatialImage,
    atlas: SpatialImage,
    table: pd.DataFrame,
    coverage: pd.Series,
    *,
    modality: str,
    regions: Iterable[str] = CST_REGIONS,
    min_coverage: float = 0.8,
    min_voxels: int = 10,
) -> pd.DataFrame:
    """Signal of each level of the tract over that of frontal and occipital white matter.

    Parameters
    ----------
    image : SpatialImage
        3D, bias-corrected.
    wm : SpatialImage
        White-matter probability, 0 to 1, on its grid, averaged over its voxels.
    atlas : SpatialImage
        Probabilities of `ATLAS_REGIONS` and of ``regions`` on its grid, shape (X, Y, Z, n), 0 to 1.
    table : DataFrame
        ``index``, ``region``, ``hemi`` of the atlas's volumes.
    coverage : Series
        From `mndmri.tables.coverage.measure_coverage`.
    modality : str
        As ``t1w``.
    regions : iterable of str
        Parts of white matter, each measured on all sides on which the atlas has it.
    min_coverage : float
        Share of a level that the image has to show.
    min_voxels : int
        A level, or a reference, of fewer is not measured.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`: ``signal_ratio`` of each region and side.

    Notes
    -----
    median(level) / median(reference), over voxels of the tract's core (probability >= 0.5) that are mostly white
    matter (Fabes et al. 2017). The reference is of both sides, frontal and occipital with equal weight: with one
    side's, a left-right bias field would appear as a difference of the tracts.
    """
    check_same_grid(image, wm, atlas)
    values, white = image.get_fdata(), wm.get_fdata()
    lit = np.isfinite(values) & (values > 0)
    reference = reference_signal(image, wm, atlas, table, min_voxels=min_voxels)
    rows = []
    for region in regions:
        for hemi in table.loc[table["region"] == region, "hemi"]:
            core = np.asarray(select(atlas, table, region, hemi).dataobj) >= MIN_TRACT_PROBABILITY
            own = values[core & (white >= MIN_TRACT_WM) & lit]
            seen = float(coverage[region, hemi])
            status = coverage_status(seen, len(own), min_coverage=min_coverage, min_voxels=min_voxels)
            if status == OK and isinstance(reference, str):
                status = reference
            value = float(np.median(own)) / reference if status == OK and not isinstance(reference, str) else np.nan
            rows.append(row(modality, "signal_ratio", region, hemi, value, unit="1", n_voxels=len(own), status=status))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)


def reference_signal(
    image: SpatialImage, wm: SpatialImage, atlas: SpatialImage, table: pd.DataFrame, *, min_voxels: int = 10
) -> float | str:
    """Mean of the medians of frontal and occipital white matter, off the tract; or why there is none.

    Parameters
    ----------
    image, wm, atlas, table, min_voxels
        As for `measure_signal`.
    """
    values = image.get_fdata()
    white = np.isfinite(values) & (values > 0) & (wm.get_fdata() >= _MIN_REFERENCE_WM)
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
