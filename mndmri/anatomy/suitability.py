"""What a T1-weighted image can be measured for: which regions it shows, and whether its voxels are small enough."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.volumes import WHOLE_BRAIN
from mndmri.grids import longest_edge_mm
from mndmri.tables.coverage import coverage_rows, coverage_status
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row


def too_coarse(image: SpatialImage, *, max_voxel_mm: float) -> str:
    """Why an image's voxels do not tell grey from white matter; empty if they do.

    Notes
    -----
    Slices of real heads of 1 mm, averaged: docs/validation.md. A voxel that is long in one direction alone mixes
    cortex with what lies above and below it, and the mixture is called white matter.
    """
    longest = longest_edge_mm(image)
    if longest <= max_voxel_mm:
        return ""
    return (
        f"voxels of {longest:.3g} mm are too long to measure grey and white matter, at most {max_voxel_mm:g} mm "
        "(t1w.max_voxel_mm)"
    )


def unmeasurable(
    coverage: pd.Series, border_cm2: float, coarse: str, *, min_coverage: float, max_border_cm2: float
) -> dict[tuple[str, str], str]:
    """Regions whose volume cannot be measured in an image, each with the reason.

    Parameters
    ----------
    coverage : Series
        Share of each region in the field of view, by ``region`` and ``hemi``, as from
        `mndmri.tables.coverage.measure_coverage`.
    border_cm2 : float
        As from `mndmri.anatomy.field_of_view.border_area_cm2`.
    coarse : str
        As from `too_coarse`; empty if the voxels are small enough.
    min_coverage : float
        Share of a region that has to be seen, 0 to 1.
    max_border_cm2 : float
        Of a brain that touches the end of the image over more than this, the whole is not measured.
    """
    whole = [(name, "both") for name in WHOLE_BRAIN]
    if coarse:
        return dict.fromkeys([*whole, *coverage.index], coarse)
    found = {}
    if border_cm2 > max_border_cm2:
        found = dict.fromkeys(
            whole,
            f"the image ends inside the brain, over {border_cm2:.0f} cm2 (at most {max_border_cm2:g})",
        )
    for place, seen in coverage.items():
        # an empty region is the atlas's, and said there
        status = coverage_status(seen, 1, min_coverage=min_coverage, min_voxels=1, place="region")
        if np.isfinite(seen) and status != OK:
            found[place] = status
    return found


def suitability_rows(image: SpatialImage, coverage: pd.Series, border_cm2: float, *, n_voxels: int) -> pd.DataFrame:
    """Rows of the quality table: how much of each region the image shows, where it ends, and how long its voxels are.

    Parameters
    ----------
    image : SpatialImage
        Its values are not used.
    coverage, border_cm2
        As for `unmeasurable`.
    n_voxels : int
        Of the brain.
    """
    rows = [
        row("t1w", "border_area", "brain", "both", border_cm2, unit="cm2", n_voxels=n_voxels),
        row("t1w", "longest_voxel", "brain", "both", longest_edge_mm(image), unit="mm", n_voxels=n_voxels),
    ]
    shown = coverage_rows("t1w", "region_coverage", coverage, n_voxels)
    return pd.concat([pd.DataFrame(rows, columns=MEASURE_COLUMNS), shown], ignore_index=True)
