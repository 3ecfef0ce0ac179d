"""Quality control: quality measures outside their limits, and outlying values.

Nothing here excludes anybody. A flag asks a person to look; exclusion is that person's decision.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mndmri.io import InputError
from mndmri.robust import MAD_TO_SD
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.grades import grade_rows
from mndmri.tables.measures import COLUMN_DESCRIPTIONS, MEASURE_COLUMNS
from mndmri.units import split_unit

_DESCRIPTIONS = {
    "participant_id": "Participant, as in the study's participants table.",
    "modality": "Kind of image.",
    "measure": "Quality measure; measures are defined below. robust_z_...: distance of a primary measure from the "
    "median of the participant's group.",
    "region": "Region in which it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "value": "The value.",
    "unit": "Unit of the value; 1 for a ratio or fraction.",
    "lower": "Least value without a flag, from the config; missing where there is no such limit.",
    "upper": "Greatest value without a flag.",
    "flag": "yes if the value lies outside its limits, so that the scan should be looked at; no; missing if it has "
    "no value.",
    "reason": "Why it is flagged, or has no value.",
}
QC_COLUMNS = list(_DESCRIPTIONS)
FLAGGED = "yes"
NOT_FLAGGED = "no"
ROBUST_Z = "robust_z_"
CORRECTION = "distortion_correction"
NOT_CORRECTED = 0.0

# Quality measures of the scans; `robust_outliers` adds those of unlikely values.
DEFINITIONS: dict[str, dict[str, str]] = {
    "brain_extraction": {
        "Description": "How the brain was found: 0 by your own mask, 1 by deepbet, 2 by the head template.",
        "Units": "1",
    },
    "brain_volume": {"Description": "Volume of the brain mask.", "Units": "ml"},
    "dice_gm": {
        "Description": "Dice overlap of grey matter, brought to the template, with the template's grey matter: "
        "accuracy of the registration.",
        "Units": "1",
    },
    "min_jacobian": {
        "Description": "Smallest Jacobian determinant of the registration inside the brain; 0 or less where it folds.",
        "Units": "1",
    },
    "visit_movement": {
        "Description": "Distance of the brain at a visit from the middle of all visits of the person, in the scanner's "
        "coordinates (root mean square over the brain). Not an error: it is corrected.",
        "Units": "mm",
    },
    "visit_residual": {
        "Description": "Difference of a visit's image, aligned, from the median of all visits, where white matter is 1 "
        "(root mean square over the brain): noise, movement during the scan, change.",
        "Units": "1",
    },
    "visit_shift": {
        "Description": "Displacement from the mean shape of a person's visits to this visit (root mean square over the "
        "brain).",
        "Units": "mm",
    },
    "visit_min_jacobian": {
        "Description": "Smallest Jacobian determinant of that displacement in the brain; 0 or less where it folds.",
        "Units": "1",
    },
    "visit_agreement": {
        "Description": "Grey matter of a visit relative to the mean of all visits, by volume_within less by "
        "volume_jacobian.",
        "Units": "%",
    },
    "without_t1w": {
        "Description": "1: the participant has no T1w image, and an image made of this row's modality took its place, "
        "for the registration to the template and the classification of tissue: of FA and mean diffusivity (dwi), or "
        "of the gradient echo's magnitude or SWI (swi).",
        "Units": "1",
    },
    "border_area": {
        "Description": "Area over which the brain mask touches the end of the T1w image, or padding: beyond the "
        "config's t1w.max_border_cm2 the image ends inside the brain, and tiv, gm, wm and csf are n/a.",
        "Units": "cm2",
    },
    "longest_voxel": {
        "Description": "Longest edge of the T1w image's voxels: beyond the config's t1w.max_voxel_mm volumes and maps "
        "of grey matter are n/a.",
        "Units": "mm",
    },
    "region_coverage": {
        "Description": "Share of a gyrus (its atlas probability) that the T1w image shows: below the config's "
        "t1w.min_coverage its volume and thickness are n/a.",
        "Units": "1",
    },
    "cord_coverage": {
        "Description": "Share of the stretch from 30 to 50 mm below the pontomedullary junction in which the cord was "
        "outlined; the cord's area changes along it.",
        "Units": "1",
    },
    "isocentre_distance": {
        "Description": "Distance of that stretch from the origin of the image's coordinates, which is the scanner's "
        "isocentre unless a program moved it; gradients are less linear further out.",
        "Units": "mm",
    },
    "gradient_verdict": {
        "Description": "Gradient table compared with the images: 0 it fits, 1 another order or sign of its axes fits "
        "better, 2 the images do not tell; from the aligned volumes.",
        "Units": "1",
    },
    "mean_fd": {
        "Description": "Framewise displacement of the diffusion series (Power et al. 2012, sphere of 50 mm), mean "
        "over volumes.",
        "Units": "mm",
    },
    "max_fd": {"Description": "Framewise displacement of the diffusion series, maximum over volumes.", "Units": "mm"},
    "outlier_slices": {
        "Description": "Share of the slices of the diffusion-weighted volumes that lost their signal and were "
        "replaced by their prediction.",
        "Units": "1",
    },
    "neighbour_correlation_raw": {
        "Description": "Mean correlation of each diffusion-weighted volume with the volume of the nearest gradient "
        "direction of the same shell (Yeh et al. 2019), before preprocessing.",
        "Units": "1",
    },
    "neighbour_correlation": {
        "Description": "The same after preprocessing; low with noise, motion and lost slices.",
        "Units": "1",
    },
    "b0_tsnr": {
        "Description": "Temporal signal-to-noise ratio of the b = 0 volumes, median over the brain; at least three "
        "volumes are needed.",
        "Units": "1",
    },
    "distortion_correction": {
        "Description": "Correction of susceptibility distortion that was applied: 0 none, 1 by a series of opposite "
        "phase encoding, 2 by a field map, 3 by the T1w image, 4 by FSL's topup, 5 applied before this pipeline. "
        "Flagged where it was not corrected and that of others in the study was.",
        "Units": "1",
    },
    "distortion_dropped": {
        "Description": "1 where a displacement was estimated and dropped, because the images agreed less with it than "
        "without it: the distortion is not corrected.",
        "Units": "1",
    },
    "distortion_agreement_raw": {
        "Description": "Correlation of the distorted image with the image that the correction compares it with, "
        "before the correction.",
        "Units": "1",
    },
    "distortion_agreement": {"Description": "The same after the correction.", "Units": "1"},
    "negative_eigenvalue_fraction": {
        "Description": "Share of the brain's voxels whose tensor has a negative eigenvalue.",
        "Units": "1",
    },
    "fraction_above_min_fa": {
        "Description": "Share of the tract's white matter with FA above the config's dwi.min_fa.",
        "Units": "1",
    },
    "fa": {"Description": "FA of the corpus callosum, the most coherent bundle of the brain.", "Units": "1"},
    "dice_wm": {
        "Description": "Dice overlap of the voxels with FA above dwi.min_fa with the white matter of the T1w image: "
        "alignment and distortion. Compare it within one protocol.",
        "Units": "1",
    },
    "coverage": {"Description": "Share of a region that lies in the scan's field of view.", "Units": "1"},
    "tract_angle": {
        "Description": "Angle between the main direction of diffusion in a level of the tract and the course of the "
        "atlas's tract, brought to the scan.",
        "Units": "deg",
    },
    "aligned_fraction": {
        "Description": "Share of a level's voxels whose main direction is within 30 degrees of that course; low beside "
        "the tract. Where fibres fan out or cross (the whole tract, the corona radiata and below the cortex) the limit "
        "is two fifths of the config's qc.min_aligned_fraction.",
        "Units": "1",
    },
    "n_streamlines": {"Description": "Streamlines of the tracked corticospinal tract.", "Units": "1"},
    "removed_vein_fraction": {
        "Description": "Share of a region's voxels that were removed as veins or sinuses.",
        "Units": "1",
    },
    "in_plane_voxel_size": {"Description": "Larger voxel size in the plane of the SWI.", "Units": "mm"},
    "phase_weighted": {
        "Description": "Whether the SWI is weighted by phase: 1 by the scanner or by this pipeline, 0 magnitude alone.",
        "Units": "1",
    },
    "alignment_offset": {
        "Description": "Distance of a map or contrast from where it fits the tissue of the T1w image best, in steps of "
        "1 mm along each axis up to 8 mm.",
        "Units": "mm",
    },
    "alignment_fit": {
        "Description": "Share of the variance of a map in the brain that the tissue of the T1w image explains.",
        "Units": "1",
    },
    "mirror_fit": {
        "Description": "Mutual information with the T1w image of the scan mirrored and registered anew, over that of "
        "the scan as it is: above 1 left and right of one of the two are exchanged, or the scan's registration failed.",
        "Units": "1",
    },
    "mapped_fraction": {
        "Description": "Share of the brain mask for which susceptibility could be mapped.",
        "Units": "1",
    },
    "resolution_rms": {"Description": "Root mean square of the edges of the T1w image's voxels.", "Units": "mm"},
    "noise_to_contrast": {
        "Description": "Noise in the white matter of the T1w image over the contrast of white and grey matter, times "
        "5/4 (voxel volume in mm3)^0.4 (after CAT12).",
        "Units": "1",
    },
    "inhomogeneity_to_contrast": {
        "Description": "Standard deviation of white matter in the T1w image as scanned, averaged over 3 mm, over the "
        "same contrast (after CAT12).",
        "Units": "1",
    },
    "mark_resolution": {"Description": "School mark of resolution_rms: 1 at 0.5 mm, 6 at 3 mm.", "Units": "1"},
    "mark_noise": {"Description": "School mark of noise_to_contrast: 1 at 0.0466, 6 at 0.3949.", "Units": "1"},
    "mark_bias": {"Description": "School mark of inhomogeneity_to_contrast: 1 at 0.2178, 6 at 1.1169.", "Units": "1"},
    "mark": {
        "Description": "School mark of the scan, 1 excellent to 6 unacceptable. T1w: power mean (exponent 8) of those "
        "of resolution and noise, as in CAT12 (Dahnke and Gaser); diffusion: of motion, 1 without and 4.5 at the "
        "config's qc.max_mean_fd_mm.",
        "Units": "1",
    },
}

# (measure, region): lowest and highest value without a flag; None is no limit on that side
Limits = Mapping[tuple[str, str], tuple[float | None, float | None]]

# Regions that the diffusion series should cover.
COVERED = ("cst", "cst_subcortical", "cst_corona_radiata", "cst_plic", "cst_peduncle", "cst_pons", "cc_midbody")

# Of these, where fibres fan out or cross others, and the whole tract: fewer voxels run along the middle of the tract.
# Of five real scans the least share is 0.21, and 0.57 in the capsule, peduncle and pons; a part of the limit holds.
FANNING = ("cst", "cst_subcortical", "cst_corona_radiata")
_FANNING_PART = 0.4
# Regions that the T1w image should show.
SHOWN = ("precentral", "paracentral", "postcentral", "superior_frontal", "middle_frontal", "supplementary_motor")

# With fewer values, the median absolute deviation is not a useful scale.
MIN_GROUP_FOR_OUTLIERS = 5


def quality_dictionary(measures: Iterable[str] = ()) -> dict[str, Any]:
    """BIDS data dictionary of qc.tsv, and the meaning of the quality measures in it."""
    described = dictionary("Quality measures of every scan, compared with the limits", _DESCRIPTIONS)
    return described | {"measures": _defined(measures)}


def visits_quality_dictionary(measures: Iterable[str] = ()) -> dict[str, Any]:
    """BIDS data dictionary of qc_visits.tsv."""
    first, *others = _DESCRIPTIONS.items()
    columns = dict([first, ("session", "Session of the visit."), *others])
    described = dictionary("Quality measures of every visit's scans, compared with the limits", columns)
    return described | {"measures": _defined(measures)}


def person_quality_dictionary(measures: Iterable[str]) -> dict[str, Any]:
    """BIDS data dictionary of the table of quality measures of one participant, not yet compared with the limits."""
    columns = {name: COLUMN_DESCRIPTIONS[name] for name in MEASURE_COLUMNS}
    columns["measure"] = "Quality measure; measures are defined below."
    described = dictionary("Quality measures of the scans of this participant", columns)
    return described | {"measures": _defined(measures)}


def _defined(measures: Iterable[str]) -> dict[str, dict[str, str]]:
    return {name: DEFINITIONS[name] for name in dict.fromkeys(measures) if name in DEFINITIONS}


def limits_from_config(qc: Mapping[str, float]) -> Limits:
    """Limits of the quality measures.

    Parameters
    ----------
    qc : mapping
        The config's ``qc`` block, with ``min_coverage`` of its ``dwi`` block, and ``max_border_cm2`` and, as
        ``min_region_coverage``, ``min_coverage`` of its ``t1w`` block.
    """
    levels = {("coverage", region): (qc["min_coverage"], None) for region in COVERED}
    gyri = {("region_coverage", region): (qc["min_region_coverage"], None) for region in SHOWN}
    shares = least_aligned(qc["min_aligned_fraction"])
    aligned = {("aligned_fraction", region): (least, None) for region, least in shares.items()}
    scans: Limits = {
        ("border_area", "brain"): (None, qc["max_border_cm2"]),
        ("longest_voxel", "brain"): (None, qc["max_t1w_voxel_mm"]),
        ("brain_volume", "brain"): (qc["min_brain_ml"], qc["max_brain_ml"]),
        ("dice_gm", "gm"): (qc["min_dice_gm"], None),
        ("gradient_verdict", "brain"): (None, 0),
        ("mean_fd", "brain"): (None, qc["max_mean_fd_mm"]),
        ("outlier_slices", "brain"): (None, qc["max_outlier_slices"]),
        ("neighbour_correlation", "brain"): (qc["min_neighbour_correlation"], None),
        ("fa", "callosum"): (qc["min_callosal_fa"], None),
        ("fraction_above_min_fa", "cst"): (qc["min_cst_fa_share"], None),
        ("mapped_fraction", "brain"): (qc["min_mapped_fraction"], None),
        ("alignment_offset", "brain"): (None, qc["max_alignment_offset_mm"]),
        ("mirror_fit", "brain"): (None, 1.0),
    }
    return {**levels, **gyri, **aligned, **scans}


def least_aligned(share: float) -> dict[str, float]:
    """Least share of a region's voxels along the tract: ``share``, and two fifths of it in `FANNING`."""
    of_tract = [region for region in COVERED if region.startswith("cst")]
    return {region: _FANNING_PART * share if region in FANNING else share for region in of_tract}


