"""Coverage of a region by the field of view, and whether it suffices to measure the region."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

_ABSENT = "the atlas has no such region"


def measure_coverage(atlas: SpatialImage, table: pd.DataFrame, fov: SpatialImage) -> pd.Series:
    """Fraction of each atlas region that lies in a scan's field of view.

    Parameters
    ----------
    atlas : SpatialImage
        4D probabilities on a grid that contains every region completely: the template's, or the T1w
        image's. On the scan's own grid, the parts outside a slab would be missing from the total.
    table : DataFrame
        ``index``, ``region``, ``hemi`` of the atlas's volumes.
    fov : SpatialImage
        On the atlas's grid, 0 to 1: the field of view resampled to it.

    Returns
    -------
    Series
        0 to 1, indexed by ``region`` and ``hemi``; missing for a region that is empty.
    """
    check_same_grid(atlas, fov)
    seen = np.clip(fov.get_fdata(dtype=np.float32), 0, 1)
    fraction = {}
    for volume in table.itertuples(index=False):
        weight = np.asarray(atlas.dataobj[..., int(volume.index)], np.float32)
        total = float(weight.sum(dtype=float))
        fraction[volume.region, volume.hemi] = float((weight * seen).sum(dtype=float)) / total if total > 0 else np.nan
    return pd.Series(fraction, dtype=float).rename_axis(["region", "hemi"])


def coverage_status(
    seen: float,
    n_voxels: float,
    *,
    min_coverage: float,
    min_voxels: float,
    place: str = "level",
    kind: str = "white matter",
) -> str:
    """Reason why a level of the tract has no value; ok if it has one.

    Parameters
    ----------
    seen : float
        Fraction of the region in the field of view, 0 to 1; not finite where the atlas has no such region.
    n_voxels : float
        Number of voxels.
    min_coverage, min_voxels : float
        Minimum of each.
    place, kind : str
        Names of the region and of the tissue, for the message.
    """
    if not np.isfinite(seen):
        return _ABSENT
    if seen < min_coverage:
        return f"field of view covers {100 * seen:.0f}% of the {place}"
    if n_voxels < max(min_voxels, 1):
        return f"{n_voxels:.0f} voxels of {kind}, at least {min_voxels:g} are needed"
    return OK


def coverage_rows(
    modality: str, measure: str, coverage: pd.Series, n_voxels: int | Mapping[tuple[str, str], int]
) -> pd.DataFrame:
    """Coverage as rows of the quality table.

    Parameters
    ----------
    modality, measure : str
        Of each row.
    coverage : Series
        As from `measure_coverage`; a region that the atlas lacks has a row without a value.
    n_voxels : int or mapping
        Of every row, or by region and side.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`, one row per region and side of ``coverage``, 0 to 1.
    """
    rows = []
    for (region, hemi), seen in coverage.items():
        n = n_voxels if isinstance(n_voxels, int) else n_voxels[region, hemi]
        status = OK if np.isfinite(seen) else _ABSENT
        rows.append(row(modality, measure, region, hemi, float(seen), unit="1", n_voxels=n, status=status))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)
