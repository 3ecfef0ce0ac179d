"""Small made-up datasets, and what Snakemake would do with them."""

from pathlib import Path

import pytest

from tests.running import dry_run
from tests.sharing import made_once
from tests.workflow.stubs import PEOPLE, THREE_ECHOES, StubStudy, add_contrast, add_gradient_echo, make_dataset

ALL = {"modalities": ["t1w", "dwi", "swi", "flair"]}


@pytest.fixture
def snakemake(tmp_path):
    """Function that runs Snakemake dry on a config, in a folder of its own."""
    return lambda config: dry_run(tmp_path, config)


@pytest.fixture
def dataset(tmp_path):
    """A BIDS dataset of three people that passes every check, and its config."""
    make_dataset(tmp_path / "bids")
    return {"bids_dir": str(tmp_path / "bids"), "output_dir": str(tmp_path / "results"), "modalities": ["t1w", "dwi"]}


@pytest.fixture(scope="session")
def all_modalities(tmp_path_factory):
    """Function that makes a stub study of three people with everything; a FLAIR has sub-02 alone."""

    def make() -> StubStudy:
        return study_of_all(tmp_path_factory.mktemp("stubs"))

    return make


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory):
    """That study when all its jobs have run; a test that changes anything takes a copy."""
    folder = made_once(tmp_path_factory.getbasetemp(), "finished", lambda folder: study_of_all(folder).finish())
    return StubStudy(folder, ALL)


def study_of_all(folder: Path) -> StubStudy:
    """A stub study of three people with everything in a folder; a FLAIR has sub-02 alone."""
    make_dataset(folder / "bids")
    for who in PEOPLE:
        add_gradient_echo(folder / "bids", who, *THREE_ECHOES)
    add_contrast(folder / "bids", "sub-02", "FLAIR")
    return StubStudy(folder, ALL)


@pytest.fixture
def finished(finished_study, tmp_path):
    """A finished study of three people with everything, the test's own."""
    return finished_study.copy(tmp_path / "study")
