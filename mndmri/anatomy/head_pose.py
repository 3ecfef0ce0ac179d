"""Where in an image a head is, and how it is turned, with no hint from the header but which way is up."""

from itertools import product

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import fft
from scipy.spatial.transform import Rotation

from mndmri.anatomy.head_template import HeadTemplate, coarsen
from mndmri.registration.transforms import resample

# On these voxels a head is some 25 wide: all places of the template are tried in a few milliseconds.
_VOXEL_MM = 8.0
# Turns that are tried (degrees): a chin is lifted or lowered further than a head is tilted or turned.
_PITCH_DEG = (-45, -30, -15, 0, 15, 30, 45)
_ROLL_DEG = _YAW_DEG = (-30, -15, 0, 15, 30)
_REACH_MM = 130.0  # from the middle of the template's brain to beyond its scalp
# Less variance than this share of the largest is noise in the air.
_LEAST_VARIANCE = 0.05


def find_pose(head: SpatialImage, template: HeadTemplate) -> tuple[np.ndarray, float]:
    """Rigid transform from a head template to a head, and how well it fits, by trying all.

    The correlation of the template, over the region where it is to be compared, with the head at every
    shift of 8 mm and every turn of 15 degrees (pitch up to 45, roll and yaw up to 30), by Fourier
    transforms (Padfield 2012, IEEE Trans Image Process 21:2706). Neck, arms and empty space in the field
    of view take no part, as they do in a centre of mass.

    Parameters
    ----------
    head : SpatialImage
        3D, T1-weighted, RAS-stored.
    template : HeadTemplate

    Returns
    -------
    transform : ndarray, shape (4, 4)
        From template to head world points (mm).
    correlation : float
        -1 to 1.
    """
    coarse = coarsen(head, _VOXEL_MM)
    signal = np.asarray(coarse.dataobj, float)
    part = coarsen(template.image, _VOXEL_MM)
    weight = coarsen(template.compared, _VOXEL_MM)
    middle = nb.affines.apply_affine(template.mask.affine, np.argwhere(np.asarray(template.mask.dataobj)).mean(axis=0))
    n = 2 * int(np.ceil(_REACH_MM / _VOXEL_MM)) + 1
    size = [fft.next_fast_len(side + n - 1, real=True) for side in signal.shape]
    spectra = [fft.rfftn(values, size) for values in (signal, signal**2)]
    axes = coarse.affine[:3, :3]

    best, transform = -np.inf, np.eye(4)
    for angles in product(_PITCH_DEG, _ROLL_DEG, _YAW_DEG):
        turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        affine = np.eye(4)
        affine[:3, :3] = turn @ axes
        affine[:3, 3] = middle - affine[:3, :3] @ np.full(3, n // 2)
        patch = nb.Nifti1Image(np.zeros((n, n, n), np.uint8), affine)
        scores = _correlate(spectra, size, *(np.asarray(resample(i, patch).dataobj, float) for i in (part, weight)))
        place = np.unravel_index(scores.argmax(), scores.shape)
        if scores[place] > best:
            best = float(scores[place])
            # shifts before the first voxel come back at the far end
            corner = np.where(np.array(place) < signal.shape, place, np.array(place) - size)
            transform = np.eye(4)
            transform[:3, :3] = turn.T
            transform[:3, 3] = nb.affines.apply_affine(coarse.affine, corner + n // 2) - turn.T @ middle
    return transform, best


def _correlate(spectra: list[np.ndarray], size: list[int], part: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted correlation coefficient of a template with an image, at every shift."""
    total = weight.sum()
    centred = weight * (part - (weight * part).sum() / total)
    scatter = (weight * (part - (weight * part).sum() / total) ** 2).sum()

    def slide(spectrum: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        return fft.irfftn(spectrum * np.conj(fft.rfftn(kernel, size)), size)

    signal, squared = spectra
    variance = slide(squared, weight) - slide(signal, weight) ** 2 / total
    variance = np.maximum(variance, _LEAST_VARIANCE * variance.max())
    return slide(signal, centred) / np.sqrt(variance * scatter)
