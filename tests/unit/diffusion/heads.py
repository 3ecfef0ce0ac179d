"""A made-up head under diffusion weighting, to move and to distort."""

import nibabel as nb
import numpy as np
from scipy.spatial.transform import Rotation

from mndmri.diffusion.gradients import Gradients
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


PHASE = 1  # array axis
STILL = np.tile(np.eye(4), (N_WEIGHTED + 2, 1, 1))
NO_EDDY = np.zeros((N_WEIGHTED + 2, 3))


def table_of_directions():
    vectors = np.random.default_rng(2).normal(size=(N_WEIGHTED, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Gradients(np.r_[0.0, 0.0, np.full(N_WEIGHTED, B)], np.vstack([np.zeros((2, 3)), vectors]))


def field(points):
    """By how many voxels the field of the head moves the signal of its points up the phase axis."""
    return 2.5 * np.exp(-(np.linalg.norm(points - [0, 50, -10], axis=-1) ** 2) / 2 / 25**2)


def moved_series(motions, eddy=NO_EDDY, strength=0.0):
    """Series whose head lies, in each volume, where ``motions`` (reference to volume) puts it.

    ``eddy`` is each volume's shift along the phase axis per mm, ``strength`` scales the head's own field.
    """
    table, points = table_of_directions(), world_coordinates(GRID)
    rng = np.random.default_rng(0)
    step = AFFINE[:3, PHASE]
    unit = step / np.linalg.norm(step)
    volumes = []
    for motion, bend, b, g in zip(motions, eddy, table.bvals, table.bvecs, strict=True):
        matrix = np.eye(4)
        matrix[:3, :3] += np.outer(unit, bend)
        to_rest = np.linalg.inv(matrix @ motion)
        before = nb.affines.apply_affine(to_rest, points)
        for _ in range(20 if strength else 0):  # fixed point: where rest + field is the voxel
            before = nb.affines.apply_affine(to_rest, points - strength * field(before)[..., None] * step)
        # signal that is drawn apart gets thin
        moved = strength * field(before)[..., None] * step
        slope = np.gradient(nb.affines.apply_affine(to_rest, points - moved)[..., 1], AFFINE[1, 1], axis=PHASE)
        density = slope if strength else 1 / np.linalg.det(matrix[:3, :3])
        # the gradient is the scanner's; the head meets it turned back
        clean = signal(before, b, motion[:3, :3].T @ g) * density
        volumes.append(np.abs(clean + rng.normal(0, 10, clean.shape)))
    return nb.Nifti1Image(np.stack(volumes, axis=-1).astype(np.float32), AFFINE), table


def known_motions(degrees=8, mm=4):
    rng = np.random.default_rng(5)
    motions = [np.eye(4)]
    motions += [rigid(rng.uniform(-degrees, degrees, 3), rng.uniform(-mm, mm, 3)) for _ in range(N_WEIGHTED + 1)]
    return np.array(motions)
