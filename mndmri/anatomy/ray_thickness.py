"""Thickness of the cortex, and width of a sulcus, along rays from the surface of white matter."""

from typing import NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from scipy.spatial import KDTree

from mndmri.grids import check_same_grid, voxel_sizes

_STEP_MM = 0.2
# A ray that has met neither fluid nor another bank within this belongs to no cortex.
_LONGEST_MM = 8.0
# Normals are those of white matter smoothed by so much (SD): at 1 mm its border is a staircase.
_NORMAL_SD_MM = 0.7
# White matter in smaller pieces is noise, or an island of bright cortex.
_MIN_PIECE_MM3 = 100.0
# Another bank is met where it is nearer than the ray's own origin by this, mm and share of the way: the surface's own
# points lie up to half a voxel beside the foot of a ray, and normals err.
_MET_MM, _MET_SHARE = 0.35, 0.12
# Fluid between two banks is at most so wide, twice; wider, it has a border of its own.
_HALF_FLUID_MM = 1.0
# A ray that crosses a sulcus passes two cortices and the fluid between them; the next white matter that it meets faces
# the one that it left.
_LONGEST_ACROSS_MM, _FACING = 20.0, -0.5
# Fluid between two banks that fills less than half of any voxel shows where they meet, if it is more than noise.
_NOISE, _MIN_FLUID_MM = 0.15, 0.1


class Rays(NamedTuple):
    """Rays through the cortex; n of them, about three for every 2 mm2 of the surface of white matter at 1 mm."""

    origin: np.ndarray
    """Voxel coordinates where a ray leaves white matter, shape (n, 3)."""
    normal: np.ndarray
    """Unit vector outwards, along the grid's axes, shape (n, 3)."""
    thickness_mm: np.ndarray
    """Shape (n,); NaN where a ray crosses no cortex."""
    area: np.ndarray
    """Share of the surface that a ray stands for, relative to the others', shape (n,)."""


class Crossings(NamedTuple):
    """Rays that cross a sulcus, from the white matter of one bank to that of the other; n of them."""

    origin: np.ndarray
    """Voxel coordinates where a ray leaves white matter, shape (n, 3)."""
    end: np.ndarray
    """Voxel coordinates where it enters white matter again, shape (n, 3)."""
    width_mm: np.ndarray
    """Fluid on the way, shape (n,)."""
    area: np.ndarray
    """Share of the surface that a ray stands for, relative to the others', shape (n,)."""


def cast_rays(gm: SpatialImage, wm: SpatialImage, *, within: np.ndarray | None = None) -> Rays:
    """Thickness of the cortex along the normals of white matter's surface.

    Parameters
    ----------
    gm, wm : SpatialImage
        Probability, or share, of grey and of white matter, 0 to 1, on one grid of voxels of about 1 mm: no more of a
        head than is asked about.
    within : ndarray of bool, optional
        Voxels of that grid in which the rays asked about begin.

    Returns
    -------
    Rays
        None (n = 0) where there is no white matter.

    Notes
    -----
    The surface is where half of a voxel is white matter, found between voxel centres by linear interpolation. A ray
    ends where half of a voxel is fluid (the normal distance of surface programs, Lerch and Evans 2005, NeuroImage
    24:163), or where it meets that of an opposite bank, as in sulci without visible fluid (Hutton et al. 2008,
    NeuroImage 40:1701). Banks meet half way, or where fluid is seen between them, whose share is not counted: thin
    fluid fills no voxel, and where it fills half of one would be too late.
    """
    white, tissue, zooms = _shares(gm, wm)
    surface = _surface(white, np.prod(zooms))
    origin, normal, area = _leaving(surface, white, zooms, within)
    if not len(origin):
        return Rays(origin, normal, np.zeros(0), area)
    way = np.arange(0, _LONGEST_MM + _STEP_MM / 2, _STEP_MM)
    points = (origin * zooms)[:, None] + way[:, None] * normal[:, None]
    along = _along(tissue, points / zooms)
    to_fluid = _first(along < 0.5)
    to_bank, gap = _meet(surface * zooms, points, way, to_fluid)
    thickness = np.full(len(origin), np.nan)
    meets = (to_bank < len(way)) & (to_fluid > 0)
    thickness[meets] = _shared(1 - along[meets], way, gap[meets])
    ends = ~meets & (to_fluid > 0) & (to_fluid < len(way))
    thickness[ends] = _crossing(along[ends], to_fluid[ends])
    return Rays(origin, normal, thickness, area)


