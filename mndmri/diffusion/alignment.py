"""Alignment of a diffusion series with the T1w image, and the field of view common to its volumes."""

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.gradients import Gradients
from mndmri.grids import make_image, resampled_grid, voxel_sizes, world_coordinates
from mndmri.intensity import correct_bias
from mndmri.io import InputError
from mndmri.masks import dilate
from mndmri.registration.register import register_rigid
from mndmri.registration.transforms import resample

T1W_WORKING_VOXEL_MM = 2.0
# The brain alone has no edge to register: comparisons extend this far beyond it.
MARGIN_MM = 9.0


def b0_reference(dwi: SpatialImage, gradients: Gradients) -> SpatialImage:
    """Mean of the volumes without diffusion weighting, float32.

    Raises
    ------
    InputError
        If there is none, or the table is not of this series.
    """
    check_table(dwi, gradients)
    return make_image(np.asarray(dwi.dataobj, np.float32)[..., gradients.is_b0].mean(axis=-1), dwi)


def check_table(dwi: SpatialImage, gradients: Gradients) -> None:
    """Raise `InputError` unless the table has an entry for each volume, and one of them is of b = 0."""
    if dwi.ndim != 4 or dwi.shape[3] != len(gradients.bvals):
        raise InputError(
            f"the diffusion image has shape {dwi.shape} but its bval file has {len(gradients.bvals)} entries; "
            "check that the series was not truncated"
        )
    if not gradients.is_b0.any():
        raise InputError(
            f"no volume has b < 50 s/mm2 (the lowest is {gradients.bvals.min():g}); a b = 0 volume is needed"
        )


def field_of_view(
    grid: SpatialImage, transforms: np.ndarray | None = None, shift: np.ndarray | float = 0.0
) -> SpatialImage:
    """Where on a grid every volume of a series has data.

    Parameters
    ----------
    grid : SpatialImage
        3D or 4D; its values are not used.
    transforms : ndarray, shape (N, 4, 4), optional
        From world points of the grid to those of each volume; without, nothing moved.
    shift : ndarray, shape (X, Y, Z, 3), optional
        What distortion adds to those, mm.

    Returns
    -------
    SpatialImage
        uint8, 1 inside and 0 outside.
    """
    inside = np.ones(grid.shape[:3], bool)
    points = world_coordinates(grid)
    to_voxels = np.linalg.inv(grid.affine)
    last = np.array(grid.shape[:3]) - 0.5
    for transform in np.eye(4)[None] if transforms is None else np.unique(transforms, axis=0):
        ijk = nb.affines.apply_affine(to_voxels, nb.affines.apply_affine(transform, points) + shift)
        # a corner that a rounding error puts outside is inside
        inside &= np.all((ijk >= -0.5 - 1e-6) & (ijk <= last + 1e-6), axis=-1)
    return make_image(inside, grid)


def align_to_t1w(b0: SpatialImage, t1w_brain: SpatialImage, *, start: np.ndarray | None = None) -> np.ndarray:
    """Rigid transform that resamples diffusion images onto the T1w image.

    Parameters
    ----------
    b0 : SpatialImage
        Mean b = 0 image, with or without skull.
    t1w_brain : SpatialImage
        Brain-extracted T1w image of the same person, zero outside the brain.
    start : ndarray, shape (4, 4), optional
        From T1w to diffusion world points; by default the headers are believed.

    Returns
    -------
    ndarray, shape (4, 4)
        From T1w to diffusion world points (RAS, mm). Its inverse brings T1w masks and labels to
        the diffusion grid.

    Notes
    -----
    The T1w brain, brought over by ``start``, is where the b = 0 image is freed of the coil's
    shading and, with a margin of 9 mm, where the two are compared. The b = 0 image is the fixed
    one: a slab lies within the brain, not the brain within a slab.
    """
    start = np.eye(4) if start is None else start
    brain = resample(t1w_brain, resampled_grid(t1w_brain, np.maximum(voxel_sizes(t1w_brain), T1W_WORKING_VOXEL_MM)))
    mask = make_image((brain.get_fdata() > 0).astype(np.float32), brain)
    there = resample(mask, b0, [np.linalg.inv(start)], interpolation="nearest")
    if not there.get_fdata().any():
        raise InputError(
            "the T1w brain and the diffusion image do not overlap in the scanner's coordinates: their headers "
            "disagree; convert both again from the scanner's files"
        )
    positive = make_image(np.clip(np.asarray(b0.dataobj, np.float32), 0, None), b0)
    even = correct_bias(positive, there, iterations=(50, 50, 50))
    return np.linalg.inv(
        register_rigid(even, brain, fixed_mask=dilate(there, MARGIN_MM), start=np.linalg.inv(start), quick=True)
    )
