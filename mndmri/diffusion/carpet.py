"""Every slice of every volume of a diffusion series as two numbers: its signal, and what a model leaves of it."""

from typing import NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.gradients import Gradients, nominal_bvals
from mndmri.diffusion.outliers import slice_losses
from mndmri.diffusion.prediction import predict_left_out
from mndmri.grids import check_same_grid, slice_axis, voxel_sizes

# Every second voxel of a slice, in each direction, is enough for its mean.
_STEP = 2


class Carpet(NamedTuple):
    """Slices x volumes, shape (n_slices, N) each; missing where a slice holds less than 1000 mm2 of brain."""

    signal: np.ndarray
    """As scanned, relative to the median of the same slice over the volumes of its b-value."""
    residual: np.ndarray
    """Of the preprocessed series, relative to the prediction of each volume by the others."""


def slice_carpet(scanned: SpatialImage, series: SpatialImage, gradients: Gradients, mask: SpatialImage) -> Carpet:
    """Signal and residual of each slice of each volume.

    Parameters
    ----------
    scanned, series : SpatialImage
        4D, RAS-stored, on one grid: as scanned, and preprocessed.
    gradients : Gradients
        Of the preprocessed series.
    mask : SpatialImage
        Brain, on the same grid.

    Raises
    ------
    InputError
        If the grids differ.
    """
    check_same_grid(scanned, series, mask)
    axis = slice_axis(series)
    inside = np.moveaxis(np.asarray(mask.dataobj) > 0, axis, 0)[:, ::_STEP, ::_STEP]
    slices, n_slices = np.nonzero(inside)[0], inside.shape[0]
    in_plane = np.delete(voxel_sizes(series), axis)
    area = {"slices": slices, "n_slices": n_slices, "voxel_mm2": float(np.prod(in_plane)) * _STEP**2}
    before, after = (_points(image, axis, inside) for image in (scanned, series))
    means = np.stack([np.bincount(slices, own, minlength=n_slices) for own in before.T], axis=-1)
    typical, shells = np.empty_like(before), nominal_bvals(gradients.bvals)
    for b in np.unique(shells):
        shell = shells == b
        middle = np.median(means[:, shell], axis=1, keepdims=True)
        share = np.divide(middle, means[:, shell], out=np.ones((n_slices, shell.sum())), where=means[:, shell] > 0)
        typical[:, shell] = before[:, shell] * share[slices]
    predicted = predict_left_out(after, gradients)
    return Carpet(
        *(
            np.stack(
                [slice_losses(own, expected, **area) for own, expected in zip(found.T, wanted.T, strict=True)], axis=-1
            )
            for found, wanted in ((before, typical), (after, predicted))
        )
    )


def _points(image: SpatialImage, axis: int, inside: np.ndarray) -> np.ndarray:
    """Signal of the points inside, shape (n, N)."""
    data = np.moveaxis(np.asarray(image.dataobj, np.float32), axis, 0)
    return data[:, ::_STEP, ::_STEP][inside]
