"""Decisions of readers: whose count, what they exclude, and what a half-filled file is told."""

import pandas as pd
import pytest

from mndmri.tables.decisions import (
    by_readers,
    collect_decisions,
    count_excluded,
    decision_lines,
    decisions_on,
    drop_excluded,
    leave_out,
    of_scans,
)
from mndmri.tables.readings import Source

CASES = {"123456": "sub-01", "234567": "sub-02"}
STUDIED, LISTED = ["sub-01", "sub-02", "sub-03"], ["sub-01", "sub-02", "sub-03", "sub-99"]
COLUMNS = ["participant_id", "modality", "decision", "reason", "rater", "date"]


def table(*rows, columns=COLUMNS):
    return pd.DataFrame([dict(zip(columns, row, strict=True)) for row in rows], dtype=str)


def decided(*tables, **options):
    sources = [Source(f"{n}.tsv", own, CASES) for n, own in enumerate(tables)]
    return collect_decisions(sources, **({"studied": STUDIED, "listed": LISTED} | options))


def test_a_scan_is_excluded_by_its_modality_alone_with_reason_rater_and_date():
    found = decided(table(["sub-01", "swi", "exclude", "motion", "AB", "2026-11-29T10:00:00Z"]))
    assert found.excluded == {"sub-01": {"swi": "excluded by reader: motion (AB, 2026-11-29)"}}
    assert (found.problems, found.notes) == ([], [])


def test_what_is_kept_is_not_excluded_and_what_is_not_decided_is_nothing():
    found = decided(table(["sub-01", "swi", "keep", "n/a", "AB", ""], ["sub-02", "swi", "n/a", "", "AB", ""]))
    assert found.excluded == {}
    assert found.table["decision"].tolist() == ["keep"]


def test_cases_are_mapped_by_the_key():
    own = table(["123456", "qsm", "exclude", "streaks", "AB", ""], columns=["case", *COLUMNS[1:]])
    assert decided(own).excluded == {"sub-01": {"qsm": "excluded by reader: streaks (AB)"}}


def test_unknown_cases_and_people_are_named_with_the_way_out():
    case = table(["999999", "swi", "keep", "", "AB", ""], columns=["case", *COLUMNS[1:]])
    assert "case 999999 is in no reader_key.tsv" in decided(case).problems[0]
    person = table(["sub-77", "swi", "keep", "", "AB", ""])
    assert decided(person).problems == ["0.tsv: participant_id 'sub-77' is not in the participants table; correct it"]


def test_people_who_are_listed_and_not_studied_are_noted():
    found = decided(table(["sub-99", "swi", "exclude", "motion", "AB", ""]))
    assert found.excluded == {} and found.problems == []
    assert found.notes == ["0.tsv: rows of sub-99 are not used: not in the study"]


def test_without_t1w_nothing_is_left_and_the_reason_is_told():
    found = decided(table(["sub-01", "t1w", "exclude", "artefact", "AB", ""]))
    assert found.excluded["sub-01"]["dwi"] == "the T1w image is excluded by reader: artefact (AB)"
    assert count_excluded(found.excluded) == {"t1w": 1}


def test_a_map_of_the_study_is_decided_on_as_a_modality_and_falls_with_the_t1w_image():
    own = table(["sub-01", "mtr", "exclude", "motion", "AB", ""], ["sub-02", "t1w", "exclude", "artefact", "AB", ""])
    found = decided(own, maps=["mtr"])
    assert found.excluded["sub-01"] == {"mtr": "excluded by reader: motion (AB)"}
    assert found.excluded["sub-02"]["mtr"] == "the T1w image is excluded by reader: artefact (AB)"
    assert "modality 'mtr'; expected one of t1w, " in decided(own).problems[0]


