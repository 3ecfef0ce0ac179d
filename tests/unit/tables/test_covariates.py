"""Covariates of some measures alone: which, and where they come from."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.tables.covariates import column_of, covariates_of, join_measured

CHOSEN = {"t1w volume": ["tiv"], "dwi": ["mean_fd", "age"], "dwi fa cst": ["age", "coil"]}
VOLUME = {"modality": "t1w", "measure": "volume", "region": "tiv", "hemi": "both"}
MOTION = {"modality": "dwi", "measure": "mean_fd", "region": "brain", "hemi": "both"}
PEOPLE = pd.DataFrame({"participant_id": ["sub-01", "sub-02", "sub-03"], "group": "ALS"})


def key(modality, measure, region):
    return {"modality": modality, "measure": measure, "region": region}


def test_a_measure_has_the_covariates_of_its_modality_its_name_and_its_region_each_once():
    assert covariates_of(key("t1w", "volume", "precentral"), CHOSEN) == ["tiv"]
    assert covariates_of(key("t1w", "volume", "gm"), CHOSEN) == ["tiv"]
    assert covariates_of(key("t1w", "thickness", "precentral"), CHOSEN) == []
    assert covariates_of(key("dwi", "md", "cst"), CHOSEN) == ["mean_fd", "age"]
    assert covariates_of(key("dwi", "fa", "cst"), CHOSEN) == ["mean_fd", "age", "coil"]


def test_head_size_is_no_covariate_of_itself():
    assert covariates_of(key("t1w", "volume", "tiv"), CHOSEN) == []


def test_any_measure_can_be_a_covariate_and_none_is_one_of_itself():
    chosen = {"fs": ["fs volume eTIV", "fs volume V1 L"]}
    assert covariates_of(key("fs", "volume", "V1"), chosen) == ["fs volume eTIV"]  # hemi not known
    assert covariates_of(key("fs", "volume", "V1") | {"hemi": "R"}, chosen) == ["fs volume eTIV", "fs volume V1 L"]
    assert covariates_of(key("fs", "volume", "V1") | {"hemi": "L"}, chosen) == ["fs volume eTIV"]
    assert covariates_of(key("fs", "volume", "eTIV") | {"hemi": "both"}, chosen) == ["fs volume V1 L"]
    assert covariates_of(key("fs", "thickness", "V1") | {"hemi": "L"}, chosen) == chosen["fs"]


def rows(of, values):
    return pd.DataFrame([of | {"participant_id": who, "value": value} for who, value in values.items()])


def test_what_was_measured_goes_to_its_owner_and_is_missing_where_it_was_not():
    measures = rows(VOLUME, {"sub-03": 1500.0, "sub-01": 1400.0})
    quality = pd.concat(
        [rows(MOTION, {"sub-02": 0.4, "sub-01": np.inf}), rows(MOTION | {"modality": "swi"}, {"sub-03": 9.0})]
    )
    found = join_measured(PEOPLE, measures, quality, CHOSEN)
    np.testing.assert_array_equal(found["tiv"], [1400, np.nan, 1500])
    np.testing.assert_array_equal(found[column_of("mean_fd", "dwi")], [np.nan, 0.4, np.nan])
    assert "age" not in found


def test_a_column_of_the_participants_table_is_taken_before_what_was_measured():
    own = PEOPLE.assign(tiv=[1.0, 2.0, 3.0])
    np.testing.assert_array_equal(
        join_measured(own, rows(VOLUME, {"sub-01": 1400.0}), None, {"t1w": ["tiv"]})["tiv"], [1, 2, 3]
    )


def test_a_category_whose_name_looks_like_that_of_a_measure_stays_a_category():
    own = PEOPLE.assign(**{"site of scan": ["A", "B", "A"]})
    found = join_measured(own, rows(VOLUME, {"sub-01": 1400.0}), None, {"t1w": ["site of scan"]})
    assert found["site of scan"].tolist() == ["A", "B", "A"]


def test_two_values_of_a_person_and_a_lacking_table_are_refused():
    measures = rows(VOLUME, {"sub-01": 1400.0})
    with pytest.raises(InputError, match=r"mean_fd is a measure of qc\.tsv, which is not given"):
        join_measured(PEOPLE, measures, None, CHOSEN)
    with pytest.raises(InputError, match="sub-01: t1w has more than one tiv"):
        join_measured(PEOPLE, pd.concat([measures, measures]), None, {"t1w": ["tiv"]})


@pytest.mark.parametrize(
    ("place", "right"), [("t1w volum", "t1w volume"), ("t1w volume tvi", "t1w volume tiv"), ("t1ww", "t1w")]
)
def test_a_place_that_is_misspelt_is_refused_with_the_nearest(place, right):
    measures = pd.DataFrame([{"participant_id": "sub-01", **VOLUME, "value": 1500.0}])
    with pytest.raises(InputError, match=f"'{place}' is no measure of the table; did you mean '{right}'"):
        join_measured(PEOPLE, measures, None, {place: ["age"]})


def test_a_place_that_the_table_has_not_measured_is_no_matter():
    measures = pd.DataFrame([{"participant_id": "sub-01", **VOLUME, "value": 1500.0}])
    assert list(join_measured(PEOPLE, measures, None, {"dwi fa": ["age"]})) == list(PEOPLE)


def test_a_measure_named_as_in_the_table_is_joined_and_one_of_two_sides_needs_its_side():
    of = {"modality": "fs", "measure": "volume", "region": "eTIV", "hemi": "both"}
    measures = pd.concat(
        [rows(of, {"sub-02": 1.5, "sub-03": 1.4})]
        + [rows(of | {"region": "V1", "hemi": side}, {"sub-01": value}) for side, value in (("L", 7.0), ("R", 8.0))]
    )
    chosen = {"fs volume": ["fs volume eTIV", "fs volume V1 R"]}
    found = join_measured(PEOPLE, measures, None, chosen)
    np.testing.assert_array_equal(found["fs volume eTIV"], [np.nan, 1.5, 1.4])
    np.testing.assert_array_equal(found["fs volume V1 R"], [8.0, np.nan, np.nan])
    with pytest.raises(InputError, match="sub-01: fs has more than one fs volume V1; name its side too"):
        join_measured(PEOPLE, measures, None, {"fs": ["fs volume V1"]})
