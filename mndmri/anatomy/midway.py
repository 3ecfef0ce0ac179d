"""The midway space of a person: where the T1-weighted images of all their visits meet, none of them in a special role.

Every visit is carried there by a rigid transform of its own, and the mean of these transforms is the identity; each is
interpolated once. Small displacements, whose mean over the visits is zero, then carry the mean shape to each visit.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from scipy.linalg import expm, logm
from scipy.spatial.transform import Rotation

from mndmri.anatomy.brain import mask_image
from mndmri.grids import bounding_box, make_image, voxel_sizes, voxel_volume_ml, world_coordinates
from mndmri.intensity import correct_bias, extend_correction
from mndmri.registration.pose import align_brains, centre_of_mass
from mndmri.registration.smoothing import smooth, smooth_within
from mndmri.registration.transforms import make_field, map_points, sample_points
from mndmri.robust import MAD_TO_SD

# Voxels and steps of the search for the poses, coarse to fine; the blur (FWHM) is that of two voxels. On voxels of 2 mm
# it is good to some 0.02 mm, because all of the brain's edges take part.
_POSE_LEVELS = ((6.0, 12), (3.0, 8), (2.0, 6))
_STILL = 5e-5  # mm, and radians, of which 100 mm are as much
# Of poses, and of the steps towards them: the last digits of products of matrices differ from one run to the next with
# where the matrices lie in memory.
_DIGITS = 9
# Tukey's biweight at 95% efficiency: what differs for another reason than the pose has no weight.
_TUKEY = 4.685
# The skull beside the brain takes part in the search, the scalp and the face do not.
_RIM_MM = 4.0
# Receive-coil inhomogeneity varies over some centimetres, atrophy within some millimetres (FWHM).
_SHADING_MM = 60.0
_EVENINGS = 3  # smoothing flattens what it finds at the brain's edge, so that a part is left for the next round
_MOST_SHADING = 0.3  # logarithm of a ratio: what differs by more is tissue
# Displacements: steps, and smoothing of what is found at each (SD). Of a planted thinning of the precentral cortex by
# 10 and 4% (simulated, 2 mm), 42 and 49% came back with 1 voxel, 62 and 77% with 0.7, 82 and 101% with 0.5; a real
# head that was only turned (2 mm) changed by at most 0.10, 0.17 and 0.27% in any gyrus.
_BEND_STEPS = 30
_BEND_SD_VOX = 0.5
# Share of the typical squared slope of the image below which a voxel is taken for flat.
_FLAT = 0.1
# Of a white matter of 1: what is darker is air, bone or fluid, and tells nothing of shading.
_DARK = 0.2
# Share of a voxel that has to come from what was recorded.
_WHOLE = 0.99
# Round the brain, on the midway grid; and on each visit's own, beyond what the others' poses may ask for.
_MARGIN_MM, _CROP_MM = 6.0, 25.0
_TINY = np.finfo(np.float32).tiny


class Visit(NamedTuple):
    """A visit's T1-weighted image and what is known of it; all images on one grid."""

    t1w: SpatialImage
    """As scanned, RAS-stored: each visit's own correction for shading would differ by what it cannot know."""
    mask: SpatialImage
    """Brain, 0 or 1."""
    recorded: SpatialImage
    """Where a signal was recorded, 0 or 1."""


class Midway(NamedTuple):
    """A person's visits on one grid, midway between them."""

    brain: SpatialImage
    """Median of the visits, 0 outside the brain; white matter is about 1."""
    mask: SpatialImage
    """Brain, 0 or 1: where at least half of the visits have it that were recorded there."""
    recorded: SpatialImage
    """Where at least one visit was recorded, 0 or 1."""
    visits: dict[str, SpatialImage]
    """Each visit's head, float32; missing where it was not recorded."""
    poses: dict[str, np.ndarray]
    """From midway points to those of each visit, rigid, shape (4, 4) (RAS, mm)."""
    shifts: dict[str, SpatialImage]
    """Displacement fields, from points of the mean shape to midway points of each visit; their mean is zero."""


def visits_of(sessions: Sequence[str], *images: Sequence[SpatialImage]) -> dict[str, Visit]:
    """Visits by session, from the images of all visits in the order of the fields of `Visit`."""
    return {session: Visit(*own) for session, *own in zip(sessions, *images, strict=True)}


def join_shifts(midway: Midway) -> SpatialImage:
    """Displacement fields of all visits as one image, shape (X, Y, Z, n, 3), in the order of ``midway.shifts``."""
    fields = list(midway.shifts.values())
    joined = np.concatenate([np.asarray(field.dataobj) for field in fields], axis=3)
    return nb.Nifti1Image(joined, fields[0].affine, fields[0].header)


