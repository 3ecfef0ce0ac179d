"""What all tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real scans, which are no part of the project; without it the test is skipped."""
    folder = Path(os.environ.get("MNDMRI_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real scans in {folder}; set MNDMRI_REAL_DATA to the folder that holds them")
    return folder
