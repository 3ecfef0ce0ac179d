"""A head to compare heads with: the brain template and simulated layers over it, or a user's own."""

from typing import NamedTuple

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.grids import check_same_grid, make_image, resampled_grid, voxel_sizes, world_coordinates
from mndmri.io import InputError
from mndmri.masks import close_mask, distance_inside
from mndmri.registration.transforms import resample

# Room round the brain for what lies over it (mm), and the voxel size at which layers are laid.
_ROOM_MM = 30.0
_VOXEL_MM = 2.0

# What lies over the brain, outwards: how far it reaches (mm) and its T1-weighted signal, white matter 1.
# Fluid, inner table, marrow, outer table of the skull, scalp, and then air.
_LAYERS = ((1.5, 0.30), (3.5, 0.12), (6.5, 0.35), (8.0, 0.12), (14.0, 0.90), (np.inf, 0.0))
# Further out nothing is compared: hair, coil, ears.
_COMPARED_MM = 22.0
# Under the vault come face and neck, which the layers are nothing like: there only the brain is compared.
# This height is about that of the orbits' roof and of the external occipital protuberance (mm, MNI).
_VAULT_FLOOR_MM = -25.0

_CLOSED_MM = 6.0
_WHITE_PERCENTILE = 90


class HeadTemplate(NamedTuple):
    """A T1-weighted head and what is known of it, on one grid."""

    image: SpatialImage
    """float32, white matter about 1."""
    mask: SpatialImage
    """The brain with the fluid in its sulci and ventricles."""
    compared: SpatialImage
    """Where other heads may be expected to look like it."""


def coarsen(image: SpatialImage, voxel_mm: float) -> SpatialImage:
    """Image over the same field of view on cubic voxels, smoothed first where they are larger than its own."""
    own = voxel_sizes(image)
    # a voxel of width w blurs about as a Gaussian of this FWHM: what is missing is added
    sigma = np.sqrt(np.clip(voxel_mm**2 - own**2, 0, None)) / 2.355 / own
    smooth = ndimage.gaussian_filter(np.asarray(image.dataobj, np.float32), sigma)
    return resample(make_image(smooth, image), resampled_grid(image, voxel_mm))


def simulate_head(brain: SpatialImage) -> HeadTemplate:
    """Head template made of a brain template, 0 outside the brain, in MNI space.

    No head template with a skull is free to be passed on with every use; layers of fluid, bone and
    scalp over a free brain template are all of a head that finding the brain takes.
    """
    grid = _roomy_grid(brain)
    values = np.asarray(brain.dataobj, np.float32)
    white = np.percentile(values[values > 0], _WHITE_PERCENTILE)
    inside = resample(make_image((values > 0).astype(np.float32), brain), grid).get_fdata() > 0.5
    mask = close_mask(make_image(inside, grid), _CLOSED_MM)
    outward = -distance_inside(mask)
    layers = np.select([outward < reach for reach, _ in _LAYERS], [signal for _, signal in _LAYERS])
    signal = resample(coarsen(brain, _VOXEL_MM), grid).get_fdata() / white
    image = ndimage.gaussian_filter(np.where(inside, signal, layers), 0.5).astype(np.float32)
    over_vault = world_coordinates(grid)[..., 2] > _VAULT_FLOOR_MM
    compared = (outward < _COMPARED_MM) & ((outward < _LAYERS[0][0]) | over_vault)
    return HeadTemplate(make_image(image, grid), mask, make_image(compared, grid))


def take_head_template(image: SpatialImage, mask: SpatialImage) -> HeadTemplate:
    """A user's own whole-head T1-weighted template and its brain mask.

    Raises
    ------
    InputError
        If they lie on different grids, the mask is empty, or there is nothing round the brain.
    """
    check_same_grid(image, mask)
    image, mask = (coarsen(part, _VOXEL_MM) for part in (image, mask))
    inside = np.asarray(mask.dataobj) > 0.5
    values = np.asarray(image.dataobj, np.float32)
    if not inside.any():
        raise InputError("the mask of the head template is empty; correct t1w.head_template.mask")
    outward = -distance_inside(make_image(inside, mask))
    round_it = values[(outward > 0) & (outward < _COMPARED_MM)]
    if not (round_it > 0.1 * np.median(values[inside])).mean() > 0.2:
        raise InputError("the head template has no head around the brain; use one with skull in t1w.head_template")
    white = np.percentile(values[inside], _WHITE_PERCENTILE)
    closed = close_mask(make_image(inside, mask), _CLOSED_MM)
    return HeadTemplate(make_image(values / white, image), closed, make_image(outward < _COMPARED_MM, image))


def _roomy_grid(brain: SpatialImage) -> SpatialImage:
    """Grid round a brain with room for the head."""
    grid = resampled_grid(brain, _VOXEL_MM)
    margin = int(np.ceil(_ROOM_MM / _VOXEL_MM))
    affine = grid.affine.copy()
    affine[:3, 3] = nb.affines.apply_affine(grid.affine, np.full(3, -margin))
    return nb.Nifti1Image(np.zeros(np.array(grid.shape) + 2 * margin, np.uint8), affine)
