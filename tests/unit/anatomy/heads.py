"""Simulated heads whose brain is known: the shared head of the simulation, turned, shaded and scanned."""

import nibabel as nb
import numpy as np
from scipy.spatial.transform import Rotation

from mndmri.grids import make_image, resampled_grid, world_coordinates
from mndmri.phantom.anatomy import _head_grid, _load_icbm, build_tissues
from mndmri.phantom.deformation import HEAD_CENTRE_MM
from mndmri.phantom.t1w import INTENSITY
from mndmri.registration.transforms import resample

# T1-weighted at 7 T: grey matter and fluid closer to white, fat brighter
FLAT_CONTRAST = INTENSITY | {"grey": 0.80, "csf": 0.40, "fat": 1.6}


def build_head(voxel_mm: float) -> dict[str, nb.Nifti1Image]:
    """Tissues of the shared head, fractions 0 to 1."""
    grid = _head_grid(voxel_mm)
    grey, white = (np.asarray(resample(_load_icbm(kind), grid).dataobj) / 255 for kind in ("gm", "wm"))
    tissues = build_tissues(grey, white, world_coordinates(grid).astype(np.float32))
    return {name: make_image(data.astype(np.float32), grid) for name, data in tissues.items()}


def head_pose(turn_deg=(0, 0, 0), size=(1, 1, 1)):
    """Matrix from the scan of a turned and stretched head to the shared head."""
    pose = np.eye(4)
    pose[:3, :3] = np.diag(1 / np.array(size)) @ Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    pose[:3, 3] = HEAD_CENTRE_MM - pose[:3, :3] @ HEAD_CENTRE_MM
    return pose


def scan_head(
    tissues, *, voxel_mm=2.0, turn_deg=(0, 0, 0), size=(1, 1, 1), bias=0.2, noise=0.02, contrast=INTENSITY, seed=3
):
    """T1-weighted scan of a turned and stretched head, its brain mask, and its grey and white matter."""
    grid = resampled_grid(tissues["grey"], voxel_mm)
    pose = head_pose(turn_deg, size)
    maps = {name: np.asarray(resample(part, grid, [pose]).dataobj) for name, part in tissues.items()}
    place = (world_coordinates(grid) - HEAD_CENTRE_MM) / 100
    shading = np.exp(bias * (place @ [0.6, -0.8, 0.9] - (place**2).sum(axis=-1)))
    rng = np.random.default_rng(seed)
    signal = 400 * shading * sum(contrast[name] * part for name, part in maps.items())
    signal = np.hypot(
        signal + 400 * noise * rng.standard_normal(grid.shape), 400 * noise * rng.standard_normal(grid.shape)
    )
    matter = maps["grey"] + maps["white"]
    image = make_image(signal.astype(np.float32), grid)
    return image, make_image(matter + maps["csf"] > 0.5, grid), make_image(matter.astype(np.float32), grid)


def dice(first: nb.Nifti1Image, second: nb.Nifti1Image) -> float:
    """Overlap of two masks."""
    one, other = (np.asarray(mask.dataobj) > 0.5 for mask in (first, second))
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def share_inside(matter: nb.Nifti1Image, mask: nb.Nifti1Image) -> float:
    """Share of grey and white matter that a mask holds."""
    amount = np.asarray(matter.dataobj)
    return amount[np.asarray(mask.dataobj) > 0].sum() / amount.sum()
