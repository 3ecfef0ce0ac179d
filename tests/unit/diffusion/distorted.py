"""A made-up head in an echo-planar scanner, with a known displacement along one axis."""

import nibabel as nb
import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from mndmri.grids import make_image, world_coordinates

CENTRE = np.array([3.0, -12.0, 8.0])


def scanner(*, voxel_mm=(5.0, 5.5, 6.0), shape=(34, 38, 27), tilt_deg=0.0):
    """Empty RAS-stored grid round the head."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xz", [tilt_deg, tilt_deg / 2], degrees=True).as_matrix() @ np.diag(voxel_mm)
    affine[:3, 3] = CENTRE - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return nb.Nifti1Image(np.zeros(shape, np.uint8), affine)


def signal(points):
    """b = 0 signal of the undistorted head, lopsided, brighter at its rim."""
    x, y, z = np.moveaxis(points - CENTRE, -1, 0)
    radius = np.sqrt((x / 62) ** 2 + (y / 78) ** 2 + (z / 58) ** 2)
    brain = 1 / (1 + np.exp((radius - 1) * 20))
    ventricle = np.exp(-(((np.abs(x + 3) - 14) / 8) ** 2) - ((y - 5) / 28) ** 2 - ((z - 6) / 10) ** 2)
    folds = np.cos(x / 6 + 0.4) * np.cos(y / 6.5) * np.cos(z / 6 + 0.2)
    return 1000 * brain * (1 + ventricle + 0.4 * folds) * (0.5 + 0.5 * radius**2)


def brain(grid):
    """Mask of the undistorted head at rest."""
    return make_image(np.linalg.norm((world_coordinates(grid) - CENTRE) / [58, 73, 54], axis=-1) < 1, grid)


def push_mm(points):
    """Displacement of the signal in front and low on the left, mm; smooth."""
    front = np.exp(-0.5 * (np.linalg.norm(points - CENTRE - [0, 60, -22], axis=-1) / 24) ** 2)
    left = np.exp(-0.5 * (np.linalg.norm(points - CENTRE - [-45, -5, -28], axis=-1) / 20) ** 2)
    return 12 * front - 8 * left


def rigid(degrees, shift_mm):
    """Movement about the head's centre, shape (4, 4)."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = CENTRE + shift_mm - matrix[:3, :3] @ CENTRE
    return matrix


def scan(grid, axis, factor, *, movement=None, contrast=signal, noise=0.0, seed=0):
    """Image of the head after a movement, its signal pushed by ``factor`` times `push_mm` along an array axis."""
    back = np.linalg.inv(np.eye(4) if movement is None else movement)
    size = np.linalg.norm(grid.affine[:3, axis])
    target = np.indices(grid.shape, dtype=float)

    def moved(of, index):
        points = nb.affines.apply_affine(back @ grid.affine, np.moveaxis(index, 0, -1))
        return of(points)

    source = target.copy()
    for _ in range(40):  # where the signal that is found at a voxel came from
        source[axis] = target[axis] - factor * moved(push_mm, source) / size
    # signal is kept: as many voxels as come from one share it
    values = moved(contrast, source) * np.gradient(source[axis], axis=axis)
    values = values + noise * 1000 * np.random.default_rng(seed).standard_normal(values.shape)
    return make_image(np.maximum(values, 0).astype(np.float32), grid)


def true_voxels(grid, axis, factor=1.0):
    """Displacement as the library describes it, voxels."""
    return factor * push_mm(world_coordinates(grid)) / np.linalg.norm(grid.affine[:3, axis])


def sampled(image, points):
    """Values of a 3D image at world points, linear."""
    index = np.moveaxis(nb.affines.apply_affine(np.linalg.inv(image.affine), points), -1, 0)
    return map_coordinates(image.get_fdata(), index, order=1, mode="nearest")
