"""What goes into greedy comes out where it was, in millimetres of the world."""

import os

import nibabel as nb
import numpy as np
import pytest

from mndmri.grids import world_coordinates
from mndmri.registration import greedy
from mndmri.registration.transforms import map_points, resample
from tests.unit.egg import rigid


@pytest.fixture(scope="module")
def moved(brain):
    return resample(brain, brain, [rigid()])


def test_an_affine_runs_from_fixed_to_moving_points(brain, moved):
    found = greedy.register_affine(moved, brain, start=np.eye(4), iterations=(50, 30, 20))
    points = np.array([[20.0, 10, 5], [-20, -10, 0], [0, 20, 10]])
    expected = nb.affines.apply_affine(rigid(), points)
    np.testing.assert_allclose(nb.affines.apply_affine(found, points), expected, atol=0.5)


def test_a_start_is_taken_as_it_is_given(brain, moved):
    far = rigid((0, 0, 0), (300, -200, 100))  # no overlap: nothing to improve on
    found = greedy.register_affine(moved, brain, start=far, iterations=(1, 0, 0))
    np.testing.assert_allclose(found, far, atol=1e-4)


def test_images_on_oblique_grids_keep_their_place(brain, moved):
    tilted = nb.Nifti1Image(np.asarray(brain.dataobj), rigid((20, 5, -10), (30, -20, 10)) @ brain.affine)
    tilt = tilted.affine @ np.linalg.inv(brain.affine)
    found = greedy.register_affine(moved, tilted, start=tilt, iterations=(50, 30, 20))
    points = np.array([[20.0, 10, 5], [-20, -10, 0], [0, 20, 10]])
    expected = nb.affines.apply_affine(tilt @ rigid(), points)
    np.testing.assert_allclose(nb.affines.apply_affine(found, points), expected, atol=0.5)


def test_a_shift_is_a_field_in_the_direction_of_its_axis(brain):
    shift = np.eye(4)
    shift[:3, 3] = [4, 0, 0]
    there = resample(brain, brain, [shift])
    bend, unbend = greedy.register_velocity(
        [(there, brain)], start=np.eye(4), metric="NCC 2x2x2", iterations=(40, 20, 10)
    )
    middle = world_coordinates(brain)[brain.get_fdata() > 0]
    middle = middle[np.linalg.norm(middle - middle.mean(axis=0), axis=-1) < 15]
    assert np.median((map_points(middle, [bend]) - middle)[:, 0]) == pytest.approx(4, abs=0.5)
    assert np.median((map_points(middle, [unbend]) - middle)[:, 0]) == pytest.approx(-4, abs=0.5)


def test_two_affine_runs_agree_to_the_last_bit(brain, moved):
    first, second = (greedy.register_affine(moved, brain, start=np.eye(4)) for _ in range(2))
    assert np.array_equal(first, second)


END = (
    " IFLAG= -1 \n LINE SEARCH FAILED. SEE DOCUMENTATION OF ROUTINE MCSRCH ERROR RETURN OF LINE SEARCH: INFO= {} "
    "POSSIBLE CAUSES: FUNCTION OR GRADIENT ARE INCORRECT OR INCORRECT TOLERANCES"
)


class Talker:
    """A greedy that prints from below Python, and may fail."""

    def __init__(self, text, error=None):
        self.text, self.error = text, error

    def execute(self, *_, **__):
        os.write(1, self.text.encode())
        os.write(2, b"a warning\n")
        if self.error:
            raise self.error


def test_the_end_of_a_line_search_is_not_printed_and_all_else_is(capfd):
    greedy._execute(Talker(END.format(3) + END.format(6) + "\nsomething else\n"), "")
    assert "".join(capfd.readouterr()) == "something else\na warning\n"


def test_improper_input_of_a_line_search_is_printed(capfd):
    greedy._execute(Talker(END.format(0)), "")
    assert "INFO= 0" in "".join(capfd.readouterr())


def test_an_error_is_raised_and_what_was_printed_before_it_is_not_lost(capfd):
    with pytest.raises(RuntimeError, match="no overlap"):
        greedy._execute(Talker("the reason\n", RuntimeError("no overlap")), "")
    assert "".join(capfd.readouterr()) == "the reason\na warning\n"
