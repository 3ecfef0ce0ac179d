"""Shading and tissue of a T1-weighted image, from its intensities."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from scipy.special import ndtr

from mndmri.grids import bounding_box, check_same_grid, make_image, voxel_sizes
from mndmri.io import InputError
from mndmri.registration.ants import from_ants, load_ants, to_ants

# Voxels that the model is fitted to (every n-th, so that all parts of the brain have their share), and its steps.
_FITTED_VOXELS = 200_000
_STEPS = 30
# CSF, grey and white matter without a prior: where the search starts.
_STARTING_PERCENTILES = (5, 40, 80)
# The mean of CSF is found this far below the brain's surface (mm): there are the ventricles, and no meninges.
_DEEP_MM = 12.0
_MIN_VOXELS = 1000
# No prior is so sure that an intensity could not overrule it.
_MIN_PRIOR = 0.01
_EVEN = np.ones((1, 5), np.float32)
_INTENSITY_BINS = 2048
# Least width of a tissue, as a share of the whole contrast: no class may end on a single intensity.
_MIN_WIDTH = 0.02


class TissueMaps(NamedTuple):
    """Share, or prior probability, of each tissue in every voxel of a brain, 0 to 1."""

    csf: SpatialImage
    gm: SpatialImage
    wm: SpatialImage


class StandIn(NamedTuple):
    """What takes the place of a T1w image, on the grid of the scan that it was made of."""

    t1w: SpatialImage
    """White matter about 1, grey matter and fluid darker, outside the brain 0, float32."""
    mask: SpatialImage
    """Brain, uint8."""
    quality: pd.DataFrame
    """A row ``without_t1w``, 1."""


def correct_bias(
    image: SpatialImage, mask: SpatialImage, *, iterations: Sequence[int] = (50, 50, 50, 50), mesh_mm: float = 200.0
) -> SpatialImage:
    """Image without its smooth multiplicative bias field within a mask (N4; Tustison et al. 2010).

    Parameters
    ----------
    image : SpatialImage
        3D, positive where it matters.
    mask : SpatialImage
        Voxels the field is fitted to, and that are corrected; the others stay as they are, as ANTs leaves them.
    iterations : sequence of int
        Per level of the B-spline mesh, whose spacing halves from one to the next.
    mesh_mm : float
        Spacing of the first level's mesh. Fewer levels or a wider mesh are gentler.
    """
    check_same_grid(image, mask)
    shrink = int(np.clip(round(8.0 / voxel_sizes(image).min()), 1, 4))
    corrected = load_ants().n4_bias_field_correction(
        to_ants(image),
        mask=to_ants(mask),
        shrink_factor=shrink,
        convergence={"iters": list(iterations), "tol": 1e-4},
        spline_param=mesh_mm,
    )
    return from_ants(corrected, image)


def extend_correction(corrected: SpatialImage, scanned: SpatialImage, mask: SpatialImage) -> SpatialImage:
    """A head that is bias-corrected throughout, of one that is corrected within a mask alone.

    A voxel outside is corrected as the nearest one inside, so that the edge of the mask is no edge of the image: that
    of `correct_bias` steps there by the size of the field, twice the signal in a real head of 3 T.

    Parameters
    ----------
    corrected : SpatialImage
        From `correct_bias`.
    scanned : SpatialImage
        As it was before, on the same grid.
    mask : SpatialImage
        Voxels that were corrected.
    """
    check_same_grid(corrected, scanned, mask)
    before, after = (np.asarray(image.dataobj, np.float32) for image in (scanned, corrected))
    known = (np.asarray(mask.dataobj) > 0) & (before > 0) & (after > 0)
    if not known.any():
        return make_image(after, corrected)
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    gain = np.divide(after, before, out=np.ones_like(after), where=known)
    return make_image(np.where(known, after, before * gain[tuple(nearest)]), corrected)


def classify_tissue(
    image: SpatialImage,
    mask: SpatialImage,
    *,
    priors: TissueMaps | None = None,
    nuclei: SpatialImage | None = None,
) -> TissueMaps:
    """Share of CSF, grey and white matter in every voxel of a brain.

    Parameters
    ----------
    image : SpatialImage
        3D, T1-weighted, bias-corrected: CSF is darkest and white matter brightest.
    mask : SpatialImage
        Brain mask on the same grid.
    priors : TissueMaps, optional
        On the same grid.
    nuclei : SpatialImage, optional
        Prior probability of parts of grey matter that are brighter than the cortex, shape (X, Y, Z, n),
        on the same grid.

    Returns
    -------
    TissueMaps
        Summing to 1 in the mask and 0 outside.

    Raises
    ------
    InputError
        If the mask is too small to learn three tissues from, or the image is flat in it.

    Notes
    -----
    A voxel is one of the three tissues, or a mixture of CSF and grey or of grey and white matter in which
    all proportions are equally likely; noise is the same in all (Santago and Gage 1993, IEEE Trans Med
    Imaging 12:566; Tohka et al. 2004, NeuroImage 23:84). Means, noise and proportions are found by
    expectation and maximisation, weighted by the priors as in Ashburner and Friston 2005, NeuroImage 26:839.
    Each nucleus is grey matter with a mean of its own, between those of cortex and white matter.
    """
    check_same_grid(image, mask, *(priors or ()), *([] if nuclei is None else [nuclei]))
    inside = np.asarray(mask.dataobj) > 0
    values = np.asarray(image.dataobj)[inside].astype(np.float32)
    if values.size < _MIN_VOXELS or np.ptp(values) <= 0:
        raise InputError(
            f"{values.size} voxels in the brain mask, {np.unique(values).size} different intensities: "
            "tissue classes cannot be estimated; check the brain mask and the T1-weighted image"
        )
    weights = _EVEN if priors is None else _class_weights([np.asarray(p.dataobj, np.float32)[inside] for p in priors])
    if nuclei is not None:
        deep_grey = np.asarray(nuclei.dataobj, np.float32)[inside]
        rest = np.clip(1 - deep_grey.sum(axis=-1, keepdims=True), _MIN_PRIOR, 1)
        weights = np.hstack([weights * rest, deep_grey])
    every = max(values.size // _FITTED_VOXELS, 1)
    some, deep = values[::every], _depth_mm(mask)[::every] > _DEEP_MM
    if deep.sum() < _MIN_VOXELS:  # a part of a brain
        deep[:] = True
    start = np.percentile(some, _STARTING_PERCENTILES)
    csf = _fit(some[deep], _EVEN, start)[0][0]
    shares = _shares(values, weights, *_fit(some, weights[::every], start, csf=csf))
    maps: list[SpatialImage] = []
    for share in shares.T:
        whole = np.zeros(image.shape, np.float32)
        whole[inside] = share
        maps.append(make_image(whole, image))
    return TissueMaps(*maps)


def _class_weights(priors: Sequence[np.ndarray]) -> np.ndarray:
    """Prior weight of CSF, grey, white, CSF with grey, and grey with white at each voxel, shape (n, 5)."""
    csf, grey, white = np.clip(priors, _MIN_PRIOR, 1)
    return np.stack([csf, grey, white, np.sqrt(csf * grey), np.sqrt(grey * white)], axis=-1)


def _depth_mm(mask: SpatialImage) -> np.ndarray:
    """Distance of each of a mask's voxels from the outside."""
    box = bounding_box(mask)
    inside = np.pad(np.asarray(mask.dataobj)[box] > 0, 1)
    return ndimage.distance_transform_edt(inside, sampling=voxel_sizes(mask))[inside]


