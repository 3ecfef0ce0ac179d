"""Scatter plots against a clinical score: everyone is in sight, and the numbers are the table's."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from mndmri.figures.correlations import correlation_plot
from mndmri.figures.groups import group_colours
from mndmri.io import InputError

COLOURS = group_colours(["ALS", "PLS", "control"])


@pytest.fixture
def people():
    return pd.DataFrame(
        {
            "participant_id": ["a1", "a2", "a3", "p1", "c1"],
            "group": ["ALS", "ALS", "ALS", "PLS", "control"],
            "umn_left": [3.0, 5.0, np.nan, 9.0, np.nan],
        }
    )


@pytest.fixture
def measures(people):
    rows = pd.DataFrame({"participant_id": people["participant_id"], "value": [0.5, 0.4, 0.3, np.nan, 0.6]})
    rows = rows.assign(modality="dwi", measure="md", region="cst", unit="1e-3 mm2/s")
    return pd.concat([rows.assign(hemi="L"), rows.assign(hemi="R"), rows.assign(hemi="both")])


@pytest.fixture
def correlations():
    rows = [
        ("R", "ALS", "contralateral", "spearman", np.nan, 2, -0.5, -0.8, 0.1),
        ("R", "PLS", "contralateral", "spearman", np.nan, 0, np.nan, np.nan, np.nan),
        ("R", "patients", "contralateral", "spearman", "group", 2, -0.4, -0.7, 0.2),
        ("R", "ALS", "contralateral", "kendall", "", 2, -0.3, -0.6, 0.2),
        ("both", "ALS", "not lateralised", "spearman", "", 2, 0.25, np.nan, np.nan),
    ]
    columns = ["hemi", "group", "laterality", "method", "adjusted_for", "n", "estimate", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns).assign(modality="dwi", measure="md", region="cst", score="umn_left")


def plot(measures, people, correlations, **options):
    return correlation_plot(measures, people, correlations, **({"score": "umn_left", "colours": COLOURS} | options))


def texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_only_measures_that_were_correlated_with_the_score_have_a_panel(measures, people, correlations):
    panels = plot(measures, people, correlations).axes
    assert [axes.get_label() for axes in panels] == ["dwi md cst R", "dwi md cst both"]
    titles = [axes.get_legend().get_title().get_text() for axes in panels]
    assert titles == ["MD, CST, right (contralateral)", "MD, CST"]
    assert (panels[0].get_ylabel(), panels[0].get_xlabel()) == ("MD (10⁻³ mm²/s)", "UMN left")


def test_every_patient_with_both_numbers_is_a_dot_in_the_groups_colour(measures, people, correlations):
    als, pls = plot(measures, people, correlations).axes[0].get_lines()
    np.testing.assert_allclose(als.get_xydata(), [[3, 0.5], [5, 0.4]])
    assert to_hex(als.get_color()).upper() == COLOURS["ALS"]
    assert len(pls.get_xydata()) == 0


def test_coefficients_are_those_of_the_table_and_say_what_they_are_adjusted_for(measures, people, correlations):
    figure = plot(measures, people, correlations)
    assert texts(figure.axes[0]) == [
        "ALS: ρ −0.500 [−0.800, 0.100], n = 2",
        "PLS: ρ n/a, n = 0",
        "patients, adjusted for group:\nρ −0.400 [−0.700, 0.200], n = 2",
    ]
    assert texts(figure.axes[1]) == ["ALS: ρ 0.250 [n/a], n = 2"]
    assert "Spearman" in figure.get_supxlabel()
    figure = plot(measures, people, correlations, method="kendall")
    assert texts(figure.axes[0]) == ["ALS: τ −0.300 [−0.600, 0.200], n = 2"]


def test_no_patient_lies_under_the_numbers(measures, people, correlations):
    figure = plot(measures, people, correlations)
    figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.get_legend().get_window_extent()
        assert box.y0 >= axes.get_window_extent().y1 - 1
        assert figure.bbox.y1 >= box.y1


def test_a_panel_that_is_left_over_is_empty(measures, people, correlations):
    four = pd.concat([correlations.assign(measure=name) for name in ("fa", "md", "ad", "rd")])
    figure = plot(pd.concat([measures.assign(measure=name) for name in ("fa", "md", "ad", "rd")]), people, four)
    assert [axes.axison for axes in figure.axes] == [True] * 8 + [False]


def test_labels_of_any_script_and_length_are_drawn_as_they_are(measures, people, correlations):
    name, score = "$a^{ " + "очень длинно " * 12, "$x_{"
    figure = plot(
        measures,
        people.replace({"group": {"ALS": name}}).rename(columns={"umn_left": score}),
        correlations.replace({"group": {"ALS": name}}).assign(score=score),
        score=score,
        colours={name: "#D55E00"},
    )
    figure.draw_without_rendering()
    assert texts(figure.axes[0])[0].startswith("$a^{")


def test_nothing_to_plot_is_refused(measures, people, correlations):
    with pytest.raises(InputError, match="no correlation of these measures with mrc"):
        plot(measures, people, correlations, score="mrc")
