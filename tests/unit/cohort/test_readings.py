"""Files of ratings and decisions: found in files, lists and folders, and mapped by the key beside them."""

import pandas as pd
import pytest

from mndmri.cohort.folders import expand_home
from mndmri.cohort.handover import hand_over, take_over
from mndmri.cohort.readings import find_readings, key_files, load_readings
from mndmri.cohort.records import Study
from mndmri.tables.decisions import collect_decisions
from mndmri.tables.rated import collect_ratings

CASES = {"sub-01": 123456, "sub-02": 234567}
PEOPLE = list(CASES)


def write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, sep="\t", index=False)
    return str(path)


def ratings(path, case=123456, rater="AB", rating=1):
    return write(path, case=[case], rater=[rater], region=["leg"], hemi=["L"], rating=[rating])


def decisions(path, who="sub-01", modality="swi", reason="motion", rater="AB"):
    columns = {"participant_id": who, "modality": modality, "decision": "exclude", "reason": reason, "rater": rater}
    return write(path, **{name: [value] for name, value in columns.items()})


def rated(given):
    read = load_readings(given, "ratings", CASES)
    found = collect_ratings(read.sources, studied=PEOPLE, listed=PEOPLE)
    return found._replace(problems=[*read.problems, *found.problems])


def decided(given):
    read = load_readings(given, "decisions", CASES)
    found = collect_decisions(read.sources, studied=PEOPLE, listed=PEOPLE)
    return found._replace(problems=[*read.problems, *found.problems])


def test_file_list_and_folder_are_read_alike(tmp_path):
    paths = [ratings(tmp_path / "in/AB/ratings.tsv"), ratings(tmp_path / "in/CD/ratings (1).tsv", rater="CD")]
    decisions(tmp_path / "in/AB/decisions.tsv")
    folder = rated(str(tmp_path / "in"))
    assert folder.table.equals(rated(paths).table)
    assert folder.table["rater"].tolist() == ["AB", "CD"]
    assert rated(paths[0]).table["rater"].tolist() == ["AB"]
    assert decided(str(tmp_path / "in")).excluded == {"sub-01": {"swi": "excluded by reader: motion (AB)"}}


def test_nothing_given_is_nothing_found():
    assert find_readings(None, "ratings") == ([], [])
    assert rated(None).table.empty and decided(None).excluded == {}


def test_paths_that_are_not_there_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    found = rated([str(tmp_path / "no.tsv"), str(tmp_path / "empty")])
    assert [problem.split(";")[0] for problem in found.problems] == [
        f"ratings: no such file or folder {tmp_path / 'no.tsv'}",
        f"ratings: no table *ratings*.tsv in the folder {tmp_path / 'empty'}",
    ]


def test_file_that_cannot_be_read_is_a_problem_and_the_others_are_checked_too(tmp_path):
    (tmp_path / "ratings.tsv").write_text("a,b\n1,2\n")
    found = rated([str(tmp_path / "ratings.tsv"), ratings(tmp_path / "CD.tsv", case=999999)])
    assert "separated by commas" in found.problems[0]
    assert "case 999999 is in no reader_key.tsv" in found.problems[1]


def test_key_beside_a_table_is_used_before_the_studys_own(tmp_path):
    path = ratings(tmp_path / "ratings.tsv", case=123456)
    assert rated(path).table["participant_id"].tolist() == ["sub-01"]
    key = write(tmp_path / "reader_key.tsv", case=[123456], participant_id=["sub-02"], session=["n/a"])
    assert rated(path).table["participant_id"].tolist() == ["sub-02"]
    assert key_files([path]) == [key]
    write(tmp_path / "reader_key.tsv", number=[123456])
    assert "no column case, participant_id" in rated(path).problems[0]


def test_paths_in_a_list_may_begin_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/reader")
    schema = {"properties": {"ratings": {"format": "path"}}}
    assert expand_home({"ratings": ["~/a.tsv", "b.tsv"]}, schema) == {"ratings": ["/home/reader/a.tsv", "b.tsv"]}


def test_decisions_reach_the_jobs_of_a_run(tmp_path):
    participants = pd.DataFrame({"participant_id": PEOPLE, "group": ["ALS", "control"]})
    found = decided(decisions(tmp_path / "decisions.tsv"))
    rows = tuple(found.table.astype(object).where(found.table.notna(), "").to_dict("records"))
    study = Study(participants, {}, {}, "", cases=CASES, excluded=found.excluded, decisions=rows, rated=["ratings.tsv"])
    hand_over(study, {}, tmp_path / "study.json")
    taken = take_over({}, tmp_path / "study.json")
    assert taken is not None
    assert (taken.cases, taken.excluded, taken.decisions) == (CASES, found.excluded, rows)
    assert list(taken.rated) == ["ratings.tsv"]


@pytest.mark.parametrize("kind", ["ratings", "decisions"])
def test_hidden_files_are_not_read(tmp_path, kind):
    (tmp_path / f"._{kind}.tsv").write_bytes(b"\x00\x05\x16\x07")
    write(tmp_path / f"{kind}.tsv", a=[1])
    assert find_readings(str(tmp_path), kind) == ([str(tmp_path / f"{kind}.tsv")], [])
