"""Head motion between the volumes of a diffusion series."""

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from mndmri.diffusion.gradients import Gradients, design_matrix, rotate
from mndmri.grids import make_image, resampled_grid, voxel_sizes, world_coordinates
from mndmri.intensity import correct_bias
from mndmri.io import InputError
from mndmri.registration import register_rigid
from mndmri.transforms import resample

# Six numbers per volume are estimated well from coarse voxels, in a tenth of the time.
WORKING_VOXEL_MM = 4.0
T1W_WORKING_VOXEL_MM = 2.0
# Rounds of predicting and registering.
PREDICTIONS = 2
REFINEMENTS = 10
CONVERGED_MM = 0.02
# Inside the brain alone there is no edge to hold on to: comparisons reach this far beyond it.
MARGIN_MM = 9.0
# Power et al. 2012, NeuroImage 59:2142: distance from the head's centre to the cortex.
HEAD_RADIUS_MM = 50.0
# Leave-one-out prediction divides by 1 - leverage: a volume above this is needed for the fit itself.
MAX_LEVERAGE = 0.9


def b0_reference(dwi: SpatialImage, gradients: Gradients) -> SpatialImage:
    """Mean of the volumes without diffusion weighting, float32.

    Raises
    ------
    InputError
        If there is none, or the table is not of this series.
    """
    _check_table(dwi, gradients)
    return make_image(_volumes(dwi, gradients.is_b0).mean(axis=-1), dwi)


def correct_motion(
    dwi: SpatialImage, gradients: Gradients, *, mask: SpatialImage | None = None
) -> tuple[SpatialImage, Gradients, np.ndarray, np.ndarray]:
    """Series with every volume on the head position of the first b = 0 volume.

    Parameters
    ----------
    dwi : SpatialImage
        4D.
    gradients : Gradients
        In world axes.
    mask : SpatialImage, optional
        Brain; volumes are compared in it and 9 mm around it. By default, where the first b = 0
        volume is brighter than its mean.

    Returns
    -------
    aligned : SpatialImage
        float32, from one interpolation of ``dwi``; zero where a volume has no data.
    gradients : Gradients
        Turned with the head.
    transforms : ndarray, shape (N, 4, 4)
        From world points of the first b = 0 volume to those of each volume.
    displacement : ndarray, shape (N,)
        Framewise displacement, mm; see `framewise_displacement`.

    Notes
    -----
    The b = 0 volumes are registered to the first of them. The diffusion-weighted ones are each
    registered to the image that a tensor fitted to all others predicts for its own direction
    (after Cieslak et al. 2021, Nat Methods 18:775): contrast then differs between the two by
    noise alone. Two beginnings are followed and the one that ends nearer to its predictions is
    kept: volumes as they lie, which is exact for a still head, and volumes registered to their
    mean and the mean to b = 0, which finds large movements and scatters by about 1 mm.

    Bright fluid and the lack of it make mutual information see a shift of 1 to 2 mm between b = 0
    and diffusion-weighted images where there is none. Diffusion cannot make a voxel brighter, so
    the shift is believed only if it leaves fewer voxels brighter with weighting than without.
    """
    _check_table(dwi, gradients)
    coarse = resample(dwi, resampled_grid(dwi, np.maximum(voxel_sizes(dwi), WORKING_VOXEL_MM)))
    weighted = np.flatnonzero(~gradients.is_b0)
    unweighted = np.flatnonzero(gradients.is_b0)
    transforms = np.tile(np.eye(4), (len(gradients.bvals), 1, 1))

    volumes = nb.four_to_three(coarse)
    first = volumes[unweighted[0]]
    brain = _bright(first) if mask is None else resample(mask, coarse)
    where = _with_margin(brain)
    for n in unweighted[1:]:
        transforms[n] = _register_alike(first, volumes[n], where)
    if weighted.size:
        far = _from_mean(coarse, transforms, weighted, first, brain)
        tried = [_follow_prediction(coarse, gradients, start, where) for start in (transforms, far)]
        transforms = min(tried, key=lambda result: result[1])[0]

    everything = np.arange(len(volumes))
    aligned = make_image(_aligned(dwi, transforms, everything), dwi)
    centre = nb.affines.apply_affine(dwi.affine, (np.array(dwi.shape[:3]) - 1) / 2)
    return (
        aligned,
        rotate(gradients, transforms),
        transforms,
        framewise_displacement(transforms, centre=centre),
    )


