"""Plots of groups: every participant in sight, estimates with their intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import special

from mndmri.io import InputError
from mndmri.tables.words import OMNIBUS, capitalised, readable, readable_level, readable_place, readable_unit

# Okabe and Ito (2008), colours distinguishable for every reader, in the order groups are given
GROUP_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#555555"
W_LIMIT = 4.0  # W-scores at the ends of a colour scale, the same in all pictures
_STRIP_WIDTH = 0.44
_HEMI_TITLES = {
    "L": "Left",
    "R": "Right",
    "both": "",
    "contra": "Contralateral to onset",
    "ipsi": "Ipsilateral to onset",
    "mean": "Mean of both sides",
}


def group_colours(groups: Sequence[str]) -> dict[str, str]:
    """One colour-blind-safe colour for each group, by its place in the study's list of groups.

    Raises
    ------
    InputError
        If there are more groups than colours that can be distinguished.
    """
    if len(groups) > len(GROUP_COLOURS):
        raise InputError(
            f"{len(groups)} groups ({', '.join(groups)}); {len(GROUP_COLOURS)} colours can be distinguished. "
            "Pool groups in the config's groups.levels"
        )
    return dict(zip(groups, GROUP_COLOURS, strict=False))


def strip_offsets(values: np.ndarray) -> np.ndarray:
    """Sideways place of each point of a strip, -0.5 to 0.5, so that neighbours in value lie apart.

    The van der Corput sequence over the ranks: the same values give the same picture, in
    whatever order the participants come.

    Parameters
    ----------
    values : ndarray, shape (n,)
    """
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable") + 1
    bits = max(len(values).bit_length(), 1)
    return np.array([int(f"{r:0{bits}b}"[::-1], 2) / 2**bits for r in ranks]) - 0.5


def measure_plot(
    measures: pd.DataFrame,
    adjusted_means: pd.DataFrame | None = None,
    *,
    groups: Sequence[str],
    colours: Mapping[str, str],
    alpha: float = 0.05,
) -> Figure:
    """One measure in one region: every participant, and each group's mean with its interval.

    Parameters
    ----------
    measures : DataFrame
        Rows of the group's measures table (``group, modality, measure, region, hemi, value, unit``)
        of one modality, measure and region. A panel for each side.
    adjusted_means : DataFrame, optional
        ``modality, measure, region, hemi, group, estimate, ci_low, ci_high``: means at the covariates'
        averages; may hold other measures too. Drawn in the place of the plain means (Student's t
        interval), and named so.
    groups : sequence of str
        From left to right.
    colours : mapping
        Group to colour, from `group_colours`.

    Raises
    ------
    InputError
        If the rows are of more than one measure, or of none.
    """
    kinds = measures[["modality", "measure", "region", "unit"]].drop_duplicates()
    if len(kinds) != 1:
        found = [" ".join(map(str, kind)) for kind in kinds.itertuples(index=False)]
        raise InputError(f"expected rows of one measure in one region, found {len(kinds)}: {found}")
    kind = kinds.iloc[0]
    if adjusted_means is not None:
        key = ["modality", "measure", "region"]
        adjusted_means = adjusted_means[(adjusted_means[key] == kind[key]).all(axis=1)]
    hemis = [hemi for hemi in _HEMI_TITLES if hemi in set(measures["hemi"])]
    figure = Figure(figsize=(max(2.9, 1.1 + 0.75 * len(groups)) * len(hemis), 3.6), layout="constrained")
    panels = figure.subplots(1, len(hemis), sharey=True, squeeze=False)[0]
    for axes, hemi in zip(panels, hemis, strict=True):
        rows = measures[measures["hemi"] == hemi]
        for place, group in enumerate(groups):
            values = rows.loc[rows["group"] == group, "value"].to_numpy(float)
            values = values[np.isfinite(values)]
            _draw_strip(axes, place, values, colours[group])
            _draw_mean(axes, place, _mean_interval(values, adjusted_means, hemi, group, alpha=alpha))
        counts = [int(rows.loc[rows["group"] == g, "value"].notna().sum()) for g in groups]
        names = [f"{group}\nn = {n}" for group, n in zip(groups, counts, strict=True)]
        axes.set_xticks(range(len(groups)), names)
        axes.set_xlim(-0.6, len(groups) - 0.4)
        axes.set_title(_HEMI_TITLES[hemi], fontsize=10)
        axes.set_label(hemi)
        bare(axes)
    unit = readable_unit(kind["unit"])
    panels[0].set_ylabel(capitalised(readable(kind["measure"])) + (f" ({unit})" if unit else ""))
    title = f"{readable(kind['modality'])}: {readable(kind['measure'])}, {readable(kind['region'])}"
    figure.suptitle(title, fontsize=11, weight="bold")
    which = "mean" if adjusted_means is None else "adjusted mean"
    figure.supxlabel(f"Dots: participants. Diamond and bar: {which}, {readable_level(alpha)}.", fontsize=8, color=GREY)
    return figure


def _mean_interval(
    values: np.ndarray, adjusted_means: pd.DataFrame | None, hemi: str, group: str, *, alpha: float
) -> tuple[float, float, float]:
    """Mean, low and high end; what cannot be known is NaN."""
    if adjusted_means is not None:
        chosen = (adjusted_means["hemi"] == hemi) & (adjusted_means["group"] == group)
        found = adjusted_means.loc[chosen, ["estimate", "ci_low", "ci_high"]]
        return tuple(found.iloc[0].astype(float)) if len(found) else (np.nan, np.nan, np.nan)
    if values.size < 2:
        return (values[0] if values.size else np.nan), np.nan, np.nan
    # as scipy.stats has it, whose import costs every picture of a person 0.3 s
    half = -special.stdtrit(values.size - 1, alpha / 2) * values.std(ddof=1) / np.sqrt(values.size)
    return values.mean(), values.mean() - half, values.mean() + half


def _draw_strip(axes: Axes, place: int, values: np.ndarray, colour: str) -> None:
    across = place - 0.14 + strip_offsets(values) * _STRIP_WIDTH
    axes.scatter(across, values, s=22, color=colour, alpha=0.75, edgecolors="white", linewidths=0.5)


def _draw_mean(axes: Axes, place: int, interval: tuple[float, float, float]) -> None:
    mean, low, high = interval
    if not np.isfinite(mean):
        return
    bars = [[mean - low], [high - mean]] if np.isfinite([low, high]).all() else None
    axes.errorbar(place + 0.28, mean, yerr=bars, fmt="D", color="#222222", markersize=5, capsize=3, elinewidth=1.4)


def bare(axes: Axes) -> None:
    """Take away what no reader needs of a panel's frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def forest_plot(comparisons: pd.DataFrame, *, alpha: float = 0.05) -> Figure:
    """Adjusted g with its interval, a row a measure, a panel a contrast.

    Parameters
    ----------
    comparisons : DataFrame
        Reported rows: ``modality, measure, region, hemi, contrast, adjusted_g, adj_g_ci_low, adj_g_ci_high``. Tests
        over all groups are not shown; a pair whose g is missing keeps its place and is labelled so.

    alpha : float
        One minus the coverage of the intervals.

    Raises
    ------
    InputError
        If no row compares two groups.
    """
    pairs = comparisons[comparisons["contrast"] != OMNIBUS]
    if pairs.empty:
        raise InputError("no comparison between two groups to plot; the comparisons table has none")
    key = ["modality", "measure", "region", "hemi"]
    contrasts = list(dict.fromkeys(pairs["contrast"]))
    rows = list(dict.fromkeys(pairs[key].itertuples(index=False, name=None)))
    places = {row: len(rows) - 1 - n for n, row in enumerate(rows)}
    names = [capitalised(f"{readable(m)}, {readable_place(region, hemi)}") for _, m, region, hemi in rows]

    figure = Figure(figsize=(3.0 + 2.4 * len(contrasts), 1.3 + 0.3 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(contrasts), sharey=True, sharex=True, squeeze=False)[0]
    for axes, contrast in zip(panels, contrasts, strict=True):
        axes.axvline(0, color=GREY, linewidth=0.8)
        for record in pairs[pairs["contrast"] == contrast].to_dict("records"):
            place = places[tuple(record[name] for name in key)]
            _draw_effect(axes, place, record["adjusted_g"], record["adj_g_ci_low"], record["adj_g_ci_high"])
        axes.set_title(contrast, fontsize=10)
        axes.set_label(str(contrast))
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.grid(axis="x", color="#E3E3E3", linewidth=0.6)
        axes.set_axisbelow(True)
        bare(axes)
    panels[0].set_yticks([places[row] for row in rows], names)
    figure.supxlabel(f"Adjusted g (first group minus second), {readable_level(alpha)}", fontsize=9)
    return figure


def _draw_effect(axes: Axes, place: int, g: float, low: float, high: float) -> None:
    if not np.isfinite(g):
        axes.text(0, place, " n/a", va="center", fontsize=8, color=GREY)
        return
    bars = [[g - low], [high - g]] if np.isfinite([low, high]).all() else None
    axes.errorbar(g, place, xerr=bars, fmt="o", color="#1F3A5F", markersize=5, capsize=2.5, elinewidth=1.3)