def as_midway(
    brain: SpatialImage,
    mask: SpatialImage,
    visits: SpatialImage,
    poses: Mapping[str, Sequence[Sequence[float]]],
    shifts: SpatialImage,
) -> Midway:
    """A midway space from its parts as they are stored: visits and shifts of all sessions in one image each."""
    sessions = list(poses)
    heads = {session: visits.slicer[..., n] for n, session in enumerate(sessions)}
    recorded = np.isfinite(np.asarray(visits.dataobj)).any(axis=-1)
    fields = np.asarray(shifts.dataobj)
    return Midway(
        brain=brain,
        mask=mask,
        recorded=make_image(recorded, mask),
        visits=heads,
        poses={session: np.array(pose) for session, pose in poses.items()},
        shifts={
            session: nb.Nifti1Image(fields[..., [n], :], shifts.affine, shifts.header)
            for n, session in enumerate(sessions)
        },
    )


def meet_midway(visits: Mapping[str, Visit]) -> Midway:
    """A person's visits brought to the space midway between them.

    Parameters
    ----------
    visits : mapping of str to Visit
        By session, in any order: the result is the same, to the bit.

    Returns
    -------
    Midway
        Sessions in an order that follows from the images.

    Notes
    -----
    Poses: robust least squares towards the median of all visits, with the mean of the rigid transforms held at the
    identity (Reuter et al. 2012, NeuroImage 61:1402). The voxels are as large as those of the coarsest visit, and finer
    visits are blurred to its resolution. Differences of shading are divided evenly among the visits (as in Ashburner
    and Ridgway 2013, Front Neurosci 6:197); what they have in common is corrected once, by the bias field of their
    median.
    """
    # the last digits of sums depend on the order, and the search for the poses starts from one of the visits
    ordered = sorted(visits, key=lambda session: _digest(visits[session]))
    own = [_cropped(visits[session]) for session in ordered]
    voxel_mm = max(_edge_mm(visit.t1w) for visit in own)
    seen = [visit._replace(t1w=_blurred_to(visit.t1w, voxel_mm)) for visit in own]
    poses = find_poses(seen)
    grid = _midway_grid(own, poses, voxel_mm)
    points = world_coordinates(grid)
    masks, heads = [], []
    for visit, pose in zip(seen, poses, strict=True):
        there = map_points(points, [pose])
        masks.append(sample_points(visit.mask, there))
        recorded = sample_points(visit.recorded, there) > _WHOLE
        heads.append(np.where(recorded, sample_points(visit.t1w, there, "cubic"), np.float32(np.nan)))
    n_shown = np.isfinite(heads).sum(axis=0)
    mask = make_image((np.sum(masks, axis=0) >= n_shown / 2) & (n_shown > 0), grid)
    heads = _corrected(_evened(heads, mask), mask)
    brain = mask_image(make_image(_median(heads), grid), mask)
    shifts = _find_shifts(heads, mask)

    return Midway(
        brain=brain,
        mask=mask,
        recorded=make_image(n_shown > 0, grid),
        visits={name: make_image(head, grid) for name, head in zip(ordered, heads, strict=True)},
        poses=dict(zip(ordered, poses, strict=True)),
        shifts={name: make_field(shift, grid) for name, shift in zip(ordered, shifts, strict=True)},
    )


def _digest(visit: Visit) -> bytes:
    """What is the same for the same image and for no other."""
    data = np.ascontiguousarray(np.asarray(visit.t1w.dataobj, np.float32))
    return hashlib.sha256(data.tobytes() + np.ascontiguousarray(visit.t1w.affine).tobytes()).digest()


def _cropped(visit: Visit) -> Visit:
    """The brain and what is about it: a head is three times its brain."""
    box = bounding_box(visit.mask, margin_mm=_CROP_MM)
    return Visit(*(image.slicer[box] for image in visit))


def _edge_mm(image: SpatialImage) -> float:
    """Edge of the cube that has the volume of a voxel; to 0.001 mm, as headers round."""
    return round(float(np.cbrt(1000 * voxel_volume_ml(image))), 3)


def _blurred_to(image: SpatialImage, voxel_mm: float) -> SpatialImage:
    """Image with the resolution of larger voxels; as it is if its own are as large."""
    missing = voxel_mm**2 - _edge_mm(image) ** 2
    return smooth(image, np.sqrt(missing)) if missing > 0.1 * voxel_mm**2 else image


