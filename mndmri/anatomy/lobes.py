"""Grey matter of the lobes, and fluid of the lateral ventricles."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.lobes import PARTS, VENTRICLES
from mndmri.grids import check_same_grid, voxel_volume_ml, world_coordinates
from mndmri.registration.transforms import RAS_TO_LPS, sample_points
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

_UNKNOWN = "the study's own atlas has no lobes"


def measure_lobes(
    tissue: Mapping[str, SpatialImage], lobes: SpatialImage, from_template: SpatialImage, *, status: str = OK
) -> pd.DataFrame:
    """Volumes of the grey matter of each lobe and of the fluid in the lateral ventricles, ml.

    Parameters
    ----------
    tissue : mapping
        Probability of ``GM`` and ``CSF``, 0 to 1, in the person's own space.
    lobes : SpatialImage
        Labels of the template, as from `mndmri.atlas.lobes.load_lobes`.
    from_template : SpatialImage
        Field that resamples the template to the person, on their grid.
    status : str
        Why an image has no volumes at all, or ok.
    """
    check_same_grid(*tissue.values(), from_template)
    grey, fluid = (np.asarray(tissue[name].dataobj, np.float32) for name in ("GM", "CSF"))
    there = (grey > 0) | (fluid > 0)
    labels = np.zeros(there.shape, np.uint8)
    # the field has the person's own grid: nothing to interpolate
    shift = np.asarray(from_template.dataobj)[there][:, 0] * np.diag(RAS_TO_LPS)[:3]
    labels[there] = np.rint(sample_points(lobes, world_coordinates(tissue["GM"])[there] + shift, "nearest"))
    why = status if labels.any() else _UNKNOWN
    rows = []
    for n, (region, hemi) in enumerate(PARTS, start=1):
        own = (fluid if region == VENTRICLES else grey)[labels == n]
        ml = float(own.sum()) * voxel_volume_ml(tissue["GM"]) if why == OK else np.nan
        rows.append(row("t1w", "volume", region, hemi, ml, unit="ml", n_voxels=int((own > 0.5).sum()), status=why))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)
