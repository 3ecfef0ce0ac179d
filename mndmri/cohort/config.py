"""The study's config: defaults filled in, and all problems reported at once."""

import copy
import difflib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import permutations
from typing import Any

import jsonschema

from mndmri.cohort.maps import add_maps, without_maps, wrong_declarations
from mndmri.cohort.records import refuse
from mndmri.phantom.plan import SCORES
from mndmri.tables import covariates
from mndmri.tables.columns import HEMIS
from mndmri.tables.maps import all_definitions
from mndmri.tables.measures import DAMAGE_DIRECTION
from mndmri.tables.participants import PROGRESSION_RATE

# Keys of dwi that select corrections.
CORRECTIONS = ("denoise", "gibbs", "motion", "outlier_sd", "distortion")
# What is measured of a modality's scans, where that is more than itself.
MEASURED_OF = {"swi": ("swi", "qsm", "r2star")}
# A less similar name is not suggested; difflib's own default.
LIKENESS = 0.6
# Of two equally similar names, the one in the same block is more probable.
SAME_BLOCK = 0.15
_NO_LAYOUT = "give one of pattern, mapping and columns; they say which measures the columns are"

_WORDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a block of keys",
    "null": "null",
}


def resolve_config(raw: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Config with the schema's defaults filled in, checked.

    Parameters
    ----------
    raw : mapping
        As read from the user's YAML; left as it is.
    schema : mapping
        JSON Schema; what has a ``default`` may be left out, at every depth.

    Returns
    -------
    dict
        Every key of the schema, none converted from one type to another.

    Raises
    ------
    InputError
        With one line for each problem.
    """
    problems = [*_wrong_keys(raw, ""), *_not_finite(raw, "")]
    refuse(problems, "in the config")  # jsonschema cannot go on with keys that are no text
    config = _fill(_listed_tables(copy.deepcopy(dict(raw))), schema, schema)
    config["modalities"] = without_maps(config)
    _keep_default_primary_measured(config, raw)
    _adjust_for_site(config)
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(config), key=lambda e: _dotted(e.absolute_path))
    for error in errors:
        problems += _explain(error, schema)
    faulty = {error.absolute_path[0] for error in errors if error.absolute_path}
    if not faulty & {"maps", "modalities", "simulation", "measures", "t1w", "flair", "t2w", "higher_is"}:
        problems += wrong_declarations(config)
        add_maps(config)
    else:
        config["maps"] = {}
    problems += _contradictions(config, faulty)
    if "dwi" not in faulty:
        problems += _idle_diffusion_keys(config["dwi"], raw.get("dwi") or {})
    refuse(problems, "in the config")
    return config


def _join(place: str, key: object) -> str:
    if isinstance(key, int):
        return f"{place}[{key}]"
    return f"{place}.{key}" if place else str(key)


def _dotted(path: Any) -> str:
    """Place of a value: ``dwi.min_fa``, ``statistics.primary[0].hemi``."""
    place = ""
    for key in path:
        place = _join(place, key)
    return place


def _walk(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    yield place, value
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _walk(inner, _join(place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, _join(place, index))


def _wrong_keys(raw: Any, place: str) -> list[str]:
    """Keys that YAML read as something other than text, such as ``no`` or ``1``."""
    return [
        f"{where or 'top level'}: key {key!r} was read as {type(key).__name__}, not text; put it in quotes"
        for where, value in _walk(raw, place)
        if isinstance(value, Mapping)
        for key in value
        if not isinstance(key, str)
    ]


def _not_finite(raw: Any, place: str) -> list[str]:
    """Numbers that pass every range check without being one (``.nan``) or have no bound (``.inf``)."""
    return [
        f"{where}: found {value}, expected a finite number"
        for where, value in _walk(raw, place)
        if isinstance(value, float) and not math.isfinite(value)
    ]


def _deref(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Schema with a local ``$ref`` resolved; what stands beside the reference overrides it."""
    if "$ref" not in schema:
        return schema
    target: Any = root
    for step in schema["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _fill(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Value with defaults filled in at every depth; a value of another type is left for the check."""
    schema = _deref(schema, root)
    if isinstance(value, dict):
        inner = schema.get("properties", {})
        for key, below in inner.items():
            default = _deref(below, root)
            if key not in value and "default" in default:
                value[key] = copy.deepcopy(default["default"])
        others = schema.get("additionalProperties")
        for key in value:
            below = inner.get(key, others)
            if isinstance(below, Mapping):
                value[key] = _fill(value[key], below, root)
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [_fill(item, schema["items"], root) for item in value]
    return value


def _listed_tables(raw: dict[str, Any]) -> dict[str, Any]:
    """Config whose tables of measures are lists of blocks, however short they were written."""
    for key in ("measures", "tables"):
        if key in raw:
            given = raw[key]
            entries = given if isinstance(given, list) else [] if given is None else [given]
            raw[key] = [{"file": entry} if isinstance(entry, str) else _with_columns(entry) for entry in entries]
    return raw


def _with_columns(entry: Any) -> Any:
    """A table whose columns stand below ``wide`` by their names, as the key ``columns`` of that block."""
    wide = entry.get("wide") if isinstance(entry, Mapping) else None
    if not isinstance(wide, Mapping):
        return entry
    columns = {name: own for name, own in wide.items() if isinstance(own, Mapping) and name != "columns"}
    rest = {name: own for name, own in wide.items() if name not in columns}
    listed = rest.get("columns") or {}
    if not columns or not isinstance(listed, Mapping):  # told by the schema
        return entry
    return {**entry, "wide": {**rest, "columns": {**listed, **columns}}}


def scanned_modalities(config: Mapping[str, Any]) -> list[str]:
    """Modalities that measures of the study's scans can be of; none where there are no scans."""
    return [] if config["measures"] else [m for own in config["modalities"] for m in MEASURED_OF.get(own, (own,))]


def primary_of_tables(config: Mapping[str, Any]) -> dict[int, dict[str, str]]:
    """Primary measures, by their place in the list, that no scan gives: tables must have them."""
    scanned, measured = scanned_modalities(config), all_definitions(config["maps"])
    return {
        index: chosen
        for index, chosen in enumerate(config["statistics"]["primary"])
        if chosen["modality"] not in scanned or (chosen["modality"], chosen["measure"]) not in measured
    }


def _keep_default_primary_measured(config: dict[str, Any], raw: Mapping[str, Any]) -> None:
    """Of the default primary measures, keep those of the modalities that the study's scans have."""
    chosen = raw.get("statistics")
    statistics, modalities = config.get("statistics"), config.get("modalities")
    if not isinstance(statistics, dict) or not isinstance(modalities, list):
        return
    if not (isinstance(chosen, Mapping) and "primary" in chosen):
        scanned = [] if config.get("measures") else modalities
        statistics["primary"] = [p for p in statistics.get("primary", []) if p["modality"] in scanned]


def score_columns(config: Mapping[str, Any]) -> list[str]:
    """Columns of the clinical scores in the study's own participants table."""
    return [*config["clinical_scores"], *([PROGRESSION_RATE] if config["progression"] else [])]


def survival_columns(config: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of the model of survival; the rate of progression is one of its covariates where it is computed."""
    chosen = config["survival"]
    rate = [PROGRESSION_RATE] if config["progression"] else []
    return {**chosen, "covariates": list(dict.fromkeys([*chosen["covariates"], *rate]))}


def _adjust_for_site(config: dict[str, Any]) -> None:
    """Sites are a fixed effect, unless what they do is taken out before."""
    site, statistics = config.get("site"), config.get("statistics")
    if not isinstance(site, str) or not isinstance(statistics, dict):
        return
    columns = ["categorical", "covariates"] if statistics.get("harmonise") == "none" else ["categorical"]
    for name in columns:
        if isinstance(config.get(name), list) and site not in config[name]:
            config[name].append(site)


def known_places(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, place: str = "") -> Iterator[str]:
    """Dotted name of every key that the schema knows by name; ``root`` is where references point."""
    root = schema if root is None else root
    schema = _deref(schema, root)
    for key, below in schema.get("properties", {}).items():
        yield _join(place, key)
        yield from known_places(below, root, _join(place, key))
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, Mapping):
            yield from known_places(inner, root, place)


def nearest_place(place: str, schema: Mapping[str, Any]) -> str | None:
    """Known key most like an unknown one, by its last name, also in another block."""

    def likeness(known: str) -> float:
        block, _, name = known.rpartition(".")
        own_block, _, own_name = place.rpartition(".")
        same = difflib.SequenceMatcher(None, own_name.lower(), name.lower()).ratio()
        return same + SAME_BLOCK * (block == own_block) if same >= LIKENESS else 0.0

    best = max(known_places(schema), key=likeness, default=None)
    return best if best is not None and likeness(best) else None


def _show(value: Any) -> str:
    """A value as the user wrote it, with its kind where that is the point."""
    if isinstance(value, str):
        return f"'{value}' (text)"
    text = _as_yaml(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _as_yaml(value: Any) -> str:
    """A value as YAML has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _expected(schema: Mapping[str, Any]) -> str:
    """What a schema asks for, in words."""
    if "enum" in schema:
        return "one of " + ", ".join(map(_as_yaml, schema["enum"]))
    kinds = schema.get("type", [])
    words = " or ".join(_WORDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))
    bounds = [
        f"{text} {schema[key]}"
        for key, text in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
            ("minLength", "of a length of at least"),
            ("minItems", "with at least"),
            ("maxItems", "with at most"),
            ("minProperties", "with at least"),
            ("pattern", "of the form"),
        )
        if key in schema
    ]
    unique = ["each entry once"] if schema.get("uniqueItems") else []
    return ", ".join([" ".join([words, " and ".join(bounds)]).strip(), *unique])


def _explain(error: jsonschema.ValidationError, schema: Mapping[str, Any]) -> list[str]:
    """One line for each thing that a validation error is about."""
    place = _dotted(error.absolute_path)
    if error.validator == "additionalProperties":
        known = set(error.schema.get("properties", {}))
        lines = []
        for key in error.instance:
            if key in known:
                continue
            near = nearest_place(_join(place, key), schema)
            hint = f"did you mean {near}?" if near else f"known here: {', '.join(sorted(known))}"
            lines.append(f"{_join(place, key)}: unknown key; {hint}")
        return lines
    if error.validator == "required":
        lines = []
        for key in error.validator_value:
            if key not in error.instance:
                about = _deref(error.schema["properties"][key], schema).get("description", "")
                lines.append(f"{_join(place, key)}: missing; it has no default. {about}".rstrip())
        return lines
    if "propertyNames" in error.absolute_schema_path:
        return [f"{place}: found the name {_show(error.instance)}; remove the spaces around it"]
    return [f"{place}: found {_show(error.instance)}, expected {_expected(error.schema)}"]


def _incomplete_choices(config: Mapping[str, Any]) -> list[str]:
    """Keys that do nothing without another one."""
    problems = []
    if not config["bids_dir"] and not config["measures"]:
        problems.append("bids_dir: missing; give the path of the BIDS dataset")
    if config["measures"] and config["bids_dir"]:
        problems.append(
            "measures: a table in the place of scans, and bids_dir names scans; to join the table to the measures of "
            "the scans, name it in tables, otherwise remove bids_dir"
        )
    if config["measures"] and config["tables"]:
        problems.append("tables: join the measures of scans, and there are none; name all tables in measures")
    if config["measures"] and not config["participants"] and not config["measures"][0]["wide"]:
        problems.append("participants: missing; with measures, give the path of the table of groups and covariates")
    for key in ("measures", "tables"):
        for index, entry in enumerate(config[key]):
            ways = [way for way in ("pattern", "mapping", "columns") if (entry["wide"] or {}).get(way)]
            if entry["wide"] and len(ways) != 1:
                advice = "pattern, mapping or columns, one of them; remove the others" if ways else _NO_LAYOUT
                problems.append(f"{key}[{index}].wide: {advice}")
    problems += _incomplete_visits(config)
    if config["measures"] and config["simulation"] is not None:
        problems.append("simulation: nothing is simulated for a table of measures; remove one of the two")
    if config["quality"] and not config["measures"]:
        problems.append("quality: only for a table of measures; a study with scans computes its own, so remove it")
    if config["statistics"]["harmonise"] != "none" and not config["site"]:
        problems.append("site: missing; statistics.harmonise needs the column with the site or scanner")
    return problems


def _incomplete_visits(config: Mapping[str, Any]) -> list[str]:
    """Keys of several visits that cannot be followed."""
    simulated = config["simulation"]
    if not config["visits"]:
        alone = simulated is not None and simulated["visits"] is not None
        return [
            *(["simulation.visits: simulated sessions are measured with visits; set visits ({})"] if alone else []),
            *(
                f"{key}[{index}].session: only with several visits; set visits, or remove it"
                for key in ("measures", "tables")
                for index, entry in enumerate(config[key])
                if entry["session"]
            ),
        ]
    if simulated is not None:
        return _visits_not_simulated(config["visits"], simulated["visits"])
    if not config["measures"]:
        return _session_in_patterns(config)
    if not config["visits"]["table"]:
        return ["visits.table: missing; with measures, give the path of the table of visits"]
    if config["measures"][0]["wide"] and not config["participants"]:
        return [
            "participants: missing; with visits the table of measures has a row for each visit: give the path of a "
            "table with a row for each participant"
        ]
    return []


def _visits_not_simulated(chosen: Mapping[str, Any], simulated: Mapping[str, Any] | None) -> list[str]:
    """What is asked of visits and the simulation does not make."""
    if simulated is None:
        return ["visits: simulated people have one visit; set simulation.visits, or remove visits"]
    problems = [
        f"visits.scores: '{name}' is not simulated; {', '.join(SCORES)} are"
        for name in chosen["scores"]
        if name not in SCORES
    ]
    if chosen["table"]:
        problems.append("visits.table: the simulation decides when people are seen; remove it")
    months = simulated["months"]
    if months[0] != 0 or sorted(set(months)) != months:
        problems.append("simulation.visits.months: count from the first visit; write 0 first, then rising numbers")
    return problems


def _session_in_patterns(config: Mapping[str, Any]) -> list[str]:
    """Patterns that choose a session where every session is measured."""
    given = {
        "t1w.pattern": [config["t1w"]["pattern"]],
        "dwi.pattern": [config["dwi"]["pattern"]],
        "swi.patterns": config["swi"]["patterns"],
    } | {f"maps.{name}.pattern": [own["pattern"]] for name, own in config["maps"].items()}
    return [
        f"{key}: {pattern} chooses a session, and with visits every session is measured; write it from the session's "
        "folder on, as anat/*_T1w.nii.gz, or remove visits"
        for key, patterns in given.items()
        for pattern in patterns or ()
        if pattern.startswith("ses-")
    ]


def _incomplete_atlas(atlas: Mapping[str, Any], t1w: Mapping[str, Any]) -> list[str]:
    """Keys of an own atlas that do nothing, or cannot be read, without another one."""
    problems = []
    if (atlas["labels"] is None) != (atlas["table"] is None):
        problems.append("atlas.labels: labels and table belong together; give both paths, or neither")
    if atlas["mask"] and not atlas["template"]:
        problems.append("atlas.mask: is the mask of a template of your own; give atlas.template too, or remove it")
    if bool(atlas["template"]) != bool(atlas["space"]):
        problems.append(
            "atlas.space: template and space belong together; give the path of the template and the name of its space, "
            "as MNI152NLin2009cAsym, or neither"
        )
    if not atlas["builtin"]:
        lacking = [key for key in ("template", "labels") if not atlas[key]]
        if lacking:
            problems.append(f"atlas.builtin: false needs {' and '.join(lacking)} of your own; give them in atlas")
        if t1w["brain_extraction"] == "template" and not t1w["head_template"]["image"]:
            problems.append(
                "t1w.brain_extraction: template is made from the built-in template; give t1w.head_template, or set it "
                "to deepbet, or atlas.builtin to true"
            )
    return problems


def _unknown_measures(config: Mapping[str, Any]) -> list[str]:
    """Primary measures that no modality has."""
    problems = []
    for index, chosen in enumerate(config["statistics"]["primary"]):
        modality, measure = chosen["modality"], chosen["measure"]
        known = [name for of, name in all_definitions(config["maps"]) if of == modality]
        if known and measure not in known:
            near = difflib.get_close_matches(measure, known, n=1, cutoff=LIKENESS)
            hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(known)}"
            problems.append(f"statistics.primary[{index}]: {modality} has no measure '{measure}'; {hint}")
    return problems


