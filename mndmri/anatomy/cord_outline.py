"""Outline of the cord on planes across it."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.interpolate import BSpline

from mndmri.anatomy.cord_line import Course, Neck, lay_planes

_N_RAYS = 48
_STEP_OUT_MM = 0.25
_REACH_MM = 14.0
_ANGLES = np.arange(_N_RAYS) * 2 * np.pi / _N_RAYS
_RADII = np.arange(0, _REACH_MM + 0.01, _STEP_OUT_MM)
_SURELY_CORD_MM = 2.5
# Fluid is the first minimum along a ray between these, below this share of the cord's signal, before a rise of so much.
_FLUID_MM, _FLUID_BELOW, _RISE = (3.5, 11.0), 0.75, 0.15
_SMOOTHED_MM = 0.5
_LEAST_RAYS = 1 / 3  # of a plane, that find fluid
# Outline: harmonics round the cord, and splines along it with knots this far apart; waves cost more the shorter.
_HARMONICS, _KNOTS_MM, _PENALTY = 4, 8.0, 0.02
# Rays further off the outline than so many robust SDs do not count (bisquare), nor do less than so many mm matter.
_TOLERATED, _LEAST_SD_MM, _ROUNDS = 4.0, 0.15, 12
_PASSES = 2  # the outline's own middle is where the rays begin in the second


class Outline(NamedTuple):
    """The cord's outline on each plane of its course."""

    course: Course
    radius: np.ndarray
    """From the middle, mm, shape (n, 48): from the person's right towards the front."""
    edge: np.ndarray
    """Where a ray by itself finds the edge, mm, shape (n, 48); not a number where it finds none."""
    weight: np.ndarray
    """How much the ray counts for the outline, 0 to 1, shape (n, 48)."""
    shown: np.ndarray
    """Whether the image shows the plane, shape (n,)."""
    contrast: np.ndarray
    """1 - signal of fluid / signal of cord, shape (n,)."""


def find_outline(neck: Neck, course: Course) -> Outline:
    """Outline of the cord, by the half level between cord and fluid.

    Parameters
    ----------
    neck : Neck
    course : Course
        From `mndmri.anatomy.cord_line.follow_cord`.

    Notes
    -----
    Along each of 48 rays of a plane the edge is where the signal has fallen half way from the cord's (median within
    2.5 mm) to the fluid's (median over the rays of the first minimum outwards). One surface, of four harmonics round
    the cord and cubic splines with knots 8 mm apart along it, is fitted to the edges of all planes with bisquare
    weights: rays that found a nerve root, the dura or a vertebra instead do not count.
    """
    for last in range(_PASSES):
        directions = _directions(course)
        points = course.middle[:, None, None] + _RADII[:, None] * directions[:, :, None]
        signal = neck.sample(points)
        edge, shown, contrast = _find_edges(signal)
        radius, weight = _fit_surface(edge, course.below_mm)
        if last < _PASSES - 1:
            course = lay_planes(_middles(course, radius, shown), course.right.mean(axis=0))
    return Outline(course, radius, edge, weight, shown, contrast)


def areas_mm2(radius: np.ndarray) -> np.ndarray:
    """Area inside each outline, shape (n,): of radii (mm) at equal angles, shape (n, m)."""
    return 0.5 * np.sum(radius**2, axis=1) * 2 * np.pi / radius.shape[1]