def framewise_displacement(transforms: np.ndarray, *, centre: np.ndarray) -> np.ndarray:
    """Head movement from each volume to the next, mm, shape (N,), 0 for the first.

    Parameters
    ----------
    transforms : ndarray, shape (N, 4, 4)
        Rigid, from reference to volume world points.
    centre : ndarray, shape (3,)
        Where the head turns about, world coordinates, mm.

    Notes
    -----
    Sum of the three shifts and of the three rotations as arcs on a sphere of 50 mm (Power et
    al. 2012, NeuroImage 59:2142).
    """
    moved = np.zeros(len(transforms))
    for n in range(1, len(transforms)):
        step = transforms[n] @ np.linalg.inv(transforms[n - 1])
        shift = nb.affines.apply_affine(step, centre) - centre
        turn = Rotation.from_matrix(step[:3, :3]).as_rotvec()
        moved[n] = np.abs(shift).sum() + HEAD_RADIUS_MM * np.abs(turn).sum()
    return moved


def field_of_view(grid: SpatialImage, transforms: np.ndarray | None = None) -> SpatialImage:
    """Where on a grid every volume of a series has data.

    Parameters
    ----------
    grid : SpatialImage
        3D or 4D; its values are not used.
    transforms : ndarray, shape (N, 4, 4), optional
        From `correct_motion`; without, nothing moved.

    Returns
    -------
    SpatialImage
        uint8, 1 inside and 0 outside.
    """
    inside = np.ones(grid.shape[:3], bool)
    points = world_coordinates(grid)
    to_voxels = np.linalg.inv(grid.affine)
    last = np.array(grid.shape[:3]) - 0.5
    for transform in () if transforms is None else transforms:
        ijk = nb.affines.apply_affine(to_voxels @ transform, points)
        inside &= np.all((ijk >= -0.5) & (ijk <= last), axis=-1)
    return make_image(inside, grid)


def align_to_t1w(b0: SpatialImage, t1w_brain: SpatialImage, *, start: np.ndarray | None = None) -> np.ndarray:
    """Rigid transform that resamples diffusion images onto the T1w image.

    Parameters
    ----------
    b0 : SpatialImage
        Mean b = 0 image, with or without skull.
    t1w_brain : SpatialImage
        Brain-extracted T1w image of the same person, zero outside the brain.
    start : ndarray, shape (4, 4), optional
        From T1w to diffusion world points; by default the headers are believed.

    Returns
    -------
    ndarray, shape (4, 4)
        From T1w to diffusion world points (RAS, mm). Its inverse brings T1w masks and labels to
        the diffusion grid.

    Notes
    -----
    The T1w brain, brought over by ``start``, is where the b = 0 image is freed of the coil's
    shading and, with a margin of 9 mm, where the two are compared. The b = 0 image is the fixed
    one: a slab lies within the brain, not the brain within a slab.
    """
    start = np.eye(4) if start is None else start
    brain = resample(t1w_brain, resampled_grid(t1w_brain, np.maximum(voxel_sizes(t1w_brain), T1W_WORKING_VOXEL_MM)))
    mask = make_image((brain.get_fdata() > 0).astype(np.float32), brain)
    there = resample(mask, b0, [np.linalg.inv(start)], interpolation="nearest")
    if not there.get_fdata().any():
        raise InputError(
            "the T1w brain and the diffusion image do not overlap in the scanner's coordinates: their headers "
            "disagree; convert both again from the scanner's files"
        )
    positive = make_image(np.clip(np.asarray(b0.dataobj, np.float32), 0, None), b0)
    even = correct_bias(positive, there, iterations=(50, 50, 50))
    return np.linalg.inv(
        register_rigid(even, brain, fixed_mask=_with_margin(there), start=np.linalg.inv(start), quick=True)
    )


