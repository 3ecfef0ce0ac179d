"""A made-up brain, and ways to move it."""

import nibabel as nb
import numpy as np
from scipy import ndimage

from mndmri.grids import world_coordinates

AFFINE = np.array([[3.0, 0, 0, -60], [0, 3.0, 0, -50], [0, 0, 3.0, -40], [0, 0, 0, 1]])


def rigid(degrees=(4.0, -3.0, 6.0), shift=(3.0, -5.0, 4.0)) -> np.ndarray:
    """Matrix of a turn about the three axes and a shift (mm)."""
    matrix = np.eye(4)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        turn = np.eye(4)
        first, second = [a for a in range(3) if a != axis]
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    matrix[:3, 3] = shift
    return matrix


def egg() -> nb.Nifti1Image:
    """A lopsided egg with structure inside, 0 around it."""
    rng = np.random.default_rng(3)
    texture = ndimage.gaussian_filter(rng.standard_normal((40, 36, 32)), 3)
    xyz = world_coordinates(nb.Nifti1Image(np.zeros((40, 36, 32)), AFFINE))
    inside = (xyz[..., 0] / 45) ** 2 + (xyz[..., 1] / 40) ** 2 + ((xyz[..., 2] - 5) / 35) ** 2 < 1
    inside[: len(inside) // 2] &= xyz[: len(inside) // 2, ..., 1] < 20
    data = np.where(inside, 100 + 600 * texture / texture.std() * 0.1, 0)
    return nb.Nifti1Image(np.clip(data, 0, None).astype(np.float32), AFFINE)
