"""Gradient tables: one truth in the world, however the image was stored."""

import nibabel as nb
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from scipy.spatial.transform import Rotation

from mndmri.diffusion.gradients import (
    Gradients,
    is_unweighted,
    nominal_bvals,
    read_gradients,
    rotate,
    select_shell,
    to_fsl,
)
from mndmri.io import InputError

N = 12
BVALS = np.r_[0.0, np.full(N, 1000.0)]
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", [12, -7, 20], degrees=True).as_matrix() @ np.diag([2, 2.5, 3])


def directions(n=N, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def table(bvals=BVALS):
    return Gradients(bvals, np.vstack([np.zeros((int(np.sum(bvals < 50)), 3)), directions(int(np.sum(bvals >= 50)))]))


def stored(codes, affine=OBLIQUE):
    """Affine of the same scan with its axes stored in another order."""
    image = nb.Nifti1Image(np.zeros((7, 8, 9), np.uint8), affine)
    return image.as_reoriented(ornt_transform(io_orientation(affine), axcodes2ornt(codes))).affine


def fsl_by_hand(world, affine):
    """The convention, spelt out: along the stored axes, the first reversed if det > 0."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    image = world @ axes
    if np.linalg.det(affine[:3, :3]) > 0:
        image = image * [-1, 1, 1]
    return image.T


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PSR", "ASL", "LPI"])
def test_storage_does_not_change_directions_in_the_world(codes):
    truth, affine = table(), stored(codes)
    read = read_gradients(BVALS, fsl_by_hand(truth.bvecs, affine), affine)
    np.testing.assert_allclose(read.bvecs, truth.bvecs, atol=1e-6)


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PSR"])
def test_export_and_reading_are_inverse(codes):
    truth, affine = table(), stored(codes)
    np.testing.assert_allclose(read_gradients(BVALS, to_fsl(truth.bvecs, affine), affine).bvecs, truth.bvecs, atol=1e-6)


def test_first_axis_is_reversed_where_the_affine_has_a_positive_determinant():
    along = np.array([[0.0, 0.6], [0.0, 0.8], [0.0, 0.0]])
    ras = read_gradients([0, 1000], along, np.diag([2, 2, 2, 1.0]))
    las = read_gradients([0, 1000], along, np.diag([-2, 2, 2, 1.0]))
    np.testing.assert_allclose(ras.bvecs[1], [-0.6, 0.8, 0])
    np.testing.assert_allclose(las.bvecs[1], [-0.6, 0.8, 0])


def test_text_and_transposed_table_read_alike():
    text = "0 1000 1000\n"
    across = "0 1 0\n0 0 0.6\n0 0 0.8\n"
    down = np.array([[0, 0, 0], [1, 0, 0], [0, 0.6, 0.8], [0, 0, 1]])
    first = read_gradients(text, across, OBLIQUE)
    second = read_gradients(np.array([0, 1000, 1000, 1000]), down, OBLIQUE)
    np.testing.assert_allclose(first.bvecs, second.bvecs[:3])


def test_direction_of_an_unweighted_volume_is_dropped():
    read = read_gradients([5, 1000], np.array([[np.nan, 1], [0, 0], [0, 0]]), np.eye(4))
    np.testing.assert_array_equal(read.bvecs[0], 0)
    np.testing.assert_array_equal(read.is_b0, [True, False])


@pytest.mark.parametrize(
    ("bvals", "bvecs", "words"),
    [
        ([0, 1000], np.zeros((3, 3)) + 1, "bval file has 2 entries"),
        ([0, 1000], np.zeros((3, 2)), "volume 1 has b = 1000 s/mm2 but a direction of length 0"),
        ([0, 1000], np.full((3, 2), np.nan), "length nan"),
        ([0, -5], np.ones((3, 2)), "at least 0"),
        ("0 1000 b", np.ones((3, 2)), "not a table of numbers"),
    ],
)
def test_impossible_table_is_refused_with_a_reason(bvals, bvecs, words):
    with pytest.raises(InputError, match=words):
        read_gradients(bvals, bvecs, np.eye(4))


def test_directions_turn_back_by_the_rotation_of_the_head():
    quarter = Rotation.from_euler("z", 90, degrees=True).as_matrix()  # the head turned from +x to +y
    turned = rotate(Gradients(np.array([1000.0]), np.array([[0.0, 1.0, 0.0]])), quarter[None])
    np.testing.assert_allclose(turned.bvecs[0], [1, 0, 0], atol=1e-12)


def test_low_shell_is_taken_where_it_determines_a_tensor():
    gradients = table(np.r_[0.0, np.full(8, 1000.0), np.full(9, 2500.0)])
    volumes, note = select_shell(gradients, max_b=1200)
    np.testing.assert_array_equal(np.flatnonzero(volumes), np.arange(9))
    assert "8 directions with b <= 1200" in note
    assert "9 volumes" in note


@pytest.mark.parametrize("n_low", [0, 5])
def test_all_volumes_are_taken_and_said_so_where_the_low_shell_is_too_small(n_low):
    gradients = table(np.r_[0.0, np.full(n_low, 1000.0), np.full(9, 2500.0)])
    volumes, note = select_shell(gradients, max_b=1200)
    assert volumes.all()
    assert f"all {9 + n_low} directions, b up to 2500" in note


def test_many_volumes_along_few_directions_are_no_tensor():
    repeated = np.tile(directions(3), (4, 1))
    with pytest.raises(InputError, match="at least 6 different directions"):
        select_shell(Gradients(BVALS, np.vstack([np.zeros(3), repeated])))


@pytest.mark.parametrize("played", [[1195, 1200, 1205] * 10, [1190, 1200, 1205, 1210, 1215] * 6])
def test_a_shell_as_it_was_played_is_one_shell(played):
    """daducci/AMICO#10, PennLINC/qsiprep#660."""
    z = (np.arange(30) + 0.5) / 30
    angle = np.arange(30) * np.pi * (3 - 5**0.5)
    vectors = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
    table = Gradients(np.r_[0.0, 0.0, played], np.vstack([np.zeros((2, 3)), vectors]))
    used, _ = select_shell(table)
    assert used.all()
    more = Gradients(np.r_[table.bvals, np.full(6, 1400.0)], np.vstack([table.bvecs, vectors[:6]]))
    used, _ = select_shell(more)
    assert used.sum() == 32


def test_shells_have_their_nominal_b_value():
    found = nominal_bvals(np.array([0, 5, 698, 705, 1195, 1215, 2010, 1990]))
    assert found.tolist() == [0, 0, 700, 700, 1200, 1200, 2000, 2000]


def test_b_values_that_rise_in_small_steps_stay_as_they_are():
    b = np.arange(300.0, 3001, 60)
    np.testing.assert_array_equal(nominal_bvals(b), b)


@pytest.mark.parametrize(
    ("bvals", "expected"),
    [
        ([0, 1000, 5], [True, False, True]),
        ([0, 60, 1000], [True, False, False]),
        ([60, 56, 64, 1000], [True, True, True, False]),
        ([60, 300, 1000], [True, False, False]),
        ([120, 1000], [False, False]),
    ],
)
def test_the_lowest_shell_is_b0_where_nothing_is_lower(bvals, expected):
    assert is_unweighted(np.array(bvals)).tolist() == expected


def test_a_b0_of_60_keeps_its_direction():
    """With b = 60 taken for 0, diffusivity would be too low by 6 %."""
    table = read_gradients("60 1000", "1 0\n0 1\n0 0", np.eye(4))
    np.testing.assert_allclose(np.linalg.norm(table.bvecs, axis=1), 1)
    assert table.is_b0.tolist() == [True, False]
