"""The group's participants table is read as it was understood, whatever its categories look like."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError, write_json, write_table
from mndmri.tables.dictionaries import column_names
from mndmri.tables.participants import participants_dictionary, read_participants


@pytest.fixture
def written(tmp_path):
    """Function that writes participants and their dictionary as the group's jobs do, and gives the table's path."""

    def write(participants):
        write_table(participants, tmp_path / "participants.tsv")
        write_json(participants_dictionary(participants), tmp_path / "participants.json")
        return tmp_path / "participants.tsv"

    return write


def people(**columns):
    table = pd.DataFrame({"participant_id": ["sub-01", "sub-02", "sub-03"], "group": ["2", "10", "2"]})
    return table.assign(**columns)


@pytest.mark.parametrize("sites", [["1", "2", "3"], ["01", "1", "02"], ["1.0", "1e3", "0x1"], ["1", np.nan, "nan"]])
def test_a_category_that_looks_like_a_number_is_read_as_it_was_written(written, sites):
    given = people(site=pd.Series(sites, dtype=object))
    pd.testing.assert_frame_equal(read_participants(written(given)), given)


def test_numbers_are_numbers_and_missing_ones_are_missing(written):
    found = read_participants(written(people(age=[61.5, np.nan, 70.0])))
    np.testing.assert_array_equal(found["age"], [61.5, np.nan, 70.0])


def test_the_dictionary_says_what_kind_each_column_is():
    table = people(site=["1", "2", "1"], age=[61.0, 58.0, 70.0], progression_rate=[0.1, 0.2, 0.3])
    described = participants_dictionary(table)
    assert column_names(described) == list(table)
    assert [described[name]["Kind"] for name in table] == [*["category"] * 3, *["number"] * 2]


def test_a_table_without_its_dictionary_is_refused(written):
    path = written(people())
    path.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"participants\.json: no such file"):
        read_participants(path)
