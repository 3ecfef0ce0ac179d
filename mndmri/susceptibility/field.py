"""The magnetic field in the brain, from the phase of one or more gradient echoes."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from skimage.restoration import unwrap_phase

from mndmri.gradient_echo.dipole import GYROMAGNETIC_RATIO_HZ
from mndmri.gradient_echo.echoes import check_echo_times
from mndmri.grids import bounding_box, check_same_grid, make_image, uncrop, voxel_sizes
from mndmri.io import InputError
from mndmri.robust import MAD_TO_SD

Unwrapper = Literal["skimage", "romeo"]

# Weighted mean cosine of what the echoes' phases leave of the fitted line: a standard deviation of about 40 degrees.
# At an SNR of 3 at time 0, 5 echoes, 0.2 % of the voxels left were off by a turn, without this bound 1 %.
MIN_AGREEMENT = 0.8

# The phase of coils and of the transmitted field varies over centimetres, that of veins and cortex over millimetres.
_OFFSET_SMOOTHING_MM = 5.0
# Each further pass smooths what the last one left, so that a slope is not bent at the brain's edge.
_OFFSET_PASSES = 5
_SAME_SPACING = 1.02  # echo spacings within 2 % are one: sidecars round them
# Radians from a voxel to the next. In simulated heads with a frontal sinus of one to three times the strength of air,
# 1 to 5 echoes, SNR 8 and more, no voxel left was off by a turn; with half a turn here, and all that hangs on the
# rest by a voxel kept, up to 0.7 % of the brain were.
_MAX_STEP = 0.75 * np.pi
_ROUNDING = 1e-3  # by which a stored phase may exceed half a turn, radians


class Field(NamedTuple):
    """Offset of the magnetic field from what the scanner was tuned to, but for a constant."""

    ppm: SpatialImage
    """Of the main field, positive where the phase grows; float32, 0 outside the mask."""
    reliable: SpatialImage
    """Mask (uint8) of the voxels whose field is unwrapped correctly; holes are usual."""
    noise_ppm: SpatialImage
    """Standard deviation of the field's thermal noise; float32, 0 outside the mask."""
    note: str


def estimate_field(
    magnitude: Sequence[SpatialImage],
    phase: Sequence[SpatialImage],
    mask: SpatialImage,
    *,
    echo_times_s: Sequence[float],
    field_strength_T: float,
    unwrapper: Unwrapper = "skimage",
) -> Field:
    """Total field offset, of the tissue and of its surroundings.

    Several echoes: the phase that grows between neighbouring echoes, free of the coils' and of most wraps, is
    unwrapped in space; what the first echo has besides, smoothed, is the offset common to all echoes; later
    echoes, each unwrapped by what the earlier ones predict, sharpen the field, weighted by squared magnitude
    times echo time. A single echo is unwrapped in space.

    Parameters
    ----------
    magnitude, phase : sequence of SpatialImage
        One 3D image an echo, in the same order, on one grid; phase in radians, -pi to pi (`phase.to_radians`).
    mask : SpatialImage
        Brain.
    echo_times_s : sequence of float
        Seconds.
    field_strength_T : float
        Tesla.
    unwrapper : {'skimage', 'romeo'}
        Spatial unwrapping by scikit-image (Abdul-Rahman et al. 2005) or, where the optional package warpkit is
        installed, by ROMEO (Dymerska et al. 2021).

    Returns
    -------
    Field
        The constant that a gradient echo does not determine is chosen such that the median over the mask is 0 for a
        single echo, and less than half a turn between echoes for several.

    Raises
    ------
    InputError
        If the echoes do not pair up, grids differ, the phase is not in radians, echo times or field strength are
        not plausible, the mask contains no signal, or warpkit is needed and not installed.

    References
    ----------
    Abdul-Rahman et al. 2005, Proc SPIE 5856:32. Dymerska et al. 2021, Magn Reson Med 85:2294. Common offset:
    Eckstein et al. 2018, Magn Reson Med 79:2996. Weights: Wu et al. 2012, NeuroImage 59:297.
    """
    times = _check(magnitude, phase, mask, echo_times_s, field_strength_T)
    box = bounding_box(mask)
    first_to_last = np.argsort(times)
    times = times[first_to_last]
    signal = np.stack([_signal(magnitude[e], phase[e], box) for e in first_to_last])
    inside = (np.asarray(mask.dataobj)[box] > 0.5) & (np.abs(signal) > 0).any(axis=0)
    if not inside.any():
        raise InputError("the mask contains no voxel with signal; check that mask and magnitude are of one scan")

    power = np.abs(signal[:, inside]) ** 2
    if len(times) == 1:
        step = times[0]
        rate = _unwrap(signal[0], inside, unwrapper) / step
        rate -= np.median(rate)
        agreement = np.ones_like(rate)
    else:
        rate, step = _rate_between_echoes(signal, inside, times, unwrapper)
        offset = _common_offset(signal[0], inside, rate * times[0], voxel_sizes(mask))
        rate, agreement = _fit_rate(signal[:, inside] * np.exp(-1j * offset), power, times, rate)

    spread = 1 / np.sqrt(np.tensordot(times**2, power, 1))  # of the rate, for a noise of 1 in the signal
    noise = _noise(_filled(rate, inside), _filled(spread, inside), inside)
    reliable = _without_jumps(_filled(rate * step, inside), _filled(agreement >= MIN_AGREEMENT, inside))

    to_ppm = 1e6 / (2 * np.pi * GYROMAGNETIC_RATIO_HZ * field_strength_T)
    name = {"skimage": "scikit-image", "romeo": "ROMEO"}[unwrapper]
    echoes = "1 echo" if len(times) == 1 else f"{len(times)} echoes"
    return Field(
        _image(_filled(rate * to_ppm, inside), box, mask),
        _image(reliable, box, mask),
        _image(_filled(noise * spread * to_ppm, inside), box, mask),
        f"{echoes}, unwrapped by {name}; reliable in {reliable.sum() / inside.sum():.1%} of the mask",
    )