def _judge(value: float, lower: float | None, upper: float | None) -> str:
    """Reason for a flag; empty if there is none."""
    if lower is not None and value < lower:
        return f"{value:.4g} is below {lower:g}"
    if upper is not None and value > upper:
        return f"{value:.4g} is above {upper:g}"
    return ""


def qc_table(qc_rows: pd.DataFrame, limits: Limits) -> pd.DataFrame:
    """Quality measures with their limits, and a flag on those outside.

    Parameters
    ----------
    qc_rows : DataFrame
        ``participant_id, modality, measure, region, hemi, value, unit`` and, where a value is missing, the
        reason in ``status``.
    limits : mapping
        ``(measure, region)`` to the lowest and highest value that pass, both included; None for no limit.

    Returns
    -------
    DataFrame
        Columns `QC_COLUMNS`, every row of the input in its order. ``flag`` is ``yes``, ``no``, or missing
        where there is no value; ``reason`` is the reason for the flag or for the missing value. A measure
        without limits is never flagged.

    Raises
    ------
    InputError
        If a lower limit is above the upper one.
    """
    for (measure, region), (low, high) in limits.items():
        if low is not None and high is not None and low > high:
            raise InputError(f"qc limits of {measure} in {region}: the lower, {low:g}, is above the upper, {high:g}")
    rows = []
    for record in qc_rows.to_dict("records"):
        lower, upper = limits.get((record["measure"], record["region"]), (None, None))
        if np.isfinite(record["value"]):
            reason = _judge(record["value"], lower, upper)
            flag = FLAGGED if reason else NOT_FLAGGED
        else:
            flag, reason = None, record.get("status", "no value")
        rows.append(record | {"lower": lower, "upper": upper, "flag": flag, "reason": reason})
    table = pd.DataFrame(rows, columns=QC_COLUMNS)
    return table.astype({"value": float, "lower": float, "upper": float})


