"""Participants in any format, and what the tables of measures leave over."""

import datetime
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml

from mndmri.cohort import Study, load_study, read_people
from mndmri.cohort.config import resolve_config
from mndmri.cohort.handover import hand_over, take_over
from mndmri.io import InputError

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
HEADER = ["Subject", "group", "age", "sex", "site", "volume_gm_L", "batch", "born"]
ROWS = [
    ["P-1", "ALS", 61.5, "F", 1, 600.0, 3, "1960"],
    ["P-2", "PLS", "NA", "M", 2, 601.0, None, "1962"],
    ["P-3", "HC", 58, "F", 1, None, 4, "unknown year"],
    ["P-4", "other", 58, "F", 1, 5.0, 4, "n/a"],
]
WIDE = {"participant": "Subject", "modality": "t1w", "wide": {"pattern": "{measure}_{region}_{hemi}"}}


def config(path: Path, **keys):
    raw = {"measures": WIDE | {"file": str(path)}, "site": "site"} | keys
    return resolve_config(raw, SCHEMA)


def workbook(path: Path, header=HEADER, rows=ROWS, first: int = 1) -> Path:
    """Table whose header is in row ``first``."""
    book = openpyxl.Workbook()
    for number, row in enumerate((header, *rows), first):
        for place, cell in enumerate(row, 1):
            book.active.cell(number, place, cell)
    book.save(path)
    return path


def study(path: Path, **keys) -> Study:
    own = config(path, **keys)
    return load_study(own, participants_table=read_people(own))


def test_participants_are_columns_of_the_wide_table(tmp_path):
    found = study(workbook(tmp_path / "lab.xlsx"))
    assert found.problems == ()
    people = found.participants
    assert people["participant_id"].tolist() == ["sub-P-1", "sub-P-2", "sub-P-3"]
    assert people["group"].tolist() == ["ALS", "PLS", "control"]
    assert people["site"].tolist() == ["1", "2", "1"]  # a code, though Excel has a number
    assert people["age"].tolist()[::2] == [61.5, 58] and np.isnan(people["age"][1])
    assert found.listed == ("sub-P-1", "sub-P-2", "sub-P-3", "sub-P-4")


def test_columns_that_nothing_uses_are_kept_as_they_are(tmp_path):
    others = study(workbook(tmp_path / "lab.xlsx")).others
    assert list(others) == ["participant_id", "batch", "born"]
    assert others["batch"].tolist()[::2] == [3, 4] and np.isnan(others["batch"][1])
    assert others["born"].tolist() == ["1960", "1962", "unknown year"]


def test_a_table_of_participants_with_semicolons_and_decimal_commas_is_read(tmp_path):
    lab, people = workbook(tmp_path / "lab.xlsx"), tmp_path / "people.csv"
    rows = ["P-1;ALS;61,5;F;1", "P-2;PLS;60,25;M;2", "P-3;HC;58;F;1"]
    people.write_text("\n".join(["participant_id;group;age;sex;site", *rows]) + "\n")
    found = study(lab, participants=str(people))
    assert found.problems == ()
    assert found.participants["age"].tolist() == [61.5, 60.25, 58]


def test_ids_of_a_table_may_have_hyphens_and_those_of_scans_may_not(tmp_path):
    people = tmp_path / "participants.tsv"
    people.write_text("participant_id\tgroup\tage\tsex\nP-1\tALS\t61\tF\nP/2\tPLS\t60\tM\nP-3\tHC\t58\tF\n")
    by_table = study(workbook(tmp_path / "lab.xlsx"), participants=str(people), site=None)
    told = [problem.message for problem in by_table.problems if "other characters" in problem.message]
    assert len(told) == 1 and "'sub-P/2'" in told[0]
    own = resolve_config({"bids_dir": str(tmp_path)}, SCHEMA)
    of_scans = load_study(own, participants_table=read_people(own))
    assert sum("other characters than letters and digits" in p.message for p in of_scans.problems) == 3


