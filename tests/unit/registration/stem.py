"""A made-up head with a brainstem, whose place in the template is known, and a registration that is wrong there."""

from functools import cache

import nibabel as nb
import numpy as np

from mndmri.grids import make_image, resampled_grid, world_coordinates
from mndmri.registration.register import Warp
from mndmri.registration.transforms import average_over_voxels, make_field

# from template to T1w points, and from T1w to scan points
HEAD = nb.affines.from_matvec(nb.eulerangles.euler2mat(x=0.25, z=-0.1) @ np.diag([1.05, 0.95, 1.02]), [4.0, 3.0, -6.0])
TO_SCAN = nb.affines.from_matvec(nb.eulerangles.euler2mat(y=0.1), [2.0, 0.0, 5.0])
PONS = np.array([[-6.0, -25.0, -34.0], [6.0, -25.0, -34.0], [0.0, -25.0, -22.0], [-10.0, -21.0, -18.0]])


def grid(mm, low, high):
    shape = np.rint(np.subtract(high, low) / np.asarray(mm)).astype(int) + 1
    return nb.Nifti1Image(np.zeros(shape, np.uint8), nb.affines.from_matvec(np.diag(np.broadcast_to(mm, 3)), low))


TEMPLATE = grid(3.0, (-75, -105, -57), (75, 75, 80))


def solid(points):
    """Share of tissue of a made-up head at template points: brainstem, with a nose on the right, and others."""
    x, y, z = np.moveaxis(points, -1, 0)
    stem = np.hypot(x / 15, (y + 25 + 0.2 * (z + 22)) / (12 + 4 * (np.abs(z + 30) < 8))) < 1
    nose = np.hypot(x - 14, y + 22) < 5
    above = np.linalg.norm((points - [0, -15, 38]) / [60, 80, 42], axis=-1) < 1
    behind = np.linalg.norm((points - [0, -66, -28]) / [45, 26, 20], axis=-1) < 1
    return ((stem | nose) & (z < 5) | above | behind).astype(np.float32)


@cache
def softened():
    """Tissue of the template, with the partial volume of its voxels."""
    fine = resampled_grid(TEMPLATE, 1.5)
    return average_over_voxels(make_image(solid(world_coordinates(fine)), fine), TEMPLATE, [])


def folded(points):
    """A deformation by 12 mm about the left of the pons, within 6 mm: no inverse."""
    push = 12 * np.exp(-0.5 * np.sum((points - [-7, -25, -30]) ** 2, axis=-1) / 6**2)
    return points + push[..., None] * [1.0, 0.0, 0.0]


@cache
def head():
    """Registration of a T1w image that is wrong in the brainstem, and its brain."""
    t1w = grid((3.0, 2.5, 3.0), (-80, -110, -75), (80, 85, 80))
    points = world_coordinates(t1w)
    template = nb.affines.apply_affine(np.linalg.inv(HEAD), points)
    forth = nb.affines.apply_affine(HEAD, folded(world_coordinates(TEMPLATE))) - world_coordinates(TEMPLATE)
    warp = Warp(make_field(forth, TEMPLATE), make_field(folded(template) - points, t1w))
    return warp, make_image(solid(template), t1w)
