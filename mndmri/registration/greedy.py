"""Registration by greedy, on images in memory: the only module that imports it.

greedy is the registration tool of ITK-SNAP (Yushkevich et al. 2016, Alzheimers Dement 12:P126). One
thread and a seed make two runs bit-identical.
"""

import ctypes
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path

import nibabel as nb
import numpy as np
import SimpleITK as sitk
from nibabel.spatialimages import SpatialImage
from picsl_greedy import Greedy3D

from mndmri.registration.transforms import RAS_TO_LPS, make_field

_SEED = 1
# Smoothing of each step, and of the velocity, and the length of a step (voxels). A step is shortened to this and
# never stretched: stretched, steps go on pulling at a few places when all the rest has settled, until it folds
# there (least Jacobian 0.000, against 0.021, in the worst of eight brains). Smoothing of 2 and 0.6 voxels gave a Dice
# of grey matter 0.02 to 0.03 lower in five brains; 2 and 0.4 folded one. The weight is that of the image forces,
# which are small.
_SMOOTHING_VOX = (1.5, 0.5)
_STEP_VOX = 0.7
_WEIGHT = 10.0

# What lbfgs (netlib) prints when a step along the line no longer gains anything: the ordinary end of greedy's search
# for the affine transform, in every head. INFO 2 to 6 are such ends; 0, improper input, is not (More and Thuente 1994,
# ACM Trans Math Softw 20:286).
_END_OF_SEARCH = re.compile(
    rb"\s*IFLAG=\s*-1\s+LINE SEARCH FAILED\. SEE DOCUMENTATION OF ROUTINE MCSRCH\s+ERROR RETURN OF LINE SEARCH: "
    rb"INFO=\s*[2-6]\s+POSSIBLE CAUSES: FUNCTION OR GRADIENT ARE INCORRECT\s+OR INCORRECT TOLERANCES[ \t]*\n?"
)


def register_affine(
    fixed: SpatialImage, moving: SpatialImage, *, start: np.ndarray, iterations: Sequence[int] = (100, 50, 0)
) -> np.ndarray:
    """Affine transform that resamples ``moving`` onto ``fixed``, from local correlation.

    Parameters
    ----------
    fixed, moving : SpatialImage
        3D images of like contrast, 0 outside the brain.
    start : ndarray, shape (4, 4)
        From fixed to moving world points (RAS, mm).
    iterations : sequence of int
        Per resolution level, coarse to fine.

    Returns
    -------
    ndarray, shape (4, 4)
        From fixed to moving world points (RAS, mm).
    """
    greedy = Greedy3D()
    with _matrix_file(start) as name:
        _execute(
            greedy,
            f"-a -dof 12 -i fixed moving -ia {name} -m NCC 4x4x4 -n {_levels(iterations)} -o affine",
            fixed=_to_sitk(_unit(fixed)),
            moving=_to_sitk(_unit(moving)),
            affine=None,
        )
    return np.array(greedy["affine"])


def register_velocity(
    pairs: Sequence[tuple[SpatialImage, SpatialImage]],
    *,
    start: np.ndarray,
    metric: str,
    iterations: Sequence[int],
    mask: SpatialImage | None = None,
) -> tuple[SpatialImage, SpatialImage]:
    """Diffeomorphic field that follows an affine transform, and its inverse.

    Parameters
    ----------
    pairs : sequence of pairs of SpatialImage
        Fixed and moving images that are to agree, each of weight 1; all the fixed on one grid.
    start : ndarray, shape (4, 4)
        Affine transform, from fixed to moving world points (RAS, mm).
    mask : SpatialImage, optional
        Where in the fixed images the pairs are compared, on their grid; elsewhere the field follows from around.
    metric : str
        As greedy writes it: ``SSD``, or ``NCC 2x2x2`` with its radius.
    iterations : sequence of int
        Per resolution level, coarse to fine.

    Returns
    -------
    bend, unbend : SpatialImage
        Displacement fields on the fixed grid. From fixed to moving, points meet ``bend``, then ``start``; from
        moving to fixed, the inverse of ``start``, then ``unbend``.
    """
    greedy = Greedy3D()
    images: dict[str, sitk.Image] = {}
    for n, (fixed, moving) in enumerate(pairs):
        images |= {f"fixed{n}": _to_sitk(fixed), f"moving{n}": _to_sitk(moving)}
    inputs = " ".join(f"-w {_WEIGHT} -i fixed{n} moving{n}" for n in range(len(pairs)))
    if mask is not None:
        images["mask"] = _to_sitk(mask)
        inputs += " -gm mask"
    smoothing = " ".join(f"{sd}vox" for sd in _SMOOTHING_VOX)
    with _matrix_file(start) as name:
        _execute(
            greedy,
            f"{inputs} -it {name} -m {metric} -n {_levels(iterations)} -s {smoothing} -e {_STEP_VOX} "
            "-tscale SCALEDOWN -sv -o bend -oinv unbend -wp 0",
            **images,
            bend=None,
            unbend=None,
        )
    bend, unbend = (_to_field(greedy[name], pairs[0][0]) for name in ("bend", "unbend"))
    return bend, unbend


