"""The cord in the neck of the shared head: a tube of known area in a canal of fluid, below the brain's lower end.

It is put into the T1w signal alone: the tissues of the brain, and what is true of them, stay as they are.
"""

from collections.abc import Mapping

import numpy as np

from mndmri.grids import voxel_volume_ml
from mndmri.phantom.deformation import Head

# Course in the shared head, mm: from the lower end of the medulla to that of the head.
TOP_MM, END_MM = np.array([0.0, -44.0, -71.0]), np.array([0.0, -46.0, -125.0])
# Half axes, left-right and front-back, of the cord and of the medulla's end, which tapers off over so much.
CORD_MM, _MEDULLA_MM, _TAPER_MM = (6.8, 4.8), (8.0, 7.0), 6.0
_FLUID_MM = 4.0
# Stretch of constant area in which it is measured.
_WINDOW_MM = (-104.0, -80.0)
_PARTS = 3  # points along each voxel's edge


def add_neck(signal: np.ndarray, head: Head, loss: float, intensity: Mapping[str, float]) -> tuple[np.ndarray, float]:
    """Signal with a cord in the neck, and the cord's true area across its course, mm2.

    Parameters
    ----------
    signal : ndarray, shape (X, Y, Z)
    head : Head
    loss : float
        Share of the cord's area that is lost, 0 to 1.
    intensity : mapping
        Signal of ``white`` and ``csf``.
    """
    x, y, z = np.moveaxis(head.place, -1, 0)
    near = (z < TOP_MM[2] + 3) & (np.hypot(x, y - TOP_MM[1]) < 18)
    steps = [np.gradient(head.place, axis=axis)[near] for axis in range(3)]
    cord, canal, measured = (np.zeros(near.sum(), np.float32) for _ in range(3))
    offsets = (np.arange(_PARTS) + 0.5) / _PARTS - 0.5
    for shifts in np.stack(np.meshgrid(offsets, offsets, offsets), axis=-1).reshape(-1, 3):
        points = head.place[near] + sum(s * step for s, step in zip(shifts, steps, strict=True))
        inside, around = _tube(points, loss)
        cord += inside / _PARTS**3
        canal += around / _PARTS**3
        measured += (inside & (points[:, 2] > _WINDOW_MM[0]) & (points[:, 2] < _WINDOW_MM[1])) / _PARTS**3
    filled = signal.copy()
    filled[near] = signal[near] * (1 - canal) + intensity["csf"] * (canal - cord) + intensity["white"] * cord
    volume = 1000 * voxel_volume_ml(head.grid) * float(measured.sum())
    return filled, volume / _length_mm(head, steps, measured)


def _tube(points: np.ndarray, loss: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether points of the shared head are in the cord, and in the canal, which holds it."""
    below = TOP_MM[2] - points[:, 2]
    middle_y = TOP_MM[1] + below / (TOP_MM[2] - END_MM[2]) * (END_MM[1] - TOP_MM[1])
    medulla = np.clip(1 - below / _TAPER_MM, 0, 1)[:, None]
    axes = medulla * np.array(_MEDULLA_MM) + (1 - medulla) * np.sqrt(1 - loss) * np.array(CORD_MM)
    canal = medulla * np.array(_MEDULLA_MM) + (1 - medulla) * np.array(CORD_MM) + _FLUID_MM
    off = np.stack([points[:, 0], points[:, 1] - middle_y], axis=-1)
    inside, around = (np.sum((off / size) ** 2, axis=-1) < 1 for size in (axes, canal))
    return inside & (below > 0), around & (below > 0)


def _length_mm(head: Head, steps: list[np.ndarray], weight: np.ndarray) -> float:
    """Length in the scan of the stretch of the course that `_WINDOW_MM` bounds."""
    along = (END_MM - TOP_MM) / (TOP_MM[2] - END_MM[2])  # for each mm down
    per_voxel = np.average(np.stack(steps, axis=-1), axis=0, weights=weight)
    in_scan = head.grid.affine[:3, :3] @ np.linalg.solve(per_voxel, along)
    return float(np.linalg.norm(in_scan)) * (_WINDOW_MM[1] - _WINDOW_MM[0])
