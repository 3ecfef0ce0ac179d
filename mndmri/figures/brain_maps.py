"""Pictures of where in the brain groups differ: a glass brain, and slices of the template."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from nibabel.spatialimages import SpatialImage
from nilearn.plotting import plot_glass_brain

from mndmri.figures.slices import CONVENTION, data_of, draw_slice, extent_of, prepare, spread_slices
from mndmri.grids import check_same_grid, make_image, voxel_volume_ml
from mndmri.registration.transforms import resample

# diverging, distinguishable for every reader: blue lower, red higher
_COLOURS = "RdBu_r"
_BRIGHTEST = 0.75  # of the template's grey, so that colours stand out
_COLUMNS, _ROWS = 7, (2, 1)  # slices of each of the views: axial, coronal
_PICTURE_INCHES, _GLASS_INCHES, _HEADER_INCHES, _FOOTER_INCHES = 1.6, 2.3, 0.45, 0.4


def brain_map(
    statistic: SpatialImage,
    log_p: SpatialImage,
    template: SpatialImage,
    *,
    title: str,
    name: str = "t",
    sides: Sequence[str] = ("higher", "lower"),
    alpha: float = 0.05,
) -> Figure:
    """One contrast: its statistic wherever p, corrected over the brain, is at most a level, seen through and in slices.

    Parameters
    ----------
    statistic : SpatialImage
        t or F, 3D, in the template's world.
    log_p : SpatialImage
        Minus the decimal logarithm of the corrected p, on the same grid.
    template : SpatialImage
        Brain without skull, 0 outside.
    title : str
    name : str
        Of the statistic, on the scale.
    sides : sequence of str
        What positive and negative values mean, in words.
    alpha : float
        The level.

    Returns
    -------
    Figure
        Where nothing is significant the brain is empty, and it says so.

    Raises
    ------
    InputError
        If the statistic and p are on different grids.
    """
    check_same_grid(statistic, log_p)
    statistic, log_p = prepare(statistic), prepare(log_p)
    values, p = data_of(statistic), data_of(log_p)
    significant = p >= -np.log10(alpha) - 1e-6
    shown = make_image(np.where(significant, values, 0), statistic)
    found = bool(significant.any())
    top = float(np.abs(shown.get_fdata()).max()) if found else 1.0

    width = _COLUMNS * _PICTURE_INCHES
    heights = [_PICTURE_INCHES * 1.17] * _ROWS[0] + [_PICTURE_INCHES] * _ROWS[1]
    height = _HEADER_INCHES + _GLASS_INCHES + sum(heights) + _FOOTER_INCHES
    figure = Figure(figsize=(width, height), facecolor="black")
    _draw_glass(figure, shown, top, (0.0, 1 - (_HEADER_INCHES + _GLASS_INCHES) / height, 0.9, _GLASS_INCHES / height))
    _draw_slices(figure, template, shown, top, heights)
    if found:
        _draw_scale(figure, top, name, (0.93, 1 - (_HEADER_INCHES + 0.9 * _GLASS_INCHES) / height), height)
    inch = 1 / height
    ml = [np.count_nonzero(significant & (sign * values > 0)) * voxel_volume_ml(statistic) for sign in (1, -1)]
    said = ", ".join(f"{side} in {v:.1f} ml" for side, v in zip(sides, ml, strict=False) if v)
    level = f"p < {alpha:g}, corrected over the brain"
    said = f"{level}: {said}" if said else f"nothing at {level}"
    figure.text(0.006, 1 - 0.24 * inch, title, color="white", fontsize=11, weight="bold", va="center")
    figure.text(0.994, 1 - 0.24 * inch, said, color="white", fontsize=9, va="center", ha="right")
    figure.text(0.006, 0.2 * inch, CONVENTION, color="#BBBBBB", fontsize=8, va="center")
    return figure


def _draw_glass(figure: Figure, shown: SpatialImage, top: float, place: tuple[float, float, float, float]) -> None:
    """The largest value along every line of sight, from the left, behind, the right and above."""
    plot_glass_brain(
        shown, figure=figure, axes=place, display_mode="lyrz", colorbar=False, black_bg=True, plot_abs=False,
        cmap=_COLOURS, vmin=-top, vmax=top, threshold=1e-6, symmetric_cbar=True,
    )  # fmt: skip


def _draw_slices(
    figure: Figure, template: SpatialImage, shown: SpatialImage, top: float, heights: Sequence[float]
) -> None:
    template = prepare(template)
    values = data_of(template)
    brightest = np.percentile(values[values > 0], 99.5)
    brain = make_image(values > 0, template)
    places = spread_slices(template, [brain], _COLUMNS * max(_ROWS))
    crop = extent_of(template, [brain], 3.0)
    size = figure.get_size_inches()
    rows = [(2, places[2][:_COLUMNS]), (2, places[2][_COLUMNS:]), (1, places[1][1 :: max(_ROWS)])]
    picture = np.zeros((*template.shape, 3), np.float32)  # no more of it than is shown is ever filled
    bottom = 1 - (_HEADER_INCHES + _GLASS_INCHES) / size[1]
    for (axis, indices), inches in zip(rows, heights, strict=True):
        bottom -= inches / size[1]
        for column, index in enumerate(indices):
            axes = figure.add_axes((column / _COLUMNS, bottom, 1 / _COLUMNS, inches / size[1]))
            where = (slice(None),) * axis + (slice(index, index + 1),)
            overlay = data_of(resample(shown, brain.slicer[where], interpolation="nearest"))
            grey = np.clip(values[where] / brightest, 0, 1) * _BRIGHTEST
            colour = matplotlib.colormaps[_COLOURS](Normalize(-top, top)(overlay))[..., :3]
            picture[where] = np.where((overlay != 0)[..., None], colour, grey[..., None])
            draw_slice(axes, template, picture, axis, index, crop, None)


def _draw_scale(figure: Figure, top: float, name: str, corner: tuple[float, float], height: float) -> None:
    axes = figure.add_axes((*corner, 0.012, 0.75 * _GLASS_INCHES / height))
    bar = figure.colorbar(ScalarMappable(Normalize(-top, top), _COLOURS), cax=axes)
    bar.ax.tick_params(colors="white", labelsize=8)
    bar.ax.set_title(name, color="white", fontsize=9)
