"""What FSL is told, and what is read of its files."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.diffusion.tools import fsl_files
from mndmri.grids import to_canonical
from mndmri.io import InputError

SHAPE = (7, 8, 9)


def oblique(storage, shape=SHAPE):
    """Image of random values, tilted, stored in an orientation."""
    tilt = nb.affines.from_matvec(nb.eulerangles.euler2mat(x=0.2, y=-0.1))
    affine = tilt @ np.diag([2, 2.5, 3, 1])
    image = nb.Nifti1Image(np.random.default_rng(1).normal(size=shape).astype(np.float32), affine)
    turn = nb.orientations.ornt_transform(nb.orientations.axcodes2ornt("RAS"), nb.orientations.axcodes2ornt(storage))
    return image.as_reoriented(turn)


@pytest.mark.parametrize("storage", ["LAS", "RAS", "PSR"])
@pytest.mark.parametrize("shape", [SHAPE, (*SHAPE, 4), (6, 8, 10)])
def test_what_fsl_gets_runs_to_the_left_has_even_axes_and_comes_back_as_it_was(storage, shape):
    image = oblique(storage, shape)
    handed = fsl_files.to_fsl_order(image)
    assert nb.aff2axcodes(handed.affine) == ("L", "A", "S")
    assert all(length % 2 == 0 for length in handed.shape[:3])
    canonical = to_canonical(image)
    back = fsl_files.from_fsl_order(handed, canonical)
    np.testing.assert_array_equal(back.get_fdata(), canonical.get_fdata())
    np.testing.assert_array_equal(back.affine, canonical.affine)


def test_a_voxel_is_at_the_same_place_of_the_world_in_what_fsl_gets():
    canonical = to_canonical(oblique("RAS"))
    data = np.zeros(SHAPE, np.float32)
    data[1, 2, 3] = 1
    handed = fsl_files.to_fsl_order(nb.Nifti1Image(data, canonical.affine))
    (found,) = np.argwhere(handed.get_fdata() == 1)
    world = nb.affines.apply_affine
    np.testing.assert_allclose(world(handed.affine, found), world(canonical.affine, [1, 2, 3]), atol=1e-3)


@pytest.mark.parametrize(
    ("axis", "polarity", "line"),
    [
        (0, 1, "-1 0 0 0.05"),  # towards the right, which is towards lower indices of FSL's x
        (0, -1, "1 0 0 0.05"),
        (1, 1, "0 1 0 0.05"),
        (1, -1, "0 -1 0 0.05"),
    ],
)
def test_every_direction_of_phase_encoding_is_told_in_the_axes_of_what_fsl_gets(axis, polarity, line):
    assert fsl_files.acquisition_parameters(axis, [polarity], [0.05]) == f"{line}\n"


def test_a_pair_has_a_line_for_each_with_its_own_readout_or_one_for_both_if_one_is_not_known():
    assert fsl_files.acquisition_parameters(1, [-1, 1], [0.021, 0.022]) == "0 -1 0 0.021\n0 1 0 0.022\n"
    assert fsl_files.acquisition_parameters(1, [-1, 1], [0.021, None]) == "0 -1 0 0.05\n0 1 0 0.05\n"


def test_phase_encoding_across_axial_slices_is_refused():
    with pytest.raises(InputError, match=r"inferior-superior axis.*set dwi.distortion and dwi.motion"):
        fsl_files.acquisition_parameters(2, [1], [0.05])


def test_movement_is_the_first_six_numbers_of_each_line():
    text = "0 0 0 0 0 0 1e-3 2e-3\n1.5 0 -0.5 0.01 0 0 1e-3 2e-3\n"
    np.testing.assert_array_equal(fsl_files.read_movement(text, 2), [[0] * 6, [1.5, 0, -0.5, 0.01, 0, 0]])
    with pytest.raises(InputError, match="eddy_parameters has 2 lines of 8 numbers, expected 3"):
        fsl_files.read_movement(text, 3)


def clockwise(axis, angle):
    """Turn about an axis of the array as FSL's make_rot has it, (3, 3)."""
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.eye(3)
    one, other = [d for d in range(3) if d != axis]
    if axis == 1:
        one, other = other, one
    matrix[one, one] = matrix[other, other] = c
    matrix[one, other], matrix[other, one] = s, -s
    return matrix


@pytest.mark.parametrize("storage", ["LAS", "RAS"])
def test_movement_is_about_the_centre_of_the_grid_along_the_axes_of_what_fsl_got(storage):
    given = fsl_files.to_fsl_order(oblique(storage))
    movement = np.array([[0, 0, 0, 0, 0, 0], [1.5, 0, -0.5, 0, 0, 0], [1, 2, 3, 0.1, -0.2, 0.3]])
    still, shifted, turned = fsl_files.movement_transforms(movement, given)
    np.testing.assert_allclose(still, np.eye(4), atol=1e-12)
    axes = given.affine[:3, :3] / nb.affines.voxel_sizes(given.affine)  # world direction of each axis of the array
    np.testing.assert_allclose(shifted[:3, :3], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(shifted[:3, 3], axes @ [1.5, 0, -0.5], atol=1e-9)
    assert (axes @ [1, 0, 0])[0] < -0.9  # x runs to the left
    matrix = clockwise(0, 0.1) @ clockwise(1, -0.2) @ clockwise(2, 0.3)
    np.testing.assert_allclose(turned[:3, :3], axes @ matrix @ axes.T, atol=1e-6)
    centre = nb.affines.apply_affine(given.affine, (np.array(given.shape) - 1) / 2)
    np.testing.assert_allclose(nb.affines.apply_affine(turned, centre), centre + axes @ [1, 2, 3], atol=1e-4)


def outlier_map(rows):
    """As eddy writes it: a heading, then a line for each volume."""
    heading = "One row per scan, one column per slice. Outlier: 1, Non-outlier: 0"
    return "\n".join([heading, *(" ".join(map(str, row)) for row in rows)]) + "\n"


def test_the_outlier_map_is_read_below_its_heading_and_without_the_slice_that_was_added():
    rows = [[0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]]
    expected = np.array(rows, bool)
    np.testing.assert_array_equal(fsl_files.read_outliers(outlier_map(rows), (3, 4)), expected)
    np.testing.assert_array_equal(fsl_files.read_outliers(outlier_map(rows), (3, 3)), expected[:, :3])
    with pytest.raises(InputError, match="has 3 lines of 4 slices, expected 2 of 4"):
        fsl_files.read_outliers(outlier_map(rows), (2, 4))
    with pytest.raises(InputError, match="eddy_outlier_map is not a table of numbers"):
        fsl_files.read_outliers("heading\n0 x\n", (1, 2))
