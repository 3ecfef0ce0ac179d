"""Phase of echoes that are read in alternating directions (bipolar readout)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid, make_image

MIN_ECHOES = 3
# Over the voxels with signal, radians: less is no readout, but flow, noise and rounding.
MIN_TERM_RAD = 0.2
# Mean cosine of what the line leaves, 1 where it leaves nothing: lower is no line.
MIN_COHERENCE = 0.5
_SAME_SPACING = 1.02  # echo spacings within 2% are one: sidecars round them


class Alternation(NamedTuple):
    """Phase that is added to the first echo, taken from the second, and so on: linear in space."""

    slope_rad: np.ndarray
    """Radians a voxel along each array axis, shape (3,)."""
    constant_rad: float
    """Radians at the array's first voxel; but for multiples of a quarter turn, which three echoes cannot tell."""

    def at(self, shape: Sequence[int]) -> np.ndarray:
        """Radians in each voxel of an array of this shape, float32."""
        axes = np.ogrid[tuple(slice(size) for size in shape)]
        line = sum(slope * axis for slope, axis in zip(self.slope_rad, axes, strict=True))
        return np.asarray(self.constant_rad + line, np.float32)


def undo_readout_alternation(
    magnitude: Sequence[SpatialImage], phase: Sequence[SpatialImage], *, echo_times_s: Sequence[float]
) -> tuple[list[SpatialImage], Alternation | None]:
    """Phases as if all echoes were read in one direction, and what was taken out; None where nothing had to be.

    Echoes read forwards and backwards in turn differ by delays of the gradients and by eddy currents, to first order
    a phase that is linear along the readout and changes its sign from echo to echo. The combination of three
    neighbouring echoes in which both a common phase and one that grows with time cancel is four times this term;
    its steps from voxel to voxel need no unwrapping.

    Parameters
    ----------
    magnitude, phase : sequence of SpatialImage
        One 3D image an echo on one grid, in the order of the echoes; phase in radians.
    echo_times_s : sequence of float
        Seconds, in the same order. Fewer than three echoes, or unevenly spaced ones, are returned as they are.

    References
    ----------
    Lu et al. 2008, Magn Reson Med 60:198; Li et al. 2015, Magn Reson Imaging 33:1293.
    """
    check_same_grid(*magnitude, *phase)
    spacing = np.diff(echo_times_s)
    if len(phase) < MIN_ECHOES or (spacing <= 0).any() or spacing.max() > _SAME_SPACING * spacing.min():
        return list(phase), None
    found = _alternation(
        np.stack([np.asarray(image.dataobj, np.float32) for image in magnitude]),
        np.stack([np.asarray(image.dataobj, np.float32) for image in phase]),
    )
    if found is None:
        return list(phase), None
    term = found.at(phase[0].shape)
    corrected: list[SpatialImage] = []
    for number, image in enumerate(phase):
        own = np.asarray(image.dataobj, np.float32) - (term if number % 2 == 0 else -term)
        corrected.append(make_image(np.angle(np.exp(1j * own)).astype(np.float32), image))
    return corrected, found


def _alternation(magnitude: np.ndarray, phase: np.ndarray) -> Alternation | None:
    """Alternating term of echoes, arrays (echoes, x, y, z); None if it is none."""
    fourfold = np.zeros(phase.shape[1:], np.complex64)
    for first in range(len(phase) - 2):
        combined = phase[first] - 2 * phase[first + 1] + phase[first + 2]
        weight = magnitude[first : first + 3].min(axis=0)
        fourfold += weight * np.exp(1j * (combined if first % 2 == 0 else -combined))
    seen = np.abs(fourfold) > 0.2 * np.percentile(np.abs(fourfold), 99)  # not air
    fourfold[~seen] = 0
    slope = np.array([np.angle(_steps(fourfold, axis).sum()) / 4 for axis in range(3)])
    line = Alternation(slope, 0.0).at(fourfold.shape)
    rest = (fourfold * np.exp(-4j * line)).sum()
    term = line[seen]
    if not seen.any() or np.ptp(term) < MIN_TERM_RAD or np.abs(rest) < MIN_COHERENCE * np.abs(fourfold).sum():
        return None
    return Alternation(slope, float(np.angle(rest) / 4))


def _steps(field: np.ndarray, axis: int) -> np.ndarray:
    """Each voxel times the conjugate of the one before it along an axis."""
    after = np.take(field, range(1, field.shape[axis]), axis)
    return after * np.take(field, range(field.shape[axis] - 1), axis).conj()
