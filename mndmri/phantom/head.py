"""Components of the shared head, without the imports needed to build it."""

from typing import NamedTuple

import pandas as pd
from nibabel.spatialimages import SpatialImage

TISSUES = ("grey", "white", "csf", "bone", "fat", "soft")
REGIONS = (
    "cst",
    "callosum",
    "precentral",
    "postcentral",
    "superior_frontal",
    "pallidum",
    "posterior_bank",
    "depth",
    "vein",
)
MAP_NAMES = (*TISSUES, *REGIONS)

# Distance from the midline, on the shared head, of the precentral gyrus's parts: from, to (mm).
BODY_PART_X_MM = {"leg": (0.0, 20.0), "hand": (20.0, 44.0), "face": (44.0, 90.0)}


class Anatomy(NamedTuple):
    """The shared head, in the form in which it is stored."""

    maps: SpatialImage
    """4D, uint8, RAS: fractions 0 to 255, volumes in the order of `MAP_NAMES`. A region's map says
    where it is; the sign of x distinguishes its sides."""
    centreline: pd.DataFrame
    """Columns ``hemi``, ``z``, ``x``, ``y`` (mm), ``spread_x``, ``spread_y`` (mm, SD of the tract across
    its length) and ``position`` (share of its length above the lower end), each hemi by rising z."""
