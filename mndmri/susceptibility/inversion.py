"""From the local field to the susceptibility that makes it."""

from typing import Any

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import fft

from mndmri.gradient_echo.dipole import dipole_kernel
from mndmri.grids import check_same_grid, make_image, voxel_sizes
from mndmri.io import InputError

TIKHONOV_MM2 = 1e-2
# The dipole's field of one side of the array must not reach the other
_PADDING_MM = 20.0
# Penalties of the splitting; they set its speed, not its end (Milovic et al. 2018)
_GRADIENT_PENALTY = 100.0  # times the regularisation
_FIELD_PENALTY = 1.0
# Penalty on sources outside the mask, of that on those inside. At 1 a real scan's map was shaded from front to back by
# 50 ppb of what was left of its background, at 0.2 and 0 little; at 0 simulated nuclei came out 5 % lower than at 1.
OUTSIDE = 0.1
_TINY = 1e-7


def invert_closed_form(
    local: SpatialImage, mask: SpatialImage, *, b0_axis: np.ndarray, regularisation: float = TIKHONOV_MM2
) -> SpatialImage:
    """Susceptibility map in one step, by a penalty on the square of its gradient.

    Parameters
    ----------
    local : SpatialImage
        Local field, ppm.
    mask : SpatialImage
        Where it is known, same grid.
    b0_axis : ndarray, shape (3,)
        Direction of the main field along the array's axes, unit length.
    regularisation : float
        Weight of the squared gradient (ppm/mm) against the squared misfit of the field (ppm), in mm2. On a simulated
        head of 1 x 1 x 2 mm the default had less error than 3e-3 and 3e-2 (53 against 56 and 56 %).

    Returns
    -------
    SpatialImage
        ppm but for an unknown constant, float32, 0 outside the mask.

    Raises
    ------
    InputError
        If grids differ or the mask is empty.

    References
    ----------
    Bilgic et al. 2014, J Magn Reson Imaging 40:181.
    """
    inside, sizes, shape, box = _prepare(local, mask)
    kernel = dipole_kernel(shape, sizes, b0_axis)
    field = np.where(inside, np.asarray(local.dataobj, np.float32), 0)
    spectrum = fft.rfftn(field, shape)
    spectrum *= kernel / (kernel**2 + regularisation * _laplacian(shape, sizes) + _TINY)
    return make_image(np.where(inside, fft.irfftn(spectrum, shape)[box], 0), local)


