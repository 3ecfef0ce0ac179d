"""Transforms, and images resampled through them.

A transform is either a ``(4, 4)`` array or a displacement field (an image in ITK's format, which
ANTs and ITK-SNAP read). Both map world points of the *output* space to world points of the *input*
space, the direction in which resampling asks; a chain lists them in the order in which a point of
the output meets them.
"""

from collections.abc import Sequence
from typing import Literal

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.grids import bounding_box, make_image, resampled_grid, voxel_sizes, world_coordinates

Transform = np.ndarray | SpatialImage
Interpolation = Literal["nearest", "linear", "cubic"]

# ITK's world runs to the left, to posterior and to superior; nibabel's, and that of all arrays here, to the right
# and to anterior (RAS). Signs of a vector's components, and the matrix for points, from either to the other.
_OTHER_SIGNS = (-1, -1, 1)
RAS_TO_LPS = np.diag([*map(float, _OTHER_SIGNS), 1.0])

# Voxels by which an index is off that went through an affine and back.
_ROUNDING = 1e-6
# Share of a resampled value that has to come from voxels with a value: the others are 0.
_WHOLE = 0.99


def map_points(points: np.ndarray, transforms: Sequence[Transform]) -> np.ndarray:
    """World points after a chain of transforms.

    Parameters
    ----------
    points : ndarray, shape (..., 3)
        RAS, mm, in the output space.
    transforms : sequence of transforms
        In the order in which a point meets them. Beyond the edge of a field, its displacement is
        that of the edge.

    Returns
    -------
    ndarray, shape (..., 3)
        In the input space.
    """
    for transform in transforms:
        if isinstance(transform, np.ndarray):
            points = nb.affines.apply_affine(transform, points)
            continue
        where = _indices(transform, points)
        lps = np.asarray(transform.dataobj)[..., 0, :]
        moved = [sign * _sample(lps[..., axis], where, mode="nearest") for axis, sign in enumerate(_OTHER_SIGNS)]
        points = points + np.stack(moved, axis=-1)
    return points


def _indices(image: SpatialImage, points: np.ndarray) -> np.ndarray:
    """Fractional voxel indices of world points, shape (3, ...)."""
    to_index = np.linalg.inv(image.affine)
    if np.count_nonzero(to_index[:3, :3]) > 3:
        return np.moveaxis(nb.affines.apply_affine(to_index, points), -1, 0)
    # each array axis runs along one of the world's: nothing to add up
    rows = [
        (row[axis], axis, row[3]) for row, axis in zip(to_index, np.abs(to_index[:3, :3]).argmax(axis=1), strict=False)
    ]
    return np.stack([step * points[..., axis] + begin for step, axis, begin in rows])


