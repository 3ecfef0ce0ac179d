"""Who is in the simulated cohort, and what damage is planted in each. Imports numpy and pandas only."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

HEMIS = ("L", "R")
SCORES = ("months_since_onset", "alsfrs_r", "umn_left", "umn_right")
# What a study of real people would have in its own table
PARTICIPANT_COLUMNS = ["participant_id", "group", "age", "sex", *SCORES]
BODY_PARTS = ("leg", "hand", "face")
BAND_EFFECTS = ("band_ppm", "band_darkening")
# The same darkening where it is no motor band: in front of the posterior bank, and behind it
DECOY_EFFECTS = ("anterior_darkening", "postcentral_darkening")
# What each map or contrast shows, and its folder and suffix in BIDS.
MAP_EFFECTS = {"mtr": "cst_mtr_loss", "flair": "capsule_hyperintensity", "cbf": "precentral_cbf_loss"}
MAP_FILES = {"mtr": ("anat", "MTRmap"), "flair": ("anat", "FLAIR"), "cbf": ("perf", "cbf")}
EFFECT_KEYS = (
    *("cst_fa_loss", "precentral_volume_loss", "cord_loss"),
    *(*BAND_EFFECTS, "band_prevalence", *DECOY_EFFECTS),
    *MAP_EFFECTS.values(),
)
# Which of them can change from visit to visit: who has a motor band stays as it is.
CHANGE_KEYS = tuple(key for key in EFFECT_KEYS if key != "band_prevalence")
BAND_KEYS = [f"{part}_{hemi}" for part in BODY_PARTS for hemi in HEMIS]

# Upper motor neuron signs of one side's limbs, for each share of anisotropy that the other side's tract has lost, the
# spread of their rating, and the most there can be; the ALSFRS-R loses up to 1.2 points a month.
_UMN_PER_LOSS, _UMN_SD, _UMN_MAXIMUM = 30.0, 0.8, 8
_MONTHS, _POINTS_PER_MONTH, _ALSFRS_MAXIMUM = (6, 48), (0.2, 1.2), 48
# So many points less on the ALSFRS-R make somebody e times as likely to leave the study.
_POINTS_TO_LEAVE = 6.0
_VISIT_STREAM, _LEAVING_STREAM = 2, 1001
_YEAR = 12.0  # months

# A loss above this leaves no tissue to measure.
MAX_FRACTION = 0.9

# Every key of the block `simulation.visits`.
VISITS: dict[str, Any] = {
    "months": [0, 6, 12],  # of each visit, since the first
    "dropout": 0.25,  # share of those with clinical scores who leave before the last visit
    # per group: what is added to each effect in a year, in its unit; a person has as much of it, more or less than the
    # mean, as of the effect
    "change": {},
}

# Every key of the block `simulation`, with its unit. What a study leaves out keeps its value here.
DEFAULTS: dict[str, Any] = {
    "seed": 7,
    "groups": {"ALS": 6, "PLS": 4, "control": 6},  # people in each
    # per group: mean of the planted effects among its people; {} or null: nobody has any
    #   cst_fa_loss             relative loss of fractional anisotropy at the profile's peak, 0 to 1
    #   precentral_volume_loss  relative loss of precentral grey matter, 0 to 1
    #   cord_loss               relative loss of the cord's cross-sectional area, 0 to 1
    #   band_ppm                susceptibility added in the motor band, ppm
    #   band_darkening          relative loss of gradient-echo magnitude in the motor band, 0 to 1
    #   band_prevalence         share of the group's people with a motor band, 0 to 1
    #   anterior_darkening      as band_darkening, in the deep cortex of the precentral gyrus's anterior bank; everyone
    #   postcentral_darkening   as band_darkening, in the deep cortex of the postcentral gyrus; everyone
    #   cst_mtr_loss            relative loss of the magnetisation transfer ratio of the tract, 0 to 1
    #   capsule_hyperintensity  relative gain of FLAIR signal of the tract in the internal capsule, 0 to 1
    #   precentral_cbf_loss     relative loss of perfusion of precentral grey matter, 0 to 1
    "effects": {
        "ALS": {
            "cst_fa_loss": 0.15,
            "precentral_volume_loss": 0.12,
            "cord_loss": 0.1,
            "band_ppm": 0.05,
            "band_darkening": 0.2,
            "band_prevalence": 0.7,
        },
        "PLS": {
            "cst_fa_loss": 0.22,
            "precentral_volume_loss": 0.18,
            "band_ppm": 0.06,
            "band_darkening": 0.25,
            "band_prevalence": 0.8,
        },
    },
    "effect_sd": 0.25,  # between people, and again between sides: share of the group's mean
    # FA loss along the tract: floor + (1 - floor) * exp(-(s - centre)^2 / (2 width^2)), s the
    # share of the tract's length above its lower end (0: pons, 1: cortex)
    "cst_profile": {"centre": 0.7, "width": 0.25, "floor": 0.3},
    "age_years": [40, 75],  # uniform, the same in every group
    "grey_loss_per_decade": 0.01,  # relative loss of all grey matter per decade after 20 years
    "deformation_mm": 4.0,  # largest displacement of a person's shape from the shared one
    "head_size": 0.9,  # mean linear scale: the ICBM average is larger than a person's head
    "head_size_sd": 0.03,  # and its SD
    "rotation_deg": 8.0,  # head in the scanner: each angle uniform within +- this
    "shift_mm": 8.0,  # and each shift
    "between_scans": {"rotation_deg": 1.0, "shift_mm": 1.0},  # the same, between a person's scans
    # SD, share of white matter's signal (dwi: at b=0)
    "noise": {"t1w": 0.02, "dwi": 0.03, "gre": 0.02, "mtr": 0.03, "flair": 0.03, "cbf": 0.2},
    "missing": {"dwi": 0, "swi": 0},  # people without the scan
    "visits": None,  # None: everybody is scanned once; see `VISITS`
    # storage: direction in which each array axis runs; tilt_deg: oblique slices, about the left-right axis
    "t1w": {"voxel_mm": 2.0, "storage": "PSR", "tilt_deg": 0.0, "bias": 0.2},  # bias: peak of the bias field
    "dwi": {
        "voxel_mm": 3.0,
        "storage": "LAS",
        "tilt_deg": 0.0,
        "n_b0": 1,
        "n_directions": 15,
        "b_value": 1000.0,  # s/mm2
        "motion_deg": 1.0,  # head motion between volumes: SD of each angle
        "motion_mm": 0.5,  # and of each shift
        "reverse_b0": False,  # add a b=0 volume of opposite phase encoding
        "field_hz": 40.0,  # peak of the field offset above the sinuses; 0: no distortion
        "readout_s": 0.03,  # total readout time: voxels of displacement per Hz
    },
    "gre": {
        "voxel_mm": [1.0, 1.0, 2.0],  # along left-right, posterior-anterior, inferior-superior
        "storage": "LAS",
        "tilt_deg": 0.0,
        "echo_times_ms": [20.0],
        "field_strength_T": 3.0,
        "background_ppm": 0.3,  # scale of the field whose sources lie outside the brain; 0: none
        "varied_susceptibility": False,  # more nuclei, and tissues, veins and layers that differ by place and person
        "field_error_ppm": 0.0,  # SD in the brain of the field that no susceptibility makes (a real head: about 0.006)
        "own_veins": False,  # veins in other places in every person; otherwise those of the shared head
        # hard: besides own veins, cortex as uneven as in life, blur and motion (`mndmri.phantom.cortex`); easy: none
        "difficulty": "easy",
    },
    # made where the study has them: mtr and cbf among its maps, flair among its modalities
    "mtr": {"voxel_mm": 2.0, "storage": "LAS", "tilt_deg": 0.0},
    "flair": {"voxel_mm": 2.0, "storage": "PSR", "tilt_deg": 0.0, "bias": 0.2},
    "cbf": {"voxel_mm": 3.5, "storage": "LAS", "tilt_deg": 0.0},
}

# Which of them decide what is planted in whom; and how each scan is made, besides its own block and its noise.
_OF_PLAN = (
    "seed",
    "groups",
    "effects",
    "effect_sd",
    "age_years",
    "grey_loss_per_decade",
    "head_size",
    "head_size_sd",
    "rotation_deg",
    "shift_mm",
    "missing",
    "visits",
)
_OF_EVERY_SCAN = ("deformation_mm", "between_scans")
_OF_SCAN = {"dwi": ("cst_profile",)}
# Columns of the plan that a scan shows, by how their names begin.
_IN_EVERY_SCAN = ("seed", "scan_seed", "head_scale", "rotation", "shift", "grey_loss", "precentral_volume_loss")
_IN_SCAN: dict[str, tuple[str, ...]] = {
    "t1w": ("cord_loss",),
    "dwi": ("cst_fa_loss",),
    "gre": (*BAND_EFFECTS, *DECOY_EFFECTS),
    **{name: (effect,) for name, effect in MAP_EFFECTS.items()},
}

_NESTED = ("cst_profile", "between_scans", "noise", "missing", *_IN_SCAN)


def complete(simulation: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a simulation, with `DEFAULTS` for every key that is left out.

    ``groups`` and ``effects`` are taken whole, so that a study without effects has none.

    Raises
    ------
    ValueError
        If a key or an effect is unknown.
    """
    settings = dict(DEFAULTS)
    for key, value in simulation.items():
        if key not in DEFAULTS:
            raise ValueError(f"simulation: unknown key '{key}'; the keys are {', '.join(DEFAULTS)}")
        if key in _NESTED:
            unknown = set(value) - set(DEFAULTS[key])
            if unknown:
                raise ValueError(
                    f"simulation.{key}: unknown key '{min(unknown)}'; the keys are {', '.join(DEFAULTS[key])}"
                )
            value = {**DEFAULTS[key], **value}
        settings[key] = value
    settings["effects"] = settings["effects"] or {}
    _check_effects("effects", settings["effects"], settings["groups"], EFFECT_KEYS)
    if settings["visits"] is not None:
        unknown = set(settings["visits"]) - set(VISITS)
        if unknown:
            raise ValueError(f"simulation.visits: unknown key '{min(unknown)}'; the keys are {', '.join(VISITS)}")
        settings["visits"] = {**VISITS, **settings["visits"]}
        _check_effects("visits.change", settings["visits"]["change"], settings["groups"], CHANGE_KEYS)
    return settings


