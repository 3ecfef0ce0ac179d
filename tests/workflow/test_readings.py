"""Ratings and decisions in a whole study: told at the start, and who is in which table."""

import re

import pandas as pd
import pytest

from mndmri.tables.cases import number_cases
from tests.workflow.stubs import THREE_ECHOES, Job, StubStudy, add_gradient_echo, make_dataset

PEOPLE = tuple(f"sub-{n:02d}" for n in range(1, 7))
CASES = number_cases(PEOPLE, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six people with everything, and files of two readers."""
    folder = tmp_path_factory.mktemp("readings")
    make_dataset(folder / "bids", PEOPLE)
    for who in PEOPLE:
        add_gradient_echo(folder / "bids", who, *THREE_ECHOES)
    rows = [
        (CASES["sub-01"], "swi", "exclude", "motion", "AB"),
        (CASES["sub-01"], "swi", "keep", "", "CD"),
        (CASES["sub-02"], "dwi", "exclude", "truncated", "AB"),
        (CASES["sub-03"], "t1w", "exclude", "artefact", "AB"),
        (CASES["sub-04"], "all", "exclude", "stroke", "AB"),
    ]
    save(folder / "decisions.tsv", ["case", "modality", "decision", "reason", "rater"], rows)
    save(
        folder / "ratings.tsv",
        ["case", "rater", "region", "hemi", "rating"],
        [(CASES["sub-01"], "AB", "leg", "L", 2)],
    )
    save(folder / "bad.tsv", ["case", "rater", "region", "hemi", "rating"], [(7, "AB", "leg", "L", 2)])
    save(
        folder / "half.tsv",
        ["case", "modality", "decision", "reason", "rater"],
        [(CASES["sub-05"], "swi", "exclude", "", "AB")],
    )
    return folder


def save(path, columns, rows):
    pd.DataFrame(rows, columns=columns).to_csv(path, sep="\t", index=False)


@pytest.fixture
def study(folder):
    """Function that makes the study with keys of the config."""
    return lambda **keys: StubStudy(folder, {"modalities": ["t1w", "dwi", "swi"], **keys})


def people(paths):
    return {who for path in paths for who in re.findall(r"results/(sub-\d\d)/", path)}


def test_excluded_scans_are_in_no_group_table_and_in_no_map_and_are_still_computed(study):
    wiring = study(decisions="decisions.tsv", ratings=["ratings.tsv"]).wiring()
    taken = {job.rule if job.rule != "compare_maps" else job.wildcards: own for job, (own, _) in wiring.items()}
    of_dwi, of_t1w = (
        [path for path in taken["gather_profiles"] if path.endswith(f"_desc-{name}_profile.tsv")]
        for name in ("cst", "t1w")
    )
    assert people(of_dwi) == {"sub-01", "sub-05", "sub-06"}
    assert people(of_t1w) == {"sub-01", "sub-02", "sub-05", "sub-06"}
    # of sub-01 the susceptibility stays, of which the strip is made as well
    assert people(taken["gather_strips"]) == {"sub-01", "sub-02", "sub-05", "sub-06"}
    assert people(taken["maps=vbm"]) == {"sub-01", "sub-02", "sub-05", "sub-06"}
    assert people(taken["maps=fa"]) == {"sub-01", "sub-05", "sub-06"}
    # the mask of the SWI maps is made of grey matter of those whose SWI is compared
    assert people(taken["maps=swi"]) == {"sub-02", "sub-05", "sub-06"}
    assert people(taken["gather_measures"]) == set(PEOPLE) - {"sub-04"}
    assert people(taken["gather_readers"]) == set(PEOPLE) - {"sub-04"}
    for rule in ("draw_participant", "measure_swi", "extract_cst", "draw_reader"):
        assert {job.wildcards for job in wiring if job.rule == rule} == {
            f"subject={who[4:]}" for who in set(PEOPLE) - {"sub-04"}
        }
    assert "ratings.tsv" in taken["compare_raters"]


def test_first_screen_tells_who_is_not_counted_and_who_disagrees(study):
    own = study(decisions="decisions.tsv", ratings="ratings.tsv")
    said = own.run("--dry-run").said
    assert "swi: 5 of 5; not counted: sub-01 (excluded by reader: motion (AB))" in said
    assert "sub-03 (the T1w image is excluded by reader: artefact (AB))" in said
    assert "Note: sub-04 excluded: by reader: stroke (AB)" in said
    assert "raters disagree on swi of sub-01: CD keep it" in said
    assert "ratings of AB: 1 participant, 1 of them not complete" in said


def test_all_that_is_wrong_with_the_files_is_one_list(study):
    run = study(decisions=["half.tsv", "gone.tsv"], ratings="bad.tsv").run("--dry-run")
    assert run.returncode != 0
    assert "3 problems with the study's input" in run.said
    for part in (
        "half.tsv, row 2: excludes swi of sub-05 without a reason",
        "decisions: no such file or folder gone.tsv",
        "bad.tsv: case 7 is in no reader_key.tsv",
    ):
        assert part in run.said


def test_without_ratings_nothing_is_compared_and_every_case_has_its_number(study):
    wiring = study().wiring()
    assert not [job for job in wiring if job.rule == "compare_raters"]
    assert wiring[Job("gather_readers", "")][1][0].endswith("reader/cohort.html")


def test_a_modality_that_readers_exclude_in_everybody_is_in_no_table_and_the_rest_goes_on(study, folder):
    rows = [(CASES[who], "dwi", "exclude", "artefact", "AB") for who in PEOPLE]
    save(folder / "no_dwi.tsv", ["case", "modality", "decision", "reason", "rater"], rows)
    wiring = study(decisions="no_dwi.tsv").wiring()
    rules = {job.rule for job in wiring}
    assert {"write_report", "extract_cst"} <= rules
    [(profiles, _)] = [own for job, own in wiring.items() if job.rule == "gather_profiles"]
    assert all("_desc-t1w_profile.tsv" in path for path in profiles)


def test_a_scan_that_is_excluded_has_no_part_in_the_limits_protocol(study):
    wiring = study(decisions="decisions.tsv").wiring()
    [taken] = [own for job, (own, _) in wiring.items() if job.rule == "gather_measures"]
    described = {path for path in taken if path.endswith("_swi.json") or "desc-normalised" in path}
    assert people(described) == {"sub-02", "sub-05", "sub-06"}


def test_a_study_without_anybody_to_make_its_template_of_is_told(study, folder):
    rows = [(CASES[who], "t1w", "exclude", "artefact", "AB") for who in PEOPLE]
    save(folder / "no_t1w.tsv", ["case", "modality", "decision", "reason", "rater"], rows)
    run = study(decisions="no_t1w.tsv", t1w={"template": "study"}).run("--dry-run")
    assert run.returncode != 0
    assert "no T1w image is left to make the study's template of; set it to mni" in run.said
