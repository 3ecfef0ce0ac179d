"""Voxel grids: where they lie, which way they run, and whether two are the same."""

from collections.abc import Sequence

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.io import InputError

# Affines that went through single precision, a text header or a quaternion differ by this much.
GRID_TOLERANCE_MM = 1e-2


def make_image(data: np.ndarray, like: SpatialImage) -> nb.Nifti1Image:
    """Array as an image on the grid of ``like``; booleans become 0 and 1 (uint8)."""
    data = np.asarray(data)
    if data.dtype == bool:
        data = data.astype(np.uint8)
    image = nb.Nifti1Image(data, like.affine)
    zooms = list(like.header.get_zooms()[:3])
    if data.ndim == 4:
        zooms.append(like.header.get_zooms()[3] if len(like.shape) == 4 else 1.0)
    image.header.set_zooms(zooms)
    return image


def stack(images: Sequence[SpatialImage]) -> nb.Nifti1Image:
    """3D images of one grid as the volumes of one, float32."""
    check_same_grid(*images)
    return make_image(np.stack([np.asarray(image.dataobj, np.float32) for image in images], axis=-1), images[0])


def to_canonical(image: SpatialImage) -> SpatialImage:
    """Image with its axes flipped and permuted to the nearest to right-anterior-superior.

    No value is interpolated, so that whatever is computed after it cannot depend on the order in
    which a scanner stored its voxels. A header holds the affine in single precision, as seen from
    the corner that was stored first: to be the same from every corner it is rounded, to a
    thousandth of a millimetre at most over a head.
    """
    canonical = nb.as_closest_canonical(image)
    affine = canonical.affine.copy()
    affine[:3, :3] = affine[:3, :3].round(6)
    affine[:3, 3] = affine[:3, 3].round(3)
    # one order in memory: sums over the voxels differ in their last digits otherwise
    return type(image)(np.asarray(canonical.dataobj, order="F"), affine, canonical.header)


def canonical_direction(letter: str, affine: np.ndarray) -> tuple[int, int]:
    """Where an axis of an image as stored lies once it is canonical (RAS-stored).

    Parameters
    ----------
    letter : {'i', 'i-', 'j', 'j-', 'k', 'k-'}
        Axis of the array as stored, and the way along it (BIDS, PhaseEncodingDirection).
    affine : ndarray, shape (4, 4)
        Of the image as stored.

    Returns
    -------
    axis : int
        Array axis of the canonical image.
    sign : int
        1 if the way goes to higher indices of it, -1 if to lower.

    Raises
    ------
    InputError
        If there is no such axis.
    """
    if letter[:1] not in ("i", "j", "k") or letter[1:] not in ("", "-"):
        raise InputError(f"direction {letter!r} along an image's axes; expected i, j or k, with or without a minus")
    axis, flip = nb.orientations.io_orientation(affine)["ijk".index(letter[0])]
    return int(axis), int(-flip if letter.endswith("-") else flip)


def voxel_sizes(image: SpatialImage) -> np.ndarray:
    """Voxel size along each array axis, in mm, shape (3,), from the affine."""
    return np.asarray(nb.affines.voxel_sizes(image.affine))


def longest_edge_mm(image: SpatialImage) -> float:
    """Longest edge of a voxel, mm, to 0.01: it is compared with limits, and headers are of single precision."""
    return round(float(voxel_sizes(image).max()), 2)


def slice_axis(image: SpatialImage) -> int:
    """Array axis across the slices of a canonical image: that of the thickest voxels.

    A scanner's rounding does not choose the axis, and the last of equals, inferior-superior, is
    taken; so the answer does not depend on the order in which the voxels were stored.
    """
    return 2 - int(np.argmax(np.round(voxel_sizes(image)[::-1], 2)))


def voxel_volume_ml(image: SpatialImage) -> float:
    """Volume of one voxel in millilitres, from the affine."""
    return float(abs(np.linalg.det(image.affine[:3, :3]))) / 1000.0


