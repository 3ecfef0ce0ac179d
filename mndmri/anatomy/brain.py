"""The brain in a T1-weighted head.

A brain mask here is grey and white matter, ventricles, the fluid in the sulci and a thin rim of that
round the brain, not the bone: about what deepbet was trained on, and MNI's own mask.
"""

from typing import Literal

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.field_of_view import border_area_cm2, has_signal, lacks_skull
from mndmri.anatomy.head_template import simulate_head, take_head_template
from mndmri.anatomy.template_brain import extract_by_template
from mndmri.atlas.regions import load_template
from mndmri.grids import bounding_box, check_same_grid, make_image, uncrop, voxel_sizes
from mndmri.io import InputError
from mndmri.tables.measures import row

Method = Literal["deepbet", "template"]
# Source of a mask, as in the table of quality measures.
METHOD_CODES = {"mask": 0, "deepbet": 1, "template": 2}
# Scalp and skull are about so thick: a mask that comes nearer to an end of the image may have lost brain to it.
_NEAR_END_MM = 15.0
# How far the last planes are repeated beyond it, and the area of brain in them that counts as cut.
_REPEATED_MM = 25.0
_CUT_CM2 = 10.0  # the default of t1w.max_border_cm2, which judges what is measured; this one chooses between two masks


def find_brain(
    head: SpatialImage,
    *,
    own_mask: SpatialImage | None = None,
    method: Method = "deepbet",
    head_template: SpatialImage | None = None,
    head_template_mask: SpatialImage | None = None,
) -> tuple[SpatialImage, pd.DataFrame]:
    """Brain mask of a head, and a row for the quality table with the method used.

    Parameters
    ----------
    head : SpatialImage
        3D T1-weighted image, RAS-stored, any voxel size, with or without face and neck.
    own_mask : SpatialImage, optional
        The user's own, on the same grid; it goes before any method.
    method : {'deepbet', 'template'}
    head_template, head_template_mask : SpatialImage, optional
        A user's own head template (T1-weighted, with skull) and the mask of its brain, for the method ``template``;
        by default layers of a head are simulated over the brain template.

    Returns
    -------
    mask : SpatialImage
        uint8, 1 inside, on the grid of ``head``.
    quality : DataFrame
        One row, ``brain_extraction``, whose value is the method's in `METHOD_CODES`.

    Raises
    ------
    InputError
        If no brain is found, or a mask or template cannot be used.
    """
    if own_mask is not None:
        mask, code = take_mask(own_mask, head), METHOD_CODES["mask"]
    elif method == "deepbet":
        mask, code = extract_by_network(head), METHOD_CODES[method]
    else:
        if head_template is None or head_template_mask is None:
            template = simulate_head(load_template())
        else:
            template = take_head_template(head_template, head_template_mask)
        mask, code = extract_by_template(head, template), METHOD_CODES[method]
    n_voxels = int(np.asarray(mask.dataobj).sum())
    return mask, pd.DataFrame([row("t1w", "brain_extraction", "brain", "both", code, unit="1", n_voxels=n_voxels)])


def extract_by_network(head: SpatialImage) -> SpatialImage:
    """Brain mask of a head, by the deepbet network (Fisch et al. 2024, Comput Biol Med 179:108845).

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

    Notes
    -----
    The network knows whole heads. Where an image ends inside the brain its mask may end up to 10 mm before it, which
    hides that the brain is cut. If the mask comes near an end of the image, it is therefore found once more with the
    last planes repeated beyond it, and that mask is taken if it reaches the end over more than 10 cm2.
    """
    mask = _by_deepbet(head)
    zooms = voxel_sizes(head)
    box = bounding_box(make_image(has_signal(np.asarray(head.dataobj)), head), margin=0)
    if not _near_an_end(mask.slicer[box], _NEAR_END_MM / zooms):
        return mask
    if lacks_skull(head, mask):  # of such an image the signal ends with the brain, and the grid alone may cut it
        box = slice(None), slice(None), slice(None)
        if not _near_an_end(mask, _NEAR_END_MM / zooms):
            return mask
    beyond = np.ceil(_REPEATED_MM / zooms).astype(int)
    part = head.slicer[box]
    affine = part.affine.copy()
    affine[:3, 3] = nb.affines.apply_affine(part.affine, -beyond)
    repeated = np.pad(np.asarray(part.dataobj), [(n, n) for n in beyond], mode="edge")
    wide = np.asarray(_by_deepbet(nb.Nifti1Image(repeated, affine)).dataobj)
    again = make_image(wide[tuple(slice(n, -n) for n in beyond)], part)
    if border_area_cm2(again, make_image(np.ones(part.shape[:3], np.uint8), part)) <= _CUT_CM2:
        return mask
    return uncrop(again, box, head)


def _near_an_end(mask: SpatialImage, voxels: np.ndarray) -> bool:
    """Whether a mask comes closer than so many voxels of each axis to an end of its grid."""
    inside = np.asarray(mask.dataobj) > 0
    middle = tuple(slice(n, -n) for n in np.ceil(voxels).astype(int))
    return bool(np.count_nonzero(inside) > np.count_nonzero(inside[middle]))


def _by_deepbet(head: SpatialImage) -> SpatialImage:
    """Mask as the network finds it, uint8."""
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
    """A user's own brain mask as `find_brain` returns it.

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
