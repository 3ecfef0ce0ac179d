"""Quantitative maps and contrasts of a simulated head: magnetisation transfer, FLAIR, perfusion."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image
from mndmri.phantom.deformation import Head, add_rician_noise, store
from mndmri.phantom.head import Anatomy
from mndmri.phantom.plan import MAP_EFFECTS, complete
from mndmri.phantom.scanning import FieldOfView, place_person
from mndmri.phantom.t1w import shading
from mndmri.phantom.truth import tract_levels, true_map

# Round values of adults at 3 T: magnetisation transfer ratio, %, which differs from sequence to sequence; signal
# relative to grey matter, fluid nulled; blood flow, ml/100 g/min (grey matter 40 to 100: Alsop et al. 2015, Magn Reson
# Med 73:102).
VALUES = {
    "mtr": {"grey": 32.0, "white": 42.0, "csf": 2.0},
    "flair": {"grey": 1.0, "white": 0.8, "csf": 0.15, "bone": 0.1, "fat": 1.2, "soft": 0.5},
    "cbf": {"grey": 60.0, "white": 20.0, "csf": 0.0},
}
_FLAIR_SIGNAL = 300.0  # of grey matter, scanner units
_VIEW = FieldOfView((184.0, 224.0, 192.0), (0.0, -18.0, 4.0), ("cst", "precentral", "postcentral", "pallidum", "depth"))
_RNG_STREAM = 500


class MapScan(NamedTuple):
    """A map or contrast, and what is true of it."""

    image: SpatialImage
    truth: pd.DataFrame


def simulate_map(anatomy: Anatomy, person: Mapping[str, Any], simulation: Mapping[str, Any], name: str) -> MapScan:
    """A map or contrast of one person.

    Parameters
    ----------
    anatomy : Anatomy
    person : mapping
        A row of the cohort's plan.
    simulation : mapping
        The config's block ``simulation``.
    name : {'mtr', 'flair', 'cbf'}

    Returns
    -------
    MapScan
        ``image``, float32: MTR in % and blood flow in ml/100 g/min, with Gaussian noise, 0 outside the brain; FLAIR of
        the whole head with a bias field and Rician noise. ``truth`` as from `mndmri.phantom.truth.true_map`.
    """
    settings = complete(simulation)
    own = settings[name]
    head, centre = place_person(anatomy, person, settings, name, _VIEW)
    rng = np.random.default_rng([int(person["scan_seed"]), _RNG_STREAM + list(MAP_EFFECTS).index(name)])
    values = _values(head, person, name)
    truth, sd = true_map(head, values, name), settings["noise"][name] * VALUES[name]["white"]
    if name == "flair":
        signal = _FLAIR_SIGNAL * values * shading(head.grid, centre, own["bias"], rng)
        image = add_rician_noise(signal, _FLAIR_SIGNAL * sd, rng)
    else:
        in_brain = head.maps["grey"] + head.maps["white"] + head.maps["csf"] > 0.5
        image = (values + sd * rng.standard_normal(values.shape, dtype=np.float32)) * in_brain
    return MapScan(store(make_image(image.astype(np.float32), head.grid), own["storage"]), truth)


def _values(head: Head, person: Mapping[str, Any], name: str) -> np.ndarray:
    """The map without noise: each tissue with its own value, but where the person has an effect."""
    if name == "cbf":
        tissue, places = "grey", {hemi: head.maps["precentral"] * head.side(hemi) for hemi in "LR"}
    else:
        # where the tract is more likely than not, all of the white matter is changed
        tissue, region = "white", {"mtr": "cst", "flair": "cst_plic"}[name]
        places = {hemi: np.clip(2 * tract_levels(head)[region, hemi], 0, 1) for hemi in "LR"}
    sign = 1 if name == "flair" else -1
    change = sum(sign * person[f"{MAP_EFFECTS[name]}_{hemi}"] * place for hemi, place in places.items())
    signals = {own: value * head.maps[own] for own, value in VALUES[name].items()}
    return np.asarray(sum(signals.values()) + signals[tissue] * change)
