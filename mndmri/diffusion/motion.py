"""Head motion and eddy currents in a diffusion series, and the slices that were lost to them."""

from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy.spatial.transform import Rotation

from mndmri.diffusion.alignment import MARGIN_MM, check_table
from mndmri.diffusion.gradients import Gradients, rotate
from mndmri.diffusion.outliers import find_outliers, slice_losses, worst_of_each_slice
from mndmri.diffusion.prediction import fill_in, predict_left_out
from mndmri.diffusion.resampling import distortion_on, phase_vector, resample_series, slice_numbers
from mndmri.diffusion.volume_registration import (
    HEAD_RADIUS_MM,
    Pose,
    Target,
    eddy_matrix,
    register_volume,
    smooth,
    still_pose,
)
from mndmri.grids import make_image, resampled_grid, slice_axis, voxel_sizes, world_coordinates
from mndmri.masks import dilate
from mndmri.registration.register import register_rigid
from mndmri.registration.transforms import resample

# Nine numbers per volume are estimated well from coarse voxels, in a tenth of the time; slices stay as scanned.
WORKING_VOXEL_MM = 4.0
MAX_POINTS = 40_000
# Rounds of predicting and registering.
PREDICTIONS = 2
# Of the brain's voxels, by signal lost to diffusion: enough of them to be steady, few enough to be edges.
LEAST_LOSS_PERCENTILE = 1.0
# More volumes that lost the same slice leave too little to predict it from.
MAX_OUTLIERS_IN_A_SLICE = 6
# With fewer weighted volumes, eddy currents are each volume's own.
MIN_VOLUMES_EDDY_MODEL = 6


class Motion(NamedTuple):
    """What happened to each of the N volumes."""

    rigid: np.ndarray
    """From world points of the head at rest, which is that of the first b = 0 volume, shape (N, 4, 4)."""
    transforms: np.ndarray
    """The same followed by the eddy currents' scaling and shears along the phase encoding, shape (N, 4, 4)."""
    displacement: np.ndarray
    """Framewise displacement, mm, shape (N,); see `framewise_displacement`."""
    outliers: np.ndarray
    """Slices, as scanned, without their signal, bool, shape (N, number of slices)."""
    centre: np.ndarray
    """Where the head is taken to turn about, world coordinates, mm, shape (3,)."""


def still(dwi: SpatialImage) -> Motion:
    """Motion of a series in which nothing moved."""
    n_volumes, n_slices = dwi.shape[3], dwi.shape[slice_axis(dwi)]
    identity = np.tile(np.eye(4), (n_volumes, 1, 1))
    nothing = np.zeros(n_volumes), np.zeros((n_volumes, n_slices), bool)
    return Motion(identity, identity, *nothing, _centre(dwi))


def estimate_motion(
    dwi: SpatialImage,
    gradients: Gradients,
    mask: SpatialImage,
    *,
    displacement: SpatialImage | None = None,
    axis: int | None = None,
    outlier_sd: float | None = 4.0,
) -> Motion:
    """Where the head was in every volume, what eddy currents did, and which slices were lost.

    Parameters
    ----------
    dwi : SpatialImage
        4D, as scanned.
    gradients : Gradients
        In world axes, as scanned.
    mask : SpatialImage
        Brain in the undistorted head of the first b = 0 volume; volumes are compared in it and 9 mm around it.
    displacement : SpatialImage, optional
        Susceptibility distortion of the first b = 0 volume, as in `resampling.distortion_on`.
    axis : int, optional
        Array axis of the phase encoding. Without it eddy currents are left alone.
    outlier_sd : float or None
        A slice this many standard deviations below its prediction is lost; None: none is.

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
    the shift is believed only if it raises the least loss of signal in the brain.

    Eddy currents follow the gradient that makes them: scaling and shears of all volumes are fitted
    as a linear function of its direction and amplitude (the linear second-level model of Andersson and
    Sotiropoulos 2016, NeuroImage 125:1063), which steadies them where volumes are noisy.
    """
    check_table(dwi, gradients)
    series = _Coarse(dwi, gradients, mask, displacement, axis)
    weighted = np.flatnonzero(~gradients.is_b0)
    unweighted = np.flatnonzero(gradients.is_b0)
    poses = [still_pose() for _ in gradients.bvals]
    first = series.aligned(poses)[..., unweighted[0]]
    for n in unweighted[1:]:
        poses[n] = series.register_alike(first, n)
    outliers = np.zeros((len(poses), series.n_slices), bool)
    if weighted.size:
        far = series.from_mean(poses, weighted, first)
        tried = [series.follow_prediction(start, outlier_sd) for start in (poses, far)]
        poses, outliers, _ = min(tried, key=lambda result: result[2])
        poses = series.joined(poses, weighted, first)

    rigid = np.array([pose.rigid for pose in poses])
    return Motion(
        rigid,
        np.array([pose.affine(series.target) for pose in poses]),
        framewise_displacement(rigid, centre=series.target.centre),
        outliers,
        series.target.centre,
    )