def diameters_mm(radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left-right and front-back diameter through the middle, each of shape (n,): of radii as `Outline` has them."""
    quarter = radius.shape[1] // 4
    return radius[:, 0] + radius[:, 2 * quarter], radius[:, quarter] + radius[:, 3 * quarter]


def _directions(course: Course) -> np.ndarray:
    """Unit vectors of the rays, shape (n, 48, 3)."""
    right, front = course.right[:, None], course.front[:, None]
    return np.cos(_ANGLES)[:, None] * right + np.sin(_ANGLES)[:, None] * front


def _find_edges(signal: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edge on each ray, whether a plane is shown, and its contrast, from signals of shape (n, 48, radii)."""
    shown = ~np.isnan(signal[:, :, _FLUID_MM[1] >= _RADII]).any(axis=(1, 2))
    values = np.nan_to_num(signal)
    cord = np.median(values[:, :, _RADII <= _SURELY_CORD_MM], axis=(1, 2))[:, None]
    smooth = ndimage.gaussian_filter1d(values, _SMOOTHED_MM / _STEP_OUT_MM, axis=2)
    begin, end = (np.searchsorted(_RADII, at) for at in _FLUID_MM)
    outwards = smooth[:, :, begin:end]
    lowest = np.minimum.accumulate(outwards, axis=2)
    risen = (outwards > lowest + _RISE * cord[..., None]) & (lowest < _FLUID_BELOW * cord[..., None])
    before = np.where(np.cumsum(risen, axis=2) > 0, np.inf, outwards)
    at_minimum = np.argmin(before, axis=2)
    fluid = np.take_along_axis(outwards, at_minimum[..., None], axis=2)[..., 0]
    dark = fluid < (_FLUID_BELOW + 0.05) * cord
    enough = shown & (dark.mean(axis=1) > _LEAST_RAYS)
    level_of_fluid = np.array([np.median(f[d]) if e else np.nan for f, d, e in zip(fluid, dark, enough, strict=True)])
    half = ((cord[:, 0] + level_of_fluid) / 2)[:, None, None]
    below = (values < half) & (_RADII > _SURELY_CORD_MM - 0.5)
    first = np.argmax(below, axis=2)
    inner, outer = (np.take_along_axis(values, np.maximum(first + n, 0)[..., None], axis=2)[..., 0] for n in (-1, 0))
    step = np.clip((inner - half[..., 0]) / np.maximum(inner - outer, 1e-6), 0, 1)
    edge = _RADII[np.maximum(first - 1, 0)] + step * _STEP_OUT_MM
    found = below.any(axis=2) & (_RADII[first] <= _RADII[begin + at_minimum] + 0.5) & enough[:, None]
    return np.where(found, edge, np.nan), shown, 1 - level_of_fluid / np.maximum(cord[:, 0], 1e-6)


def _fit_surface(edge: np.ndarray, below_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smooth robust surface through edges (n, 48), its radii and the weights of the edges; nan beyond their ends."""
    found = np.isfinite(edge)
    radius, weight = np.full(edge.shape, np.nan), np.zeros(edge.shape)
    planes = np.flatnonzero(found.mean(axis=1) > _LEAST_RAYS)
    if len(planes) < 5:
        return radius, weight
    within = slice(planes[0], planes[-1] + 1)
    at, found, known = below_mm[within], found[within], np.nan_to_num(edge[within])
    orders = np.repeat(np.arange(1, _HARMONICS + 1), 2)
    waves = [np.cos(k * _ANGLES) if n % 2 == 0 else np.sin(k * _ANGLES) for n, k in enumerate(orders)]
    around = np.column_stack([np.ones(_N_RAYS), *waves])
    pieces = max(int(np.ptp(at) // _KNOTS_MM), 1)
    inner = np.linspace(at[0], at[-1], pieces + 1)
    knots = np.r_[[inner[0]] * 3, inner, [inner[-1]] * 3]
    lengthwise = BSpline.design_matrix(np.clip(at, inner[0], inner[-1]), knots, 3).toarray()
    design = np.einsum("sk,af->sakf", lengthwise, around).reshape(found.size, -1)
    stiff = np.kron(np.eye(lengthwise.shape[1]), np.diag(_PENALTY * np.r_[0, orders**2])) * len(at) / len(inner)
    stiff += 1e-6 * np.eye(len(stiff))
    wanted, used = known.ravel(), found.ravel()
    own = used.astype(float)
    for _ in range(_ROUNDS):
        weighted = design * own[:, None]
        best = np.linalg.solve(weighted.T @ design + stiff, weighted.T @ wanted)
        off = wanted - design @ best
        sd = 1.4826 * np.median(np.abs(off[used])) + _LEAST_SD_MM
        own = used * np.clip(1 - (off / (_TOLERATED * sd)) ** 2, 0, None) ** 2
    radius[within] = (design @ best).reshape(found.shape)
    weight[within] = own.reshape(found.shape)
    return radius, weight


def _middles(course: Course, radius: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Points of the course, moved to the middle of the outlines where there are any."""
    size = 3 * np.maximum(np.sum(radius**2, axis=1), 1e-6)
    across, ahead = (2 * np.sum(radius**3 * wave(_ANGLES), axis=1) / size for wave in (np.cos, np.sin))
    usable = shown & np.isfinite(across) & (course.below_mm > 10)
    move = np.where(usable[:, None], across[:, None] * course.right + ahead[:, None] * course.front, 0.0)
    return course.middle + np.clip(np.nan_to_num(move), -1.5, 1.5)
