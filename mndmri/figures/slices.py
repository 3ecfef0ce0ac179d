"""Contact sheets: slices of an image with outlines drawn on it.

Slices are the image's own voxels along its own (nearest to anatomical) axes, so what is seen is
what was acquired, not a resampled copy. All sheets follow the neurological convention: the
left of an axial or coronal picture is the person's left, and it says so.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import nibabel as nb
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.filters import threshold_multiotsu

from mndmri.grids import check_same_grid, same_grid, to_canonical, voxel_sizes
from mndmri.io import InputError

SCANNER = "scanner"
CONVENTION = "Neurological convention: the left of axial and coronal pictures (L) is the participant's left."

# Okabe and Ito (2008), the bright ones: to be distinguished on grey by every reader
OUTLINE_COLOURS = ("#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00")
# on colour FA, where red, green and blue mean directions
OUTLINES_ON_COLOUR = ("#FFFFFF", "#F0E442", "#E69F00", "#CC79A7")

VIEWS = ("sagittal", "coronal", "axial")  # by the array axis that is cut across
IN_PLANE = {0: (1, 2), 1: (0, 2), 2: (0, 1)}  # array axes to the right and upwards in the picture
_ENDS = {0: ("L", "R"), 1: ("P", "A"), 2: ("I", "S")}

_PICTURE_INCHES = 1.9
_LEAST_INCHES = 6.0  # of a sheet: title and legend stand beside each other
_HEADER_INCHES = 0.45
_FOOTER_INCHES = 0.4
_MARGIN_MM = 10.0


def contour_sheet(
    background: SpatialImage,
    contours: Mapping[str, SpatialImage],
    *,
    title: str,
    n_slices: int = 6,
    space: str = SCANNER,
    views: Sequence[str] = ("axial", "coronal", "sagittal"),
) -> Figure:
    """Axial, coronal and sagittal slices of an image with the outlines of masks on them.

    Parameters
    ----------
    background : SpatialImage
        3D, any storage order, any affine.
    contours : mapping
        Name to 3D mask or probability (outlined at 0.5), on any grid in the same world. The slices are
        spread over all of them. An empty one is named so in the legend.
    title : str
        With the study's id of the participant.
    n_slices : int
        Slices of each view; fewer where the masks have fewer.
    space : str
        Name of the coordinates that the images are in; a template's name is written at each place.
    views : sequence of str
        Of axial, coronal and sagittal.

    Returns
    -------
    Figure
        A row a view.

    Raises
    ------
    InputError
        If the background is not 3D or has no finite value.
    """
    background = prepare(background)
    contours = {name: hold(mask) for name, mask in contours.items()}
    window = window_of(data_of(background))
    masks = list(contours.values())
    return sheet_of(
        background,
        data_of(background),
        contours,
        {axis: own for axis, own in spread_slices(background, masks, n_slices).items() if VIEWS[axis] in views},
        title=title,
        window=window,
        crop=extent_of(background, masks, _MARGIN_MM),
        space=space,
    )


def template_sheet(
    t1w: SpatialImage, template: SpatialImage, *, title: str, n_slices: int = 6, space: str = "MNI"
) -> Figure:
    """Slices of a T1w image in template space with the template's own edges on them.

    Parameters
    ----------
    t1w : SpatialImage
        3D, resampled to the template's space.
    template : SpatialImage
        3D brain without skull (0 outside). Its outline, and the edge of its white matter by a
        three-class Otsu threshold, are drawn.
    space : str
        Name of the template.

    Raises
    ------
    InputError
        If the template is not a brain on a background of zeros.
    """
    return contour_sheet(t1w, template_edges(template), title=title, n_slices=n_slices, space=space)


def template_edges(template: SpatialImage) -> dict[str, SpatialImage]:
    """Brain and white matter of a template, to be outlined at 0.5.

    Parameters
    ----------
    template : SpatialImage
        As in `template_sheet`.
    """
    template = prepare(template)
    values = data_of(template)
    inside = values > 0
    if not inside.any() or inside.all():
        raise InputError(
            f"the template has {int(inside.sum())} of {inside.size} voxels above 0; "
            "a brain without skull on a background of zeros is needed"
        )
    white = threshold_multiotsu(values[inside], classes=3)[-1]
    # half a voxel of smoothing: an edge to compare with, not the staircase of the voxels
    return {
        "template: brain": nb.Nifti1Image(gaussian_filter(inside.astype(np.float32), 0.5), template.affine),
        "template: white matter": nb.Nifti1Image(
            gaussian_filter((values > white).astype(np.float32), 0.5), template.affine
        ),
    }


def show_instead(figure: Figure, background: SpatialImage) -> None:
    """Put another image behind the outlines of a contact sheet, slice by slice, on a grey scale of its own.

    Parameters
    ----------
    figure : Figure
        From `contour_sheet`; changed.
    background : SpatialImage
        3D, on the grid of the one that the sheet was drawn with.
    """
    background = prepare(background)
    values = data_of(background)
    window = window_of(values)
    for axes in figure.axes:
        view, index = str(axes.get_label()).split()
        picture = axes.get_images()[0]
        shown = np.nan_to_num(cut(values, VIEWS.index(view), int(index)).swapaxes(0, 1))
        picture.set(data=shown, clim=window)


def colour_fa_sheet(
    fa: SpatialImage,
    directions: SpatialImage,
    contours: Mapping[str, SpatialImage],
    *,
    title: str,
    n_slices: int = 6,
) -> Figure:
    """Slices of colour-coded fractional anisotropy with outlines on them.

    Red is left-right, green anterior-posterior, blue inferior-superior; brightness is FA
    (Pajevic and Pierpaoli 1999, Magn Reson Med 42:526).

    Parameters
    ----------
    fa : SpatialImage
        3D, 0 to 1.
    directions : SpatialImage
        Shape (X, Y, Z, 3): unit vectors of the main diffusion direction in world axes (right, anterior,
        superior), on the grid of ``fa``.
    contours : mapping
        As in `contour_sheet`; the corticospinal tracts.

    Raises
    ------
    InputError
        If the grids differ or the directions have no three components.
    """
    colour = direction_colours(fa, directions)
    fa = prepare(fa)
    contours = {name: hold(mask) for name, mask in contours.items()}
    return sheet_of(
        fa,
        colour,
        contours,
        spread_slices(fa, list(contours.values()), n_slices),
        title=title,
        colours=OUTLINES_ON_COLOUR,
        note="Red left-right, green anterior-posterior, blue inferior-superior. ",
    )


def direction_colours(fa: SpatialImage, directions: SpatialImage) -> np.ndarray:
    """Colours of `colour_fa_sheet`, of images in RAS order: shape (X, Y, Z, 3), 0 to 1."""
    check_same_grid(fa, directions)
    if len(directions.shape) != 4 or directions.shape[3] != 3:
        raise InputError(f"directions have shape {directions.shape}; (X, Y, Z, 3) is expected")
    fa, directions = prepare(fa), hold(directions)
    colour = np.abs(np.nan_to_num(data_of(directions))) * np.clip(np.nan_to_num(data_of(fa)), 0, 1)[..., None]
    # FA of 0.8 and more is full brightness: whole brains are too dark otherwise
    return np.clip(colour / 0.8, 0, 1)


# -- reading images -------------------------------------------------------------------------------


def prepare(image: SpatialImage) -> SpatialImage:
    """Image in RAS order in memory, after a check that there is something to show."""
    if len(image.shape) != 3:
        raise InputError(f"an image of shape {image.shape} cannot be shown as slices; a 3D image is expected")
    image = hold(image)
    if not np.isfinite(data_of(image)).any():
        raise InputError("the image to be shown has no finite value; check the stage that produced it")
    return image


def cut(values: np.ndarray, axis: int, index: int) -> np.ndarray:
    """One slice of an array; ndarray.take would first copy the whole of one that is stored in another order."""
    return np.moveaxis(values, axis, 0)[index]


def hold(image: SpatialImage) -> SpatialImage:
    """Image in RAS order in memory, float32: of one in a compressed file, every look at its values is a read of it."""
    image = to_canonical(image)
    return nb.Nifti1Image(np.asarray(image.dataobj, dtype=np.float32), image.affine)


def data_of(image: SpatialImage) -> np.ndarray:
    """Values of an image, float32."""
    return np.asarray(image.dataobj, dtype=np.float32)


def window_of(values: np.ndarray) -> tuple[float, float]:
    """Grey scale that leaves out the darkest and brightest half percent of what is not background."""
    values = values[::2, ::2, ::2] if min(values.shape) > 32 else values  # an eighth tells as much
    seen = values[np.isfinite(values) & (values != 0)]
    if seen.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(seen, [0.5, 99.5])
    return (float(low), float(high)) if high > low else (float(low) - 1, float(high) + 1)


def extent_of(background: SpatialImage, masks: Sequence[SpatialImage], margin_mm: float) -> np.ndarray:
    """First and last voxel of ``background`` that holds the masks, shape (3, 2); of the head without them."""
    corners = []
    for mask in masks:
        inside = np.asanyarray(mask.dataobj) >= 0.5
        if inside.any():
            to_background = np.linalg.inv(background.affine) @ mask.affine
            corners.append(nb.affines.apply_affine(to_background, _box_corners(inside)))
    if not corners:
        values = np.nan_to_num(data_of(background))
        inside = values > 0.1 * np.percentile(values[::2, ::2, ::2], 99)
        corners.append(_box_corners(inside if inside.any() else np.ones(background.shape, bool)))
    points = np.concatenate(corners)
    margin = margin_mm / voxel_sizes(background)
    ends = np.stack([points.min(axis=0) - margin, points.max(axis=0) + margin], axis=1)
    return np.clip(np.rint(ends), 0, np.array(background.shape)[:, None] - 1).astype(int)


def _box_corners(inside: np.ndarray) -> np.ndarray:
    """Voxel indices of the eight corners of the box around what is True, shape (8, 3)."""
    ends = []
    for axis in range(3):
        found = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        ends.append((found[0], found[-1]))
    return np.array(list(product(*ends)))


def spread_slices(background: SpatialImage, masks: Sequence[SpatialImage], n_slices: int) -> dict[int, list[int]]:
    """Slice numbers for each array axis, evenly over the extent of the masks, its ends left out; none twice."""
    extent = extent_of(background, masks, 0.0)
    positions = {}
    for axis in (2, 1, 0):
        first, last = extent[axis]
        positions[axis] = list(dict.fromkeys(int(i) for i in np.rint(np.linspace(first, last, n_slices + 2)[1:-1])))
    return positions


def mask_on_slice(
    mask: SpatialImage, values: np.ndarray, background: SpatialImage, axis: int, index: int
) -> np.ndarray:
    """Mask at the voxel centres of one slice of the background, as a 2D array."""
    if same_grid(mask, background):
        return cut(values, axis, index)
    counts = [range(n) for n in background.shape]
    counts[axis] = range(index, index + 1)
    points = np.stack(np.meshgrid(*counts, indexing="ij"), axis=-1)
    there = nb.affines.apply_affine(np.linalg.inv(mask.affine) @ background.affine, points)
    return map_coordinates(values, np.moveaxis(there, -1, 0), order=1).squeeze(axis)


# -- drawing --------------------------------------------------------------------------------------


def sheet_of(
    background: SpatialImage,
    shown: np.ndarray,
    contours: Mapping[str, SpatialImage],
    positions: Mapping[int, Sequence[int]],
    *,
    title: str,
    window: tuple[float, float] | None = None,
    colours: Sequence[str] = OUTLINE_COLOURS,
    crop: np.ndarray | None = None,
    note: str = "",
    space: str = SCANNER,
) -> Figure:
    """Rows of pictures, a row a view."""
    if len(contours) > len(colours):
        raise InputError(f"{len(contours)} outlines on one sheet; {len(colours)} can be distinguished")
    crop = extent_of(background, [], _MARGIN_MM) if crop is None else crop
    size_mm = (np.diff(crop, axis=1)[:, 0] + 1) * voxel_sizes(background)
    columns = max(len(where) for where in positions.values())
    widest = max(size_mm[IN_PLANE[axis][0]] for axis in positions)
    across = max(_PICTURE_INCHES, _LEAST_INCHES / columns)
    heights = [across * size_mm[IN_PLANE[axis][1]] / widest for axis in positions]
    width, height = columns * across, sum(heights) + _HEADER_INCHES + _FOOTER_INCHES

    figure = Figure(figsize=(width, height), facecolor="black")
    grid = figure.add_gridspec(
        len(positions), columns, height_ratios=heights, wspace=0.01, hspace=0.01,
        left=0.002, right=0.998, bottom=_FOOTER_INCHES / height, top=1 - _HEADER_INCHES / height,
    )  # fmt: skip
    masks = {name: (image, data_of(image)) for name, image in contours.items()}
    for row, (axis, indices) in enumerate(positions.items()):
        for column, index in enumerate(indices):
            axes = figure.add_subplot(grid[row, column])
            draw_slice(axes, background, shown, axis, index, crop, window, space=space)
            for (image, values), colour in zip(masks.values(), colours, strict=False):
                draw_outline(axes, background, image, values, axis, index, colour)

    inch = 1 / height
    figure.text(0.006, 1 - 0.24 * inch, title, color="white", fontsize=11, weight="bold", va="center")
    note += f"Places in mm of the {space if space == SCANNER else f'template ({space})'}. "
    figure.text(0.006, 0.2 * inch, note + CONVENTION, color="#BBBBBB", fontsize=8, va="center", wrap=True)
    if masks:
        handles = [
            Line2D([], [], color=colour, linewidth=2, label=name + ("" if (values >= 0.5).any() else " (empty)"))
            for (name, (_, values)), colour in zip(masks.items(), colours, strict=False)
        ]
        figure.legend(
            handles=handles, loc="center right", bbox_to_anchor=(1.0, 1 - 0.24 * inch), ncols=len(handles),
            frameon=False, labelcolor="white", fontsize=8, borderaxespad=0.2,
        )  # fmt: skip
    return figure


def draw_slice(
    axes: Axes,
    background: SpatialImage,
    shown: np.ndarray,
    axis: int,
    index: int,
    crop: np.ndarray,
    window: tuple[float, float] | None,
    *,
    space: str = SCANNER,
) -> None:
    """One picture, in mm, with its ends and its place in the world written on it, a template's with its name."""
    across, up = IN_PLANE[axis]
    zooms = voxel_sizes(background)
    picture = cut(shown, axis, index).swapaxes(0, 1)
    edges = (0, background.shape[across] * zooms[across], 0, background.shape[up] * zooms[up])
    low, high = window if window else (None, None)
    axes.imshow(
        np.nan_to_num(picture), origin="lower", extent=edges, cmap="gray", vmin=low, vmax=high,
        interpolation="nearest" if picture.ndim == 3 else "bilinear", aspect="equal",
    )  # fmt: skip
    axes.set_xlim(crop[across][0] * zooms[across], (crop[across][1] + 1) * zooms[across])
    axes.set_ylim(crop[up][0] * zooms[up], (crop[up][1] + 1) * zooms[up])
    axes.set_axis_off()
    axes.set_label(f"{VIEWS[axis]} {index}")

    middle = [n / 2 for n in background.shape]
    middle[axis] = index
    place = nb.affines.apply_affine(background.affine, middle)[axis]
    style: dict[str, Any] = {"transform": axes.transAxes, "color": "white", "fontsize": 8}
    axes.text(0.02, 0.5, _ENDS[across][0], ha="left", va="center", weight="bold", **style)
    axes.text(0.98, 0.5, _ENDS[across][1], ha="right", va="center", weight="bold", **style)
    of = "" if space == SCANNER else "MNI " if space.startswith("MNI") else f"{space} "
    axes.text(0.02, 0.02, f"{of}{'xyz'[axis]} = {round(place)} mm", ha="left", va="bottom", **style)


def draw_outline(
    axes: Axes,
    background: SpatialImage,
    image: SpatialImage,
    values: np.ndarray,
    axis: int,
    index: int,
    colour: str,
) -> None:
    """Draw the outline of a mask, of ``values`` on the grid of ``image``, on one slice of ``background``."""
    inside = mask_on_slice(image, values, background, axis, index)
    if not inside.min() < 0.5 <= inside.max():
        return
    across, up = IN_PLANE[axis]
    zooms = voxel_sizes(background)
    axes.contour(
        (np.arange(inside.shape[0]) + 0.5) * zooms[across],
        (np.arange(inside.shape[1]) + 0.5) * zooms[up],
        inside.T,
        levels=[0.5],
        colors=[colour],
        linewidths=0.9,
    )
