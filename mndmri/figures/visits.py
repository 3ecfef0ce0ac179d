"""Every person's visits, and the slopes of the groups."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mndmri.figures.groups import GREY, bare
from mndmri.tables.measures import KEY
from mndmri.tables.words import capitalised, readable, readable_interval, readable_level, readable_place, readable_unit

_YEAR = 12.0  # months


def visits_plot(
    measures: pd.DataFrame,
    longitudinal: pd.DataFrame,
    *,
    groups: Sequence[str],
    colours: Mapping[str, str],
    alpha: float = 0.05,
) -> Figure:
    """One measure over the months: a line a person, a panel a group, and the group's slope with its interval.

    Parameters
    ----------
    measures : DataFrame
        Rows of one measure, region and side of the measures of all visits.
    longitudinal : DataFrame
        Slopes of the groups, as in the table of that name; may hold other measures too.
    groups : sequence of str
        From left to right.
    colours : mapping
        Group to colour.
    alpha : float
        One minus the coverage of the intervals.
    """
    key = measures.iloc[0][KEY]
    slopes = longitudinal[(longitudinal[KEY] == key).all(axis=1) & (longitudinal["effect"] == "slope")]
    slopes = slopes.set_index("contrast")
    known = measures.dropna(subset=["value", "months"])
    figure = Figure(figsize=(2.9 * len(groups), 3.4), layout="constrained")
    panels = figure.subplots(1, len(groups), sharex=True, sharey=True, squeeze=False)[0]
    for axes, group in zip(panels, groups, strict=True):
        own = known[known["group"] == group].sort_values("months", kind="stable")
        for _, person in own.groupby("participant_id", sort=False):
            axes.plot(
                person["months"], person["value"], color=colours[group], alpha=0.45, linewidth=0.9, marker="o", ms=2.5
            )
        axes.set_title(f"{group}, n = {own['participant_id'].nunique()}", fontsize=10)
        if group in slopes.index:
            _draw_slope(axes, own, slopes.loc[group])
        axes.set_label(group)
        bare(axes)
    unit = readable_unit(measures["unit"].iloc[0])
    panels[0].set_ylabel(capitalised(readable(key["measure"])) + (f" ({unit})" if unit else ""))
    place = readable_place(key["region"], key["hemi"])
    figure.suptitle(f"{readable(key['modality'])}: {readable(key['measure'])}, {place}", fontsize=11, weight="bold")
    figure.supxlabel(
        f"Months. Thin lines: people. Thick line: slope of the group; below, per year [{readable_level(alpha)}].",
        fontsize=8,
        color=GREY,
    )
    return figure


def _draw_slope(axes: Axes, visits: pd.DataFrame, slope: pd.Series) -> None:
    """The group's slope through the mean of its visits, drawn over their months."""
    if visits.empty or not np.isfinite(slope["estimate"]):
        return
    months = np.array([visits["months"].min(), visits["months"].max()])
    line = visits["value"].mean() + slope["estimate"] * (months - visits["months"].mean()) / _YEAR
    axes.plot(months, line, color="#222222", linewidth=2.6)
    said = readable_interval(slope["estimate"], slope["ci_low"], slope["ci_high"])
    axes.text(0.02, 0.02, said, transform=axes.transAxes, fontsize=8, va="bottom", bbox={"fc": "white", "ec": "none"})
