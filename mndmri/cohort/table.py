"""The participants table: participants, groups, covariates."""

import difflib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mndmri.cohort.records import Problem
from mndmri.io import LINE, MISSING
from mndmri.tables.codes import codes_for_missing
from mndmri.tables.covariates import VOLUMES, is_measured, names_of
from mndmri.tables.participants import PROGRESSION_RATE, body_side
from mndmri.tables.qc import DEFINITIONS as QUALITY
from mndmri.tables.sheets import Fault

# BIDS: a label is letters and digits; anything else would also break file names apart
_ID = re.compile(r"sub-[0-9A-Za-z]+")
# without scans no file is named so
_ID_OF_TABLE = re.compile(r"sub-[0-9A-Za-z]+([-_.][0-9A-Za-z]+)*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MISSING_WORDS = {"na", "n/a", "#n/a", "n.a.", "nan", "none", "null", "missing", "unknown", "-", "--", ".", "?"}
# Words for one category in columns of these names.
_SYNONYMS = {
    "sex": {"m": "male", "man": "male", "f": "female", "w": "female", "woman": "female"},
}
_SYNONYMS["gender"] = _SYNONYMS["sex"]
# Labels this alike are one label misspelt: 'Contrl' and 'control' (0.92), not 'PLS' and 'ALS' (0.67)
SAME_LABEL = 0.8
AGE_RANGE = (0.0, 120.0)  # years
_LABELS_SHOWN = 20
FIRST_ROW = 2  # of a table in a file: line 1 is the header


def participants_path(config: Mapping[str, Any]) -> Path:
    """Path of the participants table: as the config says, or the dataset's own, or the first table of measures."""
    if config["participants"] or not config["measures"]:
        return Path(config["participants"] or Path(config["bids_dir"], "participants.tsv"))
    return Path(config["measures"][0]["file"])


def category_columns(config: Mapping[str, Any]) -> list[str]:
    """Columns of the participants table that are categories whatever is written in them.

    They are to be read as text, so that the sites 01 and 1 stay two.
    """
    numbers, used = columns_used(config)
    named = {*config["categorical"], "sex", config["onset_side"]} - numbers
    return [column for column in used if column in named]


def load_participants(table: pd.DataFrame, config: Mapping[str, Any]) -> tuple[pd.DataFrame, list[Problem]]:
    """Participants of the study, checked, and what is wrong with the table.

    Parameters
    ----------
    table : DataFrame
        The participants table, one row for each person; `category_columns` read as text. An index named
        `mndmri.io.LINE` is the row in the file.
    config : mapping
        Resolved config.

    Returns
    -------
    participants : DataFrame
        participant_id (with ``sub-``), group (the name in the config), covariates, site and
        clinical scores: numbers as float, categories as text, missing as NaN. Rows with
        a label that is not mapped and those of ``exclude`` are left out (see `count_left_out`).
    problems : list of Problem
        Empty if the table can be used.
    """
    groups = config["groups"]
    numbers, used = columns_used(config)
    categories = category_columns(config)
    # what the pipeline measures too is taken from this table where it is there
    measured = [name for name in names_of(config["measure_covariates"]) if is_measured(name) and name in table]
    numbers, used = {*numbers, *measured}, list(dict.fromkeys([*used, *measured]))
    of_measures = [name for name in names_of(config["measure_covariates"]) if not is_measured(name)]
    problems = _missing_columns(table, ["participant_id", groups["column"], *used], of_measures=of_measures)
    if problems:
        return pd.DataFrame(columns=["participant_id", "group"]), problems

    ids = ids_of(table)
    rows = list(table.index) if table.index.name == LINE else list(range(FIRST_ROW, len(ids) + FIRST_ROW))
    problems += _check_ids(rows, ids, config["exclude"], plain=not config["measures"])
    names, label_problems = _map_labels(table[groups["column"]], rows, ids, groups)
    problems += label_problems
    studied = [
        name is not None and participant not in config["exclude"] for name, participant in zip(names, ids, strict=True)
    ]

    columns: dict[str, Any] = {"participant_id": ids, "group": names}
    for column in used:
        number, category = column in numbers, column in categories
        values, found = _read_column(table[column], rows, ids, studied, category=category, number=number)
        columns[column] = values
        problems += found
    participants = pd.DataFrame(columns)[np.array(studied, dtype=bool)].reset_index(drop=True)
    problems += _no_side(participants, config["onset_side"])
    problems += _empty_groups(participants, groups, set(map(_text, table[groups["column"]])))
    return participants, problems


def columns_used(config: Mapping[str, Any]) -> tuple[set[str], list[str]]:
    """Columns that must hold numbers, and all that the study uses besides id and group, each once."""
    progression = config["progression"] or {}
    numbers = [*config["clinical_scores"], *(progression[k] for k in ("score", "months") if k in progression)]
    numbers += [name for name in [config["statistics"]["rated_sign"]] if name]
    survival = config["survival"] or {}
    numbers += [survival[key] for key in ("time", "event") if key in survival]
    of_measures = [name for name in names_of(config["measure_covariates"]) if not is_measured(name)]
    others = [config[key] for key in ("site", "onset_side") if config[key]]
    moderators = (config["visits"] or {}).get("moderators", [])
    others += [name for name in [*survival.get("covariates", []), *moderators] if name != PROGRESSION_RATE]
    used = list(dict.fromkeys([*config["covariates"], *of_measures, *others, *numbers]))
    return {*numbers, *(column for column in used if column.lower() == "age")}, used


def count_left_out(table: pd.DataFrame, config: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, str]]:
    """Who in the table is not studied.

    Returns
    -------
    labels : dict
        Label that no group has, to the number of people with it.
    excluded : dict
        ``participant_id`` to the reason, for participants excluded by the config.
    """
    if not {"participant_id", config["groups"]["column"]} <= set(table.columns):
        return {}, {}
    ids = ids_of(table)
    known = _label_to_name(config["groups"])
    labels = Counter(
        _text(label)
        for label, participant in zip(table[config["groups"]["column"]], ids, strict=True)
        if _composed(_text(label)) not in known and participant not in config["exclude"]
    )
    return dict(labels), {who: why for who, why in config["exclude"].items() if who in ids}


