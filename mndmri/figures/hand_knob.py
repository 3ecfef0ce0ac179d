"""The hand knobs on the SWI, close up, as a radiologist looks for the motor band."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import minimum_filter1d

from mndmri.figures.slices import (
    CONVENTION,
    OUTLINE_COLOURS,
    data_of,
    draw_outline,
    draw_slice,
    extent_of,
    hold,
    prepare,
    spread_slices,
)
from mndmri.grids import voxel_sizes
from mndmri.io import InputError

_SIDES = {"L": "Left hand knob", "R": "Right hand knob"}
_AXIAL = 2  # array axis of a canonical image that is cut across
_FIELD_MM = 50.0  # the knob is 1.4 cm wide on average (Yousry et al. 1997, Brain 120:141): it and its neighbours
_SHOWN_PERCENT = (1.0, 97.0)  # the darkest are veins, the brightest fluid
_SCALE_BAR_MM = 10.0
_PICTURE_INCHES, _GAP_INCHES = 2.0, 0.12
_HEADER_INCHES, _FOOTER_INCHES = 0.7, 0.4
_GREY_SCALE_INCHES = 1.2


def hand_knob_sheet(
    swi: SpatialImage,
    outlines: Mapping[str, SpatialImage],
    knobs: Mapping[str, SpatialImage],
    *,
    title: str,
    n_slices: int = 3,
    projection_mm: float | None = 4.0,
    unit: str = "x reference white matter",
) -> Figure:
    """Axial slices of a normalised SWI through both hand knobs: plain, outlined, and as minimum-intensity projection.

    Of a susceptibility map likewise, without the projection.

    The plain row is what a reader judges the motor band on, the outlines show what was measured; the
    projection, which carries veins and bands of neighbouring slices along, is for viewing only. Black and white are
    percentiles 1 and 97 of the participant's own voxels round both knobs, since contrast differs between sequences:
    darkness is compared within a sheet.

    Parameters
    ----------
    swi : SpatialImage
        3D, any storage order; 1 is the reference white matter, 0 is outside the brain.
    outlines : mapping
        Name to mask: the banks of the precentral gyrus and the postcentral gyrus.
    knobs : mapping
        ``L`` and ``R`` to the mask of that side's hand region, in whose middle the pictures are centred and
        over whose height the slices are spread. An empty one is said to be so.
    title : str
        With the study's id of the participant.
    n_slices : int
        Of each side.
    projection_mm : float or None
        Thickness of the projection, at least two slices; None: no projection.
    unit : str
        Of the grey scale.

    Raises
    ------
    InputError
        If the image is not 3D or has no finite value, or there are too many outlines to be distinguished.
    """
    if len(outlines) > len(OUTLINE_COLOURS):
        raise InputError(f"{len(outlines)} outlines on one sheet; {len(OUTLINE_COLOURS)} can be distinguished")
    swi = prepare(swi)
    rows, projected = {"plain": data_of(swi), "outlined": data_of(swi)}, ""
    if projection_mm is not None:
        thickness = max(round(projection_mm / voxel_sizes(swi)[_AXIAL]), 2)
        rows["projection"] = _project_minimum(data_of(swi), thickness)
        in_mm = thickness * voxel_sizes(swi)[_AXIAL]
        projected = f"Last row: minimum over {thickness} slices, {in_mm:.2g} mm, for viewing only. "
    masks = [(image, data_of(image)) for image in map(hold, outlines.values())]
    canonical = {hemi: hold(knobs[hemi]) for hemi in _SIDES}
    crops = {hemi: _square(swi, knob) for hemi, knob in canonical.items() if (data_of(knob) >= 0.5).any()}
    window = _window(data_of(swi), crops.values())

    half = n_slices * _PICTURE_INCHES
    width = 2 * half + _GAP_INCHES
    height = len(rows) * _PICTURE_INCHES + _HEADER_INCHES + _FOOTER_INCHES
    inch = 1 / height
    figure = Figure(figsize=(width, height), facecolor="black")
    for place, (hemi, heading) in enumerate(_SIDES.items()):
        left = place * (half + _GAP_INCHES) / width
        heading += "" if hemi in crops else ": not in this scan"
        figure.text(left + 0.006, 1 - 0.56 * inch, heading, color="white", fontsize=10, va="center")
        if hemi not in crops:
            continue
        grid = figure.add_gridspec(
            len(rows), n_slices, wspace=0.01, hspace=0.01, left=left + 0.002, right=left + half / width - 0.002,
            bottom=_FOOTER_INCHES * inch, top=1 - _HEADER_INCHES * inch,
        )  # fmt: skip
        for row, (kind, shown) in enumerate(rows.items()):
            for column, index in enumerate(spread_slices(swi, [canonical[hemi]], n_slices)[_AXIAL]):
                axes = figure.add_subplot(grid[row, column])
                draw_slice(axes, swi, shown, _AXIAL, index, crops[hemi], window)
                axes.set_label(f"{kind} {hemi} {index}")
                _draw_scale_bar(axes)
                for text in axes.texts:  # fluid is as white as they are
                    text.set_path_effects([withStroke(linewidth=2, foreground="black")])
                for (mask, values), colour in zip(masks if kind == "outlined" else [], OUTLINE_COLOURS, strict=False):
                    draw_outline(axes, swi, mask, values, _AXIAL, index, colour)

    note = f"Grey scale from {window[0]:.2f} to {window[1]:.2f} {unit}. {projected}"
    _draw_grey_scale(figure, window, unit)
    figure.text(0.006, 1 - 0.24 * inch, title, color="white", fontsize=11, weight="bold", va="center")
    figure.text(0.006, 0.2 * inch, note + CONVENTION, color="#BBBBBB", fontsize=8, va="center")
    handles = [
        Line2D([], [], color=colour, linewidth=2, label=name + ("" if (values >= 0.5).any() else " (empty)"))
        for (name, (_, values)), colour in zip(zip(outlines, masks, strict=True), OUTLINE_COLOURS, strict=False)
    ]
    figure.legend(
        handles=handles, loc="center right", bbox_to_anchor=(1.0, 1 - 0.24 * inch), ncols=max(len(handles), 1),
        frameon=False, labelcolor="white", fontsize=8, borderaxespad=0.2,
    )  # fmt: skip
    return figure


def _window(values: np.ndarray, crops: Iterable[np.ndarray]) -> tuple[float, float]:
    """Values shown black and white, from the voxels with a signal in some boxes."""
    boxes = [values[tuple(slice(max(int(low), 0), int(high) + 1) for low, high in crop)].ravel() for crop in crops]
    near = np.concatenate([*boxes, np.empty(0)])
    near = near[np.isfinite(near) & (near != 0)]
    black, white = (float(v) for v in np.percentile(near, _SHOWN_PERCENT)) if near.size else (0.0, 1.0)
    return (black, white) if white > black else (black - 0.5, black + 0.5)


def _draw_grey_scale(figure: Figure, window: tuple[float, float], unit: str) -> None:
    """Bar from black to white with its ends in numbers, below the legend."""
    width, inch = _GREY_SCALE_INCHES / figure.get_figwidth(), 1 / figure.get_figheight()
    axes = figure.add_axes((0.95 - width, 1 - 0.6 * inch, width, 0.09 * inch))
    axes.set_label("scale")
    axes.imshow(np.linspace(0, 1, 64)[None], cmap="gray", aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    style: dict[str, Any] = {"transform": axes.transAxes, "color": "white", "fontsize": 8, "va": "center"}
    axes.text(-0.03, 0.5, f"{unit}   {window[0]:.2f}", ha="right", **style)
    axes.text(1.03, 0.5, f"{window[1]:.2f}", ha="left", **style)


def _project_minimum(values: np.ndarray, thickness: int) -> np.ndarray:
    """Minimum over some neighbouring axial slices; what has no signal takes no part, and stays without."""
    signal = np.isfinite(values) & (values != 0)
    lowest = minimum_filter1d(np.where(signal, values, np.inf), thickness, axis=_AXIAL, mode="nearest")
    return np.where(signal, lowest, 0)


def _square(swi: SpatialImage, knob: SpatialImage) -> np.ndarray:
    """First and last voxel, shape (3, 2), of a square round the middle of the knob, the same size for everyone."""
    middle = extent_of(swi, [knob], 0.0).mean(axis=1)
    half = _FIELD_MM / 2 / voxel_sizes(swi)
    return np.stack([middle - half, middle + half - 1], axis=1)


def _draw_scale_bar(axes: Axes) -> None:
    (_, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    away = 0.06 * (top - bottom)
    ends = np.array([right - away - _SCALE_BAR_MM, right - away])
    axes.plot(ends, [bottom + away] * 2, color="white", linewidth=2, solid_capstyle="butt")
    axes.text(
        ends.mean(), bottom + 1.4 * away, f"{_SCALE_BAR_MM:.0f} mm", color="white", fontsize=7, ha="center", va="bottom"
    )
