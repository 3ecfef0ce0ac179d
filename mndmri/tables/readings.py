"""Whose rows of a rater's table are whose: participants by their id or by their case number, raters, dates."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import pandas as pd

from mndmri.tables.words import name_people

MISSING_WORDS = ("", "n/a")


class Source(NamedTuple):
    """A rater's table as it was read, every cell as text, and the key of its case numbers."""

    name: str
    table: pd.DataFrame
    cases: Mapping[str, str]
    """Case number, as text, to participant_id."""


class Identified(NamedTuple):
    """Rows with ``participant_id``, ``rater``, ``session``, ``when`` and ``row``, and what is wrong with the others."""

    rows: pd.DataFrame
    problems: list[str]
    notes: list[str]


def identify(
    source: Source,
    *,
    needed: Collection[str],
    studied: Collection[str],
    listed: Collection[str],
    visits: bool = False,
) -> Identified:
    """Rows of a rater's table with the participants whom they are of.

    Parameters
    ----------
    source : Source
    needed : collection of str
        Columns that the table must have besides participant_id or case.
    studied : collection of str
        participant_id of everyone studied.
    listed : collection of str
        Those of the participants table: rows of people who are listed and not studied are left out, with a note.
    visits : bool
        Whether a person may have rows of several sessions.
    """
    name, table = source.name, source.table
    nothing = pd.DataFrame(columns=[*table.columns, "participant_id", "session", "when", "row"])
    lacking = [column for column in needed if column not in table]
    if not {"participant_id", "case"} & set(table):
        lacking.insert(0, "participant_id (or case)")
    if lacking:
        found = f"{name}: no column {', '.join(lacking)}; it has {', '.join(table)}. Save it again from the reader"
        return Identified(nothing, [found], [])
    rows = table.map(lambda cell: "" if pd.isna(cell) else str(cell).strip())
    rows = rows.assign(row=range(2, len(rows) + 2))
    problems = []
    if "participant_id" in rows:
        people = rows["participant_id"].where(
            rows["participant_id"].str.startswith("sub-") | (rows["participant_id"] == ""),
            "sub-" + rows["participant_id"],
        )
    else:
        numbers = rows["case"].str.removesuffix(".0")
        unknown = list(dict.fromkeys(numbers[~numbers.isin(list(source.cases))]))
        if unknown:
            problems.append(
                f"{name}: case {name_people(unknown)} is in no reader_key.tsv of this study; put the reader_key.tsv of "
                "the pages that were rated beside the file, or set reader.seed as it was"
            )
        people = numbers.map(source.cases).fillna("")
    rows = rows.assign(participant_id=people)
    if "case" not in rows or "participant_id" in table:
        strangers = list(dict.fromkeys(people[(people == "") | ~people.isin(list(listed))]))
        problems += [
            f"{name}: participant_id '{who}' is not in the participants table; correct it" for who in strangers
        ]
    else:
        gone = list(dict.fromkeys(people[(people != "") & ~people.isin(list(listed))]))
        problems += [f"{name}: its key names {who}, who is not in the participants table" for who in gone]
    nameless = rows.loc[rows["rater"].isin(MISSING_WORDS), "row"]
    if len(nameless):
        problems.append(f"{name}, row {_listed(nameless)}: the rater is missing; write initials")
    others = list(dict.fromkeys(people[people.isin(list(listed)) & ~people.isin(list(studied))]))
    notes = [f"{name}: rows of {name_people(others)} are not used: not in the study"] if others else []
    session = rows["session"] if "session" in rows else pd.Series("", rows.index)
    session = session.where(~session.isin(MISSING_WORDS), "")
    date = rows["date"] if "date" in rows else pd.Series("", rows.index)
    when = pd.to_datetime(date.where(~date.isin(MISSING_WORDS)), errors="coerce", utc=True, format="ISO8601")
    kept = rows.assign(session=session, when=when)[people.isin(list(studied)) & ~rows["rater"].isin(MISSING_WORDS)]
    undated = kept[kept["when"].isna() & ~date[kept.index].isin(MISSING_WORDS)]
    problems += [
        f"{name}, row {_listed(own)}: date '{written}' is not as 2026-11-29 or 2026-11-29T10:00; write it so"
        for written, own in undated["row"].groupby(date[undated.index], sort=False)
    ]
    several = kept.groupby("participant_id")["session"].nunique()
    problems += [
        f"{name}: rows of several sessions of {who}; one session is measured: keep the rows of that one"
        for who in several[several > 1].index
        if not visits
    ]
    return Identified(kept, problems, notes)


def latest(
    rows: pd.DataFrame, *, key: Collection[str], value: str, what: str
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Rows without those that a later row of the same key replaces.

    Parameters
    ----------
    rows : DataFrame
        From `identify`, of all files together, with ``file``.
    key : collection of str
        Columns of which the rater is one.
    value : str
        What is replaced.
    what : str
        Name of a row, for messages.

    Returns
    -------
    rows : DataFrame
    problems : list of str
        Two values of the same key and date.
    notes : list of str
        How many were replaced.
    """
    ordered = rows.sort_values("when", kind="stable", na_position="first")
    last = ordered.groupby(list(key), sort=False)["when"].transform("last")
    newest = ordered[(ordered["when"] == last) | (ordered["when"].isna() & last.isna())]
    problems = []
    for names, own in newest.groupby(list(key), sort=False):
        if own[value].nunique() > 1:
            where = "; ".join(
                f"{file}, row {row}: {v}" for file, row, v in zip(own["file"], own["row"], own[value], strict=True)
            )
            problems.append(f"{what} {' '.join(map(str, names))}: two answers of one date ({where}); keep one")
    kept = newest.drop_duplicates(list(key), keep="last")
    changed = ordered.merge(kept[[*key, value]], on=list(key), suffixes=("", "_kept"))
    replaced = changed[changed[value] != changed[f"{value}_kept"]]
    notes = [
        f"{len(own)} {what}{'s' * (len(own) > 1)} of {rater} replaced by later ones"
        for rater, own in replaced.groupby("rater", sort=True)
    ]
    return kept.sort_index(), problems, [] if problems else notes


def _listed(rows: pd.Series) -> str:
    return name_people([str(row) for row in rows])
