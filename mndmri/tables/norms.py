"""Stored norms: the controls' models of the measures, as one study writes them and another reads them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from mndmri.io import InputError, read_table
from mndmri.tables.covariates import is_measured
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import KEY

INTERCEPT = "intercept"
COVARIANCE = "cov_"
_OF_ONE_SITE = (
    "norms with the site among their covariates judge people of these sites only; for others, make norms of the "
    "controls of one site, with the same scan protocol, in a study without site"
)
NORM_COLUMNS = [
    *KEY,
    *("unit", "n", "df", "s", "term", "level", "centre", "lowest", "highest", "coefficient"),
]
_DESCRIPTIONS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    "hemi": "Side of the participant's body: L, R, or both; mean of both sides.",
    "unit": "Unit of the measure.",
    "n": "Controls from whom the model was estimated.",
    "df": "Its residual degrees of freedom.",
    "s": "Its residual standard deviation.",
    "term": f"Column of the model: {INTERCEPT}, or a covariate of every measure or of this one.",
    "level": "Category of the covariate, whose column is 1 in this category and 0 otherwise; n/a for a number.",
    "centre": "Subtracted from the covariate before it is multiplied by the coefficient.",
    "lowest": "Lowest value of the covariate in the controls.",
    "highest": "Highest value of the covariate in the controls.",
    "coefficient": "Coefficient; 0 for the first category, to which the others are compared.",
}


def norms_dictionary(rows: int = 1) -> dict[str, Any]:
    """BIDS data dictionary of the table of norms, with as many columns of covariances as a measure has rows."""
    text = "Covariance of the coefficient with that of row {} of the same measure, counted from 1."
    covariances = {f"{COVARIANCE}{n}": text.format(n) for n in range(1, rows + 1)}
    return dictionary("The controls' model of every measure, a row a coefficient", _DESCRIPTIONS | covariances)


def covariance_columns(table: pd.DataFrame) -> list[str]:
    """Columns of the covariances, in order."""
    names = [name for name in table.columns if str(name).removeprefix(COVARIANCE).isdecimal()]
    return sorted(names, key=lambda name: int(str(name).removeprefix(COVARIANCE)))


def read_norms(path: str | Path) -> pd.DataFrame:
    """Table of norms, checked to be one.

    Raises
    ------
    InputError
        If a column is missing, a number is, or a measure has more rows than columns of covariances.
    """
    table = read_table(path, text=["level"])
    if lacking := [name for name in NORM_COLUMNS if name not in table.columns]:
        raise InputError(
            f"{path}: no table of norms, it lacks the columns {', '.join(lacking)}; give the group/norms.tsv of a study"
        )
    covariances = covariance_columns(table)
    if table.empty:
        raise InputError(f"{path}: has no norms; a study of at least 8 controls writes some")
    for name in ("n", "df", "s", "coefficient"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        if not np.isfinite(numbers).all():
            raise InputError(f"{path}: {name} is not a number in every row; give the table as it was written")
    for key, rows in table.groupby(KEY, sort=False):
        what = " ".join(map(str, key))
        if len(rows) > len(covariances) or rows[covariances[: len(rows)]].isna().any(axis=None):
            raise InputError(
                f"{path}: {what} has {len(rows)} rows and needs as many columns {COVARIANCE}1, {COVARIANCE}2, ...; "
                "give the table as it was written"
            )
        if rows[["n", "df", "s"]].drop_duplicates().shape[0] > 1 or rows[["term", "level"]].duplicated().any():
            raise InputError(f"{path}: {what} has rows of two models; keep those of one")
    return table


def check_norms(
    norms: pd.DataFrame, covariates: Sequence[str], *, own: Sequence[str] = (), site: str | None = None
) -> None:
    """Raise an `InputError` if the norms' model has other covariates than the study's.

    The site need not be among the norms': they are of one protocol. Covariates of some measures, ``own`` and those that
    are measured, may differ.
    """
    some = [name for name in dict.fromkeys(norms["term"]) if name in own or is_measured(name.split(" (")[0])]
    theirs = [name for name in dict.fromkeys(norms["term"]) if name != INTERCEPT and name not in some]
    unknown = [name for name in theirs if name not in covariates]
    ignored = [name for name in covariates if name not in [*theirs, *some] and name != site]
    places = [f"{name} ({_levels(norms, name)})" for name in unknown if name != "sex" and _levels(norms, name)]
    if places and not ignored and len(places) == len(unknown):
        raise InputError(
            f"norms: their model has {', '.join(places)}, which the config's covariates have not; add it to them if "
            f"the people here are of the same; if it is the site: {_OF_ONE_SITE}"
        )
    if unknown or ignored:
        raise InputError(
            f"norms: their model has the covariates {', '.join(theirs) or 'none'}, the config's are "
            f"{', '.join(covariates) or 'none'}; set covariates to those of the norms, or make "
            "norms with those of the study"
        )


def _levels(norms: pd.DataFrame, name: str) -> str:
    """Levels of a covariate in the norms, for people to read; empty of a number."""
    return ", ".join(sorted(norms.loc[norms["term"] == name, "level"].dropna().astype(str).unique()))


def check_people(norms: pd.DataFrame, people: pd.DataFrame, *, site: str | None = None) -> None:
    """Raise an `InputError` if the norms cannot judge the study's people.

    So it is if a covariate is a number in the norms and a category of the people, or reversed, and if nobody is of a
    ``site`` of theirs. A covariate that nobody has is of either kind.
    """
    for name, rows in norms[norms["term"] != INTERCEPT].groupby("term", sort=False):
        own = people[name].dropna() if name in people else pd.Series()
        is_number, theirs = rows["level"].isna().all(), _levels(norms, str(name))
        if own.empty:
            continue
        here = ", ".join(sorted(own.astype(str).unique()))
        if is_number == is_numeric_dtype(own):
            if name == site and not is_number and not own.astype(str).isin(rows["level"]).any():
                raise InputError(
                    f"norms: {name} is {theirs} in the norms and {here} in the participants table; write the same site "
                    f"in the same way; {_OF_ONE_SITE}"
                )
            continue
        low, high = (rows["lowest"].min(), rows["highest"].max()) if is_number else (own.min(), own.max())
        kinds = [f"a number ({low:g} to {high:g})", f"a category ({here if is_number else theirs})"]
        there, ours = kinds if is_number else kinds[::-1]
        remedy = "its numbers, without it" if is_number else "its words, with it"
        raise InputError(
            f"norms: {name} is {there} in the norms and {ours} in the participants table; write it there as the study "
            f"of the norms does, in {remedy} under categorical"
        )
