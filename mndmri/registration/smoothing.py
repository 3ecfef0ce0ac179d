"""Smoothing of maps before people are compared voxel by voxel."""

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.grids import bounding_box, check_same_grid, make_image, voxel_sizes

# A voxel whose neighbourhood holds less of the tissue has no value: what would be divided is rounding.
_MIN_TISSUE = 0.05
# Half the width of the kernel, in SD
_KERNEL_SD = 4.0


def smooth(image: SpatialImage, fwhm_mm: float) -> SpatialImage:
    """Image convolved with a Gaussian of a given full width at half maximum.

    Parameters
    ----------
    image : SpatialImage
        3D, or 4D (each volume alike); values that are not finite count as 0, and beyond its edge it is mirrored.
    fwhm_mm : float

    Returns
    -------
    SpatialImage
        float32, or float64 where ``image`` is.
    """
    data = np.asanyarray(image.dataobj)
    smoothed: np.ndarray = np.array(data, data.dtype if np.issubdtype(data.dtype, np.floating) else np.float32)
    smoothed[~np.isfinite(smoothed)] = 0
    sizes, sd_mm = voxel_sizes(image), fwhm_mm / np.sqrt(8 * np.log(2))
    if sd_mm > 0:
        # farther from what is not 0 than the kernel is wide, all stays 0
        filled = np.asarray((smoothed != 0).reshape(*smoothed.shape[:3], -1).any(axis=-1))
        box = bounding_box(make_image(filled, image), margin_mm=_KERNEL_SD * sd_mm + sizes.max())
        near: np.ndarray = smoothed[box]
        for axis, sd in enumerate(sd_mm / sizes):
            ndimage.gaussian_filter1d(near, sd, axis=axis, truncate=_KERNEL_SD, output=near)
    return make_image(smoothed, image)


def smooth_known(image: SpatialImage, fwhm_mm: float) -> SpatialImage:
    """Map convolved with a Gaussian, from the voxels that have a value; those that have none stay without.

    Where all have a value it is `smooth`. Beside a voxel without, the others have its weight: zeros in its place would
    lower the map on this side of the edge.

    Parameters
    ----------
    image : SpatialImage
        3D; values that are not finite are missing.
    fwhm_mm : float
        Full width at half maximum.
    """
    values = np.asarray(image.dataobj, np.float32)
    known = np.isfinite(values)
    filled = smooth(make_image(np.where(known, values, np.float32(0)), image), fwhm_mm)
    if known.all():
        return filled
    missing = smooth(make_image((~known).astype(np.float32), image), fwhm_mm).get_fdata(dtype=np.float32)
    share = np.where(known, 1 - missing, np.float32(1))
    return make_image(np.where(known, filled.get_fdata(dtype=np.float32) / share, np.float32(np.nan)), image)


def smooth_within(image: SpatialImage, tissue: SpatialImage, *, fwhm_mm: float) -> SpatialImage:
    """Mean of a map over the tissue round each voxel, weighted by a Gaussian.

    Voxels of other tissue, or without a value, have no weight: smoothing alone would mix the fluid of a
    sulcus, and with it the thickness of the cortex, into the values of grey matter.

    Parameters
    ----------
    image : SpatialImage
        3D; values that are not finite are missing.
    tissue : SpatialImage
        Share of the tissue in each voxel, 0 to 1, same grid.
    fwhm_mm : float
        Full width at half maximum.

    Returns
    -------
    SpatialImage
        float32; not a number where the neighbourhood contains less than 5 % of the tissue.

    References
    ----------
    Lee et al. 2009, NeuroImage 44:870 (T-SPOON); Draganski et al. 2011, NeuroImage 55:1423.
    """
    check_same_grid(image, tissue)
    values = np.asarray(image.dataobj, np.float32)
    weight = np.where(np.isfinite(values), np.asarray(tissue.dataobj, np.float32), 0)
    total = smooth(make_image(weight, image), fwhm_mm).get_fdata(dtype=np.float32)
    part = smooth(make_image(weight * np.nan_to_num(values), image), fwhm_mm).get_fdata(dtype=np.float32)
    known = total > _MIN_TISSUE
    return make_image(np.where(known, part / np.where(known, total, 1), np.nan).astype(np.float32), image)
