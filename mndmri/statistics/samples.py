"""Samples: the participants of the groups, and those of them with a value."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from mndmri.io import InputError
from mndmri.tables.covariates import column_of, covariates_of
from mndmri.tables.measures import KEY

MOTION = "head motion"
# No measure has covariates of its own
NO_OTHERS: Mapping[str, Sequence[str]] = MappingProxyType({})
# Spread below this share of a measure's size, or of its variance, is rounding
NO_SPREAD = 1e-12
# A note says so where the largest standard deviation of a group is over so many times the smallest
UNEVEN = 2.0


class Measured(NamedTuple):
    """One measure of one region in everyone studied."""

    key: dict[str, str]
    values: pd.Series  # by participant_id; NaN is missing
    reasons: pd.Series  # why, where it is


class Sample(NamedTuple):
    """Complete cases of one measure."""

    data: pd.DataFrame  # group, value and covariates, by participant_id
    groups: list[str]  # those of the study, also groups without anybody here
    n_missing: int
    notes: list[str]

    @property
    def y(self) -> np.ndarray:
        """Values, shape (n,)."""
        return self.data["value"].to_numpy()

    @property
    def covariates(self) -> list[str]:
        """Covariates of its model, those of the measure too."""
        return [name for name in self.data if name not in ("group", "value")]

    def values(self, names: Iterable[str]) -> np.ndarray:
        """Values of some of the groups together."""
        owner = self.data["group"].to_numpy()  # not in pandas: asked for some thirty times a measure
        return self.y[np.logical_or.reduce([owner == name for name in names], axis=0)]

    def sizes(self) -> dict[str, int]:
        """Participants of each group."""
        owner = self.data["group"].to_numpy()
        return {name: int((owner == name).sum()) for name in self.groups}

    def spreads(self) -> dict[str, float]:
        """Standard deviation of each group; NaN of fewer than two."""
        values = {name: self.values([name]) for name in self.groups}
        return {name: float(v.std(ddof=1)) if len(v) > 1 else np.nan for name, v in values.items()}

    def uneven(self) -> list[str]:
        """Note on groups that vary very differently, if they do."""
        known = {name: sd for name, sd in self.spreads().items() if np.isfinite(sd)}
        rounding = NO_SPREAD * np.abs(self.y).max() if known else 0.0
        if not known or max(known.values()) <= max(UNEVEN * min(known.values()), rounding):
            return []
        most, least = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
        return [f"unequal spread: SD {known[most]:.3g} in {most}, {known[least]:.3g} in {least}"]

    def alike(self) -> list[str]:
        """Groups without a spread of their own: one participant, or every value the same."""
        values = {name: self.values([name]) for name, size in self.sizes().items() if size}
        return [name for name, v in values.items() if np.ptp(v) <= NO_SPREAD * np.abs(v).max()]

    def problem(self) -> str | None:
        """Why these values cannot be compared at all, if they cannot."""
        if sum(size > 0 for size in self.sizes().values()) < 2:
            return "fewer than two groups with data"
        return "every value is the same" if np.ptp(self.y) <= NO_SPREAD * np.abs(self.y).max() else None

    def row(self, test: str, contrast: str) -> dict[str, Any]:
        """Row of the comparisons table without a result yet; its note is a list, to be added to."""
        counts = {f"n_{name}": size for name, size in self.sizes().items()}
        spreads = {f"sd_{name}": sd for name, sd in self.spreads().items()}
        row = {"test": test, "contrast": contrast, **counts, **spreads}
        return row | {"n_missing": self.n_missing, "note": [*self.notes]}


def check_columns(participants: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise an `InputError` that names the columns the table lacks."""
    lacking = [c for c in columns if c not in participants.columns]
    if lacking:
        has = ", ".join(map(str, participants.columns))
        raise InputError(f"the participants table has no column {', '.join(lacking)}; it has {has}")


def reference_last(groups: Sequence[str], reference: str | None) -> list[str]:
    """Groups in their order, but the reference, where there is one, at the end.

    Raises
    ------
    InputError
        If the reference is not one of them.
    """
    if reference is None:
        return list(groups)
    if reference not in groups:
        named = ", ".join(groups)
        raise InputError(f"the reference group '{reference}' is not one of {named}; name one of them")
    return [*patient_groups(groups, reference), reference]


def patient_groups(groups: Sequence[str], reference: str | None) -> list[str]:
    """Groups other than the reference."""
    return [name for name in groups if name != reference]


def select_people(participants: pd.DataFrame, *, groups: Sequence[str], covariates: Sequence[str]) -> pd.DataFrame:
    """Participants of the groups, by id, so that their order in the table decides nothing.

    Raises
    ------
    InputError
        If a column is missing or a participant is there twice.
    """
    check_columns(participants, ["participant_id", "group", *covariates])
    twice = participants.loc[participants["participant_id"].duplicated(), "participant_id"]
    if len(twice):
        raise InputError(f"the participants table has {', '.join(map(str, twice))} twice; keep one row each")
    people = participants.loc[participants["group"].isin(groups), ["participant_id", "group", *covariates]]
    people = people.set_index("participant_id").sort_index()
    numeric = [c for c in covariates if is_numeric_dtype(people[c])]
    people[numeric] = people[numeric].astype(float).replace([np.inf, -np.inf], np.nan)
    return people