def unknown_directions(higher_is: Iterable[str], known: Collection[tuple[str, str, str]]) -> list[str]:
    """Measures of ``higher_is`` that the study does not have.

    Parameters
    ----------
    higher_is : iterable of str
        Modality and measure, perhaps a region, with blanks between them.
    known : collection of (modality, measure, region)
        Measures of the study; the region is empty where it is not known which there are.
    """
    regions: dict[str, set[str]] = {}
    for modality, measure, region in known:
        regions.setdefault(f"{modality} {measure}", set()).add(region)
    problems = []
    for place in higher_is:
        name, region = " ".join(place.split()[:2]), " ".join(place.split()[2:])
        if name not in regions:
            near = difflib.get_close_matches(name, regions, n=1, cutoff=LIKENESS)
            hint = f"did you mean '{near[0]}'?" if near else "correct the name, or remove the entry"
            problems.append(f"higher_is: the study has no measure '{name}'; {hint}")
        elif region and not regions[name] & {region, ""}:
            near = difflib.get_close_matches(region, regions[name], n=1, cutoff=LIKENESS)
            hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(sorted(regions[name]))}"
            problems.append(f"higher_is: '{name}' has no region '{region}'; {hint}")
    return problems


def _unknown_places(config: Mapping[str, Any]) -> list[str]:
    """Measures with covariates of their own that no modality has, and quality measures that are not given."""
    problems = []
    for place, names in config["measure_covariates"].items():
        modality, *rest = place.split()
        where = f"measure_covariates: '{place}'"
        defined = all_definitions(config["maps"])
        measures_of = {of: [name for other, name in defined if other == of] for of, _ in defined}
        if not (config["measures"] or config["tables"]):  # those of a table that is brought may have any name
            if modality not in measures_of:
                near = difflib.get_close_matches(modality, measures_of, n=1, cutoff=LIKENESS)
                hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(measures_of)}"
                problems.append(f"{where} is of no modality; {hint}")
            elif rest and rest[0] not in measures_of[modality]:
                near = difflib.get_close_matches(rest[0], measures_of[modality], n=1, cutoff=LIKENESS)
                hint = f"did you mean '{modality} {near[0]}'?" if near else f"it has {', '.join(measures_of[modality])}"
                problems.append(f"{where}: {modality} has no measure '{rest[0]}'; {hint}")
        if config["measures"] and not config["quality"]:
            problems += [
                f"{where}: {name} is a measure of qc.tsv; give the path of that table as quality"
                for name in names
                if covariates.is_of_quality(name)
            ]
    return problems


