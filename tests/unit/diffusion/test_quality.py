"""Quality measures of a series whose faults were planted."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.diffusion.distortion.correction import METHOD_CODES, Found
from mndmri.diffusion.gradients import Gradients
from mndmri.diffusion.motion import still
from mndmri.diffusion.preprocessing import Preprocessed
from mndmri.diffusion.quality import b0_tsnr, neighbour_correlation, series_quality
from mndmri.grids import make_image
from mndmri.phantom.dwi import gradient_directions

SHAPE = (7, 8, 9)
N = 10


def table(n_b0=3):
    return Gradients(
        np.r_[np.zeros(n_b0), np.full(N, 1000.0)], np.vstack([np.zeros((n_b0, 3)), gradient_directions(N)])
    )


def series(noise=0.0, n_b0=3):
    rng = np.random.default_rng(1)
    head = rng.uniform(50, 150, SHAPE)[..., None] * np.ones(n_b0 + N)
    return nb.Nifti1Image((head + rng.normal(0, 1, head.shape) * noise).astype(np.float32), np.diag([2, 2.5, 3, 1]))


MASK = make_image(np.ones(SHAPE, np.uint8), series())


def test_neighbours_agree_without_noise_and_less_with_it():
    assert neighbour_correlation(series(), table(), MASK) == pytest.approx(1)
    noisy = neighbour_correlation(series(noise=30), table(), MASK)
    # variance of the head 100^2 / 12, of the noise 30^2
    assert noisy == pytest.approx(833 / (833 + 900), abs=0.06)


def test_signal_to_noise_is_that_of_the_b0_volumes():
    rng = np.random.default_rng(2)
    image = nb.Nifti1Image((100 + 4 * rng.normal(size=(*SHAPE, 30 + N))).astype(np.float32), np.eye(4))
    assert b0_tsnr(image, table(n_b0=30), make_image(np.ones(SHAPE, np.uint8), image)) == pytest.approx(25, rel=0.05)


def test_what_cannot_be_measured_is_a_row_with_a_reason():
    dwi, gradients = series(n_b0=1), table(n_b0=1)
    motion = still(dwi)
    motion.outliers[2, 4] = True
    done = Preprocessed(dwi, gradients, MASK, MASK, MASK, MASK, np.eye(4), motion, Found(None), MASK)
    rows = series_quality(dwi, gradients, done, method="none").set_index("measure")
    assert rows.loc["outlier_slices", "value"] == pytest.approx(1 / (N * SHAPE[2]))
    assert rows.loc["mean_fd", "value"] == 0
    assert np.isnan(rows.loc["b0_tsnr", "value"])
    assert "1 volumes with b = 0" in rows.loc["b0_tsnr", "status"]
    assert rows.loc["distortion_agreement", "status"] != "ok"


def test_the_table_says_how_distortion_was_corrected_and_how_well_that_went():
    dwi, gradients = series(n_b0=1), table(n_b0=1)
    found = Found(None, agreement_before=0.5, agreement=0.75)
    done = Preprocessed(dwi, gradients, MASK, MASK, MASK, MASK, np.eye(4), still(dwi), found, MASK)
    rows = series_quality(dwi, gradients, done, method="fieldmap").set_index("measure")["value"]
    assert rows["distortion_correction"] == METHOD_CODES["fieldmap"]
    assert (rows["distortion_agreement_raw"], rows["distortion_agreement"]) == (0.5, 0.75)


def test_a_displacement_that_was_dropped_is_no_correction():
    dwi, gradients = series(n_b0=1), table(n_b0=1)
    zero = make_image(np.zeros(SHAPE, np.float32), dwi)
    found = Found(zero, agreement_before=0.5, agreement=0.5)
    done = Preprocessed(dwi, gradients, MASK, MASK, MASK, MASK, np.eye(4), still(dwi), found, zero)
    for method, correction, dropped in (("t1w", "none", 1), ("none", "none", 0), ("before", "before", 0)):
        rows = series_quality(dwi, gradients, done, method=method).set_index("measure")["value"]
        assert rows["distortion_correction"] == METHOD_CODES[correction]
        assert rows["distortion_dropped"] == dropped
    applied = series_quality(dwi, gradients, done._replace(displacement_mm=MASK), method="t1w").set_index("measure")
    assert applied["value"][["distortion_correction", "distortion_dropped"]].tolist() == [METHOD_CODES["t1w"], 0]
