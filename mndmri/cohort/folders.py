"""Folders of a study: which may be written to, so that nothing that somebody else made is lost."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mndmri.io import InputError, read_json, write_json
from mndmri.provenance import NAME, SIMULATED

DESCRIBED = "dataset_description.json"
MARKER = ".simulated_by_mndmri.json"  # a dataset that may be written over has it
RESULTS_MARKER = ".results_of_mndmri.json"  # and a folder of results
CHECKED = ".checked_inputs.json"  # what was known of the inputs when they were last looked at
# What is written into a folder of results.
_WRITTEN = (
    "sub-*",
    "group",
    "qc",
    "reader",
    "parts",
    "resources",
    "simulation",
    "logs",
    "benchmarks",
    "provenance.json",
    "status.html",
)
_SHOWN = 5


def expand_home(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The config with ``~`` at the beginning of a path as the home folder that it means."""

    def expanded(value: Any, schema: Mapping[str, Any]) -> Any:
        if isinstance(value, Mapping):
            return {key: expanded(own, _below(schema, key)) for key, own in value.items()}
        if isinstance(value, list):
            each = schema if "format" in schema else schema.get("items", {})
            return [expanded(own, each) for own in value]
        if isinstance(value, str) and schema.get("format") in ("folder", "path"):
            with suppress(RuntimeError):  # nobody of that name: a folder called ~x
                return str(Path(value).expanduser())
        return value

    return dict(expanded(config, schema))


