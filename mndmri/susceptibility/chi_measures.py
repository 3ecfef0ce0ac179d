"""Statistics of magnetic susceptibility by region, as rows of the measures table."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import stats

from mndmri.grids import check_same_grid
from mndmri.susceptibility.geometry import in_plane_mm
from mndmri.susceptibility.measures import Limits, in_view
from mndmri.susceptibility.regions import measured_values
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
    "chi_positive_mean": ("ppm", lambda chi: _mean(chi[chi > 0])),
    "chi_negative_mean": ("ppm", lambda chi: _mean(chi[chi < 0])),
}


def measure_chi(
    chi: SpatialImage,
    masks: SpatialImage,
    table: pd.DataFrame,
    veins: SpatialImage,
    mask: SpatialImage,
    *,
    min_voxels: int = 10,
    max_in_plane_mm: float = 1.5,
    unknown: str = "",
) -> pd.DataFrame:
    """Mean, median, SD, skewness, 95th percentile, and means of one sign, modality ``qsm``.

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
    unknown : str
        Reason why the susceptibility is unknown (`mapping.Mapped`), if so, for every row.

    Returns
    -------
    DataFrame
        Columns `mndmri.tables.measures.MEASURE_COLUMNS`: a row for each of `STATISTICS` and each mask of the table.

    Raises
    ------
    InputError
        If grids differ or a mask is missing.
    """
    check_same_grid(chi, masks, veins, mask)
    known = (np.asarray(mask.dataobj) > 0.5) & (np.asarray(veins.dataobj) <= 0.5) & np.isfinite(chi.get_fdata())
    limits, shares = Limits(min_voxels, max_in_plane_mm, in_plane_mm(chi)), in_view(table)
    rows = []
    for key, values in measured_values(chi, masks, table, known).items():
        lacking = unknown or limits.reason(key, values, shares[key])
        for measure, (unit, statistic) in STATISTICS.items():
            value, status = np.nan, lacking
            if status == OK:
                value = float(statistic(values.astype(float)))
                status = OK if np.isfinite(value) else f"not defined for the values in {key[0]} ({key[1]})"
            rows.append(row("qsm", measure, *key, value, unit=unit, n_voxels=len(values), status=status))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)
