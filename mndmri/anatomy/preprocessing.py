"""Bias-field correction and brain extraction of a T1-weighted image."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.brain import Method, find_brain, mask_image
from mndmri.anatomy.field_of_view import find_recorded
from mndmri.grids import make_image, to_canonical
from mndmri.intensity import correct_bias


class Preprocessed(NamedTuple):
    """A preprocessed T1-weighted image; all images lie on one grid, RAS-stored."""

    t1w: SpatialImage
    """Bias-corrected, float32."""
    brain: SpatialImage
    """The same, 0 outside the brain."""
    mask: SpatialImage
    """uint8."""
    field_of_view: SpatialImage
    """Where a signal was recorded, uint8: not in padding."""
    quality: pd.DataFrame
    """From `mndmri.anatomy.brain.find_brain`."""


def preprocess(
    head: SpatialImage,
    *,
    own_mask: SpatialImage | None = None,
    method: Method = "deepbet",
    head_template: SpatialImage | None = None,
    head_template_mask: SpatialImage | None = None,
) -> Preprocessed:
    """Bias-corrected head and brain of a T1-weighted image.

    Parameters
    ----------
    head : SpatialImage
        3D, as scanned: any storage order.
    own_mask, method, head_template, head_template_mask
        As in `mndmri.anatomy.brain.find_brain`; of any storage order.
    """
    own_mask, head_template, head_template_mask = (
        None if image is None else to_canonical(image) for image in (own_mask, head_template, head_template_mask)
    )
    head = to_canonical(head)
    mask, quality = find_brain(
        head, own_mask=own_mask, method=method, head_template=head_template, head_template_mask=head_template_mask
    )
    t1w = correct_bias(make_image(head.get_fdata(dtype=np.float32), head), mask)
    return Preprocessed(t1w, mask_image(t1w, mask), mask, find_recorded(head, mask), quality)