def cross_sulci(gm: SpatialImage, wm: SpatialImage, *, within: np.ndarray | None = None) -> Crossings:
    """Fluid between the banks of sulci, along the normals of white matter's surface.

    Parameters
    ----------
    gm, wm, within
        As in `cast_rays`.

    Returns
    -------
    Crossings
        Rays that meet within 20 mm other white matter that faces theirs.

    Notes
    -----
    The width is the integral of what is neither grey nor white matter, so that fluid which fills no voxel counts as
    much as there is of it; 0 where the banks touch.
    """
    white, tissue, zooms = _shares(gm, wm)
    origin, normal, area = _leaving(_surface(white, np.prod(zooms)), white, zooms, within)
    if not len(origin):
        return Crossings(origin, origin, np.zeros(0), area)
    way = np.arange(0, _LONGEST_ACROSS_MM + _STEP_MM / 2, _STEP_MM)
    points = origin[:, None] + way[:, None] * (normal / zooms)[:, None]
    along = _along(white, points)
    left = _first(along < 0.5)
    again = _first((along >= 0.5) & (np.arange(len(way)) > left[:, None]))
    there = again < len(way)
    end = origin + way[np.minimum(again, len(way) - 1)][:, None] * normal / zooms
    there[there] = (_normals(white, zooms, end[there]) * normal[there]).sum(axis=1) < _FACING
    fluid = (1 - _along(tissue, points[there])) * (np.arange(len(way)) < again[there][:, None])
    return Crossings(origin[there], end[there], fluid.sum(axis=1) * _STEP_MM, area[there])


def _shares(gm: SpatialImage, wm: SpatialImage) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """White matter, and all tissue, 0 to 1, and the voxel sizes in mm."""
    check_same_grid(gm, wm)
    white = np.clip(wm.get_fdata(dtype=np.float32), 0, 1)
    return white, np.clip(gm.get_fdata(dtype=np.float32) + white, 0, 1), voxel_sizes(wm)


def _leaving(
    surface: np.ndarray, white: np.ndarray, zooms: np.ndarray, within: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where rays leave a surface of white matter, in which direction, and the share of it that each stands for."""
    origin = surface if within is None else surface[within[tuple(np.rint(surface).astype(int).T)]]
    normal = _normals(white, zooms, origin) if len(origin) else origin
    directed = normal.any(axis=1)
    origin, normal = origin[directed], normal[directed]
    # the number of the grid's edges that cross a piece of surface goes with the sum of |normal| x edge length
    return origin, normal, 1 / (np.abs(normal) @ zooms)


def _surface(white: np.ndarray, voxel_mm3: float) -> np.ndarray:
    """Points where white matter ends, shape (n, 3): crossings of one half along the grid's edges, voxel coordinates."""
    inside = white >= 0.5
    pieces, _ = ndimage.label(inside)
    large = np.bincount(pieces.ravel()) * voxel_mm3 >= _MIN_PIECE_MM3
    large[0] = False
    inside = ndimage.binary_fill_holes(large[pieces])
    points = []
    for axis in range(3):
        here, there = (np.moveaxis(white, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        before, after = (np.moveaxis(inside, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        # what fills a hole has no border of its own
        crosses = (before != after) & ((here >= 0.5) != (there >= 0.5))
        found = np.argwhere(crosses).astype(float)
        found[:, 0] += (0.5 - here[crosses]) / (there[crosses] - here[crosses])
        points.append(np.insert(found[:, 1:], axis, found[:, 0], axis=1))
    return np.vstack(points)


def _normals(white: np.ndarray, zooms: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Unit vectors down the slope of white matter, shape (n, 3); 0 where it has none."""
    even = ndimage.gaussian_filter(white, _NORMAL_SD_MM / zooms)
    slope = [-_along(part, origin) for part in np.gradient(even, *zooms)]
    normal = np.stack(slope, axis=-1)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _along(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Values at voxel coordinates, shape (..., 3), by linear interpolation; the outermost beyond the image."""
    return ndimage.map_coordinates(image, np.moveaxis(points, -1, 0), order=1, mode="nearest")


def _first(true: np.ndarray) -> np.ndarray:
    """Number of the first step of each ray at which something is true, that of steps if it never is."""
    return np.where(true.any(axis=1), true.argmax(axis=1), true.shape[1])


def _meet(
    surface: np.ndarray, points: np.ndarray, way: np.ndarray, to_fluid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Step at which each ray is past the middle between its own bank and another, and how far from its own that is."""
    asked = way <= way[np.minimum(to_fluid, len(way) - 1)][:, None] + _HALF_FLUID_MM
    distance = np.full(asked.shape, np.inf)
    distance[asked], _ = KDTree(surface).query(points[asked])
    step = _first(distance < way - np.maximum(_MET_MM, _MET_SHARE * way))
    last = np.minimum(step, len(way) - 1)
    return step, (way[last] + np.take_along_axis(distance, last[:, None], axis=1)[:, 0]) / 2


def _crossing(along: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Way to where tissue falls to one half, between a step and the one before it."""
    before, after = (np.take_along_axis(along, (step - back)[:, None], axis=1)[:, 0] for back in (1, 0))
    return _STEP_MM * (step - 1 + (before - 0.5) / (before - after))


def _shared(fluid: np.ndarray, way: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Way of each ray to where it meets another, without the fluid in between.

    Parameters
    ----------
    fluid : ndarray, shape (n, steps)
    way : ndarray, shape (steps,)
    middle : ndarray, shape (n,)
        Half of the way to the surface of the other bank.
    """
    seen = np.clip(fluid - _NOISE, 0, None) * (way <= 2 * middle[:, None])
    amount = seen.sum(axis=1)
    place = seen @ way / np.maximum(amount, np.finfo(np.float32).tiny)
    end = np.where(amount * _STEP_MM >= _MIN_FLUID_MM, np.clip(place, 0.5 * middle, 1.5 * middle), middle)
    return end - (fluid * (way < end[:, None])).sum(axis=1) * _STEP_MM
