"""From a person's scan to the shared head: pose, size, a smooth deformation, and the sampling of maps.

A scan's voxel is carried to world coordinates, through the inverse of the head's pose and size,
and then displaced by a diffeomorphism, to a point of the shared head. Tissues, true masks and
fibre directions of all scans come through this one map.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mndmri.grids import voxel_sizes, world_coordinates
from mndmri.phantom.head import MAP_NAMES, TISSUES, Anatomy
from mndmri.phantom.plan import MAP_EFFECTS

# Centre about which heads are turned and scaled: near the middle of the brain (mm, shared head).
HEAD_CENTRE_MM = np.array([0.0, -18.0, 8.0])

_FIELD_BOX_MM = np.array([[-120, 120], [-150, 140], [-150, 130]])
_FIELD_STEP_MM = 5.0
_SMOOTH_MM = 25.0  # SD of the kernel: anatomy differs between people over some centimetres
_SQUARINGS = 4
_COARSE = 4  # voxels
_SCANS = ("t1w", "dwi", "gre", *MAP_EFFECTS)


class HeadMap(NamedTuple):
    """Map from the world of one scan to the shared head."""

    world_to_head: np.ndarray
    """(4, 4): inverse of pose and size."""
    displacement: np.ndarray
    """(3, X, Y, Z), mm, to be added, at points of the shared head's box every `_FIELD_STEP_MM`."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points of the shared head, shape (n, ..., 3), for world points of the same shape (mm)."""
        head = nb.affines.apply_affine(self.world_to_head, points)
        return head + _interpolate_field(self.displacement, head)


class Head(NamedTuple):
    """One person's head, sampled on the grid of a scan."""

    grid: SpatialImage
    maps: dict[str, np.ndarray]
    """Fraction 0 to 1 of each voxel, shape (X, Y, Z)."""
    place: np.ndarray
    """Where each voxel lies in the shared head, shape (X, Y, Z, 3), mm."""

    def side(self, hemi: str) -> np.ndarray:
        """Voxels of the person's left or right half, boolean."""
        return self.place[..., 0] < 0 if hemi == "L" else self.place[..., 0] > 0


