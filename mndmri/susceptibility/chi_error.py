"""How wrong a susceptibility map is, from what it leaves of the field unexplained."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import fft, ndimage

from mndmri.gradient_echo.dipole import dipole_kernel

_BIN_PER_MM = 0.02  # width of the shells in which spectra are averaged
_TINY = 1e-12
# A map takes on whatever of the field's error a susceptibility can make: near the magic angle, where none makes a
# field, the error is left whole. The map's own power is known where the dipole's field is large.
_NEARLY_NONE, _ENOUGH = 0.08, 0.2
# No brain is a Gaussian process. On two simulated heads (1 x 1 x 2 mm, with and without 6 ppb of error in the field)
# the error of cortex, nuclei and balls of 123 voxels was 1.3 to 3.2 times that of one, 2.2 times in between.
CALIBRATION = 2.2


class ErrorModel(NamedTuple):
    """Spectra of a map and of what it leaves of the field; all that its error is computed from."""

    unexplained_ppm: float
    """SD of the field's error over the mask, from `unexplained_sd`."""
    frequency: tuple[float, ...]
    """Middle of each shell, 1/mm."""
    left: tuple[float, ...]
    """Power of what is left of the field, ppm^2 mm^3."""
    map: tuple[float, ...]
    """Power of the map, ppm^2 mm^3."""

    def as_json(self) -> dict[str, Any]:
        """As written beside a map; `from_json` reads it."""
        return self._asdict()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ErrorModel":
        """From what `as_json` gave."""
        return cls(float(stored["unexplained_ppm"]), *(tuple(stored[key]) for key in cls._fields[1:]))


class RegionError(NamedTuple):
    """Error of a region's statistics, and what they would be for noise alone."""

    mean: float
    """SD of the error of the mean, ppm: that of the process times `CALIBRATION`."""
    sd: float
    """SD that noise alone would have within the region, ppm."""
    p95: float
    """95th percentile above the mean that noise alone would have, ppm."""
    skewness: float
    """Skewness that noise alone would exceed, up or down, once in 20 times."""


def model_error(
    chi: np.ndarray, left: np.ndarray, mask: np.ndarray, voxel_mm: np.ndarray, b0_axis: np.ndarray
) -> ErrorModel:
    """Spectra in shells of the frequency: of the field's error near the magic angle, of the map away from it.

    Parameters
    ----------
    chi : ndarray, shape (X, Y, Z)
        Map, ppm, its mean over the mask 0.
    left : ndarray, shape (X, Y, Z)
        What it leaves of the field, ppm.
    mask : ndarray of bool
    voxel_mm, b0_axis : ndarray, shape (3,)
        As in `region_error`.
    """
    shape = tuple(fft.next_fast_len(int(n), real=True) for n in mask.shape)
    x, y, z = shape
    dipole = np.abs(dipole_kernel((x, y, z), voxel_mm, b0_axis))
    shells = np.rint(_frequency(shape, voxel_mm) / _BIN_PER_MM).astype(int)
    n_shells, density = int(shells.max()) + 1, np.prod(voxel_mm) / mask.sum()
    power = []
    for part, counted in ((left, dipole < _NEARLY_NONE), (chi, dipole > _ENOUGH)):
        squared = np.abs(fft.rfftn(np.where(mask, part, 0), shape)[counted]) ** 2
        count = np.bincount(shells[counted], minlength=n_shells)
        total = np.bincount(shells[counted], squared, minlength=n_shells) * density
        seen = np.flatnonzero(count)  # the corners of k-space have few frequencies
        power.append(np.interp(np.arange(n_shells), seen, total[seen] / count[seen]))
    # to four digits: the last ones differ from machine to machine
    left_power, map_power = (tuple(float(f"{value:.4g}") for value in part) for part in power)
    middle = tuple(round(float(n), 4) for n in _BIN_PER_MM * np.arange(n_shells))
    return ErrorModel(float(f"{unexplained_sd(left, mask, voxel_mm, b0_axis):.4g}"), middle, left_power, map_power)


