"""What the shared head consists of: quick to import for those who sample a head that is built."""

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
    where it is; its sides are told by the sign of x."""
    centreline: pd.DataFrame
    """Columns ``hemi``, ``z``, ``x``, ``y`` (mm), ``spread_x``, ``spread_y`` (mm, SD of the tract across
    its length) and ``position`` (share of its length above the lower end), each hemi by rising z."""
