"""A study whose people were scanned several times: a visit is the unit that is measured, fails, and is compared."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mndmri.io import read_table, write_table
from mndmri.units import folder_of
from tests import running
from tests.workflow.stubs import THREE_ECHOES, Job, StubStudy, add_gradient_echo, make_dataset

# Sessions of each person: uneven, and sub-02 was scanned first in ses-02, by months.
SEEN = {"sub-01": ("01", "02", "03"), "sub-02": ("01", "02"), "sub-03": ("01",)}
MONTHS = {"sub-01": (0, 6, 12), "sub-02": (7, 1), "sub-03": (0,)}
BASELINE = {"sub-01_ses-01", "sub-02_ses-02", "sub-03_ses-01"}
UNITS = {f"{who}_ses-{label}" for who, labels in SEEN.items() for label in labels}


def make_sessions(bids: Path) -> None:
    """Three people with a visit for each session of `SEEN`; sub-01 has no diffusion in ses-03."""
    for n, label in enumerate(("01", "02", "03")):
        whole = bids.with_name(f"of-{label}")
        people = [who for who, labels in SEEN.items() if label in labels]
        make_dataset(whole, people)
        for who in people:
            add_gradient_echo(whole, who, *THREE_ECHOES)
            for path in sorted(whole.glob(f"{who}/*/*")):
                own = bids / who / f"ses-{label}" / path.parent.name / path.name.replace(who, f"{who}_ses-{label}")
                own.parent.mkdir(parents=True, exist_ok=True)
                path.rename(own)
        if n == 0:
            for name in ("participants.tsv", "dataset_description.json"):
                (whole / name).rename(bids / name)
        shutil.rmtree(whole)
    shutil.rmtree(bids / "sub-01/ses-03/dwi")
    for who, labels in SEEN.items():
        rows = [f"ses-{label}\t{months}\n" for label, months in zip(labels, MONTHS[who], strict=True)]
        (bids / who / f"{who}_sessions.tsv").write_text("session_id\tmonths\n" + "".join(rows))


def study_of_sessions(folder: Path, **config) -> StubStudy:
    make_sessions(folder / "bids")
    return StubStudy(folder, {"modalities": ["t1w", "dwi", "swi"], "visits": {}, **config})


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> StubStudy:
    """All of whose files are made up."""
    study = study_of_sessions(tmp_path_factory.mktemp("sessions"))
    study.make_up()
    return study


@pytest.fixture(scope="module")
def wiring(tmp_path_factory) -> dict[Job, tuple[list[str], list[str]]]:
    """What each job takes and makes."""
    return study_of_sessions(tmp_path_factory.mktemp("wiring")).wiring()


def names(paths: list[str]) -> set[str]:
    """Units that files are named after."""
    found = (re.match(r"(sub-\w+?_ses-[0-9a-zA-Z]+)", Path(path).name) for path in paths)
    return {match[1] for match in found if match}


def units(pairs: set[str]) -> set[str]:
    """Wildcards of visits."""
    return {f"subject={unit[4:6]}, session={unit[-2:]}" for unit in pairs}


def taken(wiring: dict[Job, tuple[list[str], list[str]]], made: str) -> set[str]:
    """Units whose files go into one."""
    [files] = [given for given, own in wiring.values() if any(path.endswith(made) for path in own)]
    return names(files)


def test_every_visit_is_measured_in_a_folder_of_its_own(wiring):
    made = {path for _, own in wiring.values() for path in own}
    for unit in UNITS:
        folder = f"results/{unit.replace('_', '/')}"
        assert {f"{folder}/{unit}_measures.tsv", f"{folder}/anat/{unit}_desc-preproc_T1w.nii.gz"} <= made
        assert f"{folder}/{unit}.html" in made
    of_visits = {path for job, (_, own) in wiring.items() if "session=" in job.wildcards for path in own}
    assert not [path for path in of_visits if re.search(r"/sub-\w+/(?!ses-)", path)]


def test_what_is_made_of_all_visits_of_a_person_lies_beside_their_folders(wiring):
    """The page of all visits, and their midway space, of those with more than one."""
    of_people = {job: files for job, files in wiring.items() if re.fullmatch(r"subject=\w+", job.wildcards)}
    assert {job.rule for job in of_people} == {"draw_visits", "align_visits", "measure_within"}
    for rule in {job.rule for job in of_people}:
        assert {job.wildcards for job in of_people if job.rule == rule} == {"subject=01", "subject=02"}
    for job, (given, made) in of_people.items():
        who = f"sub-{job.wildcards.removeprefix('subject=')}"
        assert {name.split("_")[0] for name in names(given)} <= {who}
        assert all(path.startswith(f"results/{who}/") and "/ses-" not in path for path in made)
        if job.rule == "align_visits":
            assert names(given) == {unit for unit in UNITS if unit.startswith(who)}
        if job.rule == "measure_within":  # by months: from the first to the last
            of = [match[1] for path in given if (match := re.search(r"(ses-\d+)_T1w\.nii", path))]
            assert of == {"sub-01": ["ses-01", "ses-02", "ses-03"], "sub-02": ["ses-02", "ses-01"]}[who]
    assert taken(wiring, "group/measures_visits.tsv") == UNITS
    [given] = [given for given, made in wiring.values() if any(f.endswith("measures_visits.tsv") for f in made)]
    assert {Path(f).name for f in given} >= {f"sub-0{n}_desc-within_measures.tsv" for n in (1, 2)}
    [given] = [given for given, made in wiring.values() if any(f.endswith("qc_visits.tsv") for f in made)]
    assert {Path(f).name for f in given} >= {f"sub-0{n}_desc-within_qc.tsv" for n in (1, 2)}


def test_a_job_of_a_visit_takes_files_of_that_visit_alone(wiring):
    of_visits = {job: files for job, files in wiring.items() if "session=" in job.wildcards}
    assert {job.rule for job in of_visits} >= {"preprocess_t1w", "extract_cst", "measure_swi", "draw_participant"}
    for job, (given, made) in of_visits.items():
        [unit] = names([*given, *made])
        assert job.wildcards.startswith(units({unit}).pop()), job


def test_a_modality_that_a_visit_lacks_is_missing_there_and_nowhere_else(wiring):
    assert {job.wildcards for job in wiring if job.rule == "extract_cst"} == units(UNITS - {"sub-01_ses-03"})
    assert {job.wildcards for job in wiring if job.rule == "segment_t1w"} == units(UNITS)


def test_tables_of_one_time_take_the_first_visit_by_months(wiring):
    for made in ("group/measures.tsv", "qc/qc.tsv", "group/profiles.tsv", "group/strips.tsv", "fa/statmaps"):
        assert taken(wiring, made) == BASELINE, made
    for made in ("group/measures_visits.tsv", "qc/qc_visits.tsv", "qc/index.html"):
        assert taken(wiring, made) == UNITS, made


def test_a_part_takes_the_visits_that_have_a_scan_of_it(tmp_path):
    wiring = study_of_sessions(tmp_path).wiring("cst")
    for rule in ("extract_cst", "register_t1w", "draw_participant"):
        assert {job.wildcards for job in wiring if job.rule == rule} == units(UNITS - {"sub-01_ses-03"}), rule
    assert not [job for job in wiring if job.rule == "align_visits"]
    made = {path for _, own in wiring.values() for path in own}
    assert {"results/parts/cst/group/measures_visits.tsv", "results/parts/cst/sub-02/sub-02_visits.html"} <= made


def test_each_person_is_read_and_compared_with_the_controls_once(wiring):
    assert taken(wiring, "reader_key.tsv") == BASELINE
    assert {job.wildcards for job in wiring if job.rule == "draw_reader"} == units(BASELINE)
    [panels] = [made for job, (_, made) in wiring.items() if job.rule == "compare_participants"]
    assert names(panels) == BASELINE


def test_the_first_screen_counts_visits(study):
    said = study.run("--dry-run").said
    assert "Visits: 6 of 3 participants (1 with 3, 1 with 2, 1 with 1)" in said
    assert "t1w: 6 of 6 visits" in said
    assert "dwi: 5 of 6 visits; without: sub-01_ses-03 (no file in the dataset)" in said
    assert "sub-02: ses-01 is later than ses-02; visits are taken in the order of months" in said
    assert "sub-03: one visit with scans; no slope" in said


def test_a_failed_visit_costs_that_visit_only(tmp_path):
    study = study_of_sessions(tmp_path)
    study.make_up("sub-01_ses-02_label-GM_probseg.nii.gz")
    study.set_fates({"sub-01_ses-02_label-GM_probseg.nii.gz": "fail"})
    tables = [f"results/group/{name}.tsv" for name in ("measures", "measures_visits")]
    run = study.run("--keep-going", *tables)
    [last] = [own for own in run.records if tables[1] in own.output]
    assert names(last.input) == UNITS - {"sub-01_ses-02"}
    reasons = last.params["left_out"]
    assert set(reasons["sub-01_ses-02"]) == {"t1w", "dwi", "swi", "qsm", "r2star"}
    assert all(why == "segment_t1w failed: told to fail" for why in reasons["sub-01_ses-02"].values())
    assert reasons["sub-01_ses-01"] == {} and reasons["sub-02_ses-02"] == {}
    assert not [own for own in run.records if tables[0] in own.output]
    assert "Failed: dwi of sub-01_ses-02" in run.said
    assert "results/logs/segment_t1w/sub-01_ses-02.log" in run.said


def test_a_failed_baseline_makes_the_next_visit_the_baseline(tmp_path):
    study = study_of_sessions(tmp_path)
    study.make_up("sub-01_ses-01_label-GM_probseg.nii.gz")
    study.set_fates({"sub-01_ses-01_label-GM_probseg.nii.gz": "fail"})
    table = "results/group/measures.tsv"
    run = study.run("--keep-going", table)
    [last] = [own for own in run.records if table in own.output]
    assert names(last.input) == {"sub-01_ses-02", "sub-02_ses-02", "sub-03_ses-01"}


def test_a_baseline_is_named(tmp_path):
    study = study_of_sessions(tmp_path, visits={"baseline": "1"})
    wiring = study.wiring("results/group/measures.tsv")
    [(taken, _)] = [own for job, own in wiring.items() if job.rule == "gather_measures"]
    assert names(taken) == {"sub-01_ses-01", "sub-02_ses-01", "sub-03_ses-01"}
    study.config["visits"] = {"baseline": "ses-09"}
    refused = study.run()
    assert "visits.baseline: the scans have no session 'ses-09'; did you mean" in refused.said


def test_sessions_are_not_measured_unasked(tmp_path):
    study = study_of_sessions(tmp_path)
    study.config.pop("visits")
    refused = study.run()
    assert refused.returncode != 0
    assert "set t1w.pattern so that one matches (or set visits, to measure every session)" in refused.said


def test_a_session_of_the_table_is_matched_however_it_is_written(tmp_path):
    study = study_of_sessions(tmp_path, visits={"table": "visits.tsv"})
    (tmp_path / "visits.tsv").write_text(
        "participant_id\tsession_id\tmonths\tscanner\n"
        "sub-01\t1\t0\tA\nsub-01\t2\t6\tB\nsub-01\t3\t6\tB\nsub-02\t1\t0\tA\nsub-02\t5\t3\tA\n"
    )
    done = study.run("--dry-run")
    said = done.said
    assert done.returncode == 0, said[-2000:]
    assert "sub-02: ses-5 is in the visits table and has no scans" in said
    assert "ses-02 has scans and is not in the visits table; it has no months and is in no slope" in said
    assert "sub-01: ses-02 and ses-03 are at the same time; both are used" in said
    assert "sub-01: the scanner changes between visits (ses-01 A, ses-02 B, ses-03 B)" in said


def test_a_visit_without_a_t1w_image_is_told_and_nothing_else_is_lost(tmp_path):
    study = study_of_sessions(tmp_path)
    (study.bids / "sub-02/anat").mkdir()
    next((study.bids / "sub-01/ses-02/anat").glob("*T1w.nii.gz")).rename(study.bids / "sub-02/anat/sub-02_T1w.nii.gz")
    plan = study.plan("results/group/measures_visits.tsv")
    made = {job.wildcards for job in plan if job.rule == "collect_measures"}
    assert made == units(UNITS - {"sub-01_ses-02"})
    said = study.run("--dry-run").said
    assert "t1w: 5 of 6 visits; without: sub-01_ses-02 (no file in the dataset)" in said
    assert "sub-01_ses-02 (the T1w image cannot be used: no file in the dataset)" in said
    assert "sub-02: images outside of the folders ses-* are not used" in said


def test_the_t1w_image_of_another_visit_is_used_if_asked_for_and_told(tmp_path):
    study = study_of_sessions(tmp_path, visits={"t1w_from": "nearest"})
    next((study.bids / "sub-01/ses-02/anat").glob("*T1w.nii.gz")).unlink()
    wiring = study.wiring("results/group/measures_visits.tsv")
    assert {job.wildcards for job in wiring if job.rule == "extract_cst"} == units(UNITS - {"sub-01_ses-03"})
    given, _ = wiring[Job("preprocess_t1w", "subject=01, session=02")]
    assert "bids/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz" in given
    study.make_up("sub-01_ses-02_measures.tsv", "sub-01_ses-02_desc-gradients_ranking.tsv")
    run = study.run("results/sub-01/ses-02/sub-01_ses-02_measures.tsv")
    assert "not counted: sub-01_ses-02 (no T1w image; that of ses-01 locates the other scans)" in run.said
    [collected] = [own for own in run.records if own.job.rule == "collect_measures"]
    [checked] = [own for own in run.records if own.job.rule == "check_gradients"]
    assert checked.params["suggestion"] == "results/sub-01/ses-02/dwi/sub-01_ses-02_desc-suggested_dwi.bvec"
    assert collected.params["excluded"] == {"t1w": "no T1w image; that of ses-01 locates the other scans"}


def test_a_pattern_that_matches_no_t1w_image_of_any_visit_is_refused(tmp_path):
    study = study_of_sessions(tmp_path, t1w={"pattern": "anat/*_MPRAGE.nii.gz"})
    refused = study.run("--dry-run")
    assert refused.returncode != 0
    assert "nobody has t1w: no file matches anat/*_MPRAGE.nii.gz in any participant's folder" in refused.said
    study.config["dwi"] = {"without_t1w": True}
    assert study.run("--dry-run").returncode == 0


def test_scans_outside_of_sessions_are_refused_where_visits_are_asked_for(tmp_path):
    make_dataset(tmp_path / "bids")
    study = StubStudy(tmp_path, {"modalities": ["t1w", "dwi"], "visits": {}})
    refused = study.run("--dry-run")
    assert refused.returncode != 0
    assert "sub-01_T1w.nii.gz lies in no folder ses-*, and visits asks for sessions" in refused.said


def test_a_person_whose_visits_cannot_be_aligned_keeps_all_else(tmp_path):
    study = study_of_sessions(tmp_path)
    study.make_up("sub-01_desc-midway_T1w.nii.gz")
    study.set_fates({"sub-01_desc-midway_T1w.nii.gz": "fail"})
    table = "results/group/measures_visits.tsv"
    run = study.run("--keep-going", table)
    [last] = [own for own in run.records if table in own.output]
    assert names(last.input) == UNITS
    within = {Path(path).name for path in last.input if "desc-within" in path}
    assert within == {"sub-02_desc-within_measures.tsv"}
    assert "Done: 5 of 6 visits with t1w, dwi, swi, qsm" in run.said
    assert "Failed: within of sub-01 (align_visits failed: told to fail)" in run.said
    assert "of sub-01 (not in the dataset)" not in run.said


FA = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1", "n_voxels": 9, "status": "ok"}
VOLUME = FA | {"modality": "t1w", "measure": "volume", "region": "gm", "hemi": "both", "unit": "ml"}
WITHIN = VOLUME | {"measure": "volume_within", "value": 600.0}
TABLES = ("gather_measures", "gather_visits")


def gather(study: StubStudy, fa: dict[str, float], volume: dict[str, float], *made: str) -> Path:
    """Folder of the group's tables, made by the real scripts of each unit's FA and volume."""
    study.make_up("measures.tsv", "measures_visits.tsv")
    for unit, ml in volume.items():
        own = [VOLUME | {"value": ml}, *([FA | {"value": fa[unit]}] if unit in fa else [])]
        path = study.results / folder_of(unit) / f"{unit}_measures.tsv"
        stamp = path.stat().st_mtime
        write_table(pd.DataFrame(own), path, digits=17)
        os.utime(path, (stamp, stamp))
    for path in study.results.glob("sub-*/anat/*_desc-within_measures.tsv"):
        stamp = path.stat().st_mtime
        own = [unit.split("_") for unit in volume if unit.startswith(path.name.split("_")[0])]
        rows = [WITHIN | {"participant_id": who, "session": session} for who, session in own]
        write_table(pd.DataFrame(rows), path, digits=17)
        os.utime(path, (stamp, stamp))
    for name in TABLES:
        shutil.copy(running.ROOT / "scripts" / f"{name}.py", study.root / "scripts")
    study.finish(*(f"results/group/{name}" for name in made))
    return study.results / "group"


def test_tables_of_one_time_are_those_of_a_study_of_the_baseline_alone(tmp_path):
    fa = {unit: 0.3 + n / 7 for n, unit in enumerate(sorted(UNITS - {"sub-01_ses-03"}))}
    volume = {unit: 500 + n / 3 for n, unit in enumerate(sorted(UNITS))}
    config = {"modalities": ["t1w", "dwi"]}
    every = study_of_sessions(tmp_path / "every", **config)
    tables = gather(every, fa, volume, "measures.tsv", "measures_visits.tsv")
    make_dataset(tmp_path / "first/bids")
    alone = [{unit[:6]: own[unit] for unit in BASELINE} for own in (fa, volume)]
    first = gather(StubStudy(tmp_path / "first", config), *alone, "measures.tsv")
    for name in ("measures", "measures_wide", "participants"):
        for ending in ("tsv", "json"):
            assert (tables / f"{name}.{ending}").read_bytes() == (first / f"{name}.{ending}").read_bytes(), name

    rows = read_table(tables / "measures_visits.tsv")
    assert len(rows) == 3 * len(UNITS)
    within = rows[rows["measure"] == "volume_within"].set_index(["participant_id", "session"])["value"]
    assert within.notna().sum() == len(UNITS) - 1 and np.isnan(within["sub-03", "ses-01"])  # one visit has no other
    visits = rows[rows["measure"] == "fa"].set_index(["participant_id", "session"])
    assert visits["months"].to_dict() == {
        (who, f"ses-{label}"): months
        for who, labels in SEEN.items()
        for label, months in zip(labels, MONTHS[who], strict=True)
    }
    assert visits.loc[("sub-02", "ses-01"), "value"] == fa["sub-02_ses-01"]
    lacking = visits.loc[("sub-01", "ses-03")]
    assert np.isnan(lacking["value"]) and lacking["status"] == "no file in the dataset"
