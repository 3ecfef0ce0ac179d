"""What of the brain a T1-weighted image shows: where a signal was recorded, and where the brain ends with it."""

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.grids import check_same_grid, make_image, voxel_sizes

# Zeros are no signal where they fill a block of twice this (mm) along each axis: padding, a removed face, air.
# The skull, which some scanners write as zero too, is thinner.
_BLOCK_MM = 4.0
# The mask of a brain that is cut by padding ends up to so far before it: resampling has blurred the last voxels.
_REACH_MM = 2.0
# Zeros around more of the brain than this are a removed skull, and do not tell where the image ended.
_MOST_CUT = 0.5


def has_signal(values: np.ndarray) -> np.ndarray:
    """Where an image may have a signal, bool: not where it is 0, the lowest value (-1024), or not finite.

    Zeros count also where there are lower values, as interpolation makes them beside an edge.
    """
    known = np.isfinite(values)
    return known & (values != 0) & (values != values[known].min())


def find_recorded(head: SpatialImage, mask: SpatialImage) -> SpatialImage:
    """Where a head was recorded, uint8, 0 or 1: not in padding, nor where a face was removed.

    Parameters
    ----------
    head : SpatialImage
        3D, as scanned: before any correction. What `has_signal` calls none counts where it fills a block that goes on
        to the edge of the image.
    mask : SpatialImage
        Brain, above 0 inside, same grid. All of an image from which the skull was removed counts as recorded.
    """
    check_same_grid(head, mask)
    values = np.asarray(head.dataobj)
    empty = ~has_signal(values)
    reach = 2 * np.floor(_BLOCK_MM / voxel_sizes(head)).astype(int) + 1
    core = empty.astype(np.uint8)
    for axis, width in enumerate(reach):  # beyond the edge of the image there is nothing either
        core = ndimage.minimum_filter1d(core, width, axis=axis, mode="constant", cval=1)
    for axis, width in enumerate(reach):
        core = ndimage.maximum_filter1d(core, width, axis=axis, mode="constant", cval=0)
    labels, _ = ndimage.label(empty & (core > 0))
    border = [labels.take(end, axis) for axis in range(3) for end in (0, -1)]
    outside = np.unique(np.concatenate([part.ravel() for part in border]))
    found = make_image(~np.isin(labels, outside[outside > 0]), head)
    if border_area_cm2(mask, found) > _MOST_CUT * _surface_cm2(mask):
        return make_image(np.ones(values.shape, np.uint8), head)
    return found


def border_area_cm2(mask: SpatialImage, recorded: SpatialImage) -> float:
    """Area over which a brain touches the end of what was recorded, cm2: of the voxels' faces between the two.

    Parameters
    ----------
    mask : SpatialImage
        Brain, above 0 inside.
    recorded : SpatialImage
        As from `find_recorded`, same grid; beyond the grid nothing is.
    """
    check_same_grid(mask, recorded)
    zooms, inside = voxel_sizes(mask), np.asarray(mask.dataobj) > 0
    part, beyond = _around(inside, _REACH_MM / zooms + 1)
    brain = np.pad(inside[part], beyond)
    shown = np.pad(np.asarray(recorded.dataobj)[part] > 0, beyond)
    near = ndimage.distance_transform_edt(~brain, zooms) <= _REACH_MM
    return _faces_cm2(near & shown, ~shown, zooms)


def _surface_cm2(mask: SpatialImage) -> float:
    inside = np.pad(np.asarray(mask.dataobj) > 0, 1)
    return _faces_cm2(inside, ~inside, voxel_sizes(mask))


def _faces_cm2(first: np.ndarray, second: np.ndarray, zooms: np.ndarray) -> float:
    """Area of the faces that have a voxel of one kind on one side and one of the other kind on the other."""
    area = 0.0
    for axis in range(3):
        a, b = (np.moveaxis(kind, axis, 0) for kind in (first, second))
        n = np.count_nonzero(a[1:] & b[:-1]) + np.count_nonzero(a[:-1] & b[1:])
        area += n * float(np.prod(np.delete(zooms, axis))) / 100
    return area


def _around(inside: np.ndarray, margin: np.ndarray) -> tuple[tuple[slice, ...], list[tuple[int, int]]]:
    """Box round a mask with a margin (voxels): the part of it in the grid, and by how much it goes beyond."""
    part, beyond = [], []
    for axis, reach in enumerate(np.ceil(margin).astype(int)):
        found = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        low, high, n = int(found[0] - reach), int(found[-1] + reach + 1), inside.shape[axis]
        part.append(slice(max(low, 0), min(high, n)))
        beyond.append((max(-low, 0), max(high - n, 0)))
    return tuple(part), beyond
