"""What the columns of the group's tables mean, as BIDS data dictionaries."""

from collections.abc import Mapping, Sequence


def dictionary(descriptions: Mapping[str, str], groups: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """BIDS data dictionary of a table, its columns in order.

    Parameters
    ----------
    descriptions : mapping
        Column to what it means.
    groups : sequence of str
        Groups of which the table has a count each, ``n_<group>``; they follow its column ``contrast``.
    """
    names = list(descriptions)
    after = names.index("contrast") + 1 if groups else 0
    counts = {f"n_{name}": f"Participants of the group {name} that the row rests on." for name in groups}
    ordered = [*names[:after], *counts, *names[after:]]
    return {column: {"Description": ({**descriptions, **counts})[column]} for column in ordered}
