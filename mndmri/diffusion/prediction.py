"""Prediction of a volume by a model fitted to the other volumes."""

import numpy as np

from mndmri.diffusion.gradients import SHELL_GAP, Gradients, design_matrix

# Leave-one-out prediction divides by 1 - leverage: a volume above this is needed for the fit itself.
MAX_LEVERAGE = 0.9


def predict_left_out(data: np.ndarray, gradients: Gradients) -> np.ndarray:
    """What a fit to the other volumes predicts for each, shape (..., N) as ``data``, float32.

    Parameters
    ----------
    data : ndarray, shape (..., N)
        Signal of an aligned series.
    gradients : Gradients
        Turned with the head.

    Notes
    -----
    Left out, because a volume that contributes to its own target is biased towards its present position. The residual
    of
    a linear fit without one of its points is the residual with it, over 1 - leverage.
    """
    design = prediction_design(gradients)
    hat = design @ np.linalg.pinv(design)
    log = np.log(np.maximum(data, _floor(data)))
    leverage = np.diag(hat)
    scale = np.where(leverage < MAX_LEVERAGE, 1 / (1 - np.minimum(leverage, MAX_LEVERAGE)), 1.0)
    predicted = log - (log - log @ hat.T) * scale
    return np.exp(np.minimum(predicted, np.log(data.max(initial=_floor(data))))).astype(np.float32)


def fill_in(data: np.ndarray, gradients: Gradients, missing: np.ndarray) -> np.ndarray:
    """Series with what is missing in some volumes filled in from the others, voxel by voxel.

    Parameters
    ----------
    data : ndarray, shape (n, N)
        Signal, one row per voxel.
    gradients : Gradients
        Turned with the head.
    missing : ndarray, shape (n, N), bool
        What is not believed. A voxel of which too few volumes are left for a fit stays as it is.

    Returns
    -------
    ndarray, shape (n, N), float32

    Notes
    -----
    Weighted least squares on the logarithm, the weights being the squared signal.
    """
    design = prediction_design(gradients)
    floor = _floor(data)
    log = np.log(np.maximum(data, floor)).astype(float)
    weight = np.where(missing, 0.0, np.maximum(data, floor).astype(float) ** 2)
    weight /= weight.max(axis=1, keepdims=True) + np.finfo(float).tiny
    normal = np.einsum("vn,ni,nj->vij", weight, design, design, optimize=True)
    enough = np.linalg.matrix_rank(normal, tol=1e-6, hermitian=True) == design.shape[1]
    right = (weight * log) @ design
    filled = np.array(data, np.float32)
    fitted = np.linalg.solve(normal[enough], right[enough][..., None])[..., 0] @ design.T
    ceiling = np.log(data.max(initial=floor))
    filled[enough] = np.where(missing[enough], np.exp(np.minimum(fitted, ceiling)), filled[enough])
    return filled


def prediction_design(gradients: Gradients) -> np.ndarray:
    """Log signal per unknown, shape (N, 7), or (N, 8) for a series of several shells.

    The eighth grows with the squared b-value, the same in all directions: without it a tensor
    predicts too little signal at high b (kurtosis; Jensen et al. 2005, Magn Reson Med 53:1432).
    """
    highest = max(float(gradients.bvals.max()), 1.0)
    design = design_matrix(gradients) / np.append(np.full(6, highest), 1.0)
    weighted = np.sort(gradients.bvals[~gradients.is_b0])
    if weighted.size and np.ptp(weighted) > SHELL_GAP:
        return np.column_stack([design, (gradients.bvals / highest) ** 2])
    return design


def _floor(data: np.ndarray) -> float:
    """Lowest signal that a logarithm is taken of."""
    return max(1e-3 * float(data.max(initial=0.0)), float(np.finfo(np.float32).tiny))
