"""Phase images as radians, whatever the scale a scanner stored them on."""

from typing import NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image
from mndmri.io import InputError


class Convention(NamedTuple):
    """A way of storing a phase: its lowest and highest value, and one full turn."""

    low: float
    high: float
    turn: float


CONVENTIONS = {
    "radians": Convention(-np.pi, np.pi, 2 * np.pi),
    "radians_positive": Convention(0.0, 2 * np.pi, 2 * np.pi),
    "milliradians": Convention(-1000 * np.pi, 1000 * np.pi, 2000 * np.pi),  # Philips and GE, rescaled
    "siemens_signed": Convention(-4096.0, 4096.0, 8192.0),  # Siemens as dcm2niix rescales it
    "siemens_unsigned": Convention(0.0, 4095.0, 4096.0),  # Siemens as stored, 12 bit
}

# A wrapped phase fills its range: values short of nine tenths of it belong to another scale.
_MIN_COVERAGE = 0.9
# Quantisation and rescaling overshoot a limit by this fraction of a turn.
_TOLERANCE = 1e-3
# Neighbouring voxels more than half a turn apart: wraps and noise. In phase images of two 3 T scanners they
# were 2 to 5 % of neighbours, in magnitude images stretched over the same range less than 0.02 %.
_MIN_WRAPPED = 1e-3


def detect_convention(phase: SpatialImage) -> str:
    """Name of the scale (a key of `CONVENTIONS`) on which a wrapped phase image is stored.

    Parameters
    ----------
    phase : SpatialImage
        3D or 4D. Zeros count as background.

    Raises
    ------
    InputError
        If the values are constant, on no known scale (degrees, an unwrapped phase, a field map), or
        never wrap (a magnitude image).
    """
    data = np.asarray(phase.dataobj, np.float32)
    finite = data[np.isfinite(data)]
    if finite.size == 0 or np.ptp(finite) == 0:
        raise InputError(
            "the phase image is constant "
            f"({'no finite value' if finite.size == 0 else f'{finite.flat[0]:g} everywhere'}); give the phase series"
        )
    low, high = float(finite.min()), float(finite.max())
    fits = [
        name
        for name, scale in CONVENTIONS.items()
        if low >= scale.low - _TOLERANCE * scale.turn
        and high <= scale.high + _TOLERANCE * scale.turn
        and high - low >= _MIN_COVERAGE * (scale.high - scale.low)
    ]
    if len(fits) != 1:
        raise InputError(
            f"values from {low:g} to {high:g} are no known phase scale; expected values that fill one of "
            + ", ".join(f"{name} ({s.low:.5g} to {s.high:.5g})" for name, s in CONVENTIONS.items())
            + ". Rescale the image, or name its scale if its phase does not wrap"
        )
    wrapped = _wrapped_fraction(data, CONVENTIONS[fits[0]].turn)
    if wrapped < _MIN_WRAPPED:
        raise InputError(
            f"values from {low:g} to {high:g} look like the scale {fits[0]}, but only {wrapped:.2%} of neighbouring "
            "voxels differ by more than half a turn: a wrapped phase has such jumps, a magnitude image has not; "
            "give the phase series (part-phase)"
        )
    return fits[0]


def _wrapped_fraction(data: np.ndarray, turn: float) -> float:
    """Fraction of non-zero neighbours, along the first three axes, more than half a turn apart."""
    jumps = pairs = 0
    for axis in range(3):
        n = data.shape[axis]
        one, other = data.take(range(n - 1), axis), data.take(range(1, n), axis)
        both = (one != 0) & (other != 0)
        jumps += int((np.abs(one - other)[both] > turn / 2).sum())
        pairs += int(both.sum())
    return jumps / max(pairs, 1)


def to_radians(phase: SpatialImage, *, convention: str | None = None) -> SpatialImage:
    """Phase image in radians, from -pi to pi.

    Parameters
    ----------
    phase : SpatialImage
        3D or 4D, on any scale of `CONVENTIONS`.
    convention : str, optional
        The scale, where it is known from a header or sidecar; detected from the values by default.

    Returns
    -------
    SpatialImage
        float32, on the same grid.

    Raises
    ------
    InputError
        If the scale cannot be told, is unknown, or does not hold the values.
    """
    if convention is None:
        convention = detect_convention(phase)
    if convention not in CONVENTIONS:
        raise InputError(f"phase scale '{convention}' is unknown; use one of {', '.join(CONVENTIONS)}")
    scale = CONVENTIONS[convention]
    data = np.asarray(phase.dataobj, np.float64)
    low, high = float(np.nanmin(data)), float(np.nanmax(data))
    slack = _TOLERANCE * scale.turn
    if low < scale.low - slack or high > scale.high + slack or low == high:
        raise InputError(
            f"values from {low:g} to {high:g} are not a phase on the scale {convention}, "
            f"{scale.low:.5g} to {scale.high:.5g}; correct the scale or the image"
        )
    # 0 to 4095 stands for -pi to pi (DICOM rescaling), 0 to 2 pi for itself
    origin = scale.turn / 2 if convention == "siemens_unsigned" else 0.0
    angle = np.nan_to_num(data - origin) * (2 * np.pi / scale.turn)
    return make_image(np.angle(np.exp(1j * angle)).astype(np.float32), phase)
