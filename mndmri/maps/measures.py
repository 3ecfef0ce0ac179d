"""Measures of a map in the regions of the motor system, on the map's own grid."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.signal import (
    CST_REGIONS,
    MIN_TRACT_WM,
    REFERENCE_REGIONS,
    measure_signal,
    recorded,
    reference_signal,
)
from mndmri.anatomy.volumes import VOLUME_REGIONS, in_gyrus
from mndmri.atlas.on_scan import OnScan, Person, on_scan
from mndmri.atlas.regions import select
from mndmri.diffusion.profile import PROFILE_COLUMNS, measure_profile
from mndmri.diffusion.tract import NOWHERE, judge_region, region_weight, tract_kind, tract_weight, weighted_mean
from mndmri.grids import bounding_box, make_image, same_grid
from mndmri.registration.transforms import average_over_voxels, resample
from mndmri.susceptibility.geometry import in_plane_mm
from mndmri.susceptibility.measures import Limits, in_view
from mndmri.susceptibility.preprocessing import Anatomical, place_regions
from mndmri.susceptibility.regions import ATLAS_REGIONS as PRECENTRAL
from mndmri.susceptibility.regions import measured_values
from mndmri.tables.coverage import coverage_status
from mndmri.tables.maps import MEASURE, MEDIAN, unit_of
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

CALLOSAL_REGIONS = ("cc_midbody", "cc_splenium")
# What each choice of `where` asks of an atlas.
_ASKED = {"cst": CST_REGIONS, "callosum": CALLOSAL_REGIONS, "gyri": VOLUME_REGIONS, "precentral": PRECENTRAL}
_HALF = 0.5


class Place(NamedTuple):
    """Where a map lies in a person's head."""

    person: Person
    """Registration of the T1w image to the template, with `atlas_regions` and white matter."""
    anatomical: Anatomical
    to_map: np.ndarray
    """From points of the T1w image to those of the map, shape (4, 4)."""
    diffusion: "Diffusion | None" = None
    """For a map that is aligned to the diffusion series."""
    veins: SpatialImage | None = None
    """Voxels that are no tissue, for a map that is aligned to the gradient echo."""


class Diffusion(NamedTuple):
    """The diffusion series that a map is aligned to: the tract is measured as on the maps of its tensor."""

    from_template: SpatialImage
    to_template: SpatialImage
    fa: SpatialImage
    field_of_view: SpatialImage
    """Where the series has a signal, 0 or 1."""
    beside: Mapping[tuple[str, str], str] = NOWHERE
    """Levels that do not lie on the tract, and how that shows."""


class Thresholds(NamedTuple):
    """What a region needs to be measured."""

    min_coverage: float = 0.8
    min_voxels: int = 10
    min_fa: float = 0.2
    max_in_plane_mm: float = 1.5


class Measured(NamedTuple):
    """Measures of a map."""

    rows: pd.DataFrame
    """Columns `MEASURE_COLUMNS`."""
    profile: pd.DataFrame
    """Of the tract, as from `mndmri.diffusion.profile.measure_profile`; empty where the tract is not measured."""
    scale: float
    """What the map was divided by; 1 for values with a unit, not a number where the reference is missing."""


def atlas_regions(declared: Mapping[str, Any]) -> list[str]:
    """Regions that the measures of a declared map ask of an atlas."""
    asked = [region for where in declared["where"] for region in _ASKED[where]]
    reference = ["cst", *REFERENCE_REGIONS] if declared["quantity"] == "signal" else []
    return list(dict.fromkeys([*asked, *reference]))


