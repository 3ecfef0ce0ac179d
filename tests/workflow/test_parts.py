"""Targets that make one modality alone: what they plan, where it goes, and what the whole study then has left to do."""

import json

import pytest

from tests.workflow.stubs import PEOPLE, Job
from tests.workflow.test_reruns import group_of, people_of

TRACT = {"preprocess_dwi", "fit_tensor", "check_gradients", "extract_cst", "track_cst", "smooth_fa"}
MOTOR_BAND = {"locate_regions", "measure_swi", "measure_qsm", "map_susceptibility", "map_relaxation", "unfold_sulcus"}
OTHERS = {
    "measure_thickness",
    "measure_cord",
    "align_map",
    "measure_map",
    "draw_reader",
    "gather_readers",
}
ANATOMY = {"prepare_template", "preprocess_t1w", "register_t1w", "segment_t1w"}
COMPARISON = {"gather_measures", "compare_groups", "write_report", "judge_quality", "draw_participant", "draw_cohort"}
MAPS = {"cst": {"fa"}, "vbm": {"vbm", "vbm_headsize"}, "swi": {"swi"}}
OWN = {
    "cst": TRACT | {"gather_profiles", "compare_profiles"},
    "vbm": set(),
    "swi": MOTOR_BAND | {"smooth_swi", "gather_strips"},
}


@pytest.mark.parametrize("part", OWN)
def test_a_part_plans_its_own_jobs_and_none_of_the_others(all_modalities, part):
    plan = all_modalities().plan(part)
    rules = {job.rule for job in plan}
    assert ANATOMY | COMPARISON | OWN[part] <= rules
    assert not rules & OTHERS
    assert not rules & set().union(*(own for name, own in OWN.items() if name != part))
    assert {job.wildcards for job in plan if job.rule == "compare_maps"} == {f"maps={kind}" for kind in MAPS[part]}


@pytest.fixture(scope="module")
def with_tract(all_modalities):
    """A study of which the tract alone has been made; and the jobs that made it."""
    study = all_modalities()
    return study, study.finish("cst")


def test_the_tables_of_a_part_are_no_result_of_the_whole_study(with_tract):
    study, _ = with_tract
    made = {path.relative_to(study.results).parts[0] for path in study.results.rglob("*") if path.is_file()}
    assert not made & {"group", "qc", "provenance.json", "dataset_description.json"}
    part = study.results / "parts/cst"
    for path in (
        "group/report.html",
        "group/comparisons.tsv",
        "qc/index.html",
        "sub-01/sub-01.html",
        "provenance.json",
    ):
        assert (part / path).is_file(), path
    assert {path.name for path in study.results.glob("sub-01/*")} == {"anat", "dwi"}


def test_the_whole_study_takes_what_a_part_has_made(with_tract):
    study, jobs = with_tract
    images = {job for job in jobs if job.rule in ANATOMY | TRACT}
    assert len(images) == 1 + 3 * (len(ANATOMY) - 1) + 3 * len(TRACT)
    assert study.plan("cst") == {}
    plan = study.plan()
    assert not images & set(plan)
    assert Job("measure_swi", "subject=01") in plan and Job("write_report") in plan


def test_a_part_takes_what_the_whole_study_has_made_and_leaves_it_as_it_is(finished):
    before = (finished.results / "group/report.html").stat().st_mtime_ns
    jobs = finished.finish("swi")
    assert people_of(dict.fromkeys(jobs, ""))["sub-01"] == {
        "collect_measures",
        "draw_participant",
        "draw_thumbnails",
        "draw_viewer",
    }
    assert not {"prepare_template", "compare_profiles"} & group_of(dict.fromkeys(jobs, ""))
    assert (finished.results / "group/report.html").stat().st_mtime_ns == before
    assert finished.plan() == {}


def test_jobs_of_a_part_are_handed_its_measures_and_its_modalities_alone(with_tract):
    study, _ = with_tract
    records = {record.job: record for record in study.records()}
    collected = records[Job("collect_measures", "subject=02")]
    assert [path for path in collected.input if path.endswith("_measures.tsv")] == [
        "results/sub-02/dwi/sub-02_desc-cst_measures.tsv"
    ]
    page = records[Job("draw_participant", "subject=02")].params
    assert [row["stage"] for row in page["stages"]] == ["t1w", "dwi"]
    primary = records[Job("compare_groups")].params["options"]["primary"]
    assert primary and {measure["modality"] for measure in primary} == {"dwi"}
    report = records[Job("write_report")].params
    assert any(note.startswith("only the part cst of the study") for note in report["notes"])
    assert report["title"] == "made up: cst alone"


