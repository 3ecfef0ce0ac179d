"""Slices that lost their signal, among slices that did not."""

import numpy as np

from mndmri.diffusion.outliers import find_outliers, slice_losses, worst_of_each_slice

RNG = np.random.default_rng(3)


def test_the_loss_of_a_slice_is_relative_to_its_prediction():
    slices = np.repeat([0, 1, 2], 100)
    predicted = RNG.uniform(50, 150, 300)
    observed = predicted * np.repeat([1.0, 0.4, 1.1], 100)
    losses = slice_losses(observed, predicted, slices, n_slices=4, voxel_mm2=16)
    np.testing.assert_allclose(losses[:3], [0, -0.6, 0.1])
    assert np.isnan(losses[3])


def test_a_slice_with_little_brain_is_not_judged():
    losses = slice_losses(np.ones(20), np.ones(20), np.zeros(20, int), n_slices=1, voxel_mm2=16)
    assert np.isnan(losses).all()


def test_points_that_lie_beyond_the_slices_are_left_out():
    losses = slice_losses(
        np.r_[np.ones(100), 9.0], np.ones(101), np.r_[np.zeros(100, int), -1], n_slices=1, voxel_mm2=16
    )
    np.testing.assert_allclose(losses, [0])


def test_what_is_far_below_its_prediction_is_an_outlier_and_what_is_above_is_not():
    losses = RNG.normal(0, 0.01, (20, 30))
    losses[4, 7], losses[9, 7], losses[3, 3] = -0.5, 0.5, np.nan
    assert np.argwhere(find_outliers(losses)).tolist() == [[4, 7]]


def test_a_loss_of_a_few_percent_is_none_however_even_the_others_are():
    losses = RNG.normal(0, 1e-4, (20, 30))
    losses[4, 7] = -0.05
    assert not find_outliers(losses).any()


def test_more_standard_deviations_find_fewer():
    losses = RNG.normal(0, 0.05, (20, 30))
    losses[4, 7] = -0.3
    assert find_outliers(losses, outlier_sd=4)[4, 7]
    assert not find_outliers(losses, outlier_sd=8).any()


def test_no_slice_with_brain_is_no_outlier():
    assert not find_outliers(np.full((5, 6), np.nan)).any()


def test_of_several_in_a_slice_the_worst_is_taken_first():
    losses = np.array([[-0.2, 0.0], [-0.6, -0.3], [-0.4, 0.0]])
    assert np.argwhere(worst_of_each_slice(losses < -0.1, losses)).tolist() == [[1, 0], [1, 1]]
