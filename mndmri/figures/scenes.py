"""Volumes to be looked at slice by slice: images of one grid, and what is drawn on them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex
from nibabel.affines import apply_affine
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.regions import select
from mndmri.figures.participant import both_sides, outline_regions, outline_tracts
from mndmri.figures.slices import (
    OUTLINE_COLOURS,
    OUTLINES_ON_COLOUR,
    SCANNER,
    data_of,
    direction_colours,
    extent_of,
    hold,
    prepare,
    window_of,
)
from mndmri.figures.tract import Streamlines, streamlines_in_voxels
from mndmri.grids import check_same_grid, make_image, resampled_grid, voxel_sizes
from mndmri.masks import dilate
from mndmri.registration.transforms import resample

_MARGIN_MM = 10.0
# More voxels are shown coarser: a page of 6 million holds 2 MB for a T1w image and opens in a second or two.
_MOST_VOXELS = 6e6
# Voxels that at least so much of a side's streamlines pass: single ones that stray would hide where the tract runs.
_SHARE_OF_STREAMLINES = 0.02
_LARGEST_MM = 2.0  # voxels of a map that are larger are divided
_FA_WINDOW = (0.0, 0.9)
_BRIGHTEST = 0.75  # of a template's grey, so that colours stand out
_DIVERGING = "RdBu_r"
_N_COLOURS = 255  # odd: the middle one of a scale with two sides is zero
STATISTIC_STEP = 0.01
"""A statistic is shown in whole steps of this."""
_MOST_STEPS = 32767


class Shown(NamedTuple):
    """An image of a scene."""

    channels: Sequence[np.ndarray]
    """One of grey, or red, green and blue: shape (X, Y, Z), uint8."""
    ends: tuple[float, float] | None
    """Values of black and white; none of colours."""
    unit: str = ""


class Statistic(NamedTuple):
    """A map of a statistic, drawn in colour."""

    name: str
    steps: np.ndarray
    """Shape (X, Y, Z), int16: value by `STATISTIC_STEP`, 0 outside the mask alone."""
    ends: tuple[float, float]
    """Values at which the colours end; the lower one is 0 where negative values are no result."""
    colours: Sequence[str]
    """From the lowest to the highest value."""


class Scene(NamedTuple):
    """What is looked at together; every array has one shape, in RAS order."""

    name: str
    images: Mapping[str, Shown]
    marks: Mapping[str, np.ndarray]
    """Masks by name, bool."""
    colours: Sequence[str]
    """Of the marks."""
    hidden: Sequence[str]
    """Marks that are not drawn until they are asked for."""
    affine: np.ndarray
    """From voxels to mm."""
    start_mm: tuple[float, float, float]
    file: str
    """Name of the image file to which the voxel indices belong."""
    file_affine: np.ndarray
    space: str
    look_for: str
    bad: str = ""
    statistic: Statistic | None = None
    lines: Mapping[str, Sequence[np.ndarray]] = {}
    """Streamlines by the mark in place of whose outline they are drawn: points in voxels, shape (n, 3) each."""


def t1w_scene(
    t1w: SpatialImage,
    mask: SpatialImage,
    gm: SpatialImage,
    wm: SpatialImage,
    weights: SpatialImage,
    names: pd.DataFrame,
    *,
    file: str,
    name: str = "T1w",
) -> Scene:
    """Tissue and precentral gyri on the T1w image, or on what stands in for it; all on one grid.

    The image is black farther than 10 mm from the brain: slices of the whole head hold a face.

    Parameters
    ----------
    t1w, mask, gm, wm : SpatialImage
        3D. Tissue is a probability, and drawn where it is at least 0.5.
    weights, names
        Probabilities of the atlas's regions.
    file : str
        Name of the image's file.
    name : str
        Of the image.
    """
    near = np.asarray(dilate(mask, _MARGIN_MM).dataobj)
    return _scene(
        f"{name} with tissue",
        {name: make_image(np.where(near, data_of(t1w), 0), t1w)},
        {
            "grey matter": gm,
            "white matter": wm,
            "brain mask": mask,
            "precentral gyri of the atlas": both_sides(weights, names, "precentral"),
        },
        file=file,
        within=[mask],
        start=select(weights, names, "precentral", "L"),
        hidden=["brain mask", "precentral gyri of the atlas"],
        look_for="borders of grey and white matter on those of the image, in the precentral gyrus above all; a brain "
        "mask on the surface of the brain.",
        bad="a border that leaves that of the image, thick cortex on one side of the head alone, or tissue in dura or "
        "eyes.",
    )


def dwi_scene(
    fa: SpatialImage,
    v1: SpatialImage,
    weights: SpatialImage,
    names: pd.DataFrame,
    streamlines: Mapping[str, Streamlines],
    *,
    file: str,
) -> Scene:
    """Corticospinal tracts and streamlines on FA, in grey and in the colours of the directions.

    Parameters
    ----------
    fa, v1, weights, names, streamlines
        As in `mndmri.figures.participant.dwi_sheets`.
    file : str
        Name of the file of FA.
    """
    colour = np.rint(255 * direction_colours(fa, v1)).astype(np.uint8)
    file_affine, fa = fa.affine, prepare(fa)
    tracts = {name: hold(own) for name, own in outline_tracts(weights, names).items()}
    passed = {f"streamlines {side}": _passed(lines, fa) for side, lines in streamlines.items()}
    scene = _scene(
        "FA with the tract",
        {"FA in colours": make_image(colour, fa), "FA": fa},
        tracts | passed,
        file=file,
        within=[],
        window=_FA_WINDOW,
        start=select(weights, names, "cst_plic", "L"),
        colours=OUTLINES_ON_COLOUR,
        look_for="the tract on the blue fibres from the precentral gyrus through the capsule and the peduncle to the "
        "pons; streamlines within it. Few streamlines in a degenerated tract are a finding. Red: left-right, green: "
        "anterior-posterior, blue: inferior-superior.",
        bad="a tract beside the blue fibres, streamlines that cross the midline, or other colours in the capsule "
        "(a wrong gradient table).",
    )
    drawn = {f"streamlines {side}": streamlines_in_voxels(lines, scene.affine) for side, lines in streamlines.items()}
    return scene._replace(file_affine=file_affine, lines=drawn)


def swi_scene(
    images: Mapping[str, SpatialImage],
    masks: SpatialImage,
    names: pd.DataFrame,
    veins: SpatialImage | None,
    *,
    file: str,
) -> Scene:
    """Banks of the central sulcus on the normalised SWI and on the susceptibility map, around these banks.

    Parameters
    ----------
    images : mapping
        Name to image, SWI or susceptibility map (``QSM``), on one grid.
    masks, names
        Regions as in `mndmri.figures.participant.swi_sheets`.
    veins : SpatialImage or None
        Mask of the veins that were removed.
    file : str
        Name of the file of the first image.
    """
    regions = {"deep posterior bank": both_sides(masks, names, "precentral_posterior_deep")}
    regions |= outline_regions(masks, names)
    return _scene(
        f"{' and '.join(images)} with regions",
        images,
        regions | ({} if veins is None else {"veins, removed": veins}),
        file=file,
        within=list(regions.values()),
        start=select(masks, names, "precentral_hand", "L"),
        hidden=["veins, removed"],
        units={"QSM": "ppm"},
        look_for="both banks of the precentral gyrus in their places. A motor band is a line in the deep layers of the "
        "posterior bank, dark on the SWI, bright on the susceptibility map, over several slices.",
        bad="banks on another gyrus; dark vessels that run on from slice to slice (veins, not a band).",
    )


def map_ground(template: SpatialImage, statistic: SpatialImage) -> SpatialImage:
    """Template on the voxels of a map, of which large ones are divided so that the template is seen beneath.

    Parameters
    ----------
    template : SpatialImage
        3D brain without skull, 0 outside.
    statistic : SpatialImage
        3D, in the template's world.
    """
    template, sizes = hold(template), voxel_sizes(statistic)
    # by an odd number: then the middle of each voxel of the map is that of one that is shown
    parts = 2 * max(int(np.ceil((sizes.max() / _LARGEST_MM - 1) / 2)), 0) + 1
    brain = make_image((data_of(template) > 0).astype(np.float32), template)
    return resample(template, _grid(resampled_grid(hold(statistic), _triple(sizes / parts)), [brain]))


def map_scene(
    statistic: SpatialImage,
    log_p: SpatialImage,
    ground: SpatialImage,
    *,
    contrast: str,
    name: str,
    alpha: float,
    two_sided: bool,
    peak: Sequence[float] | None,
    space: str,
    file: str,
) -> Scene:
    """One contrast of the groups' maps: the statistic in colour on the template, and what survives the correction.

    Parameters
    ----------
    statistic, log_p, alpha
        As in `mndmri.figures.brain_maps.brain_map`.
    ground : SpatialImage
        From `map_ground`.
    contrast : str
    name : str
        Of the statistic.
    two_sided : bool
        Whether negative values are a result; they are not of F.
    peak : (x, y, z) or None
        Where to begin, mm of the template; without one at the largest value.
    space : str
        Name of the template.
    file : str
        Name of the file of the statistic.
    """
    check_same_grid(statistic, log_p)
    file_affine, statistic = statistic.affine, prepare(statistic)
    values = np.nan_to_num(data_of(statistic)).clip(min=None if two_sided else 0)
    size = np.abs(values)
    top = float(np.percentile(size[size > 0], 99)) if size.any() else 1.0
    on_ground = _on_ground(make_image(values, statistic), ground)
    template = data_of(ground)
    white = float(np.percentile(template[template > 0], 99.5)) / _BRIGHTEST
    colours = colormaps[_DIVERGING](np.linspace(0 if two_sided else 0.5, 1, _N_COLOURS))
    highest = apply_affine(statistic.affine, np.unravel_index(size.argmax(), size.shape))
    return Scene(
        name=contrast,
        images={"template": Shown([_grey(template, (0, white))], None)},
        marks={f"p < {alpha:g}, corrected over the brain": _on_ground(hold(log_p), ground) >= -np.log10(alpha) - 1e-6},
        colours=[OUTLINE_COLOURS[2]],
        hidden=[],
        affine=ground.affine,
        start_mm=_triple(highest if peak is None else peak),
        file=file,
        file_affine=file_affine,
        space=space,
        look_for="what lies within a yellow outline: only this survives the correction. Colours show the statistic of "
        "every voxel, paler where it is smaller: how far a difference reaches, not a result.",
        bad="colours along the edges of the brain or the ventricles, which come from registration or motion.",
        statistic=Statistic(
            name=name,
            steps=_steps(on_ground),
            ends=(-top if two_sided else 0.0, top),
            colours=[to_hex(own) for own in colours],
        ),
    )


def _steps(values: np.ndarray) -> np.ndarray:
    """Values of a statistic as whole steps; one at least of each that is not 0, which is outside the mask."""
    steps = np.rint(np.clip(values / STATISTIC_STEP, -_MOST_STEPS, _MOST_STEPS))
    return np.where(steps == 0, np.sign(values), steps).astype(np.int16)


def _on_ground(image: SpatialImage, ground: SpatialImage) -> np.ndarray:
    """Values of a map on the voxels of `map_ground`, none of them between two."""
    return data_of(resample(image, ground, interpolation="nearest"))


def _scene(
    name: str,
    images: Mapping[str, SpatialImage],
    marks: Mapping[str, SpatialImage],
    *,
    within: Sequence[SpatialImage],
    start: SpatialImage | None = None,
    window: tuple[float, float] | None = None,
    units: Mapping[str, str] | None = None,
    colours: Sequence[str] = OUTLINE_COLOURS,
    **words: Any,
) -> Scene:
    """Scene of images and masks of a participant, cut out around masks, and beginning in the middle of one."""
    check_same_grid(*images.values(), *marks.values())
    first = next(iter(images.values()))
    grid = _grid(hold(first) if len(first.shape) == 3 else hold(first.slicer[..., 0]), [hold(own) for own in within])
    drawn = {own: data_of(_brought(mask, grid)) >= 0.5 for own, mask in marks.items()}
    shown = {}
    for own, image in images.items():
        values = data_of(_brought(image, grid))
        if values.ndim == 4:
            shown[own] = Shown([np.rint(channel).astype(np.uint8) for channel in np.moveaxis(values, -1, 0)], None)
        else:
            ends = window or window_of(values)
            shown[own] = Shown([_grey(values, ends)], ends, (units or {}).get(own, ""))
    where = (data_of(_brought(start, grid)) >= 0.5) if start is not None else np.zeros(grid.shape, bool)
    return Scene(
        name=name,
        images=shown,
        marks=drawn,
        colours=list(colours[: len(drawn)]),
        affine=grid.affine,
        start_mm=_triple(apply_affine(grid.affine, _middle(where))),
        file_affine=first.affine,
        space=SCANNER,
        **({"hidden": []} | words),
    )


def _grid(image: SpatialImage, masks: Sequence[SpatialImage]) -> SpatialImage:
    """Grid of an image in RAS order around masks, or around the head; coarser if it were too large."""
    box = extent_of(image, masks, _MARGIN_MM)
    grid = image.slicer[tuple(slice(first, last + 1) for first, last in box)]
    excess = np.prod(grid.shape) / _MOST_VOXELS
    return grid if excess <= 1 else resampled_grid(grid, _triple(voxel_sizes(grid) * excess ** (1 / 3)))


def _brought(image: SpatialImage, grid: SpatialImage) -> SpatialImage:
    """Image on a grid: cut out where the grid is a part of its own."""
    image = hold(image)
    first = np.rint(apply_affine(np.linalg.inv(image.affine), grid.affine[:3, 3])).astype(int)
    last = first + grid.shape[:3]
    if (first >= 0).all() and (last <= image.shape[:3]).all():
        part = image.slicer[tuple(slice(*ends) for ends in zip(first, last, strict=True))]
        if np.allclose(part.affine, grid.affine, atol=1e-3):
            return part
    return resample(image, grid)


def _grey(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Values as 0 to 255; black where there is none."""
    grey = np.rint(255 * np.clip((np.nan_to_num(values) - ends[0]) / (ends[1] - ends[0]), 0, 1))
    return np.where(np.isfinite(values) & (values != 0), grey, 0).astype(np.uint8)


def _passed(streamlines: Streamlines, grid: SpatialImage) -> SpatialImage:
    """Voxels that many of the streamlines pass, 0 or 1."""
    to_voxels = np.linalg.inv(grid.affine)
    counts = np.zeros(grid.shape, np.int32)
    for points in streamlines:
        voxels = np.unique(np.rint(apply_affine(to_voxels, np.asarray(points))).astype(int), axis=0)
        inside = ((voxels >= 0) & (voxels < grid.shape)).all(axis=1)
        counts[tuple(voxels[inside].T)] += 1
    return make_image((counts >= max(_SHARE_OF_STREAMLINES * len(streamlines), 1)).astype(np.float32), grid)


def _middle(mask: np.ndarray) -> np.ndarray:
    """Voxel of a mask that is nearest to its middle; the middle of the grid if it is empty."""
    if not mask.any():
        return (np.array(mask.shape) - 1) // 2
    voxels = np.argwhere(mask)
    return voxels[((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1).argmin()]


def _triple(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(own) for own in values)
    return x, y, z
