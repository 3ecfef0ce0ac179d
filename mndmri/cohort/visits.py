"""Visits of a study whose scans are of several sessions: found, put in order, and one of each person the baseline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mndmri.cohort import bids
from mndmri.cohort.records import Problem, Scan, Study
from mndmri.cohort.search import is_hidden
from mndmri.io import InputError
from mndmri.tables.columns import SESSION, bare_session
from mndmri.tables.given import PARTICIPANT
from mndmri.tables.visits import (
    MONTHS,
    SCANNER,
    Visits,
    baseline_sessions,
    match_sessions,
    read_sessions,
    read_visits,
    unknown_baseline,
    visit_notes,
)
from mndmri.tables.words import name_people
from mndmri.units import name_unit, person_of, split_unit

# What tells one scanner from another in a sidecar.
_SCANNER = ("Manufacturer", "ManufacturersModelName", "DeviceSerialNumber", "MagneticFieldStrength")


def find_units(root: Path, participant_id: str) -> tuple[list[str], list[Problem]]:
    """Visits of a participant by the folders of the sessions, and those whose names cannot be used.

    Two names that differ by zeros alone cannot: tables may write either for the other.

    Parameters
    ----------
    root : path
        Of the dataset.
    participant_id : str

    Returns
    -------
    units : list of str
        Empty of somebody without any such folder.
    problems : list of Problem
    """
    units, problems = [], []
    names: dict[str, list[str]] = {}
    for folder in sorted((root / participant_id).glob("ses-*")):
        label = folder.name.removeprefix("ses-")
        if not folder.is_dir() or is_hidden(folder, root):
            continue
        if label.isascii() and label.isalnum():
            units.append(name_unit(participant_id, folder.name))
            names.setdefault(bare_session(folder.name), []).append(folder.name)
        else:
            message = f"{participant_id}: the folder {folder.name}: a session is letters and digits; rename it"
            problems.append(Problem(message))
    problems += [
        Problem(f"{participant_id}: the folders {' and '.join(same)} are one session in two spellings; rename one")
        for same in names.values()
        if len(same) > 1
    ]
    return units, problems


def beside_sessions(root: Path, units: Iterable[str]) -> list[str]:
    """A note on images of people with visits that lie in no session's folder.

    Parameters
    ----------
    root : path
        Of the dataset.
    units : iterable of str
    """
    people = dict.fromkeys(who for who, session in map(split_unit, units) if session)
    found = [who for who in people if any(not is_hidden(path, root) for path in (root / who).glob("*/*.nii*"))]
    return [f"{name_people(found)}: images outside of the folders ses-* are not used"] if found else []


def when_seen(
    config: Mapping[str, Any], units: Iterable[str], *, known: Sequence[str], studied: Sequence[str]
) -> Visits:
    """When everybody was seen: by the table of visits, or by the dataset's own ``sub-*_sessions.tsv``.

    Parameters
    ----------
    config : mapping
        Resolved config.
    units : iterable of str
        Those that have folders; the table's sessions are spelt as these.
    known, studied : sequence of str
        As in `mndmri.tables.visits.read_visits`.
    """
    chosen = config["visits"]
    people = {"known": known, "studied": studied}
    if chosen["table"]:
        visits = read_visits(chosen["table"], scores=chosen["scores"], **people)
    else:
        paths = {who: Path(config["bids_dir"], who, f"{who}_sessions.tsv") for who in studied}
        own = {who: path for who, path in paths.items() if path.is_file()}
        visits = read_sessions(own, scores=chosen["scores"], **people)
    return visits._replace(table=match_sessions(visits.table, _rows(dict.fromkeys(units, ()))))


def borrow_t1w(
    scans: Mapping[str, Mapping[str, Scan]], visits: pd.DataFrame, excluded: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, dict[str, Scan]], dict[str, str]]:
    """Scans with the T1w image of another visit of the person where a visit has none, and the reasons.

    Parameters
    ----------
    scans : mapping
        By unit.
    visits : DataFrame
        Of `when_seen`.
    excluded : mapping
        By unit, what readers have excluded: such a T1w image locates nothing.

    Returns
    -------
    scans : dict
        The image is of the nearest visit by months; where these are not known, of the first in ``scans``.
    reasons : dict
        Unit to why its T1w image is not measured: it only locates the other scans.
    """
    pairs = visits[[PARTICIPANT, SESSION]].itertuples(index=False, name=None)
    months = dict(zip([name_unit(*pair) for pair in pairs], visits[MONTHS], strict=True))
    lent, reasons = {unit: dict(own) for unit, own in scans.items()}, {}
    usable = [unit for unit, own in scans.items() if "t1w" in own and "t1w" not in excluded.get(unit, {})]
    for unit, own in lent.items():
        others = [other for other in usable if person_of(other) == person_of(unit)]
        if not own or "t1w" in own or not others:
            continue
        apart = [abs(months.get(other, np.nan) - months.get(unit, np.nan)) for other in others]
        nearest = others[int(np.argmin(np.nan_to_num(apart, nan=np.inf)))]
        own["t1w"] = scans[nearest]["t1w"]
        reasons[unit] = f"no T1w image; that of {split_unit(nearest)[1]} locates the other scans"
    return lent, reasons


def at_baseline(study: Study, baseline: str | None) -> tuple[Study, dict[str, str]]:
    """The study as of one time, and which unit of each participant that is.

    Parameters
    ----------
    study : Study
        As settled, without what failed. One without visits is returned as it is.
    baseline : str, optional
        Session of everybody. Default each person's first by months, of those that have a scan.

    Returns
    -------
    study : Study
        ``scans``, ``left_out`` and ``excluded`` by ``participant_id``, as of a study of these visits alone.
    units : dict
        ``participant_id`` to the unit of that visit; of somebody without one, the ``participant_id``.
    """
    people = list(study.participants[PARTICIPANT])
    if study.visits is None:
        return study, {who: who for who in people}
    sessions = baseline_sessions(_rows(study.scans), study.visits, baseline)
    units = {who: name_unit(who, sessions.get(who, "")) for who in people}
    absent = "not seen at the baseline"
    known = {reason for own in study.left_out.values() for reason in own}

    def of(by_unit: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        return {who: dict(by_unit.get(unit, {})) for who, unit in units.items()}

    left_out = of(study.left_out)
    for who, unit in units.items():
        if unit not in study.left_out:
            left_out[who] = dict.fromkeys(sorted(known), absent)
    excluded = {unit: why for unit, why in study.excluded.items() if person_of(unit) not in units}
    excluded |= {who: why for who, why in of(study.excluded).items() if why}
    return replace(study, scans=of(study.scans), left_out=left_out, excluded=excluded), units


def moved_baselines(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Whose baseline is another visit since jobs failed, a sentence for each pair of visits.

    Parameters
    ----------
    before, after : mapping
        ``participant_id`` to the unit, of `at_baseline`.
    """
    told: dict[str, list[str]] = {}
    for who, unit in after.items():
        first, now = split_unit(before[who])[1], split_unit(unit)[1]
        if first != now:
            told.setdefault(f"the baseline is {now or 'missing'}, as all scans of {first} failed", []).append(who)
    return [f"{name_people(people)}: {text}" for text, people in told.items()]


