"""How an echo-planar image was encoded, and the image without what that did to it."""

from typing import NamedTuple, Protocol

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import map_coordinates

from mndmri.grids import canonical_direction, check_same_grid, make_image


class PhaseEncoding(NamedTuple):
    """What decides where the magnetic field's offset puts signal."""

    axis: int
    """Array axis of the canonical (RAS-stored) grid."""
    polarity: int | None
    """1: a positive offset moves signal to higher indices of the axis; -1: to lower; None: unknown."""
    readout_s: float | None
    """Total readout time as BIDS defines it: voxels of displacement per Hz; None: unknown."""


class StoredEncoding(Protocol):
    """Phase encoding in the axes of an image as stored, as from `mndmri.cohort.bids.phase_encoding`."""

    @property
    def axis(self) -> str:
        """Stored axis: i, j or k."""

    @property
    def polarity(self) -> int | None:
        """1 towards higher indices, -1 towards lower."""

    @property
    def readout_s(self) -> float | None:
        """Total readout time, s."""


def on_canonical_grid(stored: StoredEncoding, affine: np.ndarray) -> PhaseEncoding:
    """Phase encoding in the axes of the canonical image; ``affine`` is that of the image as stored."""
    axis, sign = canonical_direction(stored.axis, affine)
    return PhaseEncoding(axis, None if stored.polarity is None else sign * stored.polarity, stored.readout_s)


def unwarp(image: SpatialImage, displacement: SpatialImage, axis: int, *, order: int = 1) -> SpatialImage:
    """Undistorted image: signal at its true position, with its intensity corrected.

    Parameters
    ----------
    image : SpatialImage
        3D or 4D (each volume alike), distorted.
    displacement : SpatialImage
        Voxels along ``axis``: the undistorted voxel p finds its signal at p + displacement(p).
    axis : int
    order : int
        Of the spline: 1 linear, 3 cubic.

    Returns
    -------
    SpatialImage
        float32, 0 where the signal left the image.
    """
    check_same_grid(image, displacement)
    shift = displacement.get_fdata(dtype=np.float32)
    where = np.indices(shift.shape, dtype=np.float32)
    where[axis] += shift
    gain = 1 + np.gradient(shift, axis=axis)
    data = np.asarray(image.dataobj, np.float32)
    volumes = data[..., None] if data.ndim == 3 else data
    moved = np.stack(
        [
            map_coordinates(volume, where, order=order, output=np.float32) * gain
            for volume in np.moveaxis(volumes, -1, 0)
        ],
        axis=-1,
    )
    return make_image(moved[..., 0] if data.ndim == 3 else moved, image)
