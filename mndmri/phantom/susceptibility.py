"""Susceptibility of a simulated head, and what its field holds that no susceptibility explains."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import ndimage

from mndmri.grids import voxel_sizes
from mndmri.phantom.damage import DEEP, deep_effect
from mndmri.phantom.deformation import Head

# Relative to fluid (ppm); vein and pallidum after Liu et al. 2015, NMR Biomed 28:1255.
SUSCEPTIBILITY_PPM = {"grey": 0.02, "white": -0.03, "pallidum": 0.12, "vein": 0.30}

# Nuclei besides the pallidum, in both halves: middle and semi-axes in the shared head (mm), ppm relative to fluid
# (after Liu et al. 2015).
NUCLEI = {
    "caudate": ((12.5, 13.0, 9.0), (3.8, 9.0, 7.5), 0.06),
    "putamen": ((26.5, 4.0, 2.0), (4.0, 13.0, 8.0), 0.07),
    "thalamus": ((11.0, -19.0, 8.0), (7.5, 11.0, 7.0), 0.01),
    "red_nucleus": ((5.0, -21.0, -9.0), (3.0, 3.0, 4.0), 0.10),
    "substantia_nigra": ((10.5, -16.5, -12.0), (2.5, 6.0, 4.0), 0.13),
    "dentate": ((15.0, -57.0, -34.0), (5.5, 5.0, 5.5), 0.10),
}
_NUCLEUS_EDGE_MM = 1.0

# What differs from place to place: SD (ppm) and SD of the smoothing kernel (mm). White matter by myelin and fibres,
# cortex by area and layer, all tissue from voxel to voxel; veins by oxygen (share of their susceptibility).
_WHITE, _GREY, _FINE = (0.014, 5.0), (0.014, 5.0), (0.012, 1.0)
_CONTRAST = 1.3  # of grey and white matter, against the uniform head
_VEIN_SHARE, _VEIN_MM = 0.25, 10.0
_DEEP_MYELIN_PPM = -0.010  # deep layers of all cortex
_MOTOR_IRON_PPM = 0.020  # deep layers of everybody's primary motor cortex, on both sides

# Parts of the field's error: SD of the smoothing kernel (mm; 0 is white), and mean share of the variance, of 17.
# Thermal and physiological noise; flow and motion; what the fibres' structure adds in white matter; background left at
# the edge, falling over 4 mm. With 6 ppb in all, methods compare as on a real head of 1.06 mm: error of the map 87 % by
# total variation of a small weight, 80 % in closed form, 65 % at the best weight (real: 106, 85 and 68 %).
ERROR_PARTS = {"white": (0.0, 8.0), "fine": (1.0, 4.0), "coarse": (4.0, 1.0), "fibres": (5.0, 1.0), "edge": (2.0, 3.0)}
_EDGE_FALL_MM = 4.0
_ERROR_STREAM, _TISSUE_STREAM = 700, 600


def smooth_noise(shape: tuple[int, ...], sizes: np.ndarray, width_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of unit SD, smoothed by a kernel of SD ``width_mm``; float32."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    if width_mm > 0:
        noise = ndimage.gaussian_filter(noise, width_mm / sizes, mode="wrap", truncate=3.0)
    return noise / noise.std()


def uniform_susceptibility(head: Head, person: Mapping[str, Any]) -> np.ndarray:
    """True susceptibility of a head in which each tissue has one value, ppm, shape (X, Y, Z)."""
    maps = head.maps
    grey, white = (np.full(maps[t].shape, SUSCEPTIBILITY_PPM[t], np.float32) for t in ("grey", "white"))
    return _compose(head, person, grey, white, SUSCEPTIBILITY_PPM["vein"])


def varied_susceptibility(head: Head, person: Mapping[str, Any]) -> np.ndarray:
    """True susceptibility of a head as uneven as a real one, ppm, shape (X, Y, Z).

    Six more nuclei; white matter that differs by place, cortex by area and layer with a primary motor cortex rich in
    iron, veins by their oxygen.

    Parameters
    ----------
    head : Head
        With the maps of `mndmri.phantom.gre.VIEW`.
    person : mapping
        A row of the cohort's plan.
    """
    maps, sizes = head.maps, voxel_sizes(head.grid)
    rng = np.random.default_rng([int(person["seed"]), _TISSUE_STREAM])
    white, grey, fine = (sd * smooth_noise(maps["grey"].shape, sizes, mm, rng) for sd, mm in (_WHITE, _GREY, _FINE))
    deep = maps["depth"] < DEEP
    motor = maps["precentral"] * maps["posterior_bank"]
    grey = _CONTRAST * SUSCEPTIBILITY_PPM["grey"] + grey + fine + deep * (_DEEP_MYELIN_PPM + _MOTOR_IRON_PPM * motor)
    white = _CONTRAST * SUSCEPTIBILITY_PPM["white"] + white + fine
    for middle, semi_axes, ppm in NUCLEI.values():
        inside = nucleus(head, middle, semi_axes)
        value = ppm * (1 + 0.1 * rng.standard_normal()) + fine
        grey, white = (tissue + inside * (value - tissue) for tissue in (grey, white))
    oxygen = np.clip(1 + _VEIN_SHARE * smooth_noise(maps["grey"].shape, sizes, _VEIN_MM, rng), 0.2, 2)
    return _compose(head, person, grey, white, SUSCEPTIBILITY_PPM["vein"] * oxygen)


def nucleus(head: Head, middle: tuple[float, ...], semi_axes: tuple[float, ...]) -> np.ndarray:
    """Share of each voxel within an ellipsoid of the shared head and its mirror image, 0 to 1."""
    away = np.stack([np.abs(head.place[..., 0]), *np.moveaxis(head.place[..., 1:], -1, 0)], axis=-1) - np.array(middle)
    outward = (np.linalg.norm(away / np.array(semi_axes), axis=-1) - 1) * min(semi_axes)
    return np.clip(0.5 - outward / _NUCLEUS_EDGE_MM, 0, 1).astype(np.float32)


def _compose(
    head: Head, person: Mapping[str, Any], grey: np.ndarray, white: np.ndarray, vein: np.ndarray | float
) -> np.ndarray:
    """Susceptibility from that of each tissue."""
    maps = head.maps
    tissue = grey * maps["grey"] + white * maps["white"]
    iron = SUSCEPTIBILITY_PPM["pallidum"] * maps["pallidum"] * (maps["grey"] + maps["white"])
    chi = tissue * (1 - maps["pallidum"]) + iron
    chi = chi * (1 - maps["vein"]) + vein * maps["vein"]
    return chi + maps["grey"] * deep_effect(head, person, "band_ppm")


def field_error(head: Head, person: Mapping[str, Any], ppm: float) -> np.ndarray:
    """Field in the brain that no susceptibility makes, ppm, shape (X, Y, Z).

    Parameters
    ----------
    head : Head
        With the maps ``grey``, ``white`` and ``csf``.
    person : mapping
        Its seed decides the shares of `ERROR_PARTS`, which differ from person to person.
    ppm : float
        SD over the brain.
    """
    maps, sizes = head.maps, voxel_sizes(head.grid)
    rng = np.random.default_rng([int(person["seed"]), _ERROR_STREAM])
    brain = maps["grey"] + maps["white"] + maps["csf"] > 0.5
    shares = rng.dirichlet([share for _, share in ERROR_PARTS.values()])
    depth = ndimage.distance_transform_edt(brain, sampling=sizes)
    where = {"fibres": maps["white"], "edge": np.exp(-depth / _EDGE_FALL_MM)}
    error = np.zeros(brain.shape, np.float32)
    for share, (name, (width, _)) in zip(shares, ERROR_PARTS.items(), strict=True):
        part = smooth_noise(brain.shape, sizes, width, rng) * where.get(name, 1)
        error += np.sqrt(share) * part / part[brain].std()
    return error * (ppm / error[brain].std())
