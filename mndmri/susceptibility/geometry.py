"""Distances in millimetres on anisotropic grids."""

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from scipy.spatial import cKDTree

from mndmri.grids import voxel_sizes


def distance_mm(target: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Distance in mm from every voxel to the nearest of ``target``; infinite if there is none."""
    if not target.any():
        return np.full(target.shape, np.inf)
    return ndimage.distance_transform_edt(~target, sampling=sizes)


def distance_at(places: np.ndarray, target: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Distance in mm from each voxel of ``places``, none of ``target``'s, to the nearest of it, shape (n,).

    As `distance_mm` there, at less cost where there are few: the nearest voxel has a neighbour that is not of
    ``target``, so no more than these are searched.
    """
    border = target & ~ndimage.binary_erosion(target, border_value=1)
    if not border.any():
        return np.full(int(places.sum()), np.inf)
    return cKDTree(np.argwhere(border) * sizes).query(np.argwhere(places) * sizes)[0]


def in_plane_mm(image: SpatialImage) -> float:
    """Larger voxel size within the plane of the slices, mm; the slices run across the thickest side."""
    return float(np.sort(voxel_sizes(image))[1])
