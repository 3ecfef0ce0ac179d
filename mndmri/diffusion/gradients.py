"""Gradient tables: FSL's convention at the edges, world axes in between."""

from typing import NamedTuple

import numpy as np

from mndmri.io import InputError

# Below this b-value (s/mm2) a volume counts as not diffusion weighted: some scanners write 1 to 20 for b = 0.
B0_THRESHOLD = 50.0
# Where no volume has less, the lowest shell does, up to this: at 7 T some series have 56 to 64.
HIGHEST_B0 = 100.0
# b-values (s/mm2) of one shell as it was played differ by no more than this from the next.
_JITTER = 80.0
# The nominal b-value of a shell is a multiple of this.
_NOMINAL = 50.0
# A direction rounded to two decimals is this close to unit length; one scaled by its b-value is not.
UNIT_TOLERANCE = 0.05
# b-values (s/mm2) further apart than this are of different shells.
SHELL_GAP = 300.0
N_TENSOR_PARAMETERS = 7


class Gradients(NamedTuple):
    """What each volume of a diffusion series was weighted with."""

    bvals: np.ndarray
    """b-values, shape (N,), s/mm2."""
    bvecs: np.ndarray
    """Directions in world axes (RAS), shape (N, 3), unit length, zero for b below 50."""

    @property
    def is_b0(self) -> np.ndarray:
        """Which volumes have no diffusion weighting, shape (N,), bool; see `is_unweighted`."""
        return is_unweighted(self.bvals)

    def take(self, volumes: np.ndarray) -> "Gradients":
        """Table of some of the volumes, given as indices or as a mask."""
        return Gradients(self.bvals[volumes], self.bvecs[volumes])


def is_unweighted(bvals: np.ndarray) -> np.ndarray:
    """Which volumes count as b = 0, shape (N,), bool: b below 50, or else the lowest shell if it is below 100."""
    bvals = np.asarray(bvals, float)
    below = bvals < B0_THRESHOLD
    if below.any() or not bvals.size or bvals.min() > HIGHEST_B0:
        return below
    return bvals <= min(bvals.min() + _JITTER / 2, HIGHEST_B0)


def nominal_bvals(bvals: np.ndarray) -> np.ndarray:
    """b-value of the shell that each volume is of, s/mm2, shape (N,).

    Scanners write what was played, with the imaging gradients: 1195 to 1215 is one shell of 1200.
    """
    bvals = np.asarray(bvals, float)
    order = np.argsort(bvals, kind="stable")
    shell = np.cumsum(np.concatenate([[0], np.diff(bvals[order]) > _JITTER]))
    nominal = np.empty_like(bvals)
    for number in np.unique(shell):
        own = order[shell == number]
        # where b-values rise in small steps there are no shells
        one = np.ptp(bvals[own]) <= 2 * _JITTER
        nominal[own] = _NOMINAL * np.round(np.median(bvals[own]) / _NOMINAL) if one else bvals[own]
    return nominal


def read_gradients(bvals: str | np.ndarray, bvecs: str | np.ndarray, affine: np.ndarray) -> Gradients:
    """Gradient table in world axes, from what FSL-style bval and bvec files hold.

    Parameters
    ----------
    bvals : str or ndarray, shape (N,)
        Text of the bval file, or its numbers, s/mm2.
    bvecs : str or ndarray, shape (3, N) or (N, 3)
        Text of the bvec file, or its numbers: the axes of the image as it was stored, with
        the first one reversed where ``affine`` has a positive determinant.
    affine : ndarray, shape (4, 4)
        Of the image that the files were written for, before any reorientation of it.

    Returns
    -------
    Gradients
        The same whichever way the image was stored.

    Raises
    ------
    InputError
        If the numbers of entries differ, or a direction is missing or not of unit length.

    Notes
    -----
    The convention: Jenkinson et al. 2012, NeuroImage 62:782 (FSL), as adopted by BIDS.
    """
    values = _numbers(bvals, "the bval file").ravel()
    vectors = np.atleast_2d(_numbers(bvecs, "the bvec file"))
    if vectors.shape[0] == 3:
        vectors = vectors.T
    if vectors.shape != (values.size, 3):
        raise InputError(
            f"the bval file has {values.size} entries and the bvec file is {vectors.shape[0]} x {vectors.shape[1]}; "
            "expected three numbers for each b-value: check that both belong to this series"
        )
    if not np.all(np.isfinite(values) & (values >= 0)):
        raise InputError("the bval file has an entry that is not a number of at least 0; convert the series again")
    weighted = ~is_unweighted(values)
    length = np.linalg.norm(vectors, axis=1)
    # written so that a length that is not a number is caught too
    directed = np.abs(length - 1) <= UNIT_TOLERANCE
    wrong = np.flatnonzero(weighted & ~directed)
    if wrong.size:
        n = int(wrong[0])
        raise InputError(
            f"volume {n} has b = {values[n]:g} s/mm2 but a direction of length {length[n]:.3g} ({wrong.size} such "
            "volumes); expected length 1: convert the series again, b-values belong into the bval file"
        )
    # a b = 0 of 60 s/mm2 has a direction too
    vectors = np.where((directed & (values >= B0_THRESHOLD))[:, None], vectors, 0.0)
    return Gradients(values, _unit(vectors @ _fsl_to_world(affine).T))


