"""Which jobs a gradient-echo scan asks for, by the images it has."""

from pathlib import Path

import pytest

from tests.workflow.stubs import add_gradient_echo, write_band_norms

MAPPED = ("map_susceptibility", "measure_qsm")


def planned(run, who: str) -> set[str]:
    """Rules planned for a participant."""
    assert run.returncode == 0, run.stderr
    rules = ("locate_regions", *MAPPED, "map_relaxation", "measure_swi", "unfold_sulcus")
    return {rule for rule in rules if f"logs/{rule}/{who}.log" in run.stdout + run.stderr}


@pytest.mark.parametrize(
    ("names", "rules"),
    [
        (["swi"], {"locate_regions", "measure_swi", "unfold_sulcus"}),
        (["part-mag_GRE"], {"locate_regions", "measure_swi", "unfold_sulcus"}),
        (["part-mag_GRE", "part-phase_GRE"], {"locate_regions", "measure_swi", "unfold_sulcus", *MAPPED}),
        (["Chimap"], {"locate_regions", "unfold_sulcus", *MAPPED}),
        (
            [f"echo-{n}_part-mag_GRE" for n in (1, 2, 3)],
            {"locate_regions", "measure_swi", "unfold_sulcus", "map_relaxation"},
        ),
        ([], set()),
    ],
)
def test_a_scan_is_weighted_and_mapped_as_far_as_its_images_go(snakemake, dataset, names, rules):
    add_gradient_echo(Path(dataset["bids_dir"]), "sub-02", *names)
    add_gradient_echo(Path(dataset["bids_dir"]), "sub-03", "swi")  # what nobody has is refused
    run = snakemake(dataset | {"modalities": ["t1w", "dwi", "swi"]})
    assert planned(run, "sub-02") == rules
    assert planned(run, "sub-01") == set()


def test_stored_norms_are_planned_with_and_missing_ones_are_refused(snakemake, dataset, tmp_path):
    add_gradient_echo(Path(dataset["bids_dir"]), "sub-02", "swi")
    norms = tmp_path / "norms.tsv"
    study = dataset | {"modalities": ["t1w", "dwi", "swi"], "swi": {"norms": str(norms)}}
    run = snakemake(study)
    assert run.returncode != 0 and "swi.norms: no such file" in run.stdout + run.stderr
    norms.write_text("region\nprecentral_hand\n")
    refused = snakemake(study)
    assert refused.returncode != 0 and "have no column modality" in refused.stdout + refused.stderr
    write_band_norms(norms, "vendor SWI")
    planned = snakemake(study)
    assert "motor_band_cutoffs.tsv" in planned.stdout
    assert "swi.norms: scanned otherwise than the controls of the norms" in planned.stderr
    write_band_norms(tmp_path / "more.tsv", "vendor SWI", seed=2)
    several = study | {"swi": {"norms": [str(norms), str(tmp_path / "more.tsv")]}}
    assert f"{norms}, {tmp_path / 'more.tsv'}" in snakemake(several).stdout
    write_band_norms(norms, "magnitude")
    refused = snakemake(study)
    assert refused.returncode != 0
    assert "scans of the kind magnitude, the study has vendor SWI of sub-02" in refused.stdout + refused.stderr


def test_an_unwrapper_that_is_not_installed_is_refused_at_the_start(snakemake, dataset):
    run = snakemake(dataset | {"qsm": {"unwrapper": "romeo"}})
    assert run.returncode != 0
    assert "pip install warpkit" in run.stdout + run.stderr
