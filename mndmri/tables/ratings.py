"""Human ratings of the motor band, region by region."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mndmri.io import InputError, read_table

KEY_FILE = "reader_key.tsv"
REGIONS = ("leg", "hand", "face")
RATINGS = (0, 1, 2)
_COLUMNS = ["participant_id", "rater", "region", "hemi", "rating"]
_TEXT = ["case", "rater", "session", "comment", "confidence", "date"]


def find_ratings(paths: Iterable[str | Path]) -> list[Path]:
    """Tables of ratings: files as they are, of a folder every ``.tsv`` but the reader's key."""
    found: list[Path] = []
    for path in map(Path, paths):
        found += sorted(p for p in path.glob("*.tsv") if p.name != KEY_FILE) if path.is_dir() else [path]
    return found


def read_ratings(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Ratings of all raters in one table.

    Parameters
    ----------
    paths : iterable of path
        Tables, or folders of them, with the columns ``participant_id``, ``rater``, ``region`` (leg, hand, face),
        ``hemi`` (L, R) and ``rating`` (0 none, 1 mild, 2 marked, n/a not assessable); others are ignored. In place of
        ``participant_id`` a table may have ``case``, whose participants ``reader_key.tsv`` in its folder gives.

    Returns
    -------
    DataFrame
        Those columns, ids with ``sub-``.

    Raises
    ------
    InputError
        If nothing is found, a column is missing, a case has no participant, a value is none of these, or a rater has
        rated a region of somebody twice.
    """
    files = find_ratings(paths)
    if not files:
        raise InputError(f"no tables of ratings in {', '.join(map(str, paths))}; give .tsv files, or their folder")
    table = pd.concat([_read(path) for path in files], ignore_index=True)
    twice = table[table.duplicated(_COLUMNS[:4], keep="first")]
    if len(twice):
        one = twice.iloc[0]
        raise InputError(
            f"{one['rater']} has rated {one['region']} {one['hemi']} of {one['participant_id']} twice; keep one rating "
            "of each region, or give the second reading another rater's name"
        )
    return table


def _read(path: Path) -> pd.DataFrame:
    table = read_table(path, text=_TEXT)
    if "participant_id" not in table and "case" in table:
        key_path = path.with_name(KEY_FILE)
        if not key_path.is_file():
            raise InputError(f"{path}: has cases and no participants, and there is no {key_path} that names them")
        key = read_table(key_path, text=_TEXT).set_index("case")["participant_id"]
        lacking = sorted(set(table["case"]) - set(key.index))
        if lacking:
            raise InputError(
                f"{key_path}: has no participant for the cases {', '.join(map(str, lacking))} of {path.name}"
            )
        table["participant_id"] = table["case"].map(key)
    missing = [name for name in _COLUMNS if name not in table]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; expected {', '.join(_COLUMNS)}")
    if table["rater"].isna().any():
        raise InputError(f"{path}: rows without a rater; name who has rated, a letter will do")
    table["participant_id"] = "sub-" + table["participant_id"].astype(str).str.removeprefix("sub-")
    ratings = pd.to_numeric(table["rating"], errors="coerce")
    for name, wrong, expected in (
        ("region", ~table["region"].isin(REGIONS), ", ".join(REGIONS)),
        ("hemi", ~table["hemi"].isin(["L", "R"]), "L or R"),
        ("rating", table["rating"].notna() & ~ratings.isin(RATINGS), "0, 1, 2 or n/a"),
    ):
        if wrong.any():
            row = table[wrong].iloc[0]
            raise InputError(f"{path}: {row['participant_id']} has {name} {row[name]}; expected {expected}. Correct it")
    return table.assign(rating=ratings)[_COLUMNS]
