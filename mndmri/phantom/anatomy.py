"""The head that all simulated people share: tissues, regions and the corticospinal tract.

The brain is the ICBM 2009a non-linear symmetric average (Fonov et al. 2011, NeuroImage 54:313),
whose grey and white matter maps come with nilearn. The head round it is made of layers and
simple solids. Regions are the atlases' labels, carried over by one registration.

Bank, depth and body part are defined here on their own, not with the code that measures them.
Posterior bank: precentral voxels nearer to the postcentral gyrus than to the frontal gyri in front.
Depth: the share of the way from white matter to cerebrospinal fluid; deep is below a half.
Leg, hand and face: by distance from the midline (`head.BODY_PART_X_MM`).
"""

from importlib.util import find_spec
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.atlas.regions import build_atlas, load_template, restrict, select
from mndmri.grids import make_image, resampled_grid, to_canonical, voxel_sizes, world_coordinates
from mndmri.io import InputError, load_image
from mndmri.phantom.head import MAP_NAMES, TISSUES, Anatomy
from mndmri.phantom.veins import grow_veins
from mndmri.registration.register import Warp, register_deformable
from mndmri.registration.transforms import resample

# Box of the shared head in ICBM world coordinates: the brain, the scalp, the face, some neck (mm).
_BOX_MM = np.array([[-90, 90], [-128, 112], [-125, 100]])

# Layers outwards from the brain's hull (mm): fluid, bone, then scalp to the surface.
_FLUID_MM, _BONE_MM, _SCALP_MM = 2.5, 8.0, 14.0
_SKIN_MM = 4.0  # fat under the skin of face and neck

_FRONTAL = ("superior_frontal", "middle_frontal", "supplementary_motor")
_SEED = 2009


def _load_icbm(kind: str) -> SpatialImage:
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise InputError(
            "the nilearn package, which contains the brain of the simulated head, is not installed; install it with pip"
        )
    name = f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"
    return to_canonical(load_image(Path(spec.origin).parent / "datasets" / "data" / name))