def _interpolate_field(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    index = np.moveaxis((points - _FIELD_BOX_MM[:, 0]) / _FIELD_STEP_MM, -1, 0)
    return np.stack([ndimage.map_coordinates(c, index, order=1, mode="nearest") for c in field], axis=-1)


def random_displacement(rng: np.random.Generator, largest_mm: float) -> np.ndarray:
    """Smooth displacement field that cannot fold.

    Parameters
    ----------
    rng : Generator
    largest_mm : float
        Length of the velocity field's longest vector, about the largest displacement.

    Returns
    -------
    ndarray, shape (3, X, Y, Z)
        In mm. The exponential of a stationary velocity field, by scaling and squaring
        (Arsigny et al. 2006, MICCAI).
    """
    shape = (np.ptp(_FIELD_BOX_MM, axis=1) / _FIELD_STEP_MM).astype(int) + 1
    sigma = _SMOOTH_MM / _FIELD_STEP_MM
    field = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), sigma) for _ in range(3)])
    field *= largest_mm / np.sqrt((field**2).sum(axis=0)).max() / 2**_SQUARINGS
    axes = [low + _FIELD_STEP_MM * np.arange(n) for low, n in zip(_FIELD_BOX_MM[:, 0], shape, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    for _ in range(_SQUARINGS):
        field = field + np.moveaxis(_interpolate_field(field, points + np.moveaxis(field, 0, -1)), -1, 0)
    return field.astype(np.float32)


def head_pose(person: Mapping[str, Any], simulation: Mapping[str, Any], scan: str) -> np.ndarray:
    """Matrix from points of the person's head to the world of a scan, shape (4, 4).

    The person's size and pose, and the small movement since the previous scan.
    """
    between = simulation["between_scans"]
    rng = np.random.default_rng([int(person["scan_seed"]), _SCANS.index(scan)])
    angles = [person[f"rotation_{axis}_deg"] for axis in "xyz"] + between["rotation_deg"] * rng.uniform(-1, 1, 3)
    shift = [person[f"shift_{axis}_mm"] for axis in "xyz"] + between["shift_mm"] * rng.uniform(-1, 1, 3)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * person["head_scale"]
    pose[:3, 3] = shift + HEAD_CENTRE_MM - pose[:3, :3] @ HEAD_CENTRE_MM
    return pose


def head_map(person: Mapping[str, Any], simulation: Mapping[str, Any], scan: str) -> HeadMap:
    """Map from the world of a person's scan to the shared head; the shape is the same in all scans."""
    rng = np.random.default_rng([int(person["seed"]), 100])
    displacement = random_displacement(rng, simulation["deformation_mm"])
    return HeadMap(np.linalg.inv(head_pose(person, simulation, scan)), displacement)


def scan_centre(
    person: Mapping[str, Any], simulation: Mapping[str, Any], scan: str, middle_mm: Sequence[float]
) -> np.ndarray:
    """World coordinates of a point of the head, given in the shared head, to centre a scan on (mm)."""
    return nb.affines.apply_affine(head_pose(person, simulation, scan), middle_mm)


def scan_grid(
    centre: Sequence[float] | np.ndarray,
    size_mm: Sequence[float],
    voxel_mm: float | Sequence[float],
    *,
    tilt_deg: float = 0.0,
) -> SpatialImage:
    """Empty image of a scan's field of view, its axes running right, anterior and superior.

    Parameters
    ----------
    centre : three floats
        World coordinates of its middle, mm.
    size_mm, voxel_mm : three floats, or one for ``voxel_mm``
        Along left-right, posterior-anterior and inferior-superior.
    tilt_deg : float
        Turn of the field of view about the left-right axis.
    """
    voxel = np.broadcast_to(np.asarray(voxel_mm, float), 3)
    shape = np.rint(np.asarray(size_mm) / voxel).astype(int)
    turn = Rotation.from_euler("x", tilt_deg, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(voxel)
    affine[:3, 3] = np.asarray(centre) - affine[:3, :3] @ ((shape - 1) / 2)
    return nb.Nifti1Image(np.zeros(shape, np.uint8), affine)


def store(image: SpatialImage, storage: str) -> SpatialImage:
    """RAS image with its voxels in another order: each axis runs as a letter says, e.g. ``LAS`` or ``PSR``."""
    now = nb.orientations.io_orientation(image.affine)
    wanted = nb.orientations.axcodes2ornt(tuple(storage))
    return image.as_reoriented(nb.orientations.ornt_transform(now, wanted))


def sample_head(anatomy: Anatomy, to_shared: HeadMap, grid: SpatialImage, names: Sequence[str]) -> Head:
    """Maps of the shared head on the grid of a person's scan.

    Each voxel is the mean of points inside it, two along every axis whose voxels are longer
    than 1.5 mm (the maps have 1 mm), so that a voxel holds several tissues as a real one does.

    Parameters
    ----------
    anatomy : Anatomy
    to_shared : HeadMap
    grid : SpatialImage
    names : sequence of str
        Which of `MAP_NAMES`.
    """
    place = to_shared(world_coordinates(grid)).astype(np.float32)
    index = nb.affines.apply_affine(np.linalg.inv(anatomy.maps.affine), place).astype(np.float32)
    # from one voxel to the next the smooth map is a straight line
    steps = [np.gradient(index, axis=axis) for axis in range(3)]
    offsets = [(-0.25, 0.25) if size > 1.5 else (0.0,) for size in voxel_sizes(grid)]

    maps = np.asarray(anatomy.maps.dataobj)
    # a voxel's values side by side, and voxels in the order in which the file has them
    volume = np.empty((*maps.shape[2::-1], len(names)), np.uint8)
    for n, name in enumerate(names):
        volume[..., n] = maps[..., MAP_NAMES.index(name)].T
    volume = volume.transpose(2, 1, 0, 3)
    near = np.all((index > -2) & (index < np.array(volume.shape[:3]) + 1), axis=-1)
    near &= ndimage.map_coordinates(
        _occupied(maps), np.moveaxis(index / _COARSE, -1, 0), order=0, mode="constant"
    ).astype(bool)
    total = np.zeros((np.count_nonzero(near), len(names)), np.float32)
    points, steps = index[near], [s[near] for s in steps]
    n_points = np.prod([len(o) for o in offsets])
    for shifts in np.stack(np.meshgrid(*offsets), axis=-1).reshape(-1, 3):
        moved = points + sum(s * step for s, step in zip(shifts, steps, strict=True))
        total += _trilinear(volume, moved.astype(np.float32))
    sampled = {}
    for n, name in enumerate(names):
        sampled[name] = np.zeros(grid.shape[:3], np.float32)
        sampled[name][near] = total[:, n] / (255 * n_points)
    return Head(grid, sampled, place)


def _occupied(maps: np.ndarray) -> np.ndarray:
    """Every fourth voxel of the head, grown by more than the gap between them, to leave the air out."""
    head = maps[::_COARSE, ::_COARSE, ::_COARSE, : len(TISSUES)].any(axis=-1)
    return ndimage.binary_dilation(head, iterations=2).astype(np.uint8)


def _trilinear(volume: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Linear interpolation of all channels of ``volume`` (X, Y, Z, K), z slowest; beyond the edge, the edge."""
    shape = np.array(volume.shape[:3])
    flat = volume.transpose(2, 1, 0, 3).reshape(-1, volume.shape[-1])
    out = np.empty((len(index), volume.shape[-1]), np.float32)
    for begin in range(0, len(index), 200_000):  # bounded memory
        part = slice(begin, begin + 200_000)
        point = np.clip(index[part], 0, shape - 1.001)
        low = point.astype(np.int32)
        high = (point - low).T
        weights = (1 - high, high)
        base = (low[:, 2] * shape[1] + low[:, 1]) * shape[0] + low[:, 0]
        value = np.zeros((len(base), volume.shape[-1]), np.float32)
        for corner in np.ndindex(2, 2, 2):
            weight = weights[corner[0]][0] * weights[corner[1]][1] * weights[corner[2]][2]
            step = (corner[2] * shape[1] + corner[1]) * shape[0] + corner[0]
            value += weight[:, None] * flat[base + step]
        out[part] = value
    return out


def fibre_to_world(head: Head, fibre: np.ndarray) -> np.ndarray:
    """Fibre directions of the shared head as they run in the scan's world.

    Parameters
    ----------
    fibre : ndarray, shape (X, Y, Z, 3)
        Directions in the shared head; any length.

    Returns
    -------
    ndarray, shape (X, Y, Z, 3)
        Unit vectors in world axes, carried by the local Jacobian as tangents of the fibres
        are (preservation of principal direction; Alexander et al. 2001, IEEE TMI 20:1131).
    """
    # d(shared)/d(voxel), and from there d(shared)/d(world)
    per_voxel = np.stack([np.gradient(head.place, axis=axis) for axis in range(3)], axis=-1)
    jacobian = per_voxel @ np.linalg.inv(head.grid.affine[:3, :3])
    world = np.linalg.solve(jacobian, fibre[..., None])[..., 0]
    return world / np.maximum(np.linalg.norm(world, axis=-1, keepdims=True), 1e-9)


def add_rician_noise(signal: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Magnitude of a complex signal with Gaussian noise of ``sd`` in both channels, float32."""
    real = signal + sd * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.hypot(real, sd * rng.standard_normal(signal.shape, dtype=np.float32)).astype(np.float32)
