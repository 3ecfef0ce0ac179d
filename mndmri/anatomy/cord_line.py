"""Course of the medulla and the upper cervical cord through a T1-weighted head."""

from typing import NamedTuple

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from scipy.interpolate import make_smoothing_spline

from mndmri.grids import check_same_grid

# Middle of the medulla at the pontomedullary junction, and in its lower part, in the template, mm.
JUNCTION_MM = np.array([0.0, -36.0, -49.0])
_LOWER_MEDULLA_MM = np.array([0.0, -43.0, -67.0])
STEP_MM = 1.0
LENGTH_MM = 75.0  # below the junction: about C3
# Box about the straight line downwards that holds the cord of a bent neck, mm.
_MARGIN_MM = 45.0

# The cord is a bright disc in a dark ring: mean over radii to 4 mm less that from 6 to 8.5 mm, 15% longer from left to
# right than the circle and 10% shorter from front to back.
_DISC_MM, _RING_MM, _ASPECT = 4.0, (6.0, 8.5), (1.15, 0.9)
_PLANE_MM = np.arange(-16.0, 16.01, 0.5)
_ACROSS_MM = np.stack(np.meshgrid(_PLANE_MM, _PLANE_MM, indexing="ij"), axis=-1)
_KERNEL_MM = np.arange(-11.0, 11.01, 0.5)
# How far the middle may move from one plane to the next, and how strongly what is near is preferred, per mm.
_FIRST_SEARCH_MM, _SEARCH_MM, _PREFERENCE = 5.0, 1.2, 0.02
_LEAST_SEEN = 0.8  # of a plane
# The direction follows the middles of the last planes; further than so from where it began, no cord is followed.
_MEMORY, _INERTIA, _MOST_TURNED_DEG = 8, 0.7, 40.0
_FEWEST = 5
_SMOOTHING = 30.0  # of the spline through the middles, mm^3: waves shorter than about 15 mm are noise


class Course(NamedTuple):
    """Planes across the medulla and cord, `STEP_MM` apart, from the pontomedullary junction downwards."""

    middle: np.ndarray
    """World points, mm, shape (n, 3)."""
    along: np.ndarray
    """Unit vectors downwards, shape (n, 3)."""
    right: np.ndarray
    """Unit vectors in the planes to the person's right, shape (n, 3)."""
    front: np.ndarray
    """Unit vectors in the planes to the person's front, shape (n, 3)."""

    @property
    def below_mm(self) -> np.ndarray:
        """Distance below the junction along the course, shape (n,)."""
        return STEP_MM * np.arange(len(self.middle))


class Neck(NamedTuple):
    """The part of a head that may hold the cord, ready to be interpolated."""

    splines: np.ndarray
    recorded: np.ndarray
    to_index: np.ndarray

    def sample(self, points: np.ndarray) -> np.ndarray:
        """Values at world points (..., 3) by cubic splines; not a number where nothing was recorded."""
        where = np.moveaxis(nb.affines.apply_affine(self.to_index, points), -1, 0)
        values = ndimage.map_coordinates(self.splines, where, order=3, prefilter=False, mode="mirror")
        seen = ndimage.map_coordinates(self.recorded, where, order=0, mode="constant", cval=0)
        return np.where(seen > 0, values, np.nan)


def cut_out_neck(t1w: SpatialImage, recorded: SpatialImage, affine: np.ndarray) -> Neck:
    """The neck of a head.

    Parameters
    ----------
    t1w : SpatialImage
        3D T1-weighted whole head.
    recorded : SpatialImage
        Where it has a signal, above 0, same grid.
    affine : ndarray, shape (4, 4)
        From template to its points about the brainstem.
    """
    check_same_grid(t1w, recorded)
    begin, down = _start(affine)
    ends = np.stack([begin - 20.0 * down, begin + (LENGTH_MM + 10.0) * down])
    corners = np.array([ends.min(axis=0) - _MARGIN_MM, ends.max(axis=0) + _MARGIN_MM])
    corners = np.stack(np.meshgrid(*corners.T, indexing="ij"), axis=-1).reshape(-1, 3)
    index = nb.affines.apply_affine(np.linalg.inv(t1w.affine), corners)
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, np.array(t1w.shape[:3]) - 1)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, low + 1, t1w.shape[:3])
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    values = np.nan_to_num(np.asarray(t1w.dataobj[box], np.float32))
    to_index = np.linalg.inv(t1w.slicer[box].affine)
    seen = np.asarray(recorded.dataobj[box]) > 0
    return Neck(ndimage.spline_filter(values, order=3, output=np.float32), seen.astype(np.uint8), to_index)


