"""A scan's normalised SWI and its veins, and what is measured on them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.regions import select
from mndmri.grids import make_image
from mndmri.registration.smoothing import smooth_within
from mndmri.registration.transforms import Transform, resample, resample_within
from mndmri.susceptibility.measures import QUALITY, measure_susceptibility
from mndmri.susceptibility.regions import REFERENCE, any_region
from mndmri.susceptibility.relaxation import measure_r2star
from mndmri.susceptibility.swi import BIAS_ITERATIONS, normalise, weigh_susceptibility
from mndmri.susceptibility.veins import find_veins
from mndmri.tables.measures import split_quality
from mndmri.tables.protocols import MAGNITUDE


class NormalisedScan(NamedTuple):
    """A susceptibility-weighted image in units of the person's own white matter."""

    swi: SpatialImage
    """From `swi.normalise`."""
    veins: SpatialImage
    """In any of the regions, uint8."""
    note: str
    """How the image was made."""
    kind: str
    """How it was weighted, as in `swi.Weighted`."""

    @property
    def by_phase(self) -> bool:
        """Whether the phase has a part in the image."""
        return self.kind != MAGNITUDE


def normalise_scan(
    magnitude: Sequence[SpatialImage],
    phase: Sequence[SpatialImage],
    brain: SpatialImage,
    masks: SpatialImage,
    names: pd.DataFrame,
    *,
    paramagnetic_sign: Literal[-1, 1] | None = None,
    units: str | None = None,
    vendor: SpatialImage | None = None,
    bias_correction: bool = True,
) -> NormalisedScan:
    """Susceptibility-weighted image of a scan, made or the scanner's own, normalised, and its veins.

    Parameters
    ----------
    magnitude, phase, paramagnetic_sign, units, vendor
        As in `swi.weigh_susceptibility`.
    brain, masks, names
        From `preprocessing.locate`.
    bias_correction : bool
        Whether receive-coil inhomogeneity is corrected (N4).
    """
    weighted = weigh_susceptibility(magnitude, phase, paramagnetic_sign=paramagnetic_sign, units=units, vendor=vendor)
    iterations = BIAS_ITERATIONS if bias_correction else ()
    swi = normalise(weighted.image, brain, select(masks, names, *REFERENCE), bias_iterations=iterations)
    return NormalisedScan(swi, find_veins(swi, any_region(masks)), weighted.note, weighted.kind)


def measure_scan(
    scan: NormalisedScan,
    masks: SpatialImage,
    names: pd.DataFrame,
    *,
    r2star: SpatialImage | None = None,
    dark_percentile: float,
    min_voxels: int,
    max_in_plane_mm: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measures of a normalised scan, and of its R2* where there is a map of it; and the checks of its quality.

    Parameters
    ----------
    scan : NormalisedScan
    masks, names
        From `preprocessing.locate`.
    r2star : SpatialImage, optional
        From `relaxation.map_r2star`.
    dark_percentile, min_voxels, max_in_plane_mm
        As in `measures.measure_susceptibility`.

    Returns
    -------
    measures, quality : DataFrame
    """
    rows = measure_susceptibility(
        scan.swi,
        masks,
        names,
        scan.veins,
        dark_percentile=dark_percentile,
        min_voxels=min_voxels,
        max_in_plane_mm=max_in_plane_mm,
        by_phase=scan.by_phase,
    )
    if r2star is not None:
        relaxation = measure_r2star(
            r2star, masks, names, scan.veins, min_voxels=min_voxels, max_in_plane_mm=max_in_plane_mm
        )
        rows = pd.concat([rows, relaxation], ignore_index=True)
    return split_quality(rows, QUALITY)


def average_over_grey_matter(
    swi: SpatialImage,
    brain: SpatialImage,
    veins: SpatialImage,
    grey: SpatialImage,
    grid: SpatialImage,
    *,
    to_t1w: Sequence[Transform],
    to_scan: Sequence[Transform],
    fwhm_mm: float,
) -> SpatialImage:
    """Normalised SWI in template space, averaged over the grey matter round each voxel, veins left out.

    Parameters
    ----------
    swi, brain, veins : SpatialImage
        On the scan's grid: as in `NormalisedScan`, and the brain mask.
    grey : SpatialImage
        Probability of grey matter in the T1w image.
    grid : SpatialImage
        Of the result, in template space; its values are not used.
    to_t1w, to_scan : sequence of transforms
        From points of the template to those of the T1w image, and to those of the scan.
    fwhm_mm : float
        Of the Gaussian weights.

    Returns
    -------
    SpatialImage
        From `mndmri.registration.smoothing.smooth_within`; voxels at the edge of the scan or of the brain have no
        part in it.
    """
    weight = resample(grey, grid, to_t1w).get_fdata() * (1 - resample(veins, grid, to_scan).get_fdata())
    known = resample_within(swi, brain, grid, to_scan)
    return smooth_within(known, make_image(weight.astype(np.float32), grid), fwhm_mm=fwhm_mm)
