"""Profiles along the corticospinal tract: the groups' means, and where they differ."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mndmri.figures.groups import GREY, bare
from mndmri.io import InputError
from mndmri.tables.words import capitalised, readable, readable_level, readable_unit

_SIDES = {"L": "Left", "R": "Right"}
_SIGNIFICANT = 0.05
_TESTED, _LEVEL = "#E6E6E6", "#F2F2F2"
_BAR_HEIGHT = 0.5
_PANEL_INCHES, _CURVE_INCHES, _BAR_INCHES, _LEVEL_INCHES = 4.8, 2.9, 0.2, 0.4
_LINE_OF_LEVEL = 10  # characters


def profile_plot(
    means: pd.DataFrame,
    comparisons: pd.DataFrame,
    *,
    modality: str,
    measure: str,
    groups: Sequence[str],
    colours: Mapping[str, str],
    reference: str | None,
    levels: Mapping[str, tuple[float, float]] | None = None,
    alpha: float = 0.05,
) -> Figure:
    """One measure from the pons to the cortex: each group's mean with its interval, and where it differs.

    Under the curves a bar for each group compared with the reference is grey where the groups were
    compared, of the group's colour where p corrected over all nodes of both sides is below 0.05,
    and blank where they could not be compared.

    Parameters
    ----------
    means : DataFrame
        ``modality, measure, hemi, node, position_mm, unit, group, n, mean, ci_low, ci_high``; may hold other
        measures too. A panel for each side.
    comparisons : DataFrame
        ``modality, measure, hemi, node, position_mm, contrast, p_fwe``; may hold other measures and contrasts too.
    modality, measure : str
    groups : sequence of str
        In the order of the legend.
    colours : mapping
        Group to colour, from `group_colours`.
    reference : str or None
        The group with which the others are compared.
    levels : mapping, optional
        Name of a level of the tract to where it begins and ends, mm; marked along the axis.

    Raises
    ------
    InputError
        If there is no mean of the measure.
    """
    means, comparisons = (
        table[(table["modality"] == modality) & (table["measure"] == measure)] for table in (means, comparisons)
    )
    if means["mean"].isna().all():
        raise InputError(f"no profile of {modality} {measure} to plot; the table of means has no value of it")
    held = {f"{g}-{reference}": g for g in groups} | {f"{reference}-{g}": g for g in groups}
    contrasts = [name for name in dict.fromkeys(comparisons["contrast"]) if name in held]
    hemis = [hemi for hemi in _SIDES if hemi in set(means["hemi"])]
    named_levels = dict(levels or {})

    lines = max(len(contrasts), 1)
    below = _BAR_INCHES * lines + (_LEVEL_INCHES if named_levels else 0)
    size = (_PANEL_INCHES * len(hemis) + 0.6, _CURVE_INCHES + below + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    heights = [_CURVE_INCHES, below]
    curves, bars = figure.subplots(2, len(hemis), sharex=True, sharey="row", squeeze=False, height_ratios=heights)
    for axes, strip, hemi in zip(curves, bars, hemis, strict=True):
        for group in groups:
            _draw_mean(axes, means[(means["hemi"] == hemi) & (means["group"] == group)], colours[group])
        for place, name in enumerate(contrasts):
            rows = comparisons[(comparisons["hemi"] == hemi) & (comparisons["contrast"] == name)]
            _draw_bar(strip, -place, rows, colours[held[name]])
        for name, span in named_levels.items():
            axes.axvspan(*span, color=_LEVEL, linewidth=0, zorder=0)
            _name_level(strip, name, span, 0.5 - lines)
        axes.set_title(_SIDES[hemi], fontsize=10)
        for panel in (axes, strip):
            panel.set_label(hemi)
            bare(panel)
        strip.set_xlabel("Position from pons to cortex (mm)", fontsize=9)
        strip.set_ylim(0.5 - below / _BAR_INCHES, 0.5)
        strip.spines["left"].set_visible(False)
        strip.tick_params(axis="y", length=0)
    positions = means["position_mm"]
    bars[0].set_xlim(positions.min(), positions.max())
    bars[0].set_yticks([-place for place in range(len(contrasts))], contrasts, fontsize=8)
    unit = readable_unit(means["unit"].iloc[0])
    curves[0].set_ylabel(capitalised(readable(measure)) + (f" ({unit})" if unit else ""))
    _legend(figure, means, groups, colours)
    title = f"{readable(modality)}: {readable(measure)} along the corticospinal tract"
    figure.suptitle(title, fontsize=11, weight="bold")
    said = (
        f"Lines: means, {readable_level(alpha)} shaded. Bars: tested (grey); p < 0.05, corrected over all nodes of "
        "both sides (colour)."
    )
    figure.supxlabel(fill(said, 62 * len(hemis)), fontsize=8, color=GREY)
    return figure


def _draw_mean(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    rows = rows.sort_values("position_mm")
    position, mean, low, high = (rows[c].to_numpy(float) for c in ("position_mm", "mean", "ci_low", "ci_high"))
    axes.fill_between(position, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(position, mean, color=colour, linewidth=1.6)


def _draw_bar(strip: Axes, place: float, rows: pd.DataFrame, colour: str) -> None:
    """Nodes that were tested in grey, those that differ in colour; each reaches halfway to its neighbours."""
    rows = rows.sort_values("position_mm")
    position, p = rows["position_mm"].to_numpy(float), rows["p_fwe"].to_numpy(float)
    halfway = (position[1:] + position[:-1]) / 2
    edges = np.concatenate([position[:1], halfway, position[-1:]])
    spans = np.column_stack([edges[:-1], np.diff(edges)])
    bar = (place - _BAR_HEIGHT / 2, _BAR_HEIGHT)
    strip.broken_barh(spans[np.isfinite(p)], bar, color=_TESTED, linewidth=0)
    strip.broken_barh(spans[p < _SIGNIFICANT], bar, color=colour, linewidth=0)


def _name_level(strip: Axes, name: str, span: tuple[float, float], top: float) -> None:
    strip.plot(span, [top - 0.3] * 2, color=GREY, linewidth=1.2, marker="|", markersize=5)
    text = fill(readable(name.removeprefix("cst_")), _LINE_OF_LEVEL, break_long_words=False)
    strip.text(sum(span) / 2, top - 0.5, text, ha="center", va="top", fontsize=7, color=GREY)


def _legend(figure: Figure, means: pd.DataFrame, groups: Sequence[str], colours: Mapping[str, str]) -> None:
    """Groups with their sizes, from the fewest to the most participants of a node."""
    handles = []
    for group in groups:
        n = means.loc[means["group"] == group, "n"]
        sizes = f"{n.max()}" if n.min() == n.max() else f"{n.min()} to {n.max()}"
        handles.append(Patch(color=colours[group], label=f"{group} (n = {sizes})"))
    figure.legend(handles=handles, loc="outside right upper", fontsize=8, frameon=False)
