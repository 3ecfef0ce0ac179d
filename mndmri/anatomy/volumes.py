"""Volumes of tissue and gyri."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.tissue import TISSUES
from mndmri.atlas.regions import select
from mndmri.grids import check_same_grid, voxel_volume_ml
from mndmri.tables.measures import OK, row

VOLUME_REGIONS = (
    "precentral",
    "paracentral",
    "postcentral",
    "superior_frontal",
    "middle_frontal",
    "supplementary_motor",
)

WHOLE_BRAIN = {"tiv": TISSUES, "gm": ("GM",), "wm": ("WM",), "csf": ("CSF",)}
ABSENT = "the region is outside this image, or the atlas has no such region"
# The usual threshold of the Harvard-Oxford maximum-probability labels.
MIN_REGION_PROBABILITY = 0.25


def in_gyrus(probability: np.ndarray, winning: np.ndarray | float) -> np.ndarray:
    """Where a gyrus is: its probability is at least 0.25 and no lower than ``winning``, the highest of all gyri."""
    return (probability >= MIN_REGION_PROBABILITY) & (probability >= winning)


def measure_volumes(
    tissue: dict[str, SpatialImage],
    atlas: SpatialImage,
    table: pd.DataFrame,
    regions: Iterable[str] = VOLUME_REGIONS,
    *,
    reasons: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> pd.DataFrame:
    """Tissue and regional grey-matter volumes in ml.

    Parameters
    ----------
    tissue : dict
        As from `segment_tissue`, in the person's own space.
    atlas : SpatialImage
        Probability of each region on the same grid, shape (X, Y, Z, n).
    table : DataFrame
        Names of the atlas's volumes.
    reasons : mapping, optional
        Region and hemi to why it has no volume in this image, as from `mndmri.anatomy.suitability.unmeasurable`.

    Notes
    -----
    A gyrus is where its probability is at least 0.25 and no lower than that of any other gyrus
    (the paracentral lobule, which is made of parts of two gyri, competes with none); its volume
    is the sum of grey matter's share of each voxel there.
    """
    check_same_grid(*tissue.values(), atlas)
    ml = voxel_volume_ml(atlas)
    maps = {name: image.get_fdata(dtype=np.float32) for name, image in tissue.items()}
    rows = []
    for name, part in WHOLE_BRAIN.items():
        whole = np.sum([maps[p] for p in part], axis=0)
        n = int((whole > 0.5).sum())
        status = reasons.get((name, "both"), OK)
        value = float(whole.sum()) * ml if status == OK else np.nan
        rows.append(row("t1w", "volume", name, "both", value, unit="ml", n_voxels=n, status=status))
    gyri = table.loc[table["region"].isin([r for r in regions if r != "paracentral"]), "index"].to_numpy()
    winning = np.asarray(atlas.dataobj)[..., gyri].max(axis=-1)
    for region in regions:
        for hemi in "LR":
            probability = select(atlas, table, region, hemi).get_fdata(dtype=np.float32)
            own = in_gyrus(probability, 0 if region == "paracentral" else winning)
            grey = maps["GM"][own]
            n = int((grey > 0.5).sum())
            why = "the region contains no grey matter in this image" if probability.any() else ABSENT
            status = reasons.get((region, hemi), OK if n else why)
            value = float(grey.sum()) * ml if status == OK else np.nan
            rows.append(row("t1w", "volume", region, hemi, value, unit="ml", n_voxels=n, status=status))
    return pd.DataFrame(rows)
