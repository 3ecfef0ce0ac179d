"""Threshold-free cluster enhancement of a statistic map."""

import numpy as np
import tfce
from scipy import ndimage

_EXTENT, _HEIGHT = 0.5, 2.0  # powers, Smith and Nichols 2009
# voxels that share a face, as FSL's randomise and nilearn have it
NEIGHBOURS = ndimage.generate_binary_structure(3, 1)
_CONNECTIVITY = int(NEIGHBOURS.sum()) - 1


def enhance(statistic: np.ndarray) -> np.ndarray:
    """Support of every voxel by its surroundings: the integral of ``extent^0.5 height^2`` up to its own height.

    The extent at a height is the size, in voxels, of the connected cluster above that height which
    the voxel lies in. Voxels below zero are enhanced by those below zero, and stay negative.

    Parameters
    ----------
    statistic : array, shape (X, Y, Z)
        t, z or the root of F; 0 where nothing was tested.

    Returns
    -------
    array, shape (X, Y, Z), float32

    Notes
    -----
    The integral itself, not a sum over steps of the height, by the package tfce (Gaser).

    References
    ----------
    Smith and Nichols 2009, NeuroImage 44:83.
    """
    data = np.ascontiguousarray(statistic, np.float32)
    return np.asarray(tfce.tfce(data, connectivity=_CONNECTIVITY, E=_EXTENT, H=_HEIGHT), np.float32)
