"""Which jobs a gradient-echo scan asks for, by the images it has."""

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

MAPPED = ("map_susceptibility", "measure_qsm")


@pytest.fixture
def add(dataset):
    """Function that gives a participant images of a gradient-echo scan."""

    def write(who: str, *names: str) -> None:
        for name in names:
            path = Path(dataset["bids_dir"], who, "anat", f"{who}_{name}")
            data = np.random.default_rng(1).uniform(1, 3, (8, 9, 10)).astype(np.float32)
            nb.save(nb.Nifti1Image(data, np.diag([1, 1, 2, 1])), path.with_suffix(".nii.gz"))
            path.with_suffix(".json").write_text(json.dumps({"EchoTime": 0.01, "MagneticFieldStrength": 3}))

    return write


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
def test_a_scan_is_weighted_and_mapped_as_far_as_its_images_go(snakemake, dataset, add, names, rules):
    add("sub-02", *names)
    run = snakemake(dataset | {"modalities": ["t1w", "dwi", "swi"]}, "-n")
    assert planned(run, "sub-02") == rules
    assert planned(run, "sub-01") == set()


def test_stored_norms_are_planned_with_and_missing_ones_are_refused(snakemake, dataset, add, tmp_path):
    add("sub-02", "swi")
    norms = tmp_path / "norms.tsv"
    study = dataset | {"modalities": ["t1w", "dwi", "swi"], "swi": {"norms": str(norms)}}
    run = snakemake(study, "-n")
    assert run.returncode != 0 and "swi.norms: no such file" in run.stdout + run.stderr
    norms.write_text("region")
    assert "motor_band_cutoffs.tsv" in snakemake(study, "-n").stdout


def test_an_unwrapper_that_is_not_installed_is_refused_at_the_start(snakemake, dataset):
    run = snakemake(dataset | {"qsm": {"unwrapper": "romeo"}}, "-n")
    assert run.returncode != 0
    assert "pip install warpkit" in run.stdout + run.stderr
