"""Table 1: characteristics of the participants."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import stats

from mndmri.statistics.exact import count_tables, fisher_freeman_halton
from mndmri.statistics.samples import NO_SPREAD, check_columns, reference_last
from mndmri.tables.dictionaries import dictionary

ALL = "all"
_DESCRIPTIONS = {
    "variable": "Column of the participants table.",
    "level": "Of a category, the level that the row counts.",
    "group": f"Study group; {ALL} is everyone, and the rows of tests.",
    "n": "Participants whose variable is known.",
    "n_missing": "Participants whose variable is not known.",
    "mean": "Mean of a number.",
    "sd": "Standard deviation.",
    "median": "Median.",
    "minimum": "Smallest value.",
    "maximum": "Largest value.",
    "count": "Participants at the level of a category.",
    "percent": "The same as a percentage of n.",
    "test": "anova: analysis of variance. kruskal: Kruskal-Wallis. fisher_freeman_halton: exact. chi2: Pearson.",
    "statistic": "The test's statistic.",
    "df": "Its degrees of freedom.",
    "p": "Two-sided, not corrected.",
    "note": "Why a number is missing.",
}
SMALL_EXPECTED = 5  # Cochran 1954, Biometrics 10:417: chi squared needs expected counts of 5
MAX_TABLES = 1_000_000  # seconds, and megabytes, of enumeration


def demographics_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of Table 1."""
    return dictionary("Table 1: who was studied", _DESCRIPTIONS)


def demographics(
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    covariates: Sequence[str],
    scores: Sequence[str],
) -> pd.DataFrame:
    """Table 1: each variable in each group, and tests between the groups that have it.

    Parameters
    ----------
    participants : DataFrame
        participant_id, group, covariates and scores: numbers are summarised, text is counted.
    groups : sequence of str
    reference : str or None
        One of the groups; its rows come last.
    covariates, scores : sequence of str
        Columns of ``participants``.

    Returns
    -------
    DataFrame
        A row for each variable (and level, if it is a category) and group: n and n_missing of
        the variable; mean, sd, median, minimum, maximum, or count and percent of the n. Then
        a row for each test, with group ``all`` and the summary of everyone: ``anova`` and
        ``kruskal`` for numbers; ``fisher_freeman_halton`` (exact) for categories where an
        expected count is below 5, else ``chi2``. A test that cannot be done has a note.

    Raises
    ------
    InputError
        If a column is missing or the reference is not one of the groups.
    """
    order = reference_last(groups, reference)
    variables = [*covariates, *scores]
    check_columns(participants, ["group", *variables])
    people = participants[participants["group"].isin(order)]
    rows: list[dict[str, Any]] = []
    for variable in variables:
        describe = _number_rows if is_numeric_dtype(people[variable]) else _category_rows
        rows += [{"variable": variable} | row for row in describe(people[variable], people["group"], order)]
    return pd.DataFrame(rows, columns=list(_DESCRIPTIONS))


def _number_rows(values: pd.Series, owner: pd.Series, order: Sequence[str]) -> list[dict[str, Any]]:
    values = values.astype(float).replace([np.inf, -np.inf], np.nan)
    rows = [{"group": name, "note": ""} | _summary(values[owner == name]) for name in order]
    known = {name: values[owner == name].dropna().to_numpy() for name in order}
    known = {name: group for name, group in known.items() if len(group)}
    total = {"group": ALL} | _summary(values)
    notes = _absence(known, order)
    pooled = np.concatenate([*known.values(), np.empty(0)])
    if len(known) < 2:
        problem = "fewer than two groups with data"
    elif np.ptp(pooled) <= NO_SPREAD * np.abs(pooled).max():
        problem = "every value is the same"
    else:
        problem = None
    inner_df = len(pooled) - len(known)
    anova, kruskal = total | {"test": "anova"}, total | {"test": "kruskal"}
    if problem is None:
        h, p = stats.kruskal(*known.values())
        kruskal |= {"statistic": float(h), "df": len(known) - 1, "p": float(p)}
    spread = sum(float(((group - group.mean()) ** 2).sum()) for group in known.values())
    if problem is None and (inner_df < 1 or spread <= NO_SPREAD * ((pooled - pooled.mean()) ** 2).sum()):
        anova["note"] = "; ".join([*notes, "no variation within groups"])
    elif problem is None:
        f, p = stats.f_oneway(*known.values())
        anova |= {"statistic": float(f), "df": f"{len(known) - 1}, {inner_df}", "p": float(p)}
    note = "; ".join([*notes, problem] if problem else notes)
    return [*rows, {"note": note} | anova, {"note": note} | kruskal]


def _summary(values: pd.Series) -> dict[str, Any]:
    known = values.dropna()
    return {
        "n": len(known),
        "n_missing": len(values) - len(known),
        "mean": known.mean(),
        "sd": known.std(),
        "median": known.median(),
        "minimum": known.min(),
        "maximum": known.max(),
    }


def _category_rows(values: pd.Series, owner: pd.Series, order: Sequence[str]) -> list[dict[str, Any]]:
    levels = sorted(map(str, values.dropna().unique()))
    text = values.dropna().astype(str)
    crossed = pd.crosstab(text, owner[text.index]).reindex(index=levels, columns=list(order), fill_value=0)
    sizes = owner.value_counts().reindex(list(order), fill_value=0)
    rows = []
    for level in levels:
        for name, counts, size in [
            *((name, crossed[name], sizes[name]) for name in order),
            (ALL, crossed.sum(axis=1), sizes.sum()),
        ]:
            n, count = int(counts.sum()), int(counts[level])
            people = {"level": level, "group": name, "n": n, "n_missing": int(size) - n}
            rows.append(people | {"count": count, "percent": 100 * count / n if n else np.nan, "note": ""})
    n = int(crossed.to_numpy().sum())
    total = {"group": ALL, "n": n, "n_missing": int(sizes.sum()) - n}
    return [*rows, total | category_test(crossed, order)]


def category_test(crossed: pd.DataFrame, order: Sequence[str]) -> dict[str, Any]:
    """Exact test where counts are small, chi squared where they are not.

    Parameters
    ----------
    crossed : DataFrame of int, shape (levels, groups)
    order : sequence of str
        Groups; those that nobody is counted in are noted.

    Returns
    -------
    dict
        test, note, and what it gives of statistic, df and p.
    """
    counts = crossed.loc[:, crossed.sum() > 0].to_numpy()
    notes = _absence(crossed.columns[crossed.sum() > 0], order)
    if min(counts.shape) < 2:
        reason = "fewer than two groups with data" if counts.shape[1] < 2 else "the same in everyone"
        return {"test": "fisher_freeman_halton", "note": "; ".join([*notes, reason])}
    small = stats.contingency.expected_freq(counts).min() < SMALL_EXPECTED
    if small and count_tables(counts) <= MAX_TABLES:
        return {"test": "fisher_freeman_halton", "p": fisher_freeman_halton(counts), "note": "; ".join(notes)}
    if small:
        notes.append(f"expected counts below {SMALL_EXPECTED}, too many tables for the exact test")
    result = stats.chi2_contingency(counts, correction=False)
    numbers = {"statistic": float(result.statistic), "df": int(result.dof), "p": float(result.pvalue)}
    return {"test": "chi2", **numbers, "note": "; ".join(notes)}


def _absence(present: Any, order: Sequence[str]) -> list[str]:
    absent = [name for name in order if name not in present]
    return [f"no data: {', '.join(absent)}"] if absent else []
