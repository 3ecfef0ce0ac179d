"""Threshold-free cluster enhancement of a statistic map."""

import numpy as np
from scipy import ndimage

_EXTENT, _HEIGHT = 0.5, 2.0  # powers, Smith and Nichols 2009
# Between heights. Half of it takes twice as long and changed the largest value of a smooth map by 0.05%
STEP = 0.2
# Statistics of one or two degrees of freedom have no end: no more heights than FSL and nilearn take
_MAX_STEPS = 100
# voxels that share a face, as FSL's randomise and nilearn have it
NEIGHBOURS = ndimage.generate_binary_structure(3, 1)


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
    Summed at the middle of steps of 0.2, or of a hundredth of the highest value if that is more.

    References
    ----------
    Smith and Nichols 2009, NeuroImage 44:83.
    """
    enhanced = np.zeros(statistic.shape, np.float32)
    for sign in (1, -1):
        signed = sign * statistic
        highest = signed.max(initial=0)
        step = max(STEP, highest / _MAX_STEPS)
        box = tuple(slice(0, length) for length in signed.shape)
        for height in np.arange(step / 2, highest, step):
            above = signed[box] > height
            # only the box round what is left is searched, which for most heights is a small part of the brain
            inner = _box(above)
            box = tuple(slice(b.start + i.start, b.start + i.stop) for b, i in zip(box, inner, strict=True))
            above = above[inner]
            labels, _ = ndimage.label(above, NEIGHBOURS)
            cluster = labels[above]
            support = np.bincount(cluster) ** _EXTENT * (height**_HEIGHT * step)
            enhanced[box][above] += sign * support[cluster].astype(np.float32)
    return enhanced


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds all that is true."""
    axes = range(mask.ndim)
    along = [np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis))) for axis in axes]
    return tuple(slice(found[0], found[-1] + 1) for found in along)
