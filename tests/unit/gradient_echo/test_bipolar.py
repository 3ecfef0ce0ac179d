"""Echoes that are read forwards and backwards in turn."""

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from mndmri.gradient_echo.bipolar import undo_readout_alternation

SHAPE, TIMES = (24, 30, 18), [0.005, 0.010, 0.015, 0.020, 0.025]
AFFINE = np.array([[-1.1, 0.1, 0, 5], [0.1, 1.2, 0.2, -3], [0, -0.2, 2.0, 1], [0, 0, 0, 1]])


@pytest.fixture
def scan():
    """Magnitude, phases without the term (radians, unwrapped) and a field with slopes of many turns."""
    rng = np.random.default_rng(3)
    field_hz = 300 * ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2)
    field_hz += 4.0 * np.arange(SHAPE[1])[:, None]
    offset = 2 * ndimage.gaussian_filter(rng.standard_normal(SHAPE), 6)
    inside = np.zeros(SHAPE)
    inside[4:-4, 5:-5, 3:-3] = 1
    magnitude = [inside * np.exp(-time / 0.03) for time in TIMES]
    return magnitude, [offset + 2 * np.pi * field_hz * time for time in TIMES]


def images(arrays):
    return [nb.Nifti1Image(np.asarray(own, np.float32), AFFINE) for own in arrays]


def wrapped(phase):
    return np.angle(np.exp(1j * np.asarray(phase)))


def noisy(magnitude, phase, sd, seed=5):
    rng = np.random.default_rng(seed)
    signal = [m * np.exp(1j * p) for m, p in zip(magnitude, phase, strict=True)]
    signal = [s + sd * (rng.standard_normal(SHAPE) + 1j * rng.standard_normal(SHAPE)) for s in signal]
    return [np.abs(s) for s in signal], [np.angle(s) for s in signal]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("slope", [0.12, -0.3])
def test_a_term_along_any_axis_is_taken_out_with_its_sign(scan, axis, slope):
    magnitude, phase = scan
    term = 0.4 + slope * np.indices(SHAPE)[axis]
    alternating = [p + (term if number % 2 == 0 else -term) for number, p in enumerate(phase)]
    seen, stored = noisy(magnitude, alternating, 0.02)
    corrected, found = undo_readout_alternation(images(seen), images(stored), echo_times_s=TIMES)
    expected = np.zeros(3)
    expected[axis] = slope
    assert found.slope_rad == pytest.approx(expected, abs=0.003)
    inside = magnitude[0] > 0
    for image, right in zip(corrected, phase, strict=True):
        left = wrapped(image.get_fdata() - right)[inside]
        # a quarter turn that alternates cannot be distinguished from none
        left = wrapped(4 * left) / 4
        assert np.sqrt(np.mean(left**2)) < 0.12


def test_echoes_read_in_one_direction_stay_as_they_are(scan):
    magnitude, phase = scan
    seen, stored = noisy(magnitude, phase, 0.05)
    given = images(stored)
    corrected, found = undo_readout_alternation(images(seen), given, echo_times_s=TIMES)
    assert found is None
    assert all(one is other for one, other in zip(corrected, given, strict=True))


@pytest.mark.parametrize("times", [[0.005, 0.010], [0.005, 0.010, 0.020], [0.010, 0.005, 0.015]])
def test_echoes_that_cannot_tell_stay_as_they_are(scan, times):
    magnitude, phase = scan
    n = len(times)
    given = images([wrapped(p + (-1) ** number * 0.1 * np.arange(18)) for number, p in enumerate(phase[:n])])
    corrected, found = undo_readout_alternation(images(magnitude[:n]), given, echo_times_s=times)
    assert found is None
    assert corrected == given


def test_noise_alone_has_no_term():
    rng = np.random.default_rng(1)
    magnitude = images(np.abs(rng.standard_normal((5, *SHAPE))))
    _, found = undo_readout_alternation(magnitude, images(rng.uniform(-np.pi, np.pi, (5, *SHAPE))), echo_times_s=TIMES)
    assert found is None
