"""Distances at some voxels are those of the whole map there."""

import numpy as np
import pytest

from mndmri.susceptibility.geometry import distance_at, distance_mm

SIZES = np.array([0.5, 0.7, 1.9])


@pytest.mark.parametrize("share", [0.001, 0.1, 0.9])
def test_distances_at_some_voxels_are_those_of_the_map(share):
    rng = np.random.default_rng(7)
    target = rng.random((18, 25, 12)) < share
    places = ~target & (rng.random(target.shape) < 0.3)
    np.testing.assert_allclose(distance_at(places, target, SIZES), distance_mm(target, SIZES)[places], atol=1e-12)


def test_what_is_nowhere_is_infinitely_far():
    nothing = np.zeros((3, 4, 5), bool)
    assert np.isinf(distance_at(~nothing, nothing, SIZES)).all()