def check_folders(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Why the study may not be run with these paths, a line each; empty where nothing of the user's can be lost.

    Parameters
    ----------
    config : mapping
        Resolved config.
    schema : mapping
        Its schema, whose ``format`` says what a key is: a ``folder`` or ``path``, or a ``pattern`` that is looked
        for below each participant's folder.
    """
    read = list(_given(config, schema, "path"))
    problems = _unsafe_names([*_given(config, schema, "folder"), *read])
    problems += _unsafe_patterns(_given(config, schema, "pattern"))
    return problems or [*_unsafe_output(config, read), *_unsafe_simulation(config)]


def mark_results(output_dir: str | Path) -> None:
    """Note in a folder that what is in it are results, so that a later run may write there again."""
    said = "Results of mndmri; a run with this output_dir writes here again."
    write_json({"Description": said}, Path(output_dir, RESULTS_MARKER))


def mark_simulated(bids_dir: str | Path) -> None:
    """Note in a folder that what is in it is simulated, so that a later run may write there again."""
    said = "Simulated by mndmri; a run with a simulation block writes here again."
    write_json({"Description": said}, Path(bids_dir, MARKER))


def _below(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Schema of a key's value, also of one whose name the user has chosen; empty where nothing is known of it."""
    others = schema.get("additionalProperties")
    found: Mapping[str, Any] = schema.get("properties", {}).get(key, others if isinstance(others, Mapping) else {})
    return found


def _given(config: Any, schema: Mapping[str, Any], kind: str, place: str = "") -> Iterator[tuple[str, str]]:
    """Dotted name and text of each key of a kind that is set; a list has several."""
    for key, value in config.items():
        below, name = _below(schema, key), f"{place}.{key}".lstrip(".")
        if isinstance(value, Mapping):
            yield from _given(value, below, kind, name)
        elif isinstance(value, list) and "properties" in below.get("items", {}):
            for index, own in enumerate(value):
                yield from _given(own, below["items"], kind, f"{name}[{index}]")
        elif below.get("format") == kind and value is not None:
            yield from ((name, text) for text in (value if isinstance(value, list) else [value]))


def _unsafe_names(given: Iterable[tuple[str, str]]) -> list[str]:
    """Paths that Snakemake would read as something else than a path."""
    return [
        f"{key}: the path {path} holds {'a brace' if any(c in path for c in '{}') else 'a line break'}, which stands "
        "for something else in Snakemake; rename the folder, or make a link to it"
        for key, path in given
        if any(c in path for c in "{}\n\r")
    ]


def _unsafe_patterns(given: Iterable[tuple[str, str]]) -> list[str]:
    """Patterns that leave the participant's folder, or that are none."""
    problems = []
    for key, pattern in given:
        parts = Path(pattern).parts
        if Path(pattern).is_absolute() or ".." in parts or pattern.startswith("~"):
            problems.append(
                f"{key}: the pattern {pattern} leads out of the participant's folder, so that one person's scan could "
                "be taken for another's; write it from that folder on, as anat/*_T1w.nii.gz"
            )
        elif any("**" in part and part != "**" for part in parts) or parts[-1:] == ("**",):
            problems.append(
                f"{key}: in the pattern {pattern}, ** stands for folders and is a part of its own, as in "
                "**/*_T1w.nii.gz; write * where letters are meant"
            )
        elif any(c in pattern for c in "{}"):
            problems.append(
                f"{key}: the pattern {pattern} holds a brace, and braces choose nothing; write * and ? alone, or "
                "[ab] for one of several letters"
            )
    return problems


def _unsafe_output(config: Mapping[str, Any], read: Iterable[tuple[str, str]]) -> list[str]:
    """An output folder that holds somebody else's files, or the study's own input."""
    out = Path(config["output_dir"]).resolve()
    given = config["output_dir"]
    if out.exists() and not out.is_dir():
        return [f"output_dir: {given} is a file; name a folder"]
    problems = []
    if config["bids_dir"]:
        bids = Path(config["bids_dir"]).resolve()
        if out == bids:
            problems.append(
                f"output_dir: {given} is bids_dir, whose files would be written over; name another folder, as "
                f"{Path(config['bids_dir'], 'derivatives', 'mndmri')}"
            )
        elif bids in out.parents and out.relative_to(bids).parts[0] != "derivatives":
            problems.append(
                f"output_dir: {given} lies in bids_dir, among the scans; name a folder outside it, or in its "
                f"derivatives, as {Path(config['bids_dir'], 'derivatives', 'mndmri')}"
            )
        elif out in bids.parents and not config["simulation"]:
            problems.append(
                f"output_dir: {given} holds bids_dir ({config['bids_dir']}); results are not written above the scans: "
                "name a folder of its own"
            )
    problems += [
        f"{key}: {path} lies in output_dir ({given}), where this run writes; copy it to another folder, or choose "
        "another output_dir"
        for key, path in read
        if out in [Path(path).resolve(), *Path(path).resolve().parents]
    ]
    described = out / DESCRIBED
    if not problems and described.exists() and not _is_ours(described):
        problems.append(
            f"output_dir: {given} holds a {DESCRIBED} that mndmri has not written, so the folder belongs to something "
            "else; choose another output_dir"
        )
    ours = any((out / name).exists() for name in (RESULTS_MARKER, CHECKED, DESCRIBED))
    there = sorted(path.name for name in _WRITTEN for path in out.glob(name))
    if not problems and there and not ours:
        problems.append(
            f"output_dir: {given} holds {', '.join(there[:_SHOWN])}{', ...' * (len(there) > _SHOWN)}, which mndmri "
            "has not written and would write over; choose another output_dir"
        )
    return problems


def _is_ours(described: Path) -> bool:
    try:
        content = read_json(described)
    except InputError:
        return False
    makers = content.get("GeneratedBy") if isinstance(content, dict) else None
    return isinstance(makers, list) and any(isinstance(own, dict) and own.get("Name") == NAME for own in makers)


def _unsafe_simulation(config: Mapping[str, Any]) -> list[str]:
    """A simulation that would write into a dataset that it has not made."""
    if not config["simulation"]:
        return []
    bids = Path(config["bids_dir"])
    if not bids.exists() or (bids.is_dir() and not any(bids.iterdir())) or (bids / MARKER).is_file():
        return []
    described = bids / DESCRIBED
    try:
        if described.exists() and read_json(described) == SIMULATED:  # made before there was a marker
            return []
    except InputError:
        pass
    return [
        f"simulation: {bids} is not empty, and its scans are not simulated; a simulation would write over them. For a "
        "study of your own, remove the block simulation from the config; to simulate people, name a new bids_dir"
    ]
