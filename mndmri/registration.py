"""Rigid and deformable registration, and Jacobians.

Every function takes and returns nibabel images, plain arrays, and transforms as `mndmri.transforms`
defines them.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import ants
import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import voxel_sizes
from mndmri.itk import from_ants, read_affine, read_field, to_ants, write_transform
from mndmri.transforms import compose

_COARSEST_MM = 8.0


class Warp(NamedTuple):
    """Both directions of a registration, as displacement fields."""

    moving_to_fixed: SpatialImage
    """Resamples images of the moving space onto the fixed grid (points go fixed to moving)."""
    fixed_to_moving: SpatialImage
    """Resamples images of the fixed space onto the moving grid (points go moving to fixed)."""


def _registration(fixed: SpatialImage, moving: SpatialImage, folder: str, start: np.ndarray | None, **options) -> dict:
    """Run `ants.registration`, started from the headers or from a given matrix."""
    # without a start ANTs aligns centres of mass, which fails where fields of view differ
    initial = write_transform(np.eye(4) if start is None else start, Path(folder) / "start")
    return ants.registration(
        to_ants(fixed),
        to_ants(moving),
        initial_transform=[initial],
        outprefix=f"{folder}/out-",
        singleprecision=False,
        **{name: to_ants(value) if isinstance(value, SpatialImage) else value for name, value in options.items()},
    )


def register_rigid(
    fixed: SpatialImage,
    moving: SpatialImage,
    *,
    fixed_mask: SpatialImage | None = None,
    start: np.ndarray | None = None,
    quick: bool = False,
) -> np.ndarray:
    """Rigid transform that resamples ``moving`` onto ``fixed``, from mutual information.

    Parameters
    ----------
    fixed, moving : SpatialImage
        3D images of one head; the headers are the starting point.
    fixed_mask : SpatialImage, optional
        Where in ``fixed`` the two are compared.
    start : ndarray, shape (4, 4), optional
        Starting point, from fixed to moving world points (RAS, mm); identity by default.
    quick : bool
        Fewer iterations, for images that are already within a few mm (volumes of a series).

    Returns
    -------
    ndarray, shape (4, 4)
        From fixed to moving world points (RAS, mm).
    """
    # begun on coarser voxels than this, a head is a blob and the search ends degrees and millimetres off
    first = int(np.clip(round(_COARSEST_MM / voxel_sizes(fixed).min()), 1, 8))
    schedule = {
        "aff_iterations": (200, 100, 50) if quick else (1000, 500, 200),
        "aff_shrink_factors": (4, 2, 1) if quick else (first, max(first // 2, 1), max(first // 4, 1)),
        "aff_smoothing_sigmas": (2, 1, 0),
    }
    with tempfile.TemporaryDirectory() as folder:
        result = _registration(
            fixed,
            moving,
            folder,
            start,
            type_of_transform="Rigid",
            aff_metric="mattes",
            mask=fixed_mask,
            **schedule,
        )
        return read_affine(result["fwdtransforms"][0])


def register_deformable(
    fixed: SpatialImage, moving: SpatialImage, *, iterations: Sequence[int] = (100, 70, 20)
) -> Warp:
    """Affine and diffeomorphic (SyN, mutual information) registration of two brains.

    Parameters
    ----------
    fixed, moving : SpatialImage
        Brain-extracted 3D images of like contrast. The fields have the grid of ``fixed``,
        and that of ``moving``.
    iterations : sequence of int
        Per resolution level, coarse to fine.

    Returns
    -------
    Warp

    Notes
    -----
    Symmetric normalisation: Avants et al. 2008, Med Image Anal 12:26. The start is the
    alignment of the centres of mass, which two extracted brains share.
    """
    start = np.eye(4)
    start[:3, 3] = _centre_of_mass(moving) - _centre_of_mass(fixed)
    with tempfile.TemporaryDirectory() as folder:
        result = _registration(
            fixed,
            moving,
            folder,
            start,
            type_of_transform="SyN",
            aff_metric="mattes",
            syn_metric="mattes",
            reg_iterations=tuple(iterations),
        )
        bend, affine = read_field(result["fwdtransforms"][0]), read_affine(result["fwdtransforms"][1])
        unbend = read_field(result["invtransforms"][1])
    return Warp(
        moving_to_fixed=compose([bend, affine], fixed),
        fixed_to_moving=compose([np.linalg.inv(affine), unbend], moving),
    )


def _centre_of_mass(image: SpatialImage) -> np.ndarray:
    """Centre of mass of an image's positive values, in world coordinates (mm)."""
    weight = np.clip(np.nan_to_num(image.get_fdata()), 0, None)
    axes = [weight.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    ijk = [np.average(np.arange(len(profile)), weights=profile) for profile in axes]
    return nb.affines.apply_affine(image.affine, ijk)


def jacobian_determinant(field: SpatialImage) -> SpatialImage:
    """Volume change of a displacement field at each of its voxels.

    Returns
    -------
    SpatialImage
        Volume in the input space per volume in the output space: 1 where nothing
        changes, below 0 where the field folds.
    """
    grid = nb.Nifti1Image(np.zeros(field.shape[:3], np.float32), field.affine)
    with tempfile.TemporaryDirectory() as folder:
        name = write_transform(field, Path(folder) / "field")
        return from_ants(ants.create_jacobian_determinant_image(to_ants(grid), name), grid)
