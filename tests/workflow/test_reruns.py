"""What is made again after a change or an interruption, and what is left alone."""

import os
from pathlib import Path

import pytest

from tests.running import kill
from tests.workflow.stubs import PEOPLE, Job, add_contrast


def people_of(plan: dict[Job, str]) -> dict[str, set[str]]:
    """Rules planned for each participant, and for the study."""
    rules: dict[str, set[str]] = {}
    for job in plan:
        rules.setdefault(job.wildcards.split(",")[0].replace("subject=", "sub-"), set()).add(job.rule)
    return rules


def group_of(plan: dict[Job, str]) -> set[str]:
    """Rules planned for the study as a whole."""
    return {job.rule for job in plan if "subject=" not in job.wildcards}


def change(path: Path, old: str, new: str) -> None:
    """Replace some text of a file."""
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_finished_study_has_nothing_to_do(finished_study):
    assert finished_study.plan() == {}


def test_a_changed_scan_reruns_what_depends_on_it_and_nothing_else(finished):
    change(finished.bids / "sub-02/dwi/sub-02_dwi.bval", "1000", "1001")
    plan = finished.plan()
    of = people_of(plan)
    assert not {"sub-01", "sub-03"} & set(of)
    assert {"check_gradients", "preprocess_dwi", "fit_tensor", "extract_cst", "draw_participant"} <= of["sub-02"]
    assert not {"preprocess_t1w", "locate_regions", "measure_swi", "measure_map"} & of["sub-02"]
    assert {"gather_measures", "compare_groups", "write_report"} <= group_of(plan)
    assert "prepare_template" not in group_of(plan)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("sub-02/anat/sub-02_T1w.nii.gz", "preprocess_t1w"),
        ("sub-02/dwi/sub-02_dwi.bvec", "preprocess_dwi"),
        ("sub-02/anat/sub-02_echo-1_part-phase_MEGRE.nii.gz", "map_susceptibility"),
    ],
)
def test_a_file_replaced_by_an_older_one_is_noticed(finished, name, rule):
    path = finished.bids / name
    long_ago = path.stat().st_mtime - 10**6
    os.utime(path, (long_ago, long_ago))
    plan = finished.plan()
    assert Job(rule, "subject=02") in plan
    assert "sub-01" not in people_of(plan)


def test_a_changed_age_reruns_the_statistics_and_measures_nobody_again(finished):
    change(finished.bids / "participants.tsv", "\t58\t", "\t59\t")
    plan = finished.plan()
    assert not set(PEOPLE) & set(people_of(plan))
    assert {"compare_participants", "gather_measures", "compare_groups", "compare_maps", "write_report"} <= group_of(
        plan
    )


def test_a_renamed_column_is_noticed(finished):
    """Snakemake notes the values of a table and not the names of its columns."""
    finished.config["covariates"] = ["years", "sex"]
    change(finished.bids / "participants.tsv", "\tage\t", "\tyears\t")
    assert Job("gather_measures") in finished.plan()


def test_why_something_runs_again_tells_nothing_of_anybody(finished):
    text = (finished.bids / "participants.tsv").read_text()
    (finished.bids / "participants.tsv").write_text(text.replace("\t58\t", "\t59.625\t"))
    done = finished.run("--dry-run")
    assert "gather_measures" in done.said
    assert "Params have changed" in done.said
    assert "59.625" not in done.said and "58.0" not in done.said


def test_a_participant_who_is_added_is_measured_and_joins_the_group_and_nobody_else_is_drawn_again(finished):
    table = finished.bids / "participants.tsv"
    table.write_text(table.read_text() + "sub-04\tHC\t64\tM\n")
    for path in sorted((finished.bids / "sub-03").rglob("*.*")):
        copy = Path(str(path).replace("sub-03", "sub-04"))
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    plan = finished.plan()
    of = people_of(plan)
    assert not {"sub-01", "sub-02", "sub-03"} & set(of)
    assert {"preprocess_t1w", "extract_cst", "measure_swi", "collect_measures", "draw_participant"} <= of["sub-04"]
    assert {"gather_measures", "compare_maps", "compare_participants", "write_report"} <= group_of(plan)


def test_a_contrast_that_is_added_reruns_its_own_measures_alone(finished):
    add_contrast(finished.bids, "sub-01", "FLAIR")
    of = people_of(finished.plan())
    assert of["sub-01"] == {"align_map", "measure_map", "collect_measures", "draw_participant"}
    assert "sub-03" not in of


def test_a_changed_script_reruns_its_rule_and_what_is_made_of_it(finished):
    finished.edit("scripts/extract_cst.py", "start_job(snakemake)", "start_job(snakemake)  # changed")
    plan = finished.plan()
    assert {job for job in plan if job.rule == "extract_cst"} == {
        Job("extract_cst", f"subject=0{number}") for number in (1, 2, 3)
    }
    for rules in (people_of(plan)[who] for who in PEOPLE):
        assert rules == {
            "extract_cst",
            "track_cst",
            "draw_thumbnails",
            "draw_viewer",
            "collect_measures",
            "draw_participant",
        }


def test_a_new_version_of_the_library_reruns_every_branch_from_its_start(finished):
    finished.edit("workflow/rules/common.smk", "from mndmri import __version__ as VERSION\n", 'VERSION = "9"\n')
    again = {job.rule for job in finished.plan()}
    assert {"prepare_template", "preprocess_t1w", "preprocess_dwi", "locate_regions", "gather_measures"} <= again


def test_a_table_that_was_deleted_is_made_again_alone(finished):
    (finished.results / "group/report.html").unlink()
    assert set(finished.plan()) == {Job("write_report")}


def test_a_run_that_was_killed_goes_on_where_it_was(all_modalities):
    study = all_modalities()
    table = "results/group/measures.tsv"
    study.make_up("*_desc-cst_measures.tsv")
    study.set_fates({"measures.tsv": "hang"})
    process = study.start("--cores", "1", table)
    study.wait_until("hang", process)
    kill(process)
    *before, killed = [record.job for record in study.records()]
    assert {f"extract_cst subject={number}" for number in ("01", "02", "03")} <= {" ".join(job) for job in before}
    study.set_fates({})
    assert "--unlock" in study.run(table).said
    study.run("--unlock")
    jobs = study.finish("--rerun-incomplete", table)
    assert killed in jobs
    assert not set(before) & set(jobs)
    assert study.plan(table) == {}


def test_with_a_profile_the_same_command_goes_on_after_a_kill(all_modalities):
    """As `mndmri run` has it: nobody has to unlock, and what was cut short is made again."""
    study = all_modalities()
    profile = str(study.root / "workflow/profiles/local")
    command = ["--cores", "1", "--workflow-profile", profile, "--", "results/group/measures.tsv"]
    study.make_up("*_desc-cst_measures.tsv")
    study.set_fates({"measures.tsv": "hang"})
    process = study.start(*command)
    study.wait_until("hang", process)
    kill(process)
    killed = study.records()[-1].job
    study.set_fates({})
    assert killed in study.finish(*command)


@pytest.mark.parametrize("modality", ["dwi", "swi"])
def test_a_modality_taken_out_of_the_study_reruns_nobodys_other_scans(finished, modality):
    finished.config["modalities"] = [own for own in finished.config["modalities"] if own != modality]
    plan = finished.plan()
    measured = {"preprocess_t1w", "preprocess_dwi", "fit_tensor", "extract_cst", "locate_regions", "measure_swi"}
    assert not measured & {job.rule for job in plan}
    assert {"collect_measures", "gather_measures", "write_report"} <= {job.rule for job in plan}
