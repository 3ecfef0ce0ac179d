"""Signal of the corticospinal tract on the diffusion-weighted images themselves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.signal import N4_ITERATIONS, REFERENCE_REGIONS, measure_signal
from mndmri.atlas.on_scan import OnScan
from mndmri.diffusion.series import mean_shell
from mndmri.diffusion.tract import ATLAS_REGIONS as TRACT_REGIONS
from mndmri.diffusion.tract import NOWHERE
from mndmri.intensity import correct_bias
from mndmri.tables.measures import OK

ATLAS_REGIONS = (*TRACT_REGIONS, *REFERENCE_REGIONS)
"""What the measures of a diffusion series, this one among them, ask of an atlas."""


def measure_weighted(
    dwi: SpatialImage,
    bvals: np.ndarray,
    mask: SpatialImage,
    here: OnScan,
    *,
    beside: Mapping[tuple[str, str], str] = NOWHERE,
    min_coverage: float = 0.8,
    min_voxels: int = 10,
) -> pd.DataFrame:
    """Ratio of the tract's signal at b = 1000 to that of reference white matter, by level and side.

    Parameters
    ----------
    dwi : SpatialImage
        4D, preprocessed.
    bvals : ndarray, shape (N,)
        s/mm2.
    mask : SpatialImage
        Brain, on the same grid.
    here : OnScan
        `ATLAS_REGIONS` and white matter on this grid.
    beside : mapping
        Levels that do not lie on the tract, and how that shows (`mndmri.diffusion.direction.off_tract`).
    min_coverage, min_voxels
        As for `mndmri.anatomy.signal.measure_signal`.

    Returns
    -------
    DataFrame
        As from `mndmri.anatomy.signal.measure_signal`, of the mean of the volumes of the shell nearest b = 1000, after
        its bias-field correction; without such a shell there is no value, and the reason.
    """
    mean = mean_shell(dwi, bvals)
    lacking = mean if isinstance(mean, str) else OK
    # without a shell only what the series covers is judged
    image = mask if isinstance(mean, str) else correct_bias(mean, mask, iterations=N4_ITERATIONS)
    rows = measure_signal(
        image,
        here.white_matter,
        here.weights,
        here.table,
        here.coverage,
        modality="dwi",
        min_coverage=min_coverage,
        min_voxels=min_voxels,
    )
    places = zip(rows["region"], rows["hemi"], strict=True)
    reasons = pd.Series([beside.get(place, OK) if lacking == OK else lacking for place in places])
    status = rows["status"].where(rows["status"] != OK, reasons)
    return rows.assign(value=rows["value"].where(status == OK), status=status)
