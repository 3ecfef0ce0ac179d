"""Every participant has every row, with a value or with the reason for its absence."""

import numpy as np
import pandas as pd
import pytest

from mndmri.susceptibility.regions import MEASURED_REGIONS
from mndmri.tables.dictionaries import TITLE
from mndmri.tables.measures import (
    DAMAGE_DIRECTION,
    DEFINITIONS,
    GROUP_COLUMNS,
    MEASURE_COLUMNS,
    data_dictionary,
    directions,
    person_dictionary,
    row,
    split_quality,
    stack_measures,
    stack_tables,
)
from mndmri.tables.qc import person_quality_dictionary

PEOPLE = pd.DataFrame({"participant_id": ["sub-1", "sub-2", "sub-3"], "group": ["ALS", "ALS", "control"]})


def own(*modalities: str) -> pd.DataFrame:
    rows = [row("t1w", "volume", "gm", "both", 600.0, unit="ml", n_voxels=9)]
    rows += [row("dwi", "fa", "cst", hemi, 0.5, unit="1", n_voxels=7) for hemi in "LR"]
    return pd.DataFrame([r for r in rows if r["modality"] in modalities])


def test_stacked_tables_keep_the_order_of_the_study_and_name_the_group():
    node = pd.DataFrame({"node": [0, 1], "fa": [0.4, 0.5]})
    stacked = stack_tables({"sub-3": node, "sub-1": 2 * node}, PEOPLE)
    assert list(stacked.columns) == ["participant_id", "group", "node", "fa"]
    assert stacked["participant_id"].tolist() == ["sub-1", "sub-1", "sub-3", "sub-3"]
    assert stacked["group"].tolist() == ["ALS", "ALS", "control", "control"]
    assert stacked["fa"].tolist() == [0.8, 1.0, 0.4, 0.5]


def test_nobody_loses_a_row():
    left_out = {"sub-2": {"dwi": "no file in the dataset"}, "sub-3": {"t1w": "failed", "dwi": "failed: no brain"}}
    table = stack_measures({"sub-1": own("t1w", "dwi"), "sub-2": own("t1w")}, PEOPLE, left_out)
    assert list(table.columns) == GROUP_COLUMNS
    assert len(table) == 9
    lacking = table[(table.participant_id == "sub-2") & (table.modality == "dwi")]
    assert lacking["value"].isna().all()
    assert set(lacking["status"]) == {"no file in the dataset"}
    assert set(lacking["n_voxels"]) == {0}
    assert set(lacking["unit"]) == {"1"}
    failed = table[(table.participant_id == "sub-3") & (table.modality == "dwi")]
    assert set(failed["status"]) == {"failed: no brain"}


def test_a_value_does_not_move_to_another_participant_when_tables_come_in_another_order():
    first, second = own("t1w").assign(value=1.0), own("t1w").assign(value=2.0)
    table = stack_measures({"sub-2": second, "sub-1": first}, PEOPLE.iloc[:2], {})
    assert table.set_index("participant_id")["value"].to_dict() == {"sub-1": 1.0, "sub-2": 2.0}


def test_a_row_without_a_value_must_say_why():
    with pytest.raises(ValueError, match="status"):
        row("dwi", "fa", "cst", "L", np.nan, unit="1", n_voxels=0)
    with pytest.raises(ValueError, match="status"):
        row("dwi", "fa", "cst", "L", 0.5, unit="1", n_voxels=3, status="field of view")


def test_quality_rows_are_parted_from_measures():
    measures, quality = split_quality(own("t1w", "dwi"), ["fa"])
    assert set(measures["measure"]) == {"volume"}
    assert set(quality["measure"]) == {"fa"}


def test_the_dictionary_describes_every_column_and_gives_unit_and_source():
    described = data_dictionary([("dwi", "fa"), ("swi", "bank_ratio")])
    assert set(GROUP_COLUMNS) <= set(described)
    assert described["measures"]["dwi fa"]["Units"] == "1"
    assert all({"Description", "Units", "Source"} <= set(entry) for entry in DEFINITIONS.values())


def test_the_dictionary_names_the_space_of_the_regions_where_that_is_known():
    assert "MNI152NLin2009cAsym" in data_dictionary([], space="MNI152NLin2009cAsym")["region"]["Description"]
    assert "space" not in data_dictionary([])["region"]["Description"]


def test_damage_has_a_declared_direction_in_every_measure_but_those_on_which_papers_do_not_agree():
    assert {kind for kind in DEFINITIONS if kind not in DAMAGE_DIRECTION} == {
        ("dwi", name) for name in ("ad", "ak", "md_tissue", "free_water")
    }
    assert set(DAMAGE_DIRECTION.values()) == {-1, 0, 1}


def test_damage_lowers_tissue_cord_anisotropy_kurtosis_and_the_ratio_of_the_banks_and_nothing_else():
    lowered = {kind for kind, direction in DAMAGE_DIRECTION.items() if direction < 0}
    assert lowered == {
        ("t1w", "volume"),
        ("t1w", "volume_within"),
        ("t1w", "volume_jacobian"),
        ("t1w", "thickness"),
        ("t1w", "csa"),
        ("t1w", "diameter_lr"),
        ("t1w", "diameter_ap"),
        ("dwi", "fa"),
        ("dwi", "fa_atlas_mean"),
        ("dwi", "fa_tissue"),
        ("dwi", "mk"),
        ("dwi", "rk"),
        ("swi", "bank_ratio"),
    }


def test_what_a_region_does_otherwise_is_an_exception_to_a_declared_direction():
    regional = [kind for kind in DAMAGE_DIRECTION if len(kind) == 3]
    assert all(DAMAGE_DIRECTION[kind] != DAMAGE_DIRECTION[kind[:2]] for kind in regional)


@pytest.mark.parametrize("modality", ["flair", "t2w"])
def test_no_direction_is_declared_for_the_signal_of_any_region_of_the_cortex(modality):
    without = {key[2] for key, sign in DAMAGE_DIRECTION.items() if key[0] == modality and sign == 0}
    assert without == set(MEASURED_REGIONS)


def test_a_declared_direction_is_taken_before_that_of_this_program():
    declared = directions({"qsm chi_thalamus": "damage", "t1w volume ventricle": "damage", "dwi fa": "neither"})
    assert declared["qsm", "chi_thalamus"] == 1 and declared["t1w", "volume", "ventricle"] == 1
    assert declared["dwi", "fa"] == 0 and declared["t1w", "volume"] == DAMAGE_DIRECTION["t1w", "volume"]
    assert directions({"csf nfl": "health"})["csf", "nfl"] == -1


def test_the_tables_of_a_participant_are_described_column_by_column():
    described = person_dictionary([("dwi", "fa"), ("dwi", "fa"), ("own", "thing")], space="MNI152NLin6Asym")
    assert list(described) == [TITLE, *MEASURE_COLUMNS, "measures"]
    assert list(described["measures"]) == ["dwi fa"]
    assert "MNI152NLin6Asym" in described["region"]["Description"]
    quality = person_quality_dictionary(["mean_fd", "mean_fd", "brain_volume"])
    assert list(quality) == [TITLE, *MEASURE_COLUMNS, "measures"]
    assert quality["measures"]["brain_volume"]["Units"] == "ml"
    assert list(quality["measures"]) == ["mean_fd", "brain_volume"]