def listed_ids(table: pd.DataFrame) -> list[str]:
    """participant_id of every row of the participants table, with ``sub-``, each once."""
    ids = ids_of(table) if "participant_id" in table else []
    return [who for who in dict.fromkeys(ids) if who != MISSING]


def ids_of(table: pd.DataFrame) -> list[str]:
    """participant_id of each row of the participants table, with ``sub-``; n/a where it is missing."""
    return [with_prefix(_text(value)) for value in table["participant_id"]]


def _text(value: object) -> str:
    """A cell as it stands in the file: a whole number that was read as 1.0 is ``1`` again."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def with_prefix(participant: str) -> str:
    """Name of a participant as BIDS has it; what is missing stays so."""
    return participant if participant.startswith("sub-") or participant == MISSING else f"sub-{participant}"


def _composed(label: str) -> str:
    """One form for letters with accents, which look alike and may be stored in two ways."""
    return unicodedata.normalize("NFC", label)


def _label_to_name(groups: Mapping[str, Any]) -> dict[str, str]:
    return {_composed(str(label)): name for name, labels in groups["levels"].items() for label in labels}


def _nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known name most like another, capitals aside."""
    by_fold = {k.casefold().strip(): k for k in known}
    found = difflib.get_close_matches(name.casefold().strip(), by_fold, n=1, cutoff=likeness)
    return by_fold[found[0]] if found else None


def _missing_columns(table: pd.DataFrame, wanted: list[str], *, of_measures: list[str]) -> list[Problem]:
    problems = []
    for column in dict.fromkeys(wanted):
        if column not in table.columns:
            others = [*VOLUMES, *QUALITY] if column in of_measures else []
            near = _nearest(column, [*map(str, table.columns), *others])
            hint = f"did you mean '{near}'?" if near else f"it has {', '.join(map(str, table.columns))}"
            problems.append(
                Problem(
                    f"participants table: no column '{column}'; {hint} Correct the table, or the name in the config "
                    "(groups.column, covariates, measure_covariates, site, onset_side, survival, clinical_scores, "
                    "progression, visits.moderators, statistics.rated_sign)"
                )
            )
    return problems


