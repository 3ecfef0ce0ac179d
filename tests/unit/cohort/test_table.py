import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from jsonschema import validate

from mndmri.cohort import category_columns, count_left_out, load_participants
from mndmri.cohort.config import resolve_config
from mndmri.io import read_table

SCHEMAS = Path(__file__).resolve().parents[3] / "workflow/schemas"
SCHEMA = yaml.safe_load((SCHEMAS / "config.schema.yaml").read_text(encoding="utf-8"))
ROW_SCHEMA = yaml.safe_load((SCHEMAS / "participants.schema.yaml").read_text(encoding="utf-8"))


def config(**given):
    return resolve_config({"bids_dir": "data", **given}, SCHEMA)


def table(tmp_path, **changed):
    """The table of six people as it is read from a file, with some columns changed or taken out (None)."""
    columns = {
        "participant_id": [f"sub-0{i}" for i in range(1, 7)],
        "group": ["ALS", "ALS", "PLS", "PLS", "control", "HC"],
        "age": [61, 55, 70, 48, 66, 59],
        "sex": list("FMFMFM"),
        "site": [1, 2, 1, 2, 1, 2],
        "alsfrs_r": [40, 38, 44, "n/a", "n/a", "n/a"],
    } | changed
    path = tmp_path / "participants.tsv"
    pd.DataFrame({k: v for k, v in columns.items() if v is not None}).to_csv(path, sep="\t", index=False)
    return read_table(path, text=category_columns(config(covariates=["age", "sex", "site"])))


def problems(table, **given):
    return [problem.message for problem in load_participants(table, config(**given))[1]]


def only_problem(table, **given):
    found = problems(table, **given)
    assert len(found) == 1, found
    return found[0]


def test_a_table_without_faults_gives_groups_by_the_names_in_the_config(tmp_path):
    people, found = load_participants(
        table(tmp_path), config(covariates=["age", "sex", "site"], clinical_scores=["alsfrs_r"])
    )
    assert found == []
    assert list(people.columns) == ["participant_id", "group", "age", "sex", "site", "alsfrs_r"]
    assert list(people["group"]) == ["ALS", "ALS", "PLS", "PLS", "control", "control"]
    assert people["age"].dtype == float
    assert list(people["alsfrs_r"][:3]) == [40, 38, 44]
    assert people["alsfrs_r"][3:].isna().all()
    assert list(people["site"]) == ["1", "2", "1", "2", "1", "2"], "a site is no amount"
    for row in people.to_dict("records"):
        validate({key: value for key, value in row.items() if not pd.isna(value)}, ROW_SCHEMA)


def test_the_caller_s_table_is_left_as_it_was(tmp_path):
    given = table(tmp_path)
    before = given.copy(deep=True)
    load_participants(given, config())
    pd.testing.assert_frame_equal(given, before)


def test_an_id_without_its_prefix_gets_it_and_keeps_its_zeros(tmp_path):
    people, found = load_participants(table(tmp_path, participant_id=["01", "02", "03", "04", "05", "06"]), config())
    assert found == []
    assert list(people["participant_id"]) == [f"sub-0{i}" for i in range(1, 7)]


def test_a_site_keeps_its_leading_zero_and_01_is_not_1(tmp_path):
    given = table(tmp_path, site=["01", "1", "02", "2", "01", "n/a"])
    people, found = load_participants(given, config(covariates=["age", "site"]))
    assert found == []
    assert list(people["site"][:5]) == ["01", "1", "02", "2", "01"]
    assert pd.isna(people["site"][5])


def test_a_code_of_sex_beside_words_is_told(tmp_path):
    message = only_problem(table(tmp_path, sex=["F", "M", "1", "M", "F", "M"]), covariates=["age", "sex"])
    assert "column 'sex' has the code 1 beside the words 'F', 'M'; write one or the other" in message


def test_sex_is_a_category_and_age_a_number_whatever_the_config_says(tmp_path):
    settings = config(covariates=["age", "sex"], categorical=["age"])
    people, found = load_participants(table(tmp_path, sex=[1, 2, 1, 2, 1, 2]), settings)
    assert found == []
    assert (category_columns(settings), list(people["sex"])) == (["sex"], ["1", "2", "1", "2", "1", "2"])
    assert people["age"].dtype == float


def test_an_id_that_stands_twice_is_told_with_both_rows(tmp_path):
    ids = ["sub-01", "sub-02", "02", "sub-04", "sub-05", "sub-06"]
    message = only_problem(table(tmp_path, participant_id=ids))
    assert "'sub-02' is in rows 3, 4; keep one row" in message


