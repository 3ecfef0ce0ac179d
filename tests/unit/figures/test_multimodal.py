"""Plots of the multimodal index: everyone judged is in sight, and the squares are the observed shares."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from scipy import stats

from mndmri.figures.groups import group_colours
from mndmri.figures.multimodal import index_plot
from mndmri.io import InputError

GROUPS = ["ALS", "PLS", "control"]
SCHEME = "repeated 5-fold"


def _tables(n=(13, 10), probability=None):
    groups = np.repeat(["ALS", "control"], n)
    if probability is None:
        probability = np.linspace(0.95, 0.05, len(groups))
    predictions = pd.DataFrame({"group": groups, "outcome": (groups == "ALS").astype(int), "probability": probability})
    predictions = predictions.assign(contrast="ALS-control", scheme=SCHEME)
    row = {"contrast": "ALS-control", "scheme": SCHEME, "auc": 0.91, "auc_ci_low": 0.62, "auc_ci_high": 0.98}
    return pd.DataFrame([row]), predictions


def _plot(performance, predictions, scheme=SCHEME):
    return index_plot(performance, predictions, scheme=scheme, groups=GROUPS, colours=group_colours(GROUPS))


def _dots(axes):
    return [c for c in axes.collections if isinstance(c, PathCollection)]


def test_everyone_judged_is_a_dot_in_the_groups_colour_and_a_tick():
    performance, predictions = _tables()
    predictions.loc[0, "probability"] = np.nan
    left, right = _plot(performance, predictions).axes
    for group, dots in zip(["ALS", "control"], _dots(left), strict=True):
        expected = predictions.loc[predictions["group"] == group, "probability"].dropna()
        np.testing.assert_allclose(np.sort(dots.get_offsets()[:, 1]), np.sort(expected))
        assert to_hex(dots.get_facecolor()[0]).upper() == group_colours(GROUPS)[group]
    assert sum(len(ticks.get_offsets()) for ticks in _dots(right)) == 22
    assert [text.get_text() for text in left.get_xticklabels()] == ["ALS\nn = 12", "control\nn = 10"]


def test_squares_are_the_observed_shares_with_wilsons_interval():
    performance, predictions = _tables(n=(5, 5))
    _, right = _plot(performance, predictions).axes
    low, high = sorted((c.lines for c in right.containers), key=lambda lines: lines[0].get_xdata()[0])
    assert (low[0].get_xdata()[0], low[0].get_ydata()[0]) == pytest.approx((0.25, 0))
    assert (high[0].get_xdata()[0], high[0].get_ydata()[0]) == pytest.approx((0.75, 1))
    interval = stats.binomtest(0, 5).proportion_ci(method="wilson")
    assert low[2][0].get_segments()[0][:, 1] == pytest.approx([0, interval.high])


def test_auc_and_its_interval_are_in_the_title():
    (left, _) = _plot(*_tables()).axes
    assert left.get_title(loc="left") == "ALS-control: AUC 0.910 [0.620, 0.980]"


@pytest.mark.parametrize("empty", [True, False])
def test_contrast_that_was_not_judged_keeps_its_row_and_says_so(empty):
    performance, predictions = _tables(probability=np.full(23, np.nan))
    performance[["auc", "auc_ci_low", "auc_ci_high"]] = np.nan
    left, right = _plot(performance, predictions[:0] if empty else predictions).axes
    assert left.get_title(loc="left") == "ALS-control: AUC n/a"
    assert [text.get_text() for text in (*left.texts, *right.texts)] == ["n/a", "n/a"]


def test_each_contrast_has_a_row_and_unicode_names_stand():
    performance, predictions = _tables()
    second = "Łódź $x$-control"
    performance = pd.concat([performance, performance.assign(contrast=second)])
    figure = _plot(performance, pd.concat([predictions, predictions.assign(contrast=second)]))
    assert [axes.get_label() for axes in figure.axes[::2]] == ["ALS-control", second]
    figure.draw_without_rendering()


def test_unknown_scheme_is_an_error_that_names_those_there():
    with pytest.raises(InputError, match="the performance table has repeated 5-fold"):
        _plot(*_tables(), scheme="site held out")
