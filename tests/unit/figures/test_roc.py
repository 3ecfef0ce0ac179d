"""ROC curves: the panel, the line and the legend of each curve are its own."""

import numpy as np
import pandas as pd
import pytest

from mndmri.figures.groups import GROUP_COLOURS
from mndmri.figures.roc import roc_plot
from mndmri.io import InputError

CURVE = [(0.0, 0.0), (0.0, 0.6), (0.5, 1.0), (1.0, 1.0)]
SIZES = {"n_positive": 5, "n_negative": 10}


def _tables(keys=(("dwi", "fa", "cst", "L"), ("dwi", "fa", "cst", "R")), contrasts=("ALS-control", "PLS-control")):
    """The same curve for everyone; areas that tell them apart."""
    names = ["modality", "measure", "region", "hemi", "contrast"]
    rows = [(*key, contrast) for key in keys for contrast in contrasts]
    points = [(*row, *point) for row in rows for point in CURVE]
    areas = [(*row, 0.5 + 0.1 * n, 0.4 + 0.1 * n, 0.6 + 0.1 * n) for n, row in enumerate(rows)]
    return (
        pd.DataFrame(points, columns=[*names, "false_positive_rate", "true_positive_rate"]),
        pd.DataFrame(areas, columns=[*names, "auc", "ci_low", "ci_high"]).assign(**SIZES),
    )


def _legend(figure, panel):
    """Texts of the legend below a panel."""
    below = figure.axes[panel + len(figure.axes) // 2]
    return [text.get_text() for text in below.get_legend().get_texts()]


def test_each_contrast_has_a_panel_with_its_curves_and_the_line_of_chance():
    figure = roc_plot(*_tables())
    als, pls = figure.axes[:2]
    assert (als.get_title(), pls.get_title()) == ("ALS-control", "PLS-control")
    for axes in (als, pls):
        chance, *curves = axes.get_lines()
        np.testing.assert_array_equal(chance.get_xydata(), [(0, 0), (1, 1)])
        assert len(curves) == 2
        for curve in curves:
            np.testing.assert_array_equal(curve.get_xydata(), CURVE)
    assert (als.get_xlabel(), als.get_ylabel()) == ("1 − specificity", "Sensitivity")


def test_the_legend_gives_each_curves_area_interval_and_n():
    figure = roc_plot(*_tables())
    assert _legend(figure, 0) == [
        "FA, CST, left\nAUC 0.500 [0.400, 0.600], n = 5, 10",
        "FA, CST, right\nAUC 0.700 [0.600, 0.800], n = 5, 10",
    ]
    assert "0.600 [0.500, 0.700]" in _legend(figure, 1)[0]


def test_sides_share_a_colour_and_measures_do_not_nor_do_they_have_a_groups():
    keys = [("dwi", "fa", "cst", "L"), ("dwi", "fa", "cst", "R"), ("swi", "bank_ratio", "precentral", "L")]
    left, right, other = roc_plot(*_tables(keys)).axes[0].get_lines()[1:]
    assert left.get_color() == right.get_color() != other.get_color()
    assert left.get_linestyle() == other.get_linestyle() == "-"
    assert right.get_linestyle() == "--"
    assert not {left.get_color(), other.get_color()} & set(GROUP_COLOURS)


def test_a_measure_without_a_curve_keeps_its_place_in_the_legend():
    points, table = _tables()
    lost = (points["hemi"] == "L") & (points["contrast"] == "PLS-control")
    empty = points[lost].head(1).assign(false_positive_rate=np.nan, true_positive_rate=np.nan)
    table.loc[1, ["auc", "ci_low", "ci_high"]] = np.nan
    figure = roc_plot(pd.concat([points[~lost], empty]), table.assign(n_positive=[5, 0, 5, 5]))
    assert "FA, CST, left\nAUC n/a, n = 0, 10" in _legend(figure, 1)
    assert figure.axes[1].get_lines()[2].get_xydata().tolist() == [pytest.approx([np.nan] * 2, nan_ok=True)]


@pytest.mark.parametrize("odd", ["$a^{", "моторная_кора", "a_very_" + "long_" * 60 + "name"])
def test_names_of_any_script_and_length_are_drawn_inside_the_page(odd):
    figure = roc_plot(*_tables([("dwi", odd, "cst", "L")], contrasts=[f"{odd[:20]}-control"]))
    figure.draw_without_rendering()
    page, drawn = figure.bbox, figure.axes[1].get_legend().get_window_extent()
    assert page.y0 <= drawn.y0 < drawn.y1 <= figure.axes[0].get_window_extent().y0
    assert drawn.x1 <= page.x1
    said = figure.texts[-1].get_window_extent()
    assert page.x0 <= said.x0 < said.x1 <= page.x1
    assert said.y1 <= drawn.y0


def test_nothing_to_plot_and_more_than_can_be_told_apart_are_refused():
    points, table = _tables()
    with pytest.raises(InputError, match="no ROC curve to plot"):
        roc_plot(points.head(0), table)
    with pytest.raises(InputError, match=r"10 measures to plot; 9 curves.*statistics.primary"):
        roc_plot(*_tables([("dwi", f"m{n}", "cst", "L") for n in range(10)]))
