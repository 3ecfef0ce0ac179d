"""Kurtosis: how far diffusion is from free diffusion, along the main direction, across it and on average."""

from typing import NamedTuple

import numpy as np
from dipy.core.gradients import gradient_table
from dipy.reconst.dki import axial_kurtosis, mean_kurtosis, radial_kurtosis
from dipy.reconst.utils import dki_design_matrix
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.gradients import Gradients
from mndmri.diffusion.shells import MAX_B_KURTOSIS, has_kurtosis_shells
from mndmri.diffusion.tensor import brain_signal, eigen_system, fit_signal, on_grid
from mndmri.grids import make_image
from mndmri.io import InputError

# What is less or more is taken for noise. Least: water in spherical pores (Jensen et al. 2005, Magn Reson Med 53:1432);
# most: DIPY's limit of the mean, here of all three.
LIMITS = {"min_kurtosis": -3 / 7, "max_kurtosis": 3}
# Voxels at once: DIPY's analytical means take a hundred arrays of them.
_AT_ONCE = 20_000
# Lowest eigenvalue, mm2/s: kurtosis divides by them.
_LEAST = 1e-5
# DIPY's order of the tensor's elements (xx xy yy xz yz zz) in that of `tensor.eigen_system`.
_ELEMENTS = [0, 2, 5, 1, 3, 4]
# Measures of the maps, in their order.
UNITS = dict.fromkeys(("mk", "ak", "rk"), "1")


class KurtosisMaps(NamedTuple):
    """Kurtosis in every voxel of a mask, without a unit; all maps are 0 outside it, float32."""

    mk: SpatialImage
    """Mean over all directions."""
    ak: SpatialImage
    """Along the main direction."""
    rk: SpatialImage
    """Mean over the directions across it."""


def fit_kurtosis(dwi: SpatialImage, gradients: Gradients, mask: SpatialImage) -> KurtosisMaps:
    """Mean, axial and radial kurtosis, by weighted least squares on the logarithm of the signal.

    Parameters
    ----------
    dwi : SpatialImage
        4D. Volumes with b above 3150 s/mm2 are not used.
    gradients : Gradients
        In world axes, one entry for each volume.
    mask : SpatialImage
        Brain, on the same grid.

    Raises
    ------
    InputError
        If the series lacks the shells, its table is of another series, or no voxel of the mask has signal.

    Notes
    -----
    Model and means: Jensen and Helpern 2010, NMR Biomed 23:698; Tabesh et al. 2011, Magn Reson Med 65:823, as DIPY
    computes them. Weights as in `tensor.fit_tensor`. Values are held within -3/7 and 3.
    """
    possible, why = has_kurtosis_shells(gradients)
    if not possible:
        raise InputError(f"{why}; do not map kurtosis for this series")
    signal, inside, floor = brain_signal(dwi, gradients, mask)
    used = gradients.bvals <= MAX_B_KURTOSIS
    table = gradients.take(used)
    # DIPY would take volumes up to 50 s/mm2 for unweighted, and needs their directions to be zero: so they are
    bvals = np.where(table.is_b0, 0.0, table.bvals)
    design = dki_design_matrix(gradient_table(bvals, bvecs=table.bvecs))
    coefficients = fit_signal(signal[:, used], design, floor=floor)
    found = np.empty((len(coefficients), len(KurtosisMaps._fields)))
    for begin in range(0, len(found), _AT_ONCE):
        some = _as_dipy(coefficients[begin : begin + _AT_ONCE])
        means = [of(some, **LIMITS) for of in (mean_kurtosis, axial_kurtosis, radial_kurtosis)]
        found[begin : begin + _AT_ONCE] = np.column_stack(means)
    return KurtosisMaps(*(make_image(on_grid(np.nan_to_num(values), inside), mask) for values in found.T))


def _as_dipy(coefficients: np.ndarray) -> np.ndarray:
    """Coefficients (n, 22) of the logarithm of the signal as DIPY's parameters (n, 27).

    Eigenvalues, eigenvectors (in columns, row by row), the kurtosis tensor's 15 elements, and what no mean needs.
    """
    values, vectors = eigen_system(coefficients[:, _ELEMENTS])
    values = np.maximum(values, _LEAST)
    kurtosis = coefficients[:, 6:21] / values.mean(axis=1, keepdims=True) ** 2
    return np.column_stack([values, vectors.reshape(-1, 9), kurtosis])
