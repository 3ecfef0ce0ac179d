"""Grey matter as volume in template space."""

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image, world_coordinates
from mndmri.io import InputError
from mndmri.registration.register import jacobian_determinant
from mndmri.registration.transforms import compose, map_points, resample


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
