"""Covariates that belong to some measures alone: head size to volumes, motion to a scan."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from mndmri.io import InputError
from mndmri.tables import qc

HEAD_SIZE = "tiv"
# Volumes of the whole brain in measures.tsv, by their regions
VOLUMES = (HEAD_SIZE, "gm", "wm", "csf")


def is_of_quality(name: str) -> bool:
    """Whether a covariate is a measure of qc.tsv."""
    return name in qc.DEFINITIONS


def place_of(name: str) -> tuple[str, ...] | None:
    """Modality, measure and region, perhaps hemi, of a covariate that is a measure; None of any other name."""
    if name in VOLUMES:
        return ("t1w", "volume", name, "both")
    words = tuple(name.split())
    return words if len(words) in (3, 4) else None


def is_measured(name: str) -> bool:
    """Whether a covariate comes from measures.tsv or qc.tsv, unless it is a column of the participants table."""
    return place_of(name) is not None or is_of_quality(name)


def covariates_of(key: Mapping[str, str], chosen: Mapping[str, Sequence[str]]) -> list[str]:
    """Covariates of one measure besides those of every measure.

    Parameters
    ----------
    key : mapping
        modality, measure and region, and hemi where covariates of one side are chosen.
    chosen : mapping
        A modality, or modality and measure, or also a region, with spaces between them, to names of covariates.

    Returns
    -------
    list of str
        Each once. A measure is no covariate of itself.
    """
    words = [key["modality"], key["measure"], key["region"]]
    names = [name for place, own in chosen.items() for name in own if words[: len(place.split())] == place.split()]
    itself = (*words, key.get("hemi"))
    return [name for name in dict.fromkeys(names) if not _is_of(name, itself)]


def _is_of(name: str, key: tuple[str | None, ...]) -> bool:
    """Whether a covariate is the measure of a key, whose hemi may be unknown; one named without a side is of any."""
    place = (place_of(name) or ())[: max(len(name.split()), 3)]
    return bool(place) and all(own in (other, None) for own, other in zip(key, place, strict=False))


def column_of(name: str, modality: str) -> str:
    """Column of a covariate; one of qc.tsv is of the scan of a modality."""
    return f"{name} ({modality})" if is_of_quality(name) else name


def join_measured(
    participants: pd.DataFrame,
    measures: pd.DataFrame,
    quality: pd.DataFrame | None,
    chosen: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Participants with the covariates that were measured, as columns; missing where somebody lacks them.

    Parameters
    ----------
    participants, measures : DataFrame
        As in `mndmri.statistics.compare_groups`.
    quality : DataFrame or None
        `mndmri.tables.qc.QC_COLUMNS`.
    chosen : mapping
        As in `covariates_of`.

    Raises
    ------
    InputError
        If a participant has one of them twice, a name is of qc.tsv and there is none, or the name of a measure is
        nearly, and not quite, one of the table's.
    """
    _check_places(chosen, measures)
    wanted = {(name, place.split()[0]) for place, own in chosen.items() for name in own if is_measured(name)}
    columns = {}
    for name, modality in sorted(wanted):
        if name in participants:  # what somebody gives is taken before what was measured
            columns[column_of(name, modality)] = participants[name].to_numpy()
            continue
        if place := place_of(name):
            columns_of = ["modality", "measure", "region", "hemi"][: len(place)]
            rows = measures[(measures[columns_of].astype(str) == list(place)).all(axis=1)]
        elif quality is None:
            raise InputError(f"measure_covariates: {name} is a measure of qc.tsv, which is not given; give quality")
        else:
            rows = quality[(quality["modality"] == modality) & (quality["measure"] == name)]
        values = rows.set_index("participant_id")["value"].astype(float)
        if values.index.has_duplicates:
            twice = values.index[values.index.duplicated()][0]
            hint = "name its side too" if len(name.split()) == 3 else "it cannot be a covariate"
            raise InputError(f"{twice}: {modality} has more than one {name}; {hint}")
        own = values.reindex(participants["participant_id"]).to_numpy(float)
        columns[column_of(name, modality)] = np.where(np.isfinite(own), own, np.nan)
    return participants.assign(**columns)


def _check_places(chosen: Mapping[str, Sequence[str]], measures: pd.DataFrame) -> None:
    """Raise an `InputError` for a place that is misspelt: it would leave measures without their covariates."""
    keys = measures[["modality", "measure", "region"]].drop_duplicates().astype(str).to_numpy()
    known = list(dict.fromkeys(" ".join(key[:n]) for n in (1, 2, 3) for key in keys))
    for place in chosen:
        if place not in known and (near := difflib.get_close_matches(place, known, n=1, cutoff=0.85)):
            raise InputError(f"measure_covariates: '{place}' is no measure of the table; did you mean '{near[0]}'?")


def names_of(chosen: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Every name that is chosen for some measure, each once."""
    return dict.fromkeys(name for own in chosen.values() for name in own)
