"""Scatter plots of measures against a clinical score, every patient in sight."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mndmri.figures.groups import GREY, bare
from mndmri.io import InputError
from mndmri.tables.measures import KEY
from mndmri.tables.words import capitalised, readable, readable_interval, readable_level, readable_place, readable_unit

_COEFFICIENTS = {"spearman": "ρ", "kendall": "τ", "partial_spearman": "partial ρ"}
_NAMES = {"spearman": "Spearman's", "kendall": "Kendall's tau-b", "partial_spearman": "Spearman's partial"}
_ACROSS = 3  # panels in a line
_PANEL = (3.3, 2.6)  # inches
_LETTERS, _TITLE_LETTERS = 44, 36  # in a line above a panel
_LINE_INCHES = 0.16


def correlation_plot(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    correlations: pd.DataFrame,
    *,
    score: str,
    colours: Mapping[str, str],
    method: str = "spearman",
    alpha: float = 0.05,
) -> Figure:
    """Measures against one clinical score: a panel a measure, with each group's coefficient and its interval.

    Parameters
    ----------
    measures : DataFrame
        ``participant_id, modality, measure, region, hemi, value, unit``: the measures to show, in
        their order. One that was not compared with the score, as that of the hemisphere on the side
        of the limbs rated, has no panel.
    participants : DataFrame
        ``participant_id, group`` and the score.
    correlations : DataFrame
        ``modality, measure, region, hemi, group, score, laterality, method, adjusted_for, n, estimate,
        ci_low, ci_high``; may hold other rows too. Its groups are those shown; one without a
        colour, as all patients, is shown by its coefficient alone.
    score : str
    colours : mapping
        Group to colour, from `group_colours`.
    method : str
        The coefficient: spearman, kendall or partial_spearman.

    Raises
    ------
    InputError
        If none of the measures has a correlation with the score.
    """
    wanted = correlations[(correlations["score"] == score) & (correlations["method"] == method)]
    found = dict(iter(wanted.groupby(KEY, sort=False)))
    shown = [(key, rows) for key, rows in measures.groupby(KEY, sort=False) if key in found]
    if not shown:
        raise InputError(f"no correlation of these measures with {score} ({method}) to plot; the table has none")
    headings = {key: _heading(key, found[key], method) for key, _ in shown}
    lines = max("\n".join([title, *labels.values()]).count("\n") + 1 for title, labels in headings.values())

    across, down = min(len(shown), _ACROSS), -(-len(shown) // _ACROSS)
    size = (_PANEL[0] * across, (_PANEL[1] + _LINE_INCHES * lines) * down + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    people = participants.set_index("participant_id")
    for axes, (key, rows) in zip(panels, shown, strict=False):
        values = rows.set_index("participant_id")["value"].reindex(people.index)
        title, labels = headings[key]
        handles = []
        for group in labels:
            if group in colours:
                own = people["group"] == group
                handles.append(_draw_patients(axes, people.loc[own, score], values[own], colours[group]))
            else:
                handles.append(Line2D([], [], linestyle="none"))
        _head(axes, title, handles, list(labels.values()))
        unit = readable_unit(rows["unit"].iloc[0])
        axes.set_ylabel(capitalised(readable(key[1])) + (f" ({unit})" if unit else ""), fontsize=9)
        axes.set_xlabel(capitalised(readable(score)), fontsize=9)
        axes.set_label(" ".join(key))
        bare(axes)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    caption = f"Dots: patients. {_NAMES[method]} rank correlation, {readable_level(alpha)}."
    figure.supxlabel(fill(caption, _LETTERS * across), fontsize=8, color=GREY)
    return figure


def _heading(key: tuple[str, ...], rows: pd.DataFrame, method: str) -> tuple[str, dict[str, str]]:
    """Name of a panel, and each group's coefficient."""
    _, measure, region, hemi = key
    side = " (contralateral)" if (rows["laterality"] == "contralateral").any() else ""
    title = fill(capitalised(f"{readable(measure)}, {readable_place(region, hemi)}{side}"), _TITLE_LETTERS)
    labels = {}
    for row in rows.to_dict("records"):
        interval = readable_interval(row["estimate"], row["ci_low"], row["ci_high"])
        result = f"{_COEFFICIENTS[method]} {interval}, n = {row['n']:.0f}"
        # a table that was read from a file has a missing value for an empty cell
        adjusted = row["adjusted_for"] if isinstance(row["adjusted_for"], str) else ""
        if adjusted:
            labels[row["group"]] = fill(f"{row['group']}, adjusted for {adjusted}:", _LETTERS) + f"\n{result}"
        else:
            labels[row["group"]] = fill(f"{row['group']}: {result}", _LETTERS)
    return title, labels


def _draw_patients(axes: Axes, scores: pd.Series, values: pd.Series, colour: str) -> Line2D:
    x, y = scores.to_numpy(float), values.to_numpy(float)
    known = np.isfinite(x) & np.isfinite(y)
    (dots,) = axes.plot(x[known], y[known], "o", color=colour, markersize=5.5, alpha=0.75, mec="white", mew=0.5)
    return dots


def _head(axes: Axes, title: str, handles: list[Line2D], labels: list[str]) -> None:
    """Name and coefficients, above the panel so that they cover no point."""
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.legend(
        handles,
        labels,
        title=title,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        alignment="left",
        fontsize=7.5,
        title_fontsize=9,
        frameon=False,
        handletextpad=0.3,
        handlelength=1,
        borderpad=0.2,
        borderaxespad=0.1,
    )
