"""What is done to a series before anything is interpolated."""

import numpy as np
from dipy.denoise.gibbs import gibbs_removal
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid, make_image

# Numbers in the patches that are worked on at once: 4 MB.
WORK_SPACE = 500_000


def reduce_noise(dwi: SpatialImage, *, mask: SpatialImage | None = None) -> tuple[SpatialImage, SpatialImage]:
    """Series without the components that are noise alone, and the map of the noise.

    Parameters
    ----------
    dwi : SpatialImage
        4D, as reconstructed: interpolation spoils the statistics that this rests on.
    mask : SpatialImage, optional
        Where to work; outside, and where the data are not numbers, they stay as they are and the noise is 0.

    Returns
    -------
    series, noise : SpatialImage
        float32; ``noise`` is the standard deviation, 3D.

    Notes
    -----
    Marchenko-Pastur PCA: Veraart et al. 2016, NeuroImage 142:394, with the estimator of
    Cordero-Grande et al. 2019, NeuroImage 200:391, as MRtrix3's dwidenoise has it. A voxel is
    denoised in the smallest cube with at least as many voxels as there are volumes; at the edge
    of the image the cube is moved inwards.
    """
    data = np.ascontiguousarray(dwi.dataobj, np.float32)
    shape, n_volumes = np.array(data.shape[:3]), data.shape[3]
    series, noise = data.reshape(-1, n_volumes).copy(), np.zeros(shape.prod(), np.float32)
    inside: np.ndarray = np.all(np.isfinite(series), axis=1)
    rows = np.where(inside[:, None], series, 0)
    if mask is not None:
        check_same_grid(dwi, mask)
        inside &= np.asarray(mask.dataobj).ravel() > 0

    size = np.minimum(_cube_side(n_volumes), shape)
    offsets = np.ravel_multi_index(np.indices(size).reshape(3, -1), shape)
    index = np.flatnonzero(inside)
    at_once = max(1, WORK_SPACE // (offsets.size * n_volumes))
    for begin in range(0, index.size, at_once):
        some = index[begin : begin + at_once]
        corner = np.array(np.unravel_index(some, shape)) - size[:, None] // 2
        corner = np.clip(corner, 0, (shape - size)[:, None])
        patch = rows[np.ravel_multi_index(corner, shape)[:, None] + offsets].astype(float)
        series[some], noise[some] = _without_noise(patch, rows[some].astype(float))
    return make_image(series.reshape(data.shape), dwi), make_image(noise.reshape(shape), dwi)


def remove_gibbs(dwi: SpatialImage, *, slice_axis: int = 2) -> SpatialImage:
    """Series without Gibbs ringing in the plane of the slices.

    Parameters
    ----------
    dwi : SpatialImage
        4D, before any interpolation.
    slice_axis : int
        Array axis across the slices.

    Notes
    -----
    Sub-voxel shifts: Kellner et al. 2016, Magn Reson Med 76:1574.
    """
    data = np.asarray(dwi.dataobj, np.float32)
    # one process: more would start this program again
    return make_image(
        gibbs_removal(data, slice_axis=slice_axis, inplace=False, num_processes=1).astype(np.float32), dwi
    )


def _cube_side(n_volumes: int) -> int:
    """Smallest odd number whose cube is at least the number of volumes."""
    side = 1
    while side**3 < n_volumes:
        side += 2
    return side


def _without_noise(patch: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signal (n, N) of the centre of each patch (n, voxels, N) without noise, and the noise (n,)."""
    n_voxels, n_volumes = patch.shape[1:]
    smaller, larger = min(n_voxels, n_volumes), max(n_voxels, n_volumes)
    turned = np.swapaxes(patch, 1, 2)
    values, vectors = np.linalg.eigh(turned @ patch)
    # rising; of more volumes than voxels the first are zero
    variance = np.maximum(values[:, n_volumes - smaller :], 0) / larger
    count = np.arange(1, smaller + 1)
    mean = np.cumsum(variance, axis=1) / count
    width = 4 * np.sqrt(count / (larger - smaller + count))
    # the first so many are noise if they spread no wider than noise of their mean variance does
    is_noise = (variance - variance[:, :1]) / width < mean
    n_noise = np.where(is_noise.any(axis=1), smaller - np.argmax(is_noise[:, ::-1], axis=1), 0)
    sigma = np.sqrt(np.where(n_noise > 0, np.take_along_axis(mean, np.maximum(n_noise - 1, 0)[:, None], 1)[:, 0], 0))
    signal = np.arange(n_volumes) >= (n_volumes - smaller + n_noise)[:, None]
    components = np.where(signal, (centre[:, None] @ vectors)[:, 0], 0)
    return (vectors @ components[..., None])[..., 0], sigma
