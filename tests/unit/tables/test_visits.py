"""Visits: their table, sessions and baseline; what is peculiar about them is told, and nothing is lost."""

import datetime
import time

import numpy as np
import openpyxl
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.tables.measures import NOT_MEASURED
from mndmri.tables.visits import (
    VISIT_COLUMNS,
    at_baseline,
    baseline_sessions,
    complete_visits,
    in_order,
    match_sessions,
    read_visits,
    take_visits,
    unknown_baseline,
    visit_notes,
)

PEOPLE = pd.DataFrame({"participant_id": ["sub-01", "sub-02", "sub-03"], "group": ["ALS", "PLS", "control"]})
KNOWN = [*PEOPLE["participant_id"], "sub-99"]  # of whom the last is not studied
FA = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1", "n_voxels": 0, "status": "ok"}


@pytest.fixture
def table(tmp_path):
    """Function from the text of a table of visits to what is read of it."""

    def read(text, **keys):
        path = tmp_path / "visits.csv"
        path.write_text(text)
        return read_visits(path, known=KNOWN, studied=list(PEOPLE["participant_id"]), **keys)

    return read


def measured(*visits) -> pd.DataFrame:
    """Rows of FA of some visits, (participant, session, value)."""
    return pd.DataFrame([{"participant_id": who, "session": label, "value": v} | FA for who, label, v in visits])


REGULAR = (
    "participant_id,session_id,months\n01,ses-01,0\n01,ses-02,6\n02,ses-01,0\n02,ses-02,6\n03,ses-01,0\n03,ses-02,6\n"
)


def everybody(*extra):
    """FA of both regular visits of everybody, and of more."""
    regular = [(who, f"ses-0{n}", 0.5 + n / 100) for who in PEOPLE["participant_id"] for n in (1, 2)]
    return measured(*regular, *extra)


def told(visits, rows, baseline=None) -> list[str]:
    return visit_notes(rows, visits.table, baseline, list(PEOPLE["participant_id"]))


def test_regular_visits_leave_nothing_to_tell(table):
    visits = table(REGULAR)
    assert visits.problems == visits.notes == told(visits, everybody()) == []
    assert visits.table["months"].tolist() == [0, 6] * 3


def test_dates_are_months_since_the_persons_first_visit(table):
    text = "participant_id,session_id,acq_time\n01,1,2024-07-01T12:00:00\n01,2,2024-01-01\n02,1,2024-03-05\n03,1,n/a\n"
    visits = table(text)
    assert visits.problems == []
    first = visits.table.set_index(["participant_id", "session"])["months"]
    assert first["sub-01", "ses-2"] == 0 and first["sub-01", "ses-1"] == pytest.approx(5.996, abs=0.001)
    assert first["sub-02", "ses-1"] == 0 and np.isnan(first["sub-03", "ses-1"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (REGULAR.replace("02,ses-02,6", "02,ses-02,six"), "row 5 (02): months is 'six'; expected a number or n/a"),
        (REGULAR + "03,ses-02,7\n", "sub-03 ses-02 is there twice, rows 7 and 8; keep one row for each visit"),
        (REGULAR + "03,,7\n", "row 8 (03) has no session_id; name the session, or remove the row"),
        (REGULAR.replace("months", "time"), "has no column months (or acq_time)"),
        (
            "participant_id,session_id,acq_time\n01,1,31.5.2024\n02,1,\n03,1,\n",
            "acq_time is '31.5.2024'; expected a date",
        ),
        (
            "participant_id,session_id,acq_time\n01,1,05/06/2024\n02,1,\n03,1,\n",
            "row 2 (01): acq_time is '05/06/2024'; expected a date as 2024-05-31",
        ),
        (REGULAR + ",ses-01,7\n", "row 8 has no participant_id; fill it in or remove the row"),
        (REGULAR + "3,2,7\n", "sub-03 ses-02 is there twice, rows 7 and 8"),
    ],
)
def test_what_is_wrong_with_the_table_is_told(table, text, expected):
    assert expected in "\n".join(table(text).problems)


def test_what_is_wrong_with_others_is_of_no_concern(table):
    visits = table(REGULAR + "99,ses-01,x\n99,ses-01,y\n")
    assert visits.problems == []
    assert set(visits.table["participant_id"]) == set(PEOPLE["participant_id"])


def test_a_person_with_one_visit_is_told(table):
    visits = table(REGULAR.replace("03,ses-02,6\n", ""))
    rows = everybody()
    rows = rows[~((rows["participant_id"] == "sub-03") & (rows["session"] == "ses-02"))]
    assert told(visits, rows) == ["sub-03: one visit with measures; no slope"]


def test_two_visits_on_one_day_and_months_that_run_backwards_are_told(table):
    visits = table(REGULAR.replace("01,ses-02,6", "01,ses-02,0").replace("02,ses-01,0", "02,ses-01,9"))
    found = "\n".join(told(visits, everybody()))
    assert "sub-01: ses-01 and ses-02 are at the same time; both are used" in found
    assert "sub-02: ses-01 is later than ses-02; visits are taken in the order of months" in found


