"""Which jobs the T1w branch plans, by what the study has and asks for."""

from pathlib import Path

import pytest

from tests.workflow.stubs import add_contrast


def count(run, rule: str) -> int:
    """Jobs of a rule that are planned."""
    assert run.returncode == 0, run.stdout + run.stderr
    rows = [line.split() for line in (run.stdout + run.stderr).splitlines()]
    return max((int(row[1]) for row in rows if len(row) == 2 and row[0] == rule and row[1].isdigit()), default=0)


@pytest.fixture
def t1w_only(dataset):
    return dataset | {"modalities": ["t1w"]}


def test_everybody_has_thickness_signal_and_a_place_in_the_maps(snakemake, t1w_only):
    run = snakemake(t1w_only)
    assert [count(run, rule) for rule in ("measure_thickness", "measure_map", "compare_maps")] == [3, 3, 2]
    assert count(run, "align_to_study") == 0


def test_signal_is_measured_on_the_contrasts_that_a_participant_has(snakemake, dataset):
    add_contrast(Path(dataset["bids_dir"]), "sub-02", "FLAIR")
    run = snakemake(dataset | {"modalities": ["t1w", "flair"]})
    assert count(run, "measure_map") == 4
    assert "logs/measure_map/sub-02_flair.log" in run.stdout + run.stderr


def test_a_study_s_own_template_is_made_in_rounds_of_everybody(snakemake, t1w_only):
    run = snakemake(t1w_only | {"t1w": {"template": "study"}})
    planned = [count(run, rule) for rule in ("align_to_study", "average_study", "register_study", "register_t1w")]
    assert planned == [9, 3, 1, 3]


def test_tables_of_a_surface_program_take_the_place_of_our_thickness(snakemake, t1w_only):
    columns = "# ColHeaders StructName NumVert SurfArea GrayVol ThickAvg ThickStd MeanCurv GausCurv FoldInd CurvInd\n"
    gyri = ["precentral", "paracentral", "postcentral", "superiorfrontal"]
    gyri += ["caudalmiddlefrontal", "rostralmiddlefrontal"]
    for who in ("sub-01", "sub-02", "sub-03"):
        for side in ("lh", "rh"):
            rows = "".join(f"{gyrus} 5000 3000 9000 2.5 0.5 0.1 0.02 40 4\n" for gyrus in gyri)
            text = f"# subjectname {who}\n# hemi {side}\n{columns}{rows}"
            Path(t1w_only["bids_dir"], who, f"anat/{side}.aparc.stats").write_text(text)
    study = t1w_only | {"t1w": {"surface_stats_pattern": "anat/*.aparc.stats"}}
    assert count(snakemake(study), "measure_thickness") == 0
    Path(t1w_only["bids_dir"], "sub-02/anat/rh.aparc.stats").unlink()
    run = snakemake(study)
    assert run.returncode != 0 and "sub-02: 1 tables match t1w.surface_stats_pattern" in run.stdout + run.stderr


def test_a_head_template_that_is_not_there_is_refused(snakemake, t1w_only):
    own = {"image": "head.nii.gz", "mask": "mask.nii.gz"}
    run = snakemake(t1w_only | {"t1w": {"brain_extraction": "template", "head_template": own}})
    assert run.returncode != 0 and "t1w.head_template: no such file head.nii.gz" in run.stdout + run.stderr


def test_where_the_t1w_image_lies_on_itself_is_not_judged_and_where_a_flair_lies_is(all_modalities):
    wiring = all_modalities().wiring()
    aligned = {job.wildcards.split("map=")[1]: taken for job, (taken, _) in wiring.items() if job.rule == "align_map"}
    tissue = {name: [path for path in taken if "_probseg" in path] for name, taken in aligned.items()}
    assert {name: len(own) for name, own in tissue.items()} == {"t1w": 0, "flair": 3}
    for rule, shown in (
        ("collect_measures", "maps/*_desc-{}_qc.tsv"),
        ("draw_participant", "maps/*_desc-{}_map.nii.gz"),
    ):
        taken = {path for job, (own, _) in wiring.items() if job.rule == rule for path in own}
        found = {name for name in aligned if any(Path(path).match(shown.format(name)) for path in taken)}
        assert found == {"flair"}
