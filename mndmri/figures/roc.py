"""ROC curves of the measures that a study was made for."""

from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mndmri.figures.groups import GREY
from mndmri.io import InputError
from mndmri.tables.measures import KEY
from mndmri.tables.words import capitalised, readable, readable_interval, readable_level, readable_place

# Tol (2021), the scheme "muted": distinguishable for every reader, and none of them the colour of a group
_CURVE_COLOURS = (
    "#332288",
    "#CC6677",
    "#117733",
    "#AA4499",
    "#44AA99",
    "#999933",
    "#882255",
    "#88CCEE",
    "#DDCC77",
)
_DASHES = {"L": "-", "R": (0, (4, 1.5)), "both": "-", "contra": "-.", "ipsi": ":", "mean": (0, (8, 2))}
_LINE_OF_LEGEND = 58
_LINE_INCHES = 0.15
_PANEL_INCHES = 4.0


def roc_plot(points: pd.DataFrame, table: pd.DataFrame, *, alpha: float = 0.05) -> Figure:
    """ROC curves, a panel a contrast, with the area under each and its interval in the legend.

    A measure of a region has one colour; its left side is a full line, its right side a dashed one, and those
    by the side of onset have dashes of their own.

    Parameters
    ----------
    points : DataFrame
        ``modality, measure, region, hemi, contrast, false_positive_rate, true_positive_rate``, in the order
        of each curve. A row without numbers keeps its place in the legend and says n/a.
    table : DataFrame
        ``modality, measure, region, hemi, contrast, n_positive, n_negative, auc, ci_low, ci_high``; may hold
        other measures too.

    Raises
    ------
    InputError
        If there is no curve, or more measures than colours that can be distinguished.
    """
    if points.empty:
        raise InputError("no ROC curve to plot; the table of points is empty")
    kinds = list(dict.fromkeys(points[KEY[:3]].itertuples(index=False, name=None)))
    if len(kinds) > len(_CURVE_COLOURS):
        raise InputError(
            f"{len(kinds)} measures to plot; {len(_CURVE_COLOURS)} curves can be distinguished. "
            "Name fewer in the config's statistics.primary"
        )
    colours = dict(zip(kinds, _CURVE_COLOURS, strict=False))
    known = table.set_index([*KEY, "contrast"])
    entries = points[[*KEY, "contrast"]].drop_duplicates().itertuples(index=False, name=None)
    labels = {entry: _label(entry, known.loc[entry]) for entry in entries}
    contrasts = list(dict.fromkeys(points["contrast"]))
    lines = max(sum(text.count("\n") + 1 for entry, text in labels.items() if entry[-1] == c) for c in contrasts)

    # the legends have a row of their own: constrained layout would let them run off the page
    heights = [_PANEL_INCHES, 0.3 + _LINE_INCHES * lines]
    figure = Figure(figsize=(_PANEL_INCHES * len(contrasts), sum(heights) + 0.6), layout="constrained")
    panels, legends = figure.subplots(2, len(contrasts), squeeze=False, height_ratios=heights)
    for axes, below, contrast in zip(panels, legends, contrasts, strict=True):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        for key, curve in points[points["contrast"] == contrast].groupby(KEY, sort=False):
            axes.plot(
                curve["false_positive_rate"],
                curve["true_positive_rate"],
                color=colours[key[:3]],
                linestyle=_DASHES[key[3]],
                linewidth=1.6,
                label=labels[*key, contrast],
            )
        _frame(axes, str(contrast))
        _name_curves(below, axes)
    panels[0].set_ylabel("Sensitivity")
    figure.suptitle("ROC curves, unadjusted", fontsize=11, weight="bold")
    said = (
        f"Full line: left or both; dashed: right. Dotted: chance. AUC [{readable_level(alpha)}], n of the first and "
        "the second group."
    )
    figure.supxlabel(fill(said, _LINE_OF_LEGEND * len(contrasts)), fontsize=8, color=GREY)
    return figure


def _label(entry: tuple[str, ...], row: pd.Series) -> str:
    _, measure, region, hemi, _ = entry
    name = fill(capitalised(f"{readable(measure)}, {readable_place(region, hemi)}"), _LINE_OF_LEGEND)
    area = readable_interval(row["auc"], row["ci_low"], row["ci_high"])
    return f"{name}\nAUC {area}, n = {row['n_positive']:.0f}, {row['n_negative']:.0f}"


def _frame(axes: Axes, contrast: str) -> None:
    axes.set_title(contrast, fontsize=10)
    axes.set_label(contrast)
    axes.set_xlabel("1 − specificity")
    axes.set_box_aspect(1)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def _name_curves(below: Axes, axes: Axes) -> None:
    below.set_axis_off()
    curves = axes.get_lines()[1:]  # the first is chance
    below.legend(handles=curves, loc="upper left", fontsize=7, frameon=False, handlelength=2.4, borderpad=0)
