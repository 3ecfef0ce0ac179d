"""The group's table of participants: its own columns, and the kind of each."""

from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from mndmri.io import read_json, read_table
from mndmri.tables.dictionaries import TITLE, column_names, dictionary_path

# One more clinical score, where the config says how it is computed.
PROGRESSION_RATE = "progression_rate"
NUMBER, CATEGORY = "number", "category"

_DESCRIPTIONS = {
    "participant_id": "Participant, as in the study's participants table.",
    "group": "Study group, as the config maps the participants table's labels.",
    PROGRESSION_RATE: "Points of the functional score lost in a month since onset.",
}
_FROM_STUDY = "As in the study's participants table."
_SIDES = {"l": "L", "left": "L", "r": "R", "right": "R"}


def body_side(word: object) -> str | None:
    """Side that a cell of the table names, L or R; None for what names none (bulbar, both, missing)."""
    return _SIDES.get(word.strip().casefold()) if isinstance(word, str) else None


def participants_dictionary(participants: pd.DataFrame) -> dict[str, Any]:
    """BIDS data dictionary of the participants table, with the kind of each column.

    Parameters
    ----------
    participants : DataFrame
        As `mndmri.cohort.load_participants` returns it: numbers are numbers, categories are text.
    """
    return {TITLE: "Everyone in the study"} | {
        str(column): {
            "Description": _DESCRIPTIONS.get(str(column), _FROM_STUDY),
            "Kind": NUMBER if is_numeric_dtype(values) else CATEGORY,
        }
        for column, values in participants.items()
    }


def read_participants(path: str | Path) -> pd.DataFrame:
    """Participants table of the group, numbers and categories as its data dictionary says.

    Parameters
    ----------
    path : path
        Table in TSV; `participants_dictionary` lies beside it as JSON.

    Returns
    -------
    DataFrame
        A category is text, as it stands in the file: the sites 1, 2 and 03 are names and not quantities.

    Raises
    ------
    InputError
        If one of the two files is absent or is not what it should be.
    """
    dictionary = read_json(dictionary_path(path))
    return read_table(path, text=[name for name in column_names(dictionary) if dictionary[name]["Kind"] == CATEGORY])
