"""The pictures of a participant's page, by the titles that they stand under."""

from collections.abc import Mapping

import nibabel as nb
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.atlas.regions import select
from mndmri.figures.cord import cord_sheet
from mndmri.figures.hand_knob import hand_knob_sheet
from mndmri.figures.series import series_sheet
from mndmri.figures.sheets import Sheet
from mndmri.figures.slices import colour_fa_sheet, contour_sheet, hold, template_sheet
from mndmri.figures.strip import person_strips
from mndmri.figures.tract import Streamlines, displacement_sheet, levels_sheet
from mndmri.grids import make_image
from mndmri.tables.words import readable

Sheets = dict[str, Sheet]

_SHOWN_GROWTH = 0.05  # turned and noisy copies of a head of 2 mm differ by less nearly everywhere
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
    space: str = "MNI",
) -> Sheets:
    """Brain mask and tissue on the T1w image, or on what stands in for it, and the image under the template's edges."""
    t1w, t1w_template = hold(t1w), hold(t1w_template)  # each is drawn twice
    return {
        f"Brain mask on the {name}": Sheet(
            contour_sheet(t1w, {"brain mask": mask}, title=who),
            "a line that follows the surface of the brain, with the cortex of the vertex and of the temporal poles "
            "inside.",
            "the line cuts through cortex, or takes in eyes, dura or neck; volumes are then wrong.",
        ),
        f"Tissue on the {name}": Sheet(
            contour_sheet(t1w, {"grey matter": gm, "white matter": wm}, title=who),
            "borders that follow those of the image, in the precentral gyrus above all.",
            "cortex that is thick on one side of the head and thin on the other (shading), or missing where the image "
            "shows it (motion).",
        ),
        f"{name} on the template": Sheet(
            template_sheet(t1w_template, template, title=who, space=space),
            "ventricles, central sulcus and outline that stay in place when the two pictures alternate.",
            "the ventricles jump, or a whole lobe does: no region of this participant can then be trusted.",
            {"participant": t1w_template, "template": template},
        ),
    }


def growth_sheet(who: str, *, brain: SpatialImage, growth: SpatialImage, between: tuple[str, str]) -> Figure:
    """Midway image of a person's visits, with outlines where grey matter became smaller and larger.

    Parameters
    ----------
    who : str
    brain : SpatialImage
        As in `mndmri.anatomy.midway.Midway`.
    growth : SpatialImage
        Relative change of grey matter, as from `mndmri.anatomy.change.growth_between`, on the same grid.
    between : pair of str
        The sessions compared; twice the same where the others could not be aligned.
    """
    first, last = between
    said = f"change of grey matter from {first} to {last}" if first != last else f"only {first} could be aligned"
    change = np.nan_to_num(np.asarray(growth.dataobj))
    # outlined at 0.5
    parts = {
        f"{word} by {100 * _SHOWN_GROWTH:.0f}% or more": make_image(
            np.clip(sign * change, 0, 1) / (2 * _SHOWN_GROWTH), brain
        )
        for word, sign in (("smaller", -1), ("larger", 1))
    }
    return contour_sheet(brain, parts, title=f"{who}: {said}")


