"""What is wrong with a gradient table, before a tensor is fitted with it."""

from pathlib import Path

import numpy as np

from mndmri.diffusion.brightness import doubt_table, doubt_without_direction, volume_medians
from mndmri.diffusion.gradients import B0_THRESHOLD, HIGHEST_B0, UNIT_TOLERANCE, Gradients, is_unweighted, read_numbers
from mndmri.diffusion.table_order import doubt_order
from mndmri.io import InputError, load_image, read_text

MIN_DIRECTIONS = 6  # unknowns of a symmetric 3 x 3 tensor
MAX_B = 100_000.0  # s/mm2; people have been scanned at up to 17,800 (Tian et al. 2022, Sci Data 9:7)
SAME_DIRECTION_DEG = 5.0  # closer than this, a direction is one measured again


def check_gradients(
    image: str, bval: str, bvec: str | None, *, whole: bool, data: np.ndarray | None = None
) -> list[str]:
    """Problems of a gradient table.

    Parameters
    ----------
    image, bval, bvec : str
        Paths; a series of opposite phase encoding may do without a bvec.
    whole : bool
        Whether a tensor is to be fitted to the series.
    data : ndarray, shape (X, Y, Z, N), optional
        The voxels, where the image could be read.
    """
    name, bval_name = Path(image).name, Path(bval).name
    try:
        shape = load_image(image).shape
        n_volumes: int | None = shape[3] if len(shape) > 3 else 1
    except InputError:
        n_volumes = None  # told already
    problems = []
    try:
        values = read_numbers(read_text(bval), bval_name)
        vectors = read_numbers(read_text(bvec), Path(bvec).name) if bvec else None
    except InputError as error:
        return [str(error)]
    if vectors is not None and values.shape[0] == 3 and vectors.shape[0] == 1:
        return [
            f"{bval_name} has three lines and {Path(str(bvec)).name} one: "
            "the b-values and b-vectors are swapped; rename the two files"
        ]
    if min(values.shape) != 1:
        return [f"{bval_name}: has {values.shape[0]} lines of {values.shape[1]} numbers, expected one line of b-values"]
    b = values.ravel()
    if n_volumes is not None and b.size != n_volumes:
        problems.append(
            f"{bval_name} has {b.size} entries but the image has {n_volumes} volumes; "
            "check that the series was not truncated"
        )
    if not np.isfinite(b).all() or b.min() < 0:
        problems.append(f"{bval_name}: b-values from {b.min():g} to {b.max():g}, expected 0 or above; export it again")
        return problems
    if whole and (doubt := _doubt_unit(b)):
        return [*problems, f"{bval_name}: {doubt}"]
    unweighted = is_unweighted(b)
    # a volume with a b-value and no direction is told below, by what it is
    directed = unweighted if vectors is None or vectors.shape != (3, b.size) else vectors.any(axis=0) | unweighted
    if not unweighted.any() and directed.all():
        problems.append(
            f"{bval_name}: no volume with b below {HIGHEST_B0:g} s/mm2 (the smallest is {b.min():g}); "
            + (
                "a tensor needs one b=0 volume: add it to the series"
                if whole
                else "the distortion correction needs one: add it, or set dwi.distortion"
            )
        )
    if data is not None and data.shape[3] != b.size:
        data = None
    medians = None if data is None else volume_medians(data)
    if vectors is not None:
        problems += _check_vectors(Path(str(bvec)).name, vectors, b, bval_name, name, whole=whole, medians=medians)
    if not problems and data is not None and medians is not None:
        doubt = doubt_table(medians, Gradients(b, np.zeros((b.size, 3))))
        problems += [f"{bval_name} does not fit {name}: {doubt}"] if doubt else []
        if whole and not doubt and vectors is not None:
            doubt = doubt_order(data, Gradients(b, np.where(is_unweighted(b)[:, None], 0.0, vectors.T)))
            problems += [f"{Path(str(bvec)).name} does not fit {name}: {doubt}"] if doubt else []
    return problems


def _doubt_unit(b: np.ndarray) -> str:
    """Why b-values cannot be s/mm2, with the unit that they may have; empty if they can."""
    most = b.max()
    if most > MAX_B:
        found, unit, factor = "more than in any scan of people", "s/m2", 1e-6
    elif 0 < most < B0_THRESHOLD:
        found, unit, factor = "b=0 throughout", "ms/um2", 1e3
    else:
        return ""
    return (
        f"b-values up to {most:g}, which would be {found}; BIDS gives s/mm2, so write {factor * most:g} "
        f"(if they are in {unit})"
    )


def _check_vectors(
    bvec_name: str,
    vectors: np.ndarray,
    b: np.ndarray,
    bval_name: str,
    image_name: str,
    *,
    whole: bool,
    medians: np.ndarray | None,
) -> list[str]:
    """Problems of b-vectors, given as the file has them: shape (3, n) if it is right."""
    if vectors.shape[0] != 3:
        found = f"{bvec_name}: has {vectors.shape[0]} lines of {vectors.shape[1]} numbers, expected 3 lines of {b.size}"
        if vectors.shape[1] == 3:
            return [f"{found}; it is transposed: write x, y and z each in one line"]
        return [f"{found}; export it again"]
    if vectors.shape[1] != b.size:
        return [f"{bvec_name} has {vectors.shape[1]} vectors but {bval_name} has {b.size} entries; export both again"]
    weighted = ~is_unweighted(b)
    directions = vectors[:, weighted].T
    lengths = np.linalg.norm(directions, axis=1)
    wrong = ~(np.abs(lengths - 1) <= UNIT_TOLERANCE)  # true for NaN too
    undirected = weighted.copy()
    undirected[weighted] = lengths == 0
    if undirected.any() and medians is not None:
        what = doubt_without_direction(medians, undirected)
        return [f"{bvec_name}: volumes (counted from 0) with a b-value in {bval_name} and no direction: {what}"]
    if wrong.any():
        first = int(np.flatnonzero(weighted)[wrong][0])
        length, value = lengths[wrong][0], b[first]
        why = (
            "a volume without a direction is a trace or mean image, remove it from the series"
            if length == 0
            else "export the table again, with the b-value in the bval file alone"
        )
        return [
            f"{bvec_name}: {int(wrong.sum())} of {int(weighted.sum())} b-vectors are not of length 1; the first "
            f"is volume {first} (counted from 0) with length {length:.3g} at b={value:g}; {why}"
        ]
    if not whole:
        return []
    n_directions = _count_directions(directions)
    if n_directions < MIN_DIRECTIONS or _tensor_rank(directions) < MIN_DIRECTIONS:
        return [
            f"{bvec_name}: {n_directions} different directions in the weighted volumes, which do not determine "
            f"a tensor; at least {MIN_DIRECTIONS}, not in one plane or on one cone, are needed. "
            f"Leave {image_name} out of the study"
        ]
    return []


def _count_directions(directions: np.ndarray) -> int:
    """Number of axes more than 5 degrees apart; a direction and its opposite are one axis."""
    limit = np.cos(np.radians(SAME_DIRECTION_DEG))
    kept: list[np.ndarray] = []
    for direction in directions:
        if all(abs(direction @ other) < limit for other in kept):
            kept.append(direction)
    return len(kept)


def _tensor_rank(directions: np.ndarray) -> int:
    """Number of tensor elements, of six, that the directions determine."""
    if len(directions) == 0:
        return 0
    x, y, z = directions.T
    design = np.stack([x * x, y * y, z * z, x * y, x * z, y * z], axis=1)
    return int(np.linalg.matrix_rank(design, tol=1e-3 * np.sqrt(len(directions))))
