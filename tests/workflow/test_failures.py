"""What a failed job takes away, by what is there in the end, and that everything else is made without it."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.running import ROOT
from tests.workflow.stubs import THREE_ECHOES, Run, StubStudy, add_contrast, add_gradient_echo, make_dataset

# What a participant has in the end: tables that reach the participant's own, of measures and of quality; kinds of
# maps, profiles, strip and case for readers among the group's; and a page.
T1W = {"volumes_measures", "t1w_qc", "brain_qc", "thickness_measures", "vbm", "vbm_headsize"}
CORD = {"cord_measures", "cord_qc"}
SIGNAL = {"t1w_measures", "t1w_profile"}
T1W |= CORD | SIGNAL
FLAIR = {"flair_measures", "flair_qc", "flair_profile"}
MTR = {"mtr_measures", "mtr_qc", "mtr_profile", "mtr"}
DWI = {
    "gradients_qc",
    "cst_measures",
    "dwi_qc",
    "tracked_qc",
    "freewater_measures",
    "kurtosis_measures",
    "cst_profile",
    "fa",
}
QSM = {"susceptibility_measures", "qsm_qc"}
SWI = {"precentral_measures", "swi_qc", "strip", "swi", "reader"}
EVERYTHING = T1W | FLAIR | MTR | DWI | QSM | SWI | {"page", "thumbnails", "viewer"}

ALL_SCANS = {"t1w", "flair", "mtr", "dwi", "swi", "qsm", "r2star"}
ECHO_SCANS = {"swi", "qsm", "r2star"}
# A file that is not made: what its participant lacks in the end, and what the reason is given for.
OUTCOMES = {
    "sub-??_desc-brain_mask.nii.gz": (EVERYTHING, ALL_SCANS),
    "*_from-T1w_to-MNI*_xfm.nii.gz": (EVERYTHING, ALL_SCANS),
    "*_label-GM_probseg.nii.gz": (EVERYTHING, ALL_SCANS),
    "*_desc-thickness_measures.tsv": ({"thickness_measures"}, {"t1w"}),
    "*_desc-cord_measures.tsv": (CORD, {"t1w"}),
    "*_desc-t1w_map.nii.gz": (SIGNAL, {"t1w"}),
    "*_desc-t1w_measures.tsv": (SIGNAL, {"t1w"}),
    "*_desc-flair_map.nii.gz": (FLAIR, {"flair"}),
    "*_desc-flair_measures.tsv": ({"flair_measures", "flair_profile"}, {"flair"}),
    "*_desc-mtr_map.nii.gz": (MTR, {"mtr"}),
    "*_desc-mtr_measures.tsv": ({"mtr_measures", "mtr_profile", "mtr"}, {"mtr"}),
    "*_desc-mtrsmoothed_map.nii.gz": ({"mtr"}, {"mtr"}),
    "*_desc-gradients_ranking.tsv": (DWI, {"dwi"}),
    "*_desc-preproc_dwi.nii.gz": (DWI, {"dwi"}),
    "*_space-dwi_model-tensor_param-fa_dwimap.nii.gz": (DWI, {"dwi"}),
    "*_desc-cst_measures.tsv": (DWI, {"dwi"}),
    "*_param-fa_desc-smoothed_dwimap.nii.gz": (DWI, {"dwi"}),
    "*_desc-tracked_qc.tsv": ({"tracked_qc"}, {"tracking"}),
    "*_model-freewater_param-fraction_dwimap.nii.gz": ({"freewater_measures"}, {"free_water"}),
    "*_model-kurtosis_param-mk_dwimap.nii.gz": ({"kurtosis_measures"}, {"kurtosis"}),
    "*_desc-regions_mask.nii.gz": (SWI | QSM, ECHO_SCANS),
    "*_desc-precentral_measures.tsv": (SWI | QSM, ECHO_SCANS),
    "*_desc-smoothed_swi.nii.gz": (SWI | QSM, ECHO_SCANS),
    "*_Chimap.nii.gz": (QSM, {"qsm"}),
    "*_R2starmap.nii.gz": (set(), {"r2star"}),
    "*_desc-susceptibility_measures.tsv": ({"susceptibility_measures"}, {"qsm"}),
    "*_desc-centralsulcus_strip.tsv": ({"strip"}, {"strip"}),
    "sub-??_measures.tsv": (EVERYTHING, ALL_SCANS),
    "sub-??_reader.html": ({"reader"}, {"reader"}),
    "sub-??.html": ({"page"}, {"qc"}),
    "sub-??_thumbnails": ({"thumbnails"}, {"qc"}),
    "sub-??_viewer.html": ({"viewer"}, {"qc"}),
}


class Outcome:
    """What a run has made in the end, by which file went into which."""

    def __init__(self, run: Run) -> None:
        self.said = run.said
        # of a job that ran in both passes, the second time
        self.records = {record.job: record for record in run.records if record.fate == "end"}.values()

    def of(self, who: str) -> set[str]:
        """What a participant has."""
        have = set()
        for record in self.records:
            made = [path for path in record.input if Path(path).name.startswith(f"{who}_")]
            if f"{who}_measures.tsv" in {Path(path).name for path in record.output}:
                tables = (re.search(r"_desc-(\w+_(?:measures|qc))\.tsv$", path) for path in made)
                have |= {table[1] for table in tables if table}
            if record.job.wildcards.startswith("maps=") and any("/statmaps" in path for path in record.output) and made:
                have.add(record.job.wildcards.removeprefix("maps="))
            if any(path.endswith("group/profiles.tsv") for path in record.output):
                have |= {re.search(r"_desc-(\w+_profile)\.tsv$", path)[1] for path in made}
            have |= {"strip" for path in made if path.endswith("_strip.tsv") and "group/strips.tsv" in str(record)}
            have |= {"reader" for path in made if path.endswith("_reader.html") and "reader_key.tsv" in str(record)}
            have |= {"page" for path in record.output if path.endswith(f"/{who}.html")}
            have |= {"viewer" for path in made if path.endswith("_viewer.html") and "qc/index.html" in str(record)}
            have |= {"thumbnails" for path in made if path.endswith("_thumbnails") and "qc/sheets" in str(record)}
        return have

    def param(self, made: str, name: str) -> Any:
        """Parameter of the job that has made a file."""
        [job] = [record for record in self.records if any(path.endswith(made) for path in record.output)]
        return job.params[name]


def rich_study(folder: Path, people: list[str], **config) -> StubStudy:
    """A study of people with everything that can be measured."""
    make_dataset(folder / "bids", people, shells=(1000, 2000), n=40)
    for who in people:
        add_gradient_echo(folder / "bids", who, *THREE_ECHOES)
        for suffix in ("FLAIR", "MTRmap"):
            add_contrast(folder / "bids", who, suffix)
    mtr = {"pattern": "anat/*_MTRmap.nii.gz", "unit": "%", "voxelwise": {"tissue": "wm"}}
    return StubStudy(folder, {"modalities": ["t1w", "dwi", "swi", "flair"], "maps": {"mtr": mtr}, **config})


@pytest.fixture(scope="module")
def jobs(tmp_path_factory) -> list[list[str]]:
    """Files that each job of sub-01 makes, as a dry run tells: rules that are added later among them."""
    study = rich_study(tmp_path_factory.mktemp("jobs"), ["sub-01", "sub-02", "sub-03"])
    return [
        [Path(path).name for path in made] for job, (_, made) in study.wiring().items() if "subject=01" in job.wildcards
    ]


@pytest.fixture(scope="module")
def outcome(jobs, tmp_path_factory) -> Outcome:
    """A run in which each job fails in another participant, and none in sub-00; all else was made before."""
    people = [f"sub-{number:02d}" for number in range(len(jobs) + 1)]
    study = rich_study(tmp_path_factory.mktemp("failures"), people)
    failing = {made[0].replace("sub-01", who): "fail" for who, made in zip(people[1:], jobs, strict=True)}
    study.make_up(*failing, "sub-??_measures.tsv", "sub-??_qc.tsv", "provenance.json")
    study.set_fates(failing)
    run = study.run("--keep-going")
    assert run.returncode != 0
    failed = [record for record in run.records if record.fate == "fail"]
    assert len(failed) == len(jobs), "a job was run again in the second pass"
    for made in ("group/report.html", "qc/index.html", "provenance.json"):
        assert (study.results / made).exists(), run.said[-5000:]
    return Outcome(run)


def test_every_job_of_a_participant_has_an_outcome_below(jobs):
    for made in jobs:
        assert any(fnmatch(name, pattern) for name in made for pattern in OUTCOMES), made


def test_nothing_is_lost_where_nothing_failed(outcome):
    assert outcome.of("sub-00") == EVERYTHING
    assert outcome.param("provenance.json", "left_out").get("sub-00", {}) == {}


@pytest.mark.parametrize("missing", OUTCOMES)
def test_a_failed_job_costs_its_participant(missing, outcome, jobs):
    [number] = [number for number, made in enumerate(jobs, 1) if any(fnmatch(name, missing) for name in made)]
    who, (lost, parts) = f"sub-{number:02d}", OUTCOMES[missing]
    assert EVERYTHING - outcome.of(who) == lost
    for made, name in [("provenance.json", "left_out"), ("group/measures.tsv", "left_out")]:
        reasons = outcome.param(made, name)[who]
        assert set(reasons) == parts
        assert all(reason.endswith("failed: told to fail") for reason in reasons.values())
    for page in ("group/report.html", "qc/index.html"):
        assert outcome.param(page, "failed")[who].endswith("failed: told to fail")


@pytest.mark.parametrize(
    ("missing", "failed"),
    [("*_desc-cst_measures.tsv", {"dwi"}), ("*_Chimap.nii.gz", {"qsm"}), ("*_desc-tracked_qc.tsv", set())],
)
def test_the_page_of_a_participant_says_which_stages_failed(missing, failed, outcome, jobs):
    [number] = [number for number, made in enumerate(jobs, 1) if any(fnmatch(name, missing) for name in made)]
    stages = outcome.param(f"sub-{number:02d}.html", "stages")
    assert {row["stage"] for row in stages if row["status"] == "failed"} == failed
    assert {row["stage"] for row in stages if row["status"] == "done"} == ALL_SCANS - {"r2star"} - failed


TABLE = "results/group/measures.tsv"


@pytest.fixture
def study(tmp_path) -> StubStudy:
    """A study of three people with everything, of which nothing has been made."""
    return rich_study(tmp_path, ["sub-01", "sub-02", "sub-03"])


def fail(study: StubStudy, made: str, *arguments: str, fate: str = "fail") -> Run:
    """A run in which the jobs that make a file fail, all that does not rest on it having been made before."""
    study.make_up(made)
    study.set_fates({made: fate})
    return study.run(*arguments)


def test_without_keep_going_nothing_is_made_after_a_failure(study):
    run = fail(study, "sub-02_desc-cst_measures.tsv", TABLE)
    assert run.returncode != 0
    assert [record.fate for record in run.records] == ["fail"]


def test_a_job_that_was_killed_is_gone_without_like_one_that_failed(study):
    run = fail(study, "sub-02_desc-cst_measures.tsv", "--keep-going", TABLE, fate="be killed")
    assert run.returncode != 0
    reason = Outcome(run).param(TABLE, "left_out")["sub-02"]["dwi"]
    assert reason == "extract_cst failed: the job was stopped before its end (killed, or out of memory)"


def test_a_failed_job_of_the_group_ends_the_run(study):
    study.make_up("sub-02_desc-cst_measures.tsv")
    study.set_fates({"sub-02_desc-cst_measures.tsv": "fail", "measures.tsv": "fail"})
    run = study.run("--keep-going", TABLE)
    assert run.returncode != 0
    assert [record.job.rule for record in run.records if TABLE in record.output] == ["gather_measures"]


def test_who_is_mended_is_measured_again_and_nobody_else(study):
    fail(study, "sub-02_desc-cst_measures.tsv", "--keep-going", TABLE)
    study.set_fates({})
    run = study.run(TABLE)
    assert run.returncode == 0
    assert {record.job.wildcards for record in run.records} == {"subject=02", ""}
    outcome = Outcome(run)
    assert {"cst_measures", "dwi_qc", "tracked_qc"} <= outcome.of("sub-02")
    assert outcome.param(TABLE, "left_out")["sub-02"] == {}
    assert study.plan(TABLE) == {}


def test_what_everybody_lost_is_missing_from_the_group_which_is_made_all_the_same(study):
    missing = {"*_desc-centralsulcus_strip.tsv": "fail", "*_desc-cst_measures.tsv": "fail"}
    study.make_up(*missing)
    study.set_fates(missing)
    study.run("--keep-going")
    there = {path.name for path in (study.results / "group").glob("*")}
    assert {"report.html", "measures.tsv", "vbm", "swi"} <= there
    assert not {"strips.tsv", "fa"} & there


def test_a_rule_that_is_entered_nowhere_costs_what_it_makes(study):
    """A new rule in a new file, one that the participant's table can do without and one that its measures need."""
    (study.root / "workflow/rules/new.smk").write_text(NEW_RULES)
    (study.root / "scripts/new.py").write_text((study.root / "scripts/extract_cst.py").read_text())
    study.edit(
        "Snakefile",
        'include: "workflow/rules/dwi.smk"',
        'include: "workflow/rules/new.smk"\n    include: "workflow/rules/dwi.smk"',
    )
    study.edit(
        "workflow/rules/dwi.smk",
        "        fov=rules.preprocess_dwi.output.fov,",
        "        fov=rules.preprocess_dwi.output.fov,\n        new=rules.new_mask.output,",
    )
    study.edit(
        "workflow/rules/measures.smk",
        "            *THICKNESS,",
        '            *THICKNESS, has("t1w", rules.new_table.output[0]),',
    )
    missing = {"sub-02_desc-new_measures.tsv": "fail", "sub-03_desc-new_mask.nii.gz": "fail"}
    study.make_up(*missing)
    study.set_fates(missing)
    outcome = Outcome(study.run("--keep-going", TABLE))
    left_out = outcome.param(TABLE, "left_out")
    assert {who: set(reasons) for who, reasons in left_out.items()} == {
        "sub-01": set(),
        "sub-02": {"new"},
        "sub-03": {"new", "dwi"},
    }
    assert outcome.of("sub-02") >= {
        "cst_measures",
        "precentral_measures",
        "susceptibility_measures",
        "volumes_measures",
    }
    assert outcome.of("sub-03") >= {
        "new_measures",
        "precentral_measures",
        "susceptibility_measures",
        "volumes_measures",
    }


