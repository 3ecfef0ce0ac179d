import nibabel as nb
import numpy as np
import pytest

from mndmri.diffusion.brightness import doubt_table, unweighted_by_brightness, volume_medians
from mndmri.diffusion.gradients import Gradients
from mndmri.diffusion.series import mean_b0

B = np.r_[0, np.full(8, 1000.0), 0, np.full(8, 2000.0)]


def head(b=B, *, drift=0.0, scale=1.0):
    """A round head whose volumes are weighted by these b-values; the background is noise."""
    rng = np.random.default_rng(1)
    x = np.stack(np.meshgrid(*[np.arange(16) - 7.5] * 3, indexing="ij"))
    inside = np.sqrt((x**2).sum(axis=0)) < 6
    signal = 800 * np.exp(-np.asarray(b) * 0.8e-3) * (1 - drift * np.arange(len(b)) / len(b))
    return scale * (inside[..., None] * signal + rng.rayleigh(8, (16, 16, 16, len(b))))


def doubt(data, b=B):
    return doubt_table(volume_medians(data), Gradients(np.asarray(b, float), np.zeros((len(b), 3))))


def test_medians_are_of_the_head_and_not_of_the_air_round_it():
    medians = volume_medians(head())
    np.testing.assert_allclose(medians, 800 * np.exp(-B * 0.8e-3), rtol=0.1)


@pytest.mark.parametrize(("drift", "scale"), [(0.0, 1.0), (0.1, 1.0), (0.0, 1e-4), (0.0, 30.0)])
def test_a_table_that_fits_is_not_doubted(drift, scale):
    assert doubt(head(drift=drift, scale=scale)) == ""


def test_low_b_values_tell_nothing():
    b = np.r_[0, np.full(8, 50.0), np.full(8, 1000.0)]
    assert doubt(head(b), b) == ""


def test_a_first_b0_before_the_steady_state_is_no_reason_to_doubt():
    data = head()
    data[..., 0] *= 1.3
    assert doubt(data) == ""


def test_b_values_that_rise_in_small_steps_are_no_shell():
    b = np.r_[0, np.arange(300, 3001, 60)]
    assert doubt(head(b), b) == ""


@pytest.mark.parametrize("shift", [1, 3, -2])
def test_a_shifted_table_is_doubted(shift):
    found = doubt(np.roll(head(), shift, axis=-1))
    assert "as bright as b=0" in found and "another order" in found


def test_the_volumes_are_named_by_number():
    data = head()
    data[..., [0, 5]] = data[..., [5, 0]]
    found = doubt(data)
    assert "volume 0 is" in found and "volume 5 is weighted in the table, and as bright as b=0" in found


@pytest.mark.parametrize("scale", [0.05, 6.0])
def test_a_map_of_the_scanner_among_the_b0_is_doubted(scale):
    data = np.concatenate([head(), scale * head()[..., :1]], axis=-1)
    found = doubt(data, [*B, 0])
    assert "volume 18 is" in found and "take maps that the scanner has added (ADC, trace)" in found


def test_of_a_series_without_a_table_the_bright_volumes_are_b0():
    data = head()
    assert np.flatnonzero(unweighted_by_brightness(volume_medians(data))).tolist() == [0, 9]
    image = nb.Nifti1Image(data.astype(np.float32), np.eye(4))
    np.testing.assert_allclose(mean_b0(image).get_fdata(), data[..., [0, 9]].mean(axis=-1), rtol=1e-5)
