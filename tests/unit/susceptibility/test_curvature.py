import nibabel as nb
import numpy as np
import pytest

from mndmri.grids import make_image
from mndmri.susceptibility.curvature import plate_response


def response_to(shape_of, zooms):
    """Mean response in the middle of something dark in an even block; ``shape_of`` gives where it is."""
    n = np.rint(np.array([20.0, 20.0, 20.0]) / zooms).astype(int)
    x, y, z = np.moveaxis(np.stack(np.meshgrid(*map(np.arange, n), indexing="ij"), -1) * zooms - 10.0, -1, 0)
    image = nb.Nifti1Image(np.where(shape_of(x, y, z), 0.7, 1.0).astype(np.float32), np.diag([*zooms, 1]))
    middle = shape_of(x, y, z) & (np.max(np.abs([x, y, z]), axis=0) < 5)
    found = plate_response(image, make_image(middle, image)).get_fdata()
    assert not found[~middle].any()
    return found[middle].mean()


@pytest.mark.parametrize("zooms", [(0.5, 0.5, 0.5), (0.8, 0.8, 1.5)])
def test_a_plate_answers_and_a_tube_does_not(zooms):
    plate = response_to(lambda x, y, z: np.abs(y) < 1.0, zooms)
    oblique = response_to(lambda x, y, z: np.abs(0.8 * y + 0.6 * x) < 1.0, zooms)
    tube = response_to(lambda x, y, z: np.hypot(x, y) < 1.2, zooms)
    even = response_to(lambda x, y, z: np.abs(y) < 100, zooms)
    assert plate > 0.03 and oblique > 0.03
    assert tube < 0.5 * plate
    assert even == pytest.approx(0, abs=1e-6)


def test_the_edge_of_the_brain_is_no_plate():
    data = np.ones((20, 20, 20), np.float32)
    data[:, :10] = 0
    image = nb.Nifti1Image(data, np.diag([0.8, 0.8, 1.5, 1]))
    assert plate_response(image, make_image(data > 0, image)).get_fdata().max() == pytest.approx(0, abs=1e-6)
