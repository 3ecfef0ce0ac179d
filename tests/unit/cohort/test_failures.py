"""A failed job costs its participant what rests on it, and nobody anything else."""

import dataclasses
import json

import pandas as pd
import pytest

from mndmri.cohort import Scan, Study
from mndmri.cohort.failures import Job, Loss, add_losses, failures, find_losses, next_pass, stages, without

MODALITIES = ("t1w", "flair", "dwi", "swi", "qsm", "r2star")


def make_study(**left_out) -> Study:
    """Two people with everything."""
    scans = {who: {m: Scan(m, {"image": (f"{who}_{m}.nii.gz",)}) for m in MODALITIES} for who in ("sub-1", "sub-2")}
    people = pd.DataFrame({"participant_id": list(scans), "group": ["ALS", "control"]})
    return Study(people, scans, {who: dict(left_out) for who in scans}, "bids")


def job(name, branch, needs=(), *, makes=None, alone=False, reason=None, who="sub-1") -> Job:
    """A job that makes one file of its own name."""
    return Job(name, who, branch, alone, frozenset(needs), frozenset(makes or [name]), reason)


def fail(name: str, *others: str) -> Loss:
    """Loss of sub-1 in whom one or more jobs of a small workflow have failed."""
    jobs = [
        job("brain", "t1w"),
        job("thickness", "t1w", ["brain"], alone=True),
        job("align FLAIR", "flair", ["brain"], alone=True),
        job("signal FLAIR", "flair", ["align FLAIR"], alone=True),
        job("align T1w", "t1w", ["brain"], alone=True),
        job("tensor", "dwi", ["brain"]),
        job("tract", "dwi", ["tensor"]),
        job("tracking", "tracking", ["tract"], alone=True),
        job("regions", "swi", ["brain"]),
        job("chi", "qsm", ["regions"]),
        job("chi of regions", "qsm", ["chi", "regions"], alone=True),
        job("swi", "swi", ["regions"]),
        job("strip", "strip", ["regions"], alone=True),
        job("table", "t1w", []),
        job("page", "qc", ["brain", "table"], alone=True),
    ]
    failed = [dataclasses.replace(job, reason="told to") if job.name in (name, *others) else job for job in jobs]
    others = [dataclasses.replace(job, participant_id="sub-2") for job in jobs]
    losses = find_losses(make_study(), [*others, *failed])
    assert set(losses) == {"sub-1"}
    return losses["sub-1"]


@pytest.mark.parametrize(
    ("name", "scans"),
    [
        ("brain", set(MODALITIES)),
        ("table", set(MODALITIES)),
        ("tensor", {"dwi"}),
        ("tract", {"dwi"}),
        ("regions", {"swi", "qsm", "r2star"}),
        ("swi", {"swi", "qsm", "r2star"}),
        ("chi", {"qsm"}),
        ("chi of regions", set()),
        ("tracking", set()),
        ("thickness", set()),
        ("align FLAIR", set()),
        ("page", set()),
    ],
)
def test_a_job_takes_away_its_branch_and_one_that_stands_alone_no_modality(name, scans):
    assert set(fail(name).scans) == scans


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("tracking", {"tracking"}),
        ("tract", {"tract", "tracking"}),
        ("tensor", {"tensor", "tract", "tracking"}),
        ("align FLAIR", {"align FLAIR", "signal FLAIR"}),
        ("chi", {"chi", "chi of regions"}),
        ("table", {"table", "page"}),
    ],
)
def test_what_needs_a_missing_file_is_missing_too(name, files):
    assert set(fail(name).files) == files


def test_a_job_that_cannot_run_for_want_of_a_file_takes_its_own_branch_along():
    jobs = [job("mask", "new", alone=True, reason="empty"), job("tensor", "dwi", ["mask"]), job("swi", "swi")]
    loss = find_losses(make_study(), jobs)["sub-1"]
    assert loss.scans == ["dwi"]
    assert loss.reasons == {"new": ["mask failed: empty"], "dwi": ["mask failed: empty"]}


def test_a_file_that_a_job_can_do_without_takes_nothing_along():
    jobs = [job("chi", "qsm", reason="no phase"), job("swi", "swi", needs=["regions"])]
    assert find_losses(make_study(), jobs)["sub-1"].scans == ["qsm"]


def test_the_reason_is_given_for_each_modality_of_which_something_is_missing():
    assert fail("brain").reasons == {m: ["brain failed: told to"] for m in MODALITIES}
    assert fail("chi of regions").reasons == {"qsm": ["chi of regions failed: told to"]}
    assert fail("tract").reasons == {"dwi": ["tract failed: told to"]}


