"""The picture of the motor neuron: every measure at its level, every person in their group."""

import numpy as np
import pandas as pd
import pytest

from mndmri.figures.neuron import neuron_plot, people_plot
from mndmri.io import InputError
from mndmri.tables.neuron import along_neuron

VALUES = ["adjusted_g", "adj_g_ci_low", "adj_g_ci_high"]


def comparisons() -> pd.DataFrame:
    rows = [
        (modality, measure, region, hemi, contrast, g, g - 1, g + 1)
        for modality, measure, region, hemis, g in (
            ("t1w", "csa", "cord_c1c2", ["both"], -0.9),
            ("dwi", "fa", "cst_plic", ["L", "R"], -2.0),
            ("t1w", "volume", "precentral", ["L", "R"], -1.2),
        )
        for hemi in hemis
        for contrast in ("ALS-control", "PLS-control")
    ]
    return pd.DataFrame(rows, columns=["modality", "measure", "region", "hemi", "contrast", *VALUES])


def test_the_cortex_is_on_top_and_the_cord_below():
    figure = neuron_plot(along_neuron(comparisons(), VALUES))
    first = figure.axes[0]
    names = {text.get_text(): at for text, at in zip(first.get_yticklabels(), first.get_yticks(), strict=True)}
    top, *_, lowest = names
    assert top.startswith("Cortex: Volume") and lowest.startswith("Cord: CSA")
    assert names[top] > names[lowest]
    assert [axes.get_label() for axes in figure.axes] == ["ALS-control", "PLS-control"]


def test_damage_is_to_the_right():
    figure = neuron_plot(along_neuron(comparisons(), VALUES))
    drawn = [line.get_xdata() for line in figure.axes[0].lines if line.get_marker() in ("<", ">", "o")]
    assert sorted(float(x[0]) for x in drawn if len(x)) == pytest.approx([0.9, 1.2, 1.2, 2.0, 2.0])


def test_people_stand_in_their_groups_with_their_own_values():
    rows = comparisons().drop_duplicates(["measure", "hemi"]).drop(columns=["contrast", *VALUES])
    scores = pd.concat([rows.assign(participant_id=f"sub-{n}", w_score=-float(n)) for n in (1, 2, 3)])
    figure = people_plot(
        along_neuron(scores, ["w_score"]),
        {"sub-1": "control", "sub-2": "ALS", "sub-3": "control"},
        order=["ALS", "control"],
    )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["2", "1", "3"]
    np.testing.assert_allclose(axes.images[0].get_array()[0], [2.0, 1.0, 3.0])


def test_nothing_to_show_is_an_error_that_says_so():
    with pytest.raises(InputError, match="no measure of the motor neuron"):
        neuron_plot(along_neuron(comparisons(), VALUES).iloc[:0])
