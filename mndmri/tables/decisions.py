"""Decisions of readers about scans, keep or exclude, and what becomes of the measures of an excluded scan."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mndmri.tables.columns import SESSION, bare_session, tidy
from mndmri.tables.readings import MISSING_WORDS, Source, identify, latest
from mndmri.tables.words import name_people
from mndmri.units import name_unit, split_unit

DECISION_COLUMNS = ["participant_id", "session", "modality", "decision", "reason", "rater", "date"]
EVERYTHING = "all"
KEEP, EXCLUDE = "keep", "exclude"
CONSENSUS = "consensus"  # as a rater: decides where others disagree
EXCLUDED = "excluded by reader"
# As in measures.tsv
MODALITIES = ("t1w", "dwi", "swi", "qsm", "r2star", "flair", "t2w")
# Every measure is located by it.
_LOCATES = "t1w"
_NEEDED = ("modality", "decision", "reason", "rater")


class Decisions(NamedTuple):
    """Decisions on a study, and what is to be said of them."""

    table: pd.DataFrame
    """Columns `DECISION_COLUMNS`, the latest of each rater."""
    excluded: dict[str, dict[str, str]]
    """participant_id to the modalities that are left out, each with the reason; `EVERYTHING` for the participant."""
    problems: list[str]
    notes: list[str]


def collect_decisions(
    sources: Iterable[Source],
    *,
    studied: Collection[str],
    listed: Collection[str],
    maps: Iterable[str] = (),
    visits: bool = False,
) -> Decisions:
    """Decisions of several files as one, and what they exclude.

    Parameters
    ----------
    sources : iterable of Source
        Tables with participant_id or case, and modality (or ``all``), decision (keep, exclude), reason and rater; date
        where it is known.
    studied, listed : collection of str
        As in `readings.identify`.
    maps : iterable of str
        Modalities of the maps that the study declares.
    visits : bool
        Whether scans of several sessions are measured: a row with a session is of that visit alone, and excludes under
        its unit (`mndmri.units`).

    Notes
    -----
    A scan is excluded if any rater excludes it, unless the rater ``consensus`` keeps it; that raters disagree is
    noted. Of two decisions of one rater on a scan the later counts.
    """
    parts, problems, notes = [], [], []
    modalities = tuple(dict.fromkeys([*MODALITIES, *maps]))
    for source in sources:
        found = identify(source, needed=_NEEDED, studied=studied, listed=listed, visits=visits)
        problems += found.problems
        notes += found.notes
        rows = found.rows[~found.rows["decision"].isin(MISSING_WORDS)] if not found.rows.empty else found.rows
        problems += _wrong(rows, source.name, modalities)
        parts.append(rows.assign(file=source.name))
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if problems or rows.empty:
        return Decisions(pd.DataFrame(columns=DECISION_COLUMNS), {}, problems, notes)
    sessions = rows["session"].map(lambda label: tidy(SESSION, label) if visits and label else "")
    rows = rows.assign(unit=[name_unit(*pair) for pair in zip(rows["participant_id"], sessions, strict=True)])
    rows, contradictions, replaced = latest(rows, key=["unit", "modality", "rater"], value="decision", what="decision")
    excluded, disputed = _settled(rows, modalities)
    table = rows.reindex(columns=DECISION_COLUMNS).replace({"": None, "n/a": None})
    order = table.sort_values(["participant_id", "modality", "rater"], kind="stable")
    return Decisions(order.reset_index(drop=True), excluded, contradictions, [*notes, *replaced, *disputed])


def _wrong(rows: pd.DataFrame, name: str, modalities: Collection[str]) -> list[str]:
    """Rows that decide nothing, or not why."""
    problems = []
    for own in rows.to_dict("records"):
        where = f"{name}, row {own['row']}"
        if own["modality"] not in (*modalities, EVERYTHING):
            known = ", ".join((*modalities, EVERYTHING))
            problems.append(f"{where}: modality '{own['modality']}'; expected one of {known}")
        if own["decision"] not in (KEEP, EXCLUDE):
            problems.append(f"{where}: decision '{own['decision']}'; expected {KEEP}, {EXCLUDE} or n/a")
        elif own["decision"] == EXCLUDE and own["reason"] in MISSING_WORDS:
            problems.append(
                f"{where}: excludes {own['modality']} of {own['participant_id']} without a reason; write it"
            )
    return problems


def _settled(rows: pd.DataFrame, modalities: Iterable[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """What is excluded, and where raters disagree."""
    excluded: dict[str, dict[str, str]] = {}
    notes = []
    for (who, modality), own in rows.groupby(["unit", "modality"], sort=True):
        agreed = own[own["rater"].str.casefold() == CONSENSUS]
        deciding = own if agreed.empty else agreed
        against = deciding[deciding["decision"] == EXCLUDE]
        if agreed.empty and own["decision"].nunique() > 1:
            kept = name_people(list(own.loc[own["decision"] == KEEP, "rater"]))
            notes.append(
                f"raters disagree on {modality} of {who}: {kept} keep it, {_because(against)} exclude it; it is "
                f"excluded until a row of the rater '{CONSENSUS}' keeps it"
            )
        if not against.empty:
            excluded.setdefault(str(who), {})[str(modality)] = f"{EXCLUDED}: {_because(against)}"
    for unit, own_reasons in excluded.items():
        if EVERYTHING in own_reasons and unit not in set(rows["participant_id"]):  # of one visit
            own_reasons |= dict.fromkeys(modalities, own_reasons.pop(EVERYTHING))
        if _LOCATES in own_reasons:
            said = f"the T1w image is {own_reasons[_LOCATES]}"
            for modality in modalities:
                own_reasons.setdefault(modality, said)
    return excluded, notes


def _because(rows: pd.DataFrame) -> str:
    """Reasons, each with who gave it and when."""
    told = []
    for own in rows.to_dict("records"):
        when = f", {own['when']:%Y-%m-%d}" if pd.notna(own["when"]) else ""
        told.append(f"{own['reason']} ({own['rater']}{when})")
    return "; ".join(told)


def of_scans(
    excluded: Mapping[str, Mapping[str, str]], scans: Mapping[str, Collection[str]]
) -> dict[str, dict[str, str]]:
    """What is excluded of the scans that there are.

    Parameters
    ----------
    excluded : mapping
        As in `Decisions`.
    scans : mapping
        ``participant_id`` to the modalities of each. Without anybody, as of a study of tables, all is kept.
    """
    if not scans:
        return {who: dict(own) for who, own in excluded.items()}
    there = {
        who: {modality: why for modality, why in own.items() if modality in (EVERYTHING, *scans.get(who, ()))}
        for who, own in excluded.items()
    }
    return {who: own for who, own in there.items() if own}


def leave_out(rows: pd.DataFrame, reasons: Mapping[str, str]) -> pd.DataFrame:
    """A person's measures, or quality measures: no value of an excluded modality, the reason in ``status``.

    Parameters
    ----------
    rows : DataFrame
        ``modality`` and ``value``; ``status`` and ``n_voxels`` where they are known.
    reasons : mapping
        Modality to the reason.
    """
    why = rows["modality"].map(reasons)
    gone = why.notna()
    if not gone.any():
        return rows
    left = rows.assign(value=rows["value"].astype(float).where(~gone, np.nan))
    status = rows["status"].astype(object) if "status" in rows else pd.Series(np.nan, rows.index, dtype=object)
    left["status"] = status.where(~gone, why)
    if "n_voxels" in rows:
        left["n_voxels"] = rows["n_voxels"].where(~gone, 0)
    return left


def by_readers(excluded: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """What readers have excluded, of all that is not counted (a T1w image of another visit is not either)."""
    kept = {who: {modality: why for modality, why in own.items() if EXCLUDED in why} for who, own in excluded.items()}
    return {who: own for who, own in kept.items() if own}


def count_excluded(excluded: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Participants that lack each modality by decision.

    Those who are excluded as a whole count for `EVERYTHING` alone, and those whose T1w image is, for that alone.
    """
    counts: dict[str, int] = {}
    for reasons in excluded.values():
        whole = [modality for modality in (EVERYTHING, _LOCATES) if modality in reasons]
        for modality in whole[:1] or reasons:
            counts[modality] = counts.get(modality, 0) + 1
    return counts


