"""Veins of the simulated heads."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import ndimage

from mndmri.grids import voxel_sizes
from mndmri.phantom.deformation import Head

# The tree that all people share, and the range that a person's own is drawn from: radius of the tubes, and SD of the
# kernel that smooths the random fields, which sets how far apart they run (mm).
RADIUS_MM, SPACING_MM = 1.2, 6.0
_OWN_RADIUS_MM, _OWN_SPACING_MM = (0.5, 1.2), (5.0, 8.0)
_RNG_STREAM = 500


def grow_veins(
    tissues: Mapping[str, np.ndarray],
    sizes: np.ndarray,
    rng: np.random.Generator,
    *,
    radius_mm: float = RADIUS_MM,
    spacing_mm: float = SPACING_MM,
) -> np.ndarray:
    """Tubes in the fluid of the sulci: where two smooth random fields are both zero.

    Parameters
    ----------
    tissues : mapping
        Fractions of ``grey``, ``white`` and ``csf``, shape (X, Y, Z).
    sizes : ndarray, shape (3,)
        Voxel sizes, mm.
    rng : Generator
    radius_mm : float
        Of the tubes.
    spacing_mm : float
        SD of the fields' smoothing; the number of tubes falls with its square.

    Returns
    -------
    ndarray, shape (X, Y, Z)
        Fraction of vein, 0 to 1.
    """
    squared = np.zeros(tissues["csf"].shape, np.float32)
    for _ in range(2):
        field = ndimage.gaussian_filter(rng.standard_normal(squared.shape, dtype=np.float32), spacing_mm / sizes)
        slope = np.sqrt(sum(g**2 for g in np.gradient(field, *sizes)))
        squared += (field / np.maximum(slope, 1e-9)) ** 2  # distance to the zero surface, to first order
    tube = np.clip(radius_mm + 0.5 - np.sqrt(squared), 0, 1)
    near_cortex = ndimage.gaussian_filter(tissues["grey"], 2.0 / sizes) > 0.15
    return tube * near_cortex * np.clip(1 - tissues["white"] / 0.2, 0, 1) * (tissues["csf"] > 0.15)


def own_veins(head: Head, person: Mapping[str, Any]) -> Head:
    """Head with individual veins, which differ from others in position, number and width.

    Parameters
    ----------
    head : Head
        With the maps ``grey``, ``white`` and ``csf``.
    person : mapping
        A row of the cohort's plan.
    """
    rng = np.random.default_rng([int(person["seed"]), _RNG_STREAM])
    radius, spacing = rng.uniform(*_OWN_RADIUS_MM), rng.uniform(*_OWN_SPACING_MM)
    vein = grow_veins(head.maps, voxel_sizes(head.grid), rng, radius_mm=radius, spacing_mm=spacing)
    return head._replace(maps=head.maps | {"vein": vein})