def same_grid(first: SpatialImage, second: SpatialImage) -> bool:
    """True if two images sample the same points: shape equal, affine within 0.01 mm."""
    return first.shape[:3] == second.shape[:3] and np.allclose(first.affine, second.affine, atol=GRID_TOLERANCE_MM)


def check_same_grid(*images: SpatialImage) -> None:
    """Raise `InputError` unless all images sample the same points.

    Raises
    ------
    InputError
        With both shapes and affines, if two images differ.
    """
    first = images[0]
    for other in images[1:]:
        if not same_grid(first, other):
            raise InputError(
                f"images on different grids: {first.shape[:3]} with affine\n{first.affine}\n"
                f"and {other.shape[:3]} with affine\n{other.affine}\n"
                "resample one of them to the other before combining them"
            )


def bounding_box(mask: SpatialImage, *, margin: int = 2, margin_mm: float | None = None) -> tuple[slice, slice, slice]:
    """Slices that hold all of a mask's non-zero voxels and a margin round them; the whole grid if there are none.

    Parameters
    ----------
    mask : SpatialImage
        3D.
    margin : int
        Voxels.
    margin_mm : float, optional
        In place of it, mm along each axis.
    """
    inside = np.asanyarray(mask.dataobj) != 0
    if not inside.any():
        x, y, z = inside.shape
        return slice(0, x), slice(0, y), slice(0, z)
    reach = np.full(3, margin) if margin_mm is None else np.ceil(margin_mm / voxel_sizes(mask)).astype(int)
    box = []
    for axis in range(3):
        found = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        box.append(slice(max(int(found[0] - reach[axis]), 0), int(found[-1] + reach[axis]) + 1))
    return box[0], box[1], box[2]


def uncrop(part: SpatialImage, box: tuple[slice, slice, slice], whole: SpatialImage) -> nb.Nifti1Image:
    """Part of an image on the whole grid again, 0 elsewhere.

    Parameters
    ----------
    part : SpatialImage
        3D or 4D, as from ``whole.slicer[box]``.
    box : tuple of slice
        As from `bounding_box`.
    whole : SpatialImage
        Its grid is that of the result; its values are not used.
    """
    values = np.asanyarray(part.dataobj)
    full = np.zeros((*whole.shape[:3], *values.shape[3:]), values.dtype, order="F")
    full[box] = values
    return make_image(full, whole)


def world_coordinates(image: SpatialImage) -> np.ndarray:
    """World (scanner or template) coordinates of every voxel centre, shape (X, Y, Z, 3), mm."""
    shape, matrix = image.shape[:3], image.affine[:3, :3]
    if np.count_nonzero(matrix) == 3:  # each world axis runs along one of the array's: nothing to add up
        xyz = np.empty((*shape, 3))
        for world, axis in enumerate(np.abs(matrix).argmax(axis=1)):
            along = np.arange(shape[axis]) * matrix[world, axis] + image.affine[world, 3]
            xyz[..., world] = np.expand_dims(along, tuple({0, 1, 2} - {int(axis)}))
        return xyz
    ijk = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return nb.affines.apply_affine(image.affine, ijk)


def resampled_grid(image: SpatialImage, voxel_mm: float | tuple[float, float, float]) -> SpatialImage:
    """Empty image over the same field of view and axes with other voxel sizes.

    Parameters
    ----------
    image : SpatialImage
    voxel_mm : float or three floats
        New voxel size along each array axis, in mm.

    Returns
    -------
    SpatialImage
        Zeros (uint8); its corner lies where the corner of ``image`` lies.
    """
    old = voxel_sizes(image)
    new = np.broadcast_to(np.asarray(voxel_mm, float), 3)
    shape = np.maximum(np.rint(np.array(image.shape[:3]) * old / new), 1).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = image.affine[:3, :3] @ np.diag(new / old)
    corner = nb.affines.apply_affine(image.affine, [-0.5, -0.5, -0.5])
    affine[:3, 3] = corner + affine[:3, :3] @ [0.5, 0.5, 0.5]
    return nb.Nifti1Image(np.zeros(shape, np.uint8), affine)
