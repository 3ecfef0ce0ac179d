"""What all tests share, and which of the slow ones are run, for how long."""

import os
from pathlib import Path

import pytest

from tests.turns import Deadline, turn

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser):
    parser.addoption("--unit-seconds", type=float, help="a unit test that takes longer fails")
    parser.addoption("--day", type=int, help="the slow tests whose turn it is on this day of the year, no others")
    parser.addoption("--minutes", type=float, help="what has not ended by then is skipped")


def pytest_configure(config):
    minutes = config.getoption("minutes")
    if minutes is not None:
        config.pluginmanager.register(Deadline(minutes))


def pytest_collection_modifyitems(config, items):
    """Limit the time of unit tests, and keep the slow tests of a day: whole files, whose tests share what they made."""
    seconds = config.getoption("unit_seconds")
    for item in items if seconds else ():
        if item.path.is_relative_to(ROOT / "tests/unit"):
            item.add_marker(pytest.mark.timeout(seconds), append=True)
    day = config.getoption("day")
    if day is None:
        return
    slow: dict[Path, list] = {}
    for item in items:
        if item.get_closest_marker("slow"):
            slow.setdefault(item.path, []).append(item)
    kept = [item for path in turn(sorted(slow), day) for item in slow[path]]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real scans, which are no part of the project; without it the test is skipped."""
    folder = Path(os.environ.get("MNDMRI_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real scans in {folder}; set MNDMRI_REAL_DATA to the folder that holds them")
    return folder
