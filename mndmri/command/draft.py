"""A first config for a dataset, made from what is there."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mndmri.cohort.config import resolve_config
from mndmri.cohort.scans import SWI_PATTERNS, find_scans
from mndmri.io import InputError, read_table
from mndmri.tables.words import name_people

GROUP_COLUMNS = ("group", "diagnosis", "dx", "disease", "phenotype", "patient_group", "participant_group", "cohort")
SITE_COLUMNS = ("site", "scanner", "center", "centre", "institution", "manufacturers_model_name")
MOST_GROUPS = 8  # categories of a column of groups; more are something else
# What labels of a group usually are, as whole words in lower case; the first match counts.
_LABELS = {
    "PLS": re.compile(r"\b(pls|primary lateral sclerosis)\b"),
    "ALS": re.compile(r"\b(f?als|sals|amyotrophic lateral sclerosis|mnd|motor neurone? disease)\b"),
    "control": re.compile(r"\b(controls?|ctrls?|con|hcs?|hvs?|cn|nc|healthy|normal|volunteers?)\b"),
}
# In a label with such a word, the name of a group does not mean that group.
_DENIED = re.compile(r"\b(non|not|no|mimics?|free|relatives?|carriers?|presymptomatic|at risk)\b")
_SCORE = re.compile(r"alsfrs|(^|_)umn|penn")
_NO_LABEL = {"", "nan", "n/a", "na", "none"}


class Draft(NamedTuple):
    """A config without its defaults, and a line for each choice that was made or is left."""

    config: dict[str, Any]
    remarks: list[str]


def draft_config(
    bids_dir: str | Path, *, output_dir: str | Path, schema: Mapping[str, Any], group_column: str | None = None
) -> Draft:
    """Config of a study by its dataset: groups by their labels, modalities by the files, columns by their names.

    Parameters
    ----------
    bids_dir : path
        Root of the dataset, with participants.tsv.
    output_dir : path
        Where the study's results will be.
    schema : mapping
        Schema of the config.
    group_column : str, optional
        Column of participants.tsv with the groups; by default one with a usual name.

    Returns
    -------
    Draft

    Raises
    ------
    InputError
        Without a table of participants, a column with their groups, or any T1w image.
    """
    root = Path(bids_dir)
    path = root / "participants.tsv"
    if not path.is_file():
        raise InputError(f"{path}: no such file; it lists the participants (participant_id, group, age, sex)")
    table = read_table(path, text=["participant_id"])
    if "participant_id" not in table:
        raise InputError(f"{path}: no column participant_id; it has {', '.join(map(str, table.columns))}")
    column = _group_column(table, group_column, path)
    levels, remarks = _levels(table[column])
    config: dict[str, Any] = {
        "bids_dir": str(root),
        "output_dir": str(output_dir),
        "groups": {"column": column, "reference": "control" if "control" in levels else None, "levels": levels},
        "covariates": [name for name in table.columns if str(name).lower() in ("age", "sex") and _varies(table[name])],
    }
    if config["groups"]["reference"] is None:
        remarks.append("no label means controls: groups.reference is null, so that nobody is compared with them")
    sites = [name for name in table.columns if str(name).lower() in SITE_COLUMNS and _varies(table[name])]
    config["site"] = sites[0] if sites else None
    config["clinical_scores"] = [
        name
        for name in table.columns
        if _SCORE.search(str(name).lower()) and pd.api.types.is_numeric_dtype(table[name]) and _varies(table[name])
    ]
    people = [who if str(who).startswith("sub-") else f"sub-{who}" for who in table["participant_id"].astype(str)]
    return Draft(*_with_scans(root, people, config, remarks, schema))


def _group_column(table: pd.DataFrame, wanted: str | None, path: Path) -> str:
    """Column with the groups."""
    listed = ", ".join(map(str, table.columns))
    if wanted is not None:
        if wanted not in table:
            raise InputError(f"{path}: no column '{wanted}'; it has {listed}")
        return wanted
    by_name = {str(name).lower(): str(name) for name in table.columns}
    named = [by_name[name] for name in GROUP_COLUMNS if name in by_name]
    known = [
        str(name)
        for name in table.columns
        if table[name].nunique() <= MOST_GROUPS and any(_kind(label) for label in table[name].dropna().unique())
    ]
    if not [*named, *known]:
        raise InputError(f"{path}: no column looks like the groups; name it with --group, one of: {listed}")
    # a column of a usual name whose labels are known, one that names a disease, one of such a name, one of such labels
    ill = [name for name in known if {_kind(label) for label in table[name].dropna().unique()} & {"ALS", "PLS"}]
    return next((name for name in named if name in known), [*ill, *named, *known][0])


def _kind(label: object) -> str | None:
    """Name of the group that a label usually means."""
    words = re.sub(r"[^a-z0-9]+", " ", str(label).lower())
    if _DENIED.search(words):
        return None
    return next((name for name, pattern in _LABELS.items() if pattern.search(words)), None)


def _levels(labels: pd.Series) -> tuple[dict[str, list[str]], list[str]]:
    """Labels of each group, patients first, and what was decided."""
    texts = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in labels]
    counts = Counter(text for text in texts if text.strip().lower() not in _NO_LABEL)
    if not counts:
        raise InputError(f"participants.tsv: column '{labels.name}' is empty; name another with --group")
    if len(counts) > MOST_GROUPS:
        raise InputError(
            f"participants.tsv: column '{labels.name}' has {len(counts)} different labels, which is not a column of "
            "groups; name another with --group"
        )
    levels: dict[str, list[str]] = {}
    for label in sorted(counts):
        levels.setdefault(_kind(label) or label, []).append(label)
    order = {"ALS": 0, "PLS": 1, "control": 3}
    levels = dict(sorted(levels.items(), key=lambda item: order.get(item[0], 2)))
    remarks = [
        f"group {name}: " + ", ".join(f"'{label}' ({counts[label]})" for label in own) for name, own in levels.items()
    ]
    if missing := len(texts) - sum(counts.values()):
        remarks.append(f"{missing} without a label in '{labels.name}', left out")
    return levels, remarks


def _varies(values: pd.Series) -> bool:
    return values.nunique() > 1


def _with_scans(
    root: Path, people: Sequence[str], config: dict[str, Any], remarks: list[str], schema: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The config with the modalities that are there; with several sessions, of the first that most have."""
    modalities = list(schema["properties"]["modalities"]["items"]["enum"])
    there = [who for who in people if (root / who).is_dir()]
    if lacking := [who for who in people if who not in there]:
        remarks.append(f"no folder in the dataset: {name_people(lacking)}")
    if not there:
        raise InputError(f"{root}: no folder for any participant of participants.tsv; is it the root of the dataset?")
    sessions = _sessions(root, there)
    if len(sessions) > 1:
        most = max(sessions.values())
        first = next(name for name, count in sessions.items() if count == most)
        listed = ", ".join(f"{name} ({count})" for name, count in sessions.items())
        remarks.append(f"several sessions, {listed}: {first} is taken; another: change the patterns")
        defaults = resolve_config({"bids_dir": str(root)}, schema)
        for modality in modalities:
            if modality == "swi":
                config["swi"] = {"patterns": [f"{first}/{pattern}" for pattern in SWI_PATTERNS]}
            else:
                config[modality] = {"pattern": f"{first}/{defaults[modality]['pattern']}"}
    every = resolve_config({**config, "modalities": modalities}, schema)
    has: dict[str, list[str]] = {modality: [] for modality in modalities}
    unclear: dict[str, list[str]] = {modality: [] for modality in modalities}
    for who in there:
        scans, problems = find_scans(root, who, every)
        for modality in modalities:
            if modality in scans:
                has[modality].append(who)
        for problem in problems:
            unclear[str(problem.modality)].append(problem.message)
    if not has["t1w"]:
        raise InputError(f"no T1w image can be used; the first that is wrong: {unclear['t1w'][0]}")
    chosen = [modality for modality in modalities if has[modality]]
    remarks += [f"{modality}: {len(has[modality])} of {len(people)}" for modality in chosen]
    remarks += [
        f"{modality}: not clear in {len(found)}, as in {found[0]}"
        for modality, found in unclear.items()
        if found and (has[modality] or modality != "t1w")
    ]
    for modality in set(modalities) - set(chosen):
        config.pop(modality, None)
    return {**config, "modalities": chosen}, remarks


def _sessions(root: Path, people: Sequence[str]) -> dict[str, int]:
    """How many people have a T1w image in each session, by its label; empty without sessions."""
    counts: Counter[str] = Counter()
    for who in people:
        found = {path.parent.parent.name for path in (root / who).glob("ses-*/anat/*_T1w.nii*")}
        counts.update(found)
    return {name: counts[name] for name in sorted(counts)}
