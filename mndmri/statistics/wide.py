"""Measures in wide format, one row for each participant and one column for each variable."""

from typing import Any

import pandas as pd

from mndmri.io import InputError
from mndmri.tables.dictionaries import TITLE, column_names
from mndmri.tables.measures import KEY
from mndmri.tables.names import file_names, variable_name
from mndmri.tables.participants import participants_dictionary


def _check_unique(names: list[str], originals: list[str]) -> None:
    seen: dict[str, str] = {}
    for name, original in zip(names, originals, strict=True):
        # SPSS does not tell upper from lower case
        if name.lower() in seen:
            raise InputError(
                f"'{seen[name.lower()]}' and '{original}' would both be the column '{name}' "
                "of the wide table; rename one of them"
            )
        seen[name.lower()] = original


def wide_dictionary(
    measures: pd.DataFrame, participants: pd.DataFrame, others: pd.DataFrame | None = None
) -> dict[str, Any]:
    """BIDS data dictionary of the `wide_table` of the same measures and participants."""
    of_people = participants_dictionary(participants)
    columns = {variable_name(name): of_people[name] for name in column_names(of_people)}
    for key, unit in measures.drop_duplicates(KEY).set_index(KEY)["unit"].items():
        modality, measure, region, hemi = key
        text = f"{measure} ({modality}) of {region}, {hemi}; see measures.json."
        columns[variable_name(*key)] = {"Description": text} | ({"Units": unit} if pd.notna(unit) and unit else {})
    for name, renamed in _names_of_others(list(columns), others).items():
        columns[renamed] = {"Description": f"Column '{name}' of the study's participants table, not used here."}
    return {TITLE: "One row a participant: identity, covariates and every measure"} | columns


def wide_table(measures: pd.DataFrame, participants: pd.DataFrame, others: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a participant: identity, group and covariates, ``modality_measure_region_hemi``, then other columns.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value.
    participants : DataFrame
        participant_id, group and anything else; its order is kept, and everyone in it has a row.
    others : DataFrame, optional
        participant_id, and columns that come last. One whose name is taken gets a number.

    Raises
    ------
    InputError
        If two columns would have one name, or a participant has a measure twice.
    """
    repeated = measures.duplicated(["participant_id", *KEY])
    if repeated.any():
        line = measures[repeated].iloc[0]
        raise InputError(
            f"{line['participant_id']}: the measures table has {' '.join(map(str, line[KEY]))} twice; "
            "keep one row for each participant and measure"
        )
    first = ["participant_id", "group"]
    people = participants[[*first, *(c for c in participants.columns if c not in first)]]
    keys = list(measures[KEY].drop_duplicates().itertuples(index=False, name=None))
    by_key = {key: rows.set_index("participant_id")["value"] for key, rows in measures.groupby(KEY)}
    names = [variable_name(c) for c in people.columns] + [variable_name(*key) for key in keys]
    _check_unique(names, [*map(str, people.columns), *(" ".join(map(str, key)) for key in keys)])
    columns = [by_key[key].reindex(people["participant_id"]).to_numpy() for key in keys]
    values = pd.DataFrame(dict(enumerate(columns)), index=people.index)
    table = pd.concat([people, values], axis=1)
    table.columns = names
    if others is None:
        return table
    last = others.set_index("participant_id").reindex(people["participant_id"]).set_index(people.index)
    return pd.concat([table, last.rename(columns=_names_of_others(names, others))], axis=1)


def _names_of_others(taken: list[str], others: pd.DataFrame | None) -> dict[str, str]:
    """Variable of each further column; one whose name is taken gets a number."""
    columns = [] if others is None else [name for name in others.columns if name != "participant_id"]
    return dict(zip(columns, file_names([*taken, *columns])[len(taken) :], strict=True))
