"""Tables of the reference pages, from the dictionaries and the schema that the pipeline itself uses."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from mndmri.atlas.names import ATLASES
from mndmri.diffusion.profile import profiles_dictionary
from mndmri.statistics.ancova import adjusted_means_dictionary
from mndmri.statistics.assumptions import assumptions_dictionary
from mndmri.statistics.balance import balance_dictionary
from mndmri.statistics.band_index import index_dictionary
from mndmri.statistics.changes import changes_dictionary
from mndmri.statistics.clusters import clusters_dictionary
from mndmri.statistics.combat import combat_dictionary, harmonised_dictionary
from mndmri.statistics.comparisons import comparisons_dictionary
from mndmri.statistics.correlations import correlations_dictionary
from mndmri.statistics.demographics import demographics_dictionary
from mndmri.statistics.deviations import deviations_dictionary
from mndmri.statistics.dropout import visits_dictionary
from mndmri.statistics.equivalence import equivalence_dictionary
from mndmri.statistics.influence import influence_dictionary
from mndmri.statistics.longitudinal import longitudinal_dictionary
from mndmri.statistics.markers import markers_dictionary
from mndmri.statistics.multimodal import multimodal_index_dictionaries
from mndmri.statistics.pasting import comparisons_wide_dictionary
from mndmri.statistics.prevalence import agreement_dictionary, prevalence_dictionary
from mndmri.statistics.profiles import compare_profiles_dictionary, profile_means_dictionary
from mndmri.statistics.raters import rater_agreement_dictionary
from mndmri.statistics.repeatability import repeatability_dictionary
from mndmri.statistics.roc import classification_dictionary, roc_points_dictionary
from mndmri.statistics.sensitivity import sensitivity_dictionary
from mndmri.statistics.sides import oriented_dictionary, sides_dictionary
from mndmri.statistics.sites import site_effects_dictionary
from mndmri.statistics.survival import survival_dictionary
from mndmri.statistics.trial import trial_dictionary
from mndmri.statistics.voxelwise import summary_dictionary
from mndmri.susceptibility.strip import strips_dictionary
from mndmri.tables import measures, qc
from mndmri.tables.band_norms import cutoffs_dictionary
from mndmri.tables.cases import case_key_dictionary
from mndmri.tables.dictionaries import TITLE, column_names
from mndmri.tables.norms import norms_dictionary
from mndmri.tables.rated import ratings_dictionary
from mndmri.tables.visits import visits_dictionary as measures_visits_dictionary

ROOT = Path(__file__).parents[2]
_GROUPS = ("<group>",)
_INDEX = multimodal_index_dictionaries()

# Table of results/group, or of the folder of a comparison of maps, to what its columns mean
COLUMNS: dict[str, Mapping[str, Any]] = {
    "measures": measures.data_dictionary([]),
    "measures_sides": oriented_dictionary(measures.data_dictionary([])),
    "measures_harmonised": harmonised_dictionary(measures.data_dictionary([])),
    "qc": qc.quality_dictionary(),
    "qc_visits": qc.visits_quality_dictionary(),
    "sub-*_measures": measures.person_dictionary([]),
    "sub-*_qc": qc.person_quality_dictionary([]),
    "demographics": demographics_dictionary(),
    "comparisons": comparisons_dictionary(_GROUPS),
    "comparisons_wide": comparisons_wide_dictionary(_GROUPS),
    "adjusted_means": adjusted_means_dictionary(),
    "balance": balance_dictionary(),
    "classification": classification_dictionary(),
    "roc_points": roc_points_dictionary(),
    "marker_comparisons": markers_dictionary(),
    "correlations": correlations_dictionary(),
    "multimodal_index": _INDEX["performance"],
    "multimodal_predictions": _INDEX["predictions"],
    "multimodal_features": _INDEX["features"],
    "influence": influence_dictionary(),
    "assumptions": assumptions_dictionary(),
    "equivalence": equivalence_dictionary(),
    "survival": survival_dictionary(),
    "measures_visits": measures_visits_dictionary([], {}),
    "changes": changes_dictionary(),
    "longitudinal": longitudinal_dictionary(_GROUPS),
    "repeatability": repeatability_dictionary(),
    "trial": trial_dictionary(),
    "visits": visits_dictionary(["<score>"]),
    "deviations": deviations_dictionary(),
    "norms": norms_dictionary(),
    "sides": sides_dictionary(),
    "sensitivity": sensitivity_dictionary(_GROUPS),
    "site_effects": site_effects_dictionary(),
    "site_shifts": combat_dictionary(),
    "motor_band_sign": prevalence_dictionary(),
    "motor_band_agreement": agreement_dictionary(),
    "agreement": rater_agreement_dictionary(),
    "ratings": ratings_dictionary(),
    "reader_key": case_key_dictionary(),
    "motor_band_cutoffs": cutoffs_dictionary(),
    "motor_band_index": index_dictionary(),
    "profiles": profiles_dictionary(),
    "profile_comparisons": compare_profiles_dictionary(_GROUPS),
    "profile_means": profile_means_dictionary(),
    "strips": strips_dictionary("MNI152NLin6Asym"),
    "summary": summary_dictionary(_GROUPS),
    "clusters": clusters_dictionary(ATLASES, space="MNI152NLin6Asym"),
}

_KINDS = {"string": "text", "number": "number", "integer": "whole number", "array": "list", "object": "block"}
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
# A default that is longer stands in the commented demo config
_LONG = 80


def measures_table() -> str:
    """Every measure with its unit, meaning, expected direction of damage and source."""
    rows = []
    for (modality, measure), entry in measures.DEFINITIONS.items():
        direction = measures.DAMAGE_DIRECTION.get((modality, measure), 0)
        rows.append(
            [
                f"`{modality}`",
                f"`{measure}`",
                entry["Units"],
                {1: "higher", -1: "lower", 0: ""}[direction],
                entry["Description"],
                entry["Source"],
            ]
        )
    return _table(["modality", "measure", "unit", "in damage", "meaning", "source"], rows)


def quality_table() -> str:
    """Every quality measure with its unit, meaning and the config key of its limit."""
    rows = [[f"`{name}`", entry["Units"], entry["Description"]] for name, entry in qc.DEFINITIONS.items()]
    return _table(["measure", "unit", "meaning"], rows)


def columns_tables() -> str:
    """A section for each table of results, with the meaning of every column."""
    sections = []
    for name, entries in COLUMNS.items():
        rows = [
            [f"`{column}`", entries[column].get("Units", ""), entries[column]["Description"]]
            for column in column_names(entries)
            if "Description" in entries[column]
        ]
        sections += [f"## {name}.tsv", f"{entries[TITLE]}.", _table(["column", "unit", "meaning"], rows)]
    return "\n\n".join(sections)


def config_table() -> str:
    """Every key of the config with its kind, range, default and meaning."""
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    rows = [
        [f"`{place}`", _kind(entry), _default(entry, required), entry["description"].rstrip(".")]
        for place, entry, required in _keys(schema, schema["$defs"])
    ]
    return _table(["key", "kind and range", "default", "meaning"], rows)


REFERENCE: dict[str, Callable[[], str]] = {
    "measures": measures_table,
    "quality": quality_table,
    "columns": columns_tables,
    "config": config_table,
}


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Markdown table."""
    lines = [list(header)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _keys(block: Mapping[str, Any], shared: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any, bool]]:
    """Dotted name of every key below a block, its entry, and whether it has to be given."""
    for key, below in block.get("properties", {}).items():
        entry = {**shared[below["$ref"].rsplit("/", 1)[-1]], **below} if "$ref" in below else below
        inner = f"{place}{key}"
        yield inner, entry, key in block.get("required", ())
        yield from _keys(entry, shared, f"{inner}.")
        if "properties" in entry.get("items", {}):
            yield from _keys(entry["items"], shared, f"{inner}[].")
        if isinstance(others := entry.get("additionalProperties"), Mapping) and "properties" in others:
            yield from _keys(others, shared, f"{inner}.<name>.")


def _kind(entry: Mapping[str, Any]) -> str:
    if "enum" in entry:
        return ", ".join(_written(value).strip('"') for value in entry["enum"])
    types = entry["type"] if isinstance(entry["type"], list) else [entry["type"]]
    kind = " or ".join(_KINDS.get(name, name) if name != "boolean" else "true, false" for name in types)
    limits = [f"{sign} {entry[name]}" for name, sign in _LIMITS.items() if name in entry]
    return " ".join([kind, ", ".join(limits)]).strip()


def _default(entry: Mapping[str, Any], required: bool) -> str:
    if required:
        return "(required)"
    if "default" not in entry or (entry["default"] == {} and "properties" in entry):
        return ""
    written = _written(entry["default"])
    return f"`{written}`" if len(written) <= _LONG else "see `config.yaml`"


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