def dwi_sheets(
    who: str,
    *,
    b0_scanned: SpatialImage,
    b0: SpatialImage,
    displacement_mm: SpatialImage,
    wm: SpatialImage,
    fa: SpatialImage,
    v1: SpatialImage,
    weights: SpatialImage,
    names: pd.DataFrame,
    streamlines: Mapping[str, Streamlines],
    name: str = "T1w",
) -> Sheets:
    """White matter on the b = 0 image before and after, the tracts on colour FA, their levels and streamlines.

    White matter is that of the image called ``name``: the T1w, or what stands in for it. All images lie on the
    diffusion grid; ``weights`` and ``names`` are the probabilities of its regions.
    """
    white = {f"white matter of the {name}": wm}
    levels = {readable(level.removeprefix("cst_")): both_sides(weights, names, level) for level in CST_LEVELS_Z_MM}
    sheets = {
        "b = 0 image before and after correction": Sheet(
            contour_sheet(b0_scanned, white, title=who),
            "white matter that lies within the line, at the frontal and temporal poles above all, and fits better "
            "after the correction.",
            "the image fits no better after it, or worse; the line lies beside the white matter in both pictures "
            "(registration).",
            {"as scanned": b0_scanned, "corrected": b0},
        )
    }
    if np.asarray(displacement_mm.dataobj).any():
        sheets["Displacement by distortion"] = Sheet(
            displacement_sheet(b0, displacement_mm, title=who),
            "a smooth field that is strongest above the sinuses and the ear canals.",
            "patches, or many millimetres in the middle of the brain.",
        )
    return sheets | {
        "Corticospinal tract on colour FA": Sheet(
            colour_fa_sheet(fa, v1, outline_tracts(weights, names), title=who),
            "outlines on the blue (inferior-superior) tract from the precentral gyrus to the pons; a red callosum.",
            "other colours in the internal capsule or a callosum that is not red: a wrong gradient table.",
        ),
        "Levels and streamlines of the corticospinal tract": Sheet(
            levels_sheet(fa, levels, streamlines, title=who),
            "levels that follow each other along the tract, through cerebral peduncle and posterior limb of the "
            "internal capsule, and streamlines that run through them to the precentral gyrus. Where the tract has "
            "degenerated there are few streamlines: that is a finding.",
            "a level beside the bright tract; streamlines that cross the midline or end in the middle.",
        ),
    }


def outline_tracts(weights: SpatialImage, names: pd.DataFrame) -> dict[str, SpatialImage]:
    """Probabilities of the corticospinal tract of each side."""
    return {f"CST {side}": select(weights, names, "cst", hemi) for side, hemi in (("left", "L"), ("right", "R"))}


def dwi_series_sheets(
    who: str, *, motion: pd.DataFrame, signal: np.ndarray, residual: np.ndarray, unweighted: np.ndarray
) -> Sheets:
    """The diffusion series volume by volume; see `series_sheet`."""
    return {
        "Diffusion series, slice by slice and volume by volume": Sheet(
            series_sheet(motion, signal, residual, unweighted, title=who),
            "pale colours throughout; motion below the size of a voxel.",
            "dark cells, single or every second one: slices lost to motion, which the lower picture should no longer "
            "show. A column that differs as a whole: a volume out of place. Colours in slices of one height: pulsation "
            "or ghosts.",
        )
    }


def swi_sheets(who: str, *, swi: SpatialImage, masks: SpatialImage, names: pd.DataFrame) -> Sheets:
    """Hand knobs on the normalised SWI; ``masks`` and ``names`` are its regions."""
    return {
        "Hand knobs on the SWI": Sheet(
            hand_knob_sheet(swi, outline_regions(masks, names), _knobs(masks, names), title=who),
            "both banks of the central sulcus within their outlines. A motor band is a dark line in the deep layers of "
            "the posterior bank.",
            "outlines on the wrong gyrus, or dark vessels that run on from slice to slice: veins, not a band.",
        )
    }


def _knobs(masks: SpatialImage, names: pd.DataFrame) -> dict[str, SpatialImage]:
    return {hemi: select(masks, names, "precentral_hand", hemi) for hemi in "LR"}


def both_sides(masks: SpatialImage, names: pd.DataFrame, region: str) -> SpatialImage:
    """A region of both sides together."""
    return make_image(np.add(*(np.asarray(select(masks, names, region, hemi).dataobj) for hemi in "LR")), masks)


def outline_regions(masks: SpatialImage, names: pd.DataFrame) -> dict[str, SpatialImage]:
    """Masks of the regions around the hand knobs, both sides together."""
    return {region.replace("_", " "): both_sides(masks, names, region) for region in _AROUND_THE_KNOB}


