"""What is wrong with a gradient table, before a tensor is fitted with it."""

from pathlib import Path

import numpy as np

from mndmri.io import InputError, load_image

B0_BELOW = 50.0  # s/mm2; dipy's b0_threshold
UNIT_TOLERANCE = 0.05  # of a b-vector's length
MIN_DIRECTIONS = 6  # unknowns of a symmetric 3 x 3 tensor
SAME_DIRECTION_DEG = 5.0  # closer than this, a direction is one measured again


def read_numbers(path: str) -> np.ndarray:
    """Numbers in a bval or bvec file as they stand, shape (lines, columns).

    Raises
    ------
    InputError
        If a word is no number or lines differ in length.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
        rows = [[float(word) for word in line.replace(",", " ").split()] for line in lines if line.strip()]
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{Path(path).name}: not a table of numbers ({error}); export it again") from error
    lengths = {len(row) for row in rows}
    if len(lengths) != 1:
        found = "no numbers" if not rows else f"lines of {', '.join(map(str, sorted(lengths)))} numbers"
        raise InputError(f"{Path(path).name}: {found}, expected lines of one length; export it again")
    return np.array(rows)


def check_gradients(image: str, bval: str, bvec: str | None, *, whole: bool) -> list[str]:
    """Problems of a gradient table; ``whole`` if a tensor is to be fitted to the series."""
    name, bval_name = Path(image).name, Path(bval).name
    try:
        shape = load_image(image).shape
        n_volumes: int | None = shape[3] if len(shape) > 3 else 1
    except InputError:
        n_volumes = None  # told already
    problems = []
    try:
        values = read_numbers(bval)
        vectors = read_numbers(bvec) if bvec else None
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
    if not (b < B0_BELOW).any():
        problems.append(
            f"{bval_name}: no volume with b below {B0_BELOW:g} s/mm2 (the smallest is {b.min():g}); "
            + (
                "a tensor needs one b=0 volume: add it to the series"
                if whole
                else "the distortion correction needs one"
            )
        )
    if vectors is None:
        return problems
    return problems + _check_vectors(Path(str(bvec)).name, vectors, b, bval_name, name, whole=whole)


def _check_vectors(
    bvec_name: str, vectors: np.ndarray, b: np.ndarray, bval_name: str, image_name: str, *, whole: bool
) -> list[str]:
    """Problems of b-vectors, given as the file has them: shape (3, n) if it is right."""
    if vectors.shape[0] != 3:
        found = f"{bvec_name}: has {vectors.shape[0]} lines of {vectors.shape[1]} numbers, expected 3 lines of {b.size}"
        if vectors.shape[1] == 3:
            return [f"{found}; it is transposed: write x, y and z each in one line"]
        return [f"{found}; export it again"]
    if vectors.shape[1] != b.size:
        return [f"{bvec_name} has {vectors.shape[1]} vectors but {bval_name} has {b.size} entries; export both again"]
    weighted = b >= B0_BELOW
    directions = vectors[:, weighted].T
    lengths = np.linalg.norm(directions, axis=1)
    wrong = ~(np.abs(lengths - 1) <= UNIT_TOLERANCE)  # true for NaN too
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
            f"{bvec_name}: {n_directions} different directions at b of {B0_BELOW:g} or more, which do not determine "
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
