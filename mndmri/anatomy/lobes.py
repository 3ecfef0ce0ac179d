"""Grey matter of the lobes, and fluid of the lateral ventricles."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.lobes import PARTS, VENTRICLES
from mndmri.grids import check_same_grid, voxel_volume_ml
from mndmri.registration.transforms import sample_points
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

_UNKNOWN = "the study's own atlas has no lobes"


def measure_lobes(
    tissue: Mapping[str, SpatialImage],
    lobes: SpatialImage,
    mni_mm: SpatialImage,
    *,
    reasons: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> pd.DataFrame:
    """Volumes of the grey matter of each lobe and of the fluid in the lateral ventricles, ml.

    Parameters
    ----------
    tissue : mapping
        Probability of ``GM`` and ``CSF``, 0 to 1, in the person's own space.
    lobes : SpatialImage
        Labels of the template, as from `mndmri.atlas.lobes.load_lobes`.
    mni_mm : SpatialImage
        Template coordinates of every voxel on the same grid, mm, as from `mndmri.atlas.on_scan.on_scan`.
    reasons : mapping, optional
        As for `mndmri.anatomy.volumes.measure_volumes`: where all grey matter has no volume, neither has a lobe.
    """
    check_same_grid(*tissue.values(), mni_mm)
    grey, fluid = (np.asarray(tissue[name].dataobj, np.float32) for name in ("GM", "CSF"))
    labels = sample_points(lobes, np.asarray(mni_mm.dataobj), "nearest")
    known = np.asarray(lobes.dataobj).any()
    why = reasons.get(("gm", "both"), OK) if known else _UNKNOWN
    rows = []
    for n, (region, hemi) in enumerate(PARTS, start=1):
        own = (fluid if region == VENTRICLES else grey)[labels == n]
        ml = float(own.sum()) * voxel_volume_ml(tissue["GM"]) if why == OK else np.nan
        rows.append(row("t1w", "volume", region, hemi, ml, unit="ml", n_voxels=int((own > 0.5).sum()), status=why))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)