def test_two_failures_in_one_modality_are_both_told():
    assert fail("thickness", "align T1w").reasons == {"t1w": ["align T1w failed: told to", "thickness failed: told to"]}


def test_nothing_is_lost_where_nothing_failed():
    assert find_losses(make_study(), [job("brain", "t1w"), job("tensor", "dwi", ["brain"])]) == {}


def test_a_modality_that_the_participant_does_not_have_is_not_lost():
    study = make_study()
    own = {who: {m: s for m, s in scans.items() if m != "r2star"} for who, scans in study.scans.items()}
    losses = find_losses(dataclasses.replace(study, scans=own), [job("swi", "swi", reason="dark")])
    assert losses["sub-1"].scans == ["qsm", "swi"] and set(losses["sub-1"].reasons) == {"swi", "qsm"}


def test_the_study_goes_on_without_what_was_lost_and_says_why():
    study = make_study(t2w="no file")
    lost = without(study, {"sub-1": fail("tensor")})
    assert set(lost.scans["sub-1"]) == set(MODALITIES) - {"dwi"}
    assert lost.scans["sub-2"] == study.scans["sub-2"]
    assert lost.left_out == {"sub-1": {"t2w": "no file", "dwi": "tensor failed: told to"}, "sub-2": {"t2w": "no file"}}
    assert set(study.scans["sub-1"]) == set(MODALITIES)


def test_losses_go_through_json():
    losses = {"sub-1": fail("tensor", "chi")}
    text = json.dumps({who: dataclasses.asdict(loss) for who, loss in losses.items()})
    assert {who: Loss(**own) for who, own in json.loads(text).items()} == losses


def test_losses_of_two_passes_add_up():
    before, found = {"sub-1": fail("tensor")}, {"sub-1": fail("page"), "sub-2": fail("chi")}
    both = add_losses(before, found)
    assert both["sub-1"].scans == ["dwi"]
    assert set(both["sub-1"].files) == {"tensor", "tract", "tracking", "page"}
    assert set(both["sub-1"].reasons) == {"dwi", "qc"}
    assert both["sub-2"] == found["sub-2"]
    assert set(before["sub-1"].reasons) == {"dwi"}


def test_what_was_lost_before_is_nothing_new():
    losses = {"sub-1": fail("tensor", "page")}
    assert add_losses(losses, losses) == losses
    assert add_losses(losses, {"sub-1": fail("page")}) == losses


def test_each_failure_of_a_participant_is_listed_once():
    assert failures({"sub-1": fail("brain"), "sub-2": fail("chi", "tensor")}) == {
        "sub-1": "brain failed: told to",
        "sub-2": "chi failed: told to; tensor failed: told to",
    }


def test_stages_are_done_left_out_or_failed():
    losses = {"sub-1": fail("chi of regions", "tensor")}
    study = without(make_study(pet="no file"), losses)
    rows = {row["stage"]: row for row in stages(study, losses, "sub-1", ["t1w", "dwi", "qsm", "pet"])}
    assert {stage: row["status"] for stage, row in rows.items()} == {
        "t1w": "done", "dwi": "failed", "qsm": "failed", "pet": "left out",
    }  # fmt: skip
    assert [rows[stage]["reason"] for stage in ("t1w", "dwi", "pet")] == ["", "tensor failed: told to", "no file"]
    assert {row["status"] for row in stages(study, losses, "sub-2", ["t1w", "dwi", "qsm"])} == {"done"}


def test_an_excluded_scan_that_failed_has_failed_and_one_that_is_not_there_is_left_out():
    reasons = {"swi": "excluded by reader: motion", "dwi": "excluded by reader: motion", "pet": "excluded by reader: x"}
    losses = {"sub-1": fail("tensor")}
    study = dataclasses.replace(make_study(pet="no file"), excluded={"sub-1": reasons})
    study = without(study, losses)
    rows = {row["stage"]: row for row in stages(study, losses, "sub-1", ["dwi", "swi"])}
    assert (rows["dwi"]["status"], rows["dwi"]["reason"]) == ("failed", "tensor failed: told to")
    assert (rows["swi"]["status"], rows["swi"]["reason"]) == ("excluded", "excluded by reader: motion")
    assert study.excluded == {"sub-1": {"swi": "excluded by reader: motion"}}


def test_a_pass_after_failures_forces_nothing():
    arguments = ["--cores", "2", "-F", "--keep-going", "--force", "results/table.tsv"]
    assert next_pass(arguments) == ["--nolock", "--cores", "2", "--keep-going", "results/table.tsv"]