def test_a_visit_without_measures_and_measures_without_a_visit_are_told_and_kept(table):
    visits, rows = table(REGULAR + "01,ses-03,12\n"), everybody(("sub-02", "ses-10", 0.4))
    found = "\n".join(told(visits, rows))
    assert "sub-01: ses-03 is in the visits table and has no measures" in found
    assert "sub-02: ses-10 has measures and is not in the visits table" in found
    every = complete_visits(rows, visits.table, PEOPLE, {})
    assert list(every) == VISIT_COLUMNS
    own = every.set_index(["participant_id", "session"])
    assert own.loc[("sub-01", "ses-03"), "status"] == NOT_MEASURED
    assert own.loc[("sub-02", "ses-10"), "value"] == 0.4 and np.isnan(own.loc[("sub-02", "ses-10"), "months"])
    assert len(every) == 8


def test_a_visit_without_months_is_told(table):
    visits = table(REGULAR.replace("03,ses-02,6", "03,ses-02,n/a"))
    assert "sub-03: ses-02 has no months; it is in no slope" in told(visits, everybody())


def test_the_baseline_is_the_first_by_months_that_has_measures(table):
    visits = table(REGULAR.replace("02,ses-01,0", "02,ses-01,9"))
    rows = everybody()
    rows = rows[~((rows["participant_id"] == "sub-03") & (rows["session"] == "ses-01"))]
    sessions = baseline_sessions(rows, visits.table)
    assert sessions == {"sub-01": "ses-01", "sub-02": "ses-02", "sub-03": "ses-02"}
    assert "sub-03: the baseline is ses-02, the first with measures, not ses-01" in told(visits, rows)
    assert at_baseline(rows, sessions)["value"].tolist() == [0.51, 0.52, 0.52]


def test_a_named_baseline_is_that_of_everybody_who_has_it(table):
    visits, rows = table(REGULAR), everybody()
    rows = rows[~((rows["participant_id"] == "sub-03") & (rows["session"] == "ses-02"))]
    assert baseline_sessions(rows, visits.table, "02") == {"sub-01": "ses-02", "sub-02": "ses-02"}
    assert "sub-03: no measures at the baseline" in told(visits, rows, "02")
    assert unknown_baseline(rows, "ses-02") == []
    assert "no session 'ses-2x'; did you mean 'ses-02'" in unknown_baseline(rows, "ses-2x")[0]


def test_sessions_that_lost_their_zeros_are_matched(table):
    rows = match_sessions(measured(("sub-01", "ses-1", 0.5), ("sub-01", "ses-7", 0.4)), table(REGULAR).table)
    assert rows["session"].tolist() == ["ses-01", "ses-7"]


def test_a_session_is_matched_with_that_of_the_same_person():
    visits = pd.DataFrame([("sub-01", "ses-1"), ("sub-02", "ses-01")], columns=["participant_id", "session"])
    rows = measured(("sub-01", "ses-001", 0.5), ("sub-02", "ses-1", 0.4), ("sub-03", "ses-1", 0.3))
    assert match_sessions(rows, visits)["session"].tolist() == ["ses-1", "ses-01", "ses-01"]


def test_visits_of_a_person_are_in_the_order_of_months_and_people_in_theirs(table):
    visits = table(REGULAR.replace("01,ses-01,0", "01,ses-01,9")).table
    units = ["sub-02_ses-10", "sub-02_ses-2", "sub-02_ses-02", "sub-04", "sub-01_ses-01", "sub-01_ses-02"]
    assert list(in_order(dict.fromkeys(units), visits)) == [
        "sub-02_ses-02",
        "sub-02_ses-2",
        "sub-02_ses-10",
        "sub-04",
        "sub-01_ses-02",
        "sub-01_ses-01",
    ]


def test_what_readers_exclude_at_one_visit_is_kept_at_the_others(table):
    every = complete_visits(everybody(), table(REGULAR).table, PEOPLE, {"sub-01_ses-02": {"dwi": "moved"}})
    lacking = every[every["value"].isna()]
    assert lacking[["participant_id", "session", "status"]].to_numpy().tolist() == [["sub-01", "ses-02", "moved"]]


def test_later_sessions_are_in_the_order_of_their_numbers(table):
    lines = [f"01,ses-{n},n/a" for n in (10, 2, 1)]
    visits = table("participant_id,session_id,months\n" + "\n".join([*lines, "02,ses-1,0", "03,ses-1,0"]) + "\n")
    assert visits.table["session"].tolist()[:3] == ["ses-1", "ses-2", "ses-10"]


def test_scores_are_measures_of_the_visits_and_readers_exclusions_hold_for_all(table):
    text = REGULAR.replace("months", "months,alsfrs_r").replace(",0\n", ",0,44\n").replace(",6\n", ",6,n/a\n")
    visits = table(text, scores=["alsfrs_r"])
    every = complete_visits(everybody(), visits.table, PEOPLE, {"sub-01": {"dwi": "moved"}}, scores=["alsfrs_r"])
    score = every[every["measure"] == "alsfrs_r"]
    assert (score["modality"] == "clinical").all() and score["value"].notna().tolist() == [True, False] * 3
    assert every[(every["participant_id"] == "sub-01") & (every["measure"] == "fa")]["value"].isna().all()


