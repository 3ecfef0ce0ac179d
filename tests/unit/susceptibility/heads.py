"""Head of known susceptibility: made on voxels half as long, seen as the mean of their complex signal at 20 ms, 3 T."""

from types import SimpleNamespace

import nibabel as nb
import numpy as np

from mndmri.gradient_echo.dipole import GYROMAGNETIC_RATIO_HZ, dipole_field
from mndmri.grids import make_image, world_coordinates

WORLD_Z = np.array([0.0, 0.0, 1.0])
RADIANS_PER_PPM = 2 * np.pi * GYROMAGNETIC_RATIO_HZ * 3.0 * 0.02 * 1e-6
NOISE = 0.02  # of the signal


def build_head(zooms=(2.0, 2.0, 3.0), *, turn=None, mirror=False):
    """White matter, two pallida, fluid in the middle, a band on the left, and a field from outside."""
    sizes = np.array(zooms) / 2
    shape = 2 * np.ceil(np.array([84, 96, 78]) / np.array(zooms)).astype(int)
    rotation = np.eye(3) if turn is None else nb.eulerangles.euler2mat(x=turn[0], y=turn[1])
    affine = nb.affines.from_matvec(rotation @ np.diag(sizes))
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2)
    fine = nb.Nifti1Image(np.zeros(shape, np.uint8), affine)
    x, y, z = np.moveaxis(world_coordinates(fine), -1, 0)
    side = -x if mirror else x
    brain = (x / 36) ** 2 + (y / 42) ** 2 + (z / 33) ** 2 < 1
    parts = {
        "left": (side + 14) ** 2 + y**2 + z**2 < 49,
        "right": (side - 14) ** 2 + y**2 + z**2 < 49,
        "fluid": (x / 4) ** 2 + ((y + 18) / 8) ** 2 + (z / 9) ** 2 < 1,
        "band": (side < -6) & (side > -26) & (np.abs(y - 4) < 3) & (np.abs(z - 22) < 5),
    }
    chi = np.where(brain, -0.03, 0.0)
    for name, value in {"left": 0.12, "right": 0.12, "fluid": 0.0, "band": 0.05}.items():
        chi[parts[name] & brain] = value
    away = np.stack([x, y - 58, z + 20])
    distance = np.maximum(np.linalg.norm(away, axis=0), 9.0)
    background = 3.0 * (9 / distance) ** 3 * (3 * (away[2] / distance) ** 2 - 1) + 0.002 * y + 2e-5 * x * z
    field = dipole_field(chi, sizes, rotation.T @ WORLD_Z) + background

    def coarse(values):
        a, b, c = (n // 2 for n in shape)
        return values.reshape(a, 2, b, 2, c, 2).mean(axis=(1, 3, 5))

    signal = coarse(np.exp(1j * RADIANS_PER_PPM * field))
    rng = np.random.default_rng(1)
    signal = signal + NOISE * (rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape))
    whole_turns = RADIANS_PER_PPM * coarse(field)
    phase = np.angle(signal * np.exp(-1j * whole_turns)) + whole_turns
    coarse_affine = affine @ nb.affines.from_matvec(np.diag([2, 2, 2]), [0.5, 0.5, 0.5])
    grid = nb.Nifti1Image(np.zeros(signal.shape, np.uint8), coarse_affine)
    return SimpleNamespace(
        field=make_image((phase / RADIANS_PER_PPM).astype(np.float32), grid),
        mask=make_image(coarse(brain) > 0.5, grid),
        chi=coarse(chi),
        parts={name: make_image(coarse(part & brain) > 0.9, grid) for name, part in parts.items()},
        white=make_image(coarse(chi) < -0.0299, grid),
    )
