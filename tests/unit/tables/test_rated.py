"""Ratings of several raters: one table, the later of two, and what is wrong with a file."""

import pandas as pd
import pytest

from mndmri.tables.dictionaries import column_names
from mndmri.tables.rated import RATING_COLUMNS, collect_ratings, ratings_dictionary
from mndmri.tables.readings import Source

CASES = {"123456": "sub-01", "234567": "sub-02"}
COLUMNS = ["case", "rater", "region", "hemi", "rating", "date"]
AREAS = [(area, hemi) for area in ("leg", "hand", "face") for hemi in "LR"]


def table(*rows, columns=COLUMNS):
    return pd.DataFrame([dict(zip(columns, row, strict=True)) for row in rows], dtype=str)


def complete(case="123456", rater="AB", ratings="012012", date=""):
    return table(*([case, rater, *place, value, date] for place, value in zip(AREAS, ratings, strict=True)))


def collected(*tables):
    sources = [Source(f"{n}.tsv", own, CASES) for n, own in enumerate(tables)]
    return collect_ratings(sources, studied=["sub-01", "sub-02"], listed=["sub-01", "sub-02", "sub-99"])


def test_ratings_of_two_raters_are_one_table_of_participants():
    found = collected(complete(), complete(case="234567", rater="CD"))
    assert list(found.table) == RATING_COLUMNS == column_names(ratings_dictionary())
    assert found.table.groupby("rater")["participant_id"].unique().map(list).to_dict() == {
        "AB": ["sub-01"],
        "CD": ["sub-02"],
    }
    assert found.table["rating"].tolist() == [0, 1, 2, 0, 1, 2] * 2
    assert found.notes == ["ratings of AB: 1 participant", "ratings of CD: 1 participant"]


def test_area_that_cannot_be_judged_is_a_row_without_a_rating_and_one_not_rated_is_no_row():
    found = collected(table(["123456", "AB", "leg", "L", "n/a", ""], ["123456", "AB", "leg", "R", "2", ""]))
    assert found.table["rating"].isna().tolist() == [True, False]
    assert found.notes == ["ratings of AB: 1 participant, 1 of them not complete"]


def test_later_ratings_replace_earlier_ones_place_by_place():
    first = complete(ratings="000000", date="2026-01-01T00:00:00Z")
    second = table(["123456", "AB", "hand", "R", "2", "2026-01-02T00:00:00Z"])
    for order in ((first, second), (second, first)):
        found = collected(*order)
        assert found.table["rating"].sum() == 2 and len(found.table) == 6
        assert "1 rating of AB replaced by later ones" in found.notes


def test_a_file_read_twice_changes_nothing():
    assert collected(complete(), complete()).table.equals(collected(complete()).table)


def test_participants_can_stand_for_cases_with_or_without_their_prefix():
    own = complete().assign(participant_id="02").drop(columns="case")
    assert set(collected(own).table["participant_id"]) == {"sub-02"}


def test_regions_may_be_named_as_the_measures_are():
    own = complete()
    assert collected(own.assign(region="precentral_" + own["region"])).table.equals(collected(own).table)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["123456", "AB", "leg", "L", "3", ""], "row 2: rating '3'; expected 0, 1, 2 or n/a"),
        (["123456", "AB", "arm", "L", "1", ""], "row 2: region 'arm'; expected leg, hand, face"),
        (["123456", "AB", "leg", "left", "1", ""], "row 2: hemi 'left'; expected L or R"),
        (["111111", "AB", "leg", "L", "1", ""], "case 111111 is in no reader_key.tsv"),
        (["123456", "", "leg", "L", "1", ""], "row 2: the rater is missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(row, said):
    found = collected(table(row))
    assert any(said in problem for problem in found.problems)
    assert found.table.empty


def test_two_answers_without_a_date_are_a_problem_and_say_where():
    found = collected(complete(ratings="000000"), complete(ratings="000001"))
    assert found.problems == [
        "rating sub-01 AB face R: two answers of one date (0.tsv, row 7: 0; 1.tsv, row 7: 1); keep one"
    ]


def test_ratings_of_two_sessions_of_a_person_are_refused():
    own = complete().assign(session=["1"] * 3 + ["2"] * 3)
    assert "several sessions of sub-01" in collected(own).problems[0]


def test_no_file_is_an_empty_table():
    assert list(collected().table) == RATING_COLUMNS and collected().table.empty
