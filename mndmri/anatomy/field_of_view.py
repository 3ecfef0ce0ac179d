"""What of the brain a T1-weighted image shows: where a signal was recorded, and where the brain ends with it."""

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.grids import bounding_box, check_same_grid, make_image, voxel_sizes

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
    found = _without_padding(head)
    return make_image(np.ones(head.shape, np.uint8), head) if _ends_round(mask, found) else found


def lacks_skull(head: SpatialImage, mask: SpatialImage) -> bool:
    """Whether the skull was removed from a head: there is no signal next to most of its brain.

    Parameters
    ----------
    head, mask : SpatialImage
        As for `find_recorded`.
    """
    check_same_grid(head, mask)
    return _ends_round(mask, _without_padding(head))


def _ends_round(mask: SpatialImage, found: SpatialImage) -> bool:
    """Whether what has a signal ends with most of the brain's surface."""
    return border_area_cm2(mask, found) > _MOST_CUT * _surface_cm2(mask)


def _without_padding(head: SpatialImage) -> SpatialImage:
    """Where no block without a signal reaches from the edge of the image, uint8, 0 or 1."""
    empty = ~has_signal(np.asarray(head.dataobj))
    reach = 2 * np.floor(_BLOCK_MM / voxel_sizes(head)).astype(int) + 1
    core = empty.astype(np.uint8)
    for axis, width in enumerate(reach):  # beyond the edge of the image there is nothing either
        core = ndimage.minimum_filter1d(core, width, axis=axis, mode="constant", cval=1)
    for axis, width in enumerate(reach):
        core = ndimage.maximum_filter1d(core, width, axis=axis, mode="constant", cval=0)
    labels, _ = ndimage.label(empty & (core > 0))
    border = [labels.take(end, axis) for axis in range(3) for end in (0, -1)]
    outside = np.unique(np.concatenate([part.ravel() for part in border]))
    return make_image(~np.isin(labels, outside[outside > 0]), head)


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
    zooms = voxel_sizes(mask)
    beyond = int(np.ceil(_REACH_MM / zooms.min())) + 1  # the faces of the last voxels are those of the next
    brain, shown = (np.pad(np.asarray(image.dataobj) > 0, beyond) for image in (mask, recorded))
    part = bounding_box(make_image(brain, mask), margin=beyond)
    brain, shown = brain[part], shown[part]
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
