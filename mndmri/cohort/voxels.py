"""What is wrong with one image: its shape, its geometry, and every voxel."""

import math
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import voxel_sizes
from mndmri.io import InputError, load_image

SHEAR_TOLERANCE = 0.01  # cosine between two voxel axes; a rounded quaternion is off by 1e-6, a tilted gantry by 0.1
VOXEL_RANGE_MM = (0.1, 15.0)  # outside it the unit is not mm
WRAPPED = 0.1  # of the 99th percentile: negative values beyond it are no interpolation's
# A voxel with so many bright neighbours lies in tissue; of these, fewer are chance. Of more than the last, the rest is
# not looked at.
_INSIDE, _FEWEST, _MOST_LOOKED_AT = 0.7, 5, 50_000
_FAR_NEGATIVE = -(2.0**14)  # half of the way to the end of signed 16 bits, where wrapped values come out
_HIGHEST_LABEL = 16  # of a segmentation of tissues
_FEW_NEGATIVE = 0.01  # share of the voxels
_MOST_DEFLATED = 1032  # bytes that gzip can make of one


class Looked(NamedTuple):
    """Problems of an image, and its voxels if there are none."""

    problems: list[str]
    data: np.ndarray | None = None


def check_magnitude(path: str, what: str) -> list[str]:
    """Problems of a 3D image of signal; a few kinds of T1w image (MP2RAGE, PSIR) have a sign."""
    looked = look_at(path, what)
    return looked.problems or doubt_magnitude(looked.data, Path(path).name, signed=True)


def look_at(path: str, what: str, *, n_dimensions: int = 3) -> Looked:
    """Shape, geometry, then every voxel of one image."""
    name = Path(path).name
    try:
        image = load_image(path)
    except InputError as error:
        return Looked([str(error)])
    if too_little := _holds_too_little(image, path):
        return Looked([too_little])
    problems = []
    if len(image.shape) != n_dimensions:
        advice = {
            3: "keep one volume and save it with three dimensions",
            4: "a diffusion series has one volume for each gradient; join the volumes",
        }[n_dimensions]
        problems.append(
            f"{name}: has {len(image.shape)} dimensions {image.shape}, a {what} has {n_dimensions}; {advice}"
        )
    elif min(image.shape[:3]) < 2:
        problems.append(f"{name}: shape {image.shape} is a single slice, a {what} is a volume; check the conversion")
    problems += _check_geometry(image, name)
    looked = _read_voxels(image, name)
    return Looked([*problems, *looked.problems], None if problems else looked.data)


def _holds_too_little(image: SpatialImage, path: str) -> str:
    """Why a file cannot hold the voxels that its header promises, so that they need not be read; empty if it can."""
    name, shape = Path(path).name, image.shape
    if 0 in shape:
        return f"{name}: its header gives the shape {shape}, which has no voxel; the file is damaged, convert it again"
    promised = math.prod(map(int, shape)) * image.get_data_dtype().itemsize
    there = Path(path).stat().st_size * (_MOST_DEFLATED if name.endswith(".gz") else 1)
    if Path(path).suffix in (".nii", ".gz") and promised > there:
        return (
            f"{name}: its header gives the shape {shape}, {promised / 1e9:.2g} GB, more than the file can hold; it is "
            "truncated or damaged, copy or convert it again"
        )
    return ""


def _check_geometry(image: SpatialImage, name: str) -> list[str]:
    """Problems of an affine; with these, left and right are unknown, or voxels have no size."""
    affine = np.asarray(image.affine, float)
    again = "convert it again from DICOM"
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        return [f"{name}: its affine gives a voxel no volume:\n{affine}\n{again}"]
    problems = []
    sizes = voxel_sizes(image)
    if sizes.min() < VOXEL_RANGE_MM[0] or sizes.max() > VOXEL_RANGE_MM[1]:
        listed = " x ".join(f"{size:.4g}" for size in sizes)
        problems.append(f"{name}: voxels of {listed} mm, expected {VOXEL_RANGE_MM[0]} to {VOXEL_RANGE_MM[1]}; {again}")
    axes = affine[:3, :3] / sizes
    cosine = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if cosine > SHEAR_TOLERANCE:
        angle = np.degrees(np.arccos(min(cosine, 1.0)))
        problems.append(
            f"{name}: its affine is sheared (two voxel axes meet at {angle:.1f} degrees, expected 90); "
            "resample it to a grid with right angles"
        )
    if isinstance(image, nb.Nifti1Image):
        sform, sform_code = image.get_sform(coded=True)
        qform, qform_code = image.get_qform(coded=True)
        if not sform_code and not qform_code:
            problems.append(f"{name}: neither sform nor qform is set, so left and right are unknown; {again}")
        elif sform_code and qform_code and np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0:
            problems.append(f"{name}: its sform and qform disagree about left and right; {again}")
    return problems


def _read_voxels(image: SpatialImage, name: str) -> Looked:
    """Voxels, and problems that only reading shows: truncation, values that are not finite, nothing in it."""
    try:
        proxy: Any = image.dataobj
        # unscaled: an integer image stays small in memory and has no NaN
        plain = hasattr(proxy, "get_unscaled") and proxy.slope > 0 and proxy.inter == 0
        data = np.asanyarray(proxy.get_unscaled() if plain else proxy)
    except (OSError, EOFError, ValueError, zlib.error, MemoryError) as error:
        return Looked(
            [f"{name}: its data cannot be read ({error}); the file is truncated or damaged, copy or convert it again"]
        )
    problems = _check_voxels(data, name)
    return Looked(problems, None if problems else data)