def _on_edge(where: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Indices, shape (3, ...), of which those that rounding carried beyond the first or last voxel lie on it.

    An oblique grid's own points come back from its affine as -1e-14, where an image has no data.
    """
    for along, n in zip(where, shape[:3], strict=True):
        for edge, beyond in ((0, along < 0), (n - 1, along > n - 1)):
            along[beyond & (np.abs(along - edge) < _ROUNDING)] = edge
    return where


def _sample(data: np.ndarray, where: np.ndarray, *, order: int = 1, mode: str = "constant") -> np.ndarray:
    """Values of an array at fractional indices, shape (3, ...), float32."""
    return ndimage.map_coordinates(data, where, order=order, mode=mode, output=np.float32)


def _sample_filled(data: np.ndarray, where: np.ndarray, *, order: int) -> np.ndarray:
    """As `_sample`; a map of one region is looked up only near it, as all the rest comes out as 0."""
    if order > 1:  # splines reach everywhere
        return _sample(data, where, order=order)
    box = bounding_box(nb.Nifti1Image(data, np.eye(4)), margin=1)
    near = np.logical_and.reduce([(w >= b.start) & (w <= b.stop) for w, b in zip(where, box, strict=True)])
    found = np.zeros(near.shape, np.float32)
    found[near] = _sample(data, where[:, near], order=order)
    return found


def resample(
    image: SpatialImage,
    grid: SpatialImage,
    transforms: Sequence[Transform] = (),
    *,
    interpolation: Interpolation = "linear",
) -> SpatialImage:
    """Image on another grid, through a chain of transforms and one interpolation.

    Parameters
    ----------
    image : SpatialImage
        3D or 4D (each volume alike).
    grid : SpatialImage
        Grid of the output; its values are not used.
    transforms : sequence of transforms
        In the order in which a point of the output grid meets them.
    interpolation : {'nearest', 'linear', 'cubic'}
        ``nearest`` for labels; ``cubic`` is by B-splines.

    Returns
    -------
    SpatialImage
        float32, zero where ``image`` has no data.
    """
    return make_image(sample_points(image, map_points(world_coordinates(grid), transforms), interpolation), grid)


def resample_within(
    image: SpatialImage, inside: SpatialImage, grid: SpatialImage, transforms: Sequence[Transform] = ()
) -> SpatialImage:
    """Image on another grid, as from `resample`, without the voxels whose value is mixed with what is not measured.

    Parameters
    ----------
    image, grid, transforms
        As for `resample`.
    inside : SpatialImage
        Where ``image`` has a value, 0 or 1, on its grid.

    Returns
    -------
    SpatialImage
        float32; not a number outside, and at the edge.
    """
    values, share = (resample(own, grid, transforms).get_fdata() for own in (image, inside))
    return make_image(np.where(share > _WHOLE, values, np.nan).astype(np.float32), grid)


def sample_points(image: SpatialImage, points: np.ndarray, interpolation: Interpolation = "linear") -> np.ndarray:
    """Values of an image at world points.

    Parameters
    ----------
    image : SpatialImage
        3D or 4D (each volume alike).
    points : ndarray, shape (..., 3)
        RAS, mm, in the space of ``image``.
    interpolation : {'nearest', 'linear', 'cubic'}
        As for `resample`.

    Returns
    -------
    ndarray
        float32, of the shape of the points less their last axis, and with one of volumes if ``image`` has; zero
        where it has no data.
    """
    order = {"nearest": 0, "linear": 1, "cubic": 3}[interpolation]
    where = _on_edge(_indices(image, points), image.shape)
    if image.ndim == 3:
        return _sample_filled(np.asarray(image.dataobj, np.float32), where, order=order)
    # Fortran order: each volume lies in one piece of memory
    data = np.empty((*where.shape[1:], image.shape[3]), np.float32, order="F")
    for n in range(image.shape[3]):
        data[..., n] = _sample_filled(np.asarray(image.dataobj[..., n], np.float32), where, order=order)
    return data


def average_over_voxels(image: SpatialImage, grid: SpatialImage, transforms: Sequence[Transform]) -> SpatialImage:
    """Image on a coarser grid, each voxel the mean of what lies in it.

    Parameters
    ----------
    image : SpatialImage
        3D.
    grid : SpatialImage
        Grid of the output.
    transforms : sequence of transforms
        From points of ``grid`` to those of ``image``.
    """
    parts = np.maximum(np.rint(voxel_sizes(grid) / voxel_sizes(image).min()), 1).astype(int)
    fine = resample(image, resampled_grid(grid, tuple(voxel_sizes(grid) / parts)), transforms).get_fdata()
    blocks = fine.reshape([n for pair in zip(grid.shape[:3], parts, strict=True) for n in pair])
    return make_image(blocks.mean(axis=(1, 3, 5)).astype(np.float32), grid)


def compose(transforms: Sequence[Transform], grid: SpatialImage) -> SpatialImage:
    """One displacement field for a chain of transforms, at the points of a grid."""
    points = world_coordinates(grid)
    return make_field(map_points(points, transforms) - points, grid)


def make_field(shift: np.ndarray, grid: SpatialImage) -> SpatialImage:
    """Displacement field that shifts each point of a grid by so much.

    Parameters
    ----------
    shift : ndarray, shape (X, Y, Z, 3)
        Towards right, anterior, superior, mm.
    grid : SpatialImage
        Its values are not used.

    Returns
    -------
    SpatialImage
        float32, shape (X, Y, Z, 1, 3): ITK's format, mm along left, posterior, superior.
    """
    displacement = shift * _OTHER_SIGNS
    field = nb.Nifti1Image(displacement[..., None, :].astype(np.float32), grid.affine)
    field.header.set_intent("vector")
    field.header.set_xyzt_units("mm")
    return field
