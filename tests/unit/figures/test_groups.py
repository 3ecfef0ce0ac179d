"""Plots of groups: everyone is in sight, and the interval is the interval."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from scipy import stats

from mndmri.figures.groups import forest_plot, group_colours, measure_plot, strip_offsets
from mndmri.io import InputError

GROUPS = ["ALS", "PLS", "control"]
VALUES = {"ALS": [0.48, 0.50, 0.47, 0.49], "PLS": [0.46], "control": [0.53, 0.55, np.nan]}


def _measures(hemis=("L", "R")):
    rows = [
        {"participant_id": f"sub-{group}{n}", "group": group, "hemi": hemi, "value": value + (hemi == "R") * 0.1}
        for hemi in hemis
        for group, values in VALUES.items()
        for n, value in enumerate(values)
    ]
    return pd.DataFrame(rows).assign(modality="dwi", measure="md", region="cst_plic", unit="1e-3 mm2/s")


def _plot(measures, adjusted=None):
    return measure_plot(measures, adjusted, groups=GROUPS, colours=group_colours(GROUPS))


def _means(axes):
    """Place to (mean, low, high) of the error bars of a panel."""
    found = {}
    for container in axes.containers:
        line, _, bars = container.lines
        ends = bars[0].get_segments()[0][:, 1] if bars else (np.nan, np.nan)
        found[round(line.get_xdata()[0])] = (line.get_ydata()[0], *ends)
    return found


def test_every_participant_with_a_value_is_a_dot_in_the_groups_colour():
    for axes, shift in zip(_plot(_measures()).axes, (0, 0.1), strict=True):
        for group, strip in _strips(axes).items():
            known = np.array(VALUES[group])[np.isfinite(VALUES[group])] + shift
            np.testing.assert_allclose(np.sort(strip.get_offsets()[:, 1]), np.sort(known))
            assert to_hex(strip.get_facecolor()[0]).upper() == group_colours(GROUPS)[group]


def _strips(axes):
    """Group to its dots."""
    return dict(zip(GROUPS, (c for c in axes.collections if isinstance(c, PathCollection)), strict=True))


def test_left_is_the_left_panel_and_right_the_right_one():
    panels = _plot(_measures(hemis=("R", "L"))).axes
    assert [axes.get_title() for axes in panels] == ["Left", "Right"]
    assert panels[0].get_position().x0 < panels[1].get_position().x0


def test_bar_is_the_students_t_interval_of_the_mean():
    values = np.array(VALUES["ALS"])
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    assert _means(_plot(_measures()).axes[0])[0] == pytest.approx((values.mean(), low, high))


def test_a_group_of_one_has_a_mean_and_no_interval():
    mean, low, high = _means(_plot(_measures()).axes[0])[1]
    assert mean == 0.46
    assert np.isnan([low, high]).all()


def test_adjusted_means_are_drawn_in_place_of_plain_ones_and_said_so():
    other = {"modality": "dwi", "measure": "fa", "region": "cst_plic", "estimate": 9.0}
    key = {"modality": "dwi", "measure": "md", "region": "cst_plic", "hemi": "L", "group": "ALS"}
    interval = {"estimate": 0.5, "ci_low": 0.4, "ci_high": 0.7}
    adjusted = pd.DataFrame([key | interval | other, key | interval])
    figure = _plot(_measures(), adjusted)
    assert _means(figure.axes[0]) == {0: pytest.approx((0.5, 0.4, 0.7))}
    assert "adjusted mean" in figure.get_supxlabel()
    assert "adjusted" not in _plot(_measures()).get_supxlabel()


def test_axis_says_measure_and_unit_and_groups_say_their_n():
    axes = _plot(_measures()).axes[0]
    assert axes.get_ylabel() == "MD (10⁻³ mm²/s)"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["ALS\nn = 4", "PLS\nn = 1", "control\nn = 2"]


def test_a_group_label_that_looks_like_mathematics_is_drawn_as_it_is():
    groups = ["$a^{"]
    measures = _measures(hemis=("both",)).assign(group=groups[0])
    measure_plot(measures, groups=groups, colours=group_colours(groups)).draw_without_rendering()


def test_dots_lie_apart_and_do_not_depend_on_the_order_of_participants():
    values = np.array([0.3, 0.1, 0.2, 0.5, 0.4])
    offsets = strip_offsets(values)
    assert len(set(offsets)) == 5
    assert np.abs(offsets).max() <= 0.5
    np.testing.assert_array_equal(strip_offsets(values[::-1]), offsets[::-1])


def test_rows_of_two_measures_are_refused():
    two = pd.concat([_measures(), _measures().assign(measure="fa")])
    with pytest.raises(InputError, match=r"found 2.*fa"):
        _plot(two)


def test_each_group_has_its_own_colour_and_too_many_groups_are_refused():
    assert len(set(group_colours(GROUPS).values())) == 3
    with pytest.raises(InputError, match="8 groups"):
        group_colours([str(n) for n in range(8)])


def _comparisons():
    columns = ["measure", "hemi", "test", "contrast", "adjusted_g", "adj_g_ci_low", "adj_g_ci_high"]
    rows = [
        ("fa", "L", "ancova_welch", "group", np.nan, np.nan, np.nan),
        ("fa", "L", "ancova_welch", "ALS-control", -0.8, -1.4, -0.1),
        ("fa", "L", "ancova_welch", "PLS-control", -1.8, -2.4, -1.1),
        ("md", "R", "ancova_welch", "ALS-control", np.nan, np.nan, np.nan),
        ("md", "R", "ancova_welch", "PLS-control", 0.5, np.nan, np.nan),
    ]
    return pd.DataFrame(rows, columns=columns).assign(modality="dwi", region="cst")


def test_forest_shows_each_g_with_its_interval_in_the_panel_of_its_contrast():
    als, pls = forest_plot(_comparisons()).axes
    assert (als.get_title(), pls.get_title()) == ("ALS-control", "PLS-control")
    line, _, bars = als.containers[0].lines
    assert line.get_xdata()[0] == -0.8
    np.testing.assert_allclose(bars[0].get_segments()[0][:, 0], [-1.4, -0.1])
    assert line.get_ydata()[0] == 1  # the first measure is the upper one of two
    assert [text.get_text() for text in als.get_yticklabels()] == ["FA, CST, left", "MD, CST, right"]


def test_a_missing_g_keeps_its_row_and_says_so():
    als, pls = forest_plot(_comparisons()).axes
    assert [(text.get_text().strip(), text.get_position()[1]) for text in als.texts] == [("n/a", 0)]
    assert len(pls.containers) == 2  # a g without an interval is still drawn


def test_forest_without_pairs_is_refused():
    with pytest.raises(InputError, match="no comparison between two groups"):
        forest_plot(_comparisons().head(1))