def own_columns(participants: pd.DataFrame, chosen: Mapping[str, Sequence[str]]) -> list[str]:
    """Columns of the table that are covariates of some measures (`mndmri.tables.covariates.covariates_of`)."""
    names = dict.fromkeys(column_of(name, place.split()[0]) for place, own in chosen.items() for name in own)
    return [name for name in names if name in participants]


def covariates_for(
    key: Mapping[str, str], people: pd.DataFrame, *, covariates: Sequence[str], chosen: Mapping[str, Sequence[str]]
) -> tuple[list[str], list[str]]:
    """Covariates of a measure's model, those of every measure first, and a note on its own that nobody has."""
    own = [column_of(name, key["modality"]) for name in covariates_of(key, chosen)]
    lacking = [name for name in own if name not in people or people[name].isna().all()]
    kept = dict.fromkeys([*covariates, *(name for name in own if name not in lacking)])
    return list(kept), [f"not adjusted for {', '.join(lacking)}: nobody has it"] if lacking else []


def add_motion(people: pd.DataFrame, motion: pd.Series) -> pd.DataFrame:
    """People, by id, with their motion as the column ``head motion``.

    Raises
    ------
    InputError
        If a participant has it twice.
    """
    if motion.index.has_duplicates:
        twice = motion.index[motion.index.duplicated()][0]
        raise InputError(f"{twice}: the motion is there twice; keep one number for each participant")
    return people.assign(**{MOTION: motion.reindex(people.index).astype(float).replace([np.inf, -np.inf], np.nan)})


def each_measure(measures: pd.DataFrame, people: pd.DataFrame) -> Iterator[Measured]:
    """Every measure, region and side of the table, in its order.

    Raises
    ------
    InputError
        If a participant has one twice.
    """
    for key, rows in measures.groupby(KEY, sort=False):
        own = rows.set_index("participant_id")
        if own.index.has_duplicates:
            twice = own.index[own.index.duplicated()][0]
            what = " ".join(map(str, key))
            raise InputError(f"{twice}: the measures table has {what} twice; keep one row each")
        has_row = people.index.isin(own.index)
        own = own.reindex(people.index)
        values = own["value"].astype(float)
        reasons = own["status"].where(own["status"].notna() & (own["status"] != "ok"), "no value")
        reasons = reasons.where(has_row, "no row in the table")
        reasons = reasons.where(~np.isinf(values), "infinite value")
        yield Measured(dict(zip(KEY, key, strict=True)), values.where(np.isfinite(values)), reasons)


def count_reasons(beginning: str, reasons: Iterable[str]) -> list[str]:
    """Note that counts each reason, in order of appearance; none without reasons."""
    counts = Counter(reasons)
    return [f"{beginning}: " + ", ".join(f"{why} ({n})" for why, n in counts.items())] if counts else []


def take_sample(
    measured: Measured, people: pd.DataFrame, *, groups: Sequence[str], covariates: Sequence[str] = ()
) -> Sample:
    """Participants with a value and every covariate, and notes on the excluded ones."""
    everyone = people.assign(value=measured.values)[["group", "value", *covariates]]
    lacking = everyone.isna()
    data, notes = everyone, []
    if lacking.to_numpy().any():
        reasons = [measured.reasons[lacking["value"]]]
        reasons += [pd.Series(f"no {c}", everyone.index)[lacking[c] & ~lacking["value"]] for c in covariates]
        data = everyone[~lacking.any(axis=1)]
        notes = count_reasons("left out", pd.concat(reasons))
    sample = Sample(data, list(groups), len(everyone) - len(data), notes)
    sizes = sample.sizes()
    for text, names in (
        ("no data: ", ", ".join(name for name in groups if sizes[name] == 0)),
        ("one participant only: ", ", ".join(name for name in groups if sizes[name] == 1)),
    ):
        if names:
            sample.notes.append(text + names)
    return sample


def each_sample(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    covariates: Sequence[str],
    chosen: Mapping[str, Sequence[str]],
    unadjusted: Collection[str] = (),
) -> Iterator[tuple[Measured, Sample]]:
    """Every measure and its complete cases, with the covariates of every measure and those ``chosen`` for it.

    Measures whose name is among the ``unadjusted`` have no covariates: everybody with a value is a case.
    """
    own = own_columns(participants, chosen)
    people = select_people(participants, groups=groups, covariates=list(dict.fromkeys([*covariates, *own])))
    for measured in each_measure(measures, people):
        model = ((), NO_OTHERS) if measured.key["measure"] in unadjusted else (covariates, chosen)
        names, absent = covariates_for(measured.key, people, covariates=model[0], chosen=model[1])
        sample = take_sample(measured, people, groups=groups, covariates=names)
        sample.notes.extend(absent)
        yield measured, sample
