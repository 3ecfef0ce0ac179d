"""A stand-in for the T1w image of a person of whom there is a gradient echo and no T1w image."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.anatomy.brain import find_brain, mask_image
from mndmri.anatomy.tissue import TISSUES
from mndmri.grids import check_same_grid, make_image, voxel_sizes, world_coordinates
from mndmri.intensity import StandIn, correct_bias
from mndmri.io import InputError
from mndmri.registration.pose import centre_of_mass
from mndmri.registration.register import register_affine
from mndmri.registration.transforms import map_points, sample_points
from mndmri.robust import MAD_TO_SD
from mndmri.tables.measures import MEASURE_COLUMNS, row

# Share of a tissue from which on a place in the template shows that tissue after an affine registration.
_SURE = 0.9
# Grey matter may lie so far beyond white matter or fluid, as a share of the distance between these two: an affine
# registration mixes tissues. Farther beyond, no image of this kind shows the sulci.
_MOST_BEYOND = 0.25
# Darker than white matter by so many of its SDs are vessels, iron and dura; they take the place of their surroundings.
_VESSEL_SDS = 3.0
_SURROUNDINGS_MM = 1.5  # SD of the weights
_LEAST = 0.01  # an image is 0 outside the brain alone


def average_echoes(echoes: Sequence[SpatialImage]) -> SpatialImage:
    """Mean of the magnitudes of a gradient echo, float32; of one, itself."""
    check_same_grid(*echoes)
    return make_image(np.mean([echo.get_fdata(dtype=np.float32) for echo in echoes], axis=0), echoes[0])


def imitate_t1w(image: SpatialImage, template: SpatialImage, tissue: SpatialImage) -> StandIn:
    """An image with the contrast of a T1w image, from a gradient echo's magnitude or an SWI.

    Parameters
    ----------
    image : SpatialImage
        3D, RAS-stored: a magnitude, or the mean of the echoes' magnitudes, or an SWI.
    template : SpatialImage
        3D, 0 outside the brain.
    tissue : SpatialImage
        The template's tissue, as from `mndmri.anatomy.tissue.brain_tissue`.

    Raises
    ------
    InputError
        If no brain is found, a tissue is not in view, or grey matter is not between fluid and white matter in
        brightness.

    Notes
    -----
    Where fluid is brightest (T2*-weighted), brightness is inverted, and what is darker than white matter (veins,
    iron) takes the brightness round it; where it is darkest (weighted by T1 or proton density), brightness is kept.
    Which of the two is known from the template's tissue after an affine registration by mutual information.
    """
    image = make_image(np.clip(image.get_fdata(dtype=np.float32), 0, None), image)
    mask, _ = find_brain(image)
    even = correct_bias(image, mask)
    inside = np.asarray(mask.dataobj) > 0
    values = np.asarray(even.dataobj, np.float32)
    level, white_sd = _levels(even, mask, template, tissue)
    inverted = level["CSF"] > level["WM"]
    if inverted:
        values = _without_vessels(values, inside, level["WM"] - _VESSEL_SDS * white_sd, voxel_sizes(image))
        values = np.percentile(values[inside], 99.5) - values
    bright = values / np.percentile(values[inside], 75)
    n_voxels = int(inside.sum())
    quality = pd.DataFrame(
        [row("swi", "without_t1w", "brain", "both", 1.0, unit="1", n_voxels=n_voxels)], columns=MEASURE_COLUMNS
    )
    t1w = make_image(np.where(inside, np.maximum(bright, _LEAST), 0).astype(np.float32), image)
    return StandIn(t1w, mask, quality)


def _levels(
    even: SpatialImage, mask: SpatialImage, template: SpatialImage, tissue: SpatialImage
) -> tuple[dict[str, float], float]:
    """Brightness of each tissue, and the SD of white matter's, where the template has them.

    Raises
    ------
    InputError
        If a tissue is not in view, or grey matter is not between fluid and white matter.
    """
    start = np.eye(4)
    whole = make_image((np.asarray(template.dataobj) > 0).astype(np.uint8), template)
    start[:3, 3] = centre_of_mass(mask) - centre_of_mass(whole)
    affine = register_affine(template, mask_image(even, mask), start=start)
    inside = np.asarray(mask.dataobj) > 0
    shares = sample_points(tissue, map_points(world_coordinates(even)[inside], [np.linalg.inv(affine)]))
    values = np.asarray(even.dataobj)[inside]
    of = {name: values[share > _SURE] for name, share in zip(TISSUES, shares.T, strict=True)}
    lacking = [name for name, own in of.items() if not own.size]
    if lacking:
        raise InputError(
            f"the gradient echo shows no {', '.join(lacking)} where the template has it; add a T1w image, or leave the "
            "participant out"
        )
    level = {name: float(np.median(own)) for name, own in of.items()}
    beyond = abs(level["GM"] - (level["WM"] + level["CSF"]) / 2) / max(abs(level["WM"] - level["CSF"]), 1e-9) - 0.5
    if beyond > _MOST_BEYOND:
        raise InputError(
            "grey matter is not between fluid and white matter in the brightness of the gradient echo "
            f"({', '.join(f'{name} {value:.3g}' for name, value in level.items())}): sulci do not stand out from it; "
            "add a T1w image, or leave the participant out"
        )
    return level, MAD_TO_SD * float(np.median(np.abs(of["WM"] - level["WM"])))


def _without_vessels(values: np.ndarray, inside: np.ndarray, least: float, sizes: np.ndarray) -> np.ndarray:
    """Brightness in which what is darker than ``least`` is as its surroundings are, weighted by distance."""
    kept = inside & (values >= least)
    weight, total = (
        ndimage.gaussian_filter(part.astype(np.float32), _SURROUNDINGS_MM / sizes) for part in (kept, kept * values)
    )
    return np.where(kept | ~inside, values, total / np.maximum(weight, 1e-6))
