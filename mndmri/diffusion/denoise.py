"""What is done to a series before anything is interpolated."""

import numpy as np
from dipy.denoise.gibbs import gibbs_removal
from dipy.denoise.localpca import mppca
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image


def reduce_noise(
    dwi: SpatialImage, *, mask: SpatialImage | None = None, patch_radius: int = 2
) -> tuple[SpatialImage, SpatialImage]:
    """Series without the components that are noise alone, and the map of the noise.

    Parameters
    ----------
    dwi : SpatialImage
        4D, as reconstructed: interpolation spoils the statistics that this rests on.
    mask : SpatialImage, optional
        Where to work; outside, the data stay as they are and the noise is 0.
    patch_radius : int
        Voxels on each side of the centre.

    Returns
    -------
    series, noise : SpatialImage
        float32; ``noise`` is the standard deviation, 3D.

    Notes
    -----
    Marchenko-Pastur PCA: Veraart et al. 2016, NeuroImage 142:394.
    """
    data = np.asarray(dwi.dataobj, np.float32)
    inside = np.ones(dwi.shape[:3], bool) if mask is None else np.asarray(mask.dataobj) > 0
    cleaned, sigma = mppca(data, mask=inside, patch_radius=patch_radius, return_sigma=True, suppress_warning=True)
    series = np.where(inside[..., None], cleaned, data)
    return make_image(series.astype(np.float32), dwi), make_image(np.asarray(sigma, np.float32), dwi)


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
