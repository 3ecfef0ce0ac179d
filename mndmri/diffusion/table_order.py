"""Whether the rows of a gradient table belong to the volumes beside which they stand."""

import numpy as np

from mndmri.diffusion.brightness import head_of
from mndmri.diffusion.gradients import Gradients, design_matrix

_VOXELS = 3000
# Volumes beyond a tensor's unknowns: with fewer, chance fits as well.
_SPARE = 4
# In nine real series the right table leaves 10 to 55% of the misfit of one shifted by a volume; in noise a shifted one
# leaves 87 to 101% of the other's.
_BETTER = 0.7


def doubt_order(data: np.ndarray, gradients: Gradients) -> str:
    """Why the directions cannot be those of the volumes: the next volume's fit far better; empty if they can.

    A tensor is fitted to the logarithm of the signal with the table as it is, and with the weighted rows shifted by
    one volume either way. Which axis is which does not matter to how well it fits.

    Parameters
    ----------
    data : ndarray, shape (X, Y, Z, N)
        The series.
    gradients : Gradients
        Directions in any axes.
    """
    weighted = np.flatnonzero(~gradients.is_b0)
    design = design_matrix(gradients)
    if len(design) < design.shape[1] + _SPARE:
        return ""
    places = np.argwhere(head_of(data))
    signal = data[tuple(places[:: max(1, len(places) // _VOXELS)].T)].astype(float)
    log = np.log(np.maximum(signal, 1e-3 * signal.max()))
    misfit = _misfit(log, gradients)
    if misfit == 0:
        return ""
    for step, other in ((1, "before"), (-1, "after")):
        bvecs = gradients.bvecs.copy()
        bvecs[weighted] = np.roll(gradients.bvecs[weighted], step, axis=0)
        share = _misfit(log, gradients._replace(bvecs=bvecs)) / misfit
        if share < _BETTER:
            return (
                f"each weighted volume fits the direction of the one {other} it better ({100 * share:.0f}% of the "
                "misfit): the table is shifted by one volume; convert the series again"
            )
    return ""


def _misfit(log: np.ndarray, gradients: Gradients) -> float:
    """Median over voxels of the squares that a tensor leaves of the logarithm of the signal."""
    scale = np.append(np.full(6, max(gradients.bvals.max(), 1.0)), 1.0)
    design = design_matrix(gradients) / scale
    residual = log - log @ (design @ np.linalg.pinv(design)).T
    return float(np.median((residual**2).sum(axis=1)))
