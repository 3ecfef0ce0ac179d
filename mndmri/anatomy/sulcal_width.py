"""Width of the central sulcus."""

from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.anatomy.ray_thickness import Crossings, cross_sulci
from mndmri.anatomy.thickness import THICKNESS_REGIONS, CentralGyri, central_gyri, in_box
from mndmri.anatomy.volumes import MIN_REGION_PROBABILITY
from mndmri.grids import longest_edge_mm, make_image, voxel_sizes
from mndmri.tables.coverage import coverage_status
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

REGION = "central_sulcus"
_MAX_VOXEL_MM = 2.2
_MIN_VOXELS = 50
# So far below the cortex, in the white matter of the gyri, the gyrus of an end is asked for: an atlas that is carried
# to a person errs by some millimetres, and in the cortex of a bank the border of its gyri may lie on either side.
_BELOW_MM = 2.0


class WidthResult(NamedTuple):
    """What was measured of both central sulci, and where."""

    measures: pd.DataFrame
    """Columns `MEASURE_COLUMNS`, a row a side."""
    middle: SpatialImage
    """Voxels of the T1w image through which the middle of the sulci runs, uint8."""


def measure_width(
    gm: SpatialImage, wm: SpatialImage, atlas: SpatialImage, table: pd.DataFrame, *, min_coverage: float = 0.98
) -> WidthResult:
    """Width of the central sulcus, left and right, mm.

    Parameters
    ----------
    gm, wm, atlas, table, min_coverage
        As in `mndmri.anatomy.thickness.measure_thickness`.

    Returns
    -------
    WidthResult
        The value is the volume of fluid between the banks over their area; ``n_voxels`` are those of 1 mm through which
        the middle of the sulcus runs.

    Notes
    -----
    Rays from the white matter of one gyrus to that of the other (`ray_thickness.cross_sulci`), from both sides.
    """
    longest = longest_edge_mm(gm)
    seen = table.set_index(["region", "hemi"])["coverage"]
    rows, middle = [], np.zeros(gm.shape, np.uint8)
    brain = in_box(gm, wm, atlas)
    for hemi in "LR":
        n, value = 0, np.nan
        if longest > _MAX_VOXEL_MM:
            status = f"voxels of {longest:.3g} mm do not resolve the sulcus; at most {_MAX_VOXEL_MM:g} mm needed"
        else:
            gyri = central_gyri(*brain, table, hemi)
            rays = cross_sulci(gyri.grey, gyri.white, within=gyri.near)
            own = _between(rays, gyri)
            points = (rays.origin + rays.end)[own] / 2
            n = len(np.unique(np.rint(points), axis=0))
            to_t1w = np.linalg.inv(gm.affine) @ gyri.white.affine
            index = np.rint(nb.affines.apply_affine(to_t1w, points)).astype(int)
            middle[tuple(np.clip(index, 0, np.array(gm.shape) - 1).T)] = 1
            least = min(seen[region, hemi] for region in THICKNESS_REGIONS)
            status = coverage_status(
                least, n, min_coverage=min_coverage, min_voxels=_MIN_VOXELS, place="region", kind="the sulcus"
            )
            if status == OK:
                value = float(np.average(rays.width_mm[own], weights=rays.area[own]))
        rows.append(row("t1w", "width", REGION, hemi, value, unit="mm", n_voxels=n, status=status))
    return WidthResult(pd.DataFrame(rows, columns=MEASURE_COLUMNS), make_image(middle, gm))


def _between(rays: Crossings, gyri: CentralGyri) -> np.ndarray:
    """Which rays lead from one central gyrus to the other: each of the two is the likelier at one end."""
    zooms = voxel_sizes(gyri.white)
    way = (rays.end - rays.origin) * zooms
    below = _BELOW_MM * way / np.linalg.norm(way, axis=1, keepdims=True) / zooms
    maps = [gyri.probability[region] for region in THICKNESS_REGIONS]
    lead, either = [], np.ones(len(way), bool)
    for points in (rays.origin - below, rays.end + below):
        first, second = (ndimage.map_coordinates(own, points.T, order=1, mode="nearest") for own in maps)
        lead.append(first - second)
        either &= first + second >= MIN_REGION_PROBABILITY
    return either & (lead[0] * lead[1] < 0)
