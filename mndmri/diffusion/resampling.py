"""A series brought to the undistorted head at rest, in one interpolation."""

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import map_coordinates

from mndmri.grids import make_image, same_grid, world_coordinates
from mndmri.registration.transforms import resample

# Cubic B-splines: linear interpolation smooths the more the further a volume has moved, and FA with it.
ORDER = 3


def phase_vector(affine: np.ndarray, axis: int) -> np.ndarray:
    """World direction and length of one voxel along an array axis, mm, shape (3,)."""
    return np.asarray(affine, float)[:3, axis]


def distortion_on(
    grid: SpatialImage, displacement: SpatialImage | None, axis: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """What the field of the head does at every voxel of a grid.

    Parameters
    ----------
    grid : SpatialImage
    displacement : SpatialImage or None
        3D: how many of its own voxels up the array axis ``axis`` the signal of each undistorted voxel
        was put. None: nowhere.
    axis : int or None

    Returns
    -------
    shift : ndarray, shape (X, Y, Z, 3)
        The same in world axes, mm.
    gain : ndarray, shape (X, Y, Z)
        Factor that undoes the piling up: 1 + the displacement's slope along the axis.
    """
    if displacement is None or axis is None:
        return np.zeros((*grid.shape[:3], 3), np.float32), np.ones(grid.shape[:3], np.float32)
    voxels = np.asarray(displacement.dataobj, np.float32)
    stack = make_image(np.stack([voxels, np.gradient(voxels, axis=axis)], axis=-1), displacement)
    there = np.asarray((stack if same_grid(stack, grid) else resample(stack, grid)).dataobj, np.float32)
    return there[..., :1] * phase_vector(displacement.affine, axis).astype(np.float32), 1 + there[..., 1]


def resample_series(
    dwi: SpatialImage,
    transforms: np.ndarray,
    *,
    grid: SpatialImage | None = None,
    displacement: SpatialImage | None = None,
    axis: int | None = None,
    order: int = ORDER,
) -> SpatialImage:
    """Every volume resampled to the undistorted head at rest, with its intensity corrected.

    Parameters
    ----------
    dwi : SpatialImage
        4D, as scanned.
    transforms : ndarray, shape (N, 4, 4)
        From world points of the head at rest to those of each volume, eddy currents among them.
    grid : SpatialImage, optional
        Of the result; by default that of ``dwi``.
    displacement, axis : SpatialImage and int, optional
        Susceptibility distortion, as in `distortion_on`. It moves with the head.
    order : int
        Of the interpolation: 1 linear, 3 cubic B-splines.

    Returns
    -------
    SpatialImage
        float32, no value below 0; 0 where a volume has no data.

    Notes
    -----
    The order of the forward model is that of Andersson and Sotiropoulos 2016, NeuroImage 125:1063:
    the head moves, then its own field and the eddy currents' shift the signal along the phase encoding.
    """
    grid = dwi if grid is None else grid
    shift, gain = distortion_on(grid, displacement, axis)
    points, to_voxels = world_coordinates(grid), np.linalg.inv(dwi.affine)
    last = np.array(dwi.shape[:3]) - 0.5
    lies_there = displacement is None and same_grid(grid, dwi)
    # Fortran order: each volume lies in one piece of memory
    data = np.empty((*grid.shape[:3], dwi.shape[3]), np.float32, order="F")
    for n, transform in enumerate(transforms):
        volume = np.asarray(dwi.dataobj[..., n], np.float32)
        if lies_there and np.array_equal(transform, np.eye(4)):
            data[..., n] = volume
            continue
        where = nb.affines.apply_affine(to_voxels, nb.affines.apply_affine(transform, points) + shift)
        # half a voxel beyond the outermost centres is still image
        inside = np.all((where >= -0.5) & (where <= last), axis=-1)
        found = map_coordinates(volume, np.moveaxis(where, -1, 0), order=order, mode="mirror", output=np.float32)
        data[..., n] = np.where(inside, found * gain * np.float32(np.linalg.det(transform[:3, :3])), 0)
    return make_image(np.maximum(data, 0, out=data), grid)


def slice_numbers(grid: SpatialImage, dwi: SpatialImage, transform: np.ndarray, axis: int) -> np.ndarray:
    """Slice of a volume, as scanned, in which each voxel of a grid was, fractional, shape (X, Y, Z).

    Parameters
    ----------
    grid, dwi : SpatialImage
        Of the head at rest, and as scanned.
    transform : ndarray, shape (4, 4)
        As in `resample_series`. Distortion does not leave the slice, as long as the head is not far turned.
    axis : int
        Array axis of ``dwi`` across its slices.
    """
    return nb.affines.apply_affine(np.linalg.inv(dwi.affine) @ transform @ grid.affine, _indices(grid))[..., axis]


def _indices(grid: SpatialImage) -> np.ndarray:
    return np.stack(np.meshgrid(*map(np.arange, grid.shape[:3]), indexing="ij"), axis=-1)
