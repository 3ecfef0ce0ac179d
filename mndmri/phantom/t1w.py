"""T1-weighted scan of a simulated head."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image, world_coordinates
from mndmri.phantom.deformation import add_rician_noise, store
from mndmri.phantom.head import Anatomy
from mndmri.phantom.neck import add_neck
from mndmri.phantom.plan import complete
from mndmri.phantom.scanning import FieldOfView, place_person
from mndmri.phantom.truth import true_area, true_volumes

# MPRAGE-like, relative to white matter
INTENSITY = {"grey": 0.70, "white": 1.0, "csf": 0.25, "bone": 0.10, "fat": 1.25, "soft": 0.55}
WHITE_SIGNAL = 400.0  # scanner units

_VIEW = FieldOfView(
    (200.0, 248.0, 240.0), (0.0, -10.0, -10.0), ("precentral", "postcentral", "superior_frontal", "depth")
)
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
        ``image`` in float32 with a bias field and Rician noise; ``brain_mask``, 1 where grey, white
        and fluid fill more than half a voxel; ``truth``, true volumes in ml and area of the cord in mm2.
    """
    settings = complete(simulation)
    own = settings["t1w"]
    head, centre = place_person(anatomy, person, settings, "t1w", _VIEW)

    rng = np.random.default_rng([int(person["scan_seed"]), _RNG_STREAM])
    signal = np.asarray(sum(intensity * head.maps[tissue] for tissue, intensity in INTENSITY.items()))
    signal, area = add_neck(signal, head, person["cord_loss"], INTENSITY)
    signal = WHITE_SIGNAL * signal * shading(head.grid, centre, own["bias"], rng)
    image = add_rician_noise(signal, WHITE_SIGNAL * settings["noise"]["t1w"], rng)
    brain = head.maps["grey"] + head.maps["white"] + head.maps["csf"] > 0.5
    return T1wScan(
        store(make_image(image, head.grid), own["storage"]),
        {"Modality": "MR", "MagneticFieldStrength": 3.0, "EchoTime": 0.003, "RepetitionTime": 2.3},
        store(make_image(brain, head.grid), own["storage"]),
        pd.concat([true_volumes(head), true_area(area)], ignore_index=True),
    )


def shading(grid: SpatialImage, centre: np.ndarray, peak: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth receive field: 1 in the middle, within about 1 +- ``peak`` in the head."""
    place = (world_coordinates(grid) - centre) / 100.0
    slope, bend = rng.uniform(-1, 1, 3), rng.uniform(0, 1, 3)
    field = (place @ slope) / 2 - (place**2 @ bend) / 2
    return np.exp(peak * field).astype(np.float32)
