"""Thickness of the precentral and postcentral cortex."""

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.direct_thickness import cortical_thickness
from mndmri.anatomy.volumes import MIN_REGION_PROBABILITY, VOLUME_REGIONS, in_gyrus
from mndmri.atlas.regions import select
from mndmri.grids import bounding_box, check_same_grid, longest_edge_mm, make_image, resampled_grid
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
_MIN_VOXELS = 50


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
        gyrus's surface, as a surface program gives it: the harmonic mean over its voxels, as a column of cortex
        fills voxels in proportion to its thickness.

    Notes
    -----
    `direct_thickness.cortical_thickness`, in a box about the two gyri of a side as `volumes.in_gyrus` defines them.
    """
    check_same_grid(gm, wm, atlas)
    # half of a head is not brain
    box = bounding_box(gm)
    gm, wm, atlas = gm.slicer[box], wm.slicer[box], atlas.slicer[box]
    longest = longest_edge_mm(gm)
    if longest > max_voxel_mm:
        reason = f"voxels of {longest:.3g} mm do not resolve the cortex; at most {max_voxel_mm:g} mm needed"
        return _table({(region, h): (np.nan, 0, reason) for region in THICKNESS_REGIONS for h in "LR"})
    seen = table.set_index(["region", "hemi"])["coverage"]
    found = {}
    for hemi in "LR":
        maps = {region: select(atlas, table, region, hemi).get_fdata(dtype=np.float32) for region in THICKNESS_REGIONS}
        either = make_image(np.max(list(maps.values()), axis=0) >= MIN_REGION_PROBABILITY, gm)
        grid = _working_grid(either)
        grey, white = (resample(part, grid) for part in (gm, wm))
        thickness = cortical_thickness(grey, white).get_fdata()
        winning = resample(make_image(_winning(atlas), gm), grid).get_fdata()
        for region, probability in maps.items():
            own = resample(make_image(probability, gm), grid).get_fdata()
            inside = in_gyrus(own, winning) & (thickness > 0)
            n = int(inside.sum())
            status = coverage_status(
                seen[region, hemi], n, min_coverage=min_coverage, min_voxels=_MIN_VOXELS, place="region", kind="cortex"
            )
            found[region, hemi] = n / float(np.sum(1 / thickness[inside])) if status == OK else np.nan, n, status
    return _table(found)


def _winning(atlas: SpatialImage) -> np.ndarray:
    """Highest probability of any gyrus in each voxel."""
    return np.asarray(atlas.dataobj, np.float32).max(axis=-1)


def _working_grid(region: SpatialImage) -> SpatialImage:
    """Grid of about `WORKING_MM` over the box round a region, on the axes of its image."""
    box = bounding_box(region, margin_mm=_MARGIN_MM)
    begin = [part.start for part in box]
    affine = region.affine.copy()
    affine[:3, 3] = nb.affines.apply_affine(region.affine, begin)
    return resampled_grid(nb.Nifti1Image(np.asarray(region.dataobj)[box], affine), WORKING_MM)


def _table(found: dict[tuple[str, str], tuple[float, int, str]]) -> pd.DataFrame:
    rows = [
        row("t1w", "thickness", region, hemi, value, unit="mm", n_voxels=n, status=status)
        for (region, hemi), (value, n, status) in found.items()
    ]
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)
