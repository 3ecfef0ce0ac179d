"""Grey matter as volume in template space."""

import numpy as np
from nibabel.spatialimages import SpatialImage
from nilearn.image import smooth_img

from mndmri.grids import make_image
from mndmri.registration import jacobian_determinant
from mndmri.transforms import compose, resample


def modulate(gm: SpatialImage, field: SpatialImage, grid: SpatialImage) -> SpatialImage:
    """Grey matter in template space as volume: probability times the local change of volume.

    The sum over the template, times its voxel volume, is the person's grey-matter volume
    (Good et al. 2001, NeuroImage 14:21).

    Parameters
    ----------
    gm : SpatialImage
        Probability in the person's own space.
    field : SpatialImage
        Displacement from template points to the person's, affine included; on any template-space grid.
    grid : SpatialImage
        Template-space grid of the result.
    """
    there = resample(gm, grid, [field])
    change = jacobian_determinant(compose([field], grid))
    return make_image(there.get_fdata(dtype=np.float32) * np.abs(change.get_fdata(dtype=np.float32)), grid)


def smooth(image: SpatialImage, fwhm_mm: float) -> SpatialImage:
    """Image convolved with a Gaussian of a given full width at half maximum."""
    return smooth_img(image, fwhm_mm)
