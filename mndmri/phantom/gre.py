"""Gradient-echo scan of a simulated head: susceptibility, field, magnitude and phase."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.gradient_echo.dipole import GYROMAGNETIC_RATIO_HZ, dipole_field
from mndmri.grids import make_image, voxel_sizes, world_coordinates
from mndmri.phantom.cortex import spoil, uneven_darkness
from mndmri.phantom.damage import deep_effect
from mndmri.phantom.deformation import Head, head_map, store
from mndmri.phantom.head import REGIONS, TISSUES, Anatomy
from mndmri.phantom.plan import DECOY_EFFECTS, complete
from mndmri.phantom.scanning import FieldOfView, place_person
from mndmri.phantom.susceptibility import field_error, uniform_susceptibility, varied_susceptibility
from mndmri.phantom.truth import true_hypointensity
from mndmri.phantom.veins import own_veins

DENSITY = {"grey": 0.82, "white": 0.72, "csf": 1.0, "bone": 0.05, "fat": 0.8, "soft": 0.7}
# at 3 T (ms)
T2_STAR_MS = {"grey": 55.0, "white": 50.0, "csf": 400.0, "bone": 5.0, "fat": 40.0, "soft": 30.0}
T2_STAR_VEIN_MS, T2_STAR_PALLIDUM_MS = 8.0, 25.0
WHITE_SIGNAL = 500.0  # scanner units, at the last echo

# a slab from the vertex to below the basal ganglia, as such scans are often taken
VIEW = FieldOfView(
    (172.0, 212.0, 128.0),
    (0.0, -18.0, 22.0),
    tuple(region for region in REGIONS if region != "callosum"),
)
SINUS_MM = np.array([0.0, 70.0, -30.0])
_SINUS_RADIUS_MM = 15.0
_RNG_STREAM = 400


class GreScan(NamedTuple):
    """Magnitude and phase of each echo, and what is true of them."""

    magnitude: list[SpatialImage]
    phase: list[SpatialImage]
    """Wrapped, radians, -pi to pi; positive where the field is stronger."""
    sidecars: list[dict[str, Any]]
    """For each echo; magnitude and phase share it but for the unit of the phase, radians."""
    susceptibility: SpatialImage
    """True map, ppm."""
    truth: pd.DataFrame


def background_field(grid: SpatialImage, centre: np.ndarray, sinus: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Harmonic field of sources outside the brain: what the shim left, and air in the sinuses.

    Parameters
    ----------
    grid : SpatialImage
    centre, sinus : ndarray, shape (3,)
        Middle of the field of view, and of the sinus, in world coordinates, mm.
    rng : Generator
        Of the shim.

    Returns
    -------
    ndarray, shape (X, Y, Z)
        For a scale of 1 ppm; not harmonic within the sinus.
    """
    points = world_coordinates(grid)
    x, y, z = np.moveaxis((points - centre) / 100.0, -1, 0)
    solid = (x, y, z, z**2 - (x**2 + y**2) / 2, x * z, y * z, x**2 - y**2)
    shim = sum(w * s for w, s in zip(rng.uniform(-1, 1, len(solid)), solid, strict=True))
    away = points - sinus
    distance = np.maximum(np.linalg.norm(away, axis=-1), _SINUS_RADIUS_MM)
    # outside a sphere the field is a dipole's
    air = -10.0 * (_SINUS_RADIUS_MM / distance) ** 3 * (3 * (away[..., 2] / distance) ** 2 - 1)
    return shim + air


