"""The series volume by volume: each cell where it belongs."""

import numpy as np
import pandas as pd

from mndmri.figures.series import series_sheet


def test_a_lost_slice_stands_in_its_volume_at_its_height():
    motion = pd.DataFrame({"framewise_displacement": [0.0, 0.3, np.nan, 1.7], "outlier_slices": [0, 0, 2, 0]})
    signal = np.zeros((6, 4))
    signal[1, 2] = -0.4
    unweighted = np.array([True, False, False, True])
    figure = series_sheet(motion, signal, np.zeros((6, 4)), unweighted, title="sub-01")
    moved, lost, scanned, _ = figure.axes[:4]
    assert [bar.get_height() for bar in moved.patches] == [0, 0.3, 0, 1.7]
    assert [bar.get_height() for bar in lost.patches] == [0, 0, 2, 0]
    picture = scanned.images[0]
    left, right, bottom, top = picture.get_extent()
    row, column = np.unravel_index(np.argmin(picture.get_array()), (6, 4))
    # volumes count from 1, slices from 0; the lowest slice is below
    assert left + (column + 0.5) * (right - left) / 4 == 3
    assert bottom + (row + 0.5) * (top - bottom) / 6 == 1
    assert picture.origin == "lower"
    assert list(moved.get_lines()[-1].get_xdata()) == [1, 4]  # b = 0
    # the scale is of differences: a lost slice is -40%
    assert picture.get_array().min() == -40
    assert figure.axes[-1].get_ylabel() == "difference from the expected signal (%)"