def _distortion_not_simulated(distortion: str | bool, simulated: Mapping[str, Any]) -> list[str]:
    """A correction for which the simulation makes nothing."""
    if distortion == "fieldmap":
        return ["dwi.distortion: no field map is simulated; set it to auto"]
    if distortion in ("reverse", "fsl") and not simulated["reverse_b0"]:
        return [
            f"dwi.distortion: {distortion} needs a series of opposite phase encoding; set simulation.dwi.reverse_b0 "
            "to true, or dwi.distortion to auto"
        ]
    return []


def _idle_diffusion_keys(dwi: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Keys of the diffusion block that were given and would have no effect."""
    if not dwi["preprocessed"]:
        return (
            ["dwi.dir: only for preprocessed series; set dwi.preprocessed to true, or remove it"] if dwi["dir"] else []
        )
    return [
        f"dwi.{step}: found {_show(given[step])}, which has no effect on a preprocessed series "
        "(dwi.preprocessed is true); remove one of the two"
        for step in CORRECTIONS
        if given.get(step)
    ]


def _names_of_two_meanings(groups: list[str]) -> list[str]:
    """Names of groups that would make two contrasts of one name."""
    problems = []
    if "patients" in groups:
        problems.append(
            "groups.levels: the name 'patients' stands for all groups except the reference, pooled; rename the group"
        )
    contrasts: dict[str, tuple[str, str]] = {}
    for pair in permutations(groups, 2):
        other = contrasts.setdefault("-".join(pair), pair)
        if other != pair:
            problems.append(
                f"groups.levels: the contrast '{'-'.join(pair)}' could be of {' and '.join(pair)} or of "
                f"{' and '.join(other)}; write one of the names without a hyphen"
            )
    return problems


def _contradictions(config: Mapping[str, Any], faulty: set[Any]) -> list[str]:
    """Keys that are each right and do not fit together; blocks already known to be wrong are passed over."""
    problems = []
    groups = config.get("groups", {})
    if "groups" not in faulty:
        levels = groups["levels"]
        if groups["reference"] not in [*levels, None]:
            problems.append(
                f"groups.reference: found '{groups['reference']}', which is not in groups.levels "
                f"({', '.join(levels)}); name one of them, or null if the study has no controls"
            )
        problems += _names_of_two_meanings(list(levels))
        owner: dict[str, str] = {}
        for name, labels in [*levels.items(), ("leave_out", groups["leave_out"])]:
            for label in map(str, labels):
                if label in owner:
                    problems.append(
                        f"groups: the label '{label}' is under both {owner[label]} and {name}; keep it under one"
                    )
                owner[label] = name
        if "statistics" not in faulty:
            for index, pair in enumerate(config["statistics"]["contrasts"] or []):
                problems += [
                    f"statistics.contrasts[{index}]: '{name}' is not in groups.levels ({', '.join(levels)})"
                    for name in pair
                    if name not in levels
                ]
    if (
        not faulty & {"groups", "statistics"}
        and groups["reference"] is None
        and config["statistics"]["harmonise"] == "combat_controls"
    ):
        problems.append(
            "statistics.harmonise: combat_controls is estimated from the reference group, and groups.reference is "
            "null; write combat, or name a reference group"
        )
    if "modalities" not in faulty and "t1w" not in config["modalities"]:
        problems.append("modalities: t1w is missing; every measure is located by the T1w image, so add it")
    if "t1w" not in faulty:
        if not any(config["t1w"]["registration_iterations"]):
            problems.append("t1w.registration_iterations: all are 0; give iterations for at least one resolution")
        own = config["t1w"]["head_template"]
        if (own["image"] is None) != (own["mask"] is None):
            problems.append("t1w.head_template: image and mask belong together; give both paths, or neither")
    if not faulty & {"atlas", "t1w"}:
        problems += _incomplete_atlas(config["atlas"], config["t1w"])
    if not faulty & {"statistics", "covariates"}:
        problems += [
            f"statistics.map_covariates: '{name}' is not in covariates ({', '.join(config['covariates']) or 'none'}); "
            "add it there or remove it"
            for name in config["statistics"]["map_covariates"]
            if name not in config["covariates"]
        ]
    # with tables, what they hold is looked at once they are read
    if not faulty & {"statistics", "modalities", "measures", "tables"} and not (config["measures"] or config["tables"]):
        scanned = scanned_modalities(config)
        problems += [
            f"statistics.primary[{index}]: {primary['modality']} is not in modalities "
            f"({', '.join(config['modalities'])}); remove the entry or add the modality"
            for index, primary in enumerate(config["statistics"]["primary"])
            if primary["modality"] not in scanned
        ]
        problems += _unknown_measures(config)
    if "higher_is" not in faulty:
        problems += [
            f"higher_is: '{place}' names a modality and a measure, or also a region, with one blank between them, as "
            "mrs naa"
            for place in config["higher_is"]
            if place.split(" ") != place.split() or len(place.split()) not in (2, 3)
        ]
        problems += [
            f"higher_is: '{place}' has a direction already, which holds; name a region too, or remove the entry"
            for place in config["higher_is"]
            if tuple(place.split()) in DAMAGE_DIRECTION and len(place.split()) == 2
        ]
    # with tables, what they hold is looked at once they are read
    if not faulty & {"higher_is", "measures", "tables"} and not (config["measures"] or config["tables"]):
        problems += unknown_directions(config["higher_is"], {(*key, "") for key in all_definitions(config["maps"])})
    if not faulty & {"measure_covariates", "measures", "tables", "quality"}:
        problems += _unknown_places(config)
    if not faulty & {"statistics", "onset_side"} and not config["onset_side"]:
        problems += [
            f"statistics.primary[{index}]: hemi {primary['hemi']} is relative to the side of onset; name its column in "
            "onset_side"
            for index, primary in enumerate(config["statistics"]["primary"])
            if primary["hemi"] not in HEMIS
        ]
    if not faulty & {"covariates", "clinical_scores", "groups"}:
        used = [*config["covariates"], *config["clinical_scores"], groups["column"], "participant_id"]
        problems += [
            f"covariates and clinical_scores: the column '{name}' is used twice; name it once"
            for name in dict.fromkeys(used)
            if used.count(name) > 1
        ]
    if not faulty & {"clinical_scores", "clinical_sides"}:
        problems += [
            f"clinical_sides: '{name}' is not in clinical_scores ({', '.join(config['clinical_scores']) or 'none'}); "
            "add it there or correct the name"
            for name in config["clinical_sides"]
            if name not in config["clinical_scores"]
        ]
    read = {"bids_dir", "measures", "tables", "visits", "participants", "quality", "statistics", "site", "simulation"}
    if not faulty & read:
        problems += _incomplete_choices(config)
    for block, key in (("survival", "covariates"), ("visits", "moderators")):
        known = not faulty & {block, "progression"} and not config["progression"]
        if known and PROGRESSION_RATE in (config[block] or {}).get(key, []):
            problems.append(
                f"{block}.{key}: '{PROGRESSION_RATE}' is computed where progression is set; set it or remove the name"
            )
    if not faulty & {"simulation", "dwi"} and config["simulation"] is not None:
        problems += _distortion_not_simulated(config["dwi"]["distortion"], config["simulation"]["dwi"])
    if not faulty & {"simulation", "groups"} and config["simulation"] is not None:
        labels = {str(label) for given in groups["levels"].values() for label in given}
        problems += [
            f"simulation.groups: '{name}' is not among the labels of groups.levels ({', '.join(sorted(labels))})"
            for name in config["simulation"]["groups"]
            if name not in labels
        ]
        problems += [
            f"simulation.{place}: '{name}' is not in simulation.groups; correct the name"
            for place, named in (
                ("effects", config["simulation"]["effects"]),
                ("visits.change", (config["simulation"]["visits"] or {}).get("change", {})),
            )
            for name in named
            if name not in config["simulation"]["groups"]
        ]
    return problems
