"""Measures along the corticospinal tract, node by node."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from mndmri.atlas.levels import level_of
from mndmri.atlas.regions import select
from mndmri.diffusion.tract import MEASURES, NOWHERE
from mndmri.grids import check_same_grid
from mndmri.tables.coverage import coverage_status
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import OK

N_NODES = 100
PROFILE_COLUMNS = ["modality", "measure", "hemi", "node", "position_mm", "value", "unit", "n_voxels", "status"]
_DESCRIPTIONS = {
    "participant_id": "Participant, as in the study's participants table.",
    "group": "Study group, as the config maps the participants table's labels.",
    "modality": "dwi, or the map or contrast that was measured.",
    "measure": "As in measures.tsv, with the same weights.",
    "hemi": "Side of the person's body: L or R.",
    "node": f"Place on the tract, 1 (pons) to {N_NODES} (below the cortex), at equal steps of its centre line.",
    "position_mm": "Length of the centre line up to the node, in the template, mm.",
    "value": "Mean of the voxels near the node; n/a where it could not be computed, with the reason in status.",
    "unit": "Unit of the value; 1 for FA and ratios.",
    "n_voxels": "Effective number of voxels in the value.",
    "status": "ok, or why there is no value.",
}
# A node is the mean within about one voxel of diffusion images on either side.
KERNEL_SD_MM = 3.0
# What an atlas gives less is the tract of few people, and pulls the centre of its fanning upper end aside.
CORE_PROBABILITY = 0.25
# SD of the smoothing of the line: the slices' centres jump by a millimetre or two where the map is ragged.
_SMOOTH_MM = 4.0


class Centreline(NamedTuple):
    """Middle of a tract from its lower to its upper end, at `N_NODES` equal steps."""

    points: np.ndarray
    """Shape (N_NODES, 3), world coordinates, mm."""
    position_mm: np.ndarray
    """Length of the line up to each node, shape (N_NODES,)."""

    def node_at_height(self, z: float) -> float:
        """Position, mm, at which the line reaches a height (world z, mm)."""
        return float(np.interp(z, self.points[:, 2], self.position_mm))


def profiles_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of profiles."""
    return dictionary("Measures at every node of the corticospinal tract", _DESCRIPTIONS)


def find_centreline(tract: SpatialImage) -> Centreline:
    """Centre line of a tract that runs upwards throughout.

    Parameters
    ----------
    tract : SpatialImage
        Probability, 0 to 1, upright (template space).

    Notes
    -----
    The centres of mass of the slices' core, smoothed along the line.
    """
    points, probability = _voxels(tract, CORE_PROBABILITY)
    heights, slices = np.unique(points[:, 2].round(3), return_inverse=True)
    mass = np.bincount(slices, probability)
    centres = np.stack([np.bincount(slices, probability * axis) / mass for axis in points.T], axis=-1)
    sigma = _SMOOTH_MM / float(np.median(np.diff(heights)))
    # carried on beyond its ends as it came, so that smoothing does not shorten the line
    reach = min(int(4 * sigma) + 1, len(centres) - 1)
    padded = np.pad(centres, [(reach, reach), (0, 0)], mode="reflect", reflect_type="odd")
    smooth = gaussian_filter1d(padded, sigma, axis=0)[reach:-reach]
    length = np.append(0, np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1)))
    position = np.linspace(0, length[-1], N_NODES)
    return Centreline(np.stack([np.interp(position, length, axis) for axis in smooth.T], axis=-1), position)


