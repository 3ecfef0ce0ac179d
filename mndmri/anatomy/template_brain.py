"""Brain extraction without a trained network: a registered template, refined by the intensities."""

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.anatomy.head_pose import find_pose
from mndmri.anatomy.head_template import HeadTemplate, coarsen
from mndmri.grids import bounding_box, make_image
from mndmri.io import InputError
from mndmri.masks import close_mask, distance_inside
from mndmri.registration.register import register_affine
from mndmri.registration.transforms import resample

_POSITION_MM = 4.0  # voxels on which the template is laid over the head
_INNER_RIM_MM = 6.0  # beyond the brain, in which it is told from the bone
_BORDER_MM = 2.0  # voxels on which the border is found

# The border is searched within this distance of that of the template's brain (mm).
_SEARCH_MM = 5.0
# The signal of tissue, as a share of the brain's round about: over fluid (about 0.3), under fat.
_TISSUE = (0.5, 1.6)
_SHADING_MM = 20.0  # SD of the kernel for the brain's signal round about: shading is smoother
_BRIDGE_MM = 3.0  # half the width of what may tie the brain to what is not brain: dura, veins, nerves
_SULCUS_MM = 8.0  # radius of the ball that does not enter sulci
_MARGIN_MM = 15.0  # room to close and smooth in
_RIM_MM = 1.0  # fluid outside the outermost tissue

# Less than that is no head: of 40 real ones the least is 0.73.
_LEAST_CORRELATION = 0.6


def extract_by_template(head: SpatialImage, template: HeadTemplate) -> SpatialImage:
    """Brain mask of a whole head, from a head template and the head's own intensities.

    The template is laid over the head, affine, from the best of all poses. Round the border of its
    brain, tissue is what is as bright as half the brain near by; it is cut loose from what hangs on it
    by thin bridges, its sulci are filled and a rim of fluid is added.

    Parameters
    ----------
    head : SpatialImage
        3D T1-weighted image, RAS-stored, any voxel size, with or without face and neck.
    template : HeadTemplate

    Returns
    -------
    SpatialImage
        uint8, 1 inside, on the grid of ``head``: grey and white matter, ventricles, the fluid in the
        sulci and 1 mm of that round the brain.

    Raises
    ------
    InputError
        If nothing in the image looks like a head.
    """
    signal = np.nan_to_num(np.asarray(head.dataobj, np.float32))
    bright = signal[signal > np.median(signal)]
    if not bright.size:
        raise InputError("no brain was found: the image is empty")
    clean = make_image(np.clip(signal, 0, np.percentile(bright, 99)), head)

    pose, correlation = find_pose(clean, template)
    if not correlation > _LEAST_CORRELATION:
        raise InputError(
            f"no brain was found: nothing resembles a head (correlation {correlation:.2f}, of a head above "
            f"{_LEAST_CORRELATION}); check that the image is a T1-weighted whole head"
        )
    depth = distance_inside(template.mask)
    fixed, moving = coarsen(template.image, _POSITION_MM), coarsen(clean, _POSITION_MM)
    to_head = pose
    # the whole head first; then the brain alone, since a small brain may have a thick skull
    for region in (template.compared, make_image(depth > -_INNER_RIM_MM, template.mask)):
        share = coarsen(region, _POSITION_MM)
        compared = make_image(np.asarray(share.dataobj) > 0.5, share)
        to_head = register_affine(fixed, moving, fixed_mask=compared, start=to_head)

    coarse = coarsen(clean, _BORDER_MM)
    least = depth.min()  # outside the template's field of view too
    there = resample(make_image(depth - least, template.mask), coarse, [np.linalg.inv(to_head)])
    box = bounding_box(make_image(np.asarray(there.dataobj) + least > -_SEARCH_MM, coarse), margin_mm=_MARGIN_MM)
    border = _follow_border(coarse.slicer[box], np.asarray(there.dataobj)[box] + least)
    # smoothed by a voxel, or the border runs in steps
    depth = ndimage.gaussian_filter(distance_inside(border), 1.0)
    least = depth.min()
    own = resample(make_image(depth - least, border), head)
    return make_image(np.asarray(own.dataobj) + least > -_RIM_MM, head)


def _follow_border(head: SpatialImage, depth: np.ndarray) -> SpatialImage:
    """Mask of the tissue that hangs together round the middle of a brain, sulci filled.

    Parameters
    ----------
    head : SpatialImage
        On cubic voxels.
    depth : ndarray
        Depth in a brain that is about where this one is, mm; negative outside.
    """
    signal = np.asarray(head.dataobj)
    sure = depth > _SEARCH_MM
    brain = sure & (signal > _TISSUE[0] * np.median(signal[sure]))
    sigma = _SHADING_MM / _BORDER_MM
    near = ndimage.gaussian_filter(signal * brain, sigma) / np.maximum(
        ndimage.gaussian_filter(brain.astype(np.float32), sigma), 1e-6
    )
    tissue = (signal > _TISSUE[0] * near) & (signal < _TISSUE[1] * near) & (depth > -_SEARCH_MM)
    tissue |= sure
    thick = ndimage.distance_transform_edt(tissue, _BORDER_MM) > _BRIDGE_MM
    labels, _ = ndimage.label(thick)
    sizes = np.bincount(labels[sure & thick], minlength=2)
    sizes[0] = 0
    whole = ndimage.distance_transform_edt(labels != sizes.argmax(), _BORDER_MM) <= _BRIDGE_MM + _BORDER_MM / 2
    return close_mask(make_image(whole & tissue, head), _SULCUS_MM)