def _check_table(dwi: SpatialImage, gradients: Gradients) -> None:
    if dwi.ndim != 4 or dwi.shape[3] != len(gradients.bvals):
        raise InputError(
            f"the diffusion image has shape {dwi.shape} but its bval file has {len(gradients.bvals)} entries; "
            "check that the series was not truncated"
        )
    if not gradients.is_b0.any():
        raise InputError(
            f"no volume has b < 50 s/mm2 (the lowest is {gradients.bvals.min():g}); a b = 0 volume is needed"
        )


def _volumes(image: SpatialImage, which: np.ndarray) -> np.ndarray:
    return np.asarray(image.dataobj, np.float32)[..., which]


def _with_margin(mask: SpatialImage) -> SpatialImage:
    """Mask and what lies within `MARGIN_MM` of it; ``mask`` may be 0 to 1."""
    outside = distance_transform_edt(mask.get_fdata() <= 0.5, sampling=voxel_sizes(mask))
    return make_image((outside <= MARGIN_MM).astype(np.float32), mask)


def _bright(image: SpatialImage) -> SpatialImage:
    data = image.get_fdata()
    return make_image(data > data.mean(), image)


def _too_bright(weighted: SpatialImage, b0: SpatialImage, brain: SpatialImage) -> float:
    """Fraction of the brain's voxels that are brighter with diffusion weighting than without."""
    with_b, without = weighted.get_fdata(), b0.get_fdata()
    where = brain.get_fdata() > 0.5
    return float(np.mean(with_b[where] > without[where]))