def test_jobs_take_over_what_the_tables_left_over(tmp_path):
    others = pd.DataFrame({"participant_id": ["sub-1", "sub-2"], "ward": ["a", np.nan], "dose": [1.5, np.nan]})
    whole = Study(others[["participant_id"]].assign(group="ALS"), {}, {}, "", listed=("sub-1",), others=others)
    hand_over(whole, {}, tmp_path / "study.json")
    taken = take_over({}, tmp_path / "study.json")
    assert taken is not None and taken.listed == ("sub-1",)
    pd.testing.assert_frame_equal(taken.others, others)


PEOPLE = ["participant_id", "group", "age", "sex", "smoker", "scanned"]
FEW = [
    ["P1", "ALS", 61, "F", True, datetime.datetime(2021, 3, 4)],
    ["P2", "ALS", 60, "M", False, datetime.datetime(2021, 3, 5, 10, 30)],
    ["P3", "HC", 58, "F", True, None],
]


def changed(row: int, column: str, value) -> list[list]:
    rows = [list(own) for own in FEW]
    rows[row][PEOPLE.index(column)] = value
    return rows


def by_workbook(tmp_path, rows=FEW, *, first=1, **keys) -> Study:
    people = workbook(tmp_path / "people.xlsx", PEOPLE, rows, first)
    lab = workbook(tmp_path / "lab.xlsx", ["Subject", "volume_gm_L"], [[own[0], 600.0] for own in rows if own])
    levels = {"levels": {"ALS": ["ALS"], "control": ["HC"]}}
    own = {"participants": str(people), "site": None, "groups": levels, "covariates": ["age", "sex", "smoker"]} | keys
    return study(lab, **own)


def test_logical_values_and_dates_of_excel_are_text_as_they_would_be_typed(tmp_path):
    found = by_workbook(tmp_path)
    assert found.problems == ()
    assert found.participants["smoker"].tolist() == ["TRUE", "FALSE", "TRUE"]
    others = by_workbook(tmp_path, covariates=["age"]).others.set_index("participant_id")
    assert others["scanned"].tolist()[:2] == ["2021-03-04", "2021-03-05 10:30:00"]
    assert pd.isna(others.at["sub-P3", "scanned"])


@pytest.mark.parametrize(
    ("column", "value"), [("smoker", "#REF!"), ("smoker", "=A1"), ("group", "#REF!"), ("age", "=A1")]
)
def test_a_cell_without_a_value_is_refused_where_it_is_used_and_missing_where_it_is_not(tmp_path, column, value):
    told = [problem.message for problem in by_workbook(tmp_path, changed(1, column, value)).problems]
    words = "Excel's error #REF!" if value == "#REF!" else "the formula =A1 without a stored result"
    assert f"participants table, row 3 (sub-P2), column '{column}': found {words}" in told[0]
    unused = by_workbook(tmp_path, changed(1, "scanned", value))
    assert unused.problems == () and pd.isna(unused.others["scanned"][1])


@pytest.mark.parametrize("value", [True, datetime.datetime(2021, 3, 4)])
def test_a_logical_value_or_date_is_no_number(tmp_path, value):
    [told] = [problem.message for problem in by_workbook(tmp_path, changed(0, "age", value)).problems]
    assert "row 2 (sub-P1), column 'age': found" in told and "expected a number" in told


