"""Thickness of the precentral and postcentral cortex."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.ray_thickness import Rays, cast_rays
from mndmri.anatomy.volumes import MIN_REGION_PROBABILITY, VOLUME_REGIONS, in_gyrus
from mndmri.atlas.regions import select
from mndmri.grids import bounding_box, check_same_grid, longest_edge_mm, make_image, resampled_grid, voxel_sizes
from mndmri.masks import dilate
from mndmri.registration.transforms import resample
from mndmri.tables.coverage import coverage_status
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

THICKNESS_REGIONS = ("precentral", "postcentral")
# A gyrus ends where another is likelier; the paracentral lobule is made of parts of two, and competes with none.
GYRI = tuple(region for region in VOLUME_REGIONS if region != "paracentral")

# Voxels on which thickness is found: finer ones take longer without benefit.
WORKING_MM = 1.0
# Cortex beyond a gyrus's edge, with the white matter and fluid that bound it, so that the edge is no border.
_MARGIN_MM = 6.0
# Half of the thickest cortex: a ray begins so near to the gyrus in which its middle lies.
_RAY_MM = 4.0
_MIN_VOXELS = 50
_MIN_CORTEX = 0.5  # share of grey matter in a voxel of cortex


class CentralGyri(NamedTuple):
    """The precentral and postcentral gyrus of a side, with what lies about them, on a grid of `WORKING_MM`."""

    grey: SpatialImage
    white: SpatialImage
    near: np.ndarray
    """Voxels from which rays may begin."""
    probability: dict[str, np.ndarray]
    """Of each of `THICKNESS_REGIONS`."""
    winning: np.ndarray
    """Highest probability of any gyrus."""


def measure_thickness(
    gm: SpatialImage,
    wm: SpatialImage,
    atlas: SpatialImage,
    table: pd.DataFrame,
    *,
    max_voxel_mm: float = 1.2,
    min_coverage: float = 0.98,
) -> pd.DataFrame:
    """Thickness of the cortex of the central gyri, left and right, mm.

    Parameters
    ----------
    gm, wm : SpatialImage
        Probability of grey and of white matter, 0 to 1, on the T1w image's grid.
    atlas : SpatialImage
        Probability of each of the `GYRI` on the same grid, shape (X, Y, Z, n).
    table : DataFrame
        ``index``, ``region``, ``hemi`` of its volumes, and ``coverage``, the share of each that the image shows.
    max_voxel_mm : float
        An image with longer voxels does not show the two borders of a cortex of 2 to 3 mm: n/a.
    min_coverage : float
        Share of a gyrus that the image has to show, 0 to 1.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`, a row for each of `THICKNESS_REGIONS` and side. The value is the mean over the
        gyrus's share of the surface of white matter, as a surface program gives it; ``n_voxels`` are of its cortex.

    Notes
    -----
    `ray_thickness.cast_rays`, in a box about the two gyri of a side as `volumes.in_gyrus` defines them. A ray is of the
    gyrus in which the middle of its cortex lies.
    """
    longest = longest_edge_mm(gm)
    if longest > max_voxel_mm:
        reason = f"voxels of {longest:.3g} mm do not resolve the cortex; at most {max_voxel_mm:g} mm needed"
        return _table({(region, h): (np.nan, 0, reason) for region in THICKNESS_REGIONS for h in "LR"})
    gm, wm, atlas = in_box(gm, wm, atlas)
    seen = table.set_index(["region", "hemi"])["coverage"]
    found = {}
    for hemi in "LR":
        own = central_gyri(gm, wm, atlas, table, hemi)
        rays, cortex = cast_rays(own.grey, own.white, within=own.near), own.grey.get_fdata() >= _MIN_CORTEX
        for region, probability in own.probability.items():
            gyrus = in_gyrus(probability, own.winning)
            value, n = _mean(rays, gyrus, voxel_sizes(own.white)), int((gyrus & cortex).sum())
            status = coverage_status(
                seen[region, hemi], n, min_coverage=min_coverage, min_voxels=_MIN_VOXELS, place="region", kind="cortex"
            )
            if status == OK and np.isnan(value):
                status = "no white matter borders its cortex"
            found[region, hemi] = value if status == OK else np.nan, n, status
    return _table(found)


def in_box(gm: SpatialImage, wm: SpatialImage, atlas: SpatialImage) -> tuple[SpatialImage, SpatialImage, SpatialImage]:
    """Images of a head in the box about its grey matter: half of a head is not brain."""
    check_same_grid(gm, wm, atlas)
    box = bounding_box(gm)
    return gm.slicer[box], wm.slicer[box], atlas.slicer[box]


def central_gyri(
    gm: SpatialImage, wm: SpatialImage, atlas: SpatialImage, table: pd.DataFrame, hemi: str
) -> CentralGyri:
    """The central gyri of a side; the images are as in `measure_thickness`."""
    maps = {region: select(atlas, table, region, hemi).get_fdata(dtype=np.float32) for region in THICKNESS_REGIONS}
    either = make_image(np.max(list(maps.values()), axis=0) >= MIN_REGION_PROBABILITY, gm)
    grid = _working_grid(either)
    near = dilate(resample(either, grid, interpolation="nearest"), _RAY_MM).get_fdata() > 0
    winning = resample(make_image(_winning(atlas), gm), grid).get_fdata()
    probability = {region: resample(make_image(own, gm), grid).get_fdata() for region, own in maps.items()}
    return CentralGyri(resample(gm, grid), resample(wm, grid), near, probability, winning)


def _winning(atlas: SpatialImage) -> np.ndarray:
    """Highest probability of any gyrus in each voxel."""
    return np.asarray(atlas.dataobj, np.float32).max(axis=-1)


def _mean(rays: Rays, gyrus: np.ndarray, zooms: np.ndarray) -> float:
    """Mean thickness of the rays in a gyrus, each counting as the surface that it stands for; NaN without any."""
    crossing = np.isfinite(rays.thickness_mm)
    thickness = rays.thickness_mm[crossing]
    middle = rays.origin[crossing] + thickness[:, None] / 2 * rays.normal[crossing] / zooms
    at = np.clip(np.rint(middle).astype(int), 0, np.array(gyrus.shape) - 1)
    own = gyrus[tuple(at.T)]
    return float(np.average(thickness[own], weights=rays.area[crossing][own])) if own.any() else np.nan


def _working_grid(region: SpatialImage) -> SpatialImage:
    """Grid of about `WORKING_MM` over the box round a region, on the axes of its image."""
    return resampled_grid(region.slicer[bounding_box(region, margin_mm=_MARGIN_MM)], WORKING_MM)


def _table(found: dict[tuple[str, str], tuple[float, int, str]]) -> pd.DataFrame:
    rows = [
        row("t1w", "thickness", region, hemi, value, unit="mm", n_voxels=n, status=status)
        for (region, hemi), (value, n, status) in found.items()
    ]
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)
