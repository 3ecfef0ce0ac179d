"""Displacement from the T1w image of the same person, where nothing was scanned to measure it."""

from typing import NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import gaussian_filter

from mndmri.diffusion.distortion.encoding import PhaseEncoding, unwarp
from mndmri.diffusion.distortion.matching import match_along
from mndmri.grids import make_image, voxel_sizes
from mndmri.intensity import correct_bias
from mndmri.io import InputError
from mndmri.masks import dilate
from mndmri.registration.transforms import resample

# b = 0 signal of grey matter, white matter and CSF, relative to white matter: T2-weighted (echo time 70 to 90 ms, 3 T).
# Fitted to an image that is still distorted, the contrast of CSF comes out at half of this, and the displacement agreed
# less with that of the reverse pair (correlation 0.74 in place of 0.77 in one scan).
B0_SIGNAL = (1.2, 1.0, 2.5)
# Two contrasts agree less well than two images of one: weight of smoothness (0.05 between those). With 0.5 the
# correlation with the reverse pair's displacement was 0.67, with 2 0.77, with 8 0.75.
SMOOTHNESS = 2.0
# Round the brain there is dark bone for at least so far.
MARGIN_MM = 6.0


class T1wMatch(NamedTuple):
    """Estimate of a distortion from the T1w image."""

    displacement: SpatialImage
    """Voxels along the phase-encoding axis, on the grid of the b = 0 image, float32; 0 where it did not help."""
    agreement_before: float
    """Correlation, in the brain, of the evenly lit b = 0 image with the signal that its tissues should give."""
    agreement: float
    """The same without distortion; not below ``agreement_before``."""


def displacement_from_t1w(
    b0: SpatialImage, tissue: SpatialImage, to_dwi: np.ndarray, encoding: PhaseEncoding
) -> T1wMatch:
    """Displacement of a b = 0 image, from where the T1w image has the tissues.

    Parameters
    ----------
    b0 : SpatialImage
        3D, RAS-stored.
    tissue : SpatialImage
        Share of grey matter, white matter and CSF of the same person, in the T1w image, shape (X, Y, Z, 3), 0 to 1.
    to_dwi : ndarray, shape (4, 4)
        From T1w to diffusion world points, as from `alignment.align_to_t1w`; what the distortion made wrong in it is
        corrected, except along the axis: a constant displacement cannot be detected.
    encoding : PhaseEncoding
        Of ``b0``. The axis alone is used.

    Raises
    ------
    InputError
        If the tissue maps are not three, or lie outside the diffusion image.

    Notes
    -----
    The b = 0 image is matched to the signal expected of the tissues (`matching.match_along`), in the brain and 6 mm
    round it. A displacement with which the two agree less than without is dropped.
    """
    if tissue.ndim != 4 or tissue.shape[3] != len(B0_SIGNAL):
        raise InputError(f"tissue maps of shape {tissue.shape}; expected (X, Y, Z, 3): grey matter, white matter, CSF")
    axis, size = encoding.axis, float(voxel_sizes(b0)[encoding.axis])
    maps = np.asarray(resample(_as_coarse_as(tissue, b0), b0, [np.linalg.inv(to_dwi)]).dataobj)
    brain = maps.sum(axis=-1) > 0.5
    if not brain.any():
        raise InputError("the tissue of the T1w image lies outside the diffusion image; check that the two overlap")
    positive = make_image(np.clip(np.asarray(b0.dataobj, np.float32), 0, None), b0)
    mask = make_image(brain, b0)
    even = correct_bias(positive, mask, iterations=(50, 50, 50))
    expected = make_image(maps @ np.array(B0_SIGNAL, np.float32), b0)
    found = match_along(
        even,
        expected,
        axis,
        ratio=0.0,
        within=dilate(mask, MARGIN_MM),
        smoothness=SMOOTHNESS,
    )
    displacement = make_image(np.asarray(found.displacement_mm.dataobj) / np.float32(size), b0)
    before = _agreement(even, expected, brain)
    after = _agreement(unwarp(even, displacement, axis), resample(expected, b0, [found.to_partner]), brain)
    if after > before:
        return T1wMatch(displacement, before, after)
    return T1wMatch(make_image(np.zeros(b0.shape, np.float32), b0), before, before)


def _as_coarse_as(tissue: SpatialImage, b0: SpatialImage) -> SpatialImage:
    """Tissue maps smoothed to the resolution of an image with larger voxels."""
    own, other = voxel_sizes(tissue), float(np.mean(voxel_sizes(b0)))
    sd = np.sqrt(np.maximum(other**2 - own**2, 0)) / 2 / own
    return make_image(gaussian_filter(np.asarray(tissue.dataobj, np.float32), (*sd, 0)), tissue)


def _agreement(image: SpatialImage, expected: SpatialImage, brain: np.ndarray) -> float:
    return float(np.corrcoef(np.asarray(image.dataobj)[brain], np.asarray(expected.dataobj)[brain])[0, 1])
