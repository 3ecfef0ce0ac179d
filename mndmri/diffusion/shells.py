"""Shells of a diffusion series, volumes of like b-value, and the models that they allow."""

from itertools import pairwise

import numpy as np

from mndmri.diffusion.gradients import SHELL_GAP, Gradients

# A tensor is assumed of tissue beside free water, which higher b-values contradict; scanners write up to 5% more than
# 2000.
MAX_B_TENSOR = 2100.0
# The expansion of the signal that the kurtosis is a term of holds up to about 3000 (Jensen and Helpern 2010, NMR Biomed
# 23:698); scanners write up to 5% more.
MAX_B_KURTOSIS = 3150.0
# Numbers that describe a shape over all directions: of a tensor, and of a kurtosis tensor.
_TENSOR, _KURTOSIS = 6, 15


def has_two_shells(gradients: Gradients) -> tuple[bool, str]:
    """Whether free water can be separated from tissue, and the data used or the reason why not.

    Parameters
    ----------
    gradients : Gradients
        Of the whole series.
    """
    return _allows("free water", "no free-water maps", gradients, MAX_B_TENSOR, order=2, n=_TENSOR)


def has_kurtosis_shells(gradients: Gradients) -> tuple[bool, str]:
    """Whether the kurtosis can be estimated, and the data used or the reason why not.

    Parameters
    ----------
    gradients : Gradients
        Of the whole series.
    """
    return _allows("kurtosis", "no kurtosis maps", gradients, MAX_B_KURTOSIS, order=4, n=_KURTOSIS)


def _allows(model: str, without: str, gradients: Gradients, max_b: float, *, order: int, n: int) -> tuple[bool, str]:
    """Whether two shells each determine the ``n`` numbers of a form of an ``order`` in the direction, and why."""
    shells = _shells(gradients, max_b)
    if not gradients.is_b0.any():
        return False, f"{without}: the series has no b = 0 volume"
    enough = [volumes for volumes in shells.values() if _n_determined(gradients.bvecs[volumes], order) == n]
    said = ", ".join(f"b = {b:g} ({np.sum(volumes)})" for b, volumes in shells.items()) or "none"
    if len(enough) < 2:
        return False, (
            f"{without}: they need two shells with {n} different directions each and b up to {max_b:g} s/mm2; "
            f"the series has {said}"
        )
    left_out = int(np.sum(gradients.bvals > max_b))
    rest = f"; {left_out} volumes with higher b were excluded" if left_out else ""
    return True, f"{model} from {len(shells)} shells, s/mm2 and volumes: {said}{rest}"


def _shells(gradients: Gradients, max_b: float) -> dict[float, np.ndarray]:
    """Volumes (N,), bool, of each shell up to the highest b-value used, by its mean b-value rounded to 50."""
    weighted = ~gradients.is_b0 & (gradients.bvals <= max_b)
    levels = np.sort(gradients.bvals[weighted])
    edges = np.concatenate([[0.0], levels[1:][np.diff(levels) > SHELL_GAP], [np.inf]])
    shells = [weighted & (gradients.bvals >= low) & (gradients.bvals < high) for low, high in pairwise(edges)]
    return {50.0 * round(float(gradients.bvals[volumes].mean()) / 50): volumes for volumes in shells if volumes.any()}


def _n_determined(directions: np.ndarray, order: int) -> int:
    """Numbers of a form of an order that directions (n, 3) determine; 1e-2: those that differ by rounding are one."""
    products = np.ones((len(directions), 1))
    for _ in range(order):
        products = (products[:, :, None] * directions[:, None, :]).reshape(len(directions), -1)
    return int(np.linalg.matrix_rank(products, tol=1e-2))


# Models that need several shells, and what tells whether a series has them.
MODELS = {"free_water": has_two_shells, "kurtosis": has_kurtosis_shells}