def test_rows_of_an_excluded_modality_are_dropped_and_those_of_others_stay():
    strip = pd.DataFrame({"modality": ["swi", "swi", "qsm"], "value": [1.0, 2.0, 3.0]})
    left = drop_excluded({"sub-01": strip, "sub-02": strip}, {"sub-01": {"swi": "excluded by reader: motion (AB)"}})
    assert left["sub-01"]["value"].tolist() == [3.0]
    pd.testing.assert_frame_equal(left["sub-02"], strip)


def test_raters_who_disagree_are_told_of_and_the_consensus_decides():
    both = [
        table(["sub-01", "swi", "exclude", "motion", "AB", ""]),
        table(["sub-01", "swi", "keep", "", "CD", ""]),
    ]
    found = decided(*both)
    assert "swi" in found.excluded["sub-01"]
    assert "raters disagree on swi of sub-01: CD keep it, motion (AB) exclude it" in found.notes[0]
    settled = decided(*both, table(["sub-01", "swi", "keep", "", "consensus", ""]))
    assert settled.excluded == {} and settled.notes == []


def test_later_decision_of_a_rater_counts_whatever_the_order_of_files():
    rows = [
        table(["sub-01", "swi", "exclude", "motion", "AB", "2026-01-01T00:00:00Z"]),
        table(["sub-01", "swi", "keep", "", "AB", "2026-02-01T00:00:00Z"]),
    ]
    for order in (rows, rows[::-1]):
        found = decided(*order)
        assert found.excluded == {}
        assert found.notes == ["1 decision of AB replaced by later ones"]


def test_a_date_in_another_form_is_refused_because_it_would_count_as_the_oldest():
    earlier = table(["sub-01", "swi", "exclude", "motion", "AB", "2026-01-01"])
    later = table(
        ["sub-01", "swi", "keep", "", "AB", "01.02.2026"],
        ["sub-02", "swi", "keep", "", "AB", "01.02.2026"],
        ["sub-03", "swi", "keep", "", "AB", "n/a"],
    )
    found = decided(earlier, later)
    assert found.problems == [
        "1.tsv, row 2, 3: date '01.02.2026' is not as 2026-11-29 or 2026-11-29T10:00; write it so"
    ]


@pytest.mark.parametrize(
    "date", ["2026-02-01", "2026-02-01T10:00", "2026-02-01T10:00:00Z", "2026-02-01 10:00:00+01:00"]
)
def test_a_date_with_or_without_a_time_counts(date):
    earlier = table(["sub-01", "swi", "exclude", "motion", "AB", "2026-01-01T10:00:00Z"])
    assert decided(earlier, table(["sub-01", "swi", "keep", "", "AB", date])).excluded == {}


def test_same_row_twice_is_one_and_two_answers_of_one_date_are_a_problem():
    row = ["sub-01", "swi", "exclude", "motion", "AB", "2026-01-01"]
    assert len(decided(table(row), table(row)).table) == 1
    other = ["sub-01", "swi", "keep", "", "AB", "2026-01-01"]
    assert "two answers of one date" in decided(table(row), table(other)).problems[0]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["sub-01", "swi", "exclude", "", "AB", ""], "row 2: excludes swi of sub-01 without a reason"),
        (["sub-01", "swi", "maybe", "x", "AB", ""], "row 2: decision 'maybe'; expected keep, exclude or n/a"),
        (["sub-01", "mri", "keep", "", "AB", ""], "row 2: modality 'mri'; expected one of t1w, dwi"),
        (["sub-01", "swi", "keep", "", "", ""], "row 2: the rater is missing"),
    ],
)
def test_half_filled_rows_are_named(row, said):
    assert said in decided(table(row)).problems[0]


def test_file_of_another_kind_is_refused():
    assert "no column participant_id (or case), modality" in decided(pd.DataFrame({"a": ["1"]})).problems[0]