def follow_cord(neck: Neck, affine: np.ndarray) -> Course:
    """Course of the medulla and cord, from the pontomedullary junction as far as it can be followed.

    Parameters
    ----------
    neck : Neck
        From `cut_out_neck`.
    affine : ndarray, shape (4, 4)
        From template to the person's points about the brainstem.

    Notes
    -----
    From the lower medulla, where the affine transform places it, plane by plane downwards: in each, the middle of the
    bright disc in a dark ring that responds best near the middle of the plane before. A smoothing spline then runs
    from the junction through all of them.
    """
    junction, down = _start(affine)
    point, direction, rightwards = nb.affines.apply_affine(affine, _LOWER_MEDULLA_MM), down, affine[:3, 0]
    found: list[np.ndarray] = []
    while len(found) * STEP_MM < LENGTH_MM:
        middle = _middle(neck, point, direction, rightwards, _SEARCH_MM if found else _FIRST_SEARCH_MM)
        if middle is None:
            break
        found.append(middle)
        if len(found) >= _MEMORY:
            trend = found[-1] - found[-_MEMORY]
            direction = _unit(_INERTIA * direction + (1 - _INERTIA) * _unit(trend))
            if direction @ down < np.cos(np.deg2rad(_MOST_TURNED_DEG)):
                break
        point = middle + STEP_MM * direction
    if len(found) < _FEWEST:  # none is there: planes of the medulla, which show that
        found = [junction + below * down for below in np.arange(5.0, 31.0, 5.0)]
    else:  # the medulla follows the cord's place half way
        shift = found[0] - nb.affines.apply_affine(affine, _LOWER_MEDULLA_MM)
        junction = junction + 0.5 * (shift - (shift @ down) * down)
    return lay_planes(np.array([junction, *found]), rightwards)


def lay_planes(points: np.ndarray, rightwards: np.ndarray) -> Course:
    """Planes at equal distances across a smooth course through points.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        From the junction downwards, n at least 5.
    rightwards : ndarray, shape (3,)
        The person's right.
    """
    travelled = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    splines = [make_smoothing_spline(travelled, points[:, axis], lam=_SMOOTHING) for axis in range(3)]
    at = np.arange(0.0, min(travelled[-1], LENGTH_MM) + 1e-6, STEP_MM)
    middle = np.stack([spline(at) for spline in splines], axis=-1)
    along = _unit(np.stack([spline.derivative()(at) for spline in splines], axis=-1))
    right = _unit(rightwards - (along @ rightwards)[:, None] * along)
    return Course(middle, along, right, np.cross(right, along))


def _start(affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Point of the junction in the person, and the direction downwards."""
    begin, lower = nb.affines.apply_affine(affine, np.stack([JUNCTION_MM, _LOWER_MEDULLA_MM]))
    return begin, _unit(lower - begin)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _disc_in_ring() -> np.ndarray:
    x, y = np.meshgrid(_KERNEL_MM / _ASPECT[0], _KERNEL_MM / _ASPECT[1], indexing="ij")
    radius = np.hypot(x, y)
    disc, ring = radius < _DISC_MM, (radius > _RING_MM[0]) & (radius < _RING_MM[1])
    return disc / disc.sum() - ring / ring.sum()


_DISC_IN_RING = _disc_in_ring()


def _middle(
    neck: Neck, point: np.ndarray, along: np.ndarray, rightwards: np.ndarray, search_mm: float
) -> np.ndarray | None:
    """Middle of the cord in the plane across ``along``, within so many mm of a point; None where the plane is empty."""
    right = _unit(rightwards - (along @ rightwards) * along)
    front = np.cross(right, along)
    values = neck.sample(point + _ACROSS_MM @ np.stack([right, front]))
    unseen = np.isnan(values)
    if unseen.mean() > 1 - _LEAST_SEEN:
        return None
    values[unseen] = np.median(values[~unseen])
    away = np.linalg.norm(_ACROSS_MM, axis=-1)
    near = np.argwhere(away <= search_mm)
    half = len(_KERNEL_MM) // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, half, mode="edge"), _DISC_IN_RING.shape)
    response = np.einsum("nij,ij->n", windows[tuple(near.T)], _DISC_IN_RING)
    response -= _PREFERENCE * np.abs(response).max() * away[tuple(near.T)]
    across, ahead = _PLANE_MM[near[np.argmax(response)]]
    return point + across * right + ahead * front