def measure_map(
    image: SpatialImage,
    place: Place,
    declared: Mapping[str, Any],
    *,
    modality: str,
    thresholds: Thresholds = Thresholds(),  # noqa: B008
) -> Measured:
    """A map's measures wherever its declaration asks for them.

    Parameters
    ----------
    image : SpatialImage
        3D, from `mndmri.maps.alignment.align_map`; 0 where it has no value.
    place : Place
    declared : mapping
        As in the config's ``maps``: quantity, unit and where.
    modality : str
        Name of the map.
    thresholds : Thresholds

    Notes
    -----
    Tract and callosum: of a signal `mndmri.anatomy.signal.measure_signal`; otherwise sum(w m) / sum(w), with
    w = p(region) x p(white matter) over voxels that are mostly white matter, or, on diffusion images, whose FA is above
    ``min_fa``. Gyri: mean weighted by the share of grey matter, over voxels that are mostly grey matter; of a signal
    the median. Precentral cortex: mean (of a signal median) over the masks of `mndmri.susceptibility.regions`. A
    relative map is divided by its mean over the grey matter of the brain.
    """
    grey = average_over_voxels(place.anatomical.grey, image, [np.linalg.inv(place.to_map)])
    shown = _shown(image, place, declared, grey)
    box = _box(image, place)
    part, grey_matter = image.slicer[box], grey.slicer[box].get_fdata()
    values = part.get_fdata()
    known = values != 0
    here = _on_map(part, place, shown)
    scale = _scale(part, here, known, grey_matter, declared, thresholds)
    scan = _Scan(part, values, known, here, grey_matter, scale, declared, modality, thresholds)
    where, rows = declared["where"], []
    tract = [*(CST_REGIONS if "cst" in where else ()), *(CALLOSAL_REGIONS if "callosum" in where else ())]
    weight, kind = _tract_weight(scan, place)
    beside = place.diffusion.beside if place.diffusion else NOWHERE
    if tract and declared["quantity"] == "signal":
        rows += _signal_rows(scan, tract)
    elif tract:
        rows += _tract_rows(scan, tract, weight, kind, beside)
    if "gyri" in where:
        rows += _gyral_rows(scan)
    if "precentral" in where:
        rows += _precentral_rows(scan, image, place)
    number = scale if isinstance(scale, float) else np.nan
    profile = pd.DataFrame(columns=PROFILE_COLUMNS)
    if "cst" in where:
        name = MEASURE[declared["quantity"]]
        divided = make_image(values / (number if np.isfinite(number) else 1.0), part)
        profile = measure_profile(
            {name: divided},
            weight,
            here.weights,
            here.table,
            here.mni_mm,
            place.person.atlas,
            here.field_of_view,
            modality=modality,
            units={name: unit_of(declared)},
            beside=beside,
            min_coverage=thresholds.min_coverage,
            min_voxels=thresholds.min_voxels,
        )
        if isinstance(scale, str):
            profile = profile.assign(value=np.nan, status=profile["status"].where(profile["status"] != OK, scale))
    return Measured(pd.DataFrame(rows, columns=MEASURE_COLUMNS), profile, number)


class _Scan(NamedTuple):
    """What all measures of a map share."""

    image: SpatialImage  # the part of the map in which the brain is
    values: np.ndarray
    known: np.ndarray  # where there is a value
    here: OnScan
    grey: np.ndarray
    scale: float | str  # or why there is none
    declared: Mapping[str, Any]
    modality: str
    thresholds: Thresholds

    def row(
        self, region: str, hemi: str, value: float, n_voxels: int, status: str, measure: str | None = None
    ) -> dict[str, Any]:
        """Row of a region, divided by the scale; without one the reason is that of the scale."""
        if status == OK and isinstance(self.scale, str):
            status = self.scale
        divided = value / self.scale if status == OK and isinstance(self.scale, float) else np.nan
        name = measure or MEASURE[self.declared["quantity"]]
        unit = unit_of(self.declared)
        return row(self.modality, name, region, hemi, divided, unit=unit, n_voxels=n_voxels, status=status)

    @property
    def by_median(self) -> bool:
        return bool(self.declared["quantity"] == "signal")


def _on_map(part: SpatialImage, place: Place, shown: SpatialImage) -> OnScan:
    """Regions and white matter on the map's grid; on diffusion images by their own registration to the template."""
    if place.diffusion is None:
        return on_scan(part, place.person, to_scan=place.to_map, recorded=shown)
    person = place.person._replace(
        from_template=place.diffusion.from_template, to_template=place.diffusion.to_template, from_t1w=place.to_map
    )
    return on_scan(part, person, recorded=shown)


def _shown(image: SpatialImage, place: Place, declared: Mapping[str, Any], grey: SpatialImage) -> SpatialImage:
    """Where a map has a value or need not have one: other programs write 0 outside the brain, also within a region."""
    if place.diffusion is not None:
        return place.diffusion.field_of_view
    if declared["quantity"] == "signal":
        return recorded(image)
    white = resample(place.person.white_matter, image, [np.linalg.inv(place.to_map)])
    return make_image((image.get_fdata() != 0) | (grey.get_fdata() + white.get_fdata() < _HALF), image)


def _box(image: SpatialImage, place: Place) -> tuple[slice, slice, slice]:
    """Where on a map's grid the brain is: a head is three times its brain."""
    if place.diffusion is not None:  # a sum over fewer voxels differs in its last digit from that of the tensor's maps
        return slice(None), slice(None), slice(None)
    return bounding_box(resample(place.anatomical.mask, image, [np.linalg.inv(place.to_map)]))


def _scale(
    image: SpatialImage,
    here: OnScan,
    known: np.ndarray,
    grey: np.ndarray,
    declared: Mapping[str, Any],
    thresholds: Thresholds,
) -> float | str:
    """What a map is divided by, or why there is nothing to divide by."""
    if declared["quantity"] == "value":
        return 1.0
    if declared["quantity"] == "signal":
        return reference_signal(image, here.white_matter, here.weights, here.table, min_voxels=thresholds.min_voxels)
    inside = known & (grey >= _HALF)
    if inside.sum() < max(thresholds.min_voxels, 1):
        return f"{inside.sum()} voxels of grey matter to compare with, at least {thresholds.min_voxels} are needed"
    mean = float(np.average(image.get_fdata()[inside], weights=grey[inside]))
    return mean if mean > 0 else f"the mean of grey matter is {mean:.3g}, nothing to divide by"


