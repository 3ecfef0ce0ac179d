import nibabel as nb
import numpy as np
import pytest

from mndmri.io import InputError
from mndmri.susceptibility.relaxation import MAX_R2STAR, map_r2star

AFFINE = np.array([[-2.0, 0.2, 0, 5], [0.2, 2.5, 0, -7], [0, 0, 3, 9], [0, 0, 0, 1]])
SHAPE = (17, 18, 29)
EVEN = (0.005, 0.010, 0.015, 0.020, 0.025)
UNEVEN = (0.003, 0.008, 0.020, 0.026)


def decays(rate, times, *, noise=0.0, seed=2):
    """Rician magnitudes of an exponential decay, 1 at time 0."""
    rng = np.random.default_rng(seed)
    signals = [
        np.exp(-np.broadcast_to(rate, SHAPE) * t) + noise * (rng.normal(size=SHAPE) + 1j * rng.normal(size=SHAPE))
        for t in times
    ]
    return [nb.Nifti1Image(1000 * np.abs(s), AFFINE) for s in signals]


def whole():
    return nb.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE)


@pytest.mark.parametrize("times", [EVEN, UNEVEN, EVEN[:3], EVEN[::-1]], ids=["even", "uneven", "three", "backwards"])
def test_rate_of_a_noise_free_decay_is_found_exactly(times):
    rate = np.random.default_rng(1).uniform(2, 200, SHAPE)
    found = map_r2star(decays(rate, times), whole(), echo_times_s=times)
    np.testing.assert_allclose(found.get_fdata(), rate, rtol=1e-4)
    assert found.get_data_dtype() == np.float32
    np.testing.assert_array_equal(found.affine, AFFINE)


@pytest.mark.parametrize(("rate", "bias"), [(5, 0.5), (20, 0.5), (50, 0.5), (120, 6.0)])
@pytest.mark.parametrize("times", [EVEN, UNEVEN])
def test_rician_noise_biases_the_rate_little(rate, times, bias):
    found = map_r2star(decays(rate, times, noise=0.05), whole(), echo_times_s=times).get_fdata()
    assert abs(found.mean() - rate) < bias


def test_rate_stays_on_its_side():
    rate = np.full(SHAPE, 20.0)
    rate[:8] = 60.0
    left, right = (
        map_r2star(decays(r, EVEN, noise=0.02), whole(), echo_times_s=EVEN).get_fdata() for r in (rate, rate[::-1])
    )
    assert np.median(left[:8]) == pytest.approx(60, abs=1)
    assert np.median(left[9:]) == pytest.approx(20, abs=1)
    assert np.median(right[9:]) == pytest.approx(60, abs=1)
    assert np.median(right[:8]) == pytest.approx(20, abs=1)


def test_noise_stays_within_the_range():
    found = map_r2star(decays(2000.0, EVEN, noise=0.05), whole(), echo_times_s=EVEN).get_fdata()
    assert found.min() >= 0
    assert found.max() <= MAX_R2STAR
    grown = map_r2star(decays(-30.0, EVEN), whole(), echo_times_s=EVEN).get_fdata()
    assert (grown == 0).all()


def test_voxels_without_signal_or_outside_the_mask_are_zero():
    echoes = decays(30.0, EVEN)
    holes = [e.get_fdata().copy() for e in echoes]
    holes[2][3, 4, 5] = 0
    holes[4][3, 4, 6] = np.nan
    mask = np.ones(SHAPE, np.uint8)
    mask[0] = 0
    found = map_r2star(
        [nb.Nifti1Image(h, AFFINE) for h in holes], nb.Nifti1Image(mask, AFFINE), echo_times_s=EVEN
    ).get_fdata()
    assert found[3, 4, 5] == found[3, 4, 6] == 0
    assert (found[0] == 0).all()
    assert (np.delete(found[1:].ravel(), np.flatnonzero(found[1:] == 0)) > 29).all()
    assert (found == 0).sum() == SHAPE[1] * SHAPE[2] + 2


def test_empty_mask_gives_an_empty_map():
    nothing = nb.Nifti1Image(np.zeros(SHAPE, np.uint8), AFFINE)
    assert (map_r2star(decays(30.0, EVEN), nothing, echo_times_s=EVEN).get_fdata() == 0).all()


def test_fewer_than_three_echoes_are_refused():
    with pytest.raises(InputError, match="2 echoes; R2\\* needs at least 3"):
        map_r2star(decays(30.0, EVEN[:2]), whole(), echo_times_s=EVEN[:2])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (EVEN[:4], "give one time for every echo"),
        ((0.005, 0.005, 0.01, 0.015, 0.02), "all different"),
        ((5.0, 10.0, 15.0, 20.0, 25.0), "5, 10, 15, 20, 25; expected seconds"),
    ],
    ids=["few", "same", "milliseconds"],
)
def test_echo_times_that_do_not_fit_are_refused(times, message):
    with pytest.raises(InputError, match=message):
        map_r2star(decays(30.0, EVEN), whole(), echo_times_s=times)


def test_another_grid_is_refused():
    echoes = decays(30.0, EVEN)
    echoes[1] = nb.Nifti1Image(echoes[1].get_fdata()[1:], AFFINE)
    with pytest.raises(InputError, match="different grids"):
        map_r2star(echoes, whole(), echo_times_s=EVEN)
