"""Positive and negative sources of susceptibility in one region: exploratory."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid
from mndmri.susceptibility.geometry import in_plane_mm
from mndmri.susceptibility.measures import Limits, in_view
from mndmri.susceptibility.regions import measured_places
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

# R2' that 1 ppm of sources makes, positive or negative, at 3 T (Shin et al. 2021, NeuroImage 240:118371), and R2 of
# cortex there, 1/s (T2 99 ms, SD 7: Stanisz et al. 2005, Magn Reson Med 54:507). Neither is measured in the person.
R2_PRIME_PER_PPM = 137.0
R2_CORTEX = 10.1
_FIELD_T = (2.8, 3.2)  # in which both hold
SOURCES = ("chi_para", "chi_dia")


def separate(chi: float, r2_prime: float) -> tuple[float, float]:
    """Positive and negative sources that make a susceptibility and a reversible relaxation rate, ppm.

    Parameters
    ----------
    chi : float
        Sum of the sources, ppm.
    r2_prime : float
        R2', 1/s, in proportion to the sum of their magnitudes. Smaller than what ``chi`` alone makes, also
        negative, it is taken for that: no source has the wrong sign.

    Returns
    -------
    positive, negative : float
        At least 0 and at most 0; their sum is ``chi``.
    """
    magnitude = max(r2_prime / R2_PRIME_PER_PPM, abs(chi))
    return (chi + magnitude) / 2, (chi - magnitude) / 2


def measure_sources(
    chi: SpatialImage,
    r2star: SpatialImage,
    masks: SpatialImage,
    table: pd.DataFrame,
    veins: SpatialImage,
    mask: SpatialImage,
    *,
    field_strength_T: float | None,
    min_voxels: int = 10,
    max_in_plane_mm: float = 1.5,
    unknown: str = "",
) -> pd.DataFrame:
    """Positive and negative sources of each region (`SOURCES`), from its median susceptibility and R2*.

    Parameters
    ----------
    chi, masks, table, veins, mask, min_voxels, max_in_plane_mm, unknown
        As in `chi_measures.measure_chi`.
    r2star : SpatialImage
        From `relaxation.map_r2star`, 1/s; 0 where it is unknown.
    field_strength_T : float, optional
        Tesla; other than about 3, or unknown, the values are missing.

    Returns
    -------
    DataFrame
        Columns `mndmri.tables.measures.MEASURE_COLUMNS`; ppm, modality ``qsm``.

    Notes
    -----
    The closed form of Shin et al. 2021 (without its inversion of the field), with R2' taken as R2* less `R2_CORTEX`.
    It is applied to medians of regions: to voxels, clipping at 0 would turn noise into sources of both signs. That R2
    is the same in everyone shifts both by 0.007 ppm, in opposite directions, for 2 /s.
    """
    check_same_grid(chi, r2star, masks, veins, mask)
    known = (np.asarray(mask.dataobj) > 0.5) & (np.asarray(veins.dataobj) <= 0.5) & np.isfinite(chi.get_fdata())
    known &= np.asarray(r2star.dataobj) > 0
    limits, shares = Limits(min_voxels, max_in_plane_mm, in_plane_mm(chi)), in_view(table)
    maps = [np.asarray(image.dataobj).ravel() for image in (chi, r2star)]
    at_3_tesla = field_strength_T is not None and _FIELD_T[0] <= field_strength_T <= _FIELD_T[1]
    if not unknown and not at_3_tesla:
        found = "unknown" if field_strength_T is None else f"{field_strength_T:g} T"
        unknown = f"the relaxometric constant holds at 3 T; the field strength is {found}"
    rows = []
    for key, places in measured_places(masks, table, known).items():
        status = unknown or limits.reason(key, places, shares[key])
        values = (np.nan, np.nan)
        if status == OK:
            middle, rate = (float(np.median(image[places])) for image in maps)
            values = separate(middle, rate - R2_CORTEX)
        rows += [
            row("qsm", measure, *key, value, unit="ppm", n_voxels=len(places), status=status)
            for measure, value in zip(SOURCES, values, strict=True)
        ]
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)
