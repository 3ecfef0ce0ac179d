"""The name of a study: what its dataset says, else what its folder or its table is called."""

import json

import pytest

from mndmri.cohort.title import study_title


def config(bids_dir="", **changes):
    return {"simulation": None, "bids_dir": str(bids_dir), "measures": []} | changes


def test_a_study_has_the_name_that_its_dataset_gives(tmp_path):
    (tmp_path / "dataset_description.json").write_text(json.dumps({"Name": " ALS à Liège <2026> "}), encoding="utf-8")
    assert study_title(config(tmp_path)) == "ALS à Liège <2026>"


@pytest.mark.parametrize("described", [None, "{", "[]", '{"Name": ""}', '{"Name": 7}', '{"BIDSVersion": "1.9.0"}'])
def test_a_dataset_without_a_name_has_that_of_its_folder_with_its_dots(tmp_path, described):
    folder = tmp_path / "als.v2"
    folder.mkdir()
    if described:
        (folder / "dataset_description.json").write_text(described)
    assert study_title(config(folder)) == "als.v2"


def test_a_study_without_a_dataset_has_the_name_of_its_first_table_and_the_simulation_its_own(tmp_path):
    assert study_title(config(measures=[{"file": "data/7T.qsm.xlsx"}, {"file": "other.tsv"}])) == "7T.qsm"
    assert study_title(config(tmp_path, simulation={"n": 3})) == "Simulated cohort"
