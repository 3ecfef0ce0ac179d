"""Which scans are of which visit, and which visit is the baseline."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from mndmri.cohort import settle
from mndmri.cohort.failures import Loss, without
from mndmri.cohort.records import Problem, Scan, Study
from mndmri.cohort.visits import (
    at_baseline,
    borrow_t1w,
    check_visits,
    find_units,
    match_units,
    moved_baselines,
    spread,
    when_seen,
)
from mndmri.io import InputError

PEOPLE = pd.DataFrame({"participant_id": ["sub-1", "sub-2", "sub-3"], "group": ["ALS", "ALS", "control"]})


def scan(*names):
    return {name: Scan(name, {"image": (f"{name}.nii",)}) for name in names}


def study(visits=None, **scans):
    """A study of three people by visit; ``sub_1_01`` is sub-1's ses-01."""
    own = {f"sub-{name[4]}_ses-{name[6:]}": scan(*modalities) for name, modalities in scans.items()}
    rows = pd.DataFrame(visits or [], columns=["participant_id", "session", "months"]).astype({"months": float})
    left_out = {unit: {"dwi": "none"} if "dwi" not in has else {} for unit, has in own.items()}
    return Study(PEOPLE, own, left_out, "bids", visits=rows)


TWO = {
    "sub_1_01": ["t1w", "dwi"],
    "sub_1_02": ["t1w"],
    "sub_2_01": ["t1w"],
    "sub_2_02": ["t1w", "dwi"],
    "sub_3_10": ["t1w"],
    "sub_3_9": ["t1w"],
}
MONTHS = [("sub-1", "ses-01", 0), ("sub-1", "ses-02", 6), ("sub-2", "ses-01", 5), ("sub-2", "ses-02", -1)]


def test_the_baseline_is_the_first_visit_by_months_or_else_by_number():
    first, units = at_baseline(study(MONTHS, **TWO), None)
    assert units == {"sub-1": "sub-1_ses-01", "sub-2": "sub-2_ses-02", "sub-3": "sub-3_ses-9"}
    assert {who: list(own) for who, own in first.scans.items()} == {
        "sub-1": ["t1w", "dwi"],
        "sub-2": ["t1w", "dwi"],
        "sub-3": ["t1w"],
    }
    assert first.left_out == {"sub-1": {}, "sub-2": {}, "sub-3": {"dwi": "none"}}


def test_a_named_baseline_is_everybodys_and_who_was_not_seen_there_lacks_all():
    first, units = at_baseline(study(MONTHS, **TWO), "1")
    assert units["sub-2"] == "sub-2_ses-01" and units["sub-3"] == "sub-3"
    assert first.scans["sub-3"] == {}
    assert first.left_out["sub-3"] == {"dwi": "not seen at the baseline"}


def test_a_visit_that_lost_all_its_scans_is_no_baseline():
    lost = without(study(MONTHS, **TWO), {"sub-1_ses-01": Loss(["t1w", "dwi"], [], {"t1w": ["failed"]})})
    _, units = at_baseline(lost, None)
    assert units["sub-1"] == "sub-1_ses-02"
    before = at_baseline(study(MONTHS, **TWO), None)[1]
    assert moved_baselines(before, units) == ["sub-1: the baseline is ses-02, as all scans of ses-01 failed"]
    assert moved_baselines(before, before) == []


def test_without_visits_a_study_is_its_own_baseline():
    plain = Study(PEOPLE, {who: scan("t1w") for who in PEOPLE["participant_id"]}, {}, "bids")
    same, units = at_baseline(plain, None)
    assert same is plain and units == {who: who for who in PEOPLE["participant_id"]}


def test_a_baseline_that_nobody_has_is_refused():
    with pytest.raises(InputError, match=r"visits.baseline: the scans have no session 'ses-03'; did you mean 'ses-"):
        check_visits(study(MONTHS, **TWO), "ses-03")


