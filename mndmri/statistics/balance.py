"""Balance of the groups in covariates, motion and site, as numbers and as sentences."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import stats

from mndmri.statistics.contrasts import POOLED, Contrast, list_contrasts
from mndmri.statistics.demographics import category_test
from mndmri.statistics.samples import MOTION, NO_SPREAD, add_motion, select_people
from mndmri.tables.dictionaries import dictionary

CORRECTED = "distortion_corrected"
ALIKE = 0.1  # Austin 2009, Stat Med 28:3083: a smaller standardised difference is negligible

_DESCRIPTIONS = {
    "variable": f"Variable compared; {MOTION} is the mean framewise displacement of the DWI scan, mm; "
    f"{CORRECTED} is whether its susceptibility distortion was corrected, where that differs between participants.",
    "contrast": f"The groups compared, first minus second; {POOLED} is every patient.",
    "n_first": "Participants of the first side with a value.",
    "n_second": "Participants of the second side with a value.",
    "n_missing": "Participants of both sides without a value.",
    "level": "For a category, the level with the largest difference (more frequent on the first side).",
    "first": "Mean of the first side, or percent of it at the level.",
    "second": "Mean of the second side, or percent of it at the level.",
    "difference": "First minus second.",
    "smd": "Standardised mean difference: the difference over the root of the mean of both sides' variances "
    f"(of a category: those of the level). Below {ALIKE} in size is negligible.",
    "test": "welch: t test with unequal variances. fisher_freeman_halton: exact. chi2: Pearson.",
    "p": "Two-sided, not corrected.",
    "in_model": "Whether the variable is a covariate of the comparisons: yes or no.",
    "sentence": "The result as a sentence.",
    "note": "Why a number is missing.",
}


class _Difference(NamedTuple):
    """Difference of the two sides of a contrast in one variable."""

    numbers: dict[str, Any]  # of the table
    notes: list[str]
    same: str  # the value, where everybody has the same, else empty
    apart: bool  # no level, or no part of the range, is common to both


def balance_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the balance table."""
    return dictionary("How the groups differ besides their disease", _DESCRIPTIONS)


