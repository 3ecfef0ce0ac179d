"""Parts of a study that are made alone: the measures of one modality, their comparison and their pages."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from mndmri.cohort.records import Study
from mndmri.io import InputError
from mndmri.tables.covariates import names_of, place_of
from mndmri.tables.decisions import of_scans

# Modalities whose measures a part has, the one that the config names first.
PARTS = {"cst": ("dwi",), "vbm": ("t1w",), "swi": ("swi", "qsm", "r2star")}
QUALITY_TARGET = "qc"  # the target that makes the quality of every modality
FOLDER = "parts"  # of their tables and pages, below the results


def part_asked_for(targets: Collection[str], config: Mapping[str, Any]) -> str | None:
    """Name of the part that a run makes; None if it makes the whole study, or other files of it.

    Parameters
    ----------
    targets : collection of str
        Targets of the run.
    config : mapping
        Resolved config.

    Raises
    ------
    InputError
        If the study has no scans of what is asked for, or if a part is asked for together with something else.
    """
    asked = [name for name in (*PARTS, QUALITY_TARGET) if name in targets]
    if asked and config["measures"]:
        raise InputError(
            f"{asked[0]}: nothing is measured from scans in this study (measures is set); run it without a target"
        )
    parts = [name for name in asked if name in PARTS]
    if not parts:
        return None
    if len(targets) > 1:
        raise InputError(
            f"targets: found {', '.join(sorted(targets))}, and {parts[0]} is made alone, in a folder of its own; make "
            "one after the other, or everything, without a target"
        )
    modality = PARTS[parts[0]][0]
    if modality not in config["modalities"]:
        raise InputError(
            f"{parts[0]}: {modality} is not in modalities ({', '.join(config['modalities'])}); add it, or choose "
            "another target"
        )
    return parts[0]


def measured(part: str | None, config: Mapping[str, Any]) -> dict[str, bool]:
    """Which measures of the T1w image are in the tables: ``volumes``, and ``others`` (thickness, cord and signal).

    A part has none but its own, and head size where the config adjusts its measures for that.
    """
    places = map(place_of, names_of(config["measure_covariates"]))
    adjusted = any(place[:2] == ("t1w", "volume") for place in places if place)
    return {"volumes": part in (None, "vbm") or adjusted, "others": part is None}


def narrow_config(config: Mapping[str, Any], part: str) -> dict[str, Any]:
    """The config of the whole study without the modalities that a part leaves out, nor what the config says of them.

    Parameters
    ----------
    config : mapping
        Resolved config.
    part : str
        One of `PARTS`.

    Returns
    -------
    dict
        ``modalities`` also has t1w, by which everything is located; joined tables are left out.
    """
    own = PARTS[part]
    chosen = config["measure_covariates"]
    primary = [measure for measure in config["statistics"]["primary"] if measure["modality"] in own]
    return {
        **config,
        "modalities": [name for name in config["modalities"] if name in ("t1w", *own)],
        "tables": [],
        "measure_covariates": {place: names for place, names in chosen.items() if place.split()[0] in own},
        "statistics": {**config["statistics"], "primary": primary},
    }


def narrow_study(study: Study, part: str) -> Study:
    """The study without the scans that a part leaves out, and with a note that says so.

    Parameters
    ----------
    study : Study
        As settled, without what failed.
    part : str
        One of `PARTS`.

    Raises
    ------
    InputError
        If nobody has a scan of the part.
    """
    own = PARTS[part]
    if not any(name in scans for scans in study.scans.values() for name in own):
        raise InputError(f"{part}: no participant has a usable scan of {own[0]}; choose another target")
    kept = ("t1w", *own)
    scans = {who: {name: scan for name, scan in has.items() if name in kept} for who, has in study.scans.items()}
    left_out = {who: {name: why for name, why in has.items() if name in kept} for who, has in study.left_out.items()}
    note = (
        f"only the part {part} of the study: p-values are corrected over its measures alone, and differ from those of "
        "the whole study, which are the ones to report"
    )
    return replace(
        study,
        scans=scans,
        left_out=left_out,
        excluded=of_scans(study.excluded, scans),
        rated=study.rated if part == "swi" else (),
        notes=(*study.notes, note),
    )