def invert_total_variation(
    local: SpatialImage,
    mask: SpatialImage,
    *,
    b0_axis: np.ndarray,
    weights: SpatialImage | None = None,
    regularisation: float,
    iterations: int = 25,
    tolerance: float = 2e-3,
) -> SpatialImage:
    """Susceptibility map by a penalty on its total variation, which keeps edges.

    Minimises ``sum |w (d * chi - field)|^2 / 2 + regularisation sum |grad chi|``, where ``d`` is the dipole, by
    alternating directions. Sources outside the mask may explain what is left of the background, at a tenth of the cost
    of those inside.

    Parameters
    ----------
    local, mask, b0_axis
        As in `invert_closed_form`.
    weights : SpatialImage, optional
        1 / standard deviation of the field, on any scale, such as the magnitude.
    regularisation : float
        ppm mm, with weights of mean square 1 and gradients in ppm/mm; see `qsm.suited_weight`.
    iterations : int
        Most steps taken.
    tolerance : float
        Relative change of the map in one step at which it has converged.

    Returns
    -------
    SpatialImage
        As that of `invert_closed_form`.

    Raises
    ------
    InputError
        If grids differ, the mask is empty, or no voxel in it has weight.

    References
    ----------
    Bilgic et al. 2014, Magn Reson Med 72:1444. Milovic et al. 2018, Magn Reson Med 80:814.
    """
    inside, sizes, shape, box = _prepare(local, mask)
    trust = np.zeros(shape, np.float32)
    trust[box] = inside
    if weights is not None:
        check_same_grid(local, weights)
        trust[box] *= np.nan_to_num(np.asarray(weights.dataobj, np.float32)) ** 2
        if not trust.any():
            raise InputError("the weights are 0 in the whole mask; give the magnitude, or none")
    trust /= trust[box][inside].mean()
    known = np.zeros(shape, np.float32)
    known[box] = np.where(inside, np.asarray(local.dataobj, np.float32), 0)
    known *= trust

    slope_penalty = np.float32(_GRADIENT_PENALTY * regularisation)
    threshold = np.full(shape, OUTSIDE * regularisation / slope_penalty, np.float32)
    threshold[box][inside] = regularisation / slope_penalty
    kernel = dipole_kernel(shape, sizes, b0_axis)
    inverse = 1 / (slope_penalty * _laplacian(shape, sizes) + _FIELD_PENALTY * kernel**2 + _TINY)

    # split variables: the map's slopes and its field, each with its running misfit
    slopes = [np.zeros(shape, np.float32) for _ in range(3)]
    slope_misfit = [np.zeros(shape, np.float32) for _ in range(3)]
    field = known / (trust + _FIELD_PENALTY)
    field_misfit = np.zeros(shape, np.float32)
    chi = np.zeros(shape, np.float32)
    for _ in range(iterations):
        spectrum = kernel * fft.rfftn(field - field_misfit) * np.float32(_FIELD_PENALTY)
        spectrum += slope_penalty * fft.rfftn(_divergence(slopes, slope_misfit, sizes))
        spectrum *= inverse
        before, chi = chi, fft.irfftn(spectrum, shape)
        for axis in range(3):
            slope_misfit[axis] += (np.roll(chi, -1, axis) - chi) / np.float32(sizes[axis])
        steepness = np.sqrt(sum(s**2 for s in slope_misfit))
        shrink = np.maximum(1 - threshold / np.maximum(steepness, _TINY), 0)
        for axis in range(3):
            slopes[axis] = slope_misfit[axis] * shrink
            slope_misfit[axis] -= slopes[axis]
        field_misfit += fft.irfftn(kernel * spectrum, shape)
        field = (known + _FIELD_PENALTY * field_misfit) / (trust + _FIELD_PENALTY)
        field_misfit -= field
        if np.linalg.norm(chi - before) <= tolerance * np.linalg.norm(chi):
            break
    return make_image(np.where(inside, chi[box], 0), local)


def _prepare(
    local: SpatialImage, mask: SpatialImage
) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int], tuple[slice, ...]]:
    """Mask as booleans, voxel sizes, shape with a margin for the dipole, and where in it the image lies."""
    check_same_grid(local, mask)
    inside = np.asarray(mask.dataobj) > 0.5
    if not inside.any():
        raise InputError("the mask is empty; give the mask in which the local field is known")
    sizes = voxel_sizes(local)
    x, y, z = (fft.next_fast_len(int(n), real=True) for n in np.ceil(inside.shape + _PADDING_MM / sizes))
    return inside, sizes, (x, y, z), tuple(slice(n) for n in inside.shape)


def _divergence(slopes: list[np.ndarray], misfit: list[np.ndarray], sizes: np.ndarray) -> np.ndarray:
    """Adjoint of the forward differences, of the slopes less their misfit."""
    total = np.zeros_like(slopes[0])
    for axis in range(3):
        difference = slopes[axis] - misfit[axis]
        total += (np.roll(difference, 1, axis) - difference) / np.float32(sizes[axis])
    return total


def _laplacian(shape: tuple[int, int, int], sizes: np.ndarray) -> Any:
    """Spectrum of the squared forward differences, 1/mm2, as `scipy.fft.rfftn` orders it."""
    waves = [fft.fftfreq(n) for n in shape[:2]] + [fft.rfftfreq(shape[2])]
    parts = [(2 - 2 * np.cos(2 * np.pi * w)) / size**2 for w, size in zip(waves, sizes, strict=True)]
    x, y, z = np.meshgrid(*(p.astype(np.float32) for p in parts), indexing="ij", sparse=True)
    return x + y + z