def measure_profile(
    maps: Mapping[str, SpatialImage],
    tract: np.ndarray,
    weights: SpatialImage,
    table: pd.DataFrame,
    mni_mm: SpatialImage,
    atlas: SpatialImage,
    fov: SpatialImage,
    *,
    modality: str = "dwi",
    units: Mapping[str, str] = MEASURES,
    beside: Mapping[tuple[str, str], str] = NOWHERE,
    min_coverage: float = 0.8,
    min_voxels: float = 10,
) -> pd.DataFrame:
    """Weighted means of maps at every node of the tract of each side.

    Parameters
    ----------
    maps : mapping
        Name of a measure to its map.
    tract : ndarray, shape (X, Y, Z)
        Weight of each voxel besides the probability of the tract, 0 where it is none: of a diffusion series
        `tract.tract_weight`.
    weights, table, beside, min_coverage, min_voxels
        As for `tract.measure_tract`; a level beside the tract has no nodes with a value.
    mni_mm : SpatialImage
        Where each voxel of the maps lies in the template: world coordinates, mm, shape (X, Y, Z, 3).
    atlas : SpatialImage
        The atlas in template space, whose volumes are those of ``weights``.
    fov : SpatialImage
        On the grid of ``atlas``, 0 to 1: the field of view of the maps.
    modality : str
        Of all of the maps.
    units : mapping
        Unit of each of the measures.

    Returns
    -------
    DataFrame
        Columns `PROFILE_COLUMNS`, a row for each of ``units``, side and node; node 1 is the pontine end.
        ``n_voxels`` is the effective number.

    Notes
    -----
    A voxel belongs to the node of the centre line nearest to it. Mean = sum(k w m) / sum(k w), with
    w = p(tract) x ``tract`` and k a Gaussian of 3 mm SD of the distance along the line (weights
    by position as in Yeatman et al. 2012, PLoS One 7:e49790, without its streamlines: those that a
    disease takes away must not decide where it is measured).
    """
    check_same_grid(weights, mni_mm, *maps.values())
    rows = []
    for hemi in "LR":
        whole = select(atlas, table, "cst", hemi)
        line = find_centreline(whole)
        weight = np.clip(select(weights, table, "cst", hemi).get_fdata(), 0, None) * tract
        near = weight > 0
        kernel = _kernel(line, np.asarray(mni_mm.dataobj)[near]) * weight[near]
        n_voxels = _ratio(kernel.sum(axis=1) ** 2, (kernel**2).sum(axis=1)).round()
        seen = _coverage(whole, fov, line)
        reasons = [
            coverage_status(*node, min_coverage=min_coverage, min_voxels=min_voxels, place="node")
            for node in zip(seen, n_voxels, strict=True)
        ]
        levels = [level_of(z) for z in line.points[:, 2]]
        reasons = [
            beside.get((level, hemi), OK) if reason == OK else reason
            for level, reason in zip(levels, reasons, strict=True)
        ]
        for measure, unit in units.items():
            values = _ratio(kernel @ maps[measure].get_fdata()[near], kernel.sum(axis=1))
            side = pd.DataFrame({"measure": measure, "hemi": hemi, "node": np.arange(1, N_NODES + 1)})
            side["position_mm"], side["unit"], side["n_voxels"] = line.position_mm, unit, n_voxels.astype(int)
            side["status"] = reasons
            rows.append(side.assign(modality=modality, value=np.where(side["status"] == OK, values, np.nan)))
    return pd.concat(rows, ignore_index=True)[PROFILE_COLUMNS]


def _kernel(line: Centreline, points: np.ndarray) -> np.ndarray:
    """How much each of the points (n, 3) counts at each node, 0 to 1, shape (N_NODES, n)."""
    nearest = cKDTree(line.points).query(points)[1]
    distance = line.position_mm[:, None] - line.position_mm[nearest]
    return np.exp(-0.5 * (distance / KERNEL_SD_MM) ** 2)


def _coverage(whole: SpatialImage, fov: SpatialImage, line: Centreline) -> np.ndarray:
    """Share of each node of the tract that lies in the field of view, shape (N_NODES,)."""
    points, probability = _voxels(whole, CORE_PROBABILITY)
    kernel = _kernel(line, points) * probability
    seen = np.clip(fov.get_fdata(dtype=np.float32)[whole.get_fdata(dtype=np.float32) >= CORE_PROBABILITY], 0, 1)
    return _ratio(kernel @ seen, kernel.sum(axis=1))


def _voxels(tract: SpatialImage, lowest: float) -> tuple[np.ndarray, np.ndarray]:
    """World coordinates (n, 3) and probability (n,) of the voxels with that much of it."""
    probability = tract.get_fdata(dtype=np.float32)
    there = probability >= lowest
    return nb.affines.apply_affine(tract.affine, np.argwhere(there)), probability[there].astype(float)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient, 0 where there is nothing to divide by."""
    return np.divide(above, below, out=np.zeros_like(above, dtype=float), where=below > 0)