def test_dates_of_a_workbook_are_those_of_text_and_of_no_time_zone(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")  # of which the clocks were changed between the two
    time.tzset()
    path, book = tmp_path / "visits.xlsx", openpyxl.Workbook()
    first, second = datetime.datetime(2024, 1, 5), datetime.datetime(2024, 7, 5, 12)
    for line in (
        ["participant_id", "session_id", "acq_time"],
        ["01", 1, first],
        ["01", second, second],
        ["02", 1, "n/a"],
    ):
        book.active.append(line)
    book.save(path)
    visits = read_visits(path, known=KNOWN, studied=KNOWN[:2])
    assert visits.problems == [] and visits.table["session"][1] == "ses-2024-07-05 12:00:00"
    monkeypatch.undo()
    time.tzset()
    assert visits.table["months"].tolist()[:2] == [0, pytest.approx(182.5 / (365.25 / 12), rel=1e-12)]


def test_dates_before_the_clocks_of_computers_are_dates(table):
    """BIDS moves dates into the past to hide them."""
    visits = table("participant_id,session_id,acq_time\n01,1,1880-01-01\n01,2,1880-01-31\n02,1,0001-01-01\n03,1,\n")
    assert visits.problems == [] and visits.table["months"].iloc[1] == pytest.approx(30 / (365.25 / 12))


def test_rows_without_values_are_no_visit(table):
    """As those of blank cells of a wide table, or of a run whose scans of somebody were excluded."""
    visits = table(REGULAR.replace("03,ses-02,6\n", ""))
    rows = everybody()
    who, session = rows["participant_id"], rows["session"]
    rows.loc[((who == "sub-02") & (session == "ses-01")) | ((who == "sub-03") & (session == "ses-02")), "value"] = (
        np.nan
    )
    assert baseline_sessions(rows, visits.table) == {"sub-01": "ses-01", "sub-02": "ses-02", "sub-03": "ses-01"}
    found = told(visits, rows)
    assert "sub-02: the baseline is ses-02, the first with measures, not ses-01" in found
    assert "sub-02: ses-01 is in the visits table and has no measures" in found
    assert "sub-02, sub-03: one visit with measures; no slope" in found and len(found) == 3
    assert "sub-03: no measures at the baseline" in told(visits, rows, "ses-02")
    rows["value"] = np.nan
    assert set(baseline_sessions(rows, visits.table).values()) == {"ses-01"}


def test_a_first_visit_without_months_that_is_not_the_baseline_is_told(table):
    visits = table(REGULAR.replace("02,ses-01,0", "02,ses-01,n/a").replace("03,ses-02,6", "03,ses-02,"))
    found = told(visits, everybody())
    assert "sub-02: the baseline is ses-02, the first with months, not ses-01" in found
    assert not any("sub-03: the baseline" in text for text in found)


def test_days_in_the_place_of_months_are_told(table):
    assert any("not days" in text for text in told(table(REGULAR.replace(",6", ",182")), everybody()))


def test_two_spellings_of_a_session_are_one(table):
    visits = table(REGULAR.replace("02,ses-02", "02,2").replace("03,ses-02", "03,ses-2"))
    assert visits.problems == [] and set(visits.table["session"]) == {"ses-01", "ses-02"}
    assert told(visits, match_sessions(everybody().replace({"session": {"ses-02": "ses-2"}}), visits.table)) == []


def test_a_value_that_two_spellings_of_a_session_have_is_refused(tmp_path):
    (tmp_path / "visits.csv").write_text(REGULAR)
    rows = everybody(("sub-02", "ses-2", 0.4)).assign(file="fa.tsv", line=range(2, 9))
    chosen = {"table": tmp_path / "visits.csv", "scores": [], "baseline": None}
    with pytest.raises(
        InputError, match=r"sub-02 ses-02: dwi fa cst L is there twice, fa\.tsv row 5 and fa\.tsv row 8"
    ):
        take_visits(rows, chosen, known=KNOWN, studied=KNOWN[:3])
    score = {"modality": "clinical", "measure": "alsfrs_r"}
    rows = everybody().assign(file="fa.tsv", line=range(2, 8), **score)
    (tmp_path / "visits.csv").write_text("participant_id,session_id,months,alsfrs_r\n01,1,0,4\n02,1,0,4\n03,1,0,4\n")
    with pytest.raises(
        InputError, match=r"clinical alsfrs_r: in the tables of measures and in visits\.scores; remove it"
    ):
        take_visits(rows, chosen | {"scores": ["alsfrs_r"]}, known=KNOWN, studied=KNOWN[:3])


def test_a_score_whose_name_no_measure_may_have_is_refused(table):
    text = REGULAR.replace("months", "months,ALSFRS/R").replace(",0\n", ",0,44\n").replace(",6\n", ",6,40\n")
    [problem] = table(text, scores=["ALSFRS/R"]).problems
    assert "visits.scores: the measure 'ALSFRS/R'" in problem and "write another name" in problem
