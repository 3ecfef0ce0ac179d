"""The pictures of a participant's page, by the titles that they stand under."""

from collections.abc import Mapping

import nibabel as nb
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.regions import select
from mndmri.figures.hand_knob import hand_knob_sheet
from mndmri.figures.slices import colour_fa_sheet, contour_sheet, template_sheet
from mndmri.figures.strip import person_strips
from mndmri.grids import make_image
from mndmri.tables.words import readable

Sheets = dict[str, Figure]

# Outlined around the hand knobs: both banks of the precentral gyrus, and the gyrus behind it.
_AROUND_THE_KNOB = ("precentral_posterior", "precentral_anterior", "postcentral")


def t1w_sheets(
    who: str,
    *,
    t1w: SpatialImage,
    mask: SpatialImage,
    gm: SpatialImage,
    wm: SpatialImage,
    t1w_template: SpatialImage,
    template: SpatialImage,
    name: str = "T1w",
) -> Sheets:
    """Brain mask and tissue on the T1w image, or on what stands in for it, and the image under the template's edges."""
    return {
        f"Brain mask on the {name}": contour_sheet(t1w, {"brain mask": mask}, title=who),
        f"Tissue on the {name}": contour_sheet(t1w, {"grey matter": gm, "white matter": wm}, title=who),
        f"{name} in template space": template_sheet(t1w_template, template, title=who),
    }


def dwi_sheets(
    who: str,
    *,
    b0_scanned: SpatialImage,
    b0: SpatialImage,
    wm: SpatialImage,
    fa: SpatialImage,
    v1: SpatialImage,
    weights: SpatialImage,
    names: pd.DataFrame,
    name: str = "T1w",
) -> Sheets:
    """White matter on the b = 0 image, as scanned and corrected, and the tracts on colour FA.

    White matter is that of the image called ``name``: the T1w, or what stands in for it. All images lie on the
    diffusion grid; ``weights`` and ``names`` are the probabilities of its regions.
    """
    white = {f"white matter of the {name}": wm}
    outlines = {f"CST {side}": select(weights, names, "cst", hemi) for side, hemi in (("left", "L"), ("right", "R"))}
    return {
        "b = 0 image as scanned": contour_sheet(b0_scanned, white, title=who),
        "b = 0 image, corrected": contour_sheet(b0, white, title=who),
        "Corticospinal tract on colour FA": colour_fa_sheet(fa, v1, outlines, title=who),
    }


def swi_sheets(who: str, *, swi: SpatialImage, masks: SpatialImage, names: pd.DataFrame) -> Sheets:
    """Hand knobs on the normalised SWI; ``masks`` and ``names`` are its regions."""
    knobs = {hemi: select(masks, names, "precentral_hand", hemi) for hemi in "LR"}
    return {"Hand knobs on the SWI": hand_knob_sheet(swi, outline_regions(masks, names), knobs, title=who)}


def outline_regions(masks: SpatialImage, names: pd.DataFrame) -> dict[str, SpatialImage]:
    """Masks of the regions around the hand knobs, both sides together."""
    outlines: dict[str, SpatialImage] = {}
    for region in _AROUND_THE_KNOB:
        sides = [np.asarray(select(masks, names, region, hemi).dataobj) for hemi in "LR"]
        outlines[region.replace("_", " ")] = make_image(np.add(*sides), masks)
    return outlines


def chi_sheets(who: str, *, chi: SpatialImage, masks: SpatialImage, names: pd.DataFrame) -> Sheets:
    """Pallidum on the susceptibility map; nothing where the map is empty, as no sign of the phase was found."""
    if not np.asarray(chi.dataobj).any():
        return {}
    iron = {f"pallidum {hemi}": select(masks, names, "pallidum", hemi) for hemi in "LR"}
    return {"Susceptibility": contour_sheet(chi, iron, title=who)}


def map_sheets(
    who: str, maps: Mapping[str, tuple[SpatialImage, np.ndarray]], *, gm: SpatialImage, wm: SpatialImage
) -> Sheets:
    """Tissue of the T1w image on each map or contrast, brought to it by the map's alignment.

    ``maps`` has a map's name to the map and to the transform from points of the T1w image to those of the map.
    """
    tissue = {"grey matter": gm, "white matter": wm}
    placed = {
        name: nb.Nifti1Image(image.dataobj, np.linalg.inv(to) @ image.affine) for name, (image, to) in maps.items()
    }
    return {
        f"Tissue of the T1w on the map {readable(name)}": contour_sheet(image, tissue, title=who)
        for name, image in placed.items()
    }


def strip_sheets(who: str, strip: pd.DataFrame) -> Sheets:
    """Central sulci, unfolded: one picture a modality that was painted on them."""
    return {f"Central sulcus, unfolded: {name}": figure for name, figure in person_strips(strip, title=who).items()}
