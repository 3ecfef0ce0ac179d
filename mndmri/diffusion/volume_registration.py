"""One volume of a series registered to an image of like contrast: movement, and what eddy currents do."""

from typing import NamedTuple

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from mndmri.grids import voxel_sizes

REFINEMENTS = 10
CONVERGED_MM = 0.02
# Power et al. 2012, NeuroImage 59:2142: distance from the head's centre to the cortex.
HEAD_RADIUS_MM = 50.0
# SD of the Gaussian that volumes are compared through: noise has no slope that a movement could follow.
SMOOTHING_MM = 4.0


class Target(NamedTuple):
    """What volumes are registered to, at points of the undistorted head at rest."""

    points: np.ndarray
    """World coordinates, mm, shape (n, 3)."""
    shift: np.ndarray
    """By how much the field of the head moves the signal of each point, mm, shape (n, 3)."""
    gain: np.ndarray
    """How much that piles it up, shape (n,)."""
    phase: np.ndarray | None
    """Unit vector of the phase encoding, world axes, shape (3,); None: eddy currents are left alone."""
    centre: np.ndarray
    """Where the gradients' fields are zero, world coordinates, mm, shape (3,)."""


class Pose(NamedTuple):
    """Where the head is in a volume."""

    rigid: np.ndarray
    """From points of the head at rest to those of the volume, shape (4, 4)."""
    eddy: np.ndarray
    """Shift along the phase encoding per mm from the centre, shape (3,): scaling and shears."""

    def affine(self, target: Target) -> np.ndarray:
        """Both as one matrix, shape (4, 4)."""
        return eddy_matrix(self.eddy, target) @ self.rigid


def still_pose() -> Pose:
    """Pose of a volume that did not move."""
    return Pose(np.eye(4), np.zeros(3))


def eddy_matrix(eddy: np.ndarray, target: Target) -> np.ndarray:
    """Linear part of the eddy currents' field as a transform of scanner points, shape (4, 4)."""
    matrix = np.eye(4)
    if target.phase is not None:
        matrix[:3, :3] += np.outer(target.phase, eddy)
        matrix[:3, 3] = -np.outer(target.phase, eddy) @ target.centre
    return matrix


def smooth(image: SpatialImage) -> np.ndarray:
    """Image as it is compared, shape (X, Y, Z)."""
    return gaussian_filter(np.asarray(image.dataobj, np.float32), SMOOTHING_MM / voxel_sizes(image))


def register_volume(
    values: np.ndarray, target: Target, volume: SpatialImage, start: Pose, *, with_eddy: bool = False
) -> tuple[Pose, float]:
    """Pose of a volume, and the mean squared misfit left.

    Parameters
    ----------
    values : ndarray, shape (n,)
        What the volume should show at the target's points (smoothed, see `smooth`); not finite where
        that is not to be compared.
    target : Target
    volume : SpatialImage
        3D, as scanned.
    start : Pose
    with_eddy : bool
        The eddy currents are found as well; otherwise those of ``start`` stay.

    Notes
    -----
    Least squares of ``values - gain * volume - offset`` by Gauss-Newton steps: mutual information
    from sampled voxels scatters by about 1 mm, too much for the last step. Returns the best
    pose met, which is ``start`` where no step makes the images more alike.
    """
    with_eddy = with_eddy and target.phase is not None
    image = smooth(volume)
    to_voxels = np.linalg.inv(volume.affine)
    slopes = np.stack(np.gradient(image), axis=-1) @ to_voxels[:3, :3]
    fields = [image, *np.moveaxis(slopes, -1, 0).astype(np.float32)]
    wanted = np.isfinite(values)

    best, lowest, pose = start, np.inf, start
    for _ in range(REFINEMENTS):
        moved = nb.affines.apply_affine(pose.affine(target), target.points)
        ijk = nb.affines.apply_affine(to_voxels, moved + target.shift).T
        found = np.stack([map_coordinates(f, ijk, order=1, cval=np.nan, output=np.float32) for f in fields], axis=1)
        seen = np.isfinite(found).all(axis=1) & wanted
        if seen.sum() < 0.5 * wanted.sum():  # the volume has left the image
            break
        found = found[seen].astype(float) * target.gain[seen, None]
        t, v, slope = values[seen], found[:, 0], found[:, 1:]
        gain, offset = np.polyfit(v, t, 1)
        residual = t - gain * v - offset
        cost = float(np.mean(residual**2))
        if cost < lowest:
            best, lowest = pose, cost
        middle = moved[seen].mean(axis=0)
        columns = [slope, np.cross(moved[seen] - middle, slope)]
        if with_eddy:
            columns.append((slope @ target.phase)[:, None] * (moved[seen] - target.centre))
        # gain and offset change with the position, so they are solved for together with it
        jacobian = np.column_stack([gain * np.column_stack(columns), v, np.ones_like(v)])
        scale = np.linalg.norm(jacobian, axis=0) + np.finfo(float).tiny
        jacobian = jacobian / scale
        step = np.linalg.lstsq(jacobian.T @ jacobian, jacobian.T @ residual, rcond=1e-8)[0] / scale
        turn = np.eye(4)
        turn[:3, :3] = Rotation.from_rotvec(step[3:6]).as_matrix()
        turn[:3, 3] = middle - turn[:3, :3] @ middle + step[:3]
        bent = step[6:9] if with_eddy else np.zeros(3)
        pose = Pose(turn @ pose.rigid, pose.eddy + bent)
        if np.linalg.norm(step[:3]) + HEAD_RADIUS_MM * np.linalg.norm([step[3:6], bent]) < CONVERGED_MM:
            break
    return best, lowest
