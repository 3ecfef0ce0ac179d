"""Quality measures of the T1-weighted stage."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image, voxel_volume_ml
from mndmri.registration.register import jacobian_determinant
from mndmri.registration.transforms import resample
from mndmri.tables.measures import row


def measure_quality(
    mask: SpatialImage, tissue: dict[str, SpatialImage], expected: SpatialImage, warp_from_template: SpatialImage
) -> pd.DataFrame:
    """Checks of the T1w stage: brain volume, agreement with the template, folding.

    Parameters
    ----------
    mask, tissue
        The person's brain mask and tissue maps.
    expected : SpatialImage
        The template's tissue, as from `brain_tissue`.
    warp_from_template : SpatialImage
        Field from template points to the person's, on any grid of the template's space.

    Returns
    -------
    DataFrame
        ``brain_volume`` (ml); ``dice_gm``, the overlap of grey matter (> 0.5) with the
        template's; ``min_jacobian`` of the warp, not above 0 where it folds.
    """
    brain_ml = (np.asarray(mask.dataobj) > 0).sum() * voxel_volume_ml(mask)
    there = resample(tissue["GM"], expected, [warp_from_template]).get_fdata() > 0.5
    gm = np.asarray(expected.dataobj)[..., 0] > 0.5
    dice = 2 * (there & gm).sum() / max(there.sum() + gm.sum(), 1)
    # on the warp's own grid: between the points of a coarser one a fold is not seen
    brain = make_image(np.asarray(expected.dataobj, np.float32).sum(axis=-1), expected)
    in_brain = resample(brain, warp_from_template).get_fdata() > 0.5
    folding = jacobian_determinant(warp_from_template).get_fdata()[in_brain].min()
    rows = [
        row("t1w", "brain_volume", "brain", "both", brain_ml, unit="ml", n_voxels=int(np.asarray(mask.dataobj).sum())),
        row("t1w", "dice_gm", "gm", "both", dice, unit="1", n_voxels=int(there.sum())),
        row("t1w", "min_jacobian", "brain", "both", folding, unit="1", n_voxels=int(in_brain.sum())),
    ]
    return pd.DataFrame(rows)