NEW_RULES = """
for name in ("mask.nii.gz", "measures.tsv"):

    rule:
        name: "new_mask" if "mask" in name else "new_table"
        output:
            f"<anat>_desc-new_{name}",
        log:
            f"<logs>/{name}/sub-{{subject}}.log",
        script:
            "../../scripts/new.py"
"""


def test_the_studys_own_template_is_made_without_who_cannot_be_aligned(study):
    study.config["t1w"] = {"template": "study"}
    template = "results/resources/study/tpl-study_round-2_desc-brain_T1w.nii.gz"
    run = fail(study, "sub-02_xfm.nii.gz", "--keep-going", template)
    assert (study.folder / template).exists()
    averages = [
        record for record in run.records if record.output[0].endswith("brain_T1w.nii.gz") and record.fate == "end"
    ]
    assert len(averages) == 3
    for record in averages:
        assert not any("sub-02" in path for path in record.input)
        assert any("sub-03" in path for path in record.input)


def test_a_scan_that_cannot_be_simulated_is_gone_without(tmp_path):
    simulation = yaml.safe_load((ROOT / "config/config.yaml").read_text())["simulation"]
    simulation |= {"groups": {"ALS": 1, "PLS": 1, "control": 1}, "missing": {"dwi": 0, "swi": 0}}
    study = StubStudy(tmp_path, {"simulation": simulation})
    truth = "results/simulation/truth.tsv"
    run = fail(study, "sub-02_dwi_truth.tsv", "--keep-going", TABLE, truth)
    assert (study.folder / truth).exists()
    outcome = Outcome(run)
    reasons = outcome.param(TABLE, "left_out")["sub-02"]
    assert {part for part, reason in reasons.items() if "told to fail" in reason} == {"simulate", "dwi"}
    assert {"volumes_measures", "precentral_measures"} <= outcome.of("sub-02")


def test_the_run_ends_with_who_lacks_what_and_where_the_report_is(outcome, jobs):
    """Said once, by the pass that made the group's tables."""
    said = outcome.said
    [done] = [line for line in said.splitlines() if line.startswith("Done: ")]
    assert done.startswith(f"Done: 1 of {len(jobs) + 1} participants with t1w, dwi, swi")
    failed = [line for line in said.splitlines() if line.startswith("Failed: ")]
    for number in range(1, len(jobs) + 1):
        assert any(f"sub-{number:02d}" in line or "more" in line for line in failed), number
    assert said.count("Report:  ") == 1
