"""Which way the fibres of a simulated head run."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import gaussian_filter

from mndmri.grids import voxel_sizes
from mndmri.phantom.deformation import Head, fibre_to_world

# A map's slopes are taken at the first scale, and are gathered over the second (SD, mm): smaller than a bundle and
# about as large, so that directions change little from one voxel to the next.
_SLOPE_MM, _BUNDLE_MM = 1.0, 6.0
# Mean squared slope (1/mm2) below which a map has no shape: its border is some centimetres away.
_NO_SLOPE = 1e-4
# How much the usual direction counts beside the shape, whose tensor has trace 1: enough to lead within a sheet and
# where there is no shape.
_USUAL_SHARE = 0.3


def fibre_directions(head: Head, centreline: pd.DataFrame) -> dict[str, np.ndarray]:
    """Directions of the corticospinal (``cst``), callosal (``callosum``) and ``other`` fibres.

    Parameters
    ----------
    head : Head
        With the maps ``white`` and ``callosum``.
    centreline : DataFrame
        As in `Anatomy`.

    Returns
    -------
    dict of ndarray, shape (X, Y, Z, 3)
        Unit vectors in world axes; their sign means nothing.
    """
    callosal = fibre_to_world(head, _callosal_direction(head.place))
    other = fibre_to_world(head, _other_direction(head.place))
    return {
        "cst": fibre_to_world(head, tract_direction(head.place, centreline)),
        "callosum": follow_shape(head.maps["callosum"], callosal, head.grid),
        "other": follow_shape(head.maps["white"], other, head.grid),
    }


def follow_shape(shape: np.ndarray, usual: np.ndarray, grid: SpatialImage) -> np.ndarray:
    """Directions in which a map goes on, as fibres run along the white matter that they make up.

    Parameters
    ----------
    shape : ndarray, shape (X, Y, Z)
        0 to 1.
    usual : ndarray, shape (X, Y, Z, 3)
        Unit vectors in world axes: what is chosen among directions in which the map changes alike, and kept
        where it is 0.
    grid : SpatialImage
        Where the map lies in the world.

    Returns
    -------
    ndarray, shape (X, Y, Z, 3)
        Unit vectors in world axes; their sign means nothing.

    Notes
    -----
    The structure tensor (Bigun and Granlund 1987, ICCV), summed over a neighbourhood, is least along the direction
    sought; here divided by its trace, less the share of the usual direction.
    """
    voxel = voxel_sizes(grid)
    to_index = np.linalg.inv(grid.affine[:3, :3])
    slope = np.stack(np.gradient(gaussian_filter(shape.astype(float), _SLOPE_MM / voxel)), axis=-1) @ to_index
    there = shape > 0
    change = np.empty((np.count_nonzero(there), 3, 3))
    for row in range(3):
        for column in range(row + 1):
            gathered = gaussian_filter(slope[..., row] * slope[..., column], _BUNDLE_MM / voxel)[there]
            change[:, row, column] = change[:, column, row] = gathered
    change /= np.trace(change, axis1=1, axis2=2)[:, None, None] + _NO_SLOPE
    wanted = usual[there]
    _, axes = np.linalg.eigh(change - _USUAL_SHARE * wanted[:, :, None] * wanted[:, None, :])
    directions = usual.copy()
    directions[there] = axes[..., 0]
    return directions


def tract_direction(place: np.ndarray, centreline: pd.DataFrame) -> np.ndarray:
    """Direction in which the corticospinal tract of the shared head runs.

    A fibre keeps its relative place across the tract, so that the tract fans out as its
    spread grows.

    Parameters
    ----------
    place : ndarray, shape (..., 3)
        Points of the shared head, mm.
    centreline : DataFrame
        As in `Anatomy`.

    Returns
    -------
    ndarray, shape (..., 3)
        Upwards, not of unit length.
    """
    direction = np.ones(place.shape)
    for hemi, side in (("L", place[..., 0] < 0), ("R", place[..., 0] >= 0)):
        line = centreline[centreline["hemi"] == hemi]
        z = line["z"].to_numpy()
        height = place[side][:, 2]
        for number, axis in enumerate("xy"):
            centre, spread = line[axis].to_numpy(), line[f"spread_{axis}"].to_numpy()
            fan = np.interp(height, z, np.gradient(np.log(spread), z))
            across = place[side][:, number] - np.interp(height, z, centre)
            slope = np.interp(height, z, np.gradient(centre, z)) + fan * across
            direction[side, number] = np.clip(slope, -1.5, 1.5)  # the fan's margin, where the map is thin
    return direction


def _callosal_direction(place: np.ndarray) -> np.ndarray:
    """Left to right at the midline, turning upwards to the sides."""
    across = place[..., 0]
    rise = np.sign(across) * np.clip(np.abs(across) - 8, 0, 40) / 15
    return np.stack([np.ones_like(across), np.zeros_like(across), rise], axis=-1)


def _other_direction(place: np.ndarray) -> np.ndarray:
    """A smooth direction for the rest of the white matter, mostly front to back."""
    x, y, z = np.moveaxis(place, -1, 0)
    return np.stack([0.5 * np.sin(z / 25), np.ones_like(x), 0.6 * np.sin(y / 30) * np.cos(x / 30)], axis=-1)
