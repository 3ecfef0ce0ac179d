"""The field that the brain's own tissue makes, without that of air, skull and shim."""

from collections.abc import Sequence

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import fft, ndimage

from mndmri.grids import check_same_grid, make_image, voxel_sizes
from mndmri.io import InputError

# From the voxel and its neighbours upwards. On a simulated head of 1 x 1 x 2 mm a largest sphere of 12 mm left 41.7 %
# of error in the map, one of 8 mm 38.3 %, and steps of 1 mm lost less of the cortex's field than doubling steps.
RADII_MM = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
# Spectrum of the largest filter below which it is not divided by (Wu et al. 2012)
_TRUNCATION = 0.05
# Sweeps of Jacobi's method; a hole of n voxels across needs about n^2
_FILL_SWEEPS = 100
_ROUNDING = 1e-5


def remove_background(
    field: SpatialImage, mask: SpatialImage, *, radii_mm: Sequence[float] = RADII_MM
) -> tuple[SpatialImage, SpatialImage]:
    """Local field and the mask in which it is known, by spherical means (V-SHARP).

    The background has no source in the brain, so that its mean over any sphere inside the brain is its value at the
    centre: a voxel less its sphere's mean keeps the local field only. Each voxel has the largest sphere that lies
    inside the mask, and what the filter took of the local field is given back by the largest one's truncated inverse.

    Parameters
    ----------
    field : SpatialImage
        3D, ppm, unwrapped. What lies outside the mask is never used.
    mask : SpatialImage
        Brain, same grid. Holes that it encloses cost their own voxels only: spheres reach over them, on a field
        interpolated from round them. Otherwise every hole would shrink the spheres within 8 mm.
    radii_mm : sequence of float
        Of the spheres. One narrower than a voxel spans that voxel and its neighbours along the axis, so that 0 stands
        for the voxel and its six neighbours, and the edge loses one voxel, however thick the slices are.

    Returns
    -------
    local : SpatialImage
        ppm, float32, 0 outside the second.
    inside : SpatialImage
        The mask without the voxels at its edge in which not even the smallest sphere fits.

    Raises
    ------
    InputError
        If grids differ, the field is not finite inside the mask, or no sphere fits.

    References
    ----------
    Wu et al. 2012, Magn Reson Med 67:137. Li et al. 2011, NeuroImage 55:1645. Schweser et al. 2011, NeuroImage 54:2789.
    """
    check_same_grid(field, mask)
    within = np.asarray(mask.dataobj) > 0.5
    values = np.asarray(field.dataobj, np.float32)
    if not np.isfinite(values[within]).all():
        raise InputError(
            f"the field is not finite in {np.count_nonzero(~np.isfinite(values[within]))} voxels of the mask; "
            "remove these voxels from the mask"
        )
    sizes = voxel_sizes(field)
    whole = ndimage.binary_fill_holes(within)
    # a margin, so that the inverse filter does not reach round the edge
    margin = np.ceil(max(radii_mm) / sizes).astype(int) + 1
    shape = tuple(fft.next_fast_len(int(n), real=True) for n in within.shape + 2 * margin)
    box = tuple(slice(m, m + n) for m, n in zip(margin, within.shape, strict=True))
    brain, total = np.zeros(shape, bool), np.zeros(shape, np.float32)
    brain[box] = whole
    total[box] = _fill(np.where(within, values, 0), whole & ~within, sizes)

    spectrum = fft.rfftn(total)
    filtered, reached = np.zeros(shape, np.float32), np.zeros(shape, bool)
    spheres = np.unique(np.maximum(np.asarray(radii_mm, float)[:, None], sizes), axis=0)
    for semi_axes in spheres[::-1]:
        new = _fits(brain, sizes, semi_axes) & ~reached
        filtered[new] = fft.irfftn(spectrum * (1 - _sphere_spectrum(shape, sizes, semi_axes)), shape)[new]
        reached |= new
    if not reached.any():
        raise InputError(
            f"no voxel of the mask ({within.sum()} voxels) has its six neighbours in it; give a mask of the whole brain"
        )
    largest = 1 - _sphere_spectrum(shape, sizes, spheres[-1])
    kept = np.abs(largest) > _TRUNCATION
    inverse = np.divide(1, largest, out=np.zeros_like(largest), where=kept)
    local = fft.irfftn(fft.rfftn(filtered) * inverse, shape)
    inside = reached[box] & within
    return make_image(np.where(inside, local[box], 0), field), make_image(inside, mask)


def _fill(values: np.ndarray, holes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Values with a harmonic function in the holes, none of which touches the array's faces."""
    nearest = ndimage.distance_transform_edt(holes, sampling=sizes, return_distances=False, return_indices=True)
    filled = values[tuple(nearest)].ravel()
    places = np.flatnonzero(holes)
    _, ny, nz = values.shape
    steps = (ny * nz, nz, 1)  # to the next voxel along each axis
    weights = 1 / (2 * (sizes**-2.0).sum() * sizes**2)
    for _ in range(_FILL_SWEEPS):
        filled[places] = sum(w * (filled[places - s] + filled[places + s]) for w, s in zip(weights, steps, strict=True))
    return filled.reshape(values.shape)


def _fits(brain: np.ndarray, sizes: np.ndarray, semi_axes: np.ndarray) -> np.ndarray:
    """Voxels round which the ellipsoid lies inside the brain."""
    return ndimage.distance_transform_edt(brain, sampling=sizes / semi_axes) > 1 + _ROUNDING


def _sphere_spectrum(shape: tuple[int, ...], sizes: np.ndarray, semi_axes: np.ndarray) -> np.ndarray:
    """Fourier transform of a mean over the voxels of a sphere, real as the sphere is symmetric.

    The weights differ from each other just so much that the mean of every harmonic polynomial up to degree 3 is its
    value at the centre, as over a true sphere; in thick slices an even mean is not.
    """
    reach = np.floor(semi_axes / sizes + _ROUNDING).astype(int)
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1)
    steps = steps[((steps * sizes / semi_axes) ** 2).sum(axis=-1) <= 1 + _ROUNDING]
    x, y, z = ((steps * sizes) ** 2).T
    wanted = np.stack([np.ones(len(steps)), x - y, y - z])  # all others vanish by symmetry
    even = np.full(len(steps), 1 / len(steps))
    weights = even + np.linalg.lstsq(wanted, [1, 0, 0] - wanted @ even, rcond=None)[0]
    sphere = np.zeros(shape, np.float32)
    sphere[tuple((steps % shape).T)] = weights
    return fft.rfftn(sphere).real