def _fit(
    values: np.ndarray, weights: np.ndarray, start: np.ndarray, *, csf: float | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means and widths of CSF, grey and white matter and the nuclei, shape (3 + n,), and proportions, shape (5 + n,).

    Without the mean of CSF each tissue has its own width, so that what is darker still does not pull at
    that mean; with it, one noise, that of grey and white matter, is in all. The nuclei have that of grey matter.
    """
    means = start
    if csf is not None:
        means, values = np.r_[csf, start[1:]], np.maximum(values, csf)
    n_classes = weights.shape[1]
    means = np.r_[means, np.full(n_classes - 5, (means[1] + means[2]) / 2)]
    widths = np.full(len(means), (means[2] - means[1]) / 3)
    proportions = np.full(n_classes, 1 / n_classes)
    for _ in range(_STEPS):
        posterior = _posteriors(values, weights, means, widths, proportions)
        amount = posterior.sum(axis=0)
        means[:3] = values @ posterior[:, :3] / amount[:3]
        if csf is not None:
            means[0] = csf
        # a nucleus that the image does not hold keeps the mean it had
        np.divide(values @ posterior[:, 5:], amount[5:], out=means[3:], where=amount[5:] > 0)
        means[3:] = np.clip(means[3:], means[1], means[2])
        if not (np.isfinite(means).all() and (np.diff(means[:3]) > 0).all()):
            raise InputError(
                "CSF, grey and white matter do not differ in intensity, or not in this order; "
                "check that the image is T1-weighted and that its brain mask is correct"
            )
        tissues = zip(means[:3], posterior.T[:3], strict=True)
        variance = np.array([(values - m) ** 2 @ p for m, p in tissues]) / amount[:3]
        if csf is not None:
            variance[:] = np.average(variance[1:], weights=amount[1:3])
        widths[:3] = np.maximum(np.sqrt(variance), _MIN_WIDTH * (means[2] - means[0]))
        widths[3:] = widths[1]
        expected = weights * proportions
        fair = (expected / expected.sum(axis=1, keepdims=True)).mean(axis=0)
        proportions = proportions * amount / np.maximum(fair, np.finfo(np.float32).tiny)
        proportions /= proportions.sum()
    return means, widths, proportions


def _posteriors(
    values: np.ndarray, weights: np.ndarray, means: np.ndarray, widths: np.ndarray, proportions: np.ndarray
) -> np.ndarray:
    """Probability of each class at each voxel: the tissues, CSF with grey, grey with white, and the nuclei."""
    # looked up, as there are fewer intensities to tell apart than voxels
    axis = np.linspace(values.min(), values.max(), _INTENSITY_BINS)
    density = [
        np.exp(-0.5 * ((axis - m) / w) ** 2) / (w * np.sqrt(2 * np.pi)) for m, w in zip(means, widths, strict=True)
    ]
    for place, (dark, bright) in ((3, (0, 1)), (4, (1, 2))):
        width = (widths[dark] + widths[bright]) / 2
        between = ndtr((axis - means[dark]) / width) - ndtr((axis - means[bright]) / width)
        density.insert(place, between / (means[bright] - means[dark]))
    # far from every tissue no density may be 0: the priors decide
    table = np.maximum(density, 1e-12 / np.ptp(axis)).T.astype(np.float32)
    bins = np.rint((values - axis[0]) * ((_INTENSITY_BINS - 1) / np.ptp(axis))).astype(np.int32)
    posterior = table[bins] * (weights * proportions.astype(np.float32))
    return posterior / posterior.sum(axis=1, keepdims=True)


def _shares(
    values: np.ndarray, weights: np.ndarray, means: np.ndarray, widths: np.ndarray, proportions: np.ndarray
) -> np.ndarray:
    """Share of CSF, grey and white matter at each voxel, shape (n, 3)."""
    values = np.maximum(values, means[0])
    csf, grey, white, csf_grey, grey_white, *nuclei = _posteriors(values, weights, means, widths, proportions).T
    of_grey = np.clip((values - means[0]) / (means[1] - means[0]), 0, 1)
    of_white = np.clip((values - means[1]) / (means[2] - means[1]), 0, 1)
    return np.stack(
        [
            csf + csf_grey * (1 - of_grey),
            sum(nuclei, grey) + csf_grey * of_grey + grey_white * (1 - of_white),
            white + grey_white * of_white,
        ],
        axis=-1,
    )
