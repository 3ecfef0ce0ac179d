"""What all tests share, and which of the long ones are run, for how long."""

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser):
    parser.addoption("--third", type=int, choices=(0, 1, 2), help="slow tests of every third file, no others")
    parser.addoption("--minutes", type=float, help="what has not ended by then is skipped")


def pytest_collection_modifyitems(config, items):
    """Keep the slow tests of a third of the files: a file's tests share what they made."""
    third = config.getoption("third")
    if third is None:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    files = sorted({item.path for item in slow})
    kept = [item for item in slow if files.index(item.path) % 3 == third]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


class Deadline:
    """Plugin that skips what has not ended in time, and says so."""

    def __init__(self, minutes: float):
        self.reason = f"out of time: {minutes:g} minutes are over"
        self.over = self.inside = False
        signal.signal(signal.SIGALRM, self.ring)
        signal.setitimer(signal.ITIMER_REAL, 60 * minutes)

    def ring(self, *_):
        self.over = True
        if self.inside:
            pytest.skip(self.reason)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self):
        return (yield from self.limited())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self):
        return (yield from self.limited())

    def limited(self):
        if self.over:
            pytest.skip(self.reason)
        self.inside = True
        try:
            return (yield)
        finally:
            self.inside = False


def pytest_configure(config):
    minutes = config.getoption("minutes")
    if minutes is not None:
        config.pluginmanager.register(Deadline(minutes))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real scans, which are no part of the project; without it the test is skipped."""
    folder = Path(os.environ.get("MNDMRI_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real scans in {folder}; set MNDMRI_REAL_DATA to the folder that holds them")
    return folder
