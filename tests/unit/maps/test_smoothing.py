"""A map in template space, over its tissue."""

import numpy as np
import pytest

from mndmri.grids import resampled_grid
from mndmri.maps.smoothing import smooth_map
from mndmri.registration.transforms import make_field
from tests.unit.maps.test_measures import Head


@pytest.fixture(scope="module")
def head() -> Head:
    return Head()


def test_other_tissue_has_no_part_in_a_smoothed_map_and_the_scale_divides_it(head):
    image = head.image(head.flat(40.0, 10.0))
    # white matter alone, less its rim, where voxels hold both
    core = head.image(1.0 * (head.wm.get_fdata() > 0.99))
    grid = resampled_grid(head.grid, 4.0)
    smoothed, share = smooth_map(image, core, grid, to_t1w=[head.still], to_map=[head.still], fwhm_mm=6, scale=20.0)
    deep = share.get_fdata() > 0.3
    assert deep.sum() > 500
    np.testing.assert_allclose(np.median(smoothed.get_fdata()[deep]), 2.0, rtol=1e-3)
    assert np.isnan(smoothed.get_fdata()[0, 0, 0])


def test_a_map_is_taken_from_where_its_transform_leads(head):
    values = np.where(head.wm.get_fdata() > 0.5, 5.0, 0)
    values[: head.grid.shape[0] // 2] *= 2
    moved = make_field(np.broadcast_to([20.0, 0, 0], (*head.grid.shape, 3)), head.grid)
    options = {"to_t1w": [head.still], "fwhm_mm": 4}
    there, _ = smooth_map(head.image(values), head.wm, head.grid, to_map=[head.still], **options)
    aside, _ = smooth_map(head.image(values), head.wm, head.grid, to_map=[moved], **options)
    place = (24, 38, 31)  # 15 mm left of the middle: by the second transform it lies right of it
    assert there.get_fdata()[place] == pytest.approx(10, abs=0.1)
    assert aside.get_fdata()[place] == pytest.approx(5, abs=0.1)
