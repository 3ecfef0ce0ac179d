"""The cord on a participant's page: its course, and planes across it with the outline that was measured."""

import nibabel as nb
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from nibabel.spatialimages import SpatialImage

from mndmri.figures.slices import CONVENTION, OUTLINE_COLOURS, data_of, draw_outline, draw_slice, prepare
from mndmri.grids import voxel_sizes
from mndmri.tables.measures import OK

# Distance below the pontomedullary junction of the planes that are drawn, mm: two of the medulla, the rest of the cord.
SHOWN_MM = (12, 24, 30, 37, 43, 50)
_COURSE, _OUTLINE = OUTLINE_COLOURS[:2]
_MARGIN_MM = 25.0
_SIZE_INCHES = (9.2, 4.9)


def cord_sheet(
    t1w: SpatialImage, planes: SpatialImage, inside: SpatialImage, profile: pd.DataFrame, *, title: str
) -> Figure:
    """Course of the cord on the T1w image, and six planes across it with their outlines and areas.

    Parameters
    ----------
    t1w : SpatialImage
        3D, any storage order.
    planes, inside : SpatialImage
        Image on the planes, and share of its voxels inside the outline, as from `mndmri.anatomy.cord.measure_cord`.
    profile : DataFrame
        Its profile, a row a plane.
    title : str
        With the study's id of the participant.
    """
    figure = Figure(figsize=_SIZE_INCHES, facecolor="black")
    grid = figure.add_gridspec(
        2, 4, width_ratios=(1.45, 1, 1, 1), wspace=0.02, hspace=0.1, left=0.005, right=0.995, bottom=0.06, top=0.88
    )
    _draw_course(figure.add_subplot(grid[:, 0]), prepare(t1w), profile)
    for n, below in enumerate(SHOWN_MM):
        _draw_plane(figure.add_subplot(grid[n // 3, 1 + n % 3]), planes, inside, profile, below)
    figure.text(0.006, 0.95, title, color="white", fontsize=11, weight="bold", va="center")
    note = "Distances are below the pontomedullary junction; orange: course. " + CONVENTION
    figure.text(0.006, 0.02, note, color="#BBBBBB", fontsize=8, va="center")
    return figure


def _draw_course(axes: Axes, t1w: SpatialImage, profile: pd.DataFrame) -> None:
    """Sagittal slice through the middle of the course, which is drawn on it."""
    to_index = np.linalg.inv(t1w.affine)
    course = nb.affines.apply_affine(to_index, profile[["x", "y", "z"]].to_numpy(float))
    margin = _MARGIN_MM / voxel_sizes(t1w)
    last = np.array(t1w.shape) - 1
    crop = np.stack([np.floor(course.min(axis=0) - margin), np.ceil(course.max(axis=0) + margin)], axis=1)
    crop = np.clip(crop, 0, last[:, None]).astype(int)
    index = int(np.clip(np.rint(np.median(course[:, 0])), 0, last[0]))
    values = data_of(t1w)
    (front, back), (low, high) = crop[1], crop[2]
    near = values[index, front : back + 1, low : high + 1]
    window = tuple(np.percentile(near[np.isfinite(near)], [1, 99]))
    draw_slice(axes, t1w, values, 0, index, crop, (window[0], max(window[1], window[0] + 1)))
    zooms = voxel_sizes(t1w)
    across, up = ((course[:, axis] + 0.5) * zooms[axis] for axis in (1, 2))
    counted = profile["status"].to_numpy() == OK
    axes.plot(across, up, color=_COURSE, linewidth=0.8, linestyle=":")
    axes.plot(np.where(counted, across, np.nan), up, color=_COURSE, linewidth=1.2)
    for below in SHOWN_MM:
        if below < len(profile):
            axes.text(across[below] + 9, up[below], f"– {below}", color="white", fontsize=7, va="center")


def _draw_plane(axes: Axes, planes: SpatialImage, inside: SpatialImage, profile: pd.DataFrame, below: int) -> None:
    """One plane across the cord with its outline; its distance and area, and whether it counts, above it."""
    axes.set_axis_off()
    at = profile[profile["below_mm"] == below]
    if at.empty or np.isnan(at["csa"].iloc[0]):
        axes.set_title(f"{below} mm: not shown", color="white", fontsize=8)
        return
    crop = np.stack([np.zeros(3), np.array(planes.shape) - 1], axis=1).astype(int)
    index = planes.shape[2] - 1 - at.index[0]
    values = data_of(planes)
    own = values[..., index]
    draw_slice(axes, planes, values, 2, index, crop, (float(own.min()), float(np.percentile(own, 99.5))))
    for text in axes.texts[2:]:  # its place along the course is in the title
        text.remove()
    draw_outline(axes, planes, inside, data_of(inside), 2, index, _OUTLINE)
    status = at["status"].iloc[0]
    counted = "" if status == OK else ", not counted"
    axes.set_title(f"{below} mm: {at['csa'].iloc[0]:.0f} mm²{counted}", color="white", fontsize=8, pad=2)