def read_bvals(text: str) -> np.ndarray:
    """b-values in the text of a bval file, s/mm2, shape (N,)."""
    return read_numbers(text, "the bval file").ravel()


def to_fsl(bvecs: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Directions in FSL's convention for an image with this affine, shape (3, N).

    Parameters
    ----------
    bvecs : ndarray, shape (N, 3)
        World axes.
    affine : ndarray, shape (4, 4)
        Of the image that the file is written for.
    """
    return (bvecs @ _fsl_to_world(affine)).T


def rotate(gradients: Gradients, rotations: np.ndarray) -> Gradients:
    """Table in the frame of the head, for volumes in which the head was rotated.

    Parameters
    ----------
    gradients : Gradients
        In world axes, which are the scanner's.
    rotations : ndarray, shape (N, 3, 3) or (N, 4, 4)
        How the head of the reference lies in each volume (the rotation part of the transforms
        from reference to volume points).

    Returns
    -------
    Gradients
        Directions relative to the reference head: the scanner's, turned back.

    Notes
    -----
    Leemans and Jones 2009, Magn Reson Med 61:1336.
    """
    inverse = np.swapaxes(np.asarray(rotations)[:, :3, :3], 1, 2)
    return gradients._replace(bvecs=_unit(np.einsum("nij,nj->ni", inverse, gradients.bvecs)))


def select_shell(gradients: Gradients, *, max_b: float = 1200.0) -> tuple[np.ndarray, str]:
    """Volumes for a tensor fit, and a sentence that describes them.

    Parameters
    ----------
    gradients : Gradients
    max_b : float
        Highest b-value (s/mm2) at which diffusion is taken for Gaussian. Where the volumes up to
        it do not determine a tensor, all volumes are used.

    Returns
    -------
    volumes : ndarray, shape (N,), bool
    note : str

    Raises
    ------
    InputError
        If all volumes together do not determine a tensor either.
    """
    low = nominal_bvals(gradients.bvals) <= max_b
    everything = np.ones_like(low)
    if _determines_tensor(gradients.take(low)):
        n = int(np.sum(low & ~gradients.is_b0))
        left_out = int(np.sum(~low))
        rest = f"; {left_out} volumes with higher b were left out" if left_out else ""
        return low, f"tensor from {n} directions with b <= {max_b:g} s/mm2{rest}"
    n = int(np.sum(~gradients.is_b0))
    highest = gradients.bvals.max(initial=0.0)
    if _determines_tensor(gradients):
        return everything, (
            f"tensor from all {n} directions, b up to {highest:g} s/mm2, because those with b <= {max_b:g} do not "
            "determine one; at high b, MD is lower and less comparable between scanners"
        )
    raise InputError(
        f"the series has {int(gradients.is_b0.sum())} b = 0 volumes and {n} directions (b up to {highest:g} s/mm2), "
        "which do not determine a tensor: at least 6 different directions and a b = 0 volume are needed"
    )


def design_matrix(gradients: Gradients) -> np.ndarray:
    """Log signal per tensor element (xx, yy, zz, xy, xz, yz) and log S0, shape (N, 7)."""
    x, y, z = gradients.bvecs.T
    quadratic = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z], axis=1)
    return np.column_stack([-gradients.bvals[:, None] * quadratic, np.ones(len(x))])


def _determines_tensor(gradients: Gradients) -> bool:
    if gradients.bvals.size < N_TENSOR_PARAMETERS:
        return False
    scaled = design_matrix(gradients) / np.append(np.full(6, max(gradients.bvals.max(), 1.0)), 1.0)
    # 1e-2: directions that differ by rounding alone are one direction
    return int(np.linalg.matrix_rank(scaled, tol=1e-2)) == N_TENSOR_PARAMETERS


def read_numbers(text: str, name: str) -> np.ndarray:
    """Numbers of a bval or bvec file as they stand, shape (lines, columns); separated by blanks or commas.

    Raises
    ------
    InputError
        If a word is no number or lines differ in length; the file is called by ``name``.
    """
    try:
        rows = [[float(word) for word in line.replace(",", " ").split()] for line in text.split("\n") if line.strip()]
    except ValueError as error:
        raise InputError(f"{name}: not a table of numbers ({error}); export it again") from error
    lengths = {len(row) for row in rows}
    if len(lengths) != 1:
        found = "no numbers" if not rows else f"lines of {', '.join(map(str, sorted(lengths)))} numbers"
        raise InputError(f"{name}: {found}, expected lines of one length; export it again")
    return np.array(rows)


def _numbers(source: str | np.ndarray, name: str) -> np.ndarray:
    return read_numbers(source, name) if isinstance(source, str) else np.asarray(source, float)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def _fsl_to_world(affine: np.ndarray) -> np.ndarray:
    """Orthogonal matrix that takes FSL directions to world directions."""
    axes = np.asarray(affine, float)[:3, :3]
    # nearest orthogonal matrix: a sheared affine has no rotation of its own
    u, _, vt = np.linalg.svd(axes / np.linalg.norm(axes, axis=0))
    flip = np.diag([-1.0 if np.linalg.det(axes) > 0 else 1.0, 1.0, 1.0])
    return u @ vt @ flip
