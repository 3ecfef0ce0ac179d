"""From a susceptibility-weighted or gradient-echo scan to a normalised SWI with its regions."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlases import restrict, select
from mndmri.grids import make_image, to_canonical, world_coordinates
from mndmri.registration import register_rigid
from mndmri.susceptibility.regions import ATLAS_REGIONS, REFERENCE, precentral_regions
from mndmri.susceptibility.swi import BIAS_ITERATIONS, Weighted, normalise, weigh_susceptibility
from mndmri.transforms import Transform, resample


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


class Preprocessed(NamedTuple):
    """A scan ready to be measured, on its own grid."""

    weighted: Weighted
    normalised: SpatialImage
    """White matter 1, float32, 0 outside the brain."""
    masks: SpatialImage
    """4D, a region a volume."""
    names: pd.DataFrame
    """Which region and side each volume is; see `regions.precentral_regions`."""
    to_swi: np.ndarray
    """From T1w to SWI world points, shape (4, 4)."""


def preprocess(
    scan: Mapping[str, Sequence[SpatialImage]],
    anatomical: Anatomical,
    atlas: SpatialImage,
    table: pd.DataFrame,
    *,
    bias_correction: bool = True,
    paramagnetic_sign: Literal[-1, 1] | None = None,
) -> Preprocessed:
    """SWI of a person in units of the white matter, and the regions on its grid.

    Parameters
    ----------
    scan : mapping
        ``swi``, the scanner's own, or ``magnitude`` and, if there is any, ``phase``, an image an echo.
    anatomical : Anatomical
    atlas, table
        Atlas in template space.
    bias_correction : bool
        Whether the coil's shading is removed.
    paramagnetic_sign : -1 or 1, optional
        As in `swi.weigh_susceptibility`.

    Raises
    ------
    InputError
        If magnitude and phase do not pair up, or too little white matter has signal.
    """
    vendor, magnitude, phase = ([to_canonical(i) for i in scan[role]] for role in ("swi", "magnitude", "phase"))
    structural = (vendor or magnitude)[0]
    to_swi = register_rigid(anatomical.brain, structural, fixed_mask=anatomical.mask)
    to_t1w: list[Transform] = [np.linalg.inv(to_swi)]
    to_template = [*to_t1w, anatomical.from_template]

    mask = resample(anatomical.mask, structural, to_t1w, interpolation="nearest")
    grey, white, csf = (
        resample(part, structural, to_t1w) for part in (anatomical.grey, anatomical.white, anatomical.csf)
    )
    atlas, table = restrict(atlas, table, ATLAS_REGIONS)
    places = resample(make_image(world_coordinates(atlas).astype(np.float32), atlas), structural, to_template)
    atlas = resample(atlas, structural, to_template)
    masks, names = precentral_regions(grey, white, csf, atlas, table, places)

    if vendor:
        weighted = Weighted(vendor[0], True, "the scanner's own SWI")
    else:
        weighted = weigh_susceptibility(
            magnitude, phase, atlas, table, white_matter=white, paramagnetic_sign=paramagnetic_sign
        )
    iterations = BIAS_ITERATIONS if bias_correction else ()
    reference = select(masks, names, *REFERENCE)
    normalised = normalise(weighted.image, mask, reference, bias_iterations=iterations)
    return Preprocessed(weighted, normalised, masks, names, to_swi)
