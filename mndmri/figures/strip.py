"""The central sulcus unfolded: a person's strip, and the groups' means and differences.

Left and right meet at the midline in the middle of the picture, as on an axial slice seen from above:
the person's left is on the left. Each strip runs from the crown of the precentral gyrus, above, down its
bank to the fundus and up to the crown of the postcentral gyrus.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from mndmri.figures.groups import GREY
from mndmri.io import InputError

# Of each modality painted on a strip: its name in a title, and quantity and unit of the colour scale.
PAINTED = {"swi": ("SWI", "signal / white matter", ""), "qsm": ("susceptibility", "χ", "ppm")}
NOT_SEEN = "#BBBBBB"
_VALUES = colormaps["viridis"].with_extremes(bad=NOT_SEEN)
_DIFFERENCES = colormaps["PuOr"].with_extremes(bad=NOT_SEEN)
_SIDES = {"L": "Left", "R": "Right"}
_PLACE = ["hemi", "bank", "arc", "depth"]
_CROWN_TO_CROWN = {-1.0: "crown", -0.5: "postcentral", 0.0: "fundus", 0.5: "precentral", 1.0: "crown"}
# of the values, left out of the colour scale at each end: small patches at the rim of the sulcus
_OUTLYING_PERCENT = 1.0
_STRIP_INCHES = (3.9, 1.7)


def strip_plot(
    strip: pd.DataFrame,
    *,
    title: str,
    quantity: str,
    unit: str = "",
    window: tuple[float, float] | None = None,
    signed: bool = False,
) -> Figure:
    """Both central sulci of one person, unfolded.

    Parameters
    ----------
    strip : DataFrame
        ``hemi, bank, arc, depth, part, value``, a row a patch; one without a value is grey.
    title : str
        With the study's id of the participant.
    quantity, unit : str
        What was painted on the strip, for the colour scale.
    window : two floats, optional
        Values at the ends of the colour scale; by default the values' own 1st and 99th percentile.
    signed : bool
        Whether values below and above the middle of the scale have colours of their own.

    Raises
    ------
    InputError
        If no patch has a value, or patches are doubled.
    """
    _check_strips(strip.assign(participant_id=title))
    window = _window(strip["value"]) if window is None else window
    colours = _DIFFERENCES if signed else _VALUES
    width, height = _STRIP_INCHES
    figure = Figure(figsize=(2 * width + 1.2, height + 1.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    meshes = [
        _draw_strip(axes, strip, hemi, colours, Normalize(*window)) for axes, hemi in zip(panels, _SIDES, strict=True)
    ]
    for axes, hemi in zip(panels, _SIDES, strict=True):
        axes.set_title(_SIDES[hemi], fontsize=10)
        _name_along(axes, strip)
    _name_down(panels[0])
    _colour_bar(figure, meshes[0], panels, f"{quantity} ({unit})" if unit else quantity)
    figure.suptitle(title, fontsize=11, weight="bold")
    figure.supxlabel("Along the central sulcus (mm in the template). Grey: no data.", fontsize=8, color=GREY)
    return figure


def group_strips(
    strips: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    quantity: str,
    unit: str = "",
    min_share: float = 0.5,
) -> Figure:
    """Unfolded central sulcus of each group, mean over its people, and its difference from the reference group.

    Parameters
    ----------
    strips : DataFrame
        ``participant_id, group``, and the columns of one person's strip.
    groups : sequence of str
        From above; one that nobody with a value belongs to is left out.
    reference : str or None
        The group with which the others are compared.
    quantity, unit : str
        What was painted on the strips, for the colour scale.
    min_share : float
        Share of a group's people, 0 to 1, who must have a value in a patch; grey where fewer do, and for a
        difference where fewer do in either group.

    Raises
    ------
    InputError
        If nobody has a value, patches are doubled, or the strips of two people are cut into different patches.
    """
    _check_strips(strips)
    means = {group: _group_mean(strips[strips["group"] == group], min_share) for group in groups}
    sizes = {group: strips.loc[(strips["group"] == group) & strips["value"].notna(), "participant_id"].nunique()
             for group in groups}  # fmt: skip
    shown = [group for group in groups if sizes[group]]
    layout = strips.drop_duplicates(_PLACE)
    scale = Normalize(*_window(pd.concat([means[group]["value"] for group in shown])))
    differences = {
        group: means[group].assign(value=means[group]["value"] - means[reference]["value"])
        for group in shown
        if group != reference and reference in shown
    }
    most = max((_largest(table["value"]) for table in differences.values()), default=0.0) or 1.0

    width, height = _STRIP_INCHES
    columns = 4 if differences else 2
    figure = Figure(figsize=(0.8 * width * columns + 1.6, height * len(shown) + 1.4), layout="constrained")
    panels = figure.subplots(len(shown), columns, sharex=False, sharey=True, squeeze=False)
    for row, group in zip(panels, shown, strict=True):
        kinds = [(means[group], _VALUES, scale, f"{group} (n = {sizes[group]})")]
        if group in differences:
            name = f"{group} \N{MINUS SIGN} {reference}"
            kinds.append((differences[group], _DIFFERENCES, Normalize(-most, most), name))
        for pair, (table, colours, norm, name) in zip((row[:2], row[2:]), kinds, strict=False):
            for axes, hemi in zip(pair, _SIDES, strict=True):
                _draw_strip(axes, table, hemi, colours, norm)
                axes.set_title(f"{name}, {_SIDES[hemi].lower()}", fontsize=9)
                axes.set_label(f"{name} {hemi}")
                _name_along(axes, layout)
        for axes in row[2 * len(kinds) :]:
            axes.set_axis_off()
        _name_down(row[0])
    text = f"{quantity} ({unit})" if unit else quantity
    _colour_bar(figure, ScalarMappable(scale, _VALUES), panels[:, :2], f"{text}, mean")
    if differences:
        mappable = ScalarMappable(Normalize(-most, most), _DIFFERENCES)
        _colour_bar(figure, mappable, panels[:, 2:], f"difference from {reference}" + (f" ({unit})" if unit else ""))
    said = f"Along the central sulcus (mm in the template). Grey: data in fewer than {min_share:.0%} of a group."
    figure.supxlabel(said, fontsize=8, color=GREY)
    return figure


# -- reading strips -------------------------------------------------------------------------------


def _check_strips(strips: pd.DataFrame) -> None:
    """Raise `InputError` unless every person has every patch once, and somebody a value."""
    if strips["value"].isna().all():
        raise InputError("no patch of the central sulcus has a value to plot; see why in the measures of the SWI")
    if strips.duplicated(["participant_id", *_PLACE]).any():
        raise InputError("a patch of a central sulcus is there twice; give one strip a person, of one image")
    sizes = strips.groupby("participant_id").size()
    patches = len(strips.drop_duplicates(_PLACE))
    if (sizes != patches).any():
        raise InputError(
            f"the strips are cut into different patches: {patches} in all, but {sizes.min()} in that of "
            f"{sizes.idxmin()}; unfold all with the same arc_step_mm and depth_bins"
        )


def _group_mean(strips: pd.DataFrame, min_share: float) -> pd.DataFrame:
    """Mean of each patch over people, a row a patch; missing where too few have a value."""
    people = strips.loc[strips["value"].notna(), "participant_id"].nunique()
    patches = strips.groupby(_PLACE)["value"].agg(["mean", "count"])
    enough = (patches["count"] > 0) & (patches["count"] >= min_share * people)
    return patches["mean"].where(enough).rename("value").reset_index()


def _window(values: pd.Series) -> tuple[float, float]:
    low, high = np.nanpercentile(values.to_numpy(float), [_OUTLYING_PERCENT, 100 - _OUTLYING_PERCENT])
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(high) + 0.5)


def _largest(values: pd.Series) -> float:
    """Largest size of a value, outlying ones left out; 0 if there is none."""
    finite = values.dropna().abs()
    return float(np.percentile(finite, 100 - _OUTLYING_PERCENT)) if len(finite) else 0.0


# -- drawing --------------------------------------------------------------------------------------


def _draw_strip(axes: Axes, strip: pd.DataFrame, hemi: str, colours: Colormap, norm: Normalize) -> QuadMesh:
    """One side: precentral crown above, fundus in the middle, postcentral crown below."""
    own = strip[strip["hemi"] == hemi]
    # the person's anterior is above; the way down the precentral bank goes on up the postcentral one
    height = (1 - own["depth"]) * own["bank"].map({"precentral": 1, "postcentral": -1})
    grid = own.assign(height=height.round(9)).pivot(index="height", columns="arc", values="value")
    arc_edges, height_edges = (_edges(grid.columns), np.linspace(-1, 1, len(grid) + 1))
    mesh = axes.pcolormesh(
        arc_edges, height_edges, np.ma.masked_invalid(grid.to_numpy(float)), cmap=colours, norm=norm, rasterized=True
    )
    axes.axhline(0, color="white", linewidth=1.2)
    axes.set_xlim(*(arc_edges[[-1, 0]] if hemi == "L" else arc_edges[[0, -1]]))
    axes.set_label(hemi)
    return mesh


def _edges(centres: pd.Index) -> np.ndarray:
    """Ends of evenly spaced patches, from their middles."""
    middles = centres.to_numpy(float)
    half = (middles[1] - middles[0]) / 2 if len(middles) > 1 else 0.5
    return np.append(middles - half, middles[-1] + half)


def _name_along(axes: Axes, strip: pd.DataFrame) -> None:
    """Parts of the body above the strip, and where each begins and ends on it."""
    places = strip.drop_duplicates("arc").sort_values("arc")
    half = _edges(pd.Index(places["arc"]))[1] - places["arc"].iloc[0]
    middles = {}
    for part, own in places.dropna(subset="part").groupby("part", sort=False):
        ends = own["arc"].min() - half, own["arc"].max() + half
        middles[str(part)] = sum(ends) / 2
        axes.vlines(ends, -1, 1, color="white", linewidth=0.8, linestyle=":")
    above = axes.secondary_xaxis("top")
    above.set_xticks(list(middles.values()), list(middles), fontsize=8)
    above.tick_params(length=0, pad=1)
    axes.tick_params(labelsize=8)


def _name_down(axes: Axes) -> None:
    axes.set_yticks(list(_CROWN_TO_CROWN), list(_CROWN_TO_CROWN.values()), fontsize=8)


def _colour_bar(figure: Figure, mappable: ScalarMappable, panels: np.ndarray, label: str) -> None:
    bar = figure.colorbar(mappable, ax=panels, extend="both", pad=0.01, aspect=25)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)


def person_strips(strips: pd.DataFrame, *, title: str) -> dict[str, Figure]:
    """A person's strips by the name of what is painted on them; see `strip_plot`. One without a value is left out."""
    return {
        PAINTED[modality][0]: strip_plot(own, title=title, quantity=PAINTED[modality][1], unit=PAINTED[modality][2])
        for modality, own in strips.groupby("modality", sort=False)
        if own["value"].notna().any()
    }


def study_strips(strips: pd.DataFrame, *, groups: Sequence[str], reference: str | None) -> dict[str, Figure]:
    """The groups' strips by modality; see `group_strips`. A modality without a value is left out."""
    return {
        modality: group_strips(
            own, groups=groups, reference=reference, quantity=PAINTED[modality][1], unit=PAINTED[modality][2]
        )
        for modality, own in strips.groupby("modality", sort=False)
        if own["value"].notna().any()
    }
