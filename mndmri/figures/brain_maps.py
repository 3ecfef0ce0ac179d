"""Pictures of where in the brain groups differ: a glass brain, and slices of the template."""

import gc
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from nibabel.affines import apply_affine
from nibabel.spatialimages import SpatialImage
from nilearn.plotting import plot_glass_brain

from mndmri.figures.slices import (
    CONVENTION,
    IN_PLANE,
    OUTLINE_COLOURS,
    data_of,
    draw_outline,
    draw_slice,
    extent_of,
    prepare,
    spread_slices,
)
from mndmri.grids import check_same_grid, make_image, voxel_sizes, voxel_volume_ml
from mndmri.registration.transforms import resample

# diverging, distinguishable for every reader: blue lower, red higher
_COLOURS = "RdBu_r"
_BRIGHTEST = 0.75  # of the template's grey, so that colours stand out
_OUTLINE = OUTLINE_COLOURS[2]  # yellow, no colour of the scale
# Of the absolute statistic in the mask, where the colours end: its maximum is that of a voxel with next to no variance.
_PERCENTILE = 99
_COLUMNS, _ROWS = 7, (2, 1)  # slices of each of the views: axial, coronal
_PICTURE_INCHES, _GLASS_INCHES, _HEADER_INCHES, _FOOTER_INCHES = 1.6, 2.3, 0.45, 0.5


def brain_map(
    statistic: SpatialImage,
    log_p: SpatialImage,
    template: SpatialImage,
    *,
    title: str,
    name: str = "t",
    sides: Sequence[str] = ("higher", "lower"),
    alpha: float = 0.05,
    peaks: Sequence[Sequence[float]] = (),
) -> Figure:
    """One contrast: its statistic in slices, with an outline where p, corrected over the brain, is at most a level.

    Slices show the whole statistic, the paler the smaller it is, so that a reader sees what did not survive the
    correction too (Taylor and others 2023, NeuroImage 274:120138). The glass brain has only what did.

    Parameters
    ----------
    statistic : SpatialImage
        t or F, 3D, in the template's world; 0 outside the mask.
    log_p : SpatialImage
        Minus the decimal logarithm of the corrected p, on the same grid.
    template : SpatialImage
        Brain without skull, 0 outside.
    title : str
    name : str
        Of the statistic, on the scale.
    sides : sequence of str
        What positive and negative values mean, in words; of one side, negative values are no result and not shown.
    alpha : float
        The level.
    peaks : sequence of (x, y, z)
        Peaks of the clusters, the most important first, mm of the template. Slices go through as many as there is place
        for, and a cross is on each of those.

    Returns
    -------
    Figure
        Where nothing is significant there is no outline, and it says so.

    Raises
    ------
    InputError
        If the statistic and p are on different grids.
    """
    check_same_grid(statistic, log_p)
    statistic, log_p = prepare(statistic), prepare(log_p)
    values, p = np.nan_to_num(data_of(statistic)), data_of(log_p)
    values = values if len(sides) > 1 else values.clip(min=0)
    significant = p >= -np.log10(alpha) - 1e-6
    size = np.abs(values)
    top = float(np.percentile(size[size > 0], _PERCENTILE)) if size.any() else 1.0
    opacity = np.where(significant, 1, np.clip(size / top, 0, 1) ** 2) * (size > 0)
    shown, opaque, outlined = (make_image(v.astype(np.float32), statistic) for v in (values, opacity, significant))

    width = _COLUMNS * _PICTURE_INCHES
    heights = [_PICTURE_INCHES * 1.17] * _ROWS[0] + [_PICTURE_INCHES] * _ROWS[1]
    height = _HEADER_INCHES + _GLASS_INCHES + sum(heights) + _FOOTER_INCHES
    figure = Figure(figsize=(width, height), facecolor="black")
    survived = make_image(np.where(significant, values, 0), statistic)
    _draw_glass(
        figure, survived, top, (0.0, 1 - (_HEADER_INCHES + _GLASS_INCHES) / height, 0.9, _GLASS_INCHES / height)
    )
    _draw_slices(figure, template, shown, opaque, outlined, top, heights, peaks)
    _draw_scale(
        figure,
        -top if len(sides) > 1 else 0,
        top,
        name,
        (0.93, 1 - (_HEADER_INCHES + 0.9 * _GLASS_INCHES) / height),
        height,
    )
    inch = 1 / height
    ml = [np.count_nonzero(significant & (sign * values > 0)) * voxel_volume_ml(statistic) for sign in (1, -1)]
    said = ", ".join(f"{side} in {v:.1f} ml" for side, v in zip(sides, ml, strict=False) if v)
    level = f"p < {alpha:g}, corrected over the brain"
    said = f"{level}: {said}" if said else f"nothing at {level}"
    figure.text(0.006, 1 - 0.24 * inch, title, color="white", fontsize=11, weight="bold", va="center")
    figure.text(0.994, 1 - 0.24 * inch, said, color="white", fontsize=9, va="center", ha="right")
    key = (
        f"Slices: {name} in every voxel compared, paler where it is smaller; colours end at the {_PERCENTILE}th "
        f"percentile of its size. Outlines and glass brain: {level}."
    ) + (" Crosses: peaks." if len(peaks) else "")
    for line, text in ((0.34, key), (0.14, CONVENTION)):
        figure.text(0.006, line * inch, text, color="#BBBBBB", fontsize=8, va="center")
    return figure


