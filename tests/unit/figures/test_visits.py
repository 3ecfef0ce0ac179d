"""Every person's visits and the slopes of the groups, each in its place."""

import numpy as np
import pandas as pd

from mndmri.figures.visits import visits_plot

KEY = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1"}
COLOURS = {"ALS": "#D55E00", "control": "#0072B2"}


def test_every_visit_is_drawn_and_the_thick_line_has_the_slope():
    visits = [("a", "ALS", 0, 0.5), ("a", "ALS", 12, 0.4), ("b", "ALS", 6, 0.6), ("c", "control", 0, np.nan)]
    measures = pd.DataFrame(visits, columns=["participant_id", "group", "months", "value"]).assign(**KEY)
    slope = {"effect": "slope", "contrast": "ALS", "estimate": -0.1, "ci_low": -0.2, "ci_high": 0.0}
    figure = visits_plot(measures, pd.DataFrame([KEY | slope]), groups=list(COLOURS), colours=COLOURS)
    patients, controls = figure.axes
    *people, line = patients.get_lines()
    assert [list(zip(*own.get_data(), strict=True)) for own in people] == [[(0, 0.5), (12, 0.4)], [(6, 0.6)]]
    (first, last), (start, end) = line.get_data()
    assert np.isclose((end - start) / (last - first) * 12, -0.1)
    assert patients.get_title() == "ALS, n = 2" and controls.get_title() == "control, n = 0"
    assert len(controls.get_lines()) == 0
