"""Alignment of a gradient-echo scan with the T1w image, and its regions on its own grid."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.on_scan import Person, on_scan
from mndmri.atlas.regions import ATLAS_COLUMNS, select
from mndmri.grids import make_image
from mndmri.registration.register import register_rigid
from mndmri.registration.transforms import Transform, resample
from mndmri.susceptibility.parcellation import take_parcellation
from mndmri.susceptibility.regions import any_region, precentral_regions, with_coverage, with_thickness

# Deep grey matter with iron in every adult: it determines the sign of the phase
IRON = "pallidum"
_IRON_MIN_PROBABILITY = 0.5
# Fluid, far from the vessels of the pia
CSF = ("csf", "both")
_CSF_MIN_PROBABILITY = 0.95


class Anatomical(NamedTuple):
    """What the T1w image shows of a person's head besides white matter, which is in `Person`."""

    brain: SpatialImage
    """T1w image without skull."""
    mask: SpatialImage
    grey: SpatialImage
    """Probability, as is the next, on the grid of the T1w image."""
    csf: SpatialImage
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
    mni_mm: SpatialImage
    """Template coordinates x, y, z of every voxel of the brain and the regions, mm, shape (X, Y, Z, 3); 0 elsewhere."""
    to_scan: np.ndarray
    """From T1w to scan world points, shape (4, 4)."""


def locate(structural: SpatialImage, anatomical: Anatomical, person: Person, *, aligned: bool = False) -> Located:
    """Brain and regions on the grid of a gradient-echo scan.

    Parameters
    ----------
    structural : SpatialImage
        The scan's image that shows the head best: an SWI or a magnitude. RAS-stored.
    anatomical : Anatomical
    person : Person
        With white matter, and `regions.ATLAS_REGIONS`.
    aligned : bool
        Whether the header aligns the scan with the T1w image; otherwise it is registered.
    """
    to_scan = np.eye(4) if aligned else register_rigid(anatomical.brain, structural, fixed_mask=anatomical.mask)
    return place_regions(structural, anatomical, person, to_scan)


def place_regions(structural: SpatialImage, anatomical: Anatomical, person: Person, to_scan: np.ndarray) -> Located:
    """Brain and regions on the grid of a scan whose place is known.

    Parameters
    ----------
    structural, anatomical, person
        As for `locate`.
    to_scan : ndarray, shape (4, 4)
        From points of the T1w image to those of the scan.
    """
    to_t1w: list[Transform] = [np.linalg.inv(to_scan)]

    brain = resample(anatomical.mask, structural, to_t1w, interpolation="nearest")
    grey, csf = resample(anatomical.grey, structural, to_t1w), resample(anatomical.csf, structural, to_t1w)
    here = on_scan(structural, person, to_scan=to_scan)
    white, atlas, table = here.white_matter, here.weights, here.table
    if anatomical.parcellation is not None:
        labels = resample(anatomical.parcellation, structural, to_t1w, interpolation="nearest")
        atlas, table = take_parcellation(labels, atlas, table)
    masks, names = precentral_regions(grey, white, csf, atlas, table, here.mni_mm)
    names = with_thickness(names, masks, grey, white)
    names = with_coverage(names, structural, person.atlas, person.table, [person.to_template, to_scan])
    kept = (np.asarray(brain.dataobj) > 0) | (np.asarray(any_region(masks).dataobj) > 0)
    mni_mm = make_image(np.asarray(here.mni_mm.dataobj) * kept[..., None], structural)
    more = {(IRON, h): np.asarray(select(atlas, table, IRON, h).dataobj) > _IRON_MIN_PROBABILITY for h in "LR"}
    more[CSF] = np.asarray(csf.dataobj) > _CSF_MIN_PROBABILITY
    regions = np.asarray(masks.dataobj)
    stored = np.empty((*structural.shape[:3], len(names) + len(more)), np.uint8, order="F")
    stored[..., : len(names)] = regions
    for volume, inside in enumerate(more.values(), start=len(names)):
        stored[..., volume] = inside
    rows = [(len(names) + n, region, hemi) for n, (region, hemi) in enumerate(more)]
    names = pd.concat([names, pd.DataFrame(rows, columns=ATLAS_COLUMNS)], ignore_index=True)
    return Located(brain, make_image(stored, structural), names, mni_mm, to_scan)
