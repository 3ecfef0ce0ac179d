"""Phase that the scanner has high-pass filtered, as product SWI sequences do: of no use in ppm."""

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.gradient_echo.dipole import GYROMAGNETIC_RATIO_HZ
from mndmri.grids import check_same_grid, voxel_sizes

_SMOOTH_MM = 8.0  # SD; a filter of 16 lines or more leaves nothing that is so smooth
# Median slow field in the brain, ppm. Air and the shim left 0.012 to 0.21 (simulated heads, one real scan),
# filters of 16 to 32 lines less than 0.0015.
LEAST_SLOW_PPM = 0.005


def slow_field_ppm(
    magnitude: SpatialImage, phase: SpatialImage, mask: SpatialImage, *, echo_time_s: float, field_strength_T: float
) -> float:
    """How far the smooth part of the field is from its mean, ppm: median over a mask.

    Parameters
    ----------
    magnitude, phase : SpatialImage
        One echo, the phase in radians, wrapped.
    mask : SpatialImage
        The brain.
    echo_time_s : float
        Seconds.
    field_strength_T : float
        Tesla.

    Notes
    -----
    The signal is smoothed as a complex number, so that nothing need be unwrapped. Where the field is steep, the
    smooth part is small and its angle says little: it counts by its size.
    """
    check_same_grid(magnitude, phase, mask)
    inside = np.asarray(mask.dataobj) > 0
    weight = np.asarray(magnitude.dataobj, np.float32) * inside
    angle = np.asarray(phase.dataobj, np.float32)
    sd = _SMOOTH_MM / voxel_sizes(magnitude)
    real, imaginary = (ndimage.gaussian_filter(weight * part(angle), sd)[inside] for part in (np.cos, np.sin))
    smooth = real + 1j * imaginary
    off = np.abs(np.angle(smooth * np.conj(smooth.sum())))
    order = np.argsort(off)
    size = np.cumsum(np.abs(smooth)[order])
    median = float(off[order][np.searchsorted(size, size[-1] / 2)])
    return median / (2 * np.pi * GYROMAGNETIC_RATIO_HZ * field_strength_T * echo_time_s) * 1e6