def test_an_id_with_other_characters_than_letters_and_digits_is_told(tmp_path):
    ids = ["sub-01", "sub-0 2", "sub-03", "sub-ä4", "n/a", "sub-06"]
    found = problems(table(tmp_path, participant_id=ids))
    assert [("row 3" in m, "row 5" in m, "row 6" in m) for m in found] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert "participant_id 'sub-0 2' has other characters" in found[0]
    assert "participant_id is empty" in found[2]


def test_a_misspelt_covariate_of_a_measure_is_told_with_the_nearest_name(tmp_path):
    for name, near in (("meanfd", "mean_fd"), ("tvi", "tiv")):
        message = only_problem(table(tmp_path), measure_covariates={"dwi": [name]})
        assert f"no column '{name}'; did you mean '{near}'?" in message


def test_a_missing_column_is_told_with_the_nearest_name(tmp_path):
    message = only_problem(table(tmp_path, age=None, Age_at_scan=[1, 2, 3, 4, 5, 6]), covariates=["age_scan", "sex"])
    assert "no column 'age_scan'; did you mean 'Age_at_scan'?" in message


def test_a_misspelt_label_is_told_with_its_row_and_the_nearest_label(tmp_path):
    message = only_problem(table(tmp_path, group=["ALS", "ALS", "PLS", "PLS", "contrl", "HC"]))
    assert "row 6 (sub-05), column 'group': label 'contrl'" in message
    assert "did you mean 'control'?" in message


def test_a_label_that_differs_by_capitals_or_a_space_is_not_taken_for_the_right_one(tmp_path):
    found = problems(table(tmp_path, group=["als", "ALS", "PLS ", "PLS", "control", "HC"]))
    assert len(found) == 2
    assert "row 2 (sub-01), column 'group': label 'als'" in found[0]
    assert "did you mean 'PLS'?" in found[1]


def test_another_label_is_left_out_and_counted(tmp_path):
    given = table(tmp_path, group=["ALS", "FTD", "PLS", "FTD", "control", "n/a"])
    people, found = load_participants(given, config())
    assert found == []
    assert list(people["participant_id"]) == ["sub-01", "sub-03", "sub-05"]
    assert count_left_out(given, config()) == ({"FTD": 2, "n/a": 1}, {})


def test_a_label_left_out_on_purpose_is_not_taken_for_a_misspelt_one(tmp_path):
    given = table(tmp_path, group=["ALS", "ALS2", "PLS", "PLS", "control", "HC"])
    assert "did you mean 'ALS'?" in only_problem(given)
    assert problems(given, groups={"leave_out": ["ALS2"]}) == []


def test_labels_written_as_numbers_are_understood_beside_a_missing_one(tmp_path):
    groups = {"levels": {"ALS": [1], "control": ["0"]}}
    people, found = load_participants(table(tmp_path, group=[1, 1, 0, 0, 0, "n/a"]), config(groups=groups))
    assert found == []
    assert list(people["group"]) == ["ALS", "ALS", "control", "control", "control"]


def test_accents_stored_in_two_ways_are_one_label(tmp_path):
    groups = {"levels": {"ALS": ["Läsion"], "control": ["对照"]}}
    labels = [unicodedata.normalize("NFD", "Läsion"), "Läsion", "对照", "对照", "对照", "对照"]
    people, found = load_participants(table(tmp_path, group=labels), config(groups=groups))
    assert found == []
    assert list(people["group"]) == ["ALS"] * 2 + ["control"] * 4


def test_an_empty_group_is_told_and_an_empty_reference_as_such(tmp_path):
    found = problems(table(tmp_path, group=["ALS"] * 6))
    assert len(found) == 2
    assert (
        "the group 'PLS' has no participant: no row of column 'group' that is studied has the label 'PLS'" in found[0]
    )
    assert "the reference group 'control' has no participant" in found[1]
    assert "'control' or 'HC'" in found[1]


def test_excluding_everybody_of_a_group_makes_it_empty(tmp_path):
    message = only_problem(table(tmp_path), exclude={"sub-03": "moved", "sub-04": "moved"})
    assert "the group 'PLS' has no participant" in message


def test_who_is_excluded_is_not_studied_and_the_reason_is_kept(tmp_path):
    given, settings = table(tmp_path), config(exclude={"sub-02": "moved"})
    people, found = load_participants(given, settings)
    assert found == []
    assert "sub-02" not in set(people["participant_id"])
    assert count_left_out(given, settings) == ({}, {"sub-02": "moved"})


