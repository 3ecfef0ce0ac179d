"""A cohort in which nothing was planted."""

import pytest

from tests.e2e.cohorts import primary
from tests.running import finish

pytestmark = [pytest.mark.demo, pytest.mark.slow]


def test_a_cohort_without_effects_shows_none(study):
    folder, config = study("null", effects={}, groups={"ALS": 3, "PLS": 3, "control": 3}, missing={"dwi": 0, "swi": 0})
    finish(folder, config, "--cores", "2")
    rows = primary(folder / "results")
    assert len(rows) == 12
    assert (rows["p_holm"] > 0.05).all(), rows[["modality", "region", "hemi", "contrast", "estimate", "p_holm"]]
