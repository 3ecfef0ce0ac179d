"""The unit of a susceptibility map that somebody else has made."""

import numpy as np

# Tissue lies within 0.5 ppm, a vein at 0.4; a median beyond this is another unit (ppb) or a field in Hz.
MAX_TYPICAL_PPM = 1.0


def doubt_unit(values: np.ndarray) -> str:
    """Why a map's values cannot be susceptibility in ppm; empty if they can.

    Parameters
    ----------
    values : ndarray
        Those inside the brain, or all; zeros, which are outside, are not counted.
    """
    known = np.abs(values[np.isfinite(values) & (values != 0)])
    typical = float(np.median(known)) if known.size else 0.0
    if 0 < typical <= MAX_TYPICAL_PPM:
        return ""
    return (
        f"the susceptibility map's median is {typical:g} without its sign, expected more than 0 and at most "
        f"{MAX_TYPICAL_PPM:g} ppm; if it is in ppb, divide it by 1000"
    )
