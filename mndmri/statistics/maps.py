"""Preparation of the voxelwise comparison: the common mask."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid, make_image
from mndmri.io import InputError
from mndmri.registration.smoothing import smooth


def group_mask(maps: Iterable[SpatialImage], *, threshold: float, fwhm_mm: float = 0.0) -> SpatialImage:
    """Where the mean of the maps is above a threshold; what is not finite is left out of the mean.

    Parameters
    ----------
    maps : iterable of SpatialImage
        On one grid.
    threshold : float
        In the maps' unit.
    fwhm_mm : float
        Full width at half maximum of a Gaussian by which the mean is smoothed first; 0 for none.

    Raises
    ------
    InputError
        If there is no map, or the grids differ.
    """
    total: Any = 0.0
    count: Any = 0
    first = None
    for image in maps:
        first = image if first is None else first
        check_same_grid(first, image)
        values = np.asarray(image.dataobj, np.float32)
        total, count = total + np.nan_to_num(values, posinf=0, neginf=0), count + np.isfinite(values)
    if first is None:
        raise InputError("no map to make the group's mask of; no participant has one")
    mean: SpatialImage = make_image((total / np.maximum(count, 1)).astype(np.float32), first)
    if fwhm_mm:
        mean = smooth(mean, fwhm_mm)
    return make_image(np.asarray(mean.dataobj) > threshold, first)
