"""What the motor band measures on a normalised SWI, as rows of the measures table."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid, make_image
from mndmri.susceptibility.band_error import drawn_quantiles, pieces
from mndmri.susceptibility.curvature import plate_response
from mndmri.susceptibility.geometry import in_plane_mm
from mndmri.susceptibility.regions import (
    BANKS,
    BODY_PARTS,
    MEASURED_REGIONS,
    REFERENCE,
    SURFACES,
    THICKNESS_REGIONS,
    region_values,
)
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

QUALITY = ("removed_vein_fraction", "in_plane_voxel_size", "phase_weighted")
CONTROL_GYRI = [(region, hemi) for region in ("postcentral", "superior_frontal", "middle_frontal") for hemi in "LR"]

# Band darkness. Fluid at the rim of a mask and veins are bright and dark by chance: the quartile of the darkest voxels
# of real banks varies less than their median. Where a bank's outline lies too far inwards all of it is darker, the
# surface four times as much as the depth: so much of the surface's contrast is taken off. A band spares the surface.
DARK_PERCENTILE = 25.0
SURFACE_SHARE = 0.25

# A region of which the image shows less is not measured, as a level of the tract is not (config, dwi.min_coverage).
_MIN_COVERAGE = 0.8

Key = tuple[str, str]


def across_cortex(region: str) -> bool:
    """Whether a region exists only where several voxels fit across the cortex, 2.5 mm thick: banks and depths."""
    return "anterior" in region or "posterior" in region


class Limits(NamedTuple):
    """What a region needs to be measured, and what the scan gives."""

    min_voxels: int
    max_in_plane_mm: float
    in_plane_mm: float

    @property
    def coarse(self) -> str:
        """Why banks and veins cannot be seen, empty if they can."""
        if self.in_plane_mm <= self.max_in_plane_mm:
            return ""
        return (
            f"in-plane voxels of {self.in_plane_mm:.3g} mm do not resolve the band; "
            f"at most {self.max_in_plane_mm:g} mm needed"
        )

    def reason(self, key: Key, values: np.ndarray, covered: float = 1.0) -> str:
        """Why a region's values do not suffice for a statistic, or ok; ``covered`` is the share of it in the scan."""
        name = f"{key[0]} ({key[1]})"
        if across_cortex(key[0]) and self.coarse:
            return self.coarse
        if len(values) == 0:
            return f"no voxel of {name} with signal"
        if len(values) < self.min_voxels:
            return f"{len(values)} voxels of {name}, fewer than {self.min_voxels}"
        if covered < _MIN_COVERAGE:
            return f"the scan covers {covered:.0%} of {name}, less than {_MIN_COVERAGE:.0%}"
        return OK


def in_view(table: pd.DataFrame) -> dict[Key, float]:
    """Share of each region in the field of view, from `regions.with_coverage`; 1 where it is unknown."""
    shares = table.get("coverage", pd.Series(1.0, table.index)).fillna(1.0)
    return dict(zip(zip(table["region"], table["hemi"], strict=True), shares, strict=True))


