"""Visits of a simulated head: moved, and with less grey matter in the left precentral gyrus."""

import nibabel as nb
import numpy as np
import pandas as pd
from scipy import ndimage

from mndmri.anatomy.midway import Midway, Visit
from mndmri.anatomy.volumes import VOLUME_REGIONS
from mndmri.grids import make_image, voxel_sizes, world_coordinates
from mndmri.phantom.damage import _thin
from mndmri.registration.register import Warp
from mndmri.registration.transforms import compose
from tests.unit.anatomy.heads import head_pose, scan_head

SIDES = {"L": -1, "R": 1}


def region_map(grid: nb.Nifti1Image, region: str, hemi: str) -> np.ndarray:
    """A box of the shared head on one side, bool: the precentral one before the postcentral one; others are empty."""
    x, y, z = np.moveaxis(world_coordinates(grid), -1, 0)
    low, high = {"precentral": (-25, 10), "postcentral": (-60, -25)}.get(region, (0, 0))
    return (SIDES[hemi] * x > 4) & (y > low) & (y < high) & (z > 20)


def thinned(tissues: dict, loss: dict[str, float]) -> dict:
    """Head whose precentral cortex has lost a share of its volume from the surface, by side."""
    grey = np.asarray(tissues["grey"].dataobj)
    sizes = voxel_sizes(tissues["grey"])
    from_white, from_fluid = (
        ndimage.distance_transform_edt(np.asarray(tissues[name].dataobj) < 0.5, sizes) for name in ("white", "csf")
    )
    depth = from_white / np.maximum(from_white + from_fluid, 1e-6)
    left = grey
    for hemi, share in loss.items():
        left = _thin(left, region_map(tissues["grey"], "precentral", hemi).astype(np.float32), depth, share)
    fluid = np.asarray(tissues["csf"].dataobj) + grey - left
    return tissues | {"grey": make_image(left, tissues["grey"]), "csf": make_image(fluid, tissues["csf"])}


def visit(tissues: dict, **scan) -> Visit:
    """One visit of a head, as `tests.unit.anatomy.heads.scan_head` scans it."""
    image, mask, _ = scan_head(tissues, **{"bias": 0.0} | scan)
    return Visit(image, mask, make_image(np.ones(image.shape, np.uint8), image))


def atlas_on(grid: nb.Nifti1Image) -> tuple[nb.Nifti1Image, pd.DataFrame]:
    """Boxes about the gyri, on the shared head's grid."""
    names = [(region, hemi) for region in VOLUME_REGIONS for hemi in SIDES]
    table = pd.DataFrame([(n, *name) for n, name in enumerate(names)], columns=["index", "region", "hemi"])
    return make_image(np.stack([region_map(grid, *name) for name in names], axis=-1).astype(np.float32), grid), table


def to_shared_head(midway: Midway, session: str, head: nb.Nifti1Image, turn_deg=(0, 0, 0)) -> Warp:
    """The true way from the midway space to the shared head, by a visit whose pose is known."""
    way = head_pose(turn_deg) @ midway.poses[session]
    return Warp(moving_to_fixed=compose([np.linalg.inv(way)], head), fixed_to_moving=compose([way], midway.mask))