def test_excluding_somebody_unknown_is_told_with_the_nearest_id(tmp_path):
    assert "exclude: 'sub-2' is not in the participants table; did you mean 'sub-02'?" in only_problem(
        table(tmp_path), exclude={"sub-2": "moved"}
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("54 years", "found '54 years', expected a number"),
        ("54,5", "expected a number with a point, not a comma"),
        ("inf", "found 'inf', expected a number"),
        ("1e999", "found '1e999', expected a finite number"),
        ("NaN", "found 'NaN'; a missing value is written n/a"),
        ("NA", "found 'NA'; a missing value is written n/a"),
        ("-3", "found -3, expected years between 0 and 120"),
        ("610", "found 610, expected years between 0 and 120"),
    ],
)
def test_an_age_that_is_no_age_is_told_with_row_and_column(tmp_path, value, words):
    message = only_problem(table(tmp_path, age=[61, 55, value, 48, 66, 59]))
    assert "row 4 (sub-03), column 'age'" in message
    assert words in message


def test_age_written_as_text_throughout_is_told_for_every_row(tmp_path):
    found = problems(table(tmp_path, age=["sixty", "54 y", "old", "48 y", "66 y", "59 y"]))
    assert len(found) == 6
    assert "row 2 (sub-01), column 'age': found 'sixty', expected a number" in found[0]


def test_a_faulty_value_of_someone_not_studied_is_no_problem(tmp_path):
    given = table(tmp_path, group=["ALS", "FTD", "PLS", "PLS", "control", "HC"], age=[61, "old", 70, 48, 66, 59])
    people, found = load_participants(given, config())
    assert found == []
    assert np.isfinite(people["age"]).all()


def test_a_missing_age_is_a_missing_value_and_no_problem(tmp_path):
    people, found = load_participants(table(tmp_path, age=[61, "n/a", 70, 48, 66, 59]), config())
    assert found == []
    assert list(people["age"].isna()) == [False, True, False, False, False, False]


def test_a_covariate_that_nobody_has_is_told(tmp_path):
    assert "column 'age' has no value for anyone studied" in only_problem(table(tmp_path, age=["n/a"] * 6))


def test_a_covariate_of_text_that_differs_in_every_row_is_told(tmp_path):
    scores = ["a1", "b2", "c3", "d4", "e5", "f6"]
    assert "different in each of 6 rows ('a1', 'b2', ...)" in only_problem(
        table(tmp_path, education=scores), covariates=["age", "education"]
    )


def test_all_that_is_wrong_with_a_table_is_told_at_once(tmp_path):
    given = table(
        tmp_path,
        participant_id=["sub-01", "sub-01", "sub-03", "sub-04", "sub-05", "sub-06"],
        group=["ALS", "ALS", "PSL", "FTD", "contrl", "HC"],
        age=["old", 55, 70, 48, 66, 59],
    )
    text = "\n".join(problems(given))
    for words in (
        "'sub-01' is in rows 2, 3",
        "'contrl'",
        "found 'old'",
        "the group 'PLS' has no participant",
    ):
        assert words in text


def test_an_empty_table_is_told(tmp_path):
    assert "no rows" in problems(table(tmp_path).iloc[:0])[0]


def test_the_side_of_onset_is_text_and_a_column_without_any_side_is_told(tmp_path):
    given = table(tmp_path, onset=["L", "right", "bulbar", "n/a", "n/a", "n/a"])
    people, found = load_participants(given, config(onset_side="onset"))
    assert found == []
    assert people["onset"][:3].tolist() == ["L", "right", "bulbar"]
    wrong = table(tmp_path, onset=["bulbar", "limb", "bulbar", "n/a", "n/a", "n/a"])
    assert "expected L, R, left or right" in only_problem(wrong, onset_side="onset")


def test_columns_of_survival_are_read_and_time_must_be_a_number(tmp_path):
    survival = {"time": "lived", "event": "died", "covariates": ["site"]}
    given = table(tmp_path, lived=[20, 31.5, 8, 40, "n/a", "n/a"], died=[1, 0, 1, 0, "n/a", "n/a"])
    people, found = load_participants(given, config(survival=survival))
    assert found == []
    assert people["lived"][:2].tolist() == [20, 31.5] and "site" in people
    wrong = table(tmp_path, lived=["long", 31, 8, 40, "n/a", "n/a"], died=[1, 0, 1, 0, "n/a", "n/a"])
    assert "expected a number" in only_problem(wrong, survival=survival)
