"""The last screen tells who is done, who lacks what and why, and whom to look at."""

import dataclasses

import pandas as pd
import pytest

from mndmri.cohort.failures import Loss, without
from mndmri.cohort.last_look import last_look, log_of
from mndmri.cohort.records import Scan, Study

PEOPLE = ("sub-01", "sub-02", "sub-03", "sub-04")


@pytest.fixture
def study() -> Study:
    """Four people with T1w and diffusion, one of them without the latter; nobody has phase."""
    scans = {who: {m: Scan(m, {"image": (f"{who}_{m}.nii.gz",)}) for m in ("t1w", "dwi")} for who in PEOPLE}
    del scans["sub-02"]["dwi"]
    left_out = {who: {"qsm": "no phase"} for who in PEOPLE}
    left_out["sub-02"]["dwi"] = "no file in the dataset"
    people = pd.DataFrame({"participant_id": PEOPLE, "group": "ALS"})
    return Study(people, scans, left_out, "bids")


def said(study, tmp_path, losses=None, **options) -> list[str]:
    losses = losses or {}
    return last_look(without(study, losses), losses, tmp_path, ["t1w", "dwi", "qsm"], logs=tmp_path / "logs", **options)


def test_who_is_complete_is_judged_by_the_modalities_that_anybody_has(study, tmp_path):
    assert said(study, tmp_path) == [
        "Done: 3 of 4 participants with t1w, dwi",
        "Without: dwi of sub-02 (no file in the dataset)",
    ]


def test_failures_are_named_with_the_job_and_the_reason_after_what_was_never_there(study, tmp_path):
    (tmp_path / "logs/fit_tensor").mkdir(parents=True)
    (tmp_path / "logs/fit_tensor/sub-03.log").touch()
    losses = {
        "sub-03": Loss(["dwi"], [], {"dwi": ["fit_tensor failed: no b = 0 volume"]}),
        "sub-04": Loss([], ["x"], {"tracking": ["track_cst failed: told to"]}),
    }
    assert said(study, tmp_path, losses)[:-1] == [
        "Done: 1 of 4 participants with t1w, dwi",
        "Without: dwi of sub-02 (no file in the dataset)",
        f"Failed: dwi of sub-03 (fit_tensor failed: no b = 0 volume); log: {tmp_path}/logs/fit_tensor/sub-03.log",
        f"Failed: tracking of sub-04 (track_cst failed: told to); log: {tmp_path}/logs/track_cst",
    ]


def test_what_is_made_of_all_visits_of_a_person_is_no_visit_and_takes_no_scan_along(study, tmp_path):
    visits = {f"{who}_ses-01": own for who, own in study.scans.items()}
    left_out = {f"{who}_ses-01": own for who, own in study.left_out.items()}
    table = pd.DataFrame(columns=["participant_id", "session", "months"])
    of_visits = dataclasses.replace(study, scans=visits, left_out=left_out, visits=table)
    losses = {"sub-03": Loss([], ["x"], {"within": ["align_visits failed: told to"]})}
    assert said(of_visits, tmp_path, losses) == [
        "Done: 3 of 4 visits with t1w, dwi",
        "Without: dwi of sub-02_ses-01 (no file in the dataset)",
        f"Failed: within of sub-03 (align_visits failed: told to); log: {tmp_path}/logs/align_visits",
    ]
    assert set(without(of_visits, losses).scans) == set(visits)


def test_the_log_is_the_failed_jobs_own_and_not_of_another_map_or_of_a_longer_name(tmp_path):
    for name in ("measure_map/sub-1_flair.log", "measure_map/sub-1_t1w.log", "fit_tensor/sub-10.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert log_of("measure_map flair failed: told to", ["sub-1"], tmp_path) == tmp_path / "measure_map/sub-1_flair.log"
    assert log_of("fit_tensor failed: told to", ["sub-1"], tmp_path) == tmp_path / "fit_tensor"
    assert log_of("measure_map flair failed: told to", ["sub-1", "sub-2"], tmp_path) == tmp_path / "measure_map"


def test_a_failed_job_of_the_whole_study_is_told_with_its_log_also_without_scans(study, tmp_path):
    failed = [{"job": "compare_groups", "reason": "one group", "log": "results/logs/compare_groups/study.log"}]
    line = "Failed: compare_groups (one group); log: results/logs/compare_groups/study.log"
    assert line in said(study, tmp_path, failed=failed)
    assert said(dataclasses.replace(study, scans={}), tmp_path, failed=failed) == [line]


def test_flags_are_counted_by_participant(study, tmp_path):
    (tmp_path / "qc").mkdir()
    rows = [("sub-03", "yes"), ("sub-03", "yes"), ("sub-01", "no"), ("sub-02", "yes"), ("sub-04", None)]
    table = pd.DataFrame(rows, columns=["participant_id", "flag"]).assign(modality="dwi", measure="mean_fd")
    table.loc[1, "measure"] = "fa"
    table.to_csv(tmp_path / "qc/qc.tsv", sep="\t", index=False, na_rep="n/a")
    lines = said(study, tmp_path)
    first = lines.index("Flagged: 3 values of 2 participants: sub-03 (2), sub-02 (1)")
    assert lines[first + 1 : first + 3] == ["  dwi mean_fd: sub-03, sub-02", "  dwi fa: sub-03"]
    table.assign(flag="no").to_csv(tmp_path / "qc/qc.tsv", sep="\t", index=False)
    assert "Flagged: nobody" in said(study, tmp_path)


def test_only_pages_that_are_there_are_shown(study, tmp_path):
    (tmp_path / "group").mkdir()
    assert said(study, tmp_path)[-1] == f"Tables:  {tmp_path / 'group'}"
    (tmp_path / "group/report.html").touch()
    assert f"Report:  {tmp_path / 'group/report.html'}" in said(study, tmp_path)


def test_a_study_of_a_table_has_no_scans_to_speak_of(study, tmp_path):
    assert said(dataclasses.replace(study, scans={}), tmp_path) == []
