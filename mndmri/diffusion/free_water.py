"""Free water beside tissue: how much of a voxel it is, and the tensor of the rest."""

from typing import NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.gradients import Gradients, design_matrix
from mndmri.diffusion.shells import MAX_B_TENSOR, has_two_shells
from mndmri.diffusion.tensor import (
    REWEIGHTINGS,
    VOXELS_AT_ONCE,
    brain_signal,
    eigen_system,
    fit_signal,
    fractional_anisotropy,
    normal_matrices,
    on_grid,
    predict_signal,
    solve_tensor,
)
from mndmri.grids import make_image
from mndmri.io import InputError

WATER_DIFFUSIVITY = 3.0e-3  # mm2/s, at 37 degrees: Pasternak et al. 2009
# A voxel with a higher mean diffusivity (mm2/s) is all water: its tissue cannot be separated from noise (as in DIPY).
ALL_WATER = 2.7e-3
# Amounts of water that are tried, of the signal at b = 0; what lies between is found from the nearest.
TRIED = np.arange(0, 1, 0.1)
# Levenberg-Marquardt: steps (more change the fraction by less than 0.0005 on average, at an SNR of 20), damping at
# first, and its factors after a step that was better and one that was not.
STEPS = 12
DAMPING, EASE, TIGHTEN = 1e-2, 0.3, 5.0
# Measures of the maps, in their order.
UNITS = {"free_water": "1", "fa_tissue": "1", "md_tissue": "1e-3 mm2/s"}


class FreeWaterMaps(NamedTuple):
    """Two compartments in every voxel of a mask; all maps are 0 outside it, float32."""

    fraction: SpatialImage
    """Of the signal at b = 0 that is free water's, 0 to 1."""
    fa: SpatialImage
    """FA of the tissue, 0 to 1; 0 where all is water."""
    md: SpatialImage
    """Mean diffusivity of the tissue, 1e-3 mm2/s; 0 where all is water."""


def fit_free_water(dwi: SpatialImage, gradients: Gradients, mask: SpatialImage) -> FreeWaterMaps:
    """Fraction of free water, and FA and MD of the tissue beside it.

    Parameters
    ----------
    dwi : SpatialImage
        4D. Volumes with b above 2100 s/mm2 are not used.
    gradients : Gradients
        In world axes, one entry for each volume.
    mask : SpatialImage
        Brain, on the same grid.

    Returns
    -------
    FreeWaterMaps

    Raises
    ------
    InputError
        If the series has no two shells, its table is of another series, or no voxel of the mask has signal.

    Notes
    -----
    Signal = water exp(-b 3.0e-3) + tissue exp(-b g'Dg): Pasternak et al. 2009, Magn Reson Med 62:717.
    Fitted as in Hoy et al. 2014, NeuroImage 103:323: amounts of water are tried, each with a weighted
    linear fit of the tissue; from the best one, all unknowns together by non-linear least squares.
    """
    possible, why = has_two_shells(gradients)
    if not possible:
        raise InputError(f"{why}; do not map free water for this series")
    signal, inside, floor = brain_signal(dwi, gradients, mask)
    used = gradients.bvals <= MAX_B_TENSOR
    signal, table = signal[:, used], gradients.take(used)
    design, water = design_matrix(table), np.exp(-table.bvals * WATER_DIFFUSIVITY)

    limits = floor, max(floor, float(signal.max()))

    found = np.empty((len(signal), 3))
    for begin in range(0, len(signal), VOXELS_AT_ONCE):
        some = np.maximum(signal[begin : begin + VOXELS_AT_ONCE].astype(float), floor)
        found[begin : begin + VOXELS_AT_ONCE] = _fit(some, design, water, limits)
    return FreeWaterMaps(*(make_image(on_grid(values, inside), mask) for values in found.T))


def _fit(signal: np.ndarray, design: np.ndarray, water: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Fraction of water, FA and MD of the tissue, (n, 3)."""
    plain = fit_signal(signal, design, floor=limits[0])
    amount, tissue = _try_amounts(signal, _at_b0(plain, limits), design, water, limits)
    amount, tissue = _refine(signal, amount, tissue, design, water, limits)
    fraction = amount / (amount + _at_b0(tissue, limits))
    values, _ = eigen_system(tissue)
    maps = np.column_stack([fraction, fractional_anisotropy(values), 1e3 * values.mean(axis=1)])
    all_water = plain[:, :3].mean(axis=1) > ALL_WATER
    return np.where(all_water[:, None], [1.0, 0.0, 0.0], maps)


def _try_amounts(
    signal: np.ndarray, at_b0: np.ndarray, design: np.ndarray, water: np.ndarray, limits: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The amount of water (n,), among those tried, and the tissue's coefficients (n, 7), that fit best."""
    least = np.full(len(signal), np.inf)
    amount, tissue = np.zeros(len(signal)), np.zeros((len(signal), design.shape[1]))
    for share in TRIED:
        of_water = share * at_b0[:, None] * water
        rest = np.maximum(signal - of_water, limits[0])
        predicted = rest
        for _ in range(REWEIGHTINGS):
            coefficients = solve_tensor(np.log(rest), design, predicted**2)
            predicted = predict_signal(coefficients, design, limits)
        misfit = np.sum((signal - of_water - predicted) ** 2, axis=1)
        better = misfit < least
        least[better], amount[better], tissue[better] = misfit[better], share * at_b0[better], coefficients[better]
    return amount, tissue


def _refine(
    signal: np.ndarray,
    amount: np.ndarray,
    tissue: np.ndarray,
    design: np.ndarray,
    water: np.ndarray,
    limits: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Amount of water, at least 0, and tissue of the least squared misfit of the signal: Levenberg-Marquardt.

    The derivative of the signal is ``water`` for the amount, and the tissue's signal times the design for the rest.
    """
    scale = np.append(1.0, np.abs(design).max(axis=0))
    scaled = design / scale[1:]
    unknowns = np.column_stack([amount, tissue])
    diagonal = np.arange(unknowns.shape[1])
    damping = np.full(len(signal), DAMPING)

    def compare(unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        predicted = predict_signal(unknowns[:, 1:], design, limits)
        residual = signal - unknowns[:, :1] * water - predicted
        return predicted, residual, np.sum(residual**2, axis=1)

    predicted, residual, misfit = compare(unknowns)
    normal = np.empty((len(signal), diagonal.size, diagonal.size))
    for _ in range(STEPS):
        normal[:, 0, 0] = water @ water
        normal[:, 0, 1:] = normal[:, 1:, 0] = (predicted * water) @ scaled
        normal[:, 1:, 1:] = normal_matrices(scaled, predicted**2)
        normal[:, diagonal, diagonal] *= 1 + damping[:, None]
        right = np.column_stack([residual @ water, (predicted * residual) @ scaled])
        tried = unknowns + np.linalg.solve(normal, right[..., None])[..., 0] / scale
        tried[:, 0] = np.maximum(tried[:, 0], 0)
        results = compare(tried)
        better = results[2] < misfit
        for kept, new in zip((unknowns, predicted, residual, misfit), (tried, *results), strict=True):
            kept[better] = new[better]
        damping *= np.where(better, EASE, TIGHTEN)
    return unknowns[:, 0], unknowns[:, 1:]


def _at_b0(coefficients: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return np.exp(np.clip(coefficients[:, 6], *np.log(limits)))