def test_head_size_is_measured_where_the_measures_of_a_part_are_adjusted_for_it(all_modalities):
    study = all_modalities()
    study.config["measure_covariates"] = {"dwi": ["tiv"]}
    files, _ = study.wiring("cst")[Job("collect_measures", "subject=01")]
    assert "results/sub-01/anat/sub-01_desc-volumes_measures.tsv" in files
    assert not any("thickness" in path for path in files)


def test_somebody_without_a_scan_of_the_part_has_no_page_in_it(all_modalities):
    study = all_modalities()
    for path in (study.bids / "sub-03/dwi").iterdir():
        path.unlink()
    plan = study.plan("cst")
    of = people_of(plan)
    assert "draw_participant" in of["sub-01"] and "sub-03" not in of
    assert "gather_measures" in group_of(plan)


def test_a_job_that_fails_costs_a_participant_the_part_and_the_others_nothing(all_modalities):
    study = all_modalities()
    study.set_fates({"sub-02_desc-cst_measures.tsv": "fail"})
    run = study.run("--keep-going", "cst")
    part = study.results / "parts/cst"
    assert (part / "group/report.html").is_file() and not (study.results / "group").exists()
    log = "results/logs/extract_cst/sub-02.log"
    assert f"Failed: dwi of sub-02 (extract_cst failed: told to fail); log: {log}" in run.said
    status = (study.results / "status.html").read_text()
    assert "Run: ended, with failures" in status and "extract_cst failed: told to fail" in status
    assert 'href="parts/cst/group/report.html"' in status
    assert json.loads((study.results / "logs/lost.json").read_text())["losses"].keys() == {"sub-02"}
    assert Job("measure_swi", "subject=01") not in run.jobs


def test_a_part_that_stops_leaves_no_report(all_modalities):
    study = all_modalities()
    study.set_fates({"comparisons.tsv": "fail"})
    run = study.run("vbm")
    assert run.returncode != 0
    assert "Failed: compare_groups (told to fail); log: results/logs/compare_groups/study.log" in run.said
    assert "Run: ended at the first failure" in (study.results / "status.html").read_text()
    group = study.results / "parts/vbm/group"
    assert (group / "measures.tsv").is_file()
    assert not (group / "comparisons.tsv").exists() and not (group / "report.html").exists()


def test_quality_is_that_of_the_whole_study_and_compares_no_groups(all_modalities):
    plan = all_modalities().plan("qc")
    rules = {job.rule for job in plan}
    assert {"judge_quality", "draw_participant", "extract_cst", "measure_swi", "measure_thickness"} <= rules
    assert not [rule for rule in rules if rule.startswith(("compare", "classify", "correlate", "write", "smooth"))]
    assert len([job for job in plan if job.rule == "draw_participant"]) == len(PEOPLE)


@pytest.mark.parametrize(
    ("change", "targets", "said"),
    [
        (
            {"modalities": ["t1w", "swi"]},
            ["cst"],
            "cst: dwi is not in modalities (t1w, swi); add it, or choose another",
        ),
        ({"modalities": ["t1w", "dwi"]}, ["swi"], "swi: swi is not in modalities (t1w, dwi)"),
        ({}, ["cst", "vbm"], "targets: found cst, vbm, and cst is made alone"),
        ({}, ["results/group/measures.tsv", "swi"], "and swi is made alone, in a folder of its own"),
    ],
)
def test_what_cannot_be_made_is_refused(all_modalities, change, targets, said):
    study = all_modalities()
    study.config |= change
    run = study.run("--dry-run", *targets)
    assert run.returncode != 0 and said in run.said
    assert "Traceback" not in run.said


def test_a_value_of_an_option_is_no_target(all_modalities):
    study = all_modalities()
    assert Job("measure_swi", "subject=01") in study.plan("--omit-from", "cst", "--", "results/group/report.html")
