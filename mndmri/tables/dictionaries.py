"""BIDS data dictionaries of the group tables: a title, and the meaning of every column."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Key beside the columns: title of the table.
TITLE = "TableTitle"


def dictionary(
    title: str, descriptions: Mapping[str, str], groups: Sequence[str] = (), *, spread: bool = False
) -> dict[str, Any]:
    """BIDS data dictionary of a table, its columns in order.

    Parameters
    ----------
    title : str
        One line.
    descriptions : mapping
        Column to its description.
    groups : sequence of str
        Groups with a column of counts, ``n_<group>``; these follow the column ``contrast``.
    spread : bool
        Whether each of the groups has a column of its standard deviation, ``sd_<group>``, too.
    """
    names = list(descriptions)
    after = names.index("contrast") + 1 if groups else 0
    counts = {f"n_{name}": f"Participants of the group {name} in this row." for name in groups}
    if spread:
        counts |= {f"sd_{name}": f"Standard deviation of their values, in the group {name}." for name in groups}
    ordered = [*names[:after], *counts, *names[after:]]
    return {TITLE: title} | {column: {"Description": ({**descriptions, **counts})[column]} for column in ordered}


def column_names(dictionary: Mapping[str, Any]) -> list[str]:
    """Columns of the table that a data dictionary describes, in order."""
    return [name for name in dictionary if name != TITLE]


def dictionary_path(table: str | Path) -> str:
    """Path of a table's data dictionary, beside the table."""
    return str(Path(table).with_suffix(".json"))
