"""A map in template space, averaged over a tissue, for the comparison voxel by voxel."""

from collections.abc import Sequence

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.signal import recorded
from mndmri.grids import make_image
from mndmri.registration.smoothing import smooth, smooth_within
from mndmri.registration.transforms import Transform, resample, resample_within


def smooth_map(
    image: SpatialImage,
    tissue: SpatialImage,
    grid: SpatialImage,
    *,
    to_t1w: Sequence[Transform],
    to_map: Sequence[Transform],
    fwhm_mm: float,
    scale: float = 1.0,
) -> tuple[SpatialImage, SpatialImage]:
    """A map in template space, averaged over the tissue round each voxel, and how much of the tissue there is.

    Parameters
    ----------
    image : SpatialImage
        From `mndmri.maps.alignment.align_map`.
    tissue : SpatialImage
        Probability, 0 to 1, in the T1w image.
    grid : SpatialImage
        Of the result, in template space; its values are not used.
    to_t1w, to_map : sequence of transforms
        From points of the template to those of the T1w image, and to those of the map.
    fwhm_mm : float
        Of the Gaussian weights.
    scale : float
        What the map is divided by, as from `mndmri.maps.measures.measure_map`.

    Returns
    -------
    smoothed : SpatialImage
        From `mndmri.registration.smoothing.smooth_within`.
    share : SpatialImage
        Smoothed probability of the tissue, 0 to 1: where groups are compared.
    """
    values = resample_within(image, recorded(image), grid, to_map).get_fdata(dtype=np.float32)
    weight = resample(tissue, grid, to_t1w)
    known = make_image(values / np.float32(scale), grid)
    return smooth_within(known, weight, fwhm_mm=fwhm_mm), smooth(weight, fwhm_mm)
