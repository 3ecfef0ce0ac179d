"""Volumes of a person's visits in the space midway between them, and their change."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.field_of_view import border_area_cm2
from mndmri.anatomy.lobes import measure_lobes
from mndmri.anatomy.midway import Midway, Visit
from mndmri.anatomy.suitability import too_coarse, unmeasurable
from mndmri.anatomy.tissue import TISSUES, brain_tissue, segment_alike
from mndmri.anatomy.volumes import measure_volumes
from mndmri.atlas.on_scan import Person, coverage_of, on_scan
from mndmri.grids import make_image, world_coordinates
from mndmri.registration.register import Warp, jacobian_determinant
from mndmri.registration.smoothing import smooth_within
from mndmri.registration.transforms import map_points
from mndmri.tables.columns import SESSION
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

WITHIN, JACOBIAN = "volume_within", "volume_jacobian"
WITHIN_COLUMNS = [SESSION, *MEASURE_COLUMNS]
_SHOWN_MM = 8.0  # FWHM, of the map of change

Reasons = Mapping[tuple[str, str], str]
_NO_REASONS: Mapping[str, Reasons] = MappingProxyType({})


def choose_visits(visits: Mapping[str, Visit], *, max_voxel_mm: float) -> dict[str, Visit]:
    """Visits that are aligned: those whose voxels are small enough for volumes; all if none are.

    One image of thick slices would blur all others, which are made as coarse as the coarsest.
    """
    fine = {name: visit for name, visit in visits.items() if not too_coarse(visit.t1w, max_voxel_mm=max_voxel_mm)}
    return fine or dict(visits)


def find_reasons(
    visits: Mapping[str, Visit],
    poses: Mapping[str, np.ndarray],
    warp: Warp,
    atlas: SpatialImage,
    table: pd.DataFrame,
    *,
    min_coverage: float,
    max_border_cm2: float,
    max_voxel_mm: float,
) -> dict[str, dict[tuple[str, str], str]]:
    """Why volumes cannot be measured at each visit: by session, region and hemi.

    Parameters
    ----------
    visits : mapping of str to Visit
        By session, as preprocessed for themselves.
    poses : mapping of str to ndarray
        As in `mndmri.anatomy.midway.Midway`; visits that are not in it were not aligned.
    warp, atlas, table
        As for `measure_within`.
    min_coverage, max_border_cm2, max_voxel_mm
        As for `mndmri.anatomy.suitability.unmeasurable` and `too_coarse`.
    """
    person = Person(warp.fixed_to_moving, warp.moving_to_fixed, atlas, table, white_matter=atlas)
    limits = {"min_coverage": min_coverage, "max_border_cm2": max_border_cm2}
    found = {}
    for session, visit in visits.items():
        coverage = coverage_of(person, visit.recorded, to_scan=poses.get(session, np.eye(4)))
        coarse = too_coarse(visit.t1w, max_voxel_mm=max_voxel_mm)
        found[session] = unmeasurable(coverage, border_area_cm2(visit.mask, visit.recorded), coarse, **limits)
    return found


def measure_within(
    midway: Midway,
    warp: Warp,
    atlas: SpatialImage,
    table: pd.DataFrame,
    *,
    tissue: SpatialImage,
    lobes: SpatialImage,
    nuclei: SpatialImage | None = None,
    reasons: Mapping[str, Reasons] = _NO_REASONS,
) -> pd.DataFrame:
    """Volumes of each visit: of its own tissue in the midway space, and by the Jacobian of its warp.

    Parameters
    ----------
    midway : Midway
    warp : Warp
        Of the midway brain to the template: one for all visits.
    atlas, table : SpatialImage, DataFrame
        Regions of `mndmri.anatomy.volumes.VOLUME_REGIONS` in template space, as from `mndmri.atlas.regions.restrict`.
    tissue, nuclei : SpatialImage
        The template's, as for `mndmri.anatomy.tissue.segment_tissue`.
    lobes : SpatialImage
        As for `mndmri.anatomy.lobes.measure_lobes`.
    reasons : mapping, optional
        As from `find_reasons`. A visit that is in it and was not aligned has its rows too, without values.

    Returns
    -------
    DataFrame
        Columns `WITHIN_COLUMNS`; measures ``volume_within`` and ``volume_jacobian``, in ml.

    Notes
    -----
    ``volume_within`` classifies all visits by one model of their intensities, with one mask, the same priors and the
    same regions. ``volume_jacobian`` is the tissue of the median of all visits, each voxel times the change of volume
    from the mean shape to the visit (tensor-based morphometry; Ashburner and Ridgway 2013, Front Neurosci 6:197).
    """
    here = on_scan(
        midway.brain, Person(warp.fixed_to_moving, warp.moving_to_fixed, atlas, table, white_matter=midway.mask)
    )
    images = [midway.brain, *(_filled(head, midway.brain) for head in midway.visits.values())]
    middle, *aligned = segment_alike(images, midway.mask, tissue, warp.fixed_to_moving, nuclei=nuclei)
    own = dict(zip(midway.visits, aligned, strict=True))
    found = []
    for session in dict.fromkeys([*reasons, *own]):
        shown = {WITHIN: own.get(session, middle), JACOBIAN: middle}
        if session in own:
            shown[JACOBIAN] = _grown(middle, midway.shifts[session])
        why = reasons.get(session, {})
        for measure, maps in shown.items():
            rows = [
                measure_volumes(maps, here.weights, table, reasons=why),
                measure_lobes(maps, lobes, here.mni_mm, reasons=why),
            ]
            found.append(pd.concat(rows).assign(**{"measure": measure, SESSION: session}))
    return pd.concat(found, ignore_index=True)[WITHIN_COLUMNS]


def _filled(head: SpatialImage, middle: SpatialImage) -> SpatialImage:
    """A visit's head, and the median of all where it was not recorded."""
    values = np.asarray(head.dataobj)
    return make_image(np.where(np.isfinite(values), values, np.asarray(middle.dataobj)), head)


