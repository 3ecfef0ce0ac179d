"""The brainstem between a person and the template: an affine transform in place of the deformation.

A T1-weighted image has hardly any contrast inside the brainstem, and what a segmentation calls grey and white there
differs from person to person: a deformation driven by it displaces the tract by millimetres, up to folding.
"""

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import world_coordinates
from mndmri.io import InputError
from mndmri.registration.register import Warp
from mndmri.registration.transforms import Transform, compose, make_field, map_points

# Middle of the pons in the template, mm, and how fast voxels away from it count less for the affine transform (SD).
CENTRE_MM = np.array([0.0, -25.0, -22.0])
_REACH_MM = 30.0
# Residuals beyond this many of their mean are those of folds and count little (Geman-McClure weights).
_TOLERATED = 1.5
_FIT_ROUNDS = 8
# Where the affine transform gives way to the deformation: height, and distance from the axis of the brainstem, mm.
_HEIGHTS_MM = (-10.0, 4.0)
_RADII_MM = (24.0, 36.0)
_INVERSION_ROUNDS = 10


def steady_brainstem(warp: Warp, brain: SpatialImage) -> Warp:
    """Registration to the template whose deformation is an affine transform in the brainstem.

    Parameters
    ----------
    warp : Warp
        Between a scan (moving) and the template (fixed, MNI coordinates).
    brain : SpatialImage
        Mask of the brain on the scan's grid, that of ``warp.fixed_to_moving``.

    Returns
    -------
    Warp
        On the same grids.

    Notes
    -----
    The affine transform is fitted to the deformation of the brain about the pons, with weights that fall off over
    30 mm: the thalamus, cerebellum and temporal lobes, which are registered well, carry the brainstem between them. It
    gives way to the deformation between z = -10 and 4 mm and between 24 and 36 mm from the brainstem's axis. The
    direction from scan to template is the inverse of the other where the two are mixed.
    """
    affine = fit_affine(warp, brain)
    return follow_affine(warp, affine)


def fit_affine(warp: Warp, brain: SpatialImage) -> np.ndarray:
    """Affine transform from template to scan points about the pons, robust against folds, shape (4, 4).

    Raises
    ------
    InputError
        If no brain lies there.
    """
    scan = world_coordinates(brain)[np.asarray(brain.dataobj) > 0]
    template = map_points(scan, [warp.fixed_to_moving])
    nearness = np.exp(-0.5 * np.sum((template - CENTRE_MM) ** 2, axis=-1) / _REACH_MM**2)
    near = nearness > 1e-3
    if near.sum() < 100:
        raise InputError("the brain mask of the scan holds nothing of the brainstem; check its alignment with the T1w image")
    scan, template, nearness = scan[near], np.c_[template[near], np.ones(near.sum())], nearness[near]
    weights = nearness
    for _ in range(_FIT_ROUNDS):
        root = np.sqrt(weights)[:, None]
        matrix = np.linalg.lstsq(template * root, scan * root, rcond=None)[0].T
        residual = np.linalg.norm(template @ matrix.T - scan, axis=1)
        usual = _TOLERATED * np.average(np.minimum(residual, 4.0), weights=nearness) + 0.1
        weights = nearness / (1 + (residual / usual) ** 2) ** 2
    return np.vstack([matrix, [0, 0, 0, 1]])


def follow_affine(warp: Warp, affine: np.ndarray) -> Warp:
    """Registration that is an affine transform (template to scan points) in the brainstem, and as it was elsewhere."""
    points = world_coordinates(warp.moving_to_fixed)
    forth = _mix(points, warp, affine)

    scan = world_coordinates(warp.fixed_to_moving)
    back = map_points(scan, [warp.fixed_to_moving])
    by_affine = map_points(scan, [np.linalg.inv(affine)])
    share = in_brainstem(by_affine)
    mixed = share > 0
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


def by_way_of_t1w(t1w: Warp, to_scan: np.ndarray, template: SpatialImage, scan: SpatialImage) -> Warp:
    """Registration of a scan to the template through the T1w image of the same person.

    Parameters
    ----------
    t1w : Warp
        Between the T1w image and the template.
    to_scan : ndarray, shape (4, 4)
        From T1w to scan world points.
    template, scan : SpatialImage
        Grids of the two fields.
    """
    back: list[Transform] = [np.linalg.inv(to_scan), t1w.fixed_to_moving]
    return Warp(compose([t1w.moving_to_fixed, to_scan], template), compose(back, scan))