def _check_ids(lines: list[int], ids: list[str], exclude: Mapping[str, str], *, plain: bool) -> list[Problem]:
    """What is wrong with the ids; with ``plain``, they are to be in names of files."""
    problems = []
    if not ids:
        problems.append(Problem("participants table: no rows; list a person in each"))
    rows: dict[str, list[int]] = {}
    for row, participant in zip(lines, ids, strict=True):
        rows.setdefault(participant, []).append(row)
        if participant == MISSING:
            problems.append(
                Problem(f"participants table, row {row}: participant_id is empty; fill it in or remove the row")
            )
        elif not (_ID if plain else _ID_OF_TABLE).fullmatch(participant):
            allowed = "letters and digits" if plain else "letters, digits and one of - _ . between them"
            where = "the table and in the dataset" if plain else "all tables"
            problems.append(
                Problem(
                    f"participants table, row {row}: participant_id '{participant}' has other characters than "
                    f"{allowed} after 'sub-'; rename the participant in {where}"
                )
            )
    problems += [
        Problem(
            f"participants table: participant_id '{participant}' is in rows {', '.join(map(str, where))}; "
            "keep one row for each person"
        )
        for participant, where in rows.items()
        if len(where) > 1 and participant != MISSING
    ]
    for participant in exclude:
        if participant not in rows:
            near = _nearest(participant, rows)
            hint = f"did you mean '{near}'?" if near else "write it as in the table, with 'sub-'"
            problems.append(Problem(f"exclude: '{participant}' is not in the participants table; {hint}"))
    return problems


def _map_labels(
    labels: pd.Series, rows: list[int], ids: list[str], groups: Mapping[str, Any]
) -> tuple[list[str | None], list[Problem]]:
    """Group of each row, None where the label is not mapped; a misspelt label is a problem."""
    known = _label_to_name(groups)
    deliberate = {_composed(str(label)) for label in groups["leave_out"]}
    names: list[str | None] = []
    problems = []
    for row, value, participant in zip(rows, labels, ids, strict=True):
        label = _composed(_text(value))
        names.append(known.get(label))
        if isinstance(value, Fault):
            problems.append(_unreadable(row, participant, labels.name, value))
            continue
        if label in known or label in deliberate or label == MISSING:
            continue
        near = _nearest(label, known, SAME_LABEL)
        if near:
            problems.append(
                Problem(
                    f"participants table, row {row} ({participant}), column '{labels.name}': label '{label}' is in no "
                    f"group of groups.levels; did you mean '{near}'? Correct the table, or add the label to a group "
                    "or to groups.leave_out"
                )
            )
    return names, problems


def _empty_groups(participants: pd.DataFrame, groups: Mapping[str, Any], labels: set[str]) -> list[Problem]:
    problems = []
    shown = ", ".join(repr(label) for label in sorted(labels)[:_LABELS_SHOWN])
    for name, own in groups["levels"].items():
        if name not in set(participants["group"]):
            role = "the reference group" if name == groups["reference"] else "the group"
            problems.append(
                Problem(
                    f"groups: {role} '{name}' has no participant: no row of column '{groups['column']}' that is "
                    f"studied has the label {' or '.join(map(repr, map(str, own)))} (labels there: {shown or 'none'}); "
                    "correct groups.levels, or remove the group (groups.reference: null for a study without controls)"
                )
            )
    return problems