def flag_uncorrected(qc: pd.DataFrame) -> pd.DataFrame:
    """Quality-control table with a flag on participants whose distortion was not corrected while that of others was.

    Distortion moves the tract and changes its FA: with some corrected and others not, the correction is a confound.

    Parameters
    ----------
    qc : DataFrame
        Columns `QC_COLUMNS`, of the whole study.
    """
    own = (qc["modality"] == "dwi") & (qc["measure"] == CORRECTION) & qc["value"].notna()
    without = own & (qc["value"] == NOT_CORRECTED)
    if not without.any() or without.sum() == own.sum():
        return qc
    reason = (
        f"not corrected, as in {without.sum()} of {own.sum()} participants; it is in the others: a confound of "
        "diffusion measures"
    )
    return qc.assign(flag=qc["flag"].mask(without, FLAGGED), reason=qc["reason"].mask(without, reason))


def distortion_corrections(qc: pd.DataFrame) -> pd.Series:
    """Whether each participant's diffusion distortion was corrected, ``yes`` or ``no``, by participant_id."""
    rows = qc[(qc["modality"] == "dwi") & (qc["measure"] == CORRECTION) & qc["value"].notna()]
    corrected = rows.set_index("participant_id")["value"] != NOT_CORRECTED
    return corrected.map({True: "yes", False: "no"})


