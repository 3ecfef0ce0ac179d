"""The table with a row a participant."""

import numpy as np
import pytest

from mndmri.io import InputError
from mndmri.statistics import wide_table
from mndmri.statistics.wide import wide_dictionary
from mndmri.tables.dictionaries import column_names


def test_every_participant_has_a_row_and_every_measure_a_column(participants, tidy):
    values = np.arange(28.0)
    values[3] = np.nan
    measures = tidy(participants, fa=values, md=-values).iloc[1:].sample(frac=1, random_state=0)
    table = wide_table(measures, participants)
    assert list(table.columns[:5]) == ["participant_id", "group", "age", "sex", "site"]
    assert set(table.columns[5:]) == {"dwi_fa_cst_L", "dwi_md_cst_L"}
    assert table["participant_id"].tolist() == participants["participant_id"].tolist()
    np.testing.assert_array_equal(table["dwi_md_cst_L"], -values)
    values[0] = np.nan  # its row was left away
    np.testing.assert_array_equal(table["dwi_fa_cst_L"], values)


def test_the_dictionary_describes_every_column_with_its_unit(participants, tidy):
    measures, people = tidy(participants, fa=np.zeros(28)), participants.rename(columns={"age": "âge"})
    described = wide_dictionary(measures, people)
    assert column_names(described) == list(wide_table(measures, people).columns)
    assert described["dwi_fa_cst_L"] == {"Description": "fa (dwi) of cst, L; see measures.json.", "Units": "1"}
    assert described["age"]["Kind"] == "number"


def test_left_and_right_are_columns_of_their_own(participants, tidy):
    left, right = tidy(participants, fa=np.zeros(28)), tidy(participants, fa=np.ones(28)).assign(hemi="R")
    table = wide_table(left._append(right), participants.iloc[::-1])
    assert (table["dwi_fa_cst_L"] == 0).all()
    assert (table["dwi_fa_cst_R"] == 1).all()


def test_two_columns_of_one_name_are_refused(participants, tidy):
    measures = tidy(participants, **{"fa-x": np.zeros(28), "FA_x": np.zeros(28)})
    with pytest.raises(InputError, match="'dwi fa-x cst L' and 'dwi FA_x cst L' would both be"):
        wide_table(measures, participants)


def test_a_measure_twice_is_refused(participants, tidy):
    measures = tidy(participants, fa=np.zeros(28))
    with pytest.raises(InputError, match="sub-02: the measures table has dwi fa cst L twice"):
        wide_table(measures._append(measures.iloc[2:3]), participants)