def _check_voxels(data: np.ndarray, name: str) -> list[str]:
    """Problems of the voxels' values, whatever the image shows."""
    if data.dtype.kind == "c" or data.dtype.names:
        return [f"{name}: its voxels are {data.dtype}, expected one real number each; export magnitude (and phase)"]
    if data.dtype.kind == "f":
        wrong = int(data.size - np.count_nonzero(np.isfinite(data)))
        if wrong:
            return [
                f"{name}: {wrong} of {data.size} voxels are NaN or infinite; find out why, and write 0 there "
                "if they are background"
            ]
    if data.ndim == 4:
        # volume by volume: as a file holds them, so that nothing is copied
        volumes = np.moveaxis(data, 3, 0)
        empty = np.flatnonzero([volume.min() == volume.max() for volume in volumes])
        if empty.size:
            shown = ", ".join(map(str, empty[:10])) + (", ..." if empty.size > 10 else "")
            return [
                f"{name}: {empty.size} of {data.shape[3]} volumes are constant "
                f"(counted from 0: {shown}); the series was not completely converted"
            ]
    elif data.min() == data.max():
        return [f"{name}: every voxel is {data.flat[0]}; the image is empty, convert it again"]
    return []


def doubt_magnitude(data: np.ndarray | None, name: str, *, signed: bool = False) -> list[str]:
    """What no image of magnitude holds: few values, wrapped ones, negative ones.

    Parameters
    ----------
    data : ndarray, shape (X, Y, Z) or (X, Y, Z, N), optional
        None where the image could not be read.
    name : str
        Of the file.
    signed : bool
        Whether regions may be negative throughout.
    """
    if data is None:
        return []
    return _labelled(data, name) or _wrapped(data, name) or ([] if signed else _negative(data, name))


def _wrapped(data: np.ndarray, name: str) -> list[str]:
    """Values too high for their type, which came out negative; an image of magnitude has none.

    Interpolation makes small negative values too, at edges: those are small, and beside what is dark.
    """
    if data.dtype.kind == "u" or data.min() >= 0:
        return []
    size = np.abs(data.astype(np.float32))
    bright = np.percentile(size, 99)
    found = np.argwhere(data < -WRAPPED * bright)
    # many neighbours that were wrapped themselves lie near the end of 16 bits; elsewhere, a region that is negative
    # throughout is an image with a sign (MP2RAGE, PSIR)
    around = size if data.min() <= _FAR_NEGATIVE else data
    inside = _bright_around(around > bright / 2, found[:_MOST_LOOKED_AT]) > _INSIDE
    n = int(np.count_nonzero(inside))
    if n < _FEWEST:
        return []
    more = " or more" if len(found) > _MOST_LOOKED_AT else ""
    return [
        f"{name}: {n}{more} voxels inside bright tissue are negative (down to {data.min():g}): values too high for the "
        "image's type were wrapped; convert it again, as unsigned or floating-point numbers"
    ]


def _labelled(data: np.ndarray, name: str) -> list[str]:
    """An image of two values, or of a few low whole numbers: a mask or a segmentation."""
    low, high = data.min(), data.max()
    if ((data == low) | (data == high)).all():
        return [f"{name}: all its voxels are {low:g} or {high:g}, as in a mask; correct the pattern, or the file"]
    if low < 0 or high > _HIGHEST_LABEL:
        return []
    values = np.unique(data)
    if len(values) > _HIGHEST_LABEL + 1 or (values != np.rint(values)).any():
        return []
    return [
        f"{name}: all its voxels have one of {len(values)} values, whole numbers from {values[0]:g} to {values[-1]:g}, "
        "as in a mask or a segmentation; correct the pattern, or the file"
    ]


def _negative(data: np.ndarray, name: str) -> list[str]:
    """So many negative values, beyond those of interpolation, that something was subtracted."""
    if data.dtype.kind == "u" or data.min() >= 0:
        return []
    bright = np.percentile(np.abs(data.astype(np.float32)), 99)
    share = np.count_nonzero(data < -WRAPPED * bright) / data.size
    if share <= _FEW_NEGATIVE:
        return []
    return [
        f"{name}: {share:.0%} of the voxels are negative (down to {data.min():g}), and a magnitude has no sign: an "
        "offset was subtracted, or this is another kind of image; convert it again from DICOM, as magnitude"
    ]


def _bright_around(bright: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Share of bright voxels among the 26 neighbours of each place, shape (n,)."""
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    steps = steps[np.any(steps != 0, axis=1)]
    around = places[:, None, :3] + steps
    inside = np.all((around >= 0) & (around < bright.shape[:3]), axis=-1)
    around = np.clip(around, 0, np.array(bright.shape[:3]) - 1)
    volume = () if bright.ndim == 3 else (places[:, None, 3],)
    return (bright[(*np.moveaxis(around, -1, 0), *volume)] & inside).sum(axis=1) / len(steps)