def test_what_readers_say_of_people_is_said_of_each_visit():
    said = {"sub-1": {"swi": "motion"}, "sub-9": {"all": "withdrawn"}}
    spread_out = spread(said, ["sub-1_ses-01", "sub-1_ses-02", "sub-2_ses-01"])
    assert spread_out == {"sub-9": said["sub-9"], "sub-1_ses-01": said["sub-1"], "sub-1_ses-02": said["sub-1"]}
    of_one = spread({"sub-1_ses-02": {"dwi": "cut"}} | said, ["sub-1_ses-01", "sub-1_ses-02"])
    assert of_one["sub-1_ses-02"] == {"dwi": "cut", "swi": "motion"} and of_one["sub-1_ses-01"] == {"swi": "motion"}
    first, _ = at_baseline(study(MONTHS, **TWO), None)
    assert first.excluded == {}


def test_a_reader_may_write_a_session_without_its_zeros():
    said = {"sub-1_ses-1": {"dwi": "cut"}, "sub-1_ses-01": {"swi": "motion"}, "sub-1": {"t1w": "x"}, "sub-2_ses-1": {}}
    assert match_units(said, ["sub-1_ses-01", "sub-2_ses-1"]) == {
        "sub-1_ses-01": {"dwi": "cut", "swi": "motion"},
        "sub-1": {"t1w": "x"},
        "sub-2_ses-1": {},
    }


def test_a_bad_scan_of_one_visit_is_left_out_there_alone():
    bad = [Problem("sub-1_ses-02: x.nii: cut short", "sub-1_ses-02", "t1w")]
    settled = settle(study(MONTHS, **TWO), bad, bad_input="leave_out")
    assert settled.scans["sub-1_ses-02"] == {} and set(settled.scans["sub-1_ses-01"]) == {"t1w", "dwi"}
    assert settled.left_out["sub-1_ses-02"]["t1w"] == "x.nii: cut short"


def test_a_study_in_which_no_visit_has_months_is_told_so_and_goes_on():
    for own in (study(**TWO), study([("sub-1", "ses-01", np.nan)], **TWO)):
        assert "sub-2: ses-01 has scans and is not in the visits table" in "\n".join(check_visits(own, None))
        assert at_baseline(own, None)[1]["sub-3"] == "sub-3_ses-9"


def test_a_scanner_that_changes_within_a_person_is_told(tmp_path):
    own = study(MONTHS, **TWO)
    table = own.visits.assign(scanner=["A", "B", "A", "A"])
    notes = check_visits(Study(own.participants, own.scans, own.left_out, "", visits=table), None)
    assert [note for note in notes if "scanner" in note] == [
        "sub-1: the scanner changes between visits (ses-01 A, ses-02 B), which a slope cannot tell from disease"
    ]


def test_a_scanner_is_known_by_the_sidecars_of_its_scans(tmp_path):
    scans = {}
    for session, serial in (("ses-01", "7"), ("ses-02", "8")):
        folder = tmp_path / "sub-1" / session / "anat"
        folder.mkdir(parents=True)
        stem = folder / f"sub-1_{session}_T1w"
        described = {"Manufacturer": "Acme", "DeviceSerialNumber": serial, "EchoTime": 0.003}
        stem.with_suffix(".json").write_text(json.dumps(described))
        scans[f"sub-1_{session}"] = {"t1w": Scan("t1w", {"image": (f"{stem}.nii.gz",)})}
    own = Study(PEOPLE, scans, {unit: {} for unit in scans}, str(tmp_path), visits=study(MONTHS).visits)
    said = "sub-1: the scanner changes between visits (ses-01 Acme 7, ses-02 Acme 8)"
    assert said in "\n".join(check_visits(own, None))
    # the T1w image of ses-01 locates the diffusion series of ses-02
    lent = {"sub-1_ses-02": {"dwi": scans["sub-1_ses-02"]["t1w"], "t1w": scans["sub-1_ses-01"]["t1w"]}}
    own = dataclasses.replace(own, scans=scans | lent, excluded={"sub-1_ses-02": {"t1w": "that of ses-01"}})
    assert said in "\n".join(check_visits(own, None))