def mean_of_poses(poses: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of rigid transforms: that towards which they average to nothing, shape (4, 4).

    The same whatever coordinates the transforms lead from and to, and of the inverses it is the inverse.
    """
    mean = poses[0]
    for _ in range(20):
        step = np.mean([logm(np.linalg.inv(mean) @ pose).real for pose in poses], axis=0)
        mean = mean @ expm(step)
        if np.abs(step).max() < 1e-12:
            break
    return mean


def _centred(poses: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Poses seen from the space towards which they average to nothing."""
    # pose @ x for all, with x such that the mean of the products is the identity
    back = np.linalg.inv(mean_of_poses(poses))
    return [np.round(pose @ back, _DIGITS) for pose in poses]


def find_poses(visits: Sequence[Visit]) -> list[np.ndarray]:
    """Rigid transforms from the midway space to each visit, shape (4, 4), whose mean is the identity.

    Parameters
    ----------
    visits : sequence of Visit
        In any pose of the head; the first serves as a start alone.
    """
    first, *others = (mask_image(visit.t1w, visit.mask) for visit in visits)
    starts = [_without_size(align_brains(first, other), centre_of_mass(first)) for other in others]
    poses = _centred([np.eye(4), *starts])
    for voxel_mm, n_steps in _POSE_LEVELS if others else ():
        images = [smooth(visit.t1w, 2 * voxel_mm) for visit in visits]
        grid = _midway_grid(visits, poses, voxel_mm)
        points = world_coordinates(grid)
        masks, recorded = (
            [_seen(getattr(visit, name), points, pose) for visit, pose in zip(visits, poses, strict=True)]
            for name in ("mask", "recorded")
        )
        brain = np.mean(masks, axis=0) >= 0.5
        compared = ndimage.binary_dilation(brain, iterations=max(round(_RIM_MM / voxel_mm), 1))
        compared &= np.min(recorded, axis=0) > _WHOLE
        for _ in range(n_steps):
            heads = [_seen(image, points, pose) for image, pose in zip(images, poses, strict=True)]
            heads = [head / np.median(head[brain & compared]) for head in heads]
            middle = np.median(heads, axis=0)
            slopes = np.stack(np.gradient(middle, voxel_mm), axis=-1)[compared]
            misfits = [(middle - head)[compared] for head in heads]
            steps = [_rigid_step(points[compared], middle[compared], slopes, misfit) for misfit in misfits]
            poses = _centred([pose @ step for pose, step in zip(poses, steps, strict=True)])
            if max(np.abs(step - np.eye(4)).max() for step in steps) < _STILL:
                break
    return poses


def _seen(image: SpatialImage, points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Values of a visit's image at midway points."""
    return sample_points(image, map_points(points, [pose]))


def _without_size(similarity: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Rigid transform that is nearest to one with a scale, and takes a centre to the same place."""
    left, _, right = np.linalg.svd(similarity[:3, :3])
    rigid = np.eye(4)
    rigid[:3, :3] = left @ right
    rigid[:3, 3] = nb.affines.apply_affine(similarity, centre) - rigid[:3, :3] @ centre
    return rigid


def _rigid_step(points: np.ndarray, values: np.ndarray, slopes: np.ndarray, misfit: np.ndarray) -> np.ndarray:
    """Motion of points that takes the misfit of their intensities away, by robust least squares, shape (4, 4)."""
    centre = points.mean(axis=0)
    away = points - centre
    # per radian about each axis and per mm along it; and by shading that varies as a polynomial of second order, which
    # would be taken for a shift of the edges
    pairs = [away[:, one] * away[:, other] for one in range(3) for other in range(one, 3)]
    shading = values[:, None] * np.column_stack([np.ones(len(away)), away, *pairs])
    change = np.hstack([np.cross(away, slopes), slopes, shading / np.abs(shading).mean(axis=0)])
    spread = _TUKEY * MAD_TO_SD * np.median(np.abs(misfit))
    weight = (1 - np.minimum(np.abs(misfit) / max(spread, _TINY), 1) ** 2) ** 2
    found = np.linalg.lstsq((change.T * weight) @ change, change.T @ (weight * misfit))[0].round(_DIGITS)
    turn, shift = found[:3], found[3:6]
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    motion[:3, 3] = centre + shift - motion[:3, :3] @ centre
    return motion


def _midway_grid(visits: Sequence[Visit], poses: Sequence[np.ndarray], voxel_mm: float) -> SpatialImage:
    """Grid of cubes along the axes of the midway world, round the brains of all visits."""
    corners = []
    for visit, pose in zip(visits, poses, strict=True):
        inside = np.argwhere(np.asarray(visit.mask.dataobj) > 0)
        there = nb.affines.apply_affine(np.linalg.inv(pose) @ visit.mask.affine, inside)
        corners += [there.min(axis=0), there.max(axis=0)]
    low, high = np.min(corners, axis=0) - _MARGIN_MM, np.max(corners, axis=0) + _MARGIN_MM
    affine = np.diag([voxel_mm] * 3 + [1.0])
    affine[:3, 3] = low
    return nb.Nifti1Image(np.zeros(np.ceil((high - low) / voxel_mm).astype(int), np.uint8), affine)


def _median(heads: Sequence[np.ndarray]) -> np.ndarray:
    """Median of those that were recorded at each voxel; 0 where none was."""
    if not np.isnan(heads).any():
        return np.median(heads, axis=0)
    none = np.isnan(heads).all(axis=0)
    return np.where(none, np.float32(0), np.nanmedian(np.where(none, np.float32(0), heads), axis=0))


def _evened(heads: Sequence[np.ndarray], mask: SpatialImage) -> list[np.ndarray]:
    """Heads of one scale, in which the median of the brain's brighter half is 1, with the mean shading of all."""
    brain = np.asarray(mask.dataobj) > 0
    scaled = []
    for head in heads:
        values = head[brain & np.isfinite(head)]
        scaled.append(head / np.float32(np.median(values[values > np.median(values)])))
    for _ in range(_EVENINGS):
        shadings = _shadings(scaled, mask)
        common = np.mean(shadings, axis=0)
        scaled = [head * np.exp(common - shading) for head, shading in zip(scaled, shadings, strict=True)]
    return scaled


def _shadings(heads: Sequence[np.ndarray], mask: SpatialImage) -> list[np.ndarray]:
    """Logarithm of the smooth field by which each head differs from the median of all."""
    brain, middle = np.asarray(mask.dataobj) > 0, _median(heads)
    found = []
    for head in heads:
        known = brain & np.isfinite(head) & (head > _DARK) & (middle > _DARK)
        ratio = np.full(head.shape, np.nan, np.float32)
        ratio[known] = np.log(head[known] / middle[known])
        ratio[np.abs(ratio) > _MOST_SHADING] = np.nan
        smoothed = smooth_within(make_image(ratio, mask), mask, fwhm_mm=_SHADING_MM).get_fdata(dtype=np.float32)
        found.append(np.nan_to_num(smoothed))
    return found


def _corrected(heads: Sequence[np.ndarray], mask: SpatialImage) -> list[np.ndarray]:
    """Heads without the bias field that they share, white matter about 1."""
    middle = make_image(_median(heads), mask)
    even = extend_correction(correct_bias(middle, mask), middle, mask).get_fdata(dtype=np.float32)
    shared = np.asarray(middle.dataobj)
    gain = np.divide(even, shared, out=np.ones_like(even), where=shared > 0)
    values = even[np.asarray(mask.dataobj) > 0]
    gain /= np.median(values[values > np.median(values)])
    return [head * gain for head in heads]


def _find_shifts(heads: Sequence[np.ndarray], mask: SpatialImage) -> list[np.ndarray]:
    """Displacements from the mean shape to each visit, mm, shape (X, Y, Z, 3), whose mean over the visits is 0.

    Demons (Thirion 1998, Med Image Anal 2:243) towards the median of all visits, which is made anew at each step.
    """
    voxel_mm = voxel_sizes(mask)[0]
    brain = np.asarray(mask.dataobj) > 0
    pulled = ndimage.binary_dilation(brain, iterations=max(round(_RIM_MM / 2 / voxel_mm), 1))
    index = np.argwhere(pulled).T.astype(np.float32)
    middle = _median(heads)
    heads = [np.where(np.isnan(head), middle, head) for head in heads]
    shifts = np.zeros((len(heads), 3, *mask.shape), np.float32)
    for _ in range(_BEND_STEPS if len(heads) > 1 else 0):
        there = [
            ndimage.map_coordinates(head, index + shift[:, pulled], order=1, mode="nearest", output=np.float32)
            for head, shift in zip(heads, shifts, strict=True)
        ]
        middle[pulled] = np.median(there, axis=0)
        slopes = np.stack([slope[pulled] for slope in np.gradient(middle)])
        steepness = (slopes**2).sum(axis=0)
        flat = _FLAT * steepness[brain[pulled]].mean()
        for shift, head in zip(shifts, there, strict=True):
            misfit = middle[pulled] - head
            shift[:, pulled] += slopes * (misfit / (steepness + misfit**2 + flat))
            for along in shift:
                ndimage.gaussian_filter(along, _BEND_SD_VOX, output=along)
        shifts -= shifts.mean(axis=0)
    return [voxel_mm * np.moveaxis(shift, 0, -1) for shift in shifts]
