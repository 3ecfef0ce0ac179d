"""How one brain is turned and shifted against another, with no hint from their headers."""

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage, optimize
from scipy.spatial.transform import Rotation

from mndmri.grids import make_image, resampled_grid, voxel_sizes, world_coordinates
from mndmri.registration.transforms import resample

_VOXEL_MM = 8.0
_BLUR_MM = 3.0  # SD: less than 8 mm voxels can show
# Turns spread over all there are lie within some 30 degrees of any, from where the search arrives: of the
# eight best of 2000 turns all eight led to the same place, in three people.
_TURNS, _SEARCHED = 500, 4
_SEED = 1
# What a parameter of the search changes by at first: turn (radians), shift (mm), logarithm of the scale.
_UNITS = np.array([0.2] * 3 + [5.0] * 3 + [0.1])


def centre_of_mass(image: SpatialImage) -> np.ndarray:
    """Centre of mass of an image's positive values, in world coordinates (mm), shape (3,)."""
    weight = np.clip(np.nan_to_num(image.get_fdata()), 0, None)
    axes = [weight.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    ijk = [np.average(np.arange(len(profile)), weights=profile) for profile in axes]
    return nb.affines.apply_affine(image.affine, ijk)


def align_brains(fixed: SpatialImage, moving: SpatialImage) -> np.ndarray:
    """Rotation, shift and scale that align one extracted brain with another, from any pose.

    Parameters
    ----------
    fixed, moving : SpatialImage
        Brain-extracted 3D images of like contrast. Their handedness is believed: brains are never mirrored.

    Returns
    -------
    ndarray, shape (4, 4)
        From fixed to moving world points (RAS, mm); within some millimetres, a start for a registration.

    Notes
    -----
    The correlation of the blurred images is computed for turns of all kinds about the centres of
    mass, and the best few are refined.
    """
    grid = resampled_grid(fixed, _VOXEL_MM)
    values = np.asarray(resample(_blurred(fixed), grid).dataobj)
    compared = ndimage.binary_dilation(values > 0.1 * values.max(), iterations=2)
    values = values[compared] - values[compared].mean()
    centre, middle = centre_of_mass(fixed), centre_of_mass(moving)
    points = world_coordinates(grid)[compared] - centre
    coarse = resample(_blurred(moving), resampled_grid(moving, _VOXEL_MM / 2))
    data, to_voxel = np.asarray(coarse.dataobj), np.linalg.inv(coarse.affine)

    def transform(parameters: np.ndarray) -> np.ndarray:
        turn, shift, scale = np.split(parameters * _UNITS, [3, 6])
        matrix = np.eye(4)
        matrix[:3, :3] = np.exp(scale) * Rotation.from_rotvec(turn).as_matrix()
        matrix[:3, 3] = middle + shift
        return matrix

    def disagreement(parameters: np.ndarray) -> float:
        where = nb.affines.apply_affine(to_voxel @ transform(parameters), points).T
        found = ndimage.map_coordinates(data, where, order=1)
        return -float(found @ values) / max(float(found.std()), 1e-9 * float(data.max()))

    # quaternions from a normal distribution are turns from a uniform one
    quaternions = np.random.default_rng(_SEED).standard_normal((_TURNS, 4))
    turns = Rotation.from_quat(np.vstack([[0, 0, 0, 1], quaternions])).as_rotvec() / _UNITS[:3]
    starts = sorted((np.append(turn, np.zeros(4)) for turn in turns), key=disagreement)[:_SEARCHED]
    options = {"xtol": 1e-2, "ftol": 1e-5, "maxiter": 20}
    ends = [optimize.minimize(disagreement, start, method="Powell", options=options) for start in starts]
    matrix = transform(min(ends, key=lambda end: end.fun).x)
    matrix[:3, 3] -= matrix[:3, :3] @ centre
    return matrix


def _blurred(image: SpatialImage) -> SpatialImage:
    data = np.asarray(image.dataobj, np.float32)
    return make_image(ndimage.gaussian_filter(data, _BLUR_MM / voxel_sizes(image)), image)
