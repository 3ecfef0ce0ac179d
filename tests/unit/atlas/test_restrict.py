"""Regions cut out of an atlas are the same regions."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.regions import restrict
from mndmri.io import load_image, save_image
from mndmri.registration.transforms import sample_points

AFFINE = np.array([[-2.0, 0, 0, 40], [0, 2.0, 0, -50], [0, 0, 2.0, -30], [0, 0, 0, 1]])
TABLE = pd.DataFrame({"index": range(4), "region": ["a", "b", "a", "empty"], "hemi": ["L", "L", "R", "L"]})


@pytest.fixture(params=["in memory", "in a file"])
def atlas(request, tmp_path):
    rng, data = np.random.default_rng(3), np.zeros((40, 50, 30, 4), np.float32)
    data[5:9, 10:20, 7:8, 0] = rng.integers(1, 100, (4, 10, 1)) / 100
    data[0:3, 47:50, 20:29, 1] = 0.5
    data[20:24, 12:22, 3:9, 2] = rng.integers(1, 100, (4, 10, 6)) / 100
    image = nb.Nifti1Image(data, AFFINE)
    if request.param == "in a file":
        save_image(image, tmp_path / "atlas.nii", dtype="uint8", scale=0.01)
        image = load_image(tmp_path / "atlas.nii")
    return image


@pytest.mark.parametrize("regions", [["a"], ["b", "a"], ["b", "empty"]])
def test_a_box_has_the_values_of_the_whole_at_every_point(atlas, regions):
    whole, table = restrict(atlas, TABLE, regions)
    box, same = restrict(atlas, TABLE, regions, boxed=True)
    pd.testing.assert_frame_equal(table, same)
    points = np.random.default_rng(5).uniform([-45, -55, -35], [45, 55, 35], (20_000, 3))
    expected = sample_points(whole, points)
    assert expected.any()
    np.testing.assert_allclose(sample_points(box, points), expected, atol=1e-6)
    assert np.asarray(box.dataobj).sum(dtype=float) == np.asarray(whole.dataobj).sum(dtype=float)


def test_a_box_is_as_large_as_its_regions_and_no_larger(atlas):
    assert restrict(atlas, TABLE, ["a"])[0].shape == (40, 50, 30, 2)
    assert restrict(atlas, TABLE, ["a"], boxed=True)[0].shape == (23, 16, 10, 2)  # 3 to 25, 8 to 23, 1 to 10
    assert restrict(atlas, TABLE, ["empty"], boxed=True)[0].shape == (40, 50, 30, 1)