def test_a_problem_names_the_row_in_the_file(tmp_path):
    """The header may be below the first line, and lines may be empty."""
    rows = [FEW[0], [], changed(1, "age", "old")[1], changed(2, "sex", "unknown")[2], [*FEW[2][:2], 999, "F", True]]
    told = "\n".join(problem.message for problem in by_workbook(tmp_path, rows, first=3).problems)
    assert "row 6 (sub-P2), column 'age'" in told
    assert "row 7 (sub-P3), column 'sex'" in told
    assert "'sub-P3' is in rows 7, 8" in told
    assert "row 8 (sub-P3), column 'age'" in told
    people = tmp_path / "participants.tsv"
    people.write_text("participant_id\tgroup\tage\tsex\nP1\tALS\t61\tF\n\nP2\tALSS\told\tM\nP3\tHC\t58\tF\n")
    lab = workbook(tmp_path / "other.xlsx", ["Subject", "volume_gm_L"], [["P1", 1], ["P2", 2], ["P3", 3]])
    told = "\n".join(problem.message for problem in study(lab, participants=str(people), site=None).problems)
    assert "row 4 (sub-P2), column 'group': label 'ALSS'" in told


def test_two_columns_of_participants_are_refused(tmp_path):
    path = workbook(tmp_path / "lab.xlsx", [*HEADER[:-1], "participant_id"])
    with pytest.raises(InputError, match=r"column 'Subject' of participants .* and a column 'participant_id'"):
        study(path)


def test_a_primary_measure_that_the_tables_lack_is_told_by_its_place_in_the_config(tmp_path):
    primary = [{"modality": "t1w", "measure": name, "region": "gm", "hemi": "L"} for name in ("volume", "volumes")]
    lab = workbook(tmp_path / "lab.xlsx")
    told = [problem.message for problem in study(lab, statistics={"primary": primary}).problems]
    assert told == ["statistics.primary[1]: the tables have no 't1w volumes gm L'; did you mean 't1w volume gm L'?"]


def test_nothing_is_said_of_measures_where_the_participants_have_a_problem(tmp_path):
    """Nobody is studied then, and no table has rows: every name would be unknown."""
    primary = [{"modality": "t1w", "measure": "volume", "region": "gm", "hemi": "L"}]
    lab = workbook(tmp_path / "lab.xlsx")
    told = [p.message for p in study(lab, statistics={"primary": primary}, covariates=["age", "size"]).problems]
    assert len(told) == 1 and "no column 'size'" in told[0]


def test_a_direction_of_a_measure_that_the_tables_lack_is_told(tmp_path):
    lab = workbook(tmp_path / "lab.xlsx", [*HEADER[:5], "NAA_hand_L", "NAA_hand_R", "born"])
    mrs = {"measures": WIDE | {"file": str(lab), "modality": "mrs"}}
    assert study(lab, **mrs, higher_is={"mrs NAA": "health", "mrs NAA hand": "health"}).problems == ()
    told = [
        problem.message
        for problem in study(lab, **mrs, higher_is={"mrs NA": "health", "mrs NAA hant": "health"}).problems
    ]
    assert told == [
        "higher_is: the study has no measure 'mrs NA'; did you mean 'mrs NAA'?",
        "higher_is: 'mrs NAA' has no region 'hant'; did you mean 'hand'?",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("t1w volume gm L", None),
        (
            "t1w volume gn L",
            "'t1w volume gn L' is no measure of the tables and no column; did you mean 't1w volume gm L'?",
        ),
        ("t1w volume gm", None),
        ("t1w volume wm", "the tables have t1w volume wm of L, R; name one side too"),
        ("Head size cm", None),
        ("Head size mm", "'Head size mm' is no measure of the tables and no column"),
    ],
)
def test_a_covariate_of_some_measures_is_a_measure_of_the_tables_or_a_column(tmp_path, name, said):
    header = [*HEADER, "volume_wm_L", "volume_wm_R", "Head size cm"]
    path = workbook(tmp_path / "lab.xlsx", header, [[*row, 1.0, 2.0, 55.0] for row in ROWS])
    found = study(path, measure_covariates={"t1w volume": [name]})
    assert [
        problem.message.removeprefix("measure_covariates: 't1w volume': ")[: len(said or "")]
        for problem in found.problems
    ] == ([said] if said else [])
    if name == "Head size cm":
        assert found.participants[name].tolist() == [55.0, 55.0, 55.0]
