"""Phase images as radians, whatever the scale a scanner stored them on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid, make_image
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

# What BIDS lets a phase's sidecar say under Units
UNITS = ("rad", "arbitrary")
_DEGREES = (Convention(-180.0, 180.0, 360.0), Convention(0.0, 360.0, 360.0))

# A wrapped phase fills its range: values short of nine tenths of it belong to another scale.
_MIN_COVERAGE = 0.9
# Quantisation and rescaling overshoot a limit by this fraction of a turn.
_TOLERANCE = 1e-3
# Neighbouring voxels more than half a turn apart: wraps and noise. In phase images of two 3 T scanners they
# were 2 to 5 % of neighbours, in magnitude images stretched over the same range less than 0.02 %.
_MIN_WRAPPED = 1e-3
# A filter or an interpolation may leave a magnitude this fraction of values below 0.
_MAX_NEGATIVE = 0.01
# Mean cosine between neighbouring slices, weighted by the signal, under which their phases alternate by half a
# turn. In the dual-echo scan of a 3 T scanner it was 0.97 to 0.98 along every axis, so -0.97 with alternation.
_ALTERNATING = -0.5


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
    fits = [name for name, scale in CONVENTIONS.items() if _fills(low, high, scale)]
    if len(fits) != 1:
        degrees = any(_fills(low, high, scale) for scale in _DEGREES)
        raise InputError(
            f"values from {low:g} to {high:g} match no known phase scale; expected values that fill one of "
            + ", ".join(f"{name} ({s.low:.5g} to {s.high:.5g})" for name, s in CONVENTIONS.items())
            + (". They look like degrees: multiply by pi / 180" if degrees else "")
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


def _holds(low: float, high: float, scale: Convention) -> bool:
    """Whether values from low to high lie on a scale."""
    slack = _TOLERANCE * scale.turn
    return low >= scale.low - slack and high <= scale.high + slack


def _fills(low: float, high: float, scale: Convention) -> bool:
    """Whether values from low to high lie on a scale and fill it."""
    return _holds(low, high, scale) and high - low >= _MIN_COVERAGE * (scale.high - scale.low)


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


def check_magnitude(magnitude: SpatialImage) -> None:
    """Raise `InputError` if what should be a magnitude is a phase.

    Parameters
    ----------
    magnitude : SpatialImage
        3D or 4D.

    Raises
    ------
    InputError
        If the values fill and wrap on a phase's scale, or more than 1 % of them are negative.
    """
    data = np.asarray(magnitude.dataobj)
    negative = float((data < 0).mean())
    try:
        found = f"a phase on the scale {detect_convention(magnitude)}"
    except InputError:  # no phase, as it should be
        if negative <= _MAX_NEGATIVE:
            return
        found = f"negative in {negative:.0%} of its voxels"
    raise InputError(f"the magnitude image is {found}; give the magnitude series (part-mag)")


def to_radians(phase: SpatialImage, *, convention: str | None = None, units: str | None = None) -> SpatialImage:
    """Phase image in radians, from -pi to pi.

    Parameters
    ----------
    phase : SpatialImage
        3D or 4D, on any scale of `CONVENTIONS`.
    convention : str, optional
        The scale, where it is known; detected from the values by default.
    units : str, optional
        ``Units`` of the sidecar: ``rad`` is compared with the values, and determines the scale of a phase of narrow
        range; ``arbitrary`` leaves it to the values.

    Returns
    -------
    SpatialImage
        float32, on the same grid.

    Raises
    ------
    InputError
        If the scale is ambiguous, unknown, does not contain the values, or contradicts the units.
    """
    if units is not None and units not in UNITS:
        raise InputError(
            f"the sidecar gives the phase in '{units}', expected {' or '.join(UNITS)}; "
            "give the phase series (part-phase), not a field map, or correct Units"
        )
    if convention is None:
        convention = _declared_radians(phase) if units == "rad" else detect_convention(phase)
    if convention not in CONVENTIONS:
        raise InputError(f"phase scale '{convention}' is unknown; use one of {', '.join(CONVENTIONS)}")
    scale = CONVENTIONS[convention]
    data = np.asarray(phase.dataobj, np.float64)
    low, high = float(np.nanmin(data)), float(np.nanmax(data))
    if units == "rad" and scale.turn != 2 * np.pi:
        raise InputError(f"the sidecar gives the phase in rad, the scale is named {convention}; correct one of them")
    if not _holds(low, high, scale) or low == high:
        raise InputError(
            f"values from {low:g} to {high:g} are not a phase on the scale {convention}, "
            f"{scale.low:.5g} to {scale.high:.5g}; correct the scale or the image"
        )
    # 0 to 4095 stands for -pi to pi (DICOM rescaling), 0 to 2 pi for itself
    origin = scale.turn / 2 if convention == "siemens_unsigned" else 0.0
    angle = np.nan_to_num(data - origin) * (2 * np.pi / scale.turn)
    return make_image(np.angle(np.exp(1j * angle)).astype(np.float32), phase)


def _declared_radians(phase: SpatialImage) -> str:
    """The scale in radians that holds a phase whose sidecar says it is in radians."""
    data = np.asarray(phase.dataobj, np.float64)
    low, high = float(np.nanmin(data)), float(np.nanmax(data))
    for name in ("radians", "radians_positive"):
        if _holds(low, high, CONVENTIONS[name]):
            return name
    raise InputError(
        f"the sidecar gives the phase in rad, but its values run from {low:g} to {high:g}: more than one turn; "
        "correct Units to arbitrary if the image is on a scanner's scale, or give the wrapped phase"
    )


def undo_slice_alternation(
    magnitude: Sequence[SpatialImage], phase: Sequence[SpatialImage]
) -> tuple[list[SpatialImage], tuple[int, ...]]:
    """Phase without the half turn from slice to slice that some GE scanners leave in, and where it was.

    Parameters
    ----------
    magnitude, phase : sequence of SpatialImage
        One 3D image an echo, on one grid; phase in radians.

    Returns
    -------
    phase : list of SpatialImage
        Radians, -pi to pi, float32; as given where nothing alternates.
    axes : tuple of int
        Array axes along which the phase alternated; usually none.

    Raises
    ------
    InputError
        If magnitudes and phases do not pair up or grids differ.
    """
    if len(magnitude) != len(phase) or not magnitude:
        raise InputError(f"{len(magnitude)} magnitude and {len(phase)} phase images; give one of each for every echo")
    check_same_grid(*magnitude, *phase)
    along, size = np.zeros(3), np.zeros(3)
    for mag, pha in zip(magnitude, phase, strict=True):
        signal = np.nan_to_num(np.asarray(mag.dataobj) * np.exp(1j * np.asarray(pha.dataobj, np.float32)))
        for axis in range(3):
            product = np.conj(signal.take(range(1, signal.shape[axis]), axis)) * signal.take(
                range(signal.shape[axis] - 1), axis
            )
            along[axis] += product.real.sum()
            size[axis] += np.abs(product).sum()
    axes = tuple(int(axis) for axis in np.flatnonzero(along < _ALTERNATING * size))
    if not axes:
        return list(phase), axes
    odd = np.indices(phase[0].shape)[list(axes)].sum(axis=0) % 2 == 1
    straight: list[SpatialImage] = []
    for image in phase:
        data = np.asarray(image.dataobj, np.float64)
        turned = data - np.where(data > 0, np.pi, -np.pi)  # half a turn either way, within -pi to pi
        straight.append(make_image(np.where(odd, turned, data).astype(np.float32), image))
    return straight, axes
