"""Rows of the measures tables: columns, and the definition of every measure."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from mndmri.tables.dictionaries import TITLE

KEY = ["modality", "measure", "region", "hemi"]
MEASURE_COLUMNS = [*KEY, "value", "unit", "n_voxels", "status"]
GROUP_COLUMNS = ["participant_id", "group", *MEASURE_COLUMNS]
OK = "ok"
# Names of hemi that are made of L and R: by the side of onset, and the mean of both
BY_ONSET = ("contra", "ipsi", "mean")
# Whole numbers with a meaning of their own: compared by ranks, never scaled
RATINGS = ("motor_band_score",)
NOTHING_BROUGHT: Mapping[tuple[str, str], Mapping[str, str]] = MappingProxyType({})
NOT_MEASURED = "not measured in this participant"
NO_SCORE = "no motor band score in the measures table"

COLUMN_DESCRIPTIONS = {
    "participant_id": "Participant, as in the study's participants table.",
    "group": "Study group, as the config maps the participants table's labels.",
    "modality": "Kind of image measured: t1w, flair, t2w, dwi, swi (weighted), qsm (susceptibility) or r2star "
    "(relaxation rate).",
    "measure": "Name of the measure; measures are defined below.",
    "region": "Region in which it was measured.",
    "hemi": "Side of the participant's body: L, R, or both.",
    "value": "The value; n/a where it could not be computed, with the reason in status.",
    "unit": "Unit of the value; 1 for a ratio or fraction.",
    "n_voxels": "Number of voxels of the native image in the value; 0 also for values from your own "
    "FreeSurfer or FastSurfer tables.",
    "status": "ok, or the reason why there is no value.",
}

# Column of tables of results whose numbers are in the unit of a measure
UNIT = {"unit": "Unit of the measure; 1 for a ratio or fraction."}

# (modality, measure): description, unit, source
DEFINITIONS: dict[tuple[str, str], dict[str, str]] = {
    ("t1w", "volume"): {
        "Description": "Sum of tissue probability over the voxels of the brain (gm, wm, csf; tiv is their "
        "sum), or of grey-matter probability over the voxels of a gyrus or lobe; of CSF in the lateral ventricles; of "
        "the medulla, inside its outline from 0 to 30 mm below the pontomedullary junction.",
        "Units": "ml",
        "Source": "Ashburner and Friston 2000, NeuroImage 11:805",
    },
    ("t1w", "volume_within"): {
        "Description": "As volume, of one of several visits of a person in the space midway between them: one model of "
        "intensities, one brain mask and the same regions for all visits. To be compared between visits, not with "
        "volume.",
        "Units": "ml",
        "Source": "this project; unbiased space of several visits: Reuter et al. 2012, NeuroImage 61:1402",
    },
    ("t1w", "volume_jacobian"): {
        "Description": "Tissue of the median image of a person's visits, as volume, times the change of volume from "
        "their mean shape to the visit (tensor-based morphometry). Underestimates the loss of cortex that is thin "
        "against the voxels.",
        "Units": "ml",
        "Source": "after Ashburner and Ridgway 2013, Front Neurosci 6:197",
    },
    ("t1w", "thickness"): {
        "Description": "Mean thickness of the gyrus's cortex along the normals of white matter's surface, to where "
        "half of a voxel is fluid, or another bank is met.",
        "Units": "mm",
        "Source": "Lerch and Evans 2005, NeuroImage 24:163; Hutton et al. 2008, NeuroImage 40:1701",
    },
    ("t1w", "width"): {
        "Description": "Width of the central sulcus: what is neither grey nor white matter along rays from the white "
        "matter of the precentral gyrus to that of the postcentral gyrus and back, mean over both banks (volume of the "
        "fluid over the area of the banks).",
        "Units": "mm",
        "Source": "this project; width of sulci: Kochunov et al. 2005, Hum Brain Mapp 26:210",
    },
    ("t1w", "csa"): {
        "Description": "Cross-sectional area of the spinal cord, mean from 30 to 50 mm below the pontomedullary "
        "junction (about C1 to C2), on planes across it. Not comparable with another program's.",
        "Units": "mm2",
        "Source": "this project; in ALS: Wimmer et al. 2020, Sci Rep 10:1783",
    },
    ("t1w", "area"): {
        "Description": "Area on the midsagittal plane: of the pons between the line from its superior notch to the "
        "lower edge of the quadrigeminal plate and the parallel through its inferior notch, of the midbrain's "
        "tegmentum above that line. Not comparable with tracings by hand.",
        "Units": "mm2",
        "Source": "after Oba et al. 2005, Neurology 64:2050",
    },
    ("t1w", "area_ratio"): {
        "Description": "Midsagittal area of the midbrain's tegmentum over that of the pons.",
        "Units": "1",
        "Source": "after Oba et al. 2005, Neurology 64:2050",
    },
    ("t1w", "diameter_lr"): {
        "Description": "Left-right diameter of the spinal cord through its middle, of the planes of csa.",
        "Units": "mm",
        "Source": "this project",
    },
    ("t1w", "diameter_ap"): {
        "Description": "Front-back diameter of the spinal cord through its middle, of the planes of csa.",
        "Units": "mm",
        "Source": "this project",
    },
    **{
        (modality, "signal_ratio"): {
            "Description": "Median signal of the tract's core over the mean of the medians of frontal and occipital "
            "white matter of both sides, after bias-field correction.",
            "Units": "1",
            "Source": source,
        }
        for modality, source in (
            ("t1w", "after Hartung et al. 2014"),
            ("flair", "after Fabes et al. 2017"),
            ("t2w", "after Fabes et al. 2017, which is on FLAIR"),
        )
    },
    ("dwi", "signal_ratio"): {
        "Description": "Median signal of the tract's core over the mean of the medians of frontal and occipital white "
        "matter of both sides, on the mean of the volumes of the shell nearest b = 1000 s/mm2, after bias-field "
        "correction. A longer T2 raises it, a higher diffusivity lowers it.",
        "Units": "1",
        "Source": "after Fabes et al. 2017, which is on FLAIR",
    },
    ("dwi", "fa"): {
        "Description": "Fractional anisotropy, mean weighted by tract probability x white-matter probability, "
        "over voxels with FA above the config's dwi.min_fa.",
        "Units": "1",
        "Source": "Basser and Pierpaoli 1996, J Magn Reson B 111:209",
    },
    ("dwi", "fa_atlas_mean"): {
        "Description": "Fractional anisotropy, mean weighted by tract probability alone, over all voxels of the brain.",
        "Units": "1",
        "Source": "Basser and Pierpaoli 1996, J Magn Reson B 111:209",
    },
    ("dwi", "fa_asymmetry"): {
        "Description": "200 (L - R) / (L + R) of fa: positive where the left side is higher.",
        "Units": "%",
        "Source": "this project",
    },
    ("dwi", "md"): {
        "Description": "Mean diffusivity, weighted as fa.",
        "Units": "1e-3 mm2/s",
        "Source": "Basser and Pierpaoli 1996, J Magn Reson B 111:209",
    },
    ("dwi", "ad"): {
        "Description": "Axial diffusivity (largest eigenvalue), weighted as fa.",
        "Units": "1e-3 mm2/s",
        "Source": "Song et al. 2002, NeuroImage 17:1429",
    },
    ("dwi", "rd"): {
        "Description": "Radial diffusivity (mean of the two smaller eigenvalues), weighted as fa.",
        "Units": "1e-3 mm2/s",
        "Source": "Song et al. 2002, NeuroImage 17:1429",
    },
    ("dwi", "tract_angle"): {
        "Description": "Angle between the main direction of diffusion in the region and the course of the atlas's "
        "tract, brought to the scan: whether the region lies on the tract.",
        "Units": "deg",
        "Source": "this project",
    },
    ("dwi", "aligned_fraction"): {
        "Description": "Share of the region's voxels, weighted as fa, whose main direction is within 30 degrees of the "
        "course of the atlas's tract.",
        "Units": "1",
        "Source": "this project",
    },
    ("dwi", "free_water"): {
        "Description": "Fraction of the signal at b = 0 that is free water's, weighted as fa (series with two shells).",
        "Units": "1",
        "Source": "Pasternak et al. 2009, Magn Reson Med 62:717; Hoy et al. 2014, NeuroImage 103:323",
    },
    ("dwi", "fa_tissue"): {
        "Description": "Fractional anisotropy of the tissue beside free water, weighted as fa (two shells).",
        "Units": "1",
        "Source": "Pasternak et al. 2009, Magn Reson Med 62:717; Hoy et al. 2014, NeuroImage 103:323",
    },
    ("dwi", "md_tissue"): {
        "Description": "Mean diffusivity of the tissue beside free water, weighted as fa (two shells).",
        "Units": "1e-3 mm2/s",
        "Source": "Pasternak et al. 2009, Magn Reson Med 62:717; Hoy et al. 2014, NeuroImage 103:323",
    },
    **{
        ("dwi", name): {
            "Description": f"{which} kurtosis of diffusion, weighted as fa (two shells of 15 directions).",
            "Units": "1",
            "Source": "Jensen and Helpern 2010, NMR Biomed 23:698; Tabesh et al. 2011, Magn Reson Med 65:823",
        }
        for name, which in (("mk", "Mean"), ("ak", "Axial"), ("rk", "Radial"))
    },
    ("swi", "normalised_hypointensity"): {
        "Description": "1 - median(region) / median(reference white matter outside the corticospinal tract), "
        "veins removed; positive where the region is darker than white matter.",
        "Units": "1",
        "Source": "after Donatelli et al. 2018, AJNR 39:63",
    },
    ("swi", "dark_fraction"): {
        "Description": "Fraction of the region's voxels darker than the control gyri's low percentile "
        "(config swi.dark_percentile; postcentral, superior and middle frontal grey matter).",
        "Units": "1",
        "Source": "this project",
    },
    ("swi", "postcentral_contrast"): {
        "Description": "1 - median(precentral) / median(postcentral) of the same side.",
        "Units": "1",
        "Source": "this project",
    },
    ("swi", "bank_ratio"): {
        "Description": "Median of the precentral gyrus's posterior bank over that of its anterior bank; "
        "below 1 is a darker posterior bank.",
        "Units": "1",
        "Source": "this project",
    },
    ("swi", "band_contrast"): {
        "Description": "1 - median(deep layers of the precentral gyrus's posterior bank) / the lower of the medians of "
        "the deep layers of its anterior bank and of the postcentral gyrus's anterior bank, in a body area; "
        "positive where the posterior bank is darker than both neighbours.",
        "Units": "1",
        "Source": "this project",
    },
    ("swi", "band_darkness"): {
        "Description": "1 - 25th percentile of the deep layers of the precentral gyrus's posterior bank / mean of the "
        "25th percentiles of the deep layers of its anterior bank and of the postcentral gyrus's anterior bank, in a "
        "body area, less a quarter of 1 - median of the posterior bank's superficial layers / mean of the medians of "
        "the neighbours' superficial layers: what darkens the whole bank is no band.",
        "Units": "1",
        "Source": "this project",
    },
    ("swi", "band_index"): {
        "Description": "Mean of band_darkness over leg, hand and face, of one side or of both; missing where one of "
        "them is. Does not depend on the other participants; motor_band_index.tsv compares it with the controls.",
        "Units": "1",
        "Source": "this project",
    },
    ("swi", "band_index_error"): {
        "Description": "Standard error of band_index: cubes of 6 mm of each area drawn anew with replacement, 200 "
        "times; of both sides no smaller than of one, as motion is shared.",
        "Units": "1",
        "Source": "this project; drawing of blocks: Künsch 1989, Ann Stat 17:1217",
    },
    ("swi", "motor_band_score"): {
        "Description": "Motor band in leg, hand and face, left and right: 0 none, 1 mild, 2 marked, where "
        "band_darkness exceeds the prediction limits of the study's reference group (leave-one-out for its own "
        "members) or stored limits; precentral (both) is the sum, 0 to 12, missing if any region is.",
        "Units": "1",
        "Source": "after the manual motor cortex low intensity (MCLI) score, 36 ALS and 19 controls, present from 3; "
        "limits: Hahn 1970, J Am Stat Assoc 65:1668",
    },
    ("r2star", "r2star_median"): {
        "Description": "Median effective transverse relaxation rate over the region's voxels, veins removed.",
        "Units": "1/s",
        "Source": "Salvador et al. 2005, Hum Brain Mapp 24:144",
    },
    ("swi", "hypointensity_to_thickness"): {
        "Description": "normalised_hypointensity divided by the thickness of the precentral cortex on the T1w image.",
        "Units": "1/mm",
        "Source": "after Donatelli et al. 2018, AJNR 39:63",
    },
    ("swi", "plate_response"): {
        "Description": "Mean response to dark plates: first minus second curvature of the smoothed image, "
        "times the squared width of the smoothing, at least 0; tubes give no response.",
        "Units": "1",
        "Source": "after Sato et al. 2000, IEEE Trans Vis Comput Graph 6:160",
    },
    **{
        ("qsm", f"chi_{name}"): {
            "Description": f"{text} of magnetic susceptibility over the region's voxels, veins removed.",
            "Units": unit,
            "Source": "Liu et al. 2015, NMR Biomed 28:1255",
        }
        for name, text, unit in (
            ("mean", "Mean", "ppm"),
            ("median", "Median", "ppm"),
            ("sd", "Standard deviation", "ppm"),
            ("skewness", "Skewness", "1"),
            ("p95", "95th percentile", "ppm"),
            ("positive", "Mean of the positive values", "ppm"),
            ("negative", "Mean of the negative values", "ppm"),
        )
    },
    **{
        ("qsm", f"chi_{name}"): {
            "Description": f"Exploratory: {text} sources in a region, at 3 T, from its median susceptibility and R2* "
            "with constants for R2 and for the R2' that sources make, which are the same in everyone; not the mean of "
            f"the {text} values (chi_{text}).",
            "Units": "ppm",
            "Source": "after Shin et al. 2021, NeuroImage 240:118371",
        }
        for name, text in (("para", "positive"), ("dia", "negative"))
    },
    **{
        ("qsm", f"chi_{name}"): {"Description": text, "Units": unit, "Source": "this project"}
        for name, text, unit in (
            (
                "error",
                "Standard error of chi_mean in this participant, from the spectra of the map and of the part of the "
                "field that it leaves unexplained; a difference between two people or regions that is smaller than "
                "this is not one.",
                "ppm",
            ),
            ("sd_floor", "What chi_sd would be for the map's noise alone, in a region of one susceptibility.", "ppm"),
            (
                "p95_floor",
                "How far chi_p95 would lie above chi_mean for the map's noise alone, in a region of one "
                "susceptibility.",
                "ppm",
            ),
            (
                "skewness_floor",
                "What chi_skewness would exceed, up or down, once in 20 times for the map's noise alone.",
                "1",
            ),
        )
    },
}

# Cortex in which FLAIR and T2w images are measured as the SWI is; of its signal no direction is agreed: a dark
# precentral cortex is also seen in healthy people, with age (Ngai et al. 2007, AJNR 28:250).
_CORTEX = (
    "precentral",
    "precentral_posterior",
    "precentral_anterior",
    "precentral_posterior_deep",
    "precentral_anterior_deep",
    "precentral_leg",
    "precentral_hand",
    "precentral_face",
    "postcentral",
    "postcentral_anterior_deep",
    "precentral_posterior_deep_leg",
    "precentral_posterior_deep_hand",
    "precentral_posterior_deep_face",
    "superior_frontal",
    "middle_frontal",
)

# (modality, measure), or (modality, measure, region) where a region differs: 1 if damage of the upper motor neuron
# increases the measure, -1 if it decreases it, 0 if neither is expected. Measures without an entry have no agreed
# direction (ad, and what is of free water or along the axis).
DAMAGE_DIRECTION: dict[tuple[str, ...], int] = {
    # 29 studies of 638 people with ALS: loss of precentral grey matter; CSF increases, the size of the head is
    # unchanged
    **{
        ("t1w", measure, *region): sign
        for measure in ("volume", "volume_within", "volume_jacobian")
        for region, sign in {(): -1, ("csf",): 1, ("tiv",): 0, ("ventricles",): 1}.items()
    },
    ("t1w", "thickness"): -1,
    # what the precentral gyrus loses the sulcus gains; so it does with age (Kochunov et al. 2005, HBM 26:210)
    ("t1w", "width"): 1,
    # Wimmer et al. 2020, Sci Rep 10:1783: 158 ALS 60.8, 86 controls 63.8 mm2
    ("t1w", "csa"): -1,
    ("t1w", "diameter_lr"): -1,
    ("t1w", "diameter_ap"): -1,
    # what is known of it is of other diseases
    ("t1w", "area"): 0,
    ("t1w", "area_ratio"): 0,
    # Agosta et al. 2014 (ALS and PLS); 30 studies: FA of the tract separates ALS from controls with an AUC of 0.76
    ("dwi", "fa"): -1,
    ("dwi", "fa_atlas_mean"): -1,
    # either side may be more affected
    ("dwi", "fa_asymmetry"): 0,
    # where a region was placed, not what is in it
    ("dwi", "tract_angle"): 0,
    ("dwi", "aligned_fraction"): 0,
    ("dwi", "md"): 1,
    ("dwi", "rd"): 1,
    ("dwi", "fa_tissue"): -1,
    # tract and callosum of 27 patients and 33 controls: Anand et al., Characterization of white matter alterations
    # using diffusion kurtosis imaging in patients with amyotrophic lateral sclerosis
    ("dwi", "mk"): -1,
    ("dwi", "rk"): -1,
    # Donatelli et al. 2018, AJNR 39:63: the deep, posterior precentral cortex is darker
    ("swi", "normalised_hypointensity"): 1,
    ("swi", "dark_fraction"): 1,
    ("swi", "postcentral_contrast"): 1,
    ("swi", "bank_ratio"): -1,
    ("swi", "band_contrast"): 1,
    ("swi", "band_darkness"): 1,
    ("swi", "band_index"): 1,
    ("swi", "band_index_error"): 0,
    ("swi", "hypointensity_to_thickness"): 1,
    ("swi", "plate_response"): 1,
    ("swi", "motor_band_score"): 1,
    # Schweitzer et al. 2015: motor cortex 46 ppb above its surroundings, 35 in controls
    ("qsm", "chi_mean"): 1,
    ("qsm", "chi_median"): 1,
    ("qsm", "chi_positive"): 1,
    ("qsm", "chi_negative"): 0,
    ("qsm", "chi_para"): 1,
    ("qsm", "chi_dia"): 0,
    ("qsm", "chi_error"): 0,
    ("qsm", "chi_sd_floor"): 0,
    ("qsm", "chi_p95_floor"): 0,
    ("qsm", "chi_skewness_floor"): 0,
    ("qsm", "chi_p95"): 1,
    ("qsm", "chi_sd"): 1,
    ("qsm", "chi_skewness"): 1,
    # iron shortens T2*
    ("r2star", "r2star_median"): 1,
    # the tract is brighter: Hartung et al. 2014 (T1w), Fabes et al. 2017 (FLAIR; PLS more than ALS)
    ("t1w", "signal_ratio"): 1,
    ("flair", "signal_ratio"): 1,
    ("t2w", "signal_ratio"): 1,
    **{(modality, "signal_ratio", region): 0 for modality in ("flair", "t2w") for region in _CORTEX},
    # T2 and diffusivity of a damaged tract pull it in opposite directions
    ("dwi", "signal_ratio"): 0,
}


def with_units(table: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """A table of results with the unit of each row's measure.

    Parameters
    ----------
    table : DataFrame
        Columns of `KEY`, or some of them, and ``unit``, which is filled.
    measures : DataFrame
        The measures table; without a column ``unit`` none is known.
    """
    if "unit" not in measures:
        return table
    keys = [name for name in KEY if name in table]
    units = measures.drop_duplicates(keys)[[*keys, "unit"]]
    return table.assign(unit=table[keys].merge(units, on=keys, how="left")["unit"].to_numpy())


def row(
    modality: str,
    measure: str,
    region: str,
    hemi: str,
    value: float,
    *,
    unit: str,
    n_voxels: int,
    status: str = OK,
) -> dict[str, Any]:
    """One row of a measures table; a value that is not finite needs a ``status`` with the reason.

    Raises
    ------
    ValueError
        If value and status contradict each other.
    """
    if np.isfinite(value) != (status == OK):
        raise ValueError(f"{modality} {measure} {region} {hemi}: value {value} with status '{status}'")
    return dict(zip(MEASURE_COLUMNS, (modality, measure, region, hemi, value, unit, n_voxels, status), strict=True))


def split_quality(rows: pd.DataFrame, quality: Iterable[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of a stage split into measures of the participant and quality measures of the image."""
    of_image = rows["measure"].isin(list(quality))
    return rows[~of_image].reset_index(drop=True), rows[of_image].reset_index(drop=True)