def _execute(greedy: Greedy3D, command: str, **images: sitk.Image | None) -> None:
    """Run a command, quietly."""
    said = StringIO()
    with _unalarmed():
        greedy.execute(f"{command} -threads 1 -seed {_SEED} -V 0", out=said, err=said, **images)


@contextmanager
def _unalarmed() -> Iterator[None]:
    """Leave out of what is printed, at the level of file descriptors, that a line search came to its end.

    What is printed in between is held back and written to standard error at the end, also if Python raises an error; if
    the process is killed or crashes, it is lost.
    """
    _flush()
    own = {number: os.dup(number) for number in (1, 2)}
    with tempfile.TemporaryFile() as printed:
        for number in own:
            os.dup2(printed.fileno(), number)
        try:
            yield
        finally:
            _flush()
            for number, saved in own.items():
                os.dup2(saved, number)
                os.close(saved)
            printed.seek(0)
            os.write(2, _END_OF_SEARCH.sub(b"", printed.read()))


def _flush() -> None:
    """Write out what Python, C and C++ hold back: other libraries give C++ a buffer of its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)
    with suppress(OSError, AttributeError, ValueError):  # a C++ library other than GNU's
        cpp = ctypes.CDLL("libstdc++.so.6")
        flush = cpp["_ZNSo5flushEv"]  # std::ostream::flush
        flush.argtypes = [ctypes.c_void_p]
        flush(ctypes.addressof(ctypes.c_char.in_dll(cpp, "_ZSt4cout")))


def _levels(iterations: Sequence[int]) -> str:
    return "x".join(map(str, iterations))


@contextmanager
def _matrix_file(matrix: np.ndarray) -> Iterator[str]:
    """A file that holds a matrix: as a start, greedy takes none from memory."""
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / "start.mat"
        np.savetxt(name, matrix, fmt="%.17g")
        yield str(name)


def _unit(image: SpatialImage) -> SpatialImage:
    """Image of like scale for all: greedy adds noise in proportion to the range."""
    data = np.asarray(image.dataobj, np.float32)
    return nb.Nifti1Image(data / np.percentile(data[data > 0], 99), image.affine)


def _to_sitk(image: SpatialImage) -> sitk.Image:
    """Image as ITK has it, in single precision."""
    found = sitk.GetImageFromArray(np.ascontiguousarray(np.asarray(image.dataobj, np.float32).T))
    affine = RAS_TO_LPS @ image.affine
    sizes = nb.affines.voxel_sizes(affine)
    found.SetSpacing(sizes.tolist())
    found.SetOrigin(affine[:3, 3].tolist())
    found.SetDirection((affine[:3, :3] / sizes).ravel().tolist())
    return found


def _to_field(image: sitk.Image, like: SpatialImage) -> SpatialImage:
    """ITK's displacement field, on the grid of ``like``."""
    lps = np.moveaxis(sitk.GetArrayFromImage(image), (0, 1, 2), (2, 1, 0))
    return make_field(lps @ RAS_TO_LPS[:3, :3], like)
