"""The brain in a T1-weighted head."""

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid, make_image
from mndmri.io import InputError


def extract_brain(head: SpatialImage) -> SpatialImage:
    """Brain mask of a whole head, by the deepbet network (Fisch et al. 2024, Comput Biol Med 179:108845).

    Parameters
    ----------
    head : SpatialImage
        3D T1-weighted image, RAS-stored, any voxel size, with or without face.

    Returns
    -------
    SpatialImage
        uint8, 1 inside, on the grid of ``head``.

    Raises
    ------
    InputError
        If no brain is found.
    """
    import torch  # costs seconds, and no other function needs it
    from deepbet.bet import BrainExtraction

    # repeatable to the last bit only on one thread, and never more than the job was given
    torch.set_num_threads(1)
    try:
        _, mask, _ = BrainExtraction(no_gpu=True).run(nb.Nifti1Image(head.get_fdata(dtype=np.float32), head.affine))
    except (AssertionError, ValueError) as error:  # how deepbet stumbles over an empty mask
        raise InputError(f"no brain was found ({error}); check that the image is a T1-weighted whole head") from error
    check_same_grid(mask, head)
    inside = np.asarray(mask.dataobj) > 0
    if not inside.any():
        raise InputError("no brain was found; check that the image is a T1-weighted whole head")
    return make_image(inside, head)


def take_mask(mask: SpatialImage, head: SpatialImage) -> SpatialImage:
    """A user's own brain mask as `extract_brain` would return it.

    Raises
    ------
    InputError
        If it lies on another grid than the image, or is empty.
    """
    check_same_grid(mask, head)
    inside = np.asarray(mask.dataobj) > 0.5
    if not inside.any():
        raise InputError("the brain mask is empty; correct t1w.mask_pattern or the mask")
    return make_image(inside, head)


def mask_image(image: SpatialImage, mask: SpatialImage) -> SpatialImage:
    """Image with zeros outside a mask on the same grid."""
    check_same_grid(image, mask)
    return make_image(image.get_fdata(dtype=np.float32) * (np.asarray(mask.dataobj) > 0), image)
