"""Veins and sinuses on a susceptibility-weighted image."""

from collections.abc import Sequence

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.grids import bounding_box, check_same_grid, make_image, voxel_sizes
from mndmri.susceptibility.curvature import curvatures
from mndmri.susceptibility.geometry import distance_mm, in_plane_mm

# A core voxel's distance from the tube's axis in units of the smoothing, judged as slope over curvature; at the
# rim of a sheet the two are alike.
_MAX_OFF_AXIS = 0.7

# A sinus, or a vein that bridges to it, is as dark as this or darker and reaches the surface of the brain. The
# deep layers of the cortex do not reach it, and a marked band is not half as dark as white matter.
_SINUS_MAX = 0.5
_SINUS_REACH_MM = 2.0  # from the edge of the brain mask


def find_veins(
    image: SpatialImage,
    mask: SpatialImage,
    *,
    scales_mm: Sequence[float] = (0.5, 0.75, 1.0),
    min_contrast: float = 0.06,
    min_roundness: float = 0.5,
    flank_mm: float = 1.0,
) -> SpatialImage:
    """Mask of dark tubes, from the curvatures of the image, and of sinuses.

    Across a dark tube the image curves upwards in two directions, across a dark sheet, such as the
    motor band, in one: a tube's axis is where the second of the curvatures is nearly the first and the
    slope nearly none. The rim of a sheet is curved in two directions too, but steep. Sinuses, and the large veins
    that bridge to them, are too wide for that: they are what is very dark and reaches the surface of the brain.

    Parameters
    ----------
    image : SpatialImage
        3D; white matter about 1, 0 outside the brain (`swi.normalise`).
    mask : SpatialImage
        Mask in which veins are searched, same grid.
    scales_mm : sequence of float
        Widths (SD) of Gaussian smoothing; a tube answers best at about 0.7 of its radius. Scales below half
        the in-plane voxel size cannot be seen and are left out.
    min_contrast : float
        Smallest second curvature times squared scale, in units of the image: about a third of the darkness of
        a tube that fits the scale.
    min_roundness : float
        Smallest ratio of the second curvature to the first: 1 for a round tube, 0 for a flat sheet.
    flank_mm : float
        Distance from the tube's core within which voxels belong to the vein.

    Returns
    -------
    SpatialImage
        uint8; empty if the voxels are too coarse for every scale.

    References
    ----------
    Sato et al. 1998, Med Image Anal 2:143. Frangi et al. 1998, MICCAI, LNCS 1496:130.
    """
    check_same_grid(image, mask)
    wanted = np.asarray(mask.dataobj) > 0.5
    found = np.zeros(wanted.shape, bool)
    sizes = voxel_sizes(image)
    scales = [s for s in scales_mm if s >= 0.5 * in_plane_mm(image)]
    if not wanted.any() or not scales:
        return make_image(found, image)
    box = bounding_box(make_image(wanted, image), margin_mm=4 * max(scales) + 2 * sizes.max())
    data, inside = np.nan_to_num(image.get_fdata()[box]), wanted[box]

    core = _sinuses(data, sizes)
    for scale in scales:
        smooth = ndimage.gaussian_filter(data, scale / sizes, mode="nearest")
        _, second, first = np.moveaxis(curvatures(smooth, sizes, inside) * scale**2, -1, 0)
        slope = scale * np.linalg.norm([g[inside] for g in np.gradient(smooth, *sizes)], axis=0)
        core[inside] |= (second >= min_contrast) & (second >= min_roundness * first) & (slope <= _MAX_OFF_AXIS * second)
    found[box] = (distance_mm(core, sizes) <= flank_mm) & inside
    return make_image(found, image)


def _sinuses(data: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Very dark voxels joined to the surface of the brain by others; ``data`` is 0 outside the brain."""
    brain = data > 0
    dark = brain & (data < _SINUS_MAX)
    return ndimage.binary_propagation(dark & (distance_mm(~brain, sizes) <= _SINUS_REACH_MM), mask=dark)