def _check_effects(
    place: str, by_group: Mapping[str, Mapping[str, float] | None], groups: Iterable[str], known: Sequence[str]
) -> None:
    """Refuse a group or an effect that is unknown."""
    for group, effects in by_group.items():
        if group not in groups:
            raise ValueError(f"simulation.{place}: '{group}' is not one of the groups {list(groups)}")
        unknown = set(effects or {}) - set(known)
        if unknown:
            raise ValueError(
                f"simulation.{place}.{group}: unknown effect '{min(unknown)}'; the effects are {', '.join(known)}"
            )


def plan_settings(simulation: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that decide who is in the cohort and what is planted in each: all that `plan_visits` uses."""
    return {key: simulation[key] for key in _OF_PLAN}


def scan_settings(simulation: Mapping[str, Any], *scans: str) -> dict[str, Any]:
    """Settings that scans are simulated with, as ``t1w``, ``dwi`` or ``gre``: all that ``simulate_<scan>`` uses."""
    of_scans = [key for scan in scans for key in (*_OF_SCAN.get(scan, ()), scan)]
    own = {key: simulation[key] for key in (*_OF_EVERY_SCAN, *of_scans)}
    return own | {"noise": {scan: simulation["noise"][scan] for scan in scans}}


def planted(person: Mapping[str, Any], *scans: str) -> dict[str, Any]:
    """Columns of a person's row of the plan that show in scans: all that ``simulate_<scan>`` uses."""
    shown = (*_IN_EVERY_SCAN, *(name for scan in scans for name in _IN_SCAN[scan]))
    return {name: value for name, value in person.items() if name.startswith(shown)}


def plan_cohort(simulation: Mapping[str, Any]) -> pd.DataFrame:
    """Table of the simulated people and of all that is planted in each.

    Parameters
    ----------
    simulation : mapping
        The config's block ``simulation``; see `DEFAULTS` for keys and units.

    Returns
    -------
    DataFrame
        One row a person: ``participant_id``, ``group``, ``age`` (years), ``sex`` (F, M), ``seed`` (of the
        person's shape and tissue) and ``scan_seed`` (of noise, and of movement between scans and within);
        ``cst_fa_loss_{L,R}`` and ``precentral_volume_loss_{L,R}`` (0 to 1), and ``cord_loss`` (0 to 1);
        ``band_ppm_{leg,hand,face}_{L,R}``, ``band_darkening_{leg,hand,face}_{L,R}`` (0 to 1), and so for
        ``anterior_darkening`` and ``postcentral_darkening``; the effects of `MAP_EFFECTS`, each ``_{L,R}``;
        ``grey_loss`` (0 to 1, of age), ``head_scale`` (linear), ``rotation_{x,y,z}_deg``,
        ``shift_{x,y,z}_mm``, ``has_dwi``, ``has_swi``. Sides are the person's own. Patients, who are
        those with any effect (all participants if nobody has one), have ``months_since_onset``,
        ``alsfrs_r`` (0 to 48), and ``umn_left`` and ``umn_right`` (0 to 8), the signs in the limbs of
        a side, which follow the FA loss of the tract of the other; in others these are missing.

    Notes
    -----
    Age and sex are drawn without regard to group. The number of people with a motor band is
    the prevalence times the group's size, rounded, so that a small cohort has its share.
    """
    return _plan_at(complete(simulation))


def plan_visits(simulation: Mapping[str, Any]) -> pd.DataFrame:
    """Table of the visits of the simulated people and of all that is planted in each of them.

    Parameters
    ----------
    simulation : mapping
        As in `plan_cohort`.

    Returns
    -------
    DataFrame
        That of `plan_cohort`, unless ``visits`` is set. Then one row a visit that took place, by person and months,
        with ``session`` (ses-01, ...) and ``months`` (since the first visit). The first visit has the values of
        `plan_cohort`; at the later ones the effects have changed, ``months_since_onset`` and the scores with them, and
        the head lies anew, with other noise. Shape, size, age (that of the first visit) and the loss of grey matter
        that follows from it stay.

    Notes
    -----
    Those who leave are a share of those with an ALSFRS-R, rounded. They come to the first visit, and the lower their
    score there, the likelier they are among them.
    """
    settings = complete(simulation)
    if settings["visits"] is None:
        return _plan_at(settings)
    tables = []
    for visit, months in enumerate(settings["visits"]["months"]):
        table = _plan_at(settings, visit, months)
        table.insert(2, "session", f"ses-{visit + 1:02d}")
        table.insert(3, "months", float(months))
        tables.append(table)
    seen = _count_visits(tables[0], settings)
    came = [table[seen > visit] for visit, table in enumerate(tables)]
    return pd.concat(came).sort_values(["participant_id", "months"], ignore_index=True)


def _plan_at(settings: Mapping[str, Any], visit: int = 0, months: float = 0.0) -> pd.DataFrame:
    """The cohort as it is at a visit, so many months after the first."""
    effects = _effects_at(settings, months)
    groups = [group for group, n in settings["groups"].items() for _ in range(n)]
    width = max(2, len(str(len(groups))))
    rows: list[dict[str, Any]] = []
    for number, group in enumerate(groups, start=1):
        # a stream of numbers for each person: adding a participant changes no other
        rng = np.random.default_rng([settings["seed"], number])
        rows.append(
            {"participant_id": f"sub-{number:0{width}d}", "group": group}
            | _draw_person(rng, settings, effects.get(group, {}))
            | dict.fromkeys(("seed", "scan_seed"), settings["seed"] * 10_000 + number)
        )
        if visit:
            again = np.random.default_rng([settings["seed"], number, _VISIT_STREAM, visit])
            rows[-1] |= _draw_pose(again, settings) | {"scan_seed": int(again.integers(2**31))}
    table = pd.DataFrame(rows)
    _add_scores(table, settings, months)
    _remove_bands(table, settings)
    _remove_scans(table, settings)
    return table


def _effects_at(settings: Mapping[str, Any], months: float) -> dict[str, dict[str, float]]:
    """Mean of the planted effects of each group that has any, so many months after the first visit."""
    change = settings["visits"]["change"] if settings["visits"] is not None else {}
    effects = {group: dict(own or {}) for group, own in settings["effects"].items()}
    for group, own in change.items():
        now = effects.setdefault(group, {})
        for key, per_year in (own or {}).items():
            now[key] = now.get(key, 0.0) + per_year * months / _YEAR
    return {group: own for group, own in effects.items() if own}


def _count_visits(first: pd.DataFrame, settings: Mapping[str, Any]) -> np.ndarray:
    """To how many of the visits each person came, given the table of the first."""
    n_visits = len(settings["visits"]["months"])
    rng = np.random.default_rng([settings["seed"], 0, _LEAVING_STREAM])
    # the largest of scores with such noise: drawn without replacement, each as likely as exp(score)
    leaning = rng.gumbel(size=len(first)) - first["alsfrs_r"].to_numpy() / _POINTS_TO_LEAVE
    last = rng.integers(1, n_visits, len(first))
    at_risk = np.flatnonzero(first["alsfrs_r"].notna())
    leaving = at_risk[np.argsort(-leaning[at_risk])][: round(settings["visits"]["dropout"] * len(at_risk))]
    seen = np.full(len(first), n_visits)
    seen[leaving] = last[leaving]
    return seen


def _draw_person(rng: np.random.Generator, settings: Mapping[str, Any], effects: Mapping[str, float]) -> dict[str, Any]:
    """Random numbers of one person, drawn in an order that does not depend on the effects."""
    low, high = settings["age_years"]
    age = int(rng.integers(low, high + 1))
    row: dict[str, Any] = {"age": age, "sex": str(rng.choice(["F", "M"]))}
    row |= _of_both_sides(rng, ("cst_fa_loss", "precentral_volume_loss"), settings, effects)
    factors = np.clip(1 + settings["effect_sd"] * rng.standard_normal(len(BAND_KEYS)), 0, None)
    for part, factor in zip(BAND_KEYS, factors, strict=True):
        # the same iron shifts the field and darkens the magnitude: one factor for both
        row[f"band_ppm_{part}"] = effects.get("band_ppm", 0.0) * factor
        for effect in ("band_darkening", *DECOY_EFFECTS):
            row[f"{effect}_{part}"] = min(effects.get(effect, 0.0) * factor, MAX_FRACTION)
    row["grey_loss"] = settings["grey_loss_per_decade"] * max(age - 20, 0) / 10
    size = settings["head_size_sd"] * float(np.clip(rng.standard_normal(), -2.5, 2.5))
    row["head_scale"] = settings["head_size"] + size
    row |= _draw_pose(rng, settings)
    # what came later is drawn later: it changes no other number
    factor = 1 + settings["effect_sd"] * rng.standard_normal()
    row["cord_loss"] = float(np.clip(effects.get("cord_loss", 0.0) * factor, 0, MAX_FRACTION))
    return row | _of_both_sides(rng, MAP_EFFECTS.values(), settings, effects)


def _draw_pose(rng: np.random.Generator, settings: Mapping[str, Any]) -> dict[str, float]:
    """How a head lies in the scanner."""
    row = {}
    for name, unit in (("rotation", "deg"), ("shift", "mm")):
        for axis, value in zip("xyz", rng.uniform(-1, 1, 3), strict=True):
            row[f"{name}_{axis}_{unit}"] = settings[f"{name}_{unit}"] * value
    return row


def _of_both_sides(
    rng: np.random.Generator, keys: Iterable[str], settings: Mapping[str, Any], effects: Mapping[str, float]
) -> dict[str, float]:
    """Effects on each side of a person: half of the spread is the person's, half the side's."""
    row = {}
    for key in keys:
        own, sides = rng.standard_normal(), rng.standard_normal(2)
        for hemi, side in zip(HEMIS, sides, strict=True):
            factor = 1 + settings["effect_sd"] * (own + side) / np.sqrt(2)
            row[f"{key}_{hemi}"] = float(np.clip(effects.get(key, 0.0) * factor, 0, MAX_FRACTION))
    return row


def _add_scores(table: pd.DataFrame, settings: Mapping[str, Any], later: float) -> None:
    """Clinical scores of the patients, ``later`` months after the first visit; limbs answer to the other tract."""
    scores, patients = [], _effects_at(settings, _YEAR)
    for number, person in table.iterrows():
        rng = np.random.default_rng([settings["seed"], int(str(number)) + 1, 1])
        months = int(rng.integers(*_MONTHS, endpoint=True)) + later
        lost = rng.uniform(*_POINTS_PER_MONTH) * months
        left, right = (
            np.clip(round(_UMN_PER_LOSS * person[f"cst_fa_loss_{hemi}"] + noise), 0, _UMN_MAXIMUM)
            for hemi, noise in zip(("R", "L"), _UMN_SD * rng.standard_normal(2), strict=True)
        )
        values = (months, max(round(_ALSFRS_MAXIMUM - lost), 0), left, right)
        scores.append(values if person["group"] in patients or not patients else [np.nan] * len(SCORES))
    table[list(SCORES)] = np.array(scores, float)


def _remove_bands(table: pd.DataFrame, settings: Mapping[str, Any]) -> None:
    """Take the motor band from those beyond their group's prevalence."""
    for number, (group, size) in enumerate(settings["groups"].items()):
        prevalence = (settings["effects"].get(group) or {}).get("band_prevalence", 0.0)
        rng = np.random.default_rng([settings["seed"], 0, number])
        without = rng.permutation(np.flatnonzero(table["group"] == group))[round(prevalence * size) :]
        columns = [f"{kind}_{part}" for kind in BAND_EFFECTS for part in BAND_KEYS]
        table.loc[without, columns] = 0.0


def _remove_scans(table: pd.DataFrame, settings: Mapping[str, Any]) -> None:
    """Mark missing scans; nobody lacks both scans unless unavoidable."""
    order = np.random.default_rng([settings["seed"], 0, 1000]).permutation(len(table))
    n_dwi, n_swi = settings["missing"]["dwi"], settings["missing"]["swi"]
    table["has_dwi"] = ~table.index.isin(order[:n_dwi])
    table["has_swi"] = ~table.index.isin(order[::-1][:n_swi])
