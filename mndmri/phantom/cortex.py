"""What makes real cortex harder than a simulated one: uneven darkness, blur, motion."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import ndimage

from mndmri.grids import voxel_sizes
from mndmri.phantom.damage import body_part
from mndmri.phantom.deformation import Head
from mndmri.phantom.head import BODY_PART_X_MM

# Relative loss of magnitude of the grey matter of each bank, in each body part: mean and SD over people and sides,
# drawn anew for every side. Set so that the contrasts of simulated controls at 1 x 1 x 3 mm vary as much as those of
# seven real people or more (their SDs are in tests/benchmark/banding.py).
BANKS = ("precentral_posterior", "precentral_anterior", "postcentral")
BANK_DARKNESS = {
    "leg": {"precentral_posterior": (0.05, 0.05), "precentral_anterior": (0.0, 0.045), "postcentral": (0.0, 0.045)},
    "hand": {"precentral_posterior": (0.08, 0.038), "precentral_anterior": (0.0, 0.038), "postcentral": (0.0, 0.038)},
    "face": {"precentral_posterior": (0.02, 0.032), "precentral_anterior": (0.0, 0.032), "postcentral": (0.0, 0.032)},
}
MYELIN_DARKNESS = 0.04  # of the deepest cortex against the most superficial, everywhere
# Smooth random darkness of grey matter: SD, and SD of the Gaussian kernel (mm) that sets how far it reaches.
PATCHES = ((0.035, 5.0), (0.05, 1.2))
BLUR_VOXELS = 0.4  # SD of the Gaussian that T2* decay makes of a point, in the plane
JERK_MM = 0.7  # SD of each shift of the head, in the plane, some time during the scan
_JERK_TIME = (0.55, 0.95)  # share of k-space filled before it: earlier, and the image itself would be displaced
_RNG_STREAM = 600


def uneven_darkness(head: Head, person: Mapping[str, Any]) -> np.ndarray:
    """Relative loss of magnitude of each voxel's grey matter, different in every person and side.

    Parameters
    ----------
    head : Head
        With the maps ``precentral``, ``postcentral``, ``posterior_bank`` and ``depth``.
    person : mapping
        A row of the cohort's plan; its ``seed`` decides the draw.

    Returns
    -------
    ndarray, shape (X, Y, Z)
        Negative where it is brighter than even cortex.
    """
    rng = np.random.default_rng([int(person["seed"]), _RNG_STREAM])
    maps = head.maps
    place = {
        "precentral_posterior": maps["precentral"] * maps["posterior_bank"],
        "precentral_anterior": maps["precentral"] * (1 - maps["posterior_bank"]),
        "postcentral": maps["postcentral"],
    }
    darkness = MYELIN_DARKNESS * (0.5 - np.clip(maps["depth"], 0, 1))
    for part in BODY_PART_X_MM:
        for hemi in "LR":
            here = body_part(head, part, hemi)
            for bank in BANKS:
                mean, sd = BANK_DARKNESS[part][bank]
                darkness = darkness + (mean + sd * rng.standard_normal()) * place[bank] * here
    sizes = voxel_sizes(head.grid)
    for sd, smooth_mm in PATCHES:
        field = ndimage.gaussian_filter(rng.standard_normal(darkness.shape, dtype=np.float32), smooth_mm / sizes)
        darkness = darkness + sd * field / field.std()
    return darkness


def spoil(signal: np.ndarray, sizes: np.ndarray, person: Mapping[str, Any]) -> np.ndarray:
    """Complex image, blurred in the plane and with the traces of a head that moved once during the scan.

    Parameters
    ----------
    signal : ndarray of complex, shape (X, Y, Z)
        Slices along the last axis, phase encoding along the second, its lines acquired in order.
    sizes : ndarray, shape (3,)
        Voxel sizes, mm.
    person : mapping
        A row of the cohort's plan; its ``scan_seed`` decides when and how far the head moves, in all echoes alike.

    Returns
    -------
    ndarray of complex, shape (X, Y, Z)
    """
    rng = np.random.default_rng([int(person["scan_seed"]), _RNG_STREAM, 1])
    moved_mm, time = JERK_MM * rng.standard_normal(2), rng.uniform(*_JERK_TIME)
    kx, ky = (np.fft.fftfreq(n)[:, None] for n in signal.shape[:2])
    ky = ky.T
    after = np.argsort(np.argsort(ky, axis=1), axis=1) >= time * ky.size
    ramp = np.exp(-2j * np.pi * (kx * moved_mm[0] / sizes[0] + ky * moved_mm[1] / sizes[1]))
    blur = np.exp(-2 * (np.pi * BLUR_VOXELS) ** 2 * (kx**2 + ky**2))
    passed = blur * np.where(after, ramp, 1)
    return np.fft.ifft2(np.fft.fft2(signal, axes=(0, 1)) * passed[..., None], axes=(0, 1)).astype(np.complex64)
