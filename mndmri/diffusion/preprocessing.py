"""Preprocessing of a diffusion series: noise, motion, distortion, and alignment with the T1w image."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.alignment import align_to_t1w, b0_reference, field_of_view
from mndmri.diffusion.denoise import reduce_noise, remove_gibbs
from mndmri.diffusion.distortion.correction import Found, Reverse, Source, find_displacement
from mndmri.diffusion.distortion.encoding import PhaseEncoding, StoredEncoding, on_canonical_grid, unwarp
from mndmri.diffusion.gradients import Gradients, rotate
from mndmri.diffusion.motion import Motion, estimate_motion, framewise_displacement, replace_outliers, still
from mndmri.diffusion.resampling import distortion_on, resample_series
from mndmri.grids import make_image, slice_axis, voxel_sizes
from mndmri.registration.transforms import resample

# Values of a step that name another program; true is this project's own.
MRTRIX3, FSL = "mrtrix3", "fsl"


class Steps(NamedTuple):
    """What is done to a series; for each step true, the name of another program, or false."""

    denoise: bool | str = True
    gibbs: bool | str = True
    motion: bool | str = True
    outlier_sd: float | None = 4.0
    """Slices so many standard deviations below their prediction are replaced; None: none."""


NOTHING = Steps(denoise=False, gibbs=False, motion=False, outlier_sd=None)


def plan_steps(
    method: str, steps: Mapping[str, Any], encoding: StoredEncoding | None, affine: np.ndarray
) -> tuple[Steps, PhaseEncoding | None]:
    """Steps for a series, and its phase encoding on the canonical grid; none of both if it was corrected before.

    Parameters
    ----------
    method : str
        Of its distortion correction, a key of `distortion.correction.METHOD_CODES`.
    steps : mapping
        Fields of `Steps`.
    encoding : StoredEncoding, optional
        As far as it is known.
    affine : ndarray, shape (4, 4)
        Of the series as stored.
    """
    if method == "before":
        return NOTHING, None
    return Steps(**steps), None if encoding is None else on_canonical_grid(encoding, affine)


class Preprocessed(NamedTuple):
    """A series ready for the tensor."""

    series: SpatialImage
    """4D, float32, RAS-stored: the undistorted head of the first b = 0 volume."""
    gradients: Gradients
    """In world axes, turned with the head."""
    b0_scanned: SpatialImage
    """Mean b = 0 image as scanned, float32."""
    b0: SpatialImage
    """The same of the preprocessed series."""
    mask: SpatialImage
    """Brain, uint8."""
    field_of_view: SpatialImage
    """Where every volume has data, uint8."""
    to_dwi: np.ndarray
    """From T1w to diffusion world points, shape (4, 4)."""
    motion: Motion
    distortion: Found
    """Displacement and how much it made images agree."""
    displacement_mm: SpatialImage
    """By how far distortion had moved the signal of each voxel, mm along the phase encoding, towards higher indices."""


def preprocess(
    dwi: SpatialImage,
    gradients: Gradients,
    t1w_brain: SpatialImage,
    t1w_mask: SpatialImage,
    *,
    steps: Steps = NOTHING,
    encoding: PhaseEncoding | None = None,
    source: Source | None = None,
) -> Preprocessed:
    """Series without noise, ringing, head motion, eddy currents and distortion, after one interpolation.

    Parameters
    ----------
    dwi : SpatialImage
        4D, RAS-stored, as scanned.
    gradients : Gradients
        In world axes.
    t1w_brain, t1w_mask : SpatialImage
        T1w image of the same person without skull, and the mask of the brain in it.
    steps : Steps
        By default none is taken: the series comes corrected.
    encoding : PhaseEncoding, optional
        Without it neither eddy currents nor distortion are corrected.
    source : Source, optional
        What its susceptibility distortion is known by.

    Raises
    ------
    InputError
        If the gradient table does not fit the series, the headers of the scans disagree, or another
        program fails.

    Notes
    -----
    Noise and ringing first, as scanned: interpolation spoils what they are known by. Distortion next, of
    the first b = 0 volume, in whose undistorted head the movements are then found. FSL's eddy interpolates
    by itself: a distortion unknown to it requires a second interpolation.
    """
    b0 = b0_reference(dwi, gradients)
    to_dwi = align_to_t1w(b0, t1w_brain)
    mask = _bring(t1w_mask, b0, to_dwi)
    dwi = _without_noise_and_ringing(dwi, mask, steps)
    first = make_image(np.asarray(dwi.dataobj, np.float32)[..., int(np.argmax(gradients.is_b0))], dwi)
    axis = None if encoding is None else encoding.axis
    found = Found(None)
    if encoding is not None and source is not None:
        found = find_displacement(first, mask, to_dwi, encoding, source)
        if found.displacement is not None:
            to_dwi = align_to_t1w(unwarp(first, found.displacement, encoding.axis), t1w_brain, start=to_dwi)
            mask = _bring(t1w_mask, b0, to_dwi)

    if steps.motion == FSL and encoding is not None:
        opposite_readout = source.readout_s if isinstance(source, Reverse) else None
        series, gradients, motion = _by_eddy(dwi, gradients, mask, steps, encoding, found, opposite_readout)
        if found.topup is None and found.displacement is not None:
            series = resample_series(series, still(dwi).transforms, displacement=found.displacement, axis=axis)
    else:
        motion = still(dwi)
        if steps.motion:
            motion = estimate_motion(
                dwi, gradients, mask, displacement=found.displacement, axis=axis, outlier_sd=steps.outlier_sd
            )
        series = resample_series(dwi, motion.transforms, displacement=found.displacement, axis=axis)
        gradients = rotate(gradients, motion.rigid)
        series, _ = replace_outliers(series, dwi, gradients, motion)
    shift, _ = distortion_on(dwi, found.displacement, axis)
    seen = field_of_view(dwi, motion.transforms, shift)
    moved_mm = _in_mm(found.displacement, b0, axis)
    after = b0_reference(series, gradients)
    return Preprocessed(series, gradients, b0, after, mask, seen, to_dwi, motion, found, moved_mm)


def _in_mm(displacement: SpatialImage | None, grid: SpatialImage, axis: int | None) -> SpatialImage:
    if displacement is None or axis is None:
        return make_image(np.zeros(grid.shape[:3], np.float32), grid)
    return make_image(np.asarray(displacement.dataobj, np.float32) * np.float32(voxel_sizes(grid)[axis]), grid)


def _bring(mask: SpatialImage, grid: SpatialImage, to_dwi: np.ndarray) -> SpatialImage:
    return resample(mask, grid, [np.linalg.inv(to_dwi)], interpolation="nearest")


def _without_noise_and_ringing(dwi: SpatialImage, mask: SpatialImage, steps: Steps) -> SpatialImage:
    if MRTRIX3 in (steps.denoise, steps.gibbs):
        from mndmri.diffusion.tools import commands  # nipype takes seconds to import

    if steps.denoise:
        dwi, _ = commands.dwidenoise(dwi, mask=mask) if steps.denoise == MRTRIX3 else reduce_noise(dwi, mask=mask)
    if steps.gibbs:
        across = slice_axis(dwi)
        remove = commands.mrdegibbs if steps.gibbs == MRTRIX3 else remove_gibbs
        dwi = remove(dwi, slice_axis=across)
    return dwi


def _by_eddy(
    dwi: SpatialImage,
    gradients: Gradients,
    mask: SpatialImage,
    steps: Steps,
    encoding: PhaseEncoding,
    found: Found,
    opposite_readout_s: float | None,
) -> tuple[SpatialImage, Gradients, Motion]:
    """Series, table and motion from FSL's eddy; after topup the distortion is undone too."""
    from mndmri.diffusion.tools import commands  # nipype takes seconds to import

    done = commands.eddy(
        dwi,
        gradients,
        mask,
        axis=encoding.axis,
        polarity=encoding.polarity or 1,
        readout_s=encoding.readout_s,
        outlier_sd=steps.outlier_sd,
        distortion=found.topup,
        reverse_readout_s=opposite_readout_s,
    )
    centre = still(dwi).centre
    displacement = framewise_displacement(done.transforms, centre=centre)
    return done.series, done.gradients, Motion(done.transforms, done.transforms, displacement, done.outliers, centre)