def _tract_weight(scan: _Scan, place: Place) -> tuple[np.ndarray, str]:
    """Share of tract in each voxel besides the probability of the region, and what it is called."""
    if place.diffusion is None:
        white = np.clip(scan.here.white_matter.get_fdata(), 0, 1)
        return white * (scan.known & (white >= MIN_TRACT_WM)), "white matter"
    min_fa, fa = scan.thresholds.min_fa, _on_grid_of(place.diffusion.fa, scan.image)
    return tract_weight(fa, scan.here.white_matter, min_fa=min_fa) * scan.known, tract_kind(min_fa)


def _on_grid_of(scan: SpatialImage, image: SpatialImage) -> SpatialImage:
    """Image of the scan that a map is aligned to, on the map's grid, which may be another."""
    return scan if same_grid(scan, image) else resample(scan, image)


def _sides(table: pd.DataFrame, region: str) -> Iterable[str]:
    return list(table.loc[table["region"] == region, "hemi"])


def _signal_rows(scan: _Scan, regions: Iterable[str]) -> list[dict[str, Any]]:
    here, limits = scan.here, scan.thresholds
    found = measure_signal(
        scan.image,
        here.white_matter,
        here.weights,
        here.table,
        here.coverage,
        modality=scan.modality,
        regions=regions,
        min_coverage=limits.min_coverage,
        min_voxels=limits.min_voxels,
    )
    return list(found.to_dict("records"))


def _tract_rows(
    scan: _Scan, regions: Iterable[str], tract: np.ndarray, kind: str, beside: Mapping[tuple[str, str], str]
) -> list[dict[str, Any]]:
    here, limits, rows = scan.here, scan.thresholds, []
    for region in regions:
        for hemi in _sides(here.table, region):
            weight = region_weight(here.weights, here.table, region, hemi) * tract
            n_voxels, status = judge_region(
                weight,
                (region, hemi),
                here.coverage,
                kind=kind,
                beside=beside,
                min_coverage=limits.min_coverage,
                min_voxels=limits.min_voxels,
            )
            value = weighted_mean(scan.values, weight) if status == OK else np.nan
            rows.append(scan.row(region, hemi, value, n_voxels, status))
    return rows


def _gyral_rows(scan: _Scan) -> list[dict[str, Any]]:
    """Grey matter of the gyri."""
    here, limits, rows = scan.here, scan.thresholds, []
    weights = np.asarray(here.weights.dataobj)
    competing = here.table["region"].isin([region for region in VOLUME_REGIONS if region != "paracentral"])
    winning = weights[..., here.table.loc[competing, "index"].to_numpy()].max(axis=-1)
    for region in VOLUME_REGIONS:
        for hemi in "LR":
            probability = np.asarray(select(here.weights, here.table, region, hemi).dataobj)
            own = in_gyrus(probability, 0 if region == "paracentral" else winning)
            own &= scan.known & (scan.grey >= _HALF)
            n_voxels = int(own.sum())
            status = coverage_status(
                float(here.coverage[region, hemi]),
                n_voxels,
                min_coverage=limits.min_coverage,
                min_voxels=limits.min_voxels,
                place="gyrus",
                kind="grey matter",
            )
            value = np.nan
            if status == OK:
                of = scan.values[own]
                value = float(np.median(of) if scan.by_median else np.average(of, weights=scan.grey[own]))
            rows.append(scan.row(region, hemi, value, n_voxels, status))
    return rows


def _precentral_rows(scan: _Scan, image: SpatialImage, place: Place) -> list[dict[str, Any]]:
    """Masks of the precentral cortex: banks, depths and body parts where voxels are fine enough.

    Whole gyri that have a row already, of their grey matter alone, have no second one. What the grid covers of a gyrus
    is asked of the whole of it.
    """
    located = place_regions(image, place.anatomical, place.person, place.to_map)
    known = image.get_fdata() != 0
    if place.veins is not None:
        known &= _on_grid_of(place.veins, image).get_fdata() <= _HALF
    limits = Limits(scan.thresholds.min_voxels, scan.thresholds.max_in_plane_mm, in_plane_mm(image))
    shares, rows = in_view(located.names), []
    also = VOLUME_REGIONS if "gyri" in scan.declared["where"] else ()
    for (region, hemi), own in measured_values(image, located.masks, located.names, known).items():
        status = limits.reason((region, hemi), own, shares[region, hemi])
        mean, median = (float(np.mean(own)), float(np.median(own))) if status == OK else (np.nan, np.nan)
        if region not in also:
            rows.append(scan.row(region, hemi, median if scan.by_median else mean, len(own), status))
        if scan.declared["quantity"] == "value":
            rows.append(scan.row(region, hemi, median, len(own), status, measure=MEDIAN))
    return rows