def _draw_glass(figure: Figure, shown: SpatialImage, top: float, place: tuple[float, float, float, float]) -> None:
    """The largest value along every line of sight, from the left, behind, the right and above."""
    gc.freeze()  # nilearn collects garbage each time it looks at an image: a fifth of a picture's time
    try:
        plot_glass_brain(
            shown, figure=figure, axes=place, display_mode="lyrz", colorbar=False, black_bg=True, plot_abs=False,
            cmap=_COLOURS, vmin=-top, vmax=top, threshold=1e-6, symmetric_cbar=True,
        )  # fmt: skip
    finally:
        gc.unfreeze()


def _draw_slices(
    figure: Figure,
    template: SpatialImage,
    shown: SpatialImage,
    opaque: SpatialImage,
    outlined: SpatialImage,
    top: float,
    heights: Sequence[float],
    peaks: Sequence[Sequence[float]],
) -> None:
    """Slices of the template under a statistic of some opacity, 0 to 1, the outline of a mask, and crosses on peaks."""
    template = prepare(template)
    values = data_of(template)
    mask = data_of(outlined)
    brightest = np.percentile(values[values > 0], 99.5)
    brain = make_image(values > 0, template)
    places = spread_slices(template, [brain], _COLUMNS * max(_ROWS))
    crop = extent_of(template, [brain], 3.0)
    size = figure.get_size_inches()
    voxels = [apply_affine(np.linalg.inv(template.affine), peak) for peak in peaks]
    axial, coronal = (
        _through(spread, [round(float(voxel[axis])) for voxel in voxels])
        for axis, spread in ((2, places[2]), (1, places[1][1 :: max(_ROWS)]))
    )
    rows = [(2, axial[:_COLUMNS]), (2, axial[_COLUMNS:]), (1, coronal)]
    picture = np.zeros((*template.shape, 3), np.float32)  # no more of it than is shown is ever filled
    bottom = 1 - (_HEADER_INCHES + _GLASS_INCHES) / size[1]
    for (axis, indices), inches in zip(rows, heights, strict=True):
        bottom -= inches / size[1]
        for column, index in enumerate(indices):
            axes = figure.add_axes((column / _COLUMNS, bottom, 1 / _COLUMNS, inches / size[1]))
            where = (slice(None),) * axis + (slice(index, index + 1),)
            overlay, opacity = (
                data_of(resample(image, brain.slicer[where], interpolation="nearest")) for image in (shown, opaque)
            )
            grey = np.clip(values[where] / brightest, 0, 1)[..., None] * _BRIGHTEST
            colour = matplotlib.colormaps[_COLOURS](Normalize(-top, top)(overlay))[..., :3]
            picture[where] = grey + opacity[..., None] * (colour - grey)
            draw_slice(axes, template, picture, axis, index, crop, None)
            draw_outline(axes, template, outlined, mask, axis, index, _OUTLINE)
            _mark_peaks(axes, template, axis, [voxel for voxel in voxels if round(float(voxel[axis])) == index])


def _through(places: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Slices of which as many as possible are among those wanted, each in the place of the nearest, and none twice."""
    free, chosen = list(places), list[int]()
    for index in dict.fromkeys(wanted):
        if free:
            free.remove(index if index in free else min(free, key=lambda own: abs(own - index)))
            chosen.append(index)
    return sorted([*free, *chosen])


def _mark_peaks(axes: Axes, template: SpatialImage, axis: int, voxels: Sequence[np.ndarray]) -> None:
    """A cross on each peak that lies in a slice."""
    across, up = IN_PLANE[axis]
    zooms = voxel_sizes(template)
    for voxel in voxels:
        where = [(voxel[own] + 0.5) * zooms[own] for own in (across, up)]
        axes.plot(
            *where,
            marker="+",
            markersize=7,
            markeredgewidth=1.2,
            color="white",
            label="peak",
            scalex=False,
            scaley=False,
        )


def _draw_scale(figure: Figure, low: float, top: float, name: str, corner: tuple[float, float], height: float) -> None:
    axes = figure.add_axes((*corner, 0.012, 0.75 * _GLASS_INCHES / height))
    bar = figure.colorbar(ScalarMappable(Normalize(-top, top), _COLOURS), cax=axes, extend="both" if low else "max")
    bar.ax.set_ylim(low, top)
    bar.ax.tick_params(colors="white", labelsize=8)
    bar.ax.set_title(name, color="white", fontsize=9)
