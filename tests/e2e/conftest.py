"""Whole runs on simulated cohorts, each made once for all the tests that look at it."""

import copy
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from mndmri.cohort.config import resolve_config
from mndmri.cohort.folders import mark_results
from tests.running import ROOT

HEAD = ("anatomy.nii", "centreline.tsv")


def demo_config(folder: Path, *, full: bool = False, **simulation) -> dict:
    """The demo study's config with its results in a folder, and some of the simulation's keys changed."""
    config: dict = {}
    for name in ["config.yaml"] + ["demo-full.yaml"] * full:
        update_config(config, yaml.safe_load((ROOT / "config" / name).read_text()))
    config |= {"bids_dir": str(folder / "results/sourcedata"), "output_dir": str(folder / "results")}
    config["swi"]["norms"] = str(ROOT / config["swi"]["norms"])
    config |= {"tables": [own | {"file": str(ROOT / own["file"])} for own in config.get("tables", [])]}
    config["simulation"] |= simulation
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    return resolve_config(config, schema)


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Function that makes the folder and config of a simulated study.

    The head, which takes a minute to build, is the same in all: that of a study that has run is put in place.
    """
    places: list[Path] = []

    def make(name: str, **options) -> tuple[Path, dict]:
        folder = tmp_path_factory.mktemp(name)
        config = demo_config(folder, **options)
        place = folder / "results/simulation"
        built = next((own for own in places if all((own / file).exists() for file in HEAD)), None)
        if built:
            place.mkdir(parents=True)
            for file in HEAD:
                (place / file).hardlink_to(built / file)
            mark_results(folder / "results")
        places.append(place)
        return folder, copy.deepcopy(config)

    return make