def measure_susceptibility(
    normalised: SpatialImage,
    masks: SpatialImage,
    table: pd.DataFrame,
    veins: SpatialImage,
    *,
    dark_percentile: float = 5.0,
    min_voxels: int = 10,
    max_in_plane_mm: float = 1.5,
    by_phase: bool = True,
) -> pd.DataFrame:
    """Measures of the precentral hypointensity, modality ``swi``.

    Parameters
    ----------
    normalised : SpatialImage
        SWI with white matter at 1 (`swi.normalise`); 0 where there is no signal.
    masks, table
        From `regions.precentral_regions`; the table with the columns of `regions.with_thickness`
        and `regions.with_coverage`, where they are known.
    veins : SpatialImage
        From `veins.find_veins`; these voxels are left out everywhere.
    dark_percentile : float
        Percentile of the control gyri's intensities below which a voxel is dark.
    min_voxels : int
        A region with fewer voxels after the veins' removal has a missing value.
    max_in_plane_mm : float
        On coarser voxels banks and depths are missing values: the band is not resolved.
    by_phase : bool
        Whether the phase has a part in the image (`swi.Weighted`).

    Returns
    -------
    DataFrame
        Columns `mndmri.tables.measures.MEASURE_COLUMNS`; without unit but for two.

        - ``normalised_hypointensity``: 1 - median(region) / median(reference white matter).
        - ``dark_fraction``: fraction of voxels below the control gyri's low percentile.
        - ``hypointensity_to_thickness`` (1/mm): normalised hypointensity over the thickness of the cortex.
        - ``plate_response``: mean over the deep layers of a bank of `curvature.plate_response`.
        - ``postcentral_contrast``: 1 - median(precentral) / median(postcentral).
        - ``bank_ratio``: median(posterior bank) / median(anterior bank).
        - ``band_contrast``: 1 - median(deep posterior bank) / the lower of the medians of the deep anterior bank and
          of the deep layers opposite, on the postcentral gyrus; above 0 where it is darker than both.
        - ``band_darkness``: contrast of a low percentile of the deep posterior bank to the mean of its two neighbours,
          less a share of the like contrast of their superficial layers (`band_darkness`).
        - ``band_index``: mean of ``band_darkness`` over the three body parts of a side, or of both;
          ``band_index_error``: its standard error (`darkness_with_error`).
        - ``removed_vein_fraction``, ``in_plane_voxel_size`` (mm) and ``phase_weighted`` (1 or 0): quality control.

    Raises
    ------
    InputError
        If grids differ or a mask is missing.

    References
    ----------
    Donatelli et al. 2018, AJNR 39:63, for hypointensity against a reference and over thickness.
    """
    check_same_grid(normalised, masks, veins)
    data = normalised.get_fdata()
    signal = np.isfinite(data) & (data > 0)
    vein = np.asarray(veins.dataobj) > 0.5
    values = region_values(normalised, masks, table, signal & ~vein)
    in_vein = region_values(make_image(vein, normalised), masks, table, signal)
    seen = region_values(make_image(signal, normalised), masks, table, np.ones(data.shape, bool))
    regions = [(region, hemi) for region in MEASURED_REGIONS for hemi in "LR"]
    limits = Limits(min_voxels, max_in_plane_mm, in_plane_mm(normalised))
    covered = {key: share * seen[key].mean() for key, share in in_view(table).items() if len(seen[key])}

    def reason(*keys: Key) -> str:
        """Reason why the medians of these regions cannot be computed, or ok."""
        reasons = [limits.reason(key, values[key], 1.0 if key == REFERENCE else covered.get(key, 1.0)) for key in keys]
        return next((found for found in reasons if found != OK), OK)

    def median(key: Key) -> float:
        return float(np.median(values[key]))

    def result(measure: str, region: str, hemi: str, value: float, status: str, *, of: Key, unit: str = "1") -> dict:
        """Row whose value is missing unless the status is ok."""
        shown = value if status == OK else np.nan
        return row("swi", measure, region, hemi, shown, unit=unit, n_voxels=len(values[of]), status=status)

    def lost(above: Key, *below: Key) -> tuple[float, str]:
        """How far a region's median falls short of the lowest of others', and why not."""
        status = reason(above, *below)
        return (1 - median(above) / min(map(median, below)) if status == OK else np.nan), status

    rows = [result("normalised_hypointensity", *key, *lost(key, REFERENCE), of=key) for key in regions]

    control = np.concatenate([values[key] for key in CONTROL_GYRI])
    enough = limits.reason(("control gyri", "both"), control)
    threshold = np.percentile(control, dark_percentile) if enough == OK else np.nan
    for key in regions:
        status = reason(key) if enough == OK else enough
        fraction = float(np.mean(values[key] < threshold)) if status == OK else np.nan
        rows.append(result("dark_fraction", *key, fraction, status, of=key))

    thickness = table.get("thickness_mm", pd.Series(np.nan, table.index))
    thickness = dict(zip(zip(table["region"], table["hemi"], strict=True), thickness, strict=True))
    for key in [(region, hemi) for region in THICKNESS_REGIONS for hemi in "LR"]:
        value, status = lost(key, REFERENCE)
        if status == OK and not np.isfinite(thickness[key]):
            status = f"the thickness of {key[0]} ({key[1]}) is unknown"
        rows.append(result("hypointensity_to_thickness", *key, value / thickness[key], status, of=key, unit="1/mm"))

    deep = [key for key in regions if "_deep" in key[0]]
    anywhere = np.any([np.asarray(masks.dataobj[..., n]) > 0 for n in _volumes(table, deep)], axis=0)
    plates = plate_response(normalised, make_image(anywhere & signal, normalised))
    responses = region_values(plates, masks, table, signal & ~vein)
    for key in deep:
        status = reason(key)
        value = float(np.mean(responses[key])) if status == OK else np.nan
        rows.append(result("plate_response", *key, value, status, of=key))

    owners = region_values(pieces(normalised), masks, table, signal & ~vein)
    index = {}
    for hemi in "LR":
        own, posterior, anterior = (("precentral" + bank, hemi) for bank in ("", "_posterior", "_anterior"))
        contrast = lost(own, ("postcentral", hemi))
        rows.append(result("postcentral_contrast", "precentral", hemi, *contrast, of=own))
        short, status = lost(posterior, anterior)
        rows.append(result("bank_ratio", "precentral", hemi, 1 - short, status, of=posterior))
        for part in BODY_PARTS:
            inner, before, behind = ((f"{bank}_{part}", hemi) for bank in BANKS)
            rows.append(result("band_contrast", f"precentral_{part}", hemi, *lost(inner, before, behind), of=inner))
            above = [(f"{bank}_{part}", hemi) for bank in SURFACES]
            status = reason(inner, before, behind, *above)
            found = Darkness(np.nan, np.nan)
            if status == OK:
                banks = [inner, before, behind, *above]
                found = darkness_with_error([values[key] for key in banks], [owners[key] for key in banks])
            rows.append(result("band_darkness", f"precentral_{part}", hemi, found.value, status, of=inner))
            index[part, hemi] = found, status, len(values[inner])

    # Motion and blur are those of both sides: in repeated scans of simulated heads their errors correlate by 0.7: the
    # mean of both varies as one side does.
    for hemi, sides in (("L", "L"), ("R", "R"), ("both", "LR")):
        parts, statuses, sizes = zip(*(index[part, side] for part in BODY_PARTS for side in sides), strict=True)
        status = next((found for found in statuses if found != OK), OK)
        found = mean_darkness(parts)
        if len(sides) == 2:
            found = found._replace(error=found.error * np.sqrt(2))
        for measure, value in zip(("band_index", "band_index_error"), found, strict=True):
            shown = value if status == OK else np.nan
            rows.append(row("swi", measure, "precentral", hemi, shown, unit="1", n_voxels=sum(sizes), status=status))

    for key in regions:
        n = len(in_vein[key])
        status = limits.coarse or (OK if n else f"no voxel of {key[0]} ({key[1]}) with signal")
        fraction = float(np.mean(in_vein[key])) if status == OK else np.nan
        rows.append(row("swi", "removed_vein_fraction", *key, fraction, unit="1", n_voxels=n, status=status))
    n = int(signal.sum())
    rows.append(row("swi", "in_plane_voxel_size", "brain", "both", limits.in_plane_mm, unit="mm", n_voxels=n))
    rows.append(row("swi", "phase_weighted", "brain", "both", float(by_phase), unit="1", n_voxels=n))
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)


