"""Profiles along the tract: every curve, interval and marked node in its place."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from mndmri.figures.groups import group_colours
from mndmri.figures.profiles import profile_plot
from mndmri.io import InputError

GROUPS = ["ALS", "PLS", "control"]
POSITIONS = np.array([0.0, 2.0, 4.0, 6.0, 8.0])
OPTIONS = {"modality": "dwi", "groups": GROUPS, "colours": group_colours(GROUPS), "reference": "control"}
GREY_BAR = "#e6e6e6"


@pytest.fixture
def means():
    rows = [
        {"hemi": hemi, "group": group, "node": node, "position_mm": position, "n": 5 + node, "mean": height + position}
        for hemi, side in (("R", 100), ("L", 0))
        for height, group in enumerate(GROUPS, start=side)
        for node, position in enumerate(POSITIONS, start=1)
    ]
    table = pd.DataFrame(rows).assign(modality="dwi", measure="md", unit="1e-3 mm2/s")
    return table.assign(ci_low=table["mean"] - 0.5, ci_high=table["mean"] + 0.25)


@pytest.fixture
def comparisons():
    """ALS differs at the left's second and third node; PLS was not compared at the first."""
    rows = [
        {"hemi": hemi, "node": node, "position_mm": position, "contrast": contrast, "p_fwe": 0.4}
        for hemi in "LR"
        for node, position in enumerate(POSITIONS, start=1)
        for contrast in ("ALS-PLS", "ALS-control", "PLS-control", "patients-control")
    ]
    table = pd.DataFrame(rows).assign(modality="dwi", measure="md")
    at = table.set_index(["hemi", "contrast", "node"]).index
    table.loc[at.isin([("L", "ALS-control", 2), ("L", "ALS-control", 3)]), "p_fwe"] = 0.049
    table.loc[at.isin([("L", "ALS-control", 5)]), "p_fwe"] = 0.05
    table.loc[at.isin([("L", "PLS-control", 1)]), "p_fwe"] = np.nan
    return table


def spans(strip, place, colour):
    """From where to where, and so on, bars of a colour reach at a height."""
    found = []
    for bars in strip.collections:
        for path in bars.get_paths():
            box = path.get_extents()
            if to_hex(bars.get_facecolor()[0]) == colour.lower() and box.y0 < place < box.y1:
                found.append((box.x0, box.x1))
    return sorted(found)


def test_a_panel_for_each_side_with_the_persons_left_first(means, comparisons):
    left, right, *_ = profile_plot(means, comparisons, measure="md", **OPTIONS).axes
    assert (left.get_title(), right.get_title()) == ("Left", "Right")
    assert left.get_lines()[0].get_ydata()[0] < 100 <= right.get_lines()[0].get_ydata()[0]


def test_every_group_has_its_mean_and_interval_in_its_colour_whatever_the_order_of_rows(means, comparisons):
    shuffled = means.sample(frac=1, random_state=1)
    left = profile_plot(shuffled, comparisons, measure="md", **OPTIONS).axes[0]
    for height, (group, line, shade) in enumerate(zip(GROUPS, left.get_lines(), left.collections, strict=True)):
        assert line.get_color() == OPTIONS["colours"][group]
        assert to_hex(shade.get_facecolor()[0]) == OPTIONS["colours"][group].lower()
        np.testing.assert_allclose(line.get_xydata(), np.column_stack([POSITIONS, height + POSITIONS]))
        box = shade.get_paths()[0].get_extents()
        assert (box.y0, box.y1) == (height - 0.5, height + 8.25)


def test_bars_mark_the_nodes_that_differ_and_leave_out_those_that_were_not_compared(means, comparisons):
    strip = profile_plot(means, comparisons, measure="md", **OPTIONS).axes[2]
    assert [label.get_text() for label in strip.get_yticklabels()] == ["ALS-control", "PLS-control"]
    assert spans(strip, 0, OPTIONS["colours"]["ALS"]) == [(1, 3), (3, 5)]
    assert spans(strip, 0, GREY_BAR) == [(0, 1), (1, 3), (3, 5), (5, 7), (7, 8)]
    assert spans(strip, -1, OPTIONS["colours"]["PLS"]) == []
    assert spans(strip, -1, GREY_BAR) == [(1, 3), (3, 5), (5, 7), (7, 8)]


def test_a_contrast_with_the_reference_first_has_the_patients_colour(means, comparisons):
    turned = comparisons.replace({"contrast": {"ALS-control": "control-ALS"}})
    strip = profile_plot(means, turned, measure="md", **OPTIONS).axes[2]
    assert spans(strip, 0, OPTIONS["colours"]["ALS"]) == [(1, 3), (3, 5)]


def test_axes_and_legend_say_measure_unit_position_and_sizes(means, comparisons):
    means.loc[means["group"] == "PLS", "n"] = 5
    figure = profile_plot(means, comparisons, measure="md", **OPTIONS)
    assert figure.axes[0].get_ylabel() == "MD (10⁻³ mm²/s)"
    assert figure.axes[2].get_xlabel() == "Position from pons to cortex (mm)"
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["ALS (n = 6 to 10)", "PLS (n = 5)", "control (n = 6 to 10)"]


def test_levels_are_named_where_they_are(means, comparisons):
    levels = {"cst_pons": (0.0, 3.0), "cst_corona_radiata": (4.0, 8.0)}
    figure = profile_plot(means, comparisons, measure="md", **OPTIONS, levels=levels)
    for strip in figure.axes[2:]:
        places = {text.get_text(): text.get_position()[0] for text in strip.texts}
        assert places == {"pons": 1.5, "corona\nradiata": 6.0}
        assert [tuple(line.get_xdata()) for line in strip.get_lines()] == list(levels.values())
    assert not profile_plot(means, comparisons, measure="md", **OPTIONS).axes[2].texts


def test_one_side_nothing_to_compare_and_gaps_are_drawn(means, comparisons):
    means = means[means["hemi"] == "L"].assign(mean=lambda t: t["mean"].mask(t["node"] == 3))
    figure = profile_plot(means, comparisons.iloc[:0], measure="md", **OPTIONS)
    figure.draw_without_rendering()
    assert len(figure.axes) == 2
    assert np.isnan(figure.axes[0].get_lines()[0].get_ydata()[2])


def test_names_of_any_script_are_drawn_as_they_are(means, comparisons):
    odd = "$x^{" + "Łódź"
    names = {"ALS": odd, "ALS-control": f"{odd}-control"}
    means, comparisons = (table.replace({"group": names, "contrast": names}) for table in (means, comparisons))
    groups = [odd, "PLS", "control"]
    own = {"groups": groups, "colours": group_colours(groups)}
    figure = profile_plot(means, comparisons, measure="md", **OPTIONS | own)
    figure.draw_without_rendering()
    assert figure.axes[2].get_yticklabels()[0].get_text() == f"{odd}-control"


def test_a_measure_without_values_is_refused(means, comparisons):
    with pytest.raises(InputError, match="no profile of dwi fa to plot"):
        profile_plot(means, comparisons, measure="fa", **OPTIONS)
    with pytest.raises(InputError, match="no profile of dwi md to plot"):
        profile_plot(means.assign(mean=np.nan), comparisons, measure="md", **OPTIONS)