def chi_sheets(who: str, *, chi: SpatialImage, masks: SpatialImage, names: pd.DataFrame) -> Sheets:
    """Banks and pallidum on the susceptibility map; nothing where that is empty, as the phase had no sign."""
    if not np.asarray(chi.dataobj).any():
        return {}
    iron = {f"pallidum {hemi}": select(masks, names, "pallidum", hemi) for hemi in "LR"}
    return {
        "Hand knobs on the susceptibility map": Sheet(
            hand_knob_sheet(
                chi, outline_regions(masks, names), _knobs(masks, names), title=who, unit="ppm", projection_mm=None
            ),
            "grey matter brighter than white; a motor band is a bright line in the posterior bank, where the SWI is "
            "dark.",
            "stripes across gyri, or a bright rim along the edge of the brain: artefacts of the inversion.",
        ),
        "Susceptibility of the deep nuclei": Sheet(
            contour_sheet(chi, iron, title=who, views=("axial", "coronal")),
            "a bright pallidum within its outline, and dark white matter.",
            "a dark pallidum (wrong sign of the phase), or streaks that start at veins or at the edge of the mask.",
        ),
    }


def sulcus_sheets(who: str, *, t1w: SpatialImage, middle: SpatialImage) -> Sheets:
    """Middle of both central sulci, in which their width was measured; nothing where it was not."""
    if not np.asarray(middle.dataobj).any():
        return {}
    return {
        "Central sulcus on the T1w": Sheet(
            contour_sheet(t1w, {"middle of the central sulcus": middle}, title=who, views=("axial", "sagittal")),
            "a line in the fluid between the precentral and the postcentral gyrus, along most of the sulcus.",
            "the line lies in the sulcus in front or behind, or crosses a gyrus.",
        )
    }


def cord_sheets(
    who: str, *, t1w: SpatialImage, planes: SpatialImage, inside: SpatialImage, profile: pd.DataFrame
) -> Sheets:
    """Course and outlines of the cord, as `mndmri.figures.cord.cord_sheet` takes them."""
    return {
        "Medulla and upper cervical cord": Sheet(
            cord_sheet(t1w, planes, inside, profile, title=who),
            "a course in the middle of the cord, and outlines on its edge against the fluid.",
            "outlines that reach a nerve root, the dura or a vertebra, or a course that leaves the cord.",
        )
    }


def midsagittal_sheets(who: str, plane: SpatialImage, inside: SpatialImage, *, space: str) -> Sheets:
    """Outlines of midbrain and pons, as `mndmri.anatomy.midsagittal.Midsagittal` has them; nothing without a value."""
    shares = np.asarray(inside.dataobj)
    if not shares.any():
        return {}
    parts = {name: make_image(shares[..., n], plane) for n, name in enumerate(("midbrain", "pons"))}
    return {
        "Midbrain and pons": Sheet(
            contour_sheet(plane, parts, title=who, views=("sagittal",), space=space),
            "outlines on the edge against the fluid, which meet on a line from the notch above the pons to the lower "
            "edge of the quadrigeminal plate; the lower end of the pons in its lower notch.",
            "a line beside its notch, a plane beside the aqueduct, outlines that reach a vessel or the hypothalamus.",
        )
    }


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
        f"Tissue of the T1w on the map {readable(name)}": Sheet(
            contour_sheet(image, tissue, title=who),
            "outlines of the T1w's tissue on the borders that the map itself shows.",
            "outlines shifted or turned against the map's own borders: every value of the map is of another place.",
        )
        for name, image in placed.items()
    }


def strip_sheets(who: str, strip: pd.DataFrame) -> Sheets:
    """Central sulci, unfolded: one picture a modality that was painted on them."""
    return {
        f"Central sulcus, unfolded: {name}": Sheet(
            figure,
            "both banks from the leg to the face; a motor band is a dark (SWI) or bright (QSM) stretch of the "
            "precentral bank.",
            "wide grey gaps, where no sulcus was found or veins were removed.",
        )
        for name, figure in person_strips(strip, title=who).items()
    }
