"""The corticospinal tract: its levels and streamlines, and where distortion had moved the signal."""

from collections.abc import Mapping, Sequence

import nibabel as nb
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from nibabel.spatialimages import SpatialImage

from mndmri.figures.slices import (
    IN_PLANE,
    VIEWS,
    data_of,
    extent_of,
    hold,
    prepare,
    sheet_of,
    spread_slices,
    window_of,
)
from mndmri.grids import voxel_sizes

Streamlines = Sequence[np.ndarray]

_N_SLICES = 6
_MARGIN_MM = 20.0
_SLAB_MM = 3.0  # streamlines within so much of a slice are drawn on it
_SHOWN_STREAMLINES = 150  # of each side: more are one area of colour
_STREAMLINE = "#FFFFFF"
_DISPLACED = ListedColormap(colormaps["PuOr"](np.linspace(0.15, 0.85, 256)))  # its ends are too dark on an image


def levels_sheet(
    fa: SpatialImage, levels: Mapping[str, SpatialImage], streamlines: Mapping[str, Streamlines], *, title: str
) -> Figure:
    """Outlines of the levels of the tract, and its streamlines, on FA.

    Parameters
    ----------
    fa : SpatialImage
        3D, 0 to 1.
    levels : mapping
        Name to 3D mask or probability of both sides, from below, on the grid of ``fa``. There is an axial slice
        through the middle of each.
    streamlines : mapping
        Name of a side to streamlines, points in mm of the scanner, shape (n, 3) each.
    title : str
        With the study's id of the participant.
    """
    fa = prepare(fa)
    levels = {name: hold(mask) for name, mask in levels.items()}
    masks = list(levels.values())
    spread = spread_slices(fa, masks, _N_SLICES)
    counts = ", ".join(f"{len(lines)} {side}" for side, lines in streamlines.items())
    figure = sheet_of(
        fa,
        data_of(fa),
        levels,
        {2: _middles(masks) or spread[2], 1: spread[1], 0: spread[0]},
        title=f"{title}, streamlines: {counts or 'not tracked'}",
        window=(0.0, 0.9),
        crop=extent_of(fa, masks, _MARGIN_MM),
    )
    points = {side: streamlines_in_voxels(lines, fa.affine) for side, lines in streamlines.items()}
    for axes in figure.axes:
        for lines in points.values():
            _draw_streamlines(axes, lines, voxel_sizes(fa))
    return figure


def _middles(masks: Sequence[SpatialImage]) -> list[int]:
    """Axial slices through the middle of each mask, from below; none twice."""
    heights = [np.asarray(mask.dataobj, np.float32).sum(axis=(0, 1)) for mask in masks]
    return sorted({int(np.average(np.arange(len(own)), weights=own).round()) for own in heights if own.any()})


def streamlines_in_voxels(streamlines: Streamlines, affine: np.ndarray) -> list[np.ndarray]:
    """At most 150 to 299 of the streamlines, evenly over all, in voxels of an image with this affine."""
    step = max(len(streamlines) // _SHOWN_STREAMLINES, 1)
    to_voxels = np.linalg.inv(affine)
    return [nb.affines.apply_affine(to_voxels, np.asarray(own)) for own in streamlines[::step]]


def _draw_streamlines(axes: Axes, streamlines: Sequence[np.ndarray], zooms: np.ndarray) -> None:
    """Steps of streamlines that lie near the slice of a picture."""
    view, index = str(axes.get_label()).split()
    axis = VIEWS.index(view)
    across, up = IN_PLANE[axis]
    steps = []
    for points in streamlines:
        near = np.abs(points[:, axis] - int(index)) * zooms[axis] <= _SLAB_MM
        flat = (points[:, [across, up]] + 0.5) * zooms[[across, up]]
        pairs = np.stack([flat[:-1], flat[1:]], axis=1)
        steps.append(pairs[near[:-1] & near[1:]])
    drawn = np.concatenate(steps) if steps else np.empty((0, 2, 2))
    if len(drawn):
        axes.add_collection(
            LineCollection(list(drawn), colors=_STREAMLINE, linewidths=0.5, alpha=0.7, zorder=1), autolim=False
        )


def displacement_sheet(b0: SpatialImage, displacement_mm: SpatialImage, *, title: str) -> Figure:
    """Axial slices of the b = 0 image, coloured by how far distortion had moved its signal.

    Parameters
    ----------
    b0, displacement_mm : SpatialImage
        3D, RAS-stored, on one grid; mm along the phase encoding, positive towards right, anterior or superior.
    title : str
        With the study's id of the participant.
    """
    b0, displacement_mm = prepare(b0), prepare(displacement_mm)
    moved, grey = np.nan_to_num(data_of(displacement_mm)), np.nan_to_num(data_of(b0))
    low, high = window_of(grey)
    light = np.clip((grey - low) / (high - low), 0, 1)
    most = float(np.percentile(np.abs(moved[moved != 0]), 99.5)) if moved.any() else 1.0
    colour = _DISPLACED(Normalize(-most, most)(moved))[..., :3]
    figure = sheet_of(
        b0,
        (colour * light[..., None]).astype(np.float32),
        {},
        {2: spread_slices(b0, [], _N_SLICES)[2]},
        title=title,
        crop=extent_of(b0, [], _MARGIN_MM / 2),
    )
    bar = figure.add_axes((0.66, 1 - 0.3 / figure.get_figheight(), 0.3, 0.1 / figure.get_figheight()))
    bar.set_label("scale")
    scale = figure.colorbar(ScalarMappable(Normalize(-most, most), _DISPLACED), cax=bar, orientation="horizontal")
    scale.ax.tick_params(labelsize=7, colors="white", pad=1)
    figure.text(
        0.65,
        1 - 0.25 / figure.get_figheight(),
        "displacement (mm), positive to R, A or S",
        color="white",
        fontsize=8,
        ha="right",
        va="center",
    )
    return figure
