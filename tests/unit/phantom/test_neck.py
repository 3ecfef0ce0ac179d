"""The cord of the simulated head: its area is what was asked for, in its neck alone."""

import numpy as np
import pytest

from mndmri.grids import world_coordinates
from mndmri.phantom.deformation import Head, scan_grid
from mndmri.phantom.neck import CORD_MM, add_neck

INTENSITY = {"white": 1.0, "csf": 0.25}
AREA = np.pi * np.prod(CORD_MM)


def head(voxel_mm=1.5, *, scale=1.0, tilt_deg=0.0):
    """Shared head in a scan of its neck, smaller by a scale."""
    grid = scan_grid(np.array([0.0, -45.0, -90.0]) * scale, (60, 70, 90), voxel_mm, tilt_deg=tilt_deg)
    return Head(grid, {}, (world_coordinates(grid) / scale).astype(np.float32))


@pytest.mark.parametrize("voxel_mm", [1.5, 2.5])
@pytest.mark.parametrize(("scale", "tilt"), [(1.0, 0.0), (0.9, 0.0), (1.0, 12.0)])
def test_true_area_follows_the_size_of_the_head_and_not_the_grid(voxel_mm, scale, tilt):
    own = head(voxel_mm, scale=scale, tilt_deg=tilt)
    _, area = add_neck(np.ones(own.grid.shape[:3]), own, 0.0, INTENSITY)
    assert area == pytest.approx(AREA * scale**2, rel=0.01)


def test_a_loss_takes_its_share_of_the_area():
    own = head()
    whole, less = (add_neck(np.ones(own.grid.shape[:3]), own, loss, INTENSITY)[1] for loss in (0.0, 0.2))
    assert less / whole == pytest.approx(0.8, abs=0.01)


def test_the_brain_above_the_neck_stays_as_it_is():
    own = head()
    before = np.full(own.grid.shape[:3], 0.5)
    after, _ = add_neck(before, own, 0.0, INTENSITY)
    z = own.place[..., 2]
    assert (after[z > -69] == 0.5).all()
    assert after.max() == pytest.approx(1.0) and after.min() == pytest.approx(0.25)
    assert (before == 0.5).all()