def _check(
    magnitude: Sequence[SpatialImage],
    phase: Sequence[SpatialImage],
    mask: SpatialImage,
    echo_times_s: Sequence[float],
    field_strength: float,
) -> np.ndarray:
    """Echo times as an array, if the input is valid."""
    if not (len(magnitude) == len(phase) == len(echo_times_s)) or not magnitude:
        raise InputError(
            f"{len(magnitude)} magnitude images, {len(phase)} phase images and {len(echo_times_s)} echo times; "
            "give one of each for every echo"
        )
    check_same_grid(mask, *magnitude, *phase)
    times = check_echo_times(echo_times_s, n_echoes=len(phase))
    if not field_strength > 0:
        raise InputError(f"field strength {field_strength:g} T; expected more than 0: see MagneticFieldStrength")
    for image in phase:
        most = float(np.nanmax(np.abs(np.asarray(image.dataobj))))
        if most > np.pi + _ROUNDING:
            raise InputError(f"a phase of {most:g}, expected -pi to pi; convert it with phase.to_radians")
    return times


def _signal(magnitude: SpatialImage, phase: SpatialImage, box: tuple[slice, ...]) -> np.ndarray:
    """Complex signal of an echo; 0 where there is none."""
    size, angle = (np.asarray(image.dataobj)[box].astype(np.float32) for image in (magnitude, phase))
    return np.nan_to_num(np.maximum(size, 0) * np.exp(1j * angle)).astype(np.complex64)


