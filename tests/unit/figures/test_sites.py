"""Forest of sites: each estimate, interval and weight in its place."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.patches import Polygon

from mndmri.figures.sites import site_forest
from mndmri.io import InputError

ESTIMATES = {
    "Graz": (-0.04, -0.06, -0.02, 75.0),
    "Łódź": (-0.01, -0.03, 0.01, 25.0),
    "Wien": (np.nan,) * 4,
    "all": (-0.03, -0.05, -0.01, 100.0),
}


def _table(contrasts=("ALS-control", "PLS-control"), measures=("fa", "md")):
    rows = [
        {"measure": measure, "contrast": contrast, "site": site, "n_first": 9 + n, "n_second": 7}
        | dict(zip(("estimate", "ci_low", "ci_high", "weight_percent"), numbers, strict=True))
        | ({"i2_percent": 62.4, "q_p": 0.03} if site == "all" else {})
        for measure in measures
        for contrast in contrasts
        for n, (site, numbers) in enumerate(ESTIMATES.items())
    ]
    return pd.DataFrame(rows).assign(modality="dwi", region="cst_plic", hemi="L", unit="1e-3 mm2/s")


def test_every_measure_is_a_row_of_panels_and_every_contrast_a_column():
    panels = site_forest(_table()).axes
    assert [axes.get_title() for axes in panels] == [
        f"{name}, CST PLIC, left\n{contrast}" for name in ("FA", "MD") for contrast in ("ALS-control", "PLS-control")
    ]


def test_each_site_has_its_estimate_and_interval_in_its_place():
    axes = site_forest(_table()).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["All sites", "Wien", "Łódź", "Graz"]
    assert len(axes.containers) == 2
    for container, (site, place) in zip(axes.containers, (("Łódź", 2), ("Graz", 3)), strict=True):
        _, low, high, _ = ESTIMATES[site]
        segment = container.lines[2][0].get_segments()[0]
        np.testing.assert_allclose(segment, [[low, place], [high, place]])
    lodz, graz = (c for c in axes.collections if isinstance(c, PathCollection))
    np.testing.assert_allclose([graz.get_offsets()[0], lodz.get_offsets()[0]], [[-0.04, 3], [-0.01, 2]])
    assert graz.get_sizes()[0] > lodz.get_sizes()[0]


def test_all_sites_are_a_diamond_as_wide_as_their_interval():
    axes = site_forest(_table()).axes[0]
    (diamond,) = (patch for patch in axes.patches if isinstance(patch, Polygon))
    corners = diamond.get_xy()
    assert (corners[:, 0].min(), corners[:, 0].max()) == (-0.05, -0.01)
    assert corners[corners[:, 1].argmax(), 0] == -0.03
    assert corners[:, 1].mean() == pytest.approx(0)
    low, high = axes.get_xlim()
    assert low < -0.06
    assert high > 0.01


def test_a_missing_estimate_keeps_its_place_and_says_so():
    texts = {text.get_text().strip(): text.get_position() for text in site_forest(_table()).axes[0].texts}
    assert texts["n/a"] == (0, 1)
    assert texts["11, 7"][1] == 1


def test_axis_says_measure_and_unit_and_how_the_sites_differ():
    table = _table()
    assert site_forest(table).axes[2].get_xlabel() == "MD (10⁻³ mm²/s)\nI² 62%, p 0.030"
    assert site_forest(table.drop(columns="unit")).axes[0].get_xlabel() == "FA\nI² 62%, p 0.030"


def test_sites_that_could_not_be_pooled_are_drawn_without_a_diamond():
    table = _table(contrasts=["ALS-control"], measures=["fa"])
    table.loc[table["site"] == "all", ["estimate", "ci_low", "ci_high", "i2_percent", "q_p", "weight_percent"]] = np.nan
    (axes,) = site_forest(table.assign(weight_percent=np.nan)).axes
    assert not axes.patches
    assert axes.get_xlabel() == "FA (10⁻³ mm²/s)\n"
    assert len(axes.containers) == 2


def test_names_of_any_script_and_length_are_drawn():
    table = _table().replace(
        {"site": {"Graz": "$x^{" + "Łódź – früh" * 30}, "contrast": {"ALS-control": "$a^{-контроль"}}
    )
    figure = site_forest(table)
    figure.draw_without_rendering()
    assert len(figure.axes[0].get_yticklabels()[-1].get_text()) == 30


def test_an_empty_table_is_refused():
    with pytest.raises(InputError, match="no difference at any site to plot"):
        site_forest(_table().iloc[:0])
