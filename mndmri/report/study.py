"""The page of the study, put together from its tables and figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mndmri.report.brain_maps import ComparedMaps, map_sections
from mndmri.report.findings import describe_findings
from mndmri.report.pages import Picture, group_page
from mndmri.report.sections import group_sections
from mndmri.tables.measures import DAMAGE_DIRECTION, KEY
from mndmri.tables.names import variable_name
from mndmri.tables.words import OMNIBUS, capitalised, readable

EFFECT_SIZES = "effect_sizes"
_SHOWN = 12  # measures on the page of a study without a primary one


def most_different(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Rows of the comparisons table of the measures with the smallest p of any pair of groups, the smallest first."""
    pairs = comparisons[(comparisons["reported"] == "yes") & (comparisons["contrast"] != OMNIBUS)]
    smallest = pairs.groupby(KEY, sort=False)["p"].min().dropna().sort_values(kind="stable").head(_SHOWN)
    return smallest.reset_index()[KEY].merge(comparisons, on=KEY)


def study_page(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, bytes],
    maps: Mapping[str, ComparedMaps],
    *,
    title: str,
    written: str,
    people_page: str,
    primary: Sequence[Mapping[str, str]],
    methods: str,
    alpha: float = 0.05,
    notes: Sequence[str],
    failed: Mapping[str, str],
    versions: Mapping[str, str],
    flow: Sequence[Mapping[str, Any]],
    decisions: Sequence[Mapping[str, str]] = (),
    signs: Mapping[tuple[str, ...], int] = DAMAGE_DIRECTION,
) -> str:
    """Report of the study as HTML.

    Parameters
    ----------
    measures, participants : DataFrame
        As in `mndmri.report.pages.group_page`.
    tables : mapping
        The group's tables by the names of their files: ``demographics``, ``comparisons``, and those of
        `mndmri.report.sections.group_sections`.
    figures : mapping
        PNG by the name of its file, without its ending: those of the primary measures and of the sections.
    maps : mapping
        Kind of map to what was found, as in `mndmri.report.brain_maps.map_sections`.
    title, written, people_page : str
        As in `mndmri.report.pages.group_page`.
    primary : sequence of mapping
        Measures whose rows are shown, as in the config; the tables have all. Without any, the comparisons of those
        that differ most are shown, and named exploratory.
    methods : str
        Text for a paper.
    alpha : float
        One minus the coverage of the intervals.
    notes : sequence of str
        What was left out of the study and why, a sentence each.
    failed : mapping
        ``participant_id`` to the reason, for those whose computation did not end.
    versions : mapping
        Name of a program to its version.
    flow : sequence of mapping
        As in `mndmri.report.pages.group_page`.
    decisions : sequence of mapping
        What readers have decided on the scans: rows of `mndmri.tables.decisions.DECISION_COLUMNS`.
    signs : mapping
        Direction of damage of the measures, as `mndmri.tables.measures.directions` returns it.
    """
    if decisions:
        tables = {**tables, "decisions": pd.DataFrame(decisions)}
    if "deviations" in tables:
        own = tables["deviations"].merge(participants[["participant_id", "group"]], on="participant_id")
        tables = {**tables, "deviations": own}
    comparisons = tables["comparisons"].merge(pd.DataFrame(primary, columns=KEY))
    chosen = not comparisons.empty
    shown = {EFFECT_SIZES: EFFECT_SIZES}
    for own in primary:
        words = [own[name] for name in KEY[:3]]
        shown[variable_name(*words)] = " ".join(words)
    return group_page(
        title=title,
        written=written,
        people_page=people_page,
        participants=participants,
        flow=flow,
        left_out=notes,
        failed=failed,
        measures=measures,
        demographics=tables["demographics"],
        comparisons=comparisons if chosen else most_different(tables["comparisons"]),
        primary=chosen,
        alpha=alpha,
        pictures=[
            Picture(capitalised(readable(shown[name].replace(" ", "_"))), "", png, wide=name == EFFECT_SIZES)
            for name, png in figures.items()
            if name in shown
        ],
        sections=group_sections(tables, figures, primary=primary, methods=methods, alpha=alpha, signs=signs)
        + map_sections(maps),
        findings=describe_findings(tables["comparisons"], tables.get("motor_band_sign"), alpha=alpha),
        versions=versions,
    )
