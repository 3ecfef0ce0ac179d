"""The brainstem between a person and the template: an affine transform in place of the deformation.

A T1-weighted image has hardly any contrast inside the brainstem, and what a segmentation calls grey and white there
differs from person to person: a deformation driven by it displaces the tract by millimetres, up to folding.
"""

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from mndmri.grids import resampled_grid, world_coordinates
from mndmri.io import InputError
from mndmri.registration.register import Warp
from mndmri.registration.transforms import compose, make_field, map_points, resample, sample_points

# Middle of the pons in the template, mm, and how fast voxels away from it count less for the affine transform (SD).
CENTRE_MM = np.array([0.0, -25.0, -22.0])
_REACH_MM = 30.0
_SAMPLED_MM = 3.0
# Voxels of less weight, beyond 11 cm, are left out; fewer than this are no brain.
_LEAST_WEIGHT, _LEAST_VOXELS = 1e-3, 100
# Residuals beyond this many of their mean are those of folds and count little (Geman-McClure weights).
_TOLERATED = 1.5
_FIT_ROUNDS = 8
# Where the affine transform gives way to the deformation: height, and distance from the axis of the brainstem, mm.
_HEIGHTS_MM = (-10.0, 4.0)
_RADII_MM = (24.0, 36.0)
_INVERSION_ROUNDS = 10
# The outline counts near the brainstem's axis (SD, mm), and where the scan shows at least this share of it.
_OUTLINE_SD_MM = 20.0
_LEAST_SHOWN = 0.6
_STEP = (3.0, 0.1)
_COST_OF_STEP = 0.01


def place_scan(
    t1w: Warp,
    brain: SpatialImage,
    to_scan: np.ndarray,
    *,
    template_tissue: SpatialImage,
    tissue: SpatialImage,
    recorded: SpatialImage,
) -> Warp:
    """Registration of a scan to the template through the T1w image, by an affine transform in the brainstem.

    Parameters
    ----------
    t1w : Warp
        Between the T1w image (moving) and the template (fixed, MNI coordinates).
    brain : SpatialImage
        Mask of the brain in the T1w image.
    to_scan : ndarray, shape (4, 4)
        From T1w to scan world points.
    template_tissue, tissue : SpatialImage
        Where the template and the scan have tissue, 1, or fluid and what is outside the brain, 0.
    recorded : SpatialImage
        Where the scan has a signal, 0 or 1, on the grid of ``tissue``.

    Returns
    -------
    Warp
        Between the scan (moving) and the template (fixed), on the grids of the two tissue maps.

    Notes
    -----
    The affine transform is fitted to the deformation of the brain about the pons, with weights that fall off over
    30 mm: the thalamus, cerebellum and temporal lobes, which are registered well, carry the brainstem between them. The
    outline of the brainstem against fluid then corrects its position in the scan, which may be distorted
    (`match_outline`). It gives way to the deformation between z = -10 and 4 mm and between 24 and 36 mm from the
    brainstem's axis; where the two are mixed, the direction from scan to template is the inverse of the other.
    """
    forth = compose([t1w.moving_to_fixed, to_scan], template_tissue)
    back = compose([np.linalg.inv(to_scan), t1w.fixed_to_moving], tissue)
    affine = match_outline(to_scan @ fit_affine(t1w, brain), template_tissue, tissue, recorded)
    return follow_affine(Warp(forth, back), affine)


def fit_affine(warp: Warp, brain: SpatialImage) -> np.ndarray:
    """Affine transform from template to T1w points about the pons, robust against folds, shape (4, 4).

    Parameters
    ----------
    warp, brain
        As ``t1w`` and ``brain`` of `place_scan`.

    Raises
    ------
    InputError
        If hardly any brain lies within 11 cm of the pons.
    """
    coarse = resample(brain, resampled_grid(brain, _SAMPLED_MM), interpolation="nearest")
    scan = world_coordinates(coarse)[np.asarray(coarse.dataobj) > 0]
    template = map_points(scan, [warp.fixed_to_moving])
    nearness = np.exp(-0.5 * np.sum((template - CENTRE_MM) ** 2, axis=-1) / _REACH_MM**2)
    near = nearness > _LEAST_WEIGHT
    within = _REACH_MM * np.sqrt(-2 * np.log(_LEAST_WEIGHT)) / 10
    if near.sum() < _LEAST_VOXELS:
        raise InputError(
            f"{near.sum()} voxels of {_SAMPLED_MM:g} mm of the T1w image's brain lie within {within:.0f} cm of the "
            f"template's pons, at least {_LEAST_VOXELS} are expected; check the mask and the registration"
        )
    scan, template, nearness = scan[near], np.c_[template[near], np.ones(near.sum())], nearness[near]
    weights = nearness
    for _ in range(_FIT_ROUNDS):
        root = np.sqrt(weights)[:, None]
        matrix = np.linalg.lstsq(template * root, scan * root, rcond=None)[0].T
        residual = np.linalg.norm(template @ matrix.T - scan, axis=1)
        usual = _TOLERATED * np.average(np.minimum(residual, 4.0), weights=nearness) + 0.1
        weights = nearness / (1 + (residual / usual) ** 2) ** 2
    return np.vstack([matrix, [0, 0, 0, 1]])


