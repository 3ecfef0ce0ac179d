"""The motor neuron from cortex to cord in one picture: groups with intervals, and every person."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mndmri.figures.groups import GREY, W_LIMIT, bare
from mndmri.io import InputError
from mndmri.tables.words import capitalised, readable, readable_level

_SIDES = {"L": ("<", "#0072B2", "left", 0.16), "R": (">", "#D55E00", "right", -0.16), "both": ("o", "#222222", "", 0.0)}
_W_COLOURS = colormaps["PuOr_r"].with_extremes(bad="#BBBBBB")


def neuron_plot(rows: pd.DataFrame, *, alpha: float = 0.05) -> Figure:
    """Adjusted g towards damage with its interval at each level, a panel a contrast.

    Parameters
    ----------
    rows : DataFrame
        From `mndmri.tables.neuron.along_neuron`, of the reported pairs: ``level, modality, measure, region, hemi,
        contrast, adjusted_g, adj_g_ci_low, adj_g_ci_high``. Left and right stand on one line; sides by onset are not
        shown.
    alpha : float
        One minus the coverage of the intervals.

    Raises
    ------
    InputError
        If there is no row.
    """
    rows = _on_sides(rows, "comparisons")
    places = _places(rows)
    contrasts = list(dict.fromkeys(rows["contrast"]))
    figure = Figure(figsize=(3.4 + 2.4 * len(contrasts), 1.4 + 0.32 * len(places)), layout="constrained")
    panels = figure.subplots(1, len(contrasts), sharey=True, sharex=True, squeeze=False)[0]
    for axes, contrast in zip(panels, contrasts, strict=True):
        axes.axvline(0, color=GREY, linewidth=0.8)
        for record in rows[rows["contrast"] == contrast].to_dict("records"):
            _draw_effect(axes, places[_line(record)], record)
        axes.set_title(contrast, fontsize=10)
        axes.set_label(str(contrast))
        axes.set_ylim(-0.6, max(places.values()) + 0.6)
        axes.grid(axis="x", color="#E3E3E3", linewidth=0.6)
        axes.set_axisbelow(True)
        bare(axes)
    panels[0].set_yticks(list(places.values()), [_name(line) for line in places])
    handles = _legend(panels[0], set(rows["hemi"]))
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False, fontsize=8)
    text = f"Adjusted g of the first group against the second, positive towards damage, {readable_level(alpha)}"
    figure.supxlabel(text, fontsize=9)
    return figure


def people_plot(rows: pd.DataFrame, groups: Mapping[str, str], *, order: Sequence[str]) -> Figure:
    """W-scores towards damage of every person at each level: a column a person, a row a measure and side.

    Parameters
    ----------
    rows : DataFrame
        From `mndmri.tables.neuron.along_neuron`, of the deviations: ``participant_id, level, modality, measure, region,
        hemi, w_score``.
    groups : mapping
        ``participant_id`` to group.
    order : sequence of str
        Groups from left to right.

    Raises
    ------
    InputError
        If there is no row.
    """
    rows = _on_sides(rows, "deviations")
    people = sorted(rows["participant_id"].unique(), key=lambda who: (list(order).index(groups[who]), who))
    lines = list(dict.fromkeys((*_line(record), record["hemi"]) for record in rows.to_dict("records")))
    place = {line: n for n, line in enumerate(lines)}
    values = np.full((len(lines), len(people)), np.nan)
    for record in rows.to_dict("records"):
        values[place[(*_line(record), record["hemi"])], people.index(record["participant_id"])] = record["w_score"]
    figure = Figure(figsize=(4.6 + 0.28 * len(people), 1.6 + 0.24 * len(lines)), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(
        np.ma.masked_invalid(values),
        cmap=_W_COLOURS,
        vmin=-W_LIMIT,
        vmax=W_LIMIT,
        aspect="auto",
        interpolation="none",
    )
    names = [f"{_name(line)} {_SIDES[line[-1]][2]}".strip() for line in lines]
    axes.set_yticks(range(len(lines)), names, fontsize=8)
    axes.set_xticks(range(len(people)), [who.removeprefix("sub-") for who in people], rotation=90, fontsize=7)
    for n in range(1, len(people)):
        if groups[people[n]] != groups[people[n - 1]]:
            axes.axvline(n - 0.5, color="black", linewidth=1.2)
    for n in range(1, len(lines)):
        if lines[n][0] != lines[n - 1][0]:
            axes.axhline(n - 0.5, color="black", linewidth=0.6)
    for group in order:
        own = [n for n, who in enumerate(people) if groups[who] == group]
        if own:
            axes.text(float(np.mean(own)), -0.9, group, ha="center", va="bottom", fontsize=9)
    figure.colorbar(shown, ax=axes, label="W-score, positive towards damage", extend="both")
    return figure


def _on_sides(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """Rows of left, right and both; those by onset say the same again."""
    rows = rows[rows["hemi"].isin(_SIDES)]
    if rows.empty:
        raise InputError(
            f"no measure of the motor neuron to plot; the table of {table} needs one of mndmri.tables.neuron.LEVELS"
        )
    return rows


def _line(record: Mapping[str, str]) -> tuple[str, str, str, str]:
    return str(record["level"]), record["modality"], record["measure"], record["region"]


def _places(rows: pd.DataFrame) -> dict[tuple[str, str, str, str], float]:
    """Height of each measure's line, the cortex on top."""
    lines = list(dict.fromkeys(_line(record) for record in rows.to_dict("records")))
    return {line: float(len(lines) - 1 - n) for n, line in enumerate(lines)}


def _name(line: Sequence[str]) -> str:
    level, modality, measure = line[:3]
    return f"{level}: {capitalised(readable(measure))} ({readable(modality)})"


def _draw_effect(axes: Axes, place: float, record: Mapping[str, float]) -> None:
    marker, colour, _, shift = _SIDES[str(record["hemi"])]
    g, low, high = record["adjusted_g"], record["adj_g_ci_low"], record["adj_g_ci_high"]
    if not np.isfinite(g):
        return
    bars = [[g - low], [high - g]] if np.isfinite([low, high]).all() else None
    axes.errorbar(g, place + shift, xerr=bars, fmt=marker, color=colour, markersize=5, capsize=2, elinewidth=1.2)


def _legend(axes: Axes, hemis: set[str]) -> list:
    return [
        axes.plot([], [], marker, color=colour, label=name or "both sides")[0]
        for hemi, (marker, colour, name, _) in _SIDES.items()
        if hemi in hemis
    ]