def test_a_visit_without_a_t1w_image_is_lent_the_nearest_by_months():
    scans = {f"sub-1_ses-{n}": scan("dwi", *["t1w"] * (n in (1, 3))) for n in (1, 2, 3)} | {"sub-2_ses-1": scan("dwi")}
    table = study([("sub-1", "ses-1", 0), ("sub-1", "ses-2", 10), ("sub-1", "ses-3", 12)]).visits
    lent, reasons = borrow_t1w(scans, table, {})
    assert lent["sub-1_ses-2"]["t1w"] is scans["sub-1_ses-3"]["t1w"] and "t1w" not in lent["sub-2_ses-1"]
    assert "t1w" not in scans["sub-1_ses-2"]
    assert reasons == {"sub-1_ses-2": "no T1w image; that of ses-3 locates the other scans"}
    undated, _ = borrow_t1w(scans, table.iloc[:0], {})
    assert undated["sub-1_ses-2"]["t1w"] is scans["sub-1_ses-1"]["t1w"]
    judged, _ = borrow_t1w(scans, table, {"sub-1_ses-3": {"t1w": "excluded: motion"}})
    assert judged["sub-1_ses-2"]["t1w"] is scans["sub-1_ses-1"]["t1w"]


def test_folders_of_sessions_are_visits_and_one_with_another_name_is_a_problem(tmp_path):
    for name in ("ses-01", "ses-pre", "ses-a_b", "anat"):
        (tmp_path / "sub-1" / name).mkdir(parents=True)
    (tmp_path / "sub-1/ses-note").write_text("a file")
    units, problems = find_units(tmp_path, "sub-1")
    assert units == ["sub-1_ses-01", "sub-1_ses-pre"]
    assert [p.message for p in problems] == ["sub-1: the folder ses-a_b: a session is letters and digits; rename it"]


def test_two_spellings_of_one_session_in_a_person_are_a_problem(tmp_path):
    for name in ("ses-1", "ses-01", "ses-2"):
        (tmp_path / "sub-1" / name).mkdir(parents=True)
    said = [problem.message for problem in find_units(tmp_path, "sub-1")[1]]
    assert said == ["sub-1: the folders ses-01 and ses-1 are one session in two spellings; rename one"]


def sessions(root, **tables):
    for who, text in tables.items():
        who = who.replace("_", "-")
        (root / who).mkdir(exist_ok=True)
        (root / who / f"{who}_sessions.tsv").write_text(text)
    return {"bids_dir": str(root), "visits": {"table": None, "scores": []}}


def seen(config, *units):
    return when_seen(config, units, known=list(PEOPLE["participant_id"]), studied=["sub-1", "sub-2", "sub-3"])


def test_dates_are_those_of_the_datasets_own_tables(tmp_path):
    config = sessions(
        tmp_path,
        sub_1="session_id\tacq_time\talsfrs_r\nses-02\t2021-01-31T09:00:00\t40\nses-01\t2020-01-01\t44\n",
        sub_2="session_id\tacq_time\nses-1\tn/a\n",
    )
    config["visits"]["scores"] = ["alsfrs_r"]
    found = seen(config, "sub-1_ses-01", "sub-2_ses-01")
    assert found.problems == []
    rows = found.table.set_index(["participant_id", "session"])
    assert list(rows.index) == [("sub-1", "ses-01"), ("sub-1", "ses-02"), ("sub-2", "ses-01")]
    assert rows.loc[("sub-1", "ses-02"), "months"] == pytest.approx(396.375 / 30.4375)
    assert list(rows["alsfrs_r"])[:2] == [44, 40] and np.isnan(rows.loc[("sub-2", "ses-01"), "months"])


def test_months_go_to_the_same_persons_session_however_others_write_theirs(tmp_path):
    text = "session_id\tmonths\nses-01\t0\nses-2\t6\n"
    found = seen(
        sessions(tmp_path, sub_1=text, sub_2=text), "sub-1_ses-1", "sub-1_ses-2", "sub-2_ses-01", "sub-2_ses-02"
    )
    pairs = found.table[["participant_id", "session"]].to_numpy().tolist()
    assert pairs == [["sub-1", "ses-1"], ["sub-1", "ses-2"], ["sub-2", "ses-01"], ["sub-2", "ses-02"]]


def test_a_dataset_may_have_no_dates_at_all(tmp_path):
    assert seen(sessions(tmp_path), "sub-1_ses-01").table.empty
    found = seen(sessions(tmp_path, sub_1="session_id\nses-01\n"), "sub-1_ses-01")
    assert found.problems == [] and found.table["months"].isna().all()


def test_a_score_that_no_table_has_is_a_problem(tmp_path):
    config = sessions(tmp_path)
    config["visits"]["scores"] = ["alsfrs_r"]
    assert seen(config).problems == ["visits.scores: no table sub-*_sessions.tsv with the columns alsfrs_r"]
