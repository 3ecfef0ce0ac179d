"""What is read and written with a diffusion series: its table as text, its b = 0 image, where the head is."""

from typing import NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.brightness import unweighted_by_brightness, volume_medians
from mndmri.diffusion.gradients import SHELL_GAP, Gradients, is_unweighted, nominal_bvals, select_shell, to_fsl
from mndmri.grids import make_image

# Fewer directions do not average out which way fibres run.
_FEWEST_DIRECTIONS = 6


class GradientFiles(NamedTuple):
    """A gradient table as text."""

    bval: str
    bvec: str


def format_gradients(gradients: Gradients, affine: np.ndarray) -> GradientFiles:
    """Text of the bval and of the bvec file, in FSL's convention for an image with this affine."""
    bvals = " ".join(f"{b:g}" for b in gradients.bvals) + "\n"
    rows = (" ".join(f"{v:.9g}" for v in axis) for axis in to_fsl(gradients.bvecs, affine))
    return GradientFiles(bvals, "\n".join(rows) + "\n")


def mean_b0(image: SpatialImage, bvals: np.ndarray | None = None) -> SpatialImage:
    """Mean b = 0 image, 3D, of a single image or of a series; of one without b-values the brightest volumes are."""
    data = np.asarray(image.dataobj, np.float32)
    if data.ndim == 3:
        return make_image(data, image)
    chosen = unweighted_by_brightness(volume_medians(data)) if bvals is None else is_unweighted(bvals)
    return make_image(data[..., chosen].mean(axis=-1), image)


def mean_shell(image: SpatialImage, bvals: np.ndarray, *, b: float = 1000.0) -> SpatialImage | str:
    """Mean of the volumes of the shell nearest a b-value, 3D; or why there is none.

    Parameters
    ----------
    image : SpatialImage
        4D.
    bvals : ndarray, shape (N,)
        Of its volumes, s/mm2.
    b : float
        A shell farther than 300 s/mm2 from it, or of fewer than six volumes, has another contrast.
    """
    nominal = np.where(is_unweighted(bvals), np.inf, nominal_bvals(bvals))
    nearest = nominal[np.argmin(np.abs(nominal - b))]
    chosen = np.flatnonzero(nominal == nearest)
    if not np.abs(nearest - b) <= SHELL_GAP:
        return f"no shell within {SHELL_GAP:g} s/mm2 of b = {b:g}"
    if len(chosen) < _FEWEST_DIRECTIONS:
        return f"{len(chosen)} volumes of b = {nearest:g}, at least {_FEWEST_DIRECTIONS} are needed"
    return make_image(np.asarray(image.dataobj, np.float32)[..., chosen].mean(axis=-1), image)


class Shell(NamedTuple):
    """Volumes of a series that a tensor is fitted to."""

    dwi: SpatialImage
    gradients: Gradients
    note: str
    """Which they are."""


def take_shell(dwi: SpatialImage, gradients: Gradients, *, max_b: float) -> Shell:
    """Volumes for a tensor fit; see `mndmri.diffusion.gradients.select_shell`."""
    volumes, note = select_shell(gradients, max_b=max_b)
    return Shell(make_image(np.asarray(dwi.dataobj)[..., volumes], dwi), gradients.take(volumes), note)
