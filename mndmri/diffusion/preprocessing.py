"""From a series as scanned to one without noise, ringing and head motion, and the way to the T1w image."""

from typing import NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.denoise import reduce_noise, remove_gibbs
from mndmri.diffusion.gradients import Gradients
from mndmri.diffusion.motion import align_to_t1w, b0_reference, correct_motion, field_of_view
from mndmri.grids import slice_axis, to_canonical
from mndmri.transforms import resample


class Preprocessed(NamedTuple):
    """A series ready for the tensor."""

    series: SpatialImage
    """4D, float32, RAS-stored, in the head position of the first b = 0 volume."""
    gradients: Gradients
    """In world axes, turned with the head."""
    mask: SpatialImage
    """Brain, uint8."""
    field_of_view: SpatialImage
    """Where every volume has data, uint8."""
    to_dwi: np.ndarray
    """From T1w to diffusion world points, shape (4, 4)."""
    displacement: np.ndarray
    """Framewise displacement, mm, shape (N,)."""


def preprocess(
    dwi: SpatialImage,
    gradients: Gradients,
    t1w_brain: SpatialImage,
    t1w_mask: SpatialImage,
    *,
    denoise: bool = True,
    gibbs: bool = True,
    motion: bool = True,
) -> Preprocessed:
    """Series without what noise, ringing and head motion did to it, step by step in that order.

    Parameters
    ----------
    dwi : SpatialImage
        4D, as scanned.
    gradients : Gradients
        In world axes.
    t1w_brain, t1w_mask : SpatialImage
        T1w image of the same person without skull, and the mask of the brain in it.
    denoise, gibbs, motion : bool
        Which steps are taken.

    Raises
    ------
    InputError
        If the gradient table does not fit the series, or the headers of the two scans disagree.
    """
    dwi = to_canonical(dwi)
    b0 = b0_reference(dwi, gradients)
    to_dwi = align_to_t1w(b0, t1w_brain)
    mask = resample(t1w_mask, b0, [np.linalg.inv(to_dwi)], interpolation="nearest")
    if denoise:
        dwi, _ = reduce_noise(dwi, mask=mask)
    if gibbs:
        dwi = remove_gibbs(dwi, slice_axis=slice_axis(dwi))
    if not motion:
        return Preprocessed(dwi, gradients, mask, field_of_view(dwi), to_dwi, np.zeros(dwi.shape[3]))
    still, turned, transforms, displacement = correct_motion(dwi, gradients, mask=mask)
    return Preprocessed(still, turned, mask, field_of_view(dwi, transforms), to_dwi, displacement)
