"""Whether a gradient table fits the images it came with: white matter changes least along its fibres."""

from itertools import permutations, product
from typing import NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.diffusion.gradients import Gradients, to_fsl
from mndmri.grids import check_same_grid, voxel_sizes
from mndmri.io import InputError
from mndmri.tables.measures import MEASURE_COLUMNS, row

# Fibres are searched where FA exceeds this value.
MIN_FA = 0.3
# Closer to the mask's edge than this (mm), a loose mask holds skull and scalp, whose noise has a high FA too.
_RIM_MM = 12.0
# The best table has to be ahead of the second best by this much. In nine real series of seven people a right table is
# ahead by 0.12 to 0.26, with loose masks too (0.07 without any); of tables that have nothing to do with the images (30:
# rows exchanged, or directions at random) the best one of the 24 is ahead by 0.00 to 0.05, at coherences of up to 0.25.
MARGIN = 0.06
# With fewer voxels the coherence of unrelated directions is not near 0.
MIN_VOXELS = 500

# Verdicts, as in the table of quality measures.
FITS, ANOTHER_FITS, UNDECIDED = 0, 1, 2
ORIENTATION_COLUMNS = ["order", "coherence"]


class OrientationCheck(NamedTuple):
    """How well a gradient table, and the 23 others of its kind, fit the images."""

    ranking: pd.DataFrame
    """`ORIENTATION_COLUMNS`, a row for each candidate, the most coherent first: ``order`` is what stands in the
    place of x, y and z of the bvec file (``x y z`` is the table as given); ``coherence`` is 1 at best, and 0 for
    directions that have nothing to do with the images."""
    given: pd.Series
    """The row of the table as given."""
    best: pd.Series
    """The row of the best candidate."""
    matrix: np.ndarray
    """Matrix from the given table to the best one, in world axes, shape (3, 3), orthogonal."""
    verdict: int
    """`FITS`, or `ANOTHER_FITS`, if the best table is ahead of all others by more than `MARGIN`; otherwise
    `UNDECIDED`."""
    n_voxels: int
    """Voxels of white matter that were compared."""

    @property
    def clearly_wrong(self) -> bool:
        """Whether another table fits better."""
        return self.verdict == ANOTHER_FITS


def check_orientation(fa: SpatialImage, v1: SpatialImage, affine: np.ndarray) -> OrientationCheck:
    """Which of the 24 ways to permute and reverse the axes of a gradient table fits the images.

    Parameters
    ----------
    fa : SpatialImage
        3D, 0 outside the brain, from a tensor that was fitted with the table as given to volumes that are aligned.
    v1 : SpatialImage
        Main direction of that tensor, world axes, shape (X, Y, Z, 3).
    affine : ndarray, shape (4, 4)
        Of the image that the bvec file was written for, by which the candidates are named.

    Returns
    -------
    OrientationCheck

    Raises
    ------
    InputError
        If there is too little white matter.

    Notes
    -----
    One fit serves all candidates: a table whose axes are permuted has the same tensors, permuted. Coherence is in
    the sense of Schilling et al. 2019, Magn Reson Imaging 58:82: fibres go on along themselves. Their index counts
    neighbours within a cone about the main direction; here S = FA v v' is differentiated, and coherence is
    1 - 3 sum(|dS/dv|^2) / sum(|grad S|^2): the share of all change of S that is found along the fibre itself, scaled
    so that a direction at random has 0.
    """
    check_same_grid(fa, v1)
    share = np.asarray(fa.dataobj, np.float32)
    direction = np.asarray(v1.dataobj, np.float32)
    inside = _core(share, voxel_sizes(fa))
    if inside.sum() < MIN_VOXELS:
        raise InputError(
            f"{int(inside.sum())} voxels have FA above {MIN_FA:g}, at least {MIN_VOXELS} are needed to check the "
            "gradient table; check the brain mask and the FA map"
        )
    change = _change(share, direction, fa.affine)[inside]
    fibre = direction[inside]

    to_file = to_fsl(np.eye(3), affine)
    rows, matrices = [], {}
    for order, permutation in candidates():
        matrix = to_file.T @ permutation @ to_file
        matrices[order] = matrix
        along = np.einsum("na,nab,nb->", turned := fibre @ matrix.T.astype(np.float32), change, turned, optimize=True)
        coherence = 1 - 3 * float(along) / float(np.trace(change, axis1=1, axis2=2).sum(dtype=float))
        rows.append({"order": order, "coherence": coherence})
    ranking = pd.DataFrame(rows, columns=ORIENTATION_COLUMNS)
    given = ranking.loc[0]
    ranking = ranking.sort_values("coherence", ascending=False, kind="stable", ignore_index=True)
    best = ranking.loc[0]
    if best["coherence"] - ranking.loc[1, "coherence"] > MARGIN:
        verdict = FITS if best["order"] == given["order"] else ANOTHER_FITS
    else:
        verdict = UNDECIDED
    return OrientationCheck(ranking, given, best, matrices[best["order"]], verdict, int(inside.sum()))