def decisions_on(table: Iterable[Mapping[str, Any]], unit: str) -> list[Mapping[str, Any]]:
    """Rows of decisions that are of a participant, or of a visit and not of another one."""
    who, session = split_unit(unit)
    return [
        own
        for own in table
        if own["participant_id"] == who
        and (not session or not own.get("session") or bare_session(own["session"]) == bare_session(session))
    ]


def decision_lines(table: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Decisions on each participant, a line each: ``swi: exclude, motion (AB, 2026-11-29)``."""
    lines: dict[str, list[str]] = {}
    for own in table:
        reason = f", {own['reason']}" if own["reason"] else ""
        when = f", {own['date'][:10]}" if own["date"] else ""
        lines.setdefault(own["participant_id"], []).append(
            f"{own['modality']}: {own['decision']}{reason} ({own['rater']}{when})"
        )
    return lines


def drop_excluded(
    tables: Mapping[str, pd.DataFrame], excluded: Mapping[str, Mapping[str, str]]
) -> dict[str, pd.DataFrame]:
    """Tables without the rows of excluded modalities, where a row without a value would say nothing.

    Parameters
    ----------
    tables : mapping
        ``participant_id`` to that participant's table, with a column ``modality``.
    excluded : mapping
        As in `Decisions`.
    """
    return {who: own[~own["modality"].isin(list(excluded.get(who, {})))] for who, own in tables.items()}
