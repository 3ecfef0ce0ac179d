"""T1-weighted scan of a simulated head."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image, world_coordinates
from mndmri.phantom.damage import lose_grey
from mndmri.phantom.deformation import (
    add_rician_noise,
    head_map,
    sample_head,
    scan_centre,
    scan_grid,
    store,
)
from mndmri.phantom.head import TISSUES, Anatomy
from mndmri.phantom.plan import complete
from mndmri.phantom.truth import true_volumes

# MPRAGE-like, relative to white matter
INTENSITY = {"grey": 0.70, "white": 1.0, "csf": 0.25, "bone": 0.10, "fat": 1.25, "soft": 0.55}
WHITE_SIGNAL = 400.0  # scanner units

_FIELD_OF_VIEW_MM = (200.0, 248.0, 240.0)
_MIDDLE_MM = (0.0, -10.0, -10.0)  # of the field of view, in the shared head
_REGIONS = ("precentral", "postcentral", "superior_frontal", "depth")
_RNG_STREAM = 200


class T1wScan(NamedTuple):
    """T1-weighted image, its BIDS sidecar, and what is true of it."""

    image: SpatialImage
    sidecar: dict[str, Any]
    brain_mask: SpatialImage
    truth: pd.DataFrame


def simulate_t1w(anatomy: Anatomy, person: Mapping[str, Any], simulation: Mapping[str, Any]) -> T1wScan:
    """T1-weighted scan of one person.

    Parameters
    ----------
    anatomy : Anatomy
    person : mapping
        A row of the cohort's plan.
    simulation : mapping
        The config's block ``simulation``.

    Returns
    -------
    T1wScan
        ``image`` in float32 with shading and Rician noise; ``brain_mask``, 1 where grey, white
        and fluid fill more than half a voxel; ``truth``, true volumes in ml.
    """
    settings = complete(simulation)
    own = settings["t1w"]
    centre = scan_centre(person, settings, "t1w", _MIDDLE_MM)
    grid = scan_grid(centre, _FIELD_OF_VIEW_MM, own["voxel_mm"], tilt_deg=own["tilt_deg"])
    to_shared = head_map(person, settings, "t1w")
    head = lose_grey(sample_head(anatomy, to_shared, grid, (*TISSUES, *_REGIONS)), person)

    rng = np.random.default_rng([int(person["seed"]), _RNG_STREAM])
    signal = sum(intensity * head.maps[tissue] for tissue, intensity in INTENSITY.items())
    signal = WHITE_SIGNAL * signal * _shading(grid, centre, own["bias"], rng)
    image = add_rician_noise(signal, WHITE_SIGNAL * settings["noise"]["t1w"], rng)
    brain = head.maps["grey"] + head.maps["white"] + head.maps["csf"] > 0.5
    return T1wScan(
        store(make_image(image, grid), own["storage"]),
        {"Modality": "MR", "MagneticFieldStrength": 3.0, "EchoTime": 0.003, "RepetitionTime": 2.3},
        store(make_image(brain, grid), own["storage"]),
        true_volumes(head),
    )


def _shading(grid: SpatialImage, centre: np.ndarray, peak: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth receive field: 1 in the middle, within about 1 +- ``peak`` in the head."""
    place = (world_coordinates(grid) - centre) / 100.0
    slope, bend = rng.uniform(-1, 1, 3), rng.uniform(0, 1, 3)
    field = (place @ slope) / 2 - (place**2 @ bend) / 2
    return np.exp(peak * field).astype(np.float32)
