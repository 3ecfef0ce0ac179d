"""Which echo times a gradient-echo scan can have."""

from collections.abc import Sequence

import numpy as np

from mndmri.io import InputError

MAX_ECHO_TIME_S = 0.2  # longer ones are milliseconds
MIN_ECHOES_R2STAR = 3  # two determine a rate, but not whether the decay is exponential


def check_echo_times(echo_times_s: Sequence[float], *, n_echoes: int) -> np.ndarray:
    """Echo times as an array, in the order given.

    Parameters
    ----------
    echo_times_s : sequence of float
        Seconds.
    n_echoes : int
        Images there are.

    Raises
    ------
    InputError
        If there is not one for each image, two are the same, or they are not in seconds.
    """
    times = np.asarray(echo_times_s, float)
    listed = ", ".join(f"{time:g}" for time in times)
    if len(times) != n_echoes or len(set(times.tolist())) < len(times):
        raise InputError(f"{n_echoes} images and echo times {listed}; give one time for every echo, all different")
    if not ((times > 0) & (times <= MAX_ECHO_TIME_S)).all():
        raise InputError(
            f"echo times {listed}; expected seconds, above 0 and at most {MAX_ECHO_TIME_S:g}; "
            "correct EchoTime in the sidecars"
        )
    return times
