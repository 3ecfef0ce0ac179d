"""Where a gradient-echo scan lies in the head, and where the regions lie on its own grid."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.regions import ATLAS_COLUMNS, restrict, select
from mndmri.grids import make_image, world_coordinates
from mndmri.registration.register import register_rigid
from mndmri.registration.transforms import Transform, map_points, resample
from mndmri.susceptibility.parcellation import take_parcellation
from mndmri.susceptibility.regions import ATLAS_REGIONS, precentral_regions, with_coverage, with_thickness

# Deep grey matter that holds iron in every adult: the phase's sign is told by it
IRON = "pallidum"
_IRON_MIN_PROBABILITY = 0.5
# Fluid, far from the vessels of the pia
CSF = ("csf", "both")
_CSF_MIN_PROBABILITY = 0.95


class Anatomical(NamedTuple):
    """What is known of a person's head from the T1w image."""

    brain: SpatialImage
    """T1w image without skull."""
    mask: SpatialImage
    grey: SpatialImage
    """Probability, as are the next two, on the grid of the T1w image."""
    white: SpatialImage
    csf: SpatialImage
    from_template: SpatialImage
    """Displacement field that resamples template images onto the T1w image."""
    to_template: SpatialImage
    """The other way round."""
    parcellation: SpatialImage | None = None
    """The user's own labels of the gyri (`parcellation.take_parcellation`), in the T1w image's space."""


class Located(NamedTuple):
    """A scan's place in the head, and the regions on its grid."""

    brain: SpatialImage
    masks: SpatialImage
    """4D, a region a volume."""
    names: pd.DataFrame
    """Which region and side each volume is; see `regions.precentral_regions`. The pallidum and
    cerebrospinal fluid are among them."""
    to_scan: np.ndarray
    """From T1w to scan world points, shape (4, 4)."""


def locate(
    structural: SpatialImage,
    anatomical: Anatomical,
    atlas: SpatialImage,
    table: pd.DataFrame,
    *,
    aligned: bool = False,
) -> Located:
    """Brain and regions on the grid of a gradient-echo scan.

    Parameters
    ----------
    structural : SpatialImage
        The scan's image that shows the head best: an SWI or a magnitude. RAS-stored.
    anatomical : Anatomical
    atlas, table
        Atlas in template space.
    aligned : bool
        Whether the scan lies on the T1w image already, by its header; otherwise it is registered.
    """
    to_scan = np.eye(4) if aligned else register_rigid(anatomical.brain, structural, fixed_mask=anatomical.mask)
    to_t1w: list[Transform] = [np.linalg.inv(to_scan)]
    to_template = [*to_t1w, anatomical.from_template]

    brain = resample(anatomical.mask, structural, to_t1w, interpolation="nearest")
    grey, white, csf = (
        resample(part, structural, to_t1w) for part in (anatomical.grey, anatomical.white, anatomical.csf)
    )
    template_atlas, template_table = restrict(atlas, table, ATLAS_REGIONS)
    places = template_places(structural, to_scan, anatomical.from_template)
    atlas, table = resample(template_atlas, structural, to_template), template_table
    if anatomical.parcellation is not None:
        labels = resample(anatomical.parcellation, structural, to_t1w, interpolation="nearest")
        atlas, table = take_parcellation(labels, atlas, table)
    masks, names = precentral_regions(grey, white, csf, atlas, table, places)
    names = with_thickness(names, masks, grey, white)
    names = with_coverage(names, structural, template_atlas, template_table, [anatomical.to_template, to_scan])
    more = {(IRON, h): np.asarray(select(atlas, table, IRON, h).dataobj) > _IRON_MIN_PROBABILITY for h in "LR"}
    more[CSF] = np.asarray(csf.dataobj) > _CSF_MIN_PROBABILITY
    stored = np.concatenate([np.asarray(masks.dataobj), np.stack(list(more.values()), axis=-1)], axis=-1)
    rows = [(len(names) + n, region, hemi) for n, (region, hemi) in enumerate(more)]
    names = pd.concat([names, pd.DataFrame(rows, columns=ATLAS_COLUMNS)], ignore_index=True)
    return Located(brain, make_image(stored.astype(np.uint8), structural), names, to_scan)


def template_places(grid: SpatialImage, to_scan: np.ndarray, from_template: SpatialImage) -> SpatialImage:
    """Template coordinates x, y, z (mm) of every voxel of a scan, shape (X, Y, Z, 3); see `Located`."""
    points = map_points(world_coordinates(grid), [np.linalg.inv(to_scan), from_template])
    return make_image(points.astype(np.float32), grid)
