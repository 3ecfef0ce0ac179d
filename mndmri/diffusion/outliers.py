"""Slices that lost their signal because the head moved while they were weighted."""

import numpy as np

from mndmri.robust import MAD_TO_SD

# Minimum brain area of a slice, mm2.
MIN_BRAIN_MM2 = 1000.0
# A slice that lost less than this is not worth replacing: model and movement leave as much (measured on still heads).
MIN_LOSS = 0.1


def slice_losses(
    observed: np.ndarray, predicted: np.ndarray, slices: np.ndarray, *, n_slices: int, voxel_mm2: float
) -> np.ndarray:
    """Relative difference of a volume from its prediction, slice by slice, shape (n_slices,).

    Parameters
    ----------
    observed, predicted : ndarray, shape (n,)
        Signal at points of the brain.
    slices : ndarray, shape (n,), int
        The slice, as scanned, that each point lies in; others than 0 to ``n_slices`` - 1 are left out.
    n_slices : int
    voxel_mm2 : float
        Area that a point stands for in its slice, mm2.

    Returns
    -------
    ndarray
        -1 is all signal lost, 0 none; missing where the slice holds less than 1000 mm2 of brain.
    """
    within = (slices >= 0) & (slices < n_slices)
    count = np.bincount(slices[within], minlength=n_slices)
    expected = np.bincount(slices[within], predicted[within], minlength=n_slices)
    found = np.bincount(slices[within], observed[within], minlength=n_slices)
    enough = (count * voxel_mm2 >= MIN_BRAIN_MM2) & (expected > 0)
    return np.divide(found - expected, expected, out=np.full(n_slices, np.nan), where=enough)


def find_outliers(losses: np.ndarray, *, outlier_sd: float = 4.0) -> np.ndarray:
    """Which slices of which volumes lost their signal, bool, shape (N, n_slices).

    Parameters
    ----------
    losses : ndarray, shape (N, n_slices)
        As from `slice_losses`, one row for each volume with diffusion weighting.
    outlier_sd : float
        How many standard deviations below its prediction a slice has to be.

    Notes
    -----
    After Andersson et al. 2016, NeuroImage 141:556. The standard deviation is robust, and of the
    typical slice: in one with an outlier the predictions of all volumes are off.
    """
    known = np.isfinite(losses)
    if not known.any():
        return np.zeros(losses.shape, bool)
    deviation = np.abs(losses - np.nanmedian(losses))
    sd = MAD_TO_SD * float(
        np.median([np.median(own[there]) for own, there in zip(deviation.T, known.T, strict=True) if there.any()])
    )
    return known & (losses < -max(outlier_sd * sd, MIN_LOSS))


def worst_of_each_slice(found: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Of the outliers in a slice, the one that lost most, bool, shape (N, n_slices).

    What an outlier does to the others' predictions looks like outliers too, until it is taken out.
    """
    worst = np.zeros(found.shape, bool)
    slices = np.flatnonzero(found.any(axis=0))
    lost = np.where(found, losses, np.inf)
    worst[lost[:, slices].argmin(axis=0), slices] = True
    return worst
