"""Plot of the multimodal index: predicted probability of every participant, and calibration."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from mndmri.figures.groups import GREY, strip_offsets
from mndmri.io import InputError
from mndmri.tables.words import readable_interval

_DARK = "#222222"
_STRIP_WIDTH = 0.6
_PER_POINT = 5  # people of each point of the calibration plot, at least: proportions of fewer are uninformative
_MOST_POINTS = 5


def index_plot(
    performance: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    scheme: str,
    groups: Sequence[str],
    colours: Mapping[str, str],
) -> Figure:
    """A row for each contrast: on the left the probability of every participant by group, on the right the calibration.

    Parameters
    ----------
    performance : DataFrame
        ``contrast, scheme, auc, auc_ci_low, auc_ci_high``.
    predictions : DataFrame
        ``contrast, scheme, group, outcome, probability``; a missing probability is not drawn.
    scheme : str
        Which of the tables' schemes.
    groups : sequence of str
        From left to right; of a contrast its own.
    colours : mapping
        Group to colour, from `group_colours`.

    Raises
    ------
    InputError
        If the tables have nothing of the scheme.
    """
    rows = performance[performance["scheme"] == scheme]
    if rows.empty:
        found = ", ".join(dict.fromkeys(performance["scheme"])) or "nothing"
        raise InputError(f"no row of the scheme '{scheme}' to plot; the performance table has {found}")
    figure = Figure(figsize=(7.4, 0.5 + 2.9 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 2, squeeze=False, width_ratios=(1.25, 1))
    for (left, right), row in zip(panels, rows.to_dict("records"), strict=True):
        chosen = (predictions["contrast"] == row["contrast"]) & (predictions["scheme"] == scheme)
        people = predictions[chosen]
        judged = people[people["probability"].notna()]
        present = [name for name in groups if (people["group"] == name).any()]
        _draw_groups(left, judged, present, colours)
        _draw_calibration(right, judged, colours)
        auc = readable_interval(row["auc"], row["auc_ci_low"], row["auc_ci_high"])
        left.set_title(f"{row['contrast']}: AUC {auc}", fontsize=10, loc="left")
        left.set_label(str(row["contrast"]))
    figure.suptitle(f"Multimodal index, {scheme}", fontsize=11, weight="bold")
    figure.supxlabel(
        "Dots and ticks: participants, predicted by models trained without them; AUC: of pairs predicted by the same "
        "model.\n"
        "Dashed: prevalence in the study. Squares: observed proportion in participants of similar probability,\n"
        "95% Wilson interval; on the diagonal where probabilities are calibrated.",
        fontsize=8,
        color=GREY,
    )
    return figure


def _draw_groups(axes: Axes, judged: pd.DataFrame, groups: Sequence[str], colours: Mapping[str, str]) -> None:
    for place, group in enumerate(groups):
        values = judged.loc[judged["group"] == group, "probability"].to_numpy()
        across = place + strip_offsets(values) * _STRIP_WIDTH
        axes.scatter(across, values, s=22, color=colours[group], alpha=0.75, edgecolors="white", linewidths=0.5)
    counts = [int((judged["group"] == name).sum()) for name in groups]
    names = [f"{name}\nn = {n}" for name, n in zip(groups, counts, strict=True)]
    axes.set_xticks(range(len(groups)), names)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    _finish(axes, judged, "Probability")


def _draw_calibration(axes: Axes, judged: pd.DataFrame, colours: Mapping[str, str]) -> None:
    for outcome, height in ((0, -0.04), (1, 1.04)):
        own = judged[judged["outcome"] == outcome]
        axes.scatter(own["probability"], np.full(len(own), height), marker="|", s=40, c=own["group"].map(colours))
    if len(judged):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    ordered = judged.sort_values("probability", kind="stable")
    for places in np.array_split(np.arange(len(ordered)), min(_MOST_POINTS, len(ordered) // _PER_POINT) or 1):
        part = ordered.iloc[places]
        if part.empty:
            continue
        share, mean = part["outcome"].mean(), part["probability"].mean()
        interval = stats.binomtest(int(part["outcome"].sum()), len(part)).proportion_ci(method="wilson")
        bars = [[max(share - interval.low, 0)], [max(interval.high - share, 0)]]
        axes.errorbar(mean, share, yerr=bars, fmt="s", color=_DARK, markersize=4.5, capsize=2.5, elinewidth=1.2)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("Probability", fontsize=9)
    _finish(axes, judged, "Observed proportion")


def _finish(axes: Axes, judged: pd.DataFrame, label: str) -> None:
    if judged.empty:
        axes.text(0.5, 0.5, "n/a", transform=axes.transAxes, ha="center", fontsize=9, color=GREY)
    else:
        axes.axhline(judged["outcome"].mean(), color=GREY, linewidth=0.8, linestyle="--")
    axes.set_ylim(-0.1, 1.1)
    axes.set_ylabel(label, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
