"""Curvatures of an image, which distinguish dark tubes (veins) from dark plates (the motor band)."""

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.grids import bounding_box, check_same_grid, make_image, uncrop, voxel_sizes

# A plate answers best when smoothed by about a half of its thickness, and the deep half of the cortex is 1.5 mm.
PLATE_SCALE_MM = 0.8


def curvatures(smooth: np.ndarray, sizes: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Eigenvalues of the second derivatives, per mm2, rising, at the voxels ``inside``, shape (n, 3)."""
    hessian = np.empty((int(inside.sum()), 3, 3))
    for a in range(3):
        # differences of neighbours: derivatives of a sampled Gaussian fail on slices thicker than the scale
        second = ndimage.correlate1d(smooth, [1.0, -2.0, 1.0], axis=a, mode="nearest") / sizes[a] ** 2
        hessian[:, a, a] = second[inside]
        slope = ndimage.correlate1d(smooth, [-0.5, 0.0, 0.5], axis=a, mode="nearest") / sizes[a]
        for b in range(a + 1, 3):
            mixed = ndimage.correlate1d(slope, [-0.5, 0.0, 0.5], axis=b, mode="nearest") / sizes[b]
            hessian[:, a, b] = hessian[:, b, a] = mixed[inside]
    return np.linalg.eigvalsh(hessian)


def plate_response(image: SpatialImage, mask: SpatialImage, *, scale_mm: float = PLATE_SCALE_MM) -> SpatialImage:
    """How much of a dark plate each voxel looks, from the curvatures of the image.

    Across a dark plate the image curves upwards in one direction, across a dark tube in two: the response is the
    first curvature less the second, in either direction, and no less than nothing.

    Parameters
    ----------
    image : SpatialImage
        3D; white matter about 1 (`swi.normalise`), 0 where there is no signal.
    mask : SpatialImage
        Where it is wanted, same grid.
    scale_mm : float
        Width (SD) of the Gaussian smoothing; no less than half the in-plane voxel size can be seen.

    Returns
    -------
    SpatialImage
        float32, in units of the image (curvature times squared scale); 0 outside ``mask``.

    References
    ----------
    Sato et al. 2000, IEEE Trans Vis Comput Graph 6:160, for sheets by curvature.
    """
    check_same_grid(image, mask)
    wanted = np.asarray(mask.dataobj) > 0.5
    sizes = voxel_sizes(image)
    box = bounding_box(make_image(wanted, image), margin_mm=4 * scale_mm + 2 * sizes.max())
    data, inside = np.nan_to_num(image.get_fdata()[box]), wanted[box]
    # the edge of the brain is no plate: beyond it lies, for this purpose, white matter
    smooth = ndimage.gaussian_filter(np.where(data > 0, data, 1.0), scale_mm / sizes, mode="nearest")
    _, second, first = np.moveaxis(curvatures(smooth, sizes, inside) * scale_mm**2, -1, 0)
    found = np.zeros(inside.shape, np.float32)
    found[inside] = np.clip(first - np.abs(second), 0, None)
    return uncrop(make_image(found, image.slicer[box]), box, image)