def verdict_rows(check: OrientationCheck) -> pd.DataFrame:
    """Row of the quality table: the verdict on the gradient table."""
    verdict = row("dwi", "gradient_verdict", "brain", "both", check.verdict, unit="1", n_voxels=check.n_voxels)
    return pd.DataFrame([verdict], columns=MEASURE_COLUMNS)


def suggest(gradients: Gradients, check: OrientationCheck) -> Gradients:
    """Table that fits the images best, in world axes."""
    return gradients._replace(bvecs=gradients.bvecs @ check.matrix.T)


def describe(check: OrientationCheck) -> str:
    """Result of the check, and what to do if the table is wrong."""
    given, best = check.given, check.best
    if not check.clearly_wrong:
        verdict = "fits the images" if check.verdict == FITS else "cannot be verified by the images"
        return f"the gradient table {verdict}: fibre coherence {given['coherence']:.2f}"
    return (
        f"the gradient table does not fit the images: fibre coherence {given['coherence']:.2f} as given, "
        f"{best['coherence']:.2f} with {best['order']} in the place of its axes x y z; check whether the main "
        "directions run left-right in the callosum and inferior-superior in the internal capsules, and either "
        "correct the bvec file (the suggested table is beside the results) or set dwi.gradient_check: warn"
    )


def candidates() -> list[tuple[str, np.ndarray]]:
    """The 24 ways to permute and reverse three axes that a tensor can tell apart, the unchanged one first.

    Returns
    -------
    list of (name, matrix)
        A name as ``x -z y`` says what stands in the place of x, y and z. To reverse all three changes nothing, so
        that at most one of the axes is reversed.
    """
    found = []
    for order, reversed_axis in product(permutations(range(3)), (None, 0, 1, 2)):
        matrix = np.zeros((3, 3))
        matrix[range(3), order] = [-1.0 if place == reversed_axis else 1.0 for place in range(3)]
        words = (("-" if place == reversed_axis else "") + "xyz"[axis] for place, axis in enumerate(order))
        found.append((" ".join(words), matrix))
    return found


def _core(fa: np.ndarray, zooms: np.ndarray) -> np.ndarray:
    """The largest piece of white matter that is nowhere thin, away from the mask's edge, bool.

    Noise of skull and scalp in a loose mask, and of grey matter, has thin pieces of high FA. Where slices are few or
    voxels large, thin pieces and the edge are kept, as far as there is too little without them.
    """
    mask = fa > 0
    white = (fa > MIN_FA) & ndimage.binary_erosion(mask)
    filled = np.pad(ndimage.binary_fill_holes(mask), 1)
    deep = white & (ndimage.distance_transform_edt(filled, zooms)[1:-1, 1:-1, 1:-1] > _RIM_MM)
    labels, n = ndimage.label(ndimage.binary_opening(deep))
    if n:
        largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
        if largest.sum() >= MIN_VOXELS:
            return largest
    return deep if deep.sum() >= MIN_VOXELS else white


def _change(fa: np.ndarray, direction: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Sum over the elements of S = FA v v' of grad grad', in world axes, shape (X, Y, Z, 3, 3), 1/mm2."""
    to_index = np.linalg.inv(affine[:3, :3]).astype(np.float32)
    total = np.zeros((*fa.shape, 3, 3), np.float32)
    for first in range(3):
        for second in range(first, 3):
            element = fa * direction[..., first] * direction[..., second]
            slope = np.stack(np.gradient(element), axis=-1) @ to_index
            total += (1 if first == second else 2) * slope[..., :, None] * slope[..., None, :]
    return total
