import pytest

from mndmri.gradient_echo.echoes import check_echo_times
from mndmri.io import InputError


def test_echo_times_come_back_in_their_order():
    assert check_echo_times([0.02, 0.01], n_echoes=2).tolist() == [0.02, 0.01]


@pytest.mark.parametrize(
    ("times", "n", "said"),
    [
        ([7.0, 14.0], 2, "expected seconds"),
        ([0.25], 1, "expected seconds"),
        ([0.0, 0.01], 2, "expected seconds"),
        ([0.01, 0.01], 2, "all different"),
        ([0.01], 2, "one time for every echo"),
    ],
)
def test_echo_times_that_cannot_be_are_told(times, n, said):
    with pytest.raises(InputError, match=said):
        check_echo_times(times, n_echoes=n)