def robust_outliers(measures: pd.DataFrame, primary: Collection[tuple[str, str, str]], *, limit: float) -> pd.DataFrame:
    """Robust z of every participant on the primary measures, flagged where far from 0.

    z = (value - median) / (1.4826 MAD), within the participant's own group: the difference of a patient
    from controls is the object of the study, not a fault of the scan.

    Parameters
    ----------
    measures : DataFrame
        The study's measures table.
    primary : collection of (modality, measure, region)
    limit : float
        Distance from 0 that is flagged beyond; 3.5 in Iglewicz and Hoaglin 1993, How to Detect and
        Handle Outliers.

    Returns
    -------
    DataFrame
        Columns `QC_COLUMNS`; ``measure`` is ``robust_z_<measure>``, ``value`` is z (unit 1). Groups with
        fewer than 5 values, or whose values are mostly equal, have no z: flag missing, and the reason.
    """
    wanted = set(primary)
    kinds = list(zip(measures["modality"], measures["measure"], measures["region"], strict=True))
    chosen = measures[np.array([kind in wanted for kind in kinds], dtype=bool)]
    rows = []
    for _, group in chosen.groupby(["modality", "measure", "region", "hemi", "group"], sort=False):
        values = group["value"].to_numpy(float)
        known = values[np.isfinite(values)]
        median = np.median(known) if known.size else np.nan
        spread = MAD_TO_SD * np.median(np.abs(known - median)) if known.size else np.nan
        for record, value in zip(group.to_dict("records"), values, strict=True):
            z, flag, reason = np.nan, None, ""
            if not np.isfinite(value):
                reason = str(record["status"])
            elif known.size < MIN_GROUP_FOR_OUTLIERS:
                reason = f"not tested: group {record['group']} has {known.size} of {MIN_GROUP_FOR_OUTLIERS} values"
            elif spread == 0:
                reason = f"not tested: most values in group {record['group']} are equal"
            else:
                z = (value - median) / spread
                flag = FLAGGED if abs(z) > limit else NOT_FLAGGED
                if flag == FLAGGED:
                    reason = f"{value:.4g} is far from the median of group {record['group']}, {median:.4g}"
            rows.append(
                record
                | {"measure": f"{ROBUST_Z}{record['measure']}", "value": z, "unit": "1", "flag": flag}
                | {"lower": -limit, "upper": limit, "reason": reason}
            )
    return pd.DataFrame(rows, columns=QC_COLUMNS)


