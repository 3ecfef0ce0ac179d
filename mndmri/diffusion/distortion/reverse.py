"""Displacement from two b = 0 images of opposite phase encoding."""

from typing import NamedTuple

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from mndmri.diffusion.distortion.encoding import PhaseEncoding, unwarp
from mndmri.diffusion.distortion.matching import match_along
from mndmri.diffusion.volume_registration import HEAD_RADIUS_MM
from mndmri.grids import check_same_grid, make_image, voxel_sizes, world_coordinates
from mndmri.io import InputError

# The scanner is tuned to the head: the median displacement of the brain is within so many voxels. A field map gave
# 0.46 in a 3 T scan with a readout of 48 ms and voxels of 3 mm.
TUNING_VOXELS = 0.5
# Movement of a head at rest between two scans, mm.
STILL_MM = 0.3
# Without a mask the head is where the signal, over this distance, is this share of the brightest.
SIGNAL_SD_MM, SIGNAL_SHARE = 3.0, 0.15
SIZE_TOLERANCE = 1e-2


class ReversePair(NamedTuple):
    """Estimate of a distortion from two images of opposite phase encoding."""

    displacement: SpatialImage
    """Voxels along the phase-encoding axis, on the grid of the first image, float32."""
    to_reverse: np.ndarray
    """From world points of the head in the first image to those in the second, rigid, shape (4, 4)."""
    agreement_before: float
    """Correlation of the two images in the brain, as they are."""
    agreement: float
    """The same without distortion and movement."""


def displacement_from_reverse(
    b0: SpatialImage,
    reverse_b0: SpatialImage,
    encoding: PhaseEncoding,
    *,
    readout_ratio: float = 1.0,
    mask: SpatialImage | None = None,
) -> ReversePair:
    """Displacement of a b = 0 image, from its partner of opposite phase encoding.

    Parameters
    ----------
    b0, reverse_b0 : SpatialImage
        3D, RAS-stored, of one matrix and voxel size; the head may have moved between them.
    encoding : PhaseEncoding
        Of ``b0``. The axis alone is used: the images determine the polarity.
    readout_ratio : float
        Total readout time of ``reverse_b0`` over that of ``b0``.
    mask : SpatialImage, optional
        Brain, on the grid of ``b0``; by default where there is signal.

    Raises
    ------
    InputError
        If matrix or voxel size of the two differ, the mask is empty, or there is no signal.

    Notes
    -----
    The model is that of `matching.match_along`. A movement along the axis and a constant displacement look the
    same; they are told apart by what is likeliest: a movement is as large as those seen in the other directions,
    and the median displacement of the brain is near 0, because the scanner is tuned to the head.
    """
    _check(b0, reverse_b0, readout_ratio)
    inside = _signal(b0) if mask is None else _brain(mask, b0)
    axis, size = encoding.axis, float(voxel_sizes(b0)[encoding.axis])
    found = match_along(b0, reverse_b0, axis, ratio=readout_ratio)
    voxels = found.displacement_mm.get_fdata(dtype=np.float32) / size

    centre = world_coordinates(b0)[inside].mean(axis=0)
    constant = _likely_constant(float(np.median(voxels[inside])), found.to_partner, centre, size, readout_ratio)
    where = np.indices(voxels.shape, dtype=np.float32)
    where[axis] += constant  # the head lies elsewhere with it
    displacement = make_image(map_coordinates(voxels, where, order=1, mode="nearest") + np.float32(constant), b0)
    to_reverse = _along(reverse_b0, axis, readout_ratio * constant) @ found.to_partner @ _along(b0, axis, constant)

    one, other = (
        unwarp(b0, displacement, axis),
        _unwarp_partner(reverse_b0, displacement, axis, readout_ratio, to_reverse),
    )
    before = _correlation(b0, reverse_b0, inside)
    return ReversePair(displacement, to_reverse, before, _correlation(one, other, inside))


def _check(b0: SpatialImage, reverse_b0: SpatialImage, ratio: float) -> None:
    size, other = voxel_sizes(b0), voxel_sizes(reverse_b0)
    if b0.shape != reverse_b0.shape or not np.allclose(size, other, rtol=SIZE_TOLERANCE):
        raise InputError(
            f"the b = 0 image has shape {b0.shape} and voxels of {_listed(size)} mm, that of opposite phase "
            f"encoding {reverse_b0.shape} and {_listed(other)} mm; expected the same: give the reverse image that "
            "was scanned for this series"
        )
    if not ratio > 0:
        raise InputError(f"the readout times have the ratio {ratio:g}; expected more than 0: see TotalReadoutTime")
    for name, image in (("b = 0", b0), ("reverse b = 0", reverse_b0)):
        if not np.asarray(image.dataobj).max() > 0:
            raise InputError(f"the {name} image has no value above 0; convert it again from the scanner's files")


def _listed(sizes: np.ndarray) -> str:
    return " x ".join(f"{size:.3g}" for size in sizes)


def _brain(mask: SpatialImage, b0: SpatialImage) -> np.ndarray:
    check_same_grid(mask, b0)
    inside = np.asarray(mask.dataobj) > 0.5
    if not inside.any():
        raise InputError("the brain mask is empty on the diffusion grid; check that T1w and diffusion images overlap")
    return inside


def _signal(b0: SpatialImage) -> np.ndarray:
    """Where there is a head."""
    smooth = gaussian_filter(np.asarray(b0.dataobj, np.float32), SIGNAL_SD_MM / voxel_sizes(b0))
    return smooth > SIGNAL_SHARE * smooth.max()


def _likely_constant(median: float, movement: np.ndarray, centre: np.ndarray, size_mm: float, ratio: float) -> float:
    """Voxels to add to a displacement of a given median, so that movement and median are likeliest together.

    The square of the movement along the axis plus that of the median, each over its variance, is lowest.
    """
    shift = nb.affines.apply_affine(movement, centre) - centre
    turn = HEAD_RADIUS_MM * Rotation.from_matrix(movement[:3, :3]).as_rotvec()
    variance = (STILL_MM**2 + (shift @ shift + turn @ turn) / 5) / size_mm**2  # two shifts and three angles are seen
    per_voxel = 1 + ratio  # by so much the head has moved along the axis for each voxel of the constant
    return -median * variance / (variance + (per_voxel * TUNING_VOXELS) ** 2)


def _along(image: SpatialImage, axis: int, voxels: float) -> np.ndarray:
    """Translation along an axis of an image, shape (4, 4)."""
    return nb.affines.from_matvec(np.eye(3), voxels * image.affine[:3, axis])


def _unwarp_partner(
    reverse_b0: SpatialImage, displacement: SpatialImage, axis: int, ratio: float, to_reverse: np.ndarray
) -> SpatialImage:
    """Reverse image where the undistorted head of the other one is."""
    back = -ratio * displacement.get_fdata(dtype=np.float32)
    to_voxels = np.linalg.inv(reverse_b0.affine) @ to_reverse
    where = np.moveaxis(nb.affines.apply_affine(to_voxels, world_coordinates(displacement)), -1, 0)
    where[axis] += back
    data = np.asarray(reverse_b0.dataobj, np.float32)
    return make_image(map_coordinates(data, where, order=1) * (1 + np.gradient(back, axis=axis)), displacement)


def _correlation(one: SpatialImage, other: SpatialImage, inside: np.ndarray) -> float:
    values = [np.asarray(image.dataobj, np.float32)[inside] for image in (one, other)]
    return float(np.corrcoef(*values)[0, 1])
