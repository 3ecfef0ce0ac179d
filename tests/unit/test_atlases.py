"""Every region lies on the side of its name, and reference white matter in its lobe."""

import numpy as np
import pytest

from mndmri.atlases import build_atlas
from mndmri.grids import world_coordinates


@pytest.fixture(scope="module")
def centres():
    """Centre of mass of every region, mm."""
    image, table = build_atlas()
    xyz = world_coordinates(image)
    data = np.asarray(image.dataobj)
    return {
        (entry.region, entry.hemi): np.average(xyz[inside], axis=0, weights=data[..., entry.index][inside])
        for entry in table.itertuples()
        for inside in [data[..., entry.index] > 0]
    }


def test_left_regions_are_left_and_right_ones_right(centres):
    for (region, hemi), centre in centres.items():
        if hemi == "both":
            assert abs(centre[0]) < 2, region
        else:
            assert (centre[0] < 0) == (hemi == "L"), (region, hemi)


def test_reference_white_matter_is_in_front_and_behind(centres):
    for hemi in "LR":
        assert centres["frontal_wm", hemi][1] > 20
        assert centres["occipital_wm", hemi][1] < -60
