"""The magnetic field that a distribution of susceptibility makes."""

import numpy as np
from scipy import fft

GYROMAGNETIC_RATIO_HZ = 42.577e6  # protons, Hz/T

_PADDING_MM = 40.0


def dipole_kernel(shape: tuple[int, int, int], voxel_mm: np.ndarray, b0_axis: np.ndarray) -> np.ndarray:
    """The dipole's field in k-space, as `scipy.fft.rfftn` orders its frequencies.

    Parameters
    ----------
    shape : three ints
        Of the array to be transformed.
    voxel_mm : three floats
    b0_axis : ndarray, shape (3,)
        Direction of the main field along the array's axes, unit length.

    Returns
    -------
    ndarray, shape (X, Y, Z // 2 + 1), float32
        ``1/3 - (k.b)^2 / k^2``, with the sphere of Lorentz; 0 at the origin.

    References
    ----------
    Marques and Bowtell 2005, Concepts Magn Reson B 25:65.
    """
    frequencies = [fft.fftfreq(n, v).astype(np.float32) for n, v in zip(shape[:2], voxel_mm[:2], strict=True)]
    frequencies.append(fft.rfftfreq(shape[2], voxel_mm[2]).astype(np.float32))
    kx, ky, kz = np.meshgrid(*frequencies, indexing="ij", sparse=True)
    squared = kx**2 + ky**2 + kz**2
    squared[0, 0, 0] = 1.0
    kernel = 1 / 3 - (kx * b0_axis[0] + ky * b0_axis[1] + kz * b0_axis[2]) ** 2 / squared
    kernel[0, 0, 0] = 0.0
    return kernel.astype(np.float32)


def dipole_field(susceptibility: np.ndarray, voxel_mm: np.ndarray, b0_axis: np.ndarray) -> np.ndarray:
    """Field offset that a susceptibility distribution makes.

    Parameters
    ----------
    susceptibility : ndarray, shape (X, Y, Z)
        ppm, 0 outside the array.
    voxel_mm, b0_axis
        As in `dipole_kernel`.

    Returns
    -------
    ndarray, shape (X, Y, Z)
        Along the main field, ppm of it.
    """
    padded = np.array(susceptibility.shape) + _PADDING_MM / voxel_mm
    shape = tuple(fft.next_fast_len(int(n), real=True) for n in padded)
    spectrum = fft.rfftn(susceptibility.astype(np.float32), shape)
    spectrum *= dipole_kernel(shape, voxel_mm, b0_axis)
    x, y, z = susceptibility.shape
    return fft.irfftn(spectrum, shape)[:x, :y, :z]