def stack_measures(
    tables: Mapping[str, pd.DataFrame], participants: pd.DataFrame, left_out: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """Measures of the whole study: every participant has every row that any participant has.

    Parameters
    ----------
    tables : mapping
        ``participant_id`` to that participant's measures table; some may have none.
    participants : DataFrame
        ``participant_id`` and ``group``, in the order wanted.
    left_out : mapping
        ``left_out[participant_id][modality]`` is the reason why a participant has no rows of a modality.

    Returns
    -------
    DataFrame
        Columns `GROUP_COLUMNS`. Rows absent in a participant are added with a missing
        value, 0 voxels and the reason.
    """
    known = [t for t in tables.values() if len(t)]
    template = pd.concat(known)[[*KEY, "unit"]].drop_duplicates(KEY) if known else pd.DataFrame(columns=[*KEY, "unit"])
    stacked = []
    for person in participants[["participant_id", "group"]].itertuples(index=False):
        own = tables.get(person.participant_id, pd.DataFrame(columns=MEASURE_COLUMNS))
        full = template.merge(own.drop(columns="unit"), on=KEY, how="left")
        lacking = full["status"].isna()
        reasons = full["modality"].map(left_out.get(person.participant_id, {}))
        full["status"] = full["status"].astype(object).where(~lacking, reasons.fillna(NOT_MEASURED))
        full["value"] = full["value"].astype(float)
        full["n_voxels"] = full["n_voxels"].astype(float).fillna(0).astype(int)
        stacked.append(full.assign(participant_id=person.participant_id, group=person.group))
    return pd.concat(stacked, ignore_index=True)[GROUP_COLUMNS]


def stack_tables(tables: Mapping[str, pd.DataFrame], participants: pd.DataFrame) -> pd.DataFrame:
    """Tables of participants below each other, with ``participant_id`` and ``group`` in front, in their order."""
    own = [table.assign(participant_id=who) for who, table in tables.items()]
    return participants[["participant_id", "group"]].merge(pd.concat(own), on="participant_id")


def directions(higher_is: Mapping[str, str]) -> dict[tuple[str, ...], int]:
    """`DAMAGE_DIRECTION` with what a study declares of its own measures.

    Parameters
    ----------
    higher_is : mapping
        Modality and measure, or also a region, with blanks between them, to ``damage``, ``health`` or ``neither``.
    """
    signs = {"damage": 1, "health": -1, "neither": 0}
    return DAMAGE_DIRECTION | {tuple(place.split()): signs[what] for place, what in higher_is.items()}


def data_dictionary(
    measures: Iterable[tuple[str, str]],
    *,
    space: str | None = None,
    brought: Mapping[tuple[str, str], Mapping[str, str]] = NOTHING_BROUGHT,
) -> dict[str, Any]:
    """BIDS data dictionary of the measures table: its columns and the measures in it.

    Parameters
    ----------
    measures : iterable of (modality, measure)
        Those in the table.
    space : str, optional
        Name of the template's space in which the regions are defined, where that is known.
    brought : mapping
        Definitions of those that were not measured here (`mndmri.tables.given.given_definitions`).
    """
    columns = {name: {"Description": text} for name, text in COLUMN_DESCRIPTIONS.items()}
    if space:
        columns["region"]["Description"] += f" Regions are defined in the space {space}."
    defined = {**DEFINITIONS, **brought}
    found = {f"{m} {n}": defined[m, n] for m, n in dict.fromkeys(measures) if (m, n) in defined}
    return {TITLE: "Every measure of every participant, one a row"} | columns | {"measures": found}


def person_dictionary(measures: Iterable[tuple[str, str]], *, space: str | None = None) -> dict[str, Any]:
    """BIDS data dictionary of the measures table of one participant."""
    described = data_dictionary(measures, space=space)
    kept = {name: described[name] for name in (*MEASURE_COLUMNS, "measures")}
    return {TITLE: "Every measure of this participant, one a row"} | kept