def unexplained_sd(left: np.ndarray, mask: np.ndarray, voxel_mm: np.ndarray, b0_axis: np.ndarray) -> float:
    """SD of the error of a field, from what a map leaves of it near the magic angle, where no map could have made it.

    Parameters
    ----------
    left : ndarray, shape (X, Y, Z)
        What a map leaves of the field, in any unit.
    mask, voxel_mm, b0_axis
        As in `model_error`.
    """
    x, y, z = (fft.next_fast_len(int(n), real=True) for n in mask.shape)
    cone = np.abs(dipole_kernel((x, y, z), voxel_mm, b0_axis)) < _NEARLY_NONE
    spectrum = fft.rfftn(np.where(mask, left, 0).astype(np.float32), (x, y, z))[cone]
    return float(np.sqrt(np.mean(np.abs(spectrum) ** 2) / mask.sum()))


def region_error(region: np.ndarray, voxel_mm: np.ndarray, b0_axis: np.ndarray, model: ErrorModel) -> RegionError:
    """Error of the mean over a region, and what noise alone does to its spread.

    A map and its field are taken for a Gaussian process: where the dipole's field is ``D`` times the map in k-space,
    the map's power ``M`` and that of the field's error ``E``, what remains unknown of the map has the power
    ``1 / (1/M + D^2/E)``: near the magic angle all of the map, elsewhere the noise. Of that, the noise alone is
    ``(D M)^2 E / (D^2 M + E)^2``.

    Parameters
    ----------
    region : ndarray of bool, shape (X, Y, Z)
        Not empty.
    voxel_mm : ndarray, shape (3,)
    b0_axis : ndarray, shape (3,)
        Direction of the main field along the array's axes, unit length.
    model : ErrorModel

    Returns
    -------
    RegionError
    """
    (box,) = ndimage.find_objects(region.astype(np.uint8))
    part = region[box]
    n = int(part.sum())
    shape = tuple(fft.next_fast_len(2 * int(size) + 8, real=True) for size in part.shape)
    spectrum = np.abs(fft.rfftn(part.astype(np.float32) / n, shape)) ** 2
    unknown, noise = _powers(shape, voxel_mm, b0_axis, model)
    per_mm3 = 1 / np.prod(voxel_mm)  # from a power in ppm^2 mm^3 to a voxel's variance
    mean = float(fft.irfftn(spectrum * unknown, shape)[0, 0, 0]) * per_mm3
    noise_at = fft.irfftn(noise, shape) * per_mm3  # covariance of two voxels by their distance
    noise_mean = float(fft.irfftn(spectrum * noise, shape)[0, 0, 0]) * per_mm3
    variance = max((float(noise_at[0, 0, 0]) - noise_mean) * n / max(n - 1, 1), 0.0)
    pairs = fft.irfftn(spectrum, shape)  # share of the pairs of voxels at each distance
    alike = float((pairs * (noise_at / max(float(noise_at[0, 0, 0]), _TINY)) ** 3).sum())
    skewness = 1.96 * np.sqrt(6 * max(alike, 1 / n))
    return RegionError(
        CALIBRATION * float(np.sqrt(max(mean, 0.0))),
        float(np.sqrt(variance)),
        1.645 * float(np.sqrt(variance)),
        skewness,
    )


def _powers(
    shape: tuple[int, ...], voxel_mm: np.ndarray, b0_axis: np.ndarray, model: ErrorModel
) -> tuple[np.ndarray, np.ndarray]:
    """Power of what is unknown of the map, and of the noise in it, ppm^2 mm^3, as `scipy.fft.rfftn` orders it."""
    frequency = _frequency(shape, voxel_mm)
    left, whole = (np.interp(frequency, model.frequency, part) + _TINY for part in (model.left, model.map))
    x, y, z = shape
    squared = dipole_kernel((x, y, z), voxel_mm, b0_axis) ** 2
    unknown = 1 / (1 / whole + squared / left)
    noise = squared * whole**2 * left / (squared * whole + left) ** 2
    unknown[0, 0, 0] = noise[0, 0, 0] = 0.0  # the map is relative to its mean
    return unknown, noise


def _frequency(shape: tuple[int, ...], voxel_mm: np.ndarray) -> np.ndarray:
    """Length of the wave vectors, 1/mm, as `scipy.fft.rfftn` orders them."""
    axes = [fft.fftfreq(n, v) for n, v in zip(shape[:2], voxel_mm[:2], strict=True)]
    axes.append(fft.rfftfreq(shape[2], voxel_mm[2]))
    return np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))