def study_quality(
    own: Mapping[str, pd.DataFrame],
    measures: pd.DataFrame,
    *,
    primary: Iterable[Mapping[str, str]],
    limits: Limits,
    max_robust_z: float,
) -> pd.DataFrame:
    """Quality of everybody's scans, compared with each other's, then unlikely values of the primary measures.

    Parameters
    ----------
    own : mapping
        ``participant_id`` to that person's quality measures, as in `qc_table`.
    measures : DataFrame
        The study's measures table.
    primary : iterable of mapping
        Primary measures as in the config: each names a modality, measure, region and hemi.
    limits, max_robust_z
        As in `qc_table` and `robust_outliers`.

    Returns
    -------
    DataFrame
        Columns `QC_COLUMNS`.
    """
    rows = pd.concat([table.assign(participant_id=who) for who, table in own.items()])
    _, max_motion_mm = limits.get(("mean_fd", "brain"), (None, None))
    grades = grade_rows(rows, max_motion_mm=max_motion_mm)
    rows = rows if grades.empty else pd.concat([rows, grades])
    kinds = {(p["modality"], p["measure"], p["region"]) for p in primary}
    outliers = robust_outliers(measures, kinds, limit=max_robust_z)
    return pd.concat([flag_uncorrected(qc_table(rows, limits)), outliers], ignore_index=True)


