"""Grey matter as volume in template space."""

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image, world_coordinates
from mndmri.io import InputError
from mndmri.registration.register import jacobian_determinant
from mndmri.registration.smoothing import smooth_known
from mndmri.registration.transforms import compose, map_points, resample

# Less of a template voxel than this was recorded: it has no value.
_MIN_RECORDED = 0.5


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


def leave_out_unseen(modulated: SpatialImage, field: SpatialImage, recorded: SpatialImage) -> SpatialImage:
    """Map in template space without a value where the person's image had ended; float32, not a number there.

    Parameters
    ----------
    modulated : SpatialImage
        As from `modulate`.
    field : SpatialImage
        The field it was made with.
    recorded : SpatialImage
        On the grid of the person's image, 0 or 1, as from `mndmri.anatomy.field_of_view.find_recorded`.
    """
    seen = resample(recorded, modulated, [field]).get_fdata(dtype=np.float32) >= _MIN_RECORDED
    return make_image(np.where(seen, modulated.get_fdata(dtype=np.float32), np.float32(np.nan)), modulated)


def map_to_compare(modulated: SpatialImage, coarse: str, *, fwhm_mm: float) -> SpatialImage:
    """Smoothed map for the voxelwise comparison; not a number anywhere if the image's voxels are too long.

    Parameters
    ----------
    modulated : SpatialImage
        As from `leave_out_unseen` or `correct_head_size`.
    coarse : str
        As from `mndmri.anatomy.suitability.too_coarse`.
    fwhm_mm : float
        Full width at half maximum of the smoothing.
    """
    if coarse:
        return make_image(np.full(modulated.shape, np.nan, np.float32), modulated)
    return smooth_known(modulated, fwhm_mm)


def correct_head_size(modulated: SpatialImage, field: SpatialImage, brain: SpatialImage) -> SpatialImage:
    """Modulated map corrected for head size: non-linear change of volume only.

    What is taken out is the affine part of the field, the affine map that is nearest to it (least
    squares over the brain): so the answer is the same for every engine that made the field, and for
    a head that is the same but larger.

    Parameters
    ----------
    modulated : SpatialImage
        As from `modulate`.
    field : SpatialImage
        The field it was made with: from template points to the person's, affine included.
    brain : SpatialImage
        Template, above 0 in the brain.

    Raises
    ------
    InputError
        If the template has no brain on the grid of the map.
    """
    inside = resample(brain, modulated).get_fdata() > 0
    points = world_coordinates(modulated)[inside]
    if len(points) < 4:
        raise InputError("the template is 0 on the modulated map; check that both are in the same space")
    homogeneous = np.c_[points, np.ones(len(points))]
    affine = np.linalg.lstsq(homogeneous, map_points(points, [field]), rcond=None)[0]
    size = abs(np.linalg.det(affine[:3]))
    return make_image(modulated.get_fdata(dtype=np.float32) / np.float32(size), modulated)
