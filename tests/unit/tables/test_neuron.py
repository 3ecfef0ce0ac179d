"""The table along the motor neuron: order of the levels, and damage in one direction."""

import numpy as np
import pandas as pd

from mndmri.tables.measures import directions
from mndmri.tables.neuron import along_neuron

VALUES = ["adjusted_g", "adj_g_ci_low", "adj_g_ci_high"]


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["modality", "measure", "region", "hemi", *VALUES])


def test_levels_run_from_the_cortex_to_the_cord():
    found = along_neuron(
        table(
            ("t1w", "csa", "cord_c1c2", "both", -1, -2, 0),
            ("dwi", "fa", "cst_pons", "L", -1, -2, 0),
            ("t1w", "volume", "medulla", "both", -1, -2, 0),
            ("dwi", "fa", "cst_corona_radiata", "L", -1, -2, 0),
            ("t1w", "volume", "precentral", "L", -1, -2, 0),
        ),
        VALUES,
    )
    assert found["level"].tolist() == ["Cortex", "Corona radiata", "Pons", "Medulla", "Cord"]


def test_what_falls_and_what_rises_with_damage_both_become_positive():
    found = along_neuron(
        table(("dwi", "fa", "cst_plic", "L", -1.5, -2.5, -0.4), ("dwi", "md", "cst_plic", "L", 1.2, 0.1, 2.0)), VALUES
    )
    assert found[VALUES].to_numpy().tolist() == [[1.5, 0.4, 2.5], [1.2, 0.1, 2.0]]


def test_what_has_no_direction_or_says_the_same_again_is_left_out():
    found = along_neuron(
        table(
            ("dwi", "ad", "cst_plic", "L", 1, 0, 2),
            ("dwi", "rd", "cst_plic", "L", 1, 0, 2),
            ("t1w", "volume", "postcentral", "L", 1, 0, 2),
            ("swi", "bank_ratio", "precentral", "L", 1, 0, 2),
        ),
        VALUES,
    )
    assert found.empty


def test_a_measure_without_any_value_has_no_line():
    no_value = (np.nan, np.nan, np.nan)
    found = along_neuron(
        table(
            ("t1w", "thickness", "precentral", "L", *no_value),
            ("t1w", "thickness", "precentral", "L", *no_value),
            ("t1w", "volume", "precentral", "L", *no_value),
            ("t1w", "volume", "precentral", "L", -1.0, -2.0, 0.0),
        ),
        VALUES,
    )
    # of what has a value in one contrast, the others stay
    assert found["measure"].tolist() == ["volume", "volume"]


def test_a_map_whose_direction_the_study_declares_has_its_place():
    rows = table(("mtr", "mean", "precentral", "R", -1.0, -2.0, np.nan))
    assert along_neuron(rows, VALUES).empty
    found = along_neuron(rows, VALUES, signs=directions({"mtr mean": "health"}))
    assert found["adjusted_g"].tolist() == [1.0] and found["level"].tolist() == ["Cortex"]
    assert np.isnan(found["adj_g_ci_low"][0]) and found["adj_g_ci_high"][0] == 2.0
