"""The shared head, coarse, and a person who lies straight and is healthy."""

import pytest

from mndmri.phantom.anatomy import build_anatomy
from mndmri.phantom.head import Anatomy
from mndmri.phantom.plan import plan_cohort

# One person, no noise, no pose, no deformation, no motion: what is found is what was planted.
STILL = {
    "groups": {"control": 1},
    "effects": None,
    "grey_loss_per_decade": 0.0,
    "deformation_mm": 0.0,
    "head_size": 1.0,
    "head_size_sd": 0.0,
    "rotation_deg": 0.0,
    "shift_mm": 0.0,
    "between_scans": {"rotation_deg": 0.0, "shift_mm": 0.0},
    "noise": dict.fromkeys(("t1w", "dwi", "gre", "mtr", "flair", "cbf"), 0.0),
    "t1w": {"voxel_mm": 5.0, "bias": 0.0},
    "dwi": {"voxel_mm": 6.0, "motion_deg": 0.0, "motion_mm": 0.0, "field_hz": 0.0},
    "gre": {"voxel_mm": [3.0, 3.0, 4.0], "background_ppm": 0.0},
}


@pytest.fixture(scope="session")
def anatomy() -> Anatomy:
    return build_anatomy(voxel_mm=4.0)


@pytest.fixture
def still() -> dict:
    return {key: dict(value) if isinstance(value, dict) else value for key, value in STILL.items()}


@pytest.fixture
def healthy(still) -> dict:
    return plan_cohort(still).iloc[0].to_dict()