def match_outline(
    affine: np.ndarray, template_tissue: SpatialImage, tissue: SpatialImage, recorded: SpatialImage
) -> np.ndarray:
    """Affine transform from template to scan points after a rigid correction that matches the brainstem's outlines.

    Parameters
    ----------
    affine : ndarray, shape (4, 4)
        From template to scan points, within some 6 mm.
    template_tissue, tissue, recorded : SpatialImage
        As for `place_scan`.

    Returns
    -------
    ndarray, shape (4, 4)
        ``affine`` unchanged where the scan does not show most of the brainstem.

    Notes
    -----
    Correlation of the two tissue maps about the brainstem, less a penalty of 0.01 for a correction by 3 mm or 0.1 rad
    along one axis, maximised by Powell's method. Anisotropy and directions take no part: what a disease changes must
    not decide where it is measured.
    """
    points = _lattice()
    weights = in_brainstem(points) * np.exp(
        -0.5 * (points[:, 0] ** 2 + (points[:, 1] - CENTRE_MM[1]) ** 2) / _OUTLINE_SD_MM**2
    )
    shown = sample_points(recorded, map_points(points, [affine])) > 0.5
    if weights[shown].sum() < _LEAST_SHOWN * weights.sum():
        return affine
    points, weights = points[shown], weights[shown]
    expected = sample_points(template_tissue, points)

    def cost(steps: np.ndarray) -> float:
        found = sample_points(tissue, map_points(points, [affine @ _correction(steps)]))
        return _COST_OF_STEP * float(steps @ steps) - _weighted_correlation(found, expected, weights)

    best = minimize(cost, np.zeros(6), method="Powell", options={"xtol": 0.02, "ftol": 1e-4, "maxfev": 600})
    return affine @ _correction(best.x)


def _lattice() -> np.ndarray:
    """Template points of the brainstem and round it, every 2 mm, shape (n, 3)."""
    axes = (np.arange(-28.0, 28.1, 2.0), np.arange(-52.0, 6.1, 2.0), np.arange(-42.0, 4.1, 2.0))
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return points[in_brainstem(points) > 0]


def _correction(steps: np.ndarray) -> np.ndarray:
    """Rigid motion about the pons, from three shifts of 3 mm and three turns of 0.1 rad."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(_STEP[1] * steps[3:]).as_matrix()
    matrix[:3, 3] = CENTRE_MM + _STEP[0] * steps[:3] - matrix[:3, :3] @ CENTRE_MM
    return matrix


def _weighted_correlation(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> float:
    one, other = (values - np.average(values, weights=weights) for values in (one, other))
    size = np.sum(weights * one**2) * np.sum(weights * other**2)
    return float(np.sum(weights * one * other) / np.sqrt(size)) if size > 0 else 0.0


def follow_affine(warp: Warp, affine: np.ndarray) -> Warp:
    """Registration that is an affine transform (template to scan points) in the brainstem, and as it was elsewhere."""
    points = world_coordinates(warp.moving_to_fixed)
    forth = _mix(points, warp, affine)

    scan = world_coordinates(warp.fixed_to_moving)
    back = map_points(scan, [warp.fixed_to_moving])
    by_affine = map_points(scan, [np.linalg.inv(affine)])
    share = in_brainstem(by_affine)
    mixed = (share > 0) | (in_brainstem(back) > 0)  # by either of the two
    place = back[mixed] + share[mixed, None] * (by_affine[mixed] - back[mixed])
    turn = np.linalg.inv(affine[:3, :3]).T
    for _ in range(_INVERSION_ROUNDS):
        place = place + (scan[mixed] - _mix(place, warp, affine)) @ turn
    back[mixed] = place
    return Warp(make_field(forth - points, warp.moving_to_fixed), make_field(back - scan, warp.fixed_to_moving))


def in_brainstem(points: np.ndarray) -> np.ndarray:
    """How much template points (..., 3) belong to the brainstem: 1 inside, 0 outside, between them a smooth step."""
    beyond = (
        (points[..., 2] - _HEIGHTS_MM[0]) / (_HEIGHTS_MM[1] - _HEIGHTS_MM[0]),
        (np.hypot(points[..., 0], points[..., 1] - CENTRE_MM[1]) - _RADII_MM[0]) / (_RADII_MM[1] - _RADII_MM[0]),
    )
    height, radius = (0.5 + 0.5 * np.cos(np.pi * np.clip(part, 0, 1)) for part in beyond)
    return height * radius


def _mix(points: np.ndarray, warp: Warp, affine: np.ndarray) -> np.ndarray:
    """Template points in the scan: by the deformation, and by the affine transform in the brainstem."""
    moved, share = map_points(points, [warp.moving_to_fixed]), in_brainstem(points)[..., None]
    return moved + share * (map_points(points, [affine]) - moved)