def _grown(tissue: Mapping[str, SpatialImage], shift: SpatialImage) -> dict[str, SpatialImage]:
    """Tissue of the mean shape as volume at a visit."""
    change = jacobian_determinant(shift).get_fdata(dtype=np.float32)
    return {name: make_image(image.get_fdata(dtype=np.float32) * change, image) for name, image in tissue.items()}


def growth_between(midway: Midway, first: str, last: str) -> SpatialImage:
    """Change of grey matter's volume from one visit to another, relative: -0.1 where a tenth is lost.

    By the Jacobian, mean over the grey matter round each voxel; missing where there is none. What the cortex loses the
    fluid beside it gains, so that a mean over both would be nothing.
    """
    before, after = (
        jacobian_determinant(midway.shifts[session]).get_fdata(dtype=np.float32) for session in (first, last)
    )
    grey = brain_tissue(midway.brain).slicer[..., TISSUES.index("GM")]
    return smooth_within(make_image(after / before - 1, midway.mask), grey, fwhm_mm=_SHOWN_MM)


def measure_alignment(midway: Midway, volumes: pd.DataFrame) -> pd.DataFrame:
    """Quality measures of each visit's alignment.

    Parameters
    ----------
    midway : Midway
    volumes : DataFrame
        As from `measure_within`.

    Returns
    -------
    DataFrame
        Columns `WITHIN_COLUMNS`: ``visit_movement`` (mm), how far the brain lies from the middle of all visits in the
        coordinates of the scanner; ``visit_residual``, the difference from the median of all, where white matter is 1;
        ``visit_shift`` (mm), displacements of the warp (all root mean squares over the brain); ``visit_min_jacobian``;
        ``visit_agreement`` (%), grey matter by its own tissue less that by the Jacobian, each relative to its mean.
    """
    brain = np.asarray(midway.mask.dataobj) > 0
    n = int(brain.sum())
    points = world_coordinates(midway.mask)[brain]
    grey = volumes[(volumes["region"] == "gm")].pivot(index=SESSION, columns="measure", values="value")
    grey = 100 * grey / grey.mean()
    middle = np.asarray(midway.brain.dataobj)[brain]
    rows = []
    for session, head in midway.visits.items():
        difference = np.asarray(head.dataobj)[brain] - middle
        agreement = grey.at[session, WITHIN] - grey.at[session, JACOBIAN]
        status = OK if np.isfinite(agreement) else "grey matter has no volume at this visit"
        growth = np.asarray(jacobian_determinant(midway.shifts[session]).dataobj)[brain]
        values = {
            "visit_movement": (_rms(map_points(points, [midway.poses[session]]) - points), "mm"),
            "visit_residual": (float(np.sqrt(np.nanmean(difference**2))), "1"),
            "visit_shift": (_rms(np.asarray(midway.shifts[session].dataobj)[..., 0, :][brain]), "mm"),
            "visit_min_jacobian": (float(growth.min()), "1"),
        }
        of_visit = [row("t1w", name, "brain", "both", v, unit=unit, n_voxels=n) for name, (v, unit) in values.items()]
        of_visit.append(row("t1w", "visit_agreement", "gm", "both", agreement, unit="%", n_voxels=n, status=status))
        rows.append(pd.DataFrame(of_visit).assign(**{SESSION: session}))
    return pd.concat(rows, ignore_index=True)[WITHIN_COLUMNS]


def _rms(vectors: np.ndarray) -> float:
    """Root mean square of the lengths of vectors, shape (n, 3)."""
    return float(np.sqrt((vectors.astype(float) ** 2).sum(axis=-1).mean()))