def _aligned(dwi: SpatialImage, transforms: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Volumes resampled through their transforms, shape (X, Y, Z, n)."""
    data = _volumes(dwi, which)
    for position, n in enumerate(which):
        if not np.array_equal(transforms[n], np.eye(4)):
            volume = make_image(data[..., position], dwi)
            data[..., position] = resample(volume, dwi, [transforms[n]]).get_fdata(dtype=np.float32)
    return data


def _from_mean(
    coarse: SpatialImage,
    transforms: np.ndarray,
    weighted: np.ndarray,
    first: SpatialImage,
    brain: SpatialImage,
) -> np.ndarray:
    """Transforms with those of the weighted volumes found through their mean, by mutual information."""
    found, where, volumes = transforms.copy(), _with_margin(brain), nb.four_to_three(coarse)
    mean = make_image(_volumes(coarse, weighted).mean(axis=-1), coarse)
    for n in weighted:
        found[n] = register_rigid(mean, volumes[n], fixed_mask=where, quick=True)
    mean = make_image(_aligned(coarse, found, weighted).mean(axis=-1), coarse)
    to_first = register_rigid(first, mean, fixed_mask=where, quick=True)
    if _too_bright(resample(mean, first, [to_first]), first, brain) < _too_bright(mean, first, brain):
        found[weighted] = found[weighted] @ to_first
    return found


def _follow_prediction(
    coarse: SpatialImage, gradients: Gradients, start: np.ndarray, where: SpatialImage
) -> tuple[np.ndarray, float]:
    """Transforms after registering volumes to their predictions, and the mean squared misfit left."""
    transforms, volumes, misfit = start.copy(), nb.four_to_three(coarse), np.inf
    for _ in range(PREDICTIONS):
        data = _aligned(coarse, transforms, np.arange(len(volumes)))
        predicted = _predict_left_out(data, rotate(gradients, transforms))
        costs = []
        for n in np.flatnonzero(~gradients.is_b0):
            transforms[n], cost = _refine(make_image(predicted[..., n], coarse), volumes[n], where, transforms[n])
            costs.append(cost)
        misfit = float(np.mean(costs))
    return transforms, misfit


def _register_alike(target: SpatialImage, volume: SpatialImage, where: SpatialImage) -> np.ndarray:
    """Rigid transform from target to volume points, from near or far."""
    near, cost = _refine(target, volume, where, np.eye(4))
    far, far_cost = _refine(target, volume, where, register_rigid(target, volume, fixed_mask=where, quick=True))
    return near if cost <= far_cost else far


def _refine(
    target: SpatialImage, volume: SpatialImage, where: SpatialImage, start: np.ndarray
) -> tuple[np.ndarray, float]:
    """Rigid transform from target to volume points, between images of like contrast, and its cost.

    Least squares of ``target - gain * volume - offset`` by Gauss-Newton steps: mutual information
    from sampled voxels scatters by about 1 mm, too much for the last step. Returns the best
    transform met, which is ``start`` where no step makes the images more alike.
    """
    inside = where.get_fdata() > 0
    points = world_coordinates(target)[inside]
    values = gaussian_filter(target.get_fdata(), 1.0)[inside]
    smooth = gaussian_filter(volume.get_fdata(), 1.0)
    to_voxels = np.linalg.inv(volume.affine)
    slopes = np.stack(np.gradient(smooth), axis=-1) @ to_voxels[:3, :3]
    fields = [smooth, *np.moveaxis(slopes, -1, 0)]

    best, lowest, transform = start, np.inf, start
    for _ in range(REFINEMENTS):
        moved = nb.affines.apply_affine(transform, points)
        ijk = nb.affines.apply_affine(to_voxels, moved).T
        found = np.stack([map_coordinates(f, ijk, order=1, cval=np.nan) for f in fields], axis=1)
        seen = np.isfinite(found).all(axis=1)
        if seen.mean() < 0.5:  # the volume has left the image
            break
        t, v, slope = values[seen], found[seen, 0], found[seen, 1:]
        gain, offset = np.polyfit(v, t, 1)
        residual = t - gain * v - offset
        cost = float(np.mean(residual**2))
        if cost < lowest:
            best, lowest = transform, cost
        centre = moved[seen].mean(axis=0)
        turning = np.cross(moved[seen] - centre, slope)
        # gain and offset change with the position, so they are solved for together with it
        jacobian = np.column_stack([gain * slope, gain * turning, v, np.ones_like(v)])
        scale = np.linalg.norm(jacobian, axis=0) + np.finfo(float).tiny
        jacobian = jacobian / scale
        step = np.linalg.lstsq(jacobian.T @ jacobian, jacobian.T @ residual, rcond=1e-8)[0] / scale
        turn = np.eye(4)
        turn[:3, :3] = Rotation.from_rotvec(step[3:6]).as_matrix()
        turn[:3, 3] = centre - turn[:3, :3] @ centre + step[:3]
        transform = turn @ transform
        if np.linalg.norm(step[:3]) + HEAD_RADIUS_MM * np.linalg.norm(step[3:6]) < CONVERGED_MM:
            break
    return best, lowest


def _predict_left_out(data: np.ndarray, gradients: Gradients) -> np.ndarray:
    """What a tensor fitted to the other volumes predicts for each, shape as ``data``.

    Left out, because a volume that shares in its own target is held where it is. The residual of
    a linear fit without one of its points is the residual with it, over 1 - leverage.
    """
    design = design_matrix(gradients) / np.append(np.full(6, gradients.bvals.max()), 1.0)
    hat = design @ np.linalg.pinv(design)
    # zero has no logarithm
    floor = max(1e-3 * float(data.max()), float(np.finfo(np.float32).tiny))
    log = np.log(np.maximum(data, floor))
    leverage = np.diag(hat)
    scale = np.where(leverage < MAX_LEVERAGE, 1 / (1 - np.minimum(leverage, MAX_LEVERAGE)), 1.0)
    predicted = log - (log - log @ hat.T) * scale
    return np.exp(np.minimum(predicted, np.log(data.max(initial=floor)))).astype(np.float32)