def motion_table(motion: Motion) -> pd.DataFrame:
    """Framewise displacement (mm) and number of lost slices, a row a volume."""
    return pd.DataFrame({"framewise_displacement": motion.displacement, "outlier_slices": motion.outliers.sum(axis=1)})


def replace_outliers(
    aligned: SpatialImage, dwi: SpatialImage, gradients: Gradients, motion: Motion
) -> tuple[SpatialImage, np.ndarray]:
    """Aligned series in which lost slices are what the other volumes predict.

    Parameters
    ----------
    aligned : SpatialImage
        4D, from `resampling.resample_series`.
    dwi : SpatialImage
        4D, as scanned: its grid is used.
    gradients : Gradients
        Turned with the head.
    motion : Motion

    Returns
    -------
    series : SpatialImage
        float32.
    replaced : ndarray, shape (X, Y, Z), float
        Share of the volumes that were filled in, 0 to 1.
    """
    across = slice_axis(dwi)
    lost = np.zeros(aligned.shape, bool)
    for n in np.flatnonzero(motion.outliers.any(axis=1)):
        where = slice_numbers(aligned, dwi, motion.transforms[n], across)
        lost[..., n] = _touches(where, motion.outliers[n])
    there = lost.any(axis=-1)
    data = np.array(aligned.dataobj, np.float32)
    if there.any():
        data[there] = fill_in(data[there], gradients, lost[there])
    return make_image(data, aligned), lost.mean(axis=-1)


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


def _centre(image: SpatialImage) -> np.ndarray:
    """Middle of an image, world coordinates, mm, shape (3,)."""
    return nb.affines.apply_affine(image.affine, (np.array(image.shape[:3]) - 1) / 2)


