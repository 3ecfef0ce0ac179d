"""Which volumes of a diffusion series are as bright as b = 0, whatever its table says."""

import numpy as np

from mndmri.diffusion.gradients import Gradients, nominal_bvals

# Of the brightest hundredth of the mean over the volumes: what is darker is no head.
_HEAD = 0.15
# Medians of volumes of one kind agree within this share, in a head that moves and a coil that drifts.
ALIKE = 0.2
# Weighting of a b-value this low (s/mm2) may be less than motion and noise change.
_TELLING_B = 300.0
# So much brighter than its shell, a volume is not of it: b = 0 is, of a shell of 300 s/mm2 and more.
_MORE = 0.25
# Before the steady state, without dummy scans, the first b = 0 is brighter than the others; an ADC map is far brighter,
# or dark.
_MUCH_MORE = 1.6
_MOST_NAMED = 10


def volume_medians(data: np.ndarray) -> np.ndarray:
    """Median signal of each volume in the head, shape (N,).

    Parameters
    ----------
    data : ndarray, shape (X, Y, Z, N)
        Of any kind of number.
    """
    return np.median(data[head_of(data)], axis=0).astype(float)


def head_of(data: np.ndarray) -> np.ndarray:
    """Voxels of a series that are no air, shape (X, Y, Z), bool."""
    mean = data.mean(axis=-1, dtype=np.float32)
    return np.asarray(mean > _HEAD * np.percentile(mean, 99))


def unweighted_by_brightness(medians: np.ndarray) -> np.ndarray:
    """Volumes as bright as the brightest, shape (N,), bool: those of b = 0 in a series without a table."""
    return medians >= (1 - ALIKE) * medians.max()


def doubt_table(medians: np.ndarray, gradients: Gradients) -> str:
    """Why the volumes cannot be those of the table's rows, by how bright they are; empty if they can.

    Volumes of b = 0 are alike, and brighter than all weighted ones. A table in another order than the
    volumes, and maps that the scanner has added to the series (ADC, trace), break one or the other.

    Parameters
    ----------
    medians : ndarray, shape (N,)
        From `volume_medians`.
    gradients : Gradients
    """
    unweighted = gradients.is_b0
    telling = ~unweighted & (gradients.bvals >= _TELLING_B)
    if not unweighted.any() or not telling.any():
        return ""
    shells = nominal_bvals(gradients.bvals)
    shell_medians = {b: float(np.median(medians[telling & (shells == b)])) for b in np.unique(shells[telling])}
    bright = telling & (medians > (1 + _MORE) * np.array([shell_medians.get(b, np.inf) for b in shells]))
    plausible = unweighted & (medians > (1 + _MORE) * max(shell_medians.values()))
    usual = float(np.median(medians[plausible if plausible.any() else unweighted]))
    odd = unweighted & ((medians < (1 - ALIKE) * usual) | (medians > _MUCH_MORE * usual))
    bright |= telling & (medians > medians[unweighted & ~odd].min(initial=np.inf))
    if not odd.any() and not bright.any():
        return ""
    found = []
    if odd.any():
        found.append(
            f"of the volumes that the table has as b=0, {_listed(odd)} {_is(odd)} {_share(medians[odd], usual)} as "
            "bright as the others"
        )
    if bright.any():
        found.append(f"{_listed(bright)} {_is(bright)} weighted in the table, and as bright as b=0")
    advice = (
        "the table is in another order than the volumes: convert the series again"
        if bright.any()
        else "take maps that the scanner has added (ADC, trace) out of the series and its table, or convert it again"
    )
    return f"{'; '.join(found)} (volumes counted from 0); {advice}"


def doubt_without_direction(medians: np.ndarray, undirected: np.ndarray) -> str:
    """What volumes with a b-value and without a direction are, by how bright they are, and what to do.

    Parameters
    ----------
    medians : ndarray, shape (N,)
        From `volume_medians`.
    undirected : ndarray, shape (N,), bool
    """
    others = medians[~undirected].max(initial=0.0)
    if medians[undirected].min() > others:
        return (
            f"{_listed(undirected)} {_is(undirected)} brighter than all others, so b=0 (GE writes the nominal "
            "b-value): write 0 for them in the bval file"
        )
    return (
        f"{_listed(undirected)} {_is(undirected)} no brighter than volumes with a direction, so a trace or mean image: "
        "take it out of the series and its table"
    )


def _listed(chosen: np.ndarray) -> str:
    numbers = np.flatnonzero(chosen)
    text = ", ".join(map(str, numbers[:_MOST_NAMED])) + (", ..." if numbers.size > _MOST_NAMED else "")
    return f"volume {text}" if numbers.size == 1 else f"volumes {text}"


def _is(chosen: np.ndarray) -> str:
    return "is" if np.count_nonzero(chosen) == 1 else "are"


def _share(medians: np.ndarray, usual: float) -> str:
    low, high = (100 * medians.min() / usual, 100 * medians.max() / usual)
    return f"{low:.0f}%" if round(low) == round(high) else f"{low:.0f} to {high:.0f}%"
