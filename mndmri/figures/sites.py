"""Forest of sites: what each finds alone, and what they find together."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator

from mndmri.figures.groups import GREY, bare
from mndmri.io import InputError
from mndmri.tables.measures import KEY
from mndmri.tables.words import (
    MISSING,
    capitalised,
    readable,
    readable_level,
    readable_p,
    readable_place,
    readable_unit,
)

_ALL_SITES = "all"  # in the table, the row of the sites together
_SITE_COLOUR, _TOGETHER_COLOUR = "#1F3A5F", "#D55E00"
_HALF_HEIGHT = 0.3
_LONGEST = 30  # characters of a site's name


def site_forest(table: pd.DataFrame, *, alpha: float = 0.05) -> Figure:
    """Adjusted difference at each site and over all, with its interval: a row a measure, a column a contrast.

    Parameters
    ----------
    table : DataFrame
        ``modality, measure, region, hemi, contrast, site, n_first, n_second, estimate, ci_low, ci_high,
        weight_percent, i2_percent, q_p``; the site ``all`` is their random-effects mean. A column
        ``unit`` is shown where there is one. An estimate that is missing keeps its place and is labelled so.

    Raises
    ------
    InputError
        If the table is empty.
    """
    if table.empty:
        raise InputError("no difference at any site to plot; the table of the sites has no rows")
    measures = list(dict.fromkeys(table[KEY].itertuples(index=False, name=None)))
    contrasts = list(dict.fromkeys(table["contrast"]))
    sites = [*(site for site in dict.fromkeys(table["site"]) if site != _ALL_SITES), _ALL_SITES]
    names = [_site_name(site) for site in sites]
    width = 0.4 + 0.08 * max(map(len, names)) + 2.6 * len(contrasts)
    figure = Figure(figsize=(width, 0.3 + len(measures) * (1.3 + 0.26 * len(sites))), layout="constrained")
    lines = figure.subplots(len(measures), len(contrasts), sharex="row", sharey=True, squeeze=False)
    for panels, measure in zip(lines, measures, strict=True):
        own = table[(table[KEY] == list(measure)).all(axis=1)]
        for axes, contrast in zip(panels, contrasts, strict=True):
            _draw_forest(axes, own[own["contrast"] == contrast], sites)
            axes.set_label(str(contrast))
        panels[0].set_yticks(range(len(sites)), names[::-1])
        panels[0].set_ylim(-0.6, len(sites) - 0.4)
    caption = (
        f"Adjusted difference, first group minus second, {readable_level(alpha)}. On the right, participants of each."
    )
    figure.supxlabel(caption, fontsize=8, color=GREY)
    return figure


def _draw_forest(axes: Axes, rows: pd.DataFrame, sites: list[str]) -> None:
    """One measure and contrast: the sites from above, what they find together below."""
    records = {record["site"]: record for record in rows.to_dict("records")}
    axes.axvline(0, color=GREY, linewidth=0.8)
    for place, site in enumerate(reversed(sites)):
        record = records[site]
        sizes = f"{record['n_first']:.0f}, {record['n_second']:.0f}"
        axes.text(1.03, place, sizes, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
        estimate, low, high = (record[name] for name in ("estimate", "ci_low", "ci_high"))
        if not np.isfinite(estimate):
            axes.text(0, place, f" {MISSING}", va="center", fontsize=8, color=GREY)
        elif site == _ALL_SITES:
            corners = [(low, place), (estimate, place + _HALF_HEIGHT), (high, place), (estimate, place - _HALF_HEIGHT)]
            axes.add_patch(Polygon(corners, color=_TOGETHER_COLOUR, linewidth=0))
        else:
            axes.errorbar(estimate, place, xerr=[[estimate - low], [high - estimate]], color=_SITE_COLOUR, capsize=2.5)
            weight = np.nan_to_num(record["weight_percent"])
            axes.scatter(estimate, place, s=(3 + 0.7 * np.sqrt(weight)) ** 2, marker="s", color=_SITE_COLOUR)
    axes.autoscale_view(scaley=False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="x", color="#E3E3E3", linewidth=0.6)
    axes.set_axisbelow(True)
    bare(axes)
    first, together = rows.iloc[0], records[_ALL_SITES]
    measure, unit = capitalised(readable(first["measure"])), readable_unit(first["unit"]) if "unit" in rows else ""
    differ = "" if pd.isna(together["q_p"]) else f"I² {together['i2_percent']:.0f}%, p {readable_p(together['q_p'])}"
    axes.set_xlabel((f"{measure} ({unit})" if unit else measure) + f"\n{differ}", fontsize=8)
    where = f"{measure}, {readable_place(first['region'], first['hemi'])}"
    axes.set_title(f"{where}\n{first['contrast']}", fontsize=9)


def _site_name(site: str) -> str:
    """Name of a site, short enough to leave room for its bar."""
    if site == _ALL_SITES:
        return "All sites"
    return site if len(site) <= _LONGEST else f"{site[: _LONGEST - 1]}…"
