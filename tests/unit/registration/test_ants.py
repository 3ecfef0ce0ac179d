import subprocess
import sys

import numpy as np
import pytest

from mndmri.registration.ants import read_affine, write_transform

ITK = """#Insight Transform File V1.0
#Transform 0
Transform: AffineTransform_double_3_3
Parameters: {parameters}
FixedParameters: {centre}
"""


def test_a_shift_in_itks_axes_is_the_other_way_along_x_and_y(tmp_path):
    path = tmp_path / "shift.txt"
    path.write_text(ITK.format(parameters="1 0 0 0 1 0 0 0 1 5 7 -3", centre="0 0 0"))
    np.testing.assert_allclose(read_affine(str(path)), [[1, 0, 0, -5], [0, 1, 0, -7], [0, 0, 1, -3], [0, 0, 0, 1]])


def test_a_turn_in_itks_axes_about_its_centre(tmp_path):
    """A quarter turn that takes left to posterior leaves its centre, (10, 20, 30) in ITK's axes, where it is."""
    path = tmp_path / "turn.txt"
    path.write_text(ITK.format(parameters="0 -1 0 1 0 0 0 0 1 0 0 0", centre="10 20 30"))
    matrix = read_affine(str(path))
    np.testing.assert_allclose(matrix @ [-10, -20, 30, 1], [-10, -20, 30, 1], atol=1e-12)
    np.testing.assert_allclose(matrix @ [-11, -20, 30, 1], [-10, -21, 30, 1], atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_written_for_ants_is_read_again(tmp_path, seed):
    matrix = np.eye(4)
    matrix[:3] += np.random.default_rng(seed).normal(0, 0.1, (3, 4)) * [1, 1, 1, 100]
    np.testing.assert_allclose(read_affine(write_transform(matrix, tmp_path / "affine")), matrix, atol=1e-5)


def test_ants_comes_without_its_plots_and_models_and_leaves_nothing_empty_behind():
    program = """
import sys
from mndmri.registration.ants import load_ants
ants = load_ants()
assert not {"matplotlib", "sklearn", "statsmodels", "scipy.stats", "requests"} & set(sys.modules), "loaded for nothing"
assert "ants.learn" not in sys.modules
import requests, statsmodels.api
from scipy import stats
assert stats.norm.ppf(0.5) == 0 and requests.get and statsmodels.api.OLS
assert ants.registration and ants.n4_bias_field_correction
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