def _filled(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Values of the voxels inside as a volume, 0 outside."""
    volume = np.zeros(inside.shape, values.dtype)
    volume[inside] = values
    return volume


def _image(part: np.ndarray, box: tuple[slice, slice, slice], mask: SpatialImage) -> SpatialImage:
    """Part of a volume as an image on the whole grid, float32, or 0 and 1."""
    part = part if part.dtype == bool else part.astype(np.float32)
    return uncrop(make_image(part, mask.slicer[box]), box, mask)


def _unwrap(signal: np.ndarray, inside: np.ndarray, unwrapper: Unwrapper) -> np.ndarray:
    """Unwrapped phase of a complex volume, radians, of the voxels inside."""
    angle = np.angle(signal)
    if unwrapper == "skimage":
        return unwrap_phase(np.ma.array(angle, mask=~inside), rng=0).data[inside]
    if unwrapper != "romeo":
        raise InputError(f"unwrapping '{unwrapper}' is unknown; use skimage or romeo")
    try:
        from warpkit import romeo_unwrap3d
    except ImportError:
        raise InputError(
            "unwrapping by ROMEO needs the package warpkit, 1.5 or newer (free for non-commercial use), which is not "
            "installed; run 'pip install warpkit', or use the built-in unwrapping, skimage"
        ) from None
    return romeo_unwrap3d(angle, weights="romeo", mag=np.abs(signal), mask=inside).astype(float)[inside]


def _rate_between_echoes(
    signal: np.ndarray, inside: np.ndarray, times: np.ndarray, unwrapper: Unwrapper
) -> tuple[np.ndarray, float]:
    """Growth of the phase in rad/s from the closest neighbouring echoes, and their spacing in seconds."""
    gaps = np.diff(times)
    close = np.flatnonzero(gaps <= _SAME_SPACING * gaps.min())
    step = float(gaps[close].mean())
    growth = sum(signal[e + 1] * np.conj(signal[e]) for e in close)
    radians = _unwrap(growth, inside, unwrapper)
    radians -= 2 * np.pi * np.rint(np.median(radians) / (2 * np.pi))
    return radians / step, step


def _common_offset(signal: np.ndarray, inside: np.ndarray, grown: np.ndarray, voxel_mm: np.ndarray) -> np.ndarray:
    """Phase at time 0 of the voxels inside: what an echo has besides the phase that has grown, smoothed."""
    width = _OFFSET_SMOOTHING_MM / voxel_mm
    left = _filled(np.abs(signal[inside]) * signal[inside] * np.exp(-1j * grown), inside)  # weight: squared magnitude
    offset = np.zeros(len(grown))
    for _ in range(_OFFSET_PASSES):
        found = np.angle(ndimage.gaussian_filter(left, width, mode="constant", truncate=3.0))[inside]
        left[inside] *= np.exp(-1j * found)
        offset += found
    return offset


def _fit_rate(
    signal: np.ndarray, power: np.ndarray, times: np.ndarray, rate: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Growth of the phase in rad/s that fits all echoes, and how well they agree on it, -1 to 1.

    Echoes join one by one: what the earlier ones predict of the next is good to less than half a turn.
    """
    rate = rate.copy()
    for last in range(2, len(times) + 1):
        towards = np.zeros_like(rate)
        for echo, weight, time in zip(signal[:last], power, times, strict=False):
            towards += weight * time * np.angle(echo * np.exp(-1j * rate * time))
        total = np.tensordot(times[:last] ** 2, power[:last], 1)
        rate += np.divide(towards, total, out=np.zeros_like(rate), where=total > 0)
    left = sum(np.abs(e) * (e * np.exp(-1j * rate * t)).real for e, t in zip(signal, times, strict=True))
    return rate, left / power.sum(axis=0)


def _neighbours(axis: int, count: int) -> list[tuple[slice, ...]]:
    """Where the first, second, ... of ``count`` voxels in a row along an axis lie in a volume."""
    return [
        tuple(slice(k, k - count + 1 or None) if a == axis else slice(None) for a in range(3)) for k in range(count)
    ]


def _noise(rate: np.ndarray, spread: np.ndarray, inside: np.ndarray) -> float:
    """Standard deviation of the noise in the signal, from the bends of the field between three voxels in a row.

    The field's own curvature adds to it: the lowest of the three axes is nearest to the truth.
    """
    found = []
    for axis in range(3):
        rows = _neighbours(axis, 3)
        whole = inside[rows[0]] & inside[rows[1]] & inside[rows[2]]
        if whole.any():
            before, here, after = (rate[row][whole] for row in rows)
            variance = sum(f * spread[row][whole] ** 2 for f, row in zip((1, 4, 1), rows, strict=True))
            found.append(float(np.median(np.abs(before - 2 * here + after) / np.sqrt(variance))))
    # to four digits: what is more changes a weighted map in the sixth
    return min(found, default=0.0) * round(MAD_TO_SD, 4)


def _without_jumps(phase: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Largest part of the trusted voxels through which the unwrapped phase (radians) runs smoothly.

    Left out are neighbours too far apart, whichever is wrong (noise; both sides of an open-ended fringe's seam),
    and what hangs on the rest by less than a voxel and all its neighbours: the inside of places where the slope is
    steeper than half a turn a voxel, which nothing can unwrap.
    """
    smooth = trusted.copy()
    for axis in range(3):
        low, high = _neighbours(axis, 2)
        apart = trusted[low] & trusted[high] & (np.abs(phase[low] - phase[high]) > _MAX_STEP)
        smooth[low] &= ~apart
        smooth[high] &= ~apart
    core, _ = ndimage.label(ndimage.binary_erosion(smooth))
    sizes = np.bincount(core.ravel())
    sizes[0] = 0
    return ndimage.binary_dilation((core == sizes.argmax()) & (core > 0)) & smooth
