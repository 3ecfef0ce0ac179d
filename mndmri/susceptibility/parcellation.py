"""A user's own parcellation of the cortex in place of the atlas's gyri."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.atlas.regions import ATLAS_COLUMNS, select
from mndmri.grids import check_same_grid, make_image, voxel_sizes
from mndmri.io import InputError

# Labels of FreeSurfer's and FastSurfer's aparc+aseg (Desikan et al. 2006, NeuroImage 31:968); to these are added
# 1000 on the left and 2000 on the right. The supplementary motor area is part of the superior frontal gyrus.
LABELS = {
    "precentral": (24,),
    "postcentral": (22,),
    "superior_frontal": (28,),
    "middle_frontal": (3, 27),
    "inferior_frontal": (18,),
    "supplementary_motor": (),
}
PARACENTRAL = 17
_HEMI = {"L": 1000, "R": 2000}
_N_LABELS = 36  # of each side: 0, unknown, to 35, insula
_NEEDED = ("precentral", "postcentral", "superior_frontal", "middle_frontal")

# The labels end at white matter; wmparc carries them 5 mm into it (Salat et al. 2009, NeuroImage 48:21).
_INTO_WHITE_MM = 5.0
_MIN_OVERLAP = 0.5  # share of the precentral label where the atlas's probability of a central gyrus is not 0


def take_parcellation(
    aparc: SpatialImage, atlas: SpatialImage, table: pd.DataFrame
) -> tuple[SpatialImage, pd.DataFrame]:
    """Atlas whose gyri are those of a participant's own parcellation; its other regions are unchanged.

    Parameters
    ----------
    aparc : SpatialImage
        Labels, as in ``aparc+aseg``, on the grid of ``atlas``.
    atlas : SpatialImage
        Probabilities of the atlas's regions in the person, shape (X, Y, Z, n), 0 to 1.
    table : DataFrame
        ``index``, ``region``, ``hemi`` of the atlas's volumes; those of the gyri are replaced.

    Returns
    -------
    atlas : SpatialImage
        float32. The paracentral lobule, one label, is shared between the precentral and the postcentral gyrus as
        the atlas has it.
    table : DataFrame
        As given.

    Raises
    ------
    InputError
        If grids differ, labels are missing, or they do not lie where the atlas has the gyrus of that side.
    """
    check_same_grid(aparc, atlas)
    labels = np.rint(np.asarray(aparc.dataobj)).astype(int)
    wanted = [_HEMI[hemi] + number for hemi in "LR" for region in _NEEDED for number in LABELS[region]]
    lacking = sorted(set(wanted) - set(np.unique(labels).tolist()))
    if lacking:
        raise InputError(
            f"the parcellation has no label {', '.join(map(str, lacking))} in the scan's field of view; expected an "
            "aparc+aseg of FreeSurfer or FastSurfer, with labels 1001 to 2035, in the space of the T1w image"
        )
    gyrus = _carry_labels(labels, voxel_sizes(aparc))
    data = np.array(atlas.dataobj, np.float32)
    index = {(r, h): int(n) for n, r, h in table[ATLAS_COLUMNS].itertuples(index=False)}
    for hemi in "LR":
        expected = {region: select(atlas, table, region, hemi).get_fdata() for region in ("precentral", "postcentral")}
        central = expected["precentral"] + expected["postcentral"]
        own = labels == _HEMI[hemi] + LABELS["precentral"][0]
        if (central[own] > 0).mean() < _MIN_OVERLAP:
            raise InputError(
                f"{(central[own] > 0).mean():.0%} of the parcellation's precentral gyrus ({hemi}) lies where the atlas "
                "has it in this head; check that it was computed from the same T1w image, and that sides are not "
                "swapped"
            )
        for region in LABELS:
            if (region, hemi) in index:
                data[..., index[region, hemi]] = np.isin(gyrus, [_HEMI[hemi] + n for n in LABELS[region]])
        paracentral = gyrus == _HEMI[hemi] + PARACENTRAL
        for region, probability in expected.items():
            shared = np.divide(probability, central, out=np.full_like(central, 0.5), where=central > 0)
            data[..., index[region, hemi]] += paracentral * shared
    return make_image(data, atlas), table


def _carry_labels(labels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Labels of the cortex carried into the voxels about it, each the nearest; 0 elsewhere."""
    number = labels % 1000
    cortex = np.isin(labels // 1000, (1, 2)) & (number > 0) & (number < _N_LABELS)
    away, nearest = ndimage.distance_transform_edt(~cortex, sampling=sizes, return_indices=True)
    return np.where(away <= _INTO_WHITE_MM, labels[tuple(nearest)], 0)