def _magnitude(head: Head, person: Mapping[str, Any], echo_ms: float, darkness: np.ndarray | float) -> np.ndarray:
    """Noise-free magnitude, arbitrary units, shape (X, Y, Z); ``darkness`` is the share that grey matter lacks."""
    maps = head.maps
    signal = np.zeros(head.grid.shape[:3], np.float32)
    for tissue in TISSUES:
        part = DENSITY[tissue] * np.exp(-echo_ms / T2_STAR_MS[tissue]) * maps[tissue]
        if tissue == "grey":
            part = part * (1 - darkness)
            for effect in ("band_darkening", *DECOY_EFFECTS):
                part = part * (1 - deep_effect(head, person, effect))
        if tissue in ("grey", "white"):
            iron = np.exp(-echo_ms * (1 / T2_STAR_PALLIDUM_MS - 1 / T2_STAR_MS[tissue]))
            part = part * (1 - maps["pallidum"] * (1 - iron))
        signal += part
    return signal * (1 - maps["vein"]) + maps["vein"] * DENSITY["csf"] * np.exp(-echo_ms / T2_STAR_VEIN_MS)


def simulate_gre(
    anatomy: Anatomy, person: Mapping[str, Any], simulation: Mapping[str, Any], *, view: FieldOfView = VIEW
) -> GreScan:
    """Gradient-echo scan of one person.

    Parameters
    ----------
    anatomy : Anatomy
    person : mapping
        A row of the cohort's plan.
    simulation : mapping
        The config's block ``simulation``.
    view : FieldOfView
        What the scan covers.

    Returns
    -------
    GreScan
        The phase is ``2 pi gamma B0 TE`` times the field offset, wrapped. ``truth`` holds the
        normalised hypointensity of the noise-free magnitude at the last echo.
    """
    settings = complete(simulation)
    own = settings["gre"]
    head, centre = place_person(anatomy, person, settings, "gre", view)
    hard = own["difficulty"] == "hard"
    if own["own_veins"] or hard:
        head = own_veins(head, person)
    darkness = uneven_darkness(head, person) if hard else 0.0
    grid = head.grid

    rng = np.random.default_rng([int(person["scan_seed"]), _RNG_STREAM])
    voxel = voxel_sizes(grid)
    b0_axis = (grid.affine[:3, :3] / voxel).T @ np.array([0.0, 0.0, 1.0])  # the scanner's field is world z
    chi = (varied_susceptibility if own["varied_susceptibility"] else uniform_susceptibility)(head, person)
    to_world = np.linalg.inv(head_map(person, settings, "gre").world_to_head)
    background = background_field(grid, centre, nb.affines.apply_affine(to_world, SINUS_MM), rng)
    field = dipole_field(chi, voxel, b0_axis) + own["background_ppm"] * background
    if own["field_error_ppm"] > 0:
        field += field_error(head, person, own["field_error_ppm"])

    echoes = own["echo_times_ms"]
    last = _magnitude(head, person, echoes[-1], darkness)
    scale = WHITE_SIGNAL / (DENSITY["white"] * np.exp(-echoes[-1] / T2_STAR_MS["white"]))
    magnitudes, phases, sidecars = [], [], []
    for echo_ms in echoes:
        radians = 2 * np.pi * GYROMAGNETIC_RATIO_HZ * own["field_strength_T"] * echo_ms * 1e-3 * field * 1e-6
        noise = rng.standard_normal((2, *field.shape), dtype=np.float32) * settings["noise"]["gre"] * WHITE_SIGNAL
        signal = scale * _magnitude(head, person, echo_ms, darkness) * np.exp(1j * radians)
        signal = (spoil(signal, voxel, person) if hard else signal) + noise[0] + 1j * noise[1]
        magnitudes.append(_stored(np.abs(signal), grid, own["storage"]))
        phases.append(_stored(np.angle(signal), grid, own["storage"]))
        sidecars.append(
            {
                "Modality": "MR",
                "MagneticFieldStrength": float(own["field_strength_T"]),
                "EchoTime": echo_ms * 1e-3,
                "RepetitionTime": 0.03,
            }
        )
    return GreScan(magnitudes, phases, sidecars, _stored(chi, grid, own["storage"]), true_hypointensity(head, last))


def _stored(values: np.ndarray, grid: SpatialImage, storage: str) -> SpatialImage:
    return store(make_image(values.astype(np.float32), grid), storage)
