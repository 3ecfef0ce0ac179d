"""The template's regions, its coordinates and a person's white matter on the grid of one of their scans."""

from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image, world_coordinates
from mndmri.registration.transforms import Transform, average_over_voxels, map_points, resample, sample_points
from mndmri.tables.coverage import measure_coverage


class Person(NamedTuple):
    """The registration of a person's T1w image or scan to the template, and what is brought to their scans by it."""

    from_template: SpatialImage
    """Displacement field that takes points of the registered image to the template, and so resamples the template."""
    to_template: SpatialImage
    """Displacement field the other way round."""
    atlas: SpatialImage
    """Probability of each region in template space, 0 to 1, shape (X, Y, Z, n)."""
    table: pd.DataFrame
    """``index``, ``region``, ``hemi`` of its volumes."""
    white_matter: SpatialImage
    """Probability, 0 to 1, on the grid of the T1w image."""
    from_t1w: np.ndarray | None = None
    """From points of the T1w image to those of the registered image, shape (4, 4): the identity if it is the same."""


class OnScan(NamedTuple):
    """Regions, coordinates and tissue on the grid of a scan."""

    weights: SpatialImage
    """Probability of each region, 0 to 1, shape (X, Y, Z, n)."""
    table: pd.DataFrame
    """``index``, ``region``, ``hemi`` of its volumes."""
    mni_mm: SpatialImage
    """Template coordinates x, y, z of every voxel, mm, float32, shape (X, Y, Z, 3)."""
    coverage: pd.Series
    """Share of each region that the scan covers, 0 to 1, by ``region`` and ``hemi``."""
    field_of_view: SpatialImage
    """On the atlas's own grid, 0 to 1: what of each region's voxels the scan covers; 0 outside the regions."""
    white_matter: SpatialImage
    """Probability, 0 to 1."""


def on_scan(
    scan: SpatialImage,
    person: Person,
    *,
    to_scan: np.ndarray | None = None,
    recorded: SpatialImage | None = None,
    average_tissue: bool = False,
) -> OnScan:
    """Regions, template coordinates and white matter on a scan's own grid, each after one interpolation.

    Parameters
    ----------
    scan : SpatialImage
        Its values are not used.
    person : Person
        Its atlas holds the regions that are asked for and no others; see `mndmri.atlas.regions.restrict`.
    to_scan : ndarray of shape (4, 4), optional
        From points of the person's registered image to those of the scan (RAS, mm); the identity by default.
    recorded : SpatialImage, optional
        Where the scan has a signal, 0 to 1, in the scan's space; everywhere on its grid by default.
    average_tissue : bool
        Whether white matter is averaged over each of the scan's voxels, as thick slices need where a voxel has to be
        white matter throughout, or sampled at its centre. The mean FA of the callosal mid-body, a thin sheet, differs
        by 0.01 between the two (3 mm voxels, T1w of 2 mm).
    """
    to_scan = np.eye(4) if to_scan is None else to_scan
    points = map_points(world_coordinates(scan), [np.linalg.inv(to_scan), person.from_template])
    to_t1w: list[Transform] = [np.linalg.inv(to_scan if person.from_t1w is None else to_scan @ person.from_t1w)]
    if recorded is None:
        recorded = make_image(np.ones(scan.shape[:3], np.uint8), scan)
    shown = _field_of_view(person, to_scan, recorded)
    return OnScan(
        weights=make_image(sample_points(person.atlas, points), scan),
        table=person.table,
        mni_mm=make_image(points.astype(np.float32), scan),
        coverage=measure_coverage(person.atlas, person.table, shown),
        field_of_view=shown,
        white_matter=(average_over_voxels if average_tissue else resample)(person.white_matter, scan, to_t1w),
    )


def coverage_of(person: Person, recorded: SpatialImage, *, to_scan: np.ndarray) -> pd.Series:
    """Share of each region that a scan covers, 0 to 1, by ``region`` and ``hemi``; parameters as for `on_scan`."""
    return measure_coverage(person.atlas, person.table, _field_of_view(person, to_scan, recorded))


def _field_of_view(person: Person, to_scan: np.ndarray, recorded: SpatialImage) -> SpatialImage:
    """What the scan covers of the atlas, looked up at the voxels of its regions alone, which are few."""
    there = np.zeros(person.atlas.shape[:3], bool)
    for n in range(person.atlas.shape[3]):
        there |= np.asarray(person.atlas.dataobj[..., n]) > 0
    points = nb.affines.apply_affine(person.atlas.affine, np.argwhere(there))
    seen = np.zeros(there.shape, np.float32)
    seen[there] = sample_points(recorded, map_points(points, [person.to_template, to_scan]))
    return make_image(seen, person.atlas)