class Darkness(NamedTuple):
    """How dark a band is, and the standard error of it."""

    value: float
    error: float


def darkness_with_error(banks: Sequence[np.ndarray], owners: Sequence[np.ndarray]) -> Darkness:
    """How dark a body part's band is (`band_darkness`), and its standard error by drawing pieces of the sulcus anew.

    Parameters
    ----------
    banks : six 1D arrays
        Values of the three deep layers and of the three superficial ones, as in `band_darkness`.
    owners : six 1D arrays
        Which piece of the sulcus each lies in (`band_error.pieces`).
    """
    shares = [DARK_PERCENTILE / 100] * 3 + [0.5] * 3
    drawn = drawn_quantiles(banks, owners, shares).T
    return Darkness(band_darkness(banks[:3], banks[3:]), float(np.nanstd(_darkness(drawn[:3], drawn[3:]), ddof=1)))


def mean_darkness(parts: Sequence[Darkness]) -> Darkness:
    """Mean of the bands of several body parts, whose errors are unrelated."""
    return Darkness(
        float(np.mean([part.value for part in parts])),
        float(np.sqrt(np.sum([part.error**2 for part in parts])) / len(parts)),
    )


def band_darkness(deep: Sequence[np.ndarray], superficial: Sequence[np.ndarray]) -> float:
    """How much darker the deep layers of the precentral gyrus's posterior bank are than its neighbours'.

    Parameters
    ----------
    deep, superficial : three 1D arrays
        Values of the posterior bank, of the anterior bank, and of the postcentral gyrus's anterior bank.

    Returns
    -------
    float
        Unitless; above 0 where it is darker, 0.1 for a tenth. `DARK_PERCENTILE` of the deep layers, median of the
        superficial, each against the mean of both neighbours; of the latter contrast `SURFACE_SHARE` is taken off.
    """
    percentiles = np.array([np.percentile(values, DARK_PERCENTILE) for values in deep])
    return float(_darkness(percentiles, np.array([np.median(values) for values in superficial])))


def _darkness(percentiles: np.ndarray, medians: np.ndarray) -> np.ndarray:
    """Contrast of the first to the mean of the others, deep less a share of superficial; shapes (3, ...)."""
    deep, surface = (1 - values[0] / values[1:].mean(axis=0) for values in (percentiles, medians))
    return deep - SURFACE_SHARE * surface


def _volumes(table: pd.DataFrame, keys: list[Key]) -> list[int]:
    """Which volumes these masks are."""
    wanted = [key in set(keys) for key in zip(table["region"], table["hemi"], strict=True)]
    return table.loc[wanted, "index"].astype(int).tolist()
