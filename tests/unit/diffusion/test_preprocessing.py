"""All steps on a series of a made-up head that moved, was distorted and lost a slice."""

import shutil

import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from mndmri.cohort.bids import StoredEncoding
from mndmri.diffusion.distortion.correction import Reverse, opposite_series
from mndmri.diffusion.distortion.encoding import PhaseEncoding
from mndmri.diffusion.gradients import read_gradients, to_fsl
from mndmri.diffusion.preprocessing import NOTHING, Steps, plan_steps, preprocess
from mndmri.diffusion.series import format_gradients, mean_b0
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import canonical_direction, make_image, to_canonical, world_coordinates
from tests.unit.diffusion.heads import (
    AFFINE,
    GRID,
    STILL,
    brain,
    core,
    head,
    known_motions,
    moved_series,
    table_of_directions,
)

STEPS = Steps(denoise=False, gibbs=False)


@pytest.fixture(scope="module")
def scanned():
    """Series of opposite phase encoding, the first with motion, and the T1w brain with its mask."""
    series, table = moved_series(known_motions(3, 2), strength=1.0)
    opposite, _ = moved_series(STILL, strength=-1.0)
    s0 = head(world_coordinates(GRID))[0]
    mask = brain(GRID)
    t1w = make_image((np.asarray(mask.dataobj) * np.clip(1600 - s0, 100, None)).astype(np.float32), GRID)
    return series, table, mean_b0(opposite, table.bvals), t1w, mask


def stored_as(image, codes):
    return image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(codes)))


def read_as_stored(series, table, codes, direction):
    """Series, table and phase encoding as they are read from files in a storage order."""
    stored = stored_as(series, codes)
    gradients = read_gradients(table.bvals, to_fsl(table.bvecs, stored.affine), stored.affine)
    axis, polarity = canonical_direction(direction, stored.affine)
    return to_canonical(stored), gradients, PhaseEncoding(axis, polarity, 0.03)


@pytest.fixture(scope="module")
def corrected(scanned):
    series, table, opposite, t1w, mask = scanned
    dwi, gradients, encoding = read_as_stored(series, table, "LPS", "j-")
    return preprocess(dwi, gradients, t1w, mask, steps=STEPS, encoding=encoding, source=Reverse(opposite, 0.03))


def test_the_head_is_straight_again(scanned, corrected):
    series, table, *_, mask = scanned
    inside = np.asarray(mask.dataobj) > 0
    truth = head(world_coordinates(GRID))[0][inside]
    before = np.asarray(mean_b0(series, table.bvals).dataobj)[inside]
    after = np.asarray(corrected.b0.dataobj)[inside]
    left, was = (1 - np.corrcoef(image, truth)[0, 1] for image in (after, before))
    assert left < was / 4
    found = corrected.distortion
    assert found.agreement > found.agreement_before


def test_main_directions_are_those_of_the_head_at_rest(corrected):
    mask = make_image(core(), GRID)
    v1 = fit_tensor(corrected.series, corrected.gradients, mask).v1.get_fdata()
    cosine = np.abs(np.sum(v1 * head(world_coordinates(GRID))[1], axis=-1))[core()]
    assert np.degrees(np.median(np.arccos(np.clip(cosine, 0, 1)))) < 3


@pytest.mark.parametrize(("codes", "direction"), [("LPS", "j-"), ("RAS", "j"), ("PSR", "i-")])
def test_what_is_corrected_does_not_depend_on_the_order_in_which_voxels_were_stored(scanned, codes, direction):
    series, table, *_ = scanned
    dwi, gradients, encoding = read_as_stored(series, table, codes, direction)
    np.testing.assert_array_equal(dwi.dataobj, series.dataobj)
    np.testing.assert_allclose(dwi.affine, series.affine, atol=1e-12)
    np.testing.assert_allclose(gradients.bvecs, table.bvecs, atol=1e-12)
    assert encoding == PhaseEncoding(1, 1, 0.03)


def test_a_series_that_comes_corrected_is_only_aligned(scanned):
    series, table, _, t1w, mask = scanned
    done = preprocess(series, table, t1w, mask)
    np.testing.assert_array_equal(done.series.get_fdata(), series.get_fdata())
    np.testing.assert_allclose(done.gradients.bvecs, table.bvecs, atol=1e-12)
    assert not done.motion.displacement.any() and not np.asarray(done.displacement_mm.dataobj).any()


def test_no_step_is_planned_for_a_series_that_comes_corrected():
    wanted = {"denoise": True, "gibbs": False, "motion": "fsl", "outlier_sd": None}
    stored = StoredEncoding("j", 1, 0.03)
    assert plan_steps("before", wanted, stored, AFFINE) == (NOTHING, None)
    assert plan_steps("none", wanted, None, AFFINE) == (Steps(**wanted), None)


def test_the_phase_encoding_is_planned_in_the_axes_of_the_canonical_image():
    mirrored = AFFINE @ np.diag([-1, 1, 1, 1])
    for letter, sign in (("i", -1), ("j", 1)):
        _, encoding = plan_steps("reverse", {}, StoredEncoding(letter, 1, 0.03), mirrored)
        assert encoding == PhaseEncoding("ij".index(letter), sign, 0.03)


@pytest.mark.parametrize("method", ["reverse", "fsl"])
def test_of_an_opposite_series_the_b0_volumes_are_averaged_on_the_canonical_grid(method):
    rng = np.random.default_rng(3)
    series = make_image(rng.uniform(1, 2, (7, 8, 9, 4)).astype(np.float32), GRID)
    expected = series.get_fdata(dtype=np.float32)[..., [0, 2]].mean(axis=-1)
    stored, bvals = stored_as(series, "LPS"), np.array([0, 1000, 5, 1000])
    found = opposite_series(stored, bvals, StoredEncoding("j", -1, 0.04), method=method)
    np.testing.assert_array_equal(found.b0.get_fdata(dtype=np.float32), expected)
    assert (found.readout_s, found.by_fsl) == (0.04, method == "fsl")
    assert opposite_series(stored.slicer[..., 0], None, None, method=method).readout_s is None


@pytest.mark.skipif(shutil.which("dwidenoise") is None, reason="MRtrix3 is not installed")
def test_denoising_by_mrtrix3_and_ours_give_one_series(scanned):
    series, table, _, t1w, mask = scanned
    ours, theirs = (
        preprocess(series, table, t1w, mask, steps=NOTHING._replace(denoise=who)).series.get_fdata()
        for who in (True, "mrtrix3")
    )
    inside = np.asarray(mask.dataobj) > 0
    apart = np.abs(ours[inside] - theirs[inside]) / theirs[inside].mean()
    # where an eigenvalue is at the threshold itself, rounding decides
    assert np.median(apart) < 1e-4
    assert np.mean(apart > 1e-3) < 1e-3
    assert not np.array_equal(ours[inside], series.get_fdata()[inside])


def test_a_table_survives_being_written_and_read_again():
    table = table_of_directions()
    for codes in ("RAS", "LAS", "PSR"):
        affine = stored_as(GRID, codes).affine
        again = read_gradients(*format_gradients(table, affine), affine)
        np.testing.assert_allclose(again.bvecs, table.bvecs, atol=1e-6)
        np.testing.assert_array_equal(again.bvals, table.bvals)
