"""Conventions and files of FSL's topup and eddy.

FSL works along the axes of the array, in the order in which radiologists look at it: x runs to
the left. Everything is handed over stored so (LAS), and brought back; then what its files say
of axes holds whichever way the scanner stored the series.
"""

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy.spatial.transform import Rotation

from mndmri.grids import to_canonical
from mndmri.io import InputError

# Where the readout time is unknown: the displacement, field times time, does not depend on it (FSL's advice).
ANY_READOUT_S = 0.05
N_MOVEMENT = 6  # parameters: shifts along x, y and z, mm, and turns about them, radians
_LAS = nb.orientations.axcodes2ornt("LAS")


def to_fsl_order(image: SpatialImage) -> SpatialImage:
    """Image stored as FSL takes it: left-anterior-superior, every axis of an even length.

    An axis of an odd length has its last plane twice: topup halves the grid at its coarse levels.
    """
    canonical = to_canonical(image)
    turned = canonical.as_reoriented(nb.orientations.ornt_transform(nb.io_orientation(canonical.affine), _LAS))
    odd = [(0, length % 2) for length in turned.shape[:3]] + [(0, 0)] * (len(turned.shape) - 3)
    return nb.Nifti1Image(np.pad(np.asarray(turned.dataobj, np.float32), odd, mode="edge"), turned.affine)


def from_fsl_order(image: SpatialImage, like: SpatialImage) -> nb.Nifti1Image:
    """Image that FSL returned, on the grid of a canonical one; the inverse of `to_fsl_order`."""
    x, y, z = like.shape[:3]
    # x runs to the left: what was added at its end lies beyond the first plane of the canonical image
    data = np.asarray(image.dataobj, np.float32)[:x, :y, :z][::-1]
    return nb.Nifti1Image(np.ascontiguousarray(data), like.affine)


def acquisition_parameters(axis: int, polarities: list[int], readouts_s: list[float | None]) -> str:
    """Text of the file with the phase encoding of each image for topup and eddy, one line for each.

    Parameters
    ----------
    axis : int
        Array axis of the canonical (RAS-stored) grid along which phase was encoded.
    polarities : list of {1, -1}
        Towards higher or lower indices of that axis.
    readouts_s : list of float or None
        Total readout times, s; if one is not known, one value stands for all.

    Raises
    ------
    InputError
        If phase was encoded across axial slices, which topup does not model.
    """
    if axis == 2:
        raise InputError(
            "phase was encoded along the inferior-superior axis, which FSL's topup and eddy do not model; set "
            "dwi.distortion and dwi.motion to the built-in methods"
        )
    known = [readout for readout in readouts_s if readout is not None]
    times = known if len(known) == len(readouts_s) else [ANY_READOUT_S] * len(readouts_s)
    lines = []
    for polarity, time in zip(polarities, times, strict=True):
        vector = [0, 0, 0]
        vector[axis] = -polarity if axis == 0 else polarity  # x runs to the left
        lines.append(f"{vector[0]} {vector[1]} {vector[2]} {time:.8g}")
    return "\n".join(lines) + "\n"


def read_movement(text: str, n_volumes: int) -> np.ndarray:
    """Shifts (mm) and turns (radians) of each volume in eddy's ``.eddy_parameters``, shape (N, 6).

    Raises
    ------
    InputError
        If the file has not a line for each volume.
    """
    table = _table(text, "eddy_parameters")
    if table.shape[0] != n_volumes or table.shape[1] < N_MOVEMENT:
        raise InputError(
            f"eddy_parameters has {table.shape[0]} lines of {table.shape[1]} numbers, expected {n_volumes} of at least "
            f"{N_MOVEMENT}; this version of eddy is not supported: set dwi.motion to true"
        )
    return table[:, :N_MOVEMENT]


def read_outliers(text: str, shape: tuple[int, int]) -> np.ndarray:
    """Which slices eddy's ``.eddy_outlier_map`` has as outliers, shape (volumes, slices), bool.

    Parameters
    ----------
    text : str
        A heading, then a line of zeros and ones for each volume.
    shape : (int, int)
        Volumes and slices expected; a slice that `to_fsl_order` added is left away.

    Raises
    ------
    InputError
        If there are fewer lines or slices.
    """
    table = _table(text.partition("\n")[2], "eddy_outlier_map")
    if table.shape[0] != shape[0] or table.shape[1] not in (shape[1], shape[1] + 1):
        raise InputError(
            f"eddy_outlier_map has {table.shape[0]} lines of {table.shape[1]} slices, expected {shape[0]} of "
            f"{shape[1]}; this version of eddy is not supported: set dwi.motion to true"
        )
    return table[:, : shape[1]] > 0


def movement_transforms(movement: np.ndarray, given: SpatialImage) -> np.ndarray:
    """Where the head of the reference lies in each volume: from reference to volume world points, shape (N, 4, 4).

    Parameters
    ----------
    movement : ndarray, shape (N, 6)
        From `read_movement`.
    given : SpatialImage
        The series as eddy was given it, from `to_fsl_order`.

    Notes
    -----
    As FSL's sources have it: turns about the centre of the grid, about z, then y, then x, each clockwise as
    seen against its axis, then the shift, in mm along the axes of the array.
    """
    size = nb.affines.voxel_sizes(given.affine)
    centre = (np.array(given.shape[:3]) - 1) * size / 2
    to_world = given.affine @ np.diag([*1 / size, 1])
    transforms = np.tile(np.eye(4), (len(movement), 1, 1))
    # the inverse: from_euler turns anticlockwise
    transforms[:, :3, :3] = Rotation.from_euler("xyz", movement[:, 3:]).inv().as_matrix()
    transforms[:, :3, 3] = centre - transforms[:, :3, :3] @ centre + movement[:, :3]
    return to_world @ transforms @ np.linalg.inv(to_world)


def _table(text: str, name: str) -> np.ndarray:
    """Numbers of a text file, shape (lines, columns)."""
    try:
        return np.array([[float(word) for word in line.split()] for line in text.splitlines() if line.strip()], ndmin=2)
    except ValueError as error:
        raise InputError(f"{name} is not a table of numbers ({error}); see the log of eddy") from error
