"""A table of measures from elsewhere."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.tables.given import NEEDED, complete_measures
from mndmri.tables.measures import GROUP_COLUMNS, OK

PEOPLE = pd.DataFrame({"participant_id": ["sub-01", "sub-02", "sub-03"], "group": ["ALS", "PLS", "control"]})


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=NEEDED)


def test_everyone_in_the_study_has_a_row_of_every_measure():
    brought = table(("01", "dwi", "fa", "cst", "L", 0.5), ("sub-02", "t1w", "volume", "gm", "both", 600.0))
    found = complete_measures(brought, PEOPLE)
    assert list(found.columns) == GROUP_COLUMNS
    assert len(found) == 6
    values = found.set_index(["participant_id", "measure"])["value"]
    assert values["sub-01", "fa"] == 0.5 and values["sub-02", "volume"] == 600
    assert values.isna().sum() == 4
    assert (found["status"] == OK).sum() == 2
    assert found.set_index("participant_id")["group"].to_dict() == {
        "sub-01": "ALS",
        "sub-02": "PLS",
        "sub-03": "control",
    }


def test_people_who_are_not_studied_are_left_out():
    found = complete_measures(table(("01", "dwi", "fa", "cst", "L", 0.5), ("99", "dwi", "fa", "cst", "L", 9.9)), PEOPLE)
    assert set(found["participant_id"]) == set(PEOPLE["participant_id"])
    assert 9.9 not in set(found["value"])


def test_a_missing_or_infinite_value_is_no_value_and_its_reason_stays():
    brought = table(
        ("01", "dwi", "fa", "cst", "L", np.nan),
        ("02", "dwi", "fa", "cst", "L", np.inf),
        ("03", "dwi", "fa", "cst", "L", 1.0),
    )
    found = complete_measures(brought.assign(status=["no dwi", "ok", "ok"]), PEOPLE)
    assert found["value"].notna().tolist() == [False, False, True]
    assert found["status"].tolist() == ["no dwi", "infinite", "ok"]


def test_all_that_is_wrong_with_a_table_is_told_in_one_list():
    brought = table(
        ("01", "dwi", "fa", "cst", "left", 0.5),
        ("02", "dwi", "fa", "cst", "L", "0,5"),
        ("03", "dwi", "fa", "cst", "L", 0.5),
        ("sub-03", "dwi", "fa", "cst", "L", 0.6),
        ("sub-02", "dwi", "fa", np.nan, "L", 0.6),
    )
    with pytest.raises(InputError) as refused:
        complete_measures(brought, PEOPLE)
    for words in (
        "hemi 'left', expected L, R or both",
        "is '0,5', expected a number",
        "sub-03: fa cst L is there twice",
        "sub-02: a row has no region; name it",
    ):
        assert words in str(refused.value)


def test_a_table_of_strangers_or_without_a_column_is_refused():
    with pytest.raises(InputError, match="use the same ids in both tables"):
        complete_measures(table(("77", "dwi", "fa", "cst", "L", 0.5)), PEOPLE)
    with pytest.raises(InputError, match="has no column hemi"):
        complete_measures(table(("01", "dwi", "fa", "cst", "L", 0.5)).drop(columns="hemi"), PEOPLE)


def test_values_of_one_measure_in_two_units_are_refused_and_never_relabelled():
    brought = table(("01", "t1w", "volume", "gm", "both", 600.0), ("02", "t1w", "volume", "gm", "both", 590_000.0))
    with pytest.raises(InputError, match="t1w volume gm both is in 'ml' in sub-01, 'mm3' in sub-02; convert"):
        complete_measures(brought.assign(unit=["ml", "mm3"]), PEOPLE)
    lacking = brought.assign(unit=["ml", "mm3"], value=[600.0, np.nan])
    assert set(complete_measures(lacking, PEOPLE)["unit"]) == {"ml"}
