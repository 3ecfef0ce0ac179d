"""Volumes predicted from the others, against tensors that were made up."""

import numpy as np
import pytest

from mndmri.diffusion.gradients import Gradients, design_matrix
from mndmri.diffusion.prediction import fill_in, predict_left_out, prediction_design
from mndmri.phantom.dwi import gradient_directions

TENSOR = np.array([1.5, 0.4, 0.5, 0.1, -0.2, 0.05]) * 1e-3


def table(*shells, n=12, n_b0=2):
    bvals = np.r_[np.zeros(n_b0), np.repeat(shells, n)].astype(float)
    return Gradients(bvals, np.vstack([np.zeros((n_b0, 3)), *[gradient_directions(n)] * len(shells)]))


def signal(gradients, kurtosis=0.0):
    log = design_matrix(gradients) @ np.r_[TENSOR, np.log(1000)] + kurtosis * (gradients.bvals / 1000) ** 2
    return np.exp(log)[None]


def test_a_volume_is_predicted_without_itself():
    gradients = table(1000)
    data = signal(gradients)
    spoilt = data.copy()
    spoilt[0, 5] *= 0.2
    np.testing.assert_allclose(predict_left_out(spoilt, gradients)[0, 5], data[0, 5], rtol=1e-4)


def test_two_shells_are_predicted_although_signal_falls_less_at_high_b():
    gradients = table(1000, 2500)
    data = signal(gradients, kurtosis=0.06)
    np.testing.assert_allclose(predict_left_out(data, gradients), data, rtol=1e-3)
    assert prediction_design(gradients).shape[1] == 8
    assert prediction_design(table(1000)).shape[1] == 7


def test_what_is_missing_is_filled_in_and_the_rest_stays():
    gradients = table(1000)
    data = np.repeat(signal(gradients), 3, axis=0)
    missing = np.zeros(data.shape, bool)
    missing[1, [4, 9]] = True
    spoilt = np.where(missing, 1.0, data)
    filled = fill_in(spoilt, gradients, missing)
    np.testing.assert_allclose(filled, data, rtol=1e-4)
    np.testing.assert_array_equal(filled[~missing], spoilt[~missing].astype(np.float32))


@pytest.mark.parametrize("left", [6, 3])
def test_a_voxel_of_which_too_little_is_left_stays_as_it_is(left):
    gradients = table(1000, n_b0=1)
    data = signal(gradients)
    missing = np.zeros(data.shape, bool)
    missing[0, left:] = True
    np.testing.assert_array_equal(fill_in(data, gradients, missing), data.astype(np.float32))
