"""One person's visits: the same slices one after the other, and measures over the months."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from nibabel.spatialimages import SpatialImage

from mndmri.figures.groups import GREY, bare
from mndmri.figures.person import BAND, PERSON
from mndmri.figures.sheets import Sheet
from mndmri.figures.slices import contour_sheet, template_edges
from mndmri.tables.measures import KEY
from mndmri.tables.words import capitalised, readable, readable_place, readable_unit

_COLUMNS = 3
_PANEL_INCHES = (3.0, 2.3)


def visit_sheets(
    who: str,
    images: Mapping[str, Mapping[str, SpatialImage]],
    template: SpatialImage,
    *,
    space: str = "MNI",
) -> dict[str, Sheet]:
    """Slices of each image in template space, with the visits as frames; what one visit alone has is left out.

    Parameters
    ----------
    who : str
        participant_id.
    images : mapping
        What is shown, as ``T1w``, to the image of each visit on the grid of the template's space that all share.
    template : SpatialImage
        Brain without skull.
    space : str
        Name of the template.
    """
    edges = template_edges(template)
    return {
        f"{name} of every visit": Sheet(
            contour_sheet(next(iter(own.values())), edges, title=who, space=space),
            "what changes from visit to visit in the same place: ventricles and sulci that widen, a tract that fades. "
            "Every visit was registered to the template by itself, and has a grey scale of its own.",
            "the whole brain moves against the lines: the registration of a visit differs, not the brain.",
            own,
        )
        for name, own in images.items()
        if len(own) > 1
    }


def months_plot(
    measures: pd.DataFrame, bands: pd.DataFrame, *, rows: Sequence[Mapping[str, str]], baseline: str
) -> Figure | None:
    """Measures of one person over the months, on the range of the controls at the baseline.

    Parameters
    ----------
    measures : DataFrame
        The person's rows of the measures of all visits.
    bands : DataFrame
        The person's deviations with ``band_low`` and ``band_high`` (`mndmri.statistics.bands.add_band`).
    rows : sequence of mapping
        Modality, measure, region and hemi of each panel.
    baseline : str
        Session of the visit that the groups' tables have; its point is filled.

    Returns
    -------
    Figure
        None where no visit has both a value and a month.
    """
    known = measures.dropna(subset=["value", "months"])
    panels = [(row, own) for row in rows if len(own := known[_is(known, row)])]
    if not panels:
        return None
    n_rows = -(-len(panels) // _COLUMNS)
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(width * _COLUMNS, height * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, _COLUMNS, sharex=True, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes, (row, own) in zip(grid, panels, strict=False):
        band = bands[_is(bands, row)].dropna(subset=["band_low"])
        if len(band):
            axes.axhspan(band["band_low"].iloc[0], band["band_high"].iloc[0], color=BAND, linewidth=0)
        axes.plot(own["months"], own["value"], color=PERSON, linewidth=1.5, marker="o", markersize=5, mfc="white")
        first = own[own["session"] == baseline]
        axes.plot(first["months"], first["value"], color=PERSON, linestyle="", marker="o", markersize=5)
        unit = readable_unit(own["unit"].iloc[0])
        place = readable_place(row["region"], row["hemi"])
        axes.set_title(f"{capitalised(readable(row['measure']))}{f' ({unit})' if unit else ''}\n{place}", fontsize=9)
        axes.set_label(" ".join(row[name] for name in KEY))
        axes.tick_params(labelsize=8)
        bare(axes)
    banded = any(axes.patches for axes in grid)
    grey = "Grey: range of the controls" if banded else "No range of the controls could be computed"
    figure.supxlabel(f"Months. {grey} at the baseline (filled point).", fontsize=9, color=GREY)
    return figure


def _is(table: pd.DataFrame, row: Mapping[str, str]) -> pd.Series:
    """Rows of one measure, region and side."""
    return (table[KEY] == [row[name] for name in KEY]).all(axis=1)
