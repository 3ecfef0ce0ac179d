"""Participants in any format, and what the tables of measures leave over."""

from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import yaml

from mndmri.cohort import Study, load_study, read_people
from mndmri.cohort.config import resolve_config
from mndmri.cohort.handover import hand_over, take_over

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


def workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    for row in (HEADER, *ROWS):
        book.active.append(row)
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