def add_alignment(own: Mapping[str, pd.DataFrame], aligned: Iterable[pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Quality measures of each visit, and below them those of its alignment with the person's other visits.

    Parameters
    ----------
    own : mapping
        Unit of each visit (`mndmri.units`) to its quality measures.
    aligned : iterable of DataFrame
        Of one person each, as from `mndmri.anatomy.change.measure_alignment`, with the unit as ``participant_id``.
    """
    of_unit = {str(unit): rows for table in aligned for unit, rows in table.groupby("participant_id")}
    return {
        unit: pd.concat([table, of_unit[unit][MEASURE_COLUMNS]], ignore_index=True) if unit in of_unit else table
        for unit, table in own.items()
    }


def by_visit(qc: pd.DataFrame) -> pd.DataFrame:
    """Quality of every visit, from `study_quality` with units in the place of participants, with the sessions."""
    split = [split_unit(unit) for unit in qc["participant_id"]]
    table = qc.assign(participant_id=[who for who, _ in split])
    table.insert(1, "session", [session for _, session in split])
    return table


def flagged_scans(qc: pd.DataFrame) -> dict[str, set[str]]:
    """Participants with a flag, by the modality that it affects.

    Every measure is located by the T1w image; its flags therefore affect every modality.

    Parameters
    ----------
    qc : DataFrame
        The study's quality-control table (`QC_COLUMNS`). Outlying values of the measures themselves
        (``robust_z``) are not faults of a scan and are ignored.
    """
    of_scan = qc[(qc["flag"] == FLAGGED) & ~qc["measure"].str.startswith(ROBUST_Z)]
    flagged = of_scan.groupby("modality")["participant_id"].agg(set).to_dict()
    return {modality: flagged.get(modality, set()) | flagged.get("t1w", set()) for modality in set(qc["modality"])}


def head_motion(qc: pd.DataFrame) -> pd.Series:
    """Mean framewise displacement of the diffusion series, mm, by participant_id."""
    rows = qc[(qc["modality"] == "dwi") & (qc["measure"] == "mean_fd")]
    return rows.set_index("participant_id")["value"]
