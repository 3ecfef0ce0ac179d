"""Statistics of magnetic susceptibility by region, as rows of the measures table."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import stats

from mndmri.grids import check_same_grid, voxel_sizes
from mndmri.susceptibility.chi_error import ErrorModel, RegionError, region_error
from mndmri.susceptibility.geometry import in_plane_mm
from mndmri.susceptibility.measures import Limits, in_view
from mndmri.susceptibility.qsm import b0_axis_of
from mndmri.susceptibility.regions import measured_places
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row


def _mean(values: np.ndarray) -> float:
    """Mean; missing where there is nothing to average."""
    return float(values.mean()) if values.size else np.nan


# What is measured in each region: unit, and how
STATISTICS = {
    "chi_mean": ("ppm", np.mean),
    "chi_median": ("ppm", np.median),
    "chi_sd": ("ppm", lambda chi: np.std(chi, ddof=1)),
    "chi_skewness": ("1", stats.skew),
    "chi_p95": ("ppm", lambda chi: np.percentile(chi, 95)),
    "chi_positive": ("ppm", lambda chi: _mean(chi[chi > 0])),
    "chi_negative": ("ppm", lambda chi: _mean(chi[chi < 0])),
}

# The error of the mean, and what noise alone would make of the others: unit, and which of `RegionError`
ERRORS = {
    "chi_error": ("ppm", "mean"),
    "chi_sd_floor": ("ppm", "sd"),
    "chi_p95_floor": ("ppm", "p95"),
    "chi_skewness_floor": ("1", "skewness"),
}
NO_FIELD = "a map of your own comes without its field, from which the error is estimated"


def measure_chi(
    chi: SpatialImage,
    masks: SpatialImage,
    table: pd.DataFrame,
    veins: SpatialImage,
    mask: SpatialImage,
    *,
    min_voxels: int = 10,
    max_in_plane_mm: float = 1.5,
    error: ErrorModel | None = None,
    unknown: str = "",
) -> pd.DataFrame:
    """Statistics of each region, their error and their noise floors, modality ``qsm``.

    Parameters
    ----------
    chi : SpatialImage
        Susceptibility, ppm.
    masks, table
        From `regions.precentral_regions`, same grid.
    veins : SpatialImage
        From `veins.find_veins`; these voxels are left out everywhere.
    mask : SpatialImage
        Where the susceptibility is known.
    min_voxels : int
        A region with fewer voxels has missing values.
    max_in_plane_mm : float
        On coarser voxels banks and depths are missing values.
    error : ErrorModel, optional
        Of the map, from `qsm.map_susceptibility`; without it errors and floors are missing values.
    unknown : str
        Reason why the susceptibility is unknown (`mapping.Mapped`), if so, for every row.

    Returns
    -------
    DataFrame
        Columns `mndmri.tables.measures.MEASURE_COLUMNS`: a row for each of `STATISTICS` and of `ERRORS`, and each
        mask of the table.

    Raises
    ------
    InputError
        If grids differ or a mask is missing.
    """
    check_same_grid(chi, masks, veins, mask)
    known = (np.asarray(mask.dataobj) > 0.5) & (np.asarray(veins.dataobj) <= 0.5) & np.isfinite(chi.get_fdata())
    limits, shares = Limits(min_voxels, max_in_plane_mm, in_plane_mm(chi)), in_view(table)
    data, sizes, axis = np.asarray(chi.dataobj), voxel_sizes(chi), b0_axis_of(chi)
    rows = []
    for key, places in measured_places(masks, table, known).items():
        values = data.ravel()[places].astype(float)
        lacking = unknown or limits.reason(key, values, shares[key])
        for measure, (unit, statistic) in STATISTICS.items():
            value, status = np.nan, lacking
            if status == OK:
                value = float(statistic(values))
                status = OK if np.isfinite(value) else f"not defined for the values in {key[0]} ({key[1]})"
            rows.append(row("qsm", measure, *key, value, unit=unit, n_voxels=len(values), status=status))
        found: RegionError | None = None
        if lacking == OK and error is not None:
            region = np.zeros(data.shape, bool)
            region.ravel()[places] = True
            found = region_error(region, sizes, axis, error)
        for measure, (unit, of) in ERRORS.items():
            value, status = (np.nan, NO_FIELD) if found is None else (getattr(found, of), OK)
            status = status if lacking == OK else lacking
            rows.append(row("qsm", measure, *key, value, unit=unit, n_voxels=len(values), status=status))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)