def _head_grid(voxel_mm: float) -> SpatialImage:
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = _BOX_MM[:, 0]
    shape = (np.ptp(_BOX_MM, axis=1) // voxel_mm).astype(int) + 1
    return nb.Nifti1Image(np.zeros(shape, np.uint8), affine)


def build_anatomy(*, voxel_mm: float = 1.0) -> Anatomy:
    """The shared head; about two minutes at 1 mm, once for a cohort.

    Parameters
    ----------
    voxel_mm : float
        Voxel size of its maps.

    Returns
    -------
    Anatomy
    """
    grid = _head_grid(voxel_mm)
    xyz = world_coordinates(grid).astype(np.float32)
    grey, white = (np.asarray(resample(_load_icbm(kind), grid).dataobj) / 255 for kind in ("gm", "wm"))
    tissues = build_tissues(grey, white, xyz)
    regions, cst = _carry_regions(grid)
    regions |= _divide_precentral(regions, tissues, voxel_mm)
    regions["vein"] = grow_veins(tissues, np.full(3, voxel_mm), np.random.default_rng(_SEED))
    maps = {**tissues, **regions}
    stack = np.empty((*grid.shape, len(MAP_NAMES)), np.uint8, order="F")
    for n, name in enumerate(MAP_NAMES):
        stack[..., n] = np.rint(255 * np.clip(maps[name], 0, 1))
    return Anatomy(make_image(stack, grid), trace_centreline(cst, xyz))


def build_tissues(grey: np.ndarray, white: np.ndarray, xyz: np.ndarray) -> dict[str, np.ndarray]:
    """Fractions of brain and head tissues in each voxel.

    Parameters
    ----------
    grey, white : ndarray, shape (X, Y, Z)
        Probabilities 0 to 1.
    xyz : ndarray, shape (X, Y, Z, 3)
        World coordinates, mm.

    Returns
    -------
    dict of ndarray
        One fraction for each of `TISSUES`; they add up to 1 in the head and to 0 in the air.
    """
    voxel_mm = float(xyz[1, 0, 0, 0] - xyz[0, 0, 0, 0])
    hull = ndimage.binary_fill_holes(_close(grey + white > 0.3, 8.0, voxel_mm))
    # an average of many heads is blurred: squaring the odds gives one head's sharper borders
    other = np.clip(1 - grey - white, 0, 1)
    odds = np.stack([grey, white, other]) ** 2
    odds /= np.maximum(odds.sum(axis=0), 1e-6)
    outward = ndimage.distance_transform_edt(~hull, sampling=voxel_mm)
    inside = np.clip(_FLUID_MM + 0.5 - outward, 0, 1)  # brain and the fluid round it
    grey, white = odds[0] * inside, odds[1] * inside
    csf = inside - grey - white

    x, y, z = np.moveaxis(xyz, -1, 0)
    face = ((x / 62) ** 2 + ((y - 38) / 56) ** 2 + ((z + 62) / 66) ** 2 < 1) & (z > -118)
    neck = ((x / 56) ** 2 + ((y + 38) / 60) ** 2 < 1) & (z < -35)
    body = (outward < _SCALP_MM) | face | neck
    depth = ndimage.distance_transform_edt(body, sampling=voxel_mm)
    surface = np.clip(depth / 1.5, 0, 1)
    rest = (1 - inside) * surface
    skull = np.clip(_BONE_MM + 0.5 - outward, 0, 1) * (z > -75)
    spine = np.clip(13 - np.hypot(x, y + 32), 0, 1) * (z < -75)
    bone = np.maximum(skull, spine) * rest
    fat = (rest - bone) * np.where(depth < _SKIN_MM, 1.0, np.where(outward < _SCALP_MM, 0.6, 0.1))
    soft = rest - bone - fat
    for side in (-1, 1):  # eyeballs, as dark as bone and soft tissue half and half
        eye = np.clip(12.5 - np.sqrt((x - 32 * side) ** 2 + (y - 62) ** 2 + (z + 40) ** 2), 0, 1) * (1 - inside)
        bone, fat, soft = (t * (1 - eye) + e * eye for t, e in ((bone, 0.6), (fat, 0.0), (soft, 0.4)))
    # air in nose and sinuses
    air = np.clip(1 - ((x / 11) ** 2 + ((y - 58) / 26) ** 2 + ((z + 58) / 20) ** 2), 0, 0.3) / 0.3 * (1 - inside)
    bone, fat, soft = (t * (1 - air) for t in (bone, fat, soft))
    return dict(zip(TISSUES, (grey, white, csf, bone, fat, soft), strict=True))


def _close(mask: np.ndarray, radius_mm: float, voxel_mm: float) -> np.ndarray:
    """Morphological closing with a ball, by distance transforms; the mask keeps clear of the edges."""
    grown = ndimage.distance_transform_edt(~mask, sampling=voxel_mm) <= radius_mm
    return mask | (ndimage.distance_transform_edt(grown, sampling=voxel_mm) > radius_mm)


def _register_atlas_space(voxel_mm: float) -> Warp:
    """Registration that carries the atlases' template onto the ICBM average."""
    coarse = [resample(image, resampled_grid(image, voxel_mm)) for image in (_load_icbm("t1"), load_template())]
    return register_deformable(*coarse, iterations=(60, 40, 0))


def _carry_regions(grid: SpatialImage) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Region maps, sides joined, on the head's grid; and the tract's probability by side."""
    atlas, table = build_atlas()
    # 2 mm is as fine as the labels are sharp
    warp = _register_atlas_space(max(2.0, float(voxel_sizes(grid)[0]))).moving_to_fixed

    wanted = ("precentral", "postcentral", *_FRONTAL, "cst", "callosum", "pallidum")
    atlas, table = restrict(atlas, table, wanted, boxed=True)
    carried = resample(atlas, grid, [warp])

    def carry(region: str, hemi: str) -> np.ndarray:
        return np.asarray(select(carried, table, region, hemi).dataobj)

    cortex = {name: carry(name, "L") + carry(name, "R") for name in ("precentral", "postcentral", *_FRONTAL)}
    winner = np.stack(list(cortex.values())).argmax(axis=0)
    certain = np.max(list(cortex.values()), axis=0) > 0.2
    regions: dict[str, np.ndarray] = {
        name: ((winner == n) & certain).astype(np.float32) for n, name in enumerate(cortex)
    }
    cst = {hemi: carry("cst", hemi) for hemi in "LR"}
    regions["cst"] = np.maximum(cst["L"], cst["R"])
    regions["callosum"] = carry("callosum", "both")
    regions["pallidum"] = carry("pallidum", "L") + carry("pallidum", "R")
    return regions, cst


def _divide_precentral(
    regions: dict[str, np.ndarray], tissues: dict[str, np.ndarray], voxel_mm: float
) -> dict[str, np.ndarray]:
    """Where cortex is on the posterior bank, 0 or 1; and how far from white matter to fluid, 0 to 1."""

    def away(mask: np.ndarray) -> np.ndarray:
        return ndimage.distance_transform_edt(mask, sampling=voxel_mm)

    frontal = regions["superior_frontal"] + regions["middle_frontal"] + regions["supplementary_motor"] > 0.5
    posterior = away(regions["postcentral"] < 0.5) < away(~frontal)
    from_white, from_fluid = away(tissues["white"] < 0.5), away(tissues["csf"] < 0.4)
    depth = from_white / np.maximum(from_white + from_fluid, 1e-3)
    return {"posterior_bank": posterior.astype(np.float32), "depth": depth.astype(np.float32)}


def trace_centreline(cst: dict[str, np.ndarray], xyz: np.ndarray) -> pd.DataFrame:
    """Centre and spread of the tract at every height; columns as in `Anatomy.centreline`."""
    z = xyz[0, 0, :, 2]
    step_mm = float(z[1] - z[0])
    tables = []
    for hemi, probability in cst.items():
        weight = np.where(probability > 0.1, probability, 0).astype(float)
        mass = weight.sum(axis=(0, 1))
        inside = np.flatnonzero(mass > 0.02 * mass.max())
        rows = slice(inside.min(), inside.max() + 1)
        table = pd.DataFrame({"hemi": hemi, "z": z[rows].astype(float)})
        total = np.maximum(mass[rows], 1e-6)
        for number, axis in enumerate("xy"):
            place = xyz[:, :, rows, number]
            mean = (weight[:, :, rows] * place).sum(axis=(0, 1)) / total
            spread = np.sqrt((weight[:, :, rows] * (place - mean) ** 2).sum(axis=(0, 1)) / total)
            table[axis] = ndimage.gaussian_filter1d(mean, 4.0 / step_mm, mode="nearest")
            table[f"spread_{axis}"] = np.maximum(ndimage.gaussian_filter1d(spread, 6.0 / step_mm, mode="nearest"), 1.0)
        length = np.sqrt((table[["x", "y", "z"]].diff() ** 2).sum(axis=1)).cumsum()
        table["position"] = length / length.iloc[-1]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