def _read_column(
    column: pd.Series, rows: list[int], ids: list[str], studied: list[bool], *, category: bool, number: bool
) -> tuple[pd.Series, list[Problem]]:
    """Values of a covariate or score, and what is wrong with them in the rows studied.

    A column is one of categories if the config says so or if no value in it is a number.
    """
    texts = [_text(value) for value in column]
    numeric = [bool(_NUMBER.fullmatch(text)) for text in texts]
    used = [text for text, use in zip(texts, studied, strict=True) if use and text != MISSING]
    problems = [
        _unreadable(row, participant, column.name, value)
        for row, value, participant, use in zip(rows, column, ids, studied, strict=True)
        if use and isinstance(value, Fault)
    ]
    if problems:
        return pd.Series(np.nan, range(len(column)), dtype=object), problems
    if any(studied) and not used:
        problems.append(
            Problem(
                f"participants table: column '{column.name}' has no value for anyone studied; fill it in, or take it "
                "out of the config"
            )
        )
    if category or not (number or any(numeric)):
        for row, text, participant, use in zip(rows, texts, ids, studied, strict=True):
            if use and text != MISSING and text.casefold() in _MISSING_WORDS:
                problems.append(Problem(_not_missing(row, participant, column.name, text)))
        problems += _spelt_in_several_ways(str(column.name), used)
        if not category and len(used) > 2 and len(set(used)) == len(used):
            problems.append(
                Problem(
                    f"participants table: column '{column.name}' contains text, different in each of {len(used)} rows "
                    f"('{used[0]}', '{used[1]}', ...); a covariate is a number or one of a few categories"
                )
            )
        return pd.Series([np.nan if t == MISSING else t for t in texts], dtype=object), problems

    values = []
    for row, text, participant, use, good in zip(rows, texts, ids, studied, numeric, strict=True):
        values.append(float(text) if good else np.nan)
        if not use or text == MISSING:
            continue
        where = f"participants table, row {row} ({participant}), column '{column.name}'"
        if text.casefold() in _MISSING_WORDS:
            problems.append(Problem(_not_missing(row, participant, column.name, text)))
        elif not good:
            comma = " with a point, not a comma" if _NUMBER.fullmatch(text.replace(",", ".")) else ""
            problems.append(
                Problem(f"{where}: found '{text}', expected a number{comma}; write the number alone, or n/a")
            )
        elif not math.isfinite(values[-1]):
            problems.append(Problem(f"{where}: found '{text}', expected a finite number; correct it, or write n/a"))
        elif column.name.lower() == "age" and not AGE_RANGE[0] < values[-1] < AGE_RANGE[1]:
            problems.append(
                Problem(
                    f"{where}: found {text}, expected years between {AGE_RANGE[0]:g} and {AGE_RANGE[1]:g}; correct it"
                )
            )
    read = pd.Series(values, dtype=float)
    return read, [*problems, *_codes_for_missing(read, rows, ids, studied, column.name)]


def _spelt_in_several_ways(column: str, used: Iterable[str]) -> list[Problem]:
    """A category that is written in more than one way, which would be as many categories."""
    synonyms = _SYNONYMS.get(column.casefold(), {})
    used = list(used)
    if synonyms and (coded := sorted({text for text in used if _NUMBER.fullmatch(text)})) and len(coded) < len({*used}):
        return [
            Problem(
                f"participants table: column '{column}' has the code {', '.join(coded)} beside the words "
                + ", ".join(repr(text) for text in sorted({*used} - {*coded}))
                + "; write one or the other in all rows"
            )
        ]
    spellings: dict[str, Counter[str]] = {}
    for text in used:
        plain = " ".join(text.casefold().split())
        spellings.setdefault(synonyms.get(plain, plain), Counter())[text] += 1
    return [
        Problem(
            f"participants table: column '{column}' has "
            + ", ".join(f"'{text}' ({n})" for text, n in ways.most_common())
            + f", which are one category; write '{ways.most_common(1)[0][0]}' in all of them"
        )
        for ways in spellings.values()
        if len(ways) > 1
    ]


def _no_side(participants: pd.DataFrame, column: str | None) -> list[Problem]:
    """A column of the side of onset that names no side in anybody."""
    if column is None or any(map(body_side, participants[column])):
        return []
    found = ", ".join(repr(text) for text in participants[column].dropna().unique()[:5]) or "nothing"
    return [
        Problem(
            f"onset_side: the column '{column}' of the participants table has {found}; expected L, R, left or right in "
            "those whose disease began on one side, n/a or another word in the others"
        )
    ]


def _codes_for_missing(
    values: pd.Series, rows: list[int], ids: list[str], studied: list[bool], column: object
) -> list[Problem]:
    """Numbers that stand for a missing value, told by what they are and by how far they are from the others."""
    used = values[np.array(studied, bool)]
    coded = codes_for_missing(used)
    others = used[~coded]
    return [
        Problem(
            f"participants table, row {rows[place]} ({ids[place]}), column '{column}': found {used[place]:g}, far from "
            f"the others ({others.min():g} to {others.max():g}), as codes for a missing value are; write n/a"
        )
        for place in used.index[coded]
    ]


def _unreadable(row: int, participant: str, column: object, fault: Fault) -> Problem:
    return Problem(
        f"participants table, row {row} ({participant}), column '{column}': found {fault}; correct the cell, or leave "
        "it empty"
    )


def _not_missing(row: int, participant: str, column: object, text: str) -> str:
    return (
        f"participants table, row {row} ({participant}), column '{column}': found '{text}'; a missing value is "
        "written n/a"
    )