def balance_table(
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    covariates: Sequence[str] = (),
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    motion: pd.Series | None = None,
    corrected: pd.Series | None = None,
    site: str | None = None,
    age: str | None = None,
    sex: str | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Standardised difference between the sides of every contrast in age, sex, covariates, site and motion.

    Parameters
    ----------
    participants, groups, reference, covariates, contrasts, pooled
        As in `compare_groups`.
    motion : Series, optional
        Mean framewise displacement of the DWI scan, mm, by participant_id.
    corrected : Series, optional
        Whether the distortion of the DWI scan was corrected, ``yes`` or ``no``, by participant_id: compared where it
        was in some participants and not in others.
    site, sex : str, optional
        Columns of text, also where they are no covariates.
    age : str, optional
        Column of years, also where it is no covariate.
    alpha : float
        Level below which p is called significant in the sentence.

    Returns
    -------
    DataFrame
        Columns as in `balance_dictionary`: for each variable a row of each contrast.

    Raises
    ------
    InputError
        If a column or a group is missing, or a participant is there twice.

    References
    ----------
    Austin 2009, Stat Med 28:3083. Of a category with several levels it is the level's with the largest difference.
    """
    named = [column for column in (age, sex, *covariates, site) if column is not None]
    people = select_people(participants, groups=groups, covariates=list(dict.fromkeys(named)))
    if motion is not None:
        people = add_motion(people, motion)
    if corrected is not None:
        own = corrected.reindex(people.index)
        if own.nunique() > 1:
            people = people.assign(**{CORRECTED: own})
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    rows: list[dict[str, Any]] = []
    for variable in people.columns.drop("group"):
        if variable in covariates:
            remedy = f"{variable} is in the model"
        elif variable in (age, site, MOTION):  # the sensitivity table has variants for these
            remedy = f"{variable} is not in the model, see the sensitivity table"
        else:
            remedy = f"{variable} is not in the model"
        for contrast in compared:
            found = _compare_sides(people[variable], people["group"], contrast)
            words = _say(found, contrast, variable, years=variable == age, remedy=remedy, alpha=alpha)
            row = {"variable": variable, "contrast": contrast.name} | found.numbers
            row["in_model"] = "yes" if variable in covariates else "no"
            rows.append(row | {"sentence": words, "note": "; ".join(found.notes)})
    return pd.DataFrame(rows, columns=list(_DESCRIPTIONS))


def _side_names(contrast: Contrast) -> tuple[str, str]:
    """What to call the sides: a group, or all patients."""
    return contrast.left[0] if contrast.is_pair else POOLED, contrast.right[0]


def _compare_sides(values: pd.Series, owner: pd.Series, contrast: Contrast) -> _Difference:
    names = _side_names(contrast)
    sides = [values[owner.isin(side)] for side in (contrast.left, contrast.right)]
    first, second = (side.dropna() for side in sides)
    sizes = len(first), len(second)
    n_missing = sum(map(len, sides)) - sum(sizes)
    numbers: dict[str, Any] = {"n_first": sizes[0], "n_second": sizes[1], "n_missing": n_missing}
    notes = [f"left out: no {values.name} ({n_missing})"] if n_missing else []
    if absent := [name for name, n in zip(names, sizes, strict=True) if n == 0]:
        return _Difference(numbers, [*notes, f"no data: {', '.join(absent)}"], "", apart=False)
    if alone := [name for name, n in zip(names, sizes, strict=True) if n == 1]:
        notes.append(f"one participant only: {', '.join(alone)}")
    compare = _compare_numbers if is_numeric_dtype(values) else _compare_categories
    found = compare(first, second)
    return found._replace(numbers=numbers | found.numbers, notes=notes + found.notes)


def _compare_numbers(first: pd.Series, second: pd.Series) -> _Difference:
    one, other = first.to_numpy(float), second.to_numpy(float)
    size = np.abs([*one, *other]).max()
    numbers: dict[str, Any] = {"first": one.mean(), "second": other.mean(), "difference": one.mean() - other.mean()}
    if np.ptp([*one, *other]) <= NO_SPREAD * size:
        return _Difference(numbers | {"smd": 0.0}, ["every value is the same"], f"{one[0]:.3g}", apart=False)
    if min(len(one), len(other)) < 2:
        return _Difference(numbers, [], "", apart=False)
    apart = bool(one.min() > other.max() or other.min() > one.max())
    sd = one.std(ddof=1), other.std(ddof=1)
    spread = math.hypot(*sd) / math.sqrt(2)
    if spread <= NO_SPREAD * size:
        return _Difference(numbers, ["no variation within these groups"], "", apart)
    numbers["smd"] = numbers["difference"] / spread
    welch = stats.ttest_ind_from_stats(one.mean(), sd[0], len(one), other.mean(), sd[1], len(other), equal_var=False)
    return _Difference(numbers | {"test": "welch", "p": float(welch.pvalue)}, [], "", apart)


def _compare_categories(first: pd.Series, second: pd.Series) -> _Difference:
    counted = {"first": first.astype(str).value_counts(), "second": second.astype(str).value_counts()}
    counts = pd.DataFrame(counted).fillna(0).astype(int).sort_index()
    shares = counts / counts.sum()
    difference = shares["first"] - shares["second"]
    spread = np.sqrt((shares * (1 - shares)).mean(axis=1))
    # a level that all of one side have and none of the other has differs by more than any number of SD
    smd = (difference / spread.where(spread > 0)).where(spread > 0, np.sign(difference) * np.inf)
    smd = smd.where(difference != 0, 0.0)
    level = max(counts.index, key=lambda name: (round(abs(smd[name]), 9), smd[name]))
    numbers = {name: 100 * shares.loc[level, name] for name in counts} | {"difference": 100 * difference[level]}
    numbers |= {"level": level, "smd": smd[level] if np.isfinite(smd[level]) else np.nan}
    if len(counts) == 1:
        return _Difference(numbers, ["every value is the same"], level, apart=False)
    result = category_test(counts, list(counts))
    notes = [] if np.isfinite(smd[level]) else ["no variation within these groups"]
    notes += [result["note"]] if result["note"] else []
    apart = not (counts > 0).all(axis=1).any()
    return _Difference(numbers | {"test": result["test"], "p": result["p"]}, notes, "", apart)


def _say(found: _Difference, contrast: Contrast, variable: str, *, years: bool, remedy: str, alpha: float) -> str:
    """The difference in words, and what is done about it where there is one."""
    first, second = _side_names(contrast)
    numbers = {"smd": math.nan, "p": math.nan} | found.numbers
    known = {first: numbers["n_first"], second: numbers["n_second"]}
    if lacking := [name for name, n in known.items() if not n]:
        unknown = " and ".join(lacking)
        return f"{variable} is missing in {unknown}: {first} and {second} cannot be compared"
    if found.same:
        return f"{variable} is the same in all {first} and {second} ({found.same})"
    level = numbers.get("level")
    if level is not None and found.apart:
        return (
            f"{first} and {second} have no {variable} in common: a difference between them may be caused by "
            f"{variable}, "
            "which no model can separate"
        )
    change, smd, p = numbers["difference"], numbers["smd"], numbers["p"]
    means = f"mean {numbers['first']:.3g} and {numbers['second']:.3g}"
    shares = f"{numbers['first']:.0f}% of {first} and {numbers['second']:.0f}% of {second}"
    if change == 0 or abs(smd) < ALIKE:
        at = means if level is None else f"{level} in {shares}"
        return f"{first} and {second} are balanced in {variable} ({', '.join([at, *_in_sd(smd)])})"
    details = [*_in_sd(smd), *_probability(p)]
    if level is not None:
        fact = f"{variable} is {level} in {shares}"
    elif years:
        size = f"{abs(change):.1f}" if abs(change) >= 0.1 else f"{abs(change):.1g}"
        fact = f"{first} are {size} years {'older' if change > 0 else 'younger'} than {second}"
    else:
        details = [means, *details]
        more, higher = ("more", "higher") if change > 0 else ("less", "lower")
        has = f"move {more}" if variable == MOTION else f"have a {higher} {variable}"
        fact = f"{first} {has} than {second}"
    if details:
        fact += f" ({', '.join(details)})"
    if math.isnan(smd):
        fact += ", without variation to compare it with"
    elif p >= alpha:
        fact += ", which is not significant in groups of this size"
    if found.apart:
        fact += ", and their ranges do not overlap"
    return f"{fact}: {remedy}"


def _in_sd(smd: float) -> list[str]:
    return [] if math.isnan(smd) else [f"SMD {smd:.2f}"]


def _probability(p: float) -> list[str]:
    if math.isnan(p):
        return []
    return ["p < 0.001"] if p < 0.001 else [f"p = {p:.2g}"]
