"""What the motor band measures on a normalised SWI, as rows of the measures table."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid
from mndmri.io import InputError
from mndmri.measures import MEASURE_COLUMNS, OK, row
from mndmri.susceptibility.regions import REFERENCE, REGIONS, in_plane_mm

QUALITY = ("removed_vein_fraction", "in_plane_voxel_size", "phase_weighted")
CONTROL_GYRI = [(region, hemi) for region in ("postcentral", "superior_frontal") for hemi in "LR"]

# Regions that exist only where several voxels fit across the cortex, 2.5 mm thick.
_ACROSS_CORTEX = ("precentral_posterior", "precentral_anterior", "precentral_posterior_deep")


def measure_susceptibility(
    normalised: SpatialImage,
    masks: SpatialImage,
    table: pd.DataFrame,
    veins: SpatialImage,
    *,
    dark_percentile: float = 5.0,
    min_voxels: int = 10,
    max_in_plane_mm: float = 1.5,
    by_phase: bool = True,
) -> pd.DataFrame:
    """Measures of the precentral hypointensity, modality ``swi``.

    Parameters
    ----------
    normalised : SpatialImage
        SWI with white matter at 1 (`swi.normalise`); 0 where there is no signal.
    masks, table
        From `regions.precentral_regions`.
    veins : SpatialImage
        From `regions.find_veins`; these voxels are left out everywhere.
    dark_percentile : float
        Percentile of the control gyri's intensities below which a voxel is dark.
    min_voxels : int
        A region with fewer voxels after the veins' removal has a missing value.
    max_in_plane_mm : float
        On coarser voxels banks and depths are missing values: the band is not resolved.
    by_phase : bool
        Whether the phase has a part in the image (`swi.Weighted`).

    Returns
    -------
    DataFrame
        Columns `mndmri.measures.MEASURE_COLUMNS`; all unitless but ``in_plane_voxel_size`` (mm).

        - ``normalised_hypointensity``: 1 - median(region) / median(reference white matter).
        - ``dark_fraction``: fraction of voxels below the control gyri's low percentile.
        - ``postcentral_contrast``: 1 - median(precentral) / median(postcentral).
        - ``bank_ratio``: median(posterior bank) / median(anterior bank).
        - ``removed_vein_fraction``, ``in_plane_voxel_size`` and ``phase_weighted`` (1 or 0): quality control.

    Raises
    ------
    InputError
        If grids differ or a mask is missing.

    References
    ----------
    Donatelli et al. 2018, AJNR 39:63, for hypointensity against a reference.
    """
    check_same_grid(normalised, masks, veins)
    data = normalised.get_fdata()
    signal = np.isfinite(data) & (data > 0)
    vein = np.asarray(veins.dataobj) > 0.5
    resolution = in_plane_mm(normalised)
    coarse = f"in-plane voxels of {resolution:.3g} mm do not resolve the band; at most {max_in_plane_mm:g} mm needed"

    stored = np.asarray(masks.dataobj) > 0.5
    index = {(r, h): int(n) for n, r, h in table[["index", "region", "hemi"]].itertuples(index=False)}
    wanted = [(region, hemi) for region in REGIONS for hemi in "LR"]
    lacking = [key for key in [*wanted, REFERENCE] if key not in index]
    if lacking:
        raise InputError(
            "no mask for " + ", ".join(f"{r} ({h})" for r, h in lacking) + "; make them with precentral_regions"
        )
    inside = {key: stored[..., index[key]] & signal for key in [*wanted, REFERENCE]}
    values = {key: data[mask & ~vein] for key, mask in inside.items()}

    def reason(*keys: tuple[str, str]) -> str:
        """Why the medians of these regions cannot be had, or ok."""
        if resolution > max_in_plane_mm and any(region in _ACROSS_CORTEX for region, _ in keys):
            return coarse
        for key in keys:
            if len(values[key]) == 0:
                return f"no voxel of {key[0]} ({key[1]}) with signal"
            if len(values[key]) < min_voxels:
                return f"{len(values[key])} voxels of {key[0]} ({key[1]}), fewer than {min_voxels}"
        return OK

    def median_ratio(measure: str, region: str, above: tuple[str, str], below: tuple[str, str], *, lost: bool) -> dict:
        """Row of a ratio of medians, or of what it falls short of 1."""
        status, value = reason(above, below), np.nan
        if status == OK:
            ratio = float(np.median(values[above]) / np.median(values[below]))
            value = 1 - ratio if lost else ratio
        n = len(values[region, above[1]])
        return row("swi", measure, region, above[1], value, unit="1", n_voxels=n, status=status)

    rows = [median_ratio("normalised_hypointensity", key[0], key, REFERENCE, lost=True) for key in wanted]

    control = np.concatenate([values[key] for key in CONTROL_GYRI])
    enough = len(control) >= min_voxels
    threshold = np.percentile(control, dark_percentile) if enough else np.nan
    for key in wanted:
        status = reason(key) if enough else f"{len(control)} voxels of the control gyri, fewer than {min_voxels}"
        value = float(np.mean(values[key] < threshold)) if status == OK else np.nan
        rows.append(row("swi", "dark_fraction", *key, value, unit="1", n_voxels=len(values[key]), status=status))

    for hemi in "LR":
        own, posterior = ("precentral", hemi), ("precentral_posterior", hemi)
        rows.append(median_ratio("postcentral_contrast", "precentral", own, ("postcentral", hemi), lost=True))
        rows.append(median_ratio("bank_ratio", "precentral", posterior, ("precentral_anterior", hemi), lost=False))

    for key in wanted:
        n = int(inside[key].sum())
        status = coarse if resolution > max_in_plane_mm else OK if n else f"no voxel of {key[0]} ({key[1]}) with signal"
        value = float(np.mean(vein[inside[key]])) if status == OK else np.nan
        rows.append(row("swi", "removed_vein_fraction", *key, value, unit="1", n_voxels=n, status=status))
    n = int(signal.sum())
    rows.append(row("swi", "in_plane_voxel_size", "brain", "both", resolution, unit="mm", n_voxels=n))
    rows.append(row("swi", "phase_weighted", "brain", "both", float(by_phase), unit="1", n_voxels=n))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)
