"""Distances in millimetres on anisotropic grids."""

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.grids import voxel_sizes


def distance_mm(target: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Distance in mm from every voxel to the nearest of ``target``; infinite if there is none."""
    if not target.any():
        return np.full(target.shape, np.inf)
    return ndimage.distance_transform_edt(~target, sampling=sizes)


def in_plane_mm(image: SpatialImage) -> float:
    """Larger voxel size within the plane of the slices, mm; the slices run across the thickest side."""
    return float(np.sort(voxel_sizes(image))[1])