def match_units(said: Mapping[str, Mapping[str, str]], units: Iterable[str]) -> dict[str, dict[str, str]]:
    """What is said of people, or of single units, by the units that there are: ``ses-1`` is their ``ses-01``."""
    spelt = {_bare_unit(unit): unit for unit in units}
    found: dict[str, dict[str, str]] = {}
    for unit, why in said.items():
        found.setdefault(spelt.get(_bare_unit(unit), unit), {}).update(why)
    return found


def spread(said: Mapping[str, Mapping[str, str]], units: Iterable[str]) -> dict[str, dict[str, str]]:
    """What is said of people, or of single units, of each unit; of people without any, as it is."""
    units = list(units)
    seen = {person_of(unit) for unit in units}
    spread_out = {unit: {**said.get(person_of(unit), {}), **said.get(unit, {})} for unit in units}
    return {who: dict(why) for who, why in said.items() if person_of(who) not in seen} | {
        unit: why for unit, why in spread_out.items() if why
    }


def _bare_unit(unit: str) -> tuple[str, str]:
    """Participant and session, however that is written."""
    who, session = split_unit(unit)
    return who, bare_session(session)


def check_visits(study: Study, baseline: str | None) -> list[str]:
    """What is peculiar about the visits of a settled study, a sentence for each kind.

    Raises
    ------
    InputError
        If nobody has scans of the session that is named as the baseline.
    """
    if study.visits is None:
        return []
    rows = _rows(study.scans)
    if wrong := unknown_baseline(rows, baseline, of="the scans"):
        raise InputError("\n".join(wrong))
    studied = list(study.participants[PARTICIPANT])
    return [*visit_notes(rows, study.visits, baseline, studied, what="scans"), *_scanners(study)]


def _rows(scans: Mapping[str, Iterable[str]]) -> pd.DataFrame:
    """Units as rows of measures, whose value is there where the unit has a scan."""
    split = [split_unit(unit) for unit in scans]
    value = [1.0 if list(own) else np.nan for own in scans.values()]
    table = pd.DataFrame(split, columns=[PARTICIPANT, SESSION]).assign(value=value)
    return table[table[SESSION] != ""]


def _scanners(study: Study) -> list[str]:
    """Who was scanned by several scanners, by the table of visits or else the sidecars of the scans."""
    assert study.visits is not None
    seen: dict[str, dict[str, str]] = {}
    if SCANNER in study.visits:
        for who, session, scanner in study.visits[[PARTICIPANT, SESSION, SCANNER]].itertuples(index=False):
            if scanner and name_unit(who, session) in study.scans:
                seen.setdefault(who, {})[session] = scanner
    elif not study.simulated:
        for unit, own in study.scans.items():
            # a T1w image that is not counted may be that of another visit
            counted = [own[name] for name in sorted(own, key="t1w".__ne__) if name not in study.excluded.get(unit, {})]
            scan = next(iter(counted), None)
            who, session = split_unit(unit)
            if scan is not None and (scanner := _scanner(scan.all_files()[0], study.bids_dir)):
                seen.setdefault(who, {})[session] = scanner
    changed: dict[str, list[str]] = {}
    for who, sessions in seen.items():
        if len(set(sessions.values())) > 1:
            told = ", ".join(f"{session} {scanner}" for session, scanner in sessions.items())
            changed.setdefault(told, []).append(who)
    return [
        f"{name_people(people)}: the scanner changes between visits ({told}), which a slope cannot tell from disease"
        for told, people in changed.items()
    ]


def _scanner(path: str, bids_dir: str) -> str:
    """Scanner by the sidecar of an image; empty where it names none."""
    try:
        metadata = bids.sidecar(path, bids_dir)
    except InputError:
        return ""
    return " ".join(str(metadata[key]) for key in _SCANNER if key in metadata)
