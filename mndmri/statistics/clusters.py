"""Clusters of significant voxels, their peaks, and their anatomical regions."""

from collections.abc import Iterable, Mapping
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd
from scipy import ndimage

from mndmri.atlas.names import NamedRegions, name_at, name_share
from mndmri.grids import voxel_volume_ml
from mndmri.statistics.tfce import NEIGHBOURS
from mndmri.statistics.voxelwise import ContrastMaps, is_significant
from mndmri.tables.dictionaries import dictionary

# Peaks told of a cluster, and how far apart, mm: as SPM has it
MAX_PEAKS, APART_MM = 3, 8.0

_DESCRIPTIONS = {
    "contrast": "As in summary.tsv.",
    "direction": "higher or lower: of the contrast's first side, or with a rising covariate; differs: of all groups.",
    "cluster": "Voxels of one direction that touch face to face, with corrected p below the level; the most "
    "significant first.",
    "peak": "Maximum of the cluster first, then others at least 8 mm apart; three at most.",
    "x": "Position of the peak in the template ({space}), mm; left is negative.",
    "y": "The same; posterior is negative.",
    "z": "The same; inferior is negative.",
    "hemi": "Side of the person's body the peak is on: L, R, or both on the midline.",
    "statistic": "t (or F) at the peak.",
    "tfce": "Statistic at the peak after threshold-free cluster enhancement.",
    "p_fwe": "Two-sided p at the peak, corrected over all voxels compared.",
    "cluster_ml": "Volume of the cluster, ml.",
    "left_percent": "Share of the cluster's volume left of the midline.",
}
_OF_ATLAS = {
    "": "Most probable region at the peak ({atlas}, at least 25%).",
    "_overlap": "Regions that contain at least 5% of the cluster ({atlas}), with their share of it.",
}


def clusters_dictionary(atlases: Iterable[str], *, space: str) -> dict[str, Any]:
    """BIDS data dictionary of the table of clusters, whose regions have these atlases' names, in this space."""
    own = _DESCRIPTIONS | {"x": _DESCRIPTIONS["x"].format(space=space)}
    of_atlases = {name + end: text.format(atlas=name) for name in atlases for end, text in _OF_ATLAS.items()}
    return dictionary("Clusters in which the groups differ, and their peaks", own | of_atlases)


def find_clusters(
    maps: Mapping[str, ContrastMaps], atlases: Mapping[str, NamedRegions], *, alpha: float = 0.05
) -> pd.DataFrame:
    """Clusters of every contrast with their peaks, columns as in `clusters_dictionary`; no row where nothing differs.

    Parameters
    ----------
    maps : mapping
        By contrast, from `mndmri.statistics.voxelwise.compare_maps`.
    atlases : mapping
        Name to the regions on the maps' grid.
    alpha : float
        Corrected level.
    """
    rows: list[dict[str, Any]] = []
    for contrast, found in maps.items():
        of_contrast = []
        for direction, sign in (("higher", 1), ("lower", -1)):
            name = "differs" if found.kind == "F" else direction
            of_contrast += [own | {"direction": name} for own in _clusters_of(found, sign, atlases, alpha=alpha)]
        of_contrast.sort(key=lambda cluster: -abs(cluster["peaks"][0]["tfce"]))
        for number, cluster in enumerate(of_contrast, start=1):
            peaks = cluster.pop("peaks")
            rows += [
                {"contrast": contrast, "cluster": number, "peak": n, **cluster, **peak}
                for n, peak in enumerate(peaks, start=1)
            ]
    return pd.DataFrame(rows, columns=[*_DESCRIPTIONS, *(name + end for name in atlases for end in _OF_ATLAS)])


def _clusters_of(
    found: ContrastMaps, sign: int, atlases: Mapping[str, NamedRegions], *, alpha: float
) -> list[dict[str, Any]]:
    """Clusters of one direction, each with its list of peaks."""
    statistic, tfce = (sign * np.asarray(image.dataobj) for image in (found.statistic, found.tfce))
    log_p = np.asarray(found.log_p.dataobj)
    significant = is_significant(log_p, alpha=alpha) & (statistic > 0)
    labels, number = ndimage.label(significant, NEIGHBOURS)
    # among its own: beside a cluster, an F of few degrees of freedom can be higher and not be significant
    height = np.where(significant, statistic, 0)
    top = significant & (height == ndimage.maximum_filter(height, footprint=NEIGHBOURS))
    affine = found.statistic.affine
    clusters = []
    for n, box in enumerate(ndimage.find_objects(labels, number), start=1):
        inside = labels == n
        own = np.argwhere(inside[box]) + [part.start for part in box]
        left = np.mean(nb.affines.apply_affine(affine, own)[:, 0] < 0)
        voxels = own[top[tuple(own.T)]]
        peaks = [
            _place(nb.affines.apply_affine(affine, voxel))
            | {"statistic": sign * float(statistic[tuple(voxel)]), "tfce": sign * float(tfce[tuple(voxel)])}
            | {"p_fwe": 10 ** -float(log_p[tuple(voxel)])}
            | {name: name_at(regions, voxel) for name, regions in atlases.items()}
            for voxel in _apart(voxels, statistic, tfce, affine)
        ]
        clusters.append(
            {"cluster_ml": len(own) * voxel_volume_ml(found.statistic), "left_percent": 100 * left, "peaks": peaks}
            | {f"{name}_overlap": name_share(regions, inside) for name, regions in atlases.items()}
        )
    return clusters


def _apart(voxels: np.ndarray, statistic: np.ndarray, tfce: np.ndarray, affine: np.ndarray) -> list[np.ndarray]:
    """Highest of some voxels, shape (n, 3), that lie apart from each other."""
    where = tuple(voxels.T)
    # support, and so p, first; the statistic parts voxels that have the same
    chosen: list[np.ndarray] = []
    for voxel in voxels[np.lexsort((-statistic[where], -tfce[where]))]:
        distances = [np.linalg.norm(affine[:3, :3] @ (voxel - other)) for other in chosen]
        if all(distance >= APART_MM for distance in distances):
            chosen.append(voxel)
        if len(chosen) == MAX_PEAKS:
            break
    return chosen


def _place(xyz: np.ndarray) -> dict[str, Any]:
    x, y, z = xyz.round(3).tolist()
    return {"x": x, "y": y, "z": z, "hemi": "L" if x < 0 else "R" if x > 0 else "both"}