def test_measures_of_an_excluded_modality_are_missing_with_the_reason_and_others_are_as_they_were():
    rows = pd.DataFrame(
        {"modality": ["swi", "dwi"], "measure": ["x", "fa"], "value": [1.0, 0.5], "n_voxels": [9, 8], "status": "ok"}
    )
    left = leave_out(rows, {"swi": "excluded by reader: motion (AB)"})
    assert left["value"].isna().tolist() == [True, False]
    assert left["status"].tolist() == ["excluded by reader: motion (AB)", "ok"]
    assert left["n_voxels"].tolist() == [0, 8]
    assert leave_out(rows, {}).equals(rows)
    assert rows["value"].notna().all()


def test_people_and_scans_are_counted_once():
    excluded = {"sub-01": {"all": "a", "swi": "b"}, "sub-02": {"swi": "c", "qsm": "d"}}
    assert count_excluded(excluded) == {"all": 1, "swi": 1, "qsm": 1}


def test_lines_for_pages_hold_modality_decision_reason_rater_and_date():
    found = decided(table(["sub-01", "swi", "exclude", "motion", "AB", "2026-11-29T10:00:00Z"]))
    rows = found.table.astype(object).where(found.table.notna(), "").to_dict("records")
    assert decision_lines(rows) == {"sub-01": ["swi: exclude, motion (AB, 2026-11-29)"]}


def test_what_is_excluded_is_of_the_scans_that_there_are():
    """Without a T1w image all is excluded, also what the person never had; everybody's reason stays."""
    gone = {"t1w": "motion", "dwi": "no T1w", "swi": "no T1w"}
    excluded = {"sub-01": gone, "sub-02": {"swi": "motion"}, "sub-03": {"all": "stroke"}}
    scans = {"sub-01": ["t1w", "swi"], "sub-02": ["t1w"]}
    assert of_scans(excluded, scans) == {"sub-01": {"t1w": "motion", "swi": "no T1w"}, "sub-03": {"all": "stroke"}}
    assert of_scans(excluded, {}) == excluded


OF_SESSIONS = ["participant_id", "session", *COLUMNS[1:]]


def test_a_decision_with_a_session_is_of_that_visit_where_visits_are_measured():
    rows = table(
        ["sub-01", "02", "swi", "exclude", "motion", "AB", ""],
        ["sub-01", "ses-01", "swi", "keep", "", "AB", ""],
        ["sub-01", "", "dwi", "exclude", "cut", "AB", ""],
        ["sub-02", "ses-01", "all", "exclude", "cyst", "AB", ""],
        columns=OF_SESSIONS,
    )
    found = decided(rows, visits=True)
    assert found.problems == []
    assert found.excluded["sub-01_ses-02"] == {"swi": "excluded by reader: motion (AB)"}
    assert found.excluded["sub-01"] == {"dwi": "excluded by reader: cut (AB)"}
    # a visit as a whole is not the participant as a whole
    assert "all" not in found.excluded["sub-02_ses-01"]
    assert set(found.excluded["sub-02_ses-01"]) >= {"t1w", "dwi", "swi"} and "sub-02" not in found.excluded
    [refused] = decided(rows).problems
    assert "rows of several sessions of sub-01" in refused


def test_decisions_on_a_visit_are_its_own_and_those_of_the_person():
    said = [{"participant_id": "sub-01", "session": label} for label in ("ses-01", "02", None)]
    said.append({"participant_id": "sub-02", "session": None})
    assert decisions_on(said, "sub-01_ses-02") == said[1:3]
    assert decisions_on(said, "sub-01_ses-002") == said[1:3]  # a session is the same with other zeros
    assert decisions_on(said, "sub-01") == said[:3]


def test_what_is_not_counted_for_another_reason_is_not_by_readers():
    excluded = {"sub-01": {"t1w": "no T1w image; that of ses-02 locates the other scans"}}
    excluded["sub-02"] = {"swi": "excluded by reader: motion (AB)", "t1w": "no T1w image"}
    assert by_readers(excluded) == {"sub-02": {"swi": "excluded by reader: motion (AB)"}}
