"""A made-up head under diffusion weighting, to move and to distort."""

import nibabel as nb
import numpy as np
from scipy.spatial.transform import Rotation

from mndmri.grids import make_image, world_coordinates

SHAPE = (38, 44, 34)
AFFINE = np.diag([4.0, 4.0, 4.2, 1.0])
AFFINE[:3, 3] = -AFFINE[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
GRID = nb.Nifti1Image(np.zeros(SHAPE, np.uint8), AFFINE)
N_WEIGHTED = 12
B = 1000.0


def rigid(degrees, shift):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def head(points):
    """Baseline signal, main direction and anisotropy of a made-up head, at world points."""
    x, y, z = np.moveaxis(points, -1, 0)
    radius = np.sqrt((x / 55) ** 2 + (y / 68) ** 2 + (z / 52) ** 2)
    brain = 1 / (1 + np.exp((radius - 1) * 25))
    ventricle = np.exp(-(((np.abs(x) - 12) / 6) ** 2) - ((y - 5) / 25) ** 2 - ((z - 6) / 8) ** 2)
    lesion = np.exp(-(((x - 30) / 9) ** 2) - ((y + 25) / 12) ** 2 - ((z - 15) / 9) ** 2)
    folds = np.cos(x / 4) * np.cos(y / 4.5) * np.cos(z / 4) * np.clip(radius - 0.5, 0, 1)
    s0 = 1000 * brain * (1 + 0.6 * ventricle - 0.35 * lesion + 0.8 * folds)
    direction = np.stack([np.sin(y / 25), 0.3 * np.ones_like(x), np.cos(x / 30)], axis=-1)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return s0, direction, brain * (1 - np.clip(ventricle, 0, 1))


def signal(points, b, g):
    """What a scanner would see of the unmoved head at these points."""
    s0, direction, anisotropy = head(points)
    along = (direction @ g) ** 2
    diffusivity = 0.8e-3 + anisotropy * 0.9e-3 * (along - 1 / 3)
    return s0 * np.exp(-b * diffusivity)


def core():
    """Anisotropic voxels well inside the head."""
    return head(world_coordinates(GRID))[2] > 0.9


def brain(grid):
    """Mask of the head at rest."""
    return make_image(np.linalg.norm(world_coordinates(grid) / [55, 68, 52], axis=-1) < 1, grid)
