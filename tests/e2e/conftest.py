"""Whole runs on simulated cohorts, each made once for all the tests that look at it."""

import copy
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from mndmri.cohort.config import resolve_config
from mndmri.cohort.folders import mark_results
from tests.running import ROOT, finish


def demo_config(folder: Path, *, full: bool = False, **simulation) -> dict:
    """The demo study's config with its results in a folder, and some of the simulation's keys changed."""
    config: dict = {}
    for name in ["config.yaml"] + ["demo-full.yaml"] * full:
        update_config(config, yaml.safe_load((ROOT / "config" / name).read_text()))
    config |= {"bids_dir": str(folder / "results/sourcedata"), "output_dir": str(folder / "results")}
    config["swi"]["norms"] = str(ROOT / config["swi"]["norms"])
    config["simulation"] |= simulation
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    return resolve_config(config, schema)


@pytest.fixture(scope="session")
def shared_head(tmp_path_factory) -> Path:
    """The head that all simulated cohorts share, which takes a minute to build."""
    folder = tmp_path_factory.mktemp("head")
    config = demo_config(folder)
    wanted = [f"{folder}/results/simulation/anatomy.nii", f"{folder}/results/simulation/centreline.tsv"]
    finish(folder, config, "--cores", "2", "--", *wanted)
    return folder / "results/simulation"


@pytest.fixture(scope="session")
def study(tmp_path_factory, shared_head):
    """Function that makes the folder and config of a simulated study, the shared head in place."""

    def make(name: str, **options) -> tuple[Path, dict]:
        folder = tmp_path_factory.mktemp(name)
        config = demo_config(folder, **options)
        place = folder / "results/simulation"
        place.mkdir(parents=True)
        for file in shared_head.glob("*"):
            (place / file.name).hardlink_to(file)
        mark_results(folder / "results")
        return folder, copy.deepcopy(config)

    return make