def _touches(where: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """True where a fractional slice number is interpolated from a lost slice."""
    last = len(lost) - 1
    below, above = (np.clip(f(where), 0, last).astype(int) for f in (np.floor, np.ceil))
    return lost[below] | lost[above]


class _Coarse:
    """A series on coarse voxels, in the frame of the undistorted head at rest."""

    def __init__(
        self,
        dwi: SpatialImage,
        gradients: Gradients,
        mask: SpatialImage,
        displacement: SpatialImage | None,
        axis: int | None,
    ) -> None:
        self.across = slice_axis(dwi)
        sizes = voxel_sizes(dwi)
        coarse = np.maximum(sizes, WORKING_VOXEL_MM)
        coarse[self.across] = sizes[self.across]
        self.series = resample(dwi, resampled_grid(dwi, coarse))
        self.gradients, self.displacement, self.axis = gradients, displacement, axis
        self.n_slices = self.series.shape[self.across]
        self.brain = resample(mask, self.series).get_fdata() > 0.5
        self.volumes = nb.four_to_three(self.series)
        self.pixel_mm2 = float(np.prod(np.delete(coarse, self.across)))

        shift, gain = distortion_on(self.series, displacement, axis)
        self.margin = dilate(make_image(self.brain, self.series), MARGIN_MM)
        self.compared = np.flatnonzero(self.margin.get_fdata())
        self.compared = self.compared[:: max(1, self.compared.size // MAX_POINTS)]
        phase = None if axis is None else phase_vector(dwi.affine, axis)
        self.target = Target(
            world_coordinates(self.series).reshape(-1, 3)[self.compared],
            shift.reshape(-1, 3)[self.compared].astype(float),
            gain.ravel()[self.compared].astype(float),
            None if phase is None else phase / np.linalg.norm(phase),
            _centre(dwi),
        )

    def aligned(self, poses: list[Pose]) -> np.ndarray:
        """Volumes where the head at rest is, shape (X, Y, Z, N)."""
        transforms = np.array([pose.affine(self.target) for pose in poses])
        return np.asarray(
            resample_series(self.series, transforms, displacement=self.displacement, axis=self.axis, order=1).dataobj
        )

    def values(self, image: np.ndarray) -> np.ndarray:
        """An image as volumes are compared with it, at the target's points."""
        return smooth(make_image(image, self.series)).ravel()[self.compared].astype(float)

    def register_alike(self, image: np.ndarray, n: int) -> Pose:
        """Pose of a volume whose contrast is that of an image, from near or far."""
        values = self.values(image)
        start = register_rigid(make_image(image, self.series), self.volumes[n], fixed_mask=self.margin, quick=True)
        tried = [
            register_volume(values, self.target, self.volumes[n], pose)
            for pose in (still_pose(), Pose(start, np.zeros(3)))
        ]
        return min(tried, key=lambda result: result[1])[0]

    def from_mean(self, poses: list[Pose], weighted: np.ndarray, first: np.ndarray) -> list[Pose]:
        """Poses with those of the weighted volumes found through their mean, by mutual information."""
        found = list(poses)
        mean = make_image(self.aligned(found)[..., weighted].mean(axis=-1), self.series)
        for n in weighted:
            found[n] = Pose(register_rigid(mean, self.volumes[n], fixed_mask=self.margin, quick=True), np.zeros(3))
        return self.joined(found, weighted, first)

    def joined(self, poses: list[Pose], weighted: np.ndarray, first: np.ndarray) -> list[Pose]:
        """Poses with the weighted volumes moved together onto the b = 0 image, if they lie better there.

        Among themselves they are held by their predictions, to b = 0 hardly.
        """
        mean, b0 = (
            make_image(self.aligned(poses)[..., weighted].mean(axis=-1), self.series),
            make_image(first, self.series),
        )
        to_first = register_rigid(b0, mean, fixed_mask=self.margin, quick=True)
        there = np.asarray(resample(mean, b0, [to_first]).dataobj)
        if self._least_loss(there, first) <= self._least_loss(np.asarray(mean.dataobj), first):
            return poses
        return [p if n not in weighted else p._replace(rigid=p.rigid @ to_first) for n, p in enumerate(poses)]

    def follow_prediction(self, start: list[Pose], outlier_sd: float | None) -> tuple[list[Pose], np.ndarray, float]:
        """Poses after registering volumes to their predictions, lost slices, and the mean squared misfit left."""
        poses, misfit = list(start), np.inf
        weighted = np.flatnonzero(~self.gradients.is_b0)
        for _ in range(PREDICTIONS):
            predicted, outliers = self._predict(poses, outlier_sd)
            targets = {n: self._believed(self.values(predicted[..., n]), poses[n], outliers[n]) for n in weighted}
            for n in weighted:
                poses[n], _ = register_volume(targets[n], self.target, self.volumes[n], poses[n], with_eddy=True)
            poses = self._model_eddy(poses, weighted)
            costs = []
            for n in weighted:
                poses[n], cost = register_volume(targets[n], self.target, self.volumes[n], poses[n])
                costs.append(cost)
            misfit = float(np.mean(costs))
        return poses, self._predict(poses, outlier_sd)[1], misfit

    def _predict(self, poses: list[Pose], outlier_sd: float | None) -> tuple[np.ndarray, np.ndarray]:
        """Predictions, (X, Y, Z, N), made without the lost slices, and which those are, (N, n_slices)."""
        data = self.aligned(poses)
        turned = rotate(self.gradients, np.array([pose.rigid for pose in poses]))
        predicted = predict_left_out(data, turned)
        outliers = np.zeros((len(poses), self.n_slices), bool)
        if outlier_sd is None:
            return predicted, outliers
        weighted = np.flatnonzero(~self.gradients.is_b0)
        numbers = {n: self._slices(poses[n]) for n in weighted}
        for _ in range(MAX_OUTLIERS_IN_A_SLICE):
            losses = np.full(outliers.shape, np.nan)
            for n in weighted:
                losses[n] = slice_losses(
                    data[self.brain, n],
                    predicted[self.brain, n],
                    np.rint(numbers[n][self.brain]).astype(int),
                    n_slices=self.n_slices,
                    voxel_mm2=self.pixel_mm2,
                )
            found = find_outliers(losses, outlier_sd=outlier_sd)
            new = worst_of_each_slice(found & ~outliers, losses)
            outliers = (outliers & found) | new
            if not new.any():
                break
            lost = np.zeros(data.shape, bool)
            for n in np.flatnonzero(outliers.any(axis=1)):
                lost[..., n] = _touches(numbers[n], outliers[n])
            whole, there = data.copy(), lost.any(axis=-1)
            whole[there] = fill_in(data[there], turned, lost[there])
            predicted = predict_left_out(whole, turned)
        return predicted, outliers

    def _slices(self, pose: Pose) -> np.ndarray:
        return slice_numbers(self.series, self.series, pose.affine(self.target), self.across)

    def _believed(self, values: np.ndarray, pose: Pose, lost: np.ndarray) -> np.ndarray:
        """Values to compare with: none in lost slices."""
        if not lost.any():
            return values
        return np.where(_touches(self._slices(pose), lost).ravel()[self.compared], np.nan, values)

    def _model_eddy(self, poses: list[Pose], weighted: np.ndarray) -> list[Pose]:
        """Poses with eddy currents as a linear function of the gradients that made them."""
        if self.target.phase is None or weighted.size < MIN_VOLUMES_EDDY_MODEL:
            return poses
        # the amplitude of a gradient is as the root of its b-value
        gradient = np.sqrt(self.gradients.bvals[weighted, None]) * self.gradients.bvecs[weighted]
        found = np.array([poses[n].eddy for n in weighted])
        fitted = gradient @ np.linalg.lstsq(gradient, found, rcond=None)[0]
        modelled = list(poses)
        for n, eddy in zip(weighted, fitted, strict=True):
            # a shear looks like a turn for the most part: the centre of the head stays where it was found
            back = np.linalg.inv(eddy_matrix(eddy, self.target)) @ eddy_matrix(poses[n].eddy, self.target)
            centre = nb.affines.apply_affine(poses[n].rigid, self.target.points.mean(axis=0))
            rigid = poses[n].rigid.copy()
            rigid[:3, 3] += nb.affines.apply_affine(back, centre) - centre
            modelled[n] = Pose(rigid, eddy)
        return modelled

    def _least_loss(self, weighted: np.ndarray, b0: np.ndarray) -> float:
        """Logarithm of the signal lost to diffusion where least was lost: the 1st percentile over the brain.

        Diffusion takes signal from every voxel; where two images do not lie on each other, some seem to have gained.
        """
        loss = np.log(np.maximum(b0[self.brain], 1e-3)) - np.log(np.maximum(weighted[self.brain], 1e-3))
        return float(np.percentile(loss, LEAST_LOSS_PERCENTILE))
