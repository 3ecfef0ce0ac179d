"""What is planted in a person's head: lost grey matter, lost anisotropy, the motor band and what resembles it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mndmri.phantom.deformation import Head
from mndmri.phantom.head import BODY_PART_X_MM

DEEP = 0.5  # of the way from white matter to fluid, the deep half
_EDGE = 0.1  # of that way, over which thinned cortex goes over into fluid


def lose_grey(head: Head, person: Mapping[str, Any]) -> Head:
    """Head in which grey matter is replaced by fluid: slightly everywhere, more in the precentral gyrus.

    The cortex thins from its outer surface, as it does in life: what is left keeps its signal.

    Parameters
    ----------
    head : Head
        With the maps ``grey``, ``csf``, ``precentral`` and ``depth``.
    person : mapping
        ``grey_loss`` and ``precentral_volume_loss_{L,R}``, relative losses of volume.
    """
    grey = _thin(head.maps["grey"], np.ones_like(head.maps["grey"]), head.maps["depth"], person["grey_loss"])
    for hemi in "LR":
        gyrus = head.maps["precentral"] * head.side(hemi)
        grey = _thin(grey, gyrus, head.maps["depth"], person[f"precentral_volume_loss_{hemi}"])
    csf = head.maps["csf"] + head.maps["grey"] - grey
    return head._replace(maps=head.maps | {"grey": grey, "csf": csf})


def _thin(grey: np.ndarray, region: np.ndarray, depth: np.ndarray, loss: float) -> np.ndarray:
    """Grey matter of which a region has lost a share of its volume, the most superficial first."""
    if loss == 0:
        return grey
    there = (grey > 0) & (region > 0)
    share, place = region[there], depth[there]
    amount = grey[there] * share
    low, high = -_EDGE, 1 + _EDGE
    for _ in range(20):  # bisection: the depth beyond which there is that much
        middle = (low + high) / 2
        lost = (share * amount * _beyond(place, middle)).sum() / amount.sum()
        low, high = (middle, high) if lost > loss else (low, middle)
    thinner = grey.copy()
    thinner[there] -= amount * _beyond(place, middle)
    return thinner


def _beyond(depth: np.ndarray, limit: float) -> np.ndarray:
    """0 below a depth, 1 beyond it, rising over `_EDGE`."""
    return np.clip((depth - limit) / _EDGE + 0.5, 0, 1)


def loss_profile(position: np.ndarray, profile: Mapping[str, float]) -> np.ndarray:
    """Share of a tract's peak loss at each position, 0 (pons) to 1 (cortex) along its length."""
    bell = np.exp(-0.5 * ((position - profile["centre"]) / profile["width"]) ** 2)
    return profile["floor"] + (1 - profile["floor"]) * bell


def tract_loss(
    head: Head, centreline: pd.DataFrame, person: Mapping[str, Any], profile: Mapping[str, float]
) -> np.ndarray:
    """Relative loss of the tract's anisotropy in each voxel, 0 to 1, whether or not the tract is there."""
    loss = np.zeros(head.grid.shape[:3])
    for hemi in "LR":
        line = centreline[centreline["hemi"] == hemi]
        position = np.interp(head.place[..., 2], line["z"], line["position"])
        loss += person[f"cst_fa_loss_{hemi}"] * loss_profile(position, profile) * head.side(hemi)
    return loss


def body_part(head: Head, part: str, hemi: str) -> np.ndarray:
    """Voxels of one side at the distance from the midline that a body part has, boolean."""
    low, high = BODY_PART_X_MM[part]
    across = np.abs(head.place[..., 0])
    return head.side(hemi) & (across >= low) & (across < high)


def deep_effect(head: Head, person: Mapping[str, Any], effect: str) -> np.ndarray:
    """An effect on the deep layers of a bank or gyrus, in each voxel's grey matter.

    Parameters
    ----------
    head : Head
        With the maps ``precentral``, ``postcentral``, ``posterior_bank`` and ``depth``.
    person : mapping
    effect : {'band_ppm', 'band_darkening', 'anterior_darkening', 'postcentral_darkening'}
        The first two are the motor band's and lie on the precentral gyrus's posterior bank.

    Returns
    -------
    ndarray, shape (X, Y, Z)
        In the unit of the effect, to be weighted by the fraction of grey matter.
    """
    if effect == "postcentral_darkening":
        place = head.maps["postcentral"]
    else:
        posterior = head.maps["posterior_bank"]
        place = head.maps["precentral"] * (1 - posterior if effect == "anterior_darkening" else posterior)
    amount = sum(
        person[f"{effect}_{part}_{hemi}"] * body_part(head, part, hemi) for part in BODY_PART_X_MM for hemi in "LR"
    )
    return place * (head.maps["depth"] < DEEP) * amount
