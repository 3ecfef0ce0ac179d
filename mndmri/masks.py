"""Masks: distance to their border, dilation and closing, in millimetres on anisotropic grids."""

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.grids import make_image, voxel_sizes


def dilate(mask: SpatialImage, radius_mm: float) -> nb.Nifti1Image:
    """Mask and every voxel whose centre lies within a distance of one of its own.

    Parameters
    ----------
    mask : SpatialImage
        3D, 0 to 1: above a half is inside.
    radius_mm : float

    Returns
    -------
    Nifti1Image
        uint8, 0 or 1.
    """
    inside = np.asarray(mask.dataobj) > 0.5
    if not inside.any():
        return make_image(inside, mask)
    return make_image(ndimage.distance_transform_edt(~inside, sampling=voxel_sizes(mask)) <= radius_mm, mask)


def distance_inside(mask: SpatialImage) -> np.ndarray:
    """Distance of each voxel from a mask's border, mm: positive inside, negative outside."""
    inside = np.asarray(mask.dataobj) > 0
    zooms = voxel_sizes(mask)
    # the border lies half way between the last voxel inside and the first outside
    away = ndimage.distance_transform_edt(inside, zooms) - ndimage.distance_transform_edt(~inside, zooms)
    return away - np.sign(away) * zooms.mean() / 2


def close_mask(mask: SpatialImage, radius_mm: float) -> SpatialImage:
    """Mask without the gaps and holes that a ball of this radius cannot enter (by distances)."""
    grown = make_image(distance_inside(mask) > -radius_mm, mask)
    closed = (distance_inside(grown) > radius_mm) | (np.asarray(mask.dataobj) > 0)
    return make_image(ndimage.binary_fill_holes(closed), mask)
