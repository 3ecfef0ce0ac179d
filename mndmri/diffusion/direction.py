"""Whether the tract that was placed on a scan is one there: its main direction against the course of the atlas's."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy.spatial import cKDTree

from mndmri.atlas.regions import select
from mndmri.diffusion.profile import find_centreline
from mndmri.diffusion.tract import CST_REGIONS, tract_weight
from mndmri.grids import check_same_grid
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row
from mndmri.tables.qc import least_aligned

# A voxel runs along the tract if its main direction is within this angle of the tract's course (degrees).
ALIGNED_DEG = 30.0


def tract_course(tract: SpatialImage, mni_mm: SpatialImage, where: np.ndarray) -> np.ndarray:
    """Direction of a tract at voxels of a scan, in the scan's world axes.

    Parameters
    ----------
    tract : SpatialImage
        Its probability in template space, as for `profile.find_centreline`.
    mni_mm : SpatialImage
        Template coordinates of the scan's voxels, mm, shape (X, Y, Z, 3).
    where : ndarray of bool, shape (X, Y, Z)

    Returns
    -------
    ndarray, shape (n, 3)
        Unit vectors, upwards, for the voxels of ``where``: the tangent of the centre line at its nearest point, turned
        and stretched as the registration does there.
    """
    line = find_centreline(tract)
    tangents = np.gradient(line.points, line.position_mm, axis=0)
    points = np.asarray(mni_mm.dataobj, float)
    along = tangents[cKDTree(line.points).query(points[where])[1]]
    # columns: change of the template's coordinates for a step of one voxel along each axis
    slopes = np.stack([np.gradient(points, axis=axis)[where] for axis in range(3)], axis=-1)
    voxels = (np.linalg.pinv(slopes) @ along[..., None])[..., 0]
    course = voxels @ mni_mm.affine[:3, :3].T
    return course / np.maximum(np.linalg.norm(course, axis=-1, keepdims=True), 1e-12)


def measure_direction(
    v1: SpatialImage,
    fa: SpatialImage,
    weights: SpatialImage,
    table: pd.DataFrame,
    wm_probability: SpatialImage,
    mni_mm: SpatialImage,
    atlas: SpatialImage,
    *,
    min_fa: float = 0.2,
) -> pd.DataFrame:
    """Angle between main direction and course, and share of voxels that run along it, by level and side.

    Parameters
    ----------
    v1 : SpatialImage
        Main direction of the tensor, world axes, shape (X, Y, Z, 3).
    fa, weights, table, wm_probability, min_fa
        As for `tract.measure_tract`.
    mni_mm, atlas : SpatialImage
        As for `profile.measure_profile`.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`: ``tract_angle`` (deg, 0 to 90), between the principal axes of the weighted main
        directions and of the weighted course; ``aligned_fraction`` (0 to 1), the weighted share of the voxels whose
        main direction is within 30 degrees of the course. Both for each of `CST_REGIONS`, L and R, with the
        weights of `tract.measure_tract`.
    """
    check_same_grid(v1, fa, weights, wm_probability, mni_mm)
    usable = tract_weight(fa, wm_probability, min_fa=min_fa)
    found: dict[tuple[str, str], tuple[float, float, int]] = {}
    for hemi in "LR":
        shares = {r: np.clip(select(weights, table, r, hemi).get_fdata(), 0, None) * usable for r in CST_REGIONS}
        where = np.max(list(shares.values()), axis=0) > 0
        course = tract_course(select(atlas, table, "cst", hemi), mni_mm, where)
        main = np.asarray(v1.dataobj, float)[where]
        along = np.abs(np.sum(main * course, axis=-1)) >= np.cos(np.deg2rad(ALIGNED_DEG))
        for region, share in shares.items():
            found[region, hemi] = _angle_and_share(share[where], main, course, along)
    rows = []
    for region in CST_REGIONS:
        for hemi in "LR":
            angle, share, n = found[region, hemi]
            status = OK if n else "no white matter of the region in the image"
            rows.append(row("dwi", "tract_angle", region, hemi, angle, unit="deg", n_voxels=n, status=status))
            rows.append(row("dwi", "aligned_fraction", region, hemi, share, unit="1", n_voxels=n, status=status))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)


def off_tract(direction: pd.DataFrame, *, min_aligned: float) -> dict[tuple[str, str], str]:
    """Why levels have no value: those that lie beside the tract, by region and side.

    Parameters
    ----------
    direction : DataFrame
        From `measure_direction`.
    min_aligned : float
        Least ``aligned_fraction``, 0 to 1, of the capsule, peduncle and pons; two fifths elsewhere (`least_aligned`).
    """
    shares = direction[direction["measure"] == "aligned_fraction"].set_index(["region", "hemi"])["value"]
    least = least_aligned(min_aligned)
    return {
        (region, hemi): f"beside the tract: {100 * share:.0f}% of the voxels run along its course, at least "
        f"{100 * least[region]:g}% are expected"
        for (region, hemi), share in shares.items()
        if share < least[region]
    }


def _angle_and_share(
    weight: np.ndarray, main: np.ndarray, course: np.ndarray, along: np.ndarray
) -> tuple[float, float, int]:
    total = float(weight.sum())
    if total == 0:
        return np.nan, np.nan, 0
    axes = [np.linalg.eigh((vectors * weight[:, None]).T @ vectors)[1][:, -1] for vectors in (main, course)]
    angle = float(np.degrees(np.arccos(np.clip(abs(axes[0] @ axes[1]), 0, 1))))
    return angle, float(weight[along].sum()) / total, round(total**2 / float(np.sum(weight**2)))
