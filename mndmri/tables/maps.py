"""Maps that a study declares: quantitative maps and contrasts, and what is measured of each."""

from collections.abc import Mapping
from typing import Any

from mndmri.tables.measures import DEFINITIONS

# By what a map's numbers mean: the measure of its rows.
MEASURE = {"value": "mean", "signal": "signal_ratio", "relative": "relative"}
# Of the masks of the precentral cortex, veins and fluid at their rims have less hold on it.
MEDIAN = "median"

# What the T1w image is aligned to: nothing is registered, and nothing is judged.
ITSELF = "itself"
_DECLARED = {"dir": None, "register": None, "aligned": None, "unit": "1", "higher_is": None, "range": None}
# Contrasts that need no declaration, by their modality: measured if the study has it.
BUILTIN: dict[str, dict[str, Any]] = {
    "t1w": {**_DECLARED, "aligned": ITSELF, "quantity": "signal", "where": ["cst"], "voxelwise": None},
    "flair": {**_DECLARED, "quantity": "signal", "where": ["cst", "precentral"], "voxelwise": None},
    "t2w": {**_DECLARED, "quantity": "signal", "where": ["cst", "precentral"], "voxelwise": None},
}
# Scans that a map can be aligned to besides the T1w image, which everybody has whose maps are measured.
SCANS = ("dwi", "swi")


def maps_of(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every map of a study by its name, which is its modality: the built-in contrasts that it has, and its own.

    Parameters
    ----------
    config : mapping
        Resolved config: ``modalities``, ``maps`` and the blocks of the built-in contrasts.
    """
    builtin = {
        name: {"pattern": config[name]["pattern"], **own}
        for name, own in BUILTIN.items()
        if name in config["modalities"]
    }
    return builtin | dict(config["maps"])


def measures_of(declared: Mapping[str, Any]) -> list[str]:
    """Names of the measures of a declared map, the one that has a row in every region first."""
    also_median = declared["quantity"] == "value" and "precentral" in declared["where"]
    return [MEASURE[declared["quantity"]], *([MEDIAN] if also_median else [])]


def of_tract(maps: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the maps that are measured along the tract."""
    return [name for name, declared in maps.items() if "cst" in declared["where"]]


def unit_of(declared: Mapping[str, Any]) -> str:
    """Unit of a declared map's measures: a ratio has none."""
    return str(declared["unit"]) if declared["quantity"] == "value" else "1"


def all_definitions(maps: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, str]]:
    """Definition of every (modality, measure) of the scans, those of declared maps among them.

    Parameters
    ----------
    maps : mapping
        The config's ``maps``; the definitions of the built-in contrasts are in `DEFINITIONS`.
    """
    own = {(name, measure): _definition(measure, of) for name, of in maps.items() for measure in measures_of(of)}
    return own | DEFINITIONS


def _definition(measure: str, declared: Mapping[str, Any]) -> dict[str, str]:
    """Definition of a measure of a map that the config declares."""
    text = {
        "mean": "Mean of the map's values: on the tract and the callosum weighted by the probability of the region x "
        "that of white matter, in gyri by the share of grey matter, in the masks of the precentral cortex each voxel "
        "alike.",
        "median": "Median of the map's values over the voxels of a mask of the precentral cortex.",
        "signal_ratio": "Median signal of the region over the mean of the medians of frontal and occipital white "
        "matter of both sides, after bias-field correction.",
        "relative": "Mean of the map's values in the region, weighted as a mean, over their mean in the grey matter of "
        "the whole brain.",
    }[measure]
    return {"Description": text, "Units": unit_of(declared), "Source": f"maps: {declared['pattern']}"}
