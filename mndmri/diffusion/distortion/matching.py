"""Estimation of a displacement along one axis between two images, with the movement of the head."""

from collections.abc import Sequence
from typing import NamedTuple

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import sparse
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.sparse.linalg import LinearOperator, cg
from scipy.spatial.transform import Rotation

from mndmri.grids import make_image, resampled_grid, voxel_sizes, world_coordinates
from mndmri.registration.transforms import resample

# Voxels of the levels, coarse to fine, mm; an image's own where they are larger.
LEVELS_MM = (8.0, 4.0, 2.0)
STEPS = 12
# A level is done when no point moves by more than this share of a voxel.
CONVERGED = 0.05
CG_TOLERANCE, CG_STEPS = 0.03, 60
# Images are compared through a Gaussian whose SD is this share of the level's voxel.
SMOOTHING = 0.6
# The bias field is the mean signal over this distance: relative to it, the middle of the head counts as
# much as its rim. Where it is less than this share of the brightest, there is no signal to compare.
SHADING_SD_MM, NO_SIGNAL = 15.0, 0.1
# Weight of a squared slope of 1 against a squared difference of the local mean signal.
SMOOTHNESS = 0.05
# Slopes stay below this: at 1 the image would fold. And the weight of what grows without bound towards it.
STEEPEST, STIFFNESS = 0.95, 0.01


class Match(NamedTuple):
    """Displacement and movement that align an image with its partner."""

    displacement_mm: SpatialImage
    """Along the axis, towards higher indices, on the image's grid; float32."""
    to_partner: np.ndarray
    """From world points of the undistorted head in the image to those in the partner, rigid, shape (4, 4)."""


def match_along(
    image: SpatialImage,
    partner: SpatialImage,
    axis: int,
    *,
    ratio: float,
    to_partner: np.ndarray | None = None,
    within: SpatialImage | None = None,
    levels_mm: Sequence[float] = LEVELS_MM,
    smoothness: float = SMOOTHNESS,
) -> Match:
    """Displacement u and rigid movement R through which an image and its partner agree.

    At points p of the undistorted head, ``image(p + u e) (1 + u') = s partner(R p - ratio u e) (1 - ratio u')``,
    with e along the axis, u' the slope of u along it, and a factor s.

    Parameters
    ----------
    image, partner : SpatialImage
        3D, of like contrast.
    axis : int
        Array axis of ``image`` that u is along.
    ratio : float
        How far the partner is displaced the other way; 0: it is not distorted.
    to_partner : ndarray, shape (4, 4), optional
        Where the search for R begins; identity by default.
    within : SpatialImage, optional
        Where in the undistorted head the two are alike, 0 to 1; everywhere by default.
    levels_mm : sequence of float
        Voxel sizes, coarse to fine.
    smoothness : float
        Weight of the squared gradient of u.

    Returns
    -------
    Match
        R is the beginning's translation along the axis: more of it and a constant added to u look the same.

    Notes
    -----
    Model, and the term that keeps ``1 + u'`` above 0: Ruthotto et al. 2012, Phys Med Biol 57:5715; the movement in
    the model: Andersson et al. 2003, NeuroImage 20:870. Gauss-Newton steps; movement and factor are eliminated from
    each linear problem, and conjugate gradients solve for u.
    """
    matrix = np.eye(4) if to_partner is None else to_partner
    displacement = make_image(np.zeros(image.shape[:3], np.float32), image)
    for voxel_mm in levels_mm:
        level = _Level(image, partner, axis, ratio, voxel_mm, smoothness, within)
        u, matrix = level.solve(resample_to_edge(displacement, level.grid), matrix)
        displacement = make_image(u.reshape(level.grid.shape).astype(np.float32), level.grid)
        if np.all(voxel_sizes(image) >= voxel_mm):  # finer levels would be this one again
            break
    return Match(make_image(resample_to_edge(displacement, image), image), matrix)


def resample_to_edge(image: SpatialImage, grid: SpatialImage, transform: np.ndarray | None = None) -> np.ndarray:
    """Values of a 3D image on another grid, beyond its edge those of the edge, shape (X, Y, Z), float32."""
    to_voxels = np.linalg.inv(image.affine) @ (np.eye(4) if transform is None else transform)
    ijk = np.moveaxis(nb.affines.apply_affine(to_voxels, world_coordinates(grid)), -1, 0)
    data = np.asarray(image.dataobj, np.float32)
    return map_coordinates(data, ijk, order=1, mode="nearest", output=np.float32)


class _State(NamedTuple):
    """What a displacement and a movement make of both images."""

    first: np.ndarray
    second: np.ndarray
    residual: np.ndarray
    cost: float


class _Level:
    """Both images on voxels of one size."""

    def __init__(
        self,
        image: SpatialImage,
        partner: SpatialImage,
        axis: int,
        ratio: float,
        voxel_mm: float,
        smoothness: float,
        within: SpatialImage | None,
    ) -> None:
        self.axis, self.ratio, self.smoothness = axis, ratio, smoothness
        first, second = (_on_voxels(i, np.maximum(voxel_sizes(i), voxel_mm)) for i in (image, partner))
        self.grid, self.partner = first, second
        self.within = 1.0 if within is None else resample_to_edge(within, first).ravel().astype(float)
        self.step_mm = voxel_sizes(first)
        self.indices = np.indices(first.shape, dtype=float).reshape(3, -1)
        self.points = nb.affines.apply_affine(first.affine, self.indices.T)
        self.along = first.affine[:3, axis] / self.step_mm[axis]
        self.partner_along = ratio * second.affine[:3, axis] / voxel_sizes(second)[axis]
        # movement along the axis is left out: it and a constant displacement look the same
        self.across = np.linalg.svd(self.along[None])[2][1:]

        data = np.asarray(first.dataobj)
        self.first = [data, np.gradient(data, self.step_mm[axis], axis=axis)]
        data = np.asarray(second.dataobj)
        slopes = np.stack(np.gradient(data), axis=-1) @ np.linalg.inv(second.affine)[:3, :3]
        self.second = [data, *np.moveaxis(slopes, -1, 0).astype(np.float32)]

        differences = [
            _along(_forward(n) / h, k, first.shape)
            for k, (n, h) in enumerate(zip(first.shape, self.step_mm, strict=True))
        ]
        self.roughness = sum(d.T @ d for d in differences)
        self.stretch = differences[axis] * max(1.0, ratio)
        self.slope = _along(_central(first.shape[axis]) / self.step_mm[axis], axis, first.shape)

    def solve(self, start: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Displacement (mm, flat) and movement, from where they were on coarser voxels."""
        u = start.ravel().astype(float)
        steepest = np.abs(self.stretch @ u).max()
        u *= min(1.0, 0.99 * STEEPEST / max(steepest, 1e-12))
        self._shade(u, matrix)
        factor = 1.0
        state = self._state(u, matrix, factor)
        for _ in range(STEPS):
            change, turn, gain = self._step(u, matrix, factor, state)
            length = 1.0
            while length > 1e-3:
                new = u + length * change, _moved(matrix, length * turn, self.centre), factor + length * gain
                tried = self._state(*new)
                if tried.cost < state.cost:
                    break
                length /= 2
            else:
                break
            done = length * np.abs(change).max() < CONVERGED * self.step_mm[self.axis]
            (u, matrix, factor), state = new, tried
            if done:
                break
        return u, matrix

    def _where(self, u: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fractional indices, in both images, to which the signal of each point went, shape (3, n)."""
        where = self.indices.copy()
        where[self.axis] += u / self.step_mm[self.axis]
        moved = nb.affines.apply_affine(matrix, self.points) - u[:, None] * self.partner_along
        return where, nb.affines.apply_affine(np.linalg.inv(self.partner.affine), moved).T

    def _shade(self, u: np.ndarray, matrix: np.ndarray) -> None:
        """Weights that make differences relative to the local mean signal, and the head's centre."""
        where, there = self._where(u, matrix)
        pairs = ((self.first[0], where), (self.second[0], there))
        size = [np.abs(_at(data, points)).reshape(self.grid.shape) for data, points in pairs]
        scale = size[0].mean() / max(size[1].mean(), 1e-12)
        mean = gaussian_filter((size[0] + scale * size[1]) / 2, SHADING_SD_MM / self.step_mm).ravel()
        self.scale = scale
        seen = _inside(where, self.grid.shape) & _inside(there, self.partner.shape)
        self.weight = np.sqrt(self.within) * seen / (mean + NO_SIGNAL * mean.max())
        self.centre = np.average(self.points, axis=0, weights=mean)

    def _state(self, u: np.ndarray, matrix: np.ndarray, factor: float) -> _State:
        stretch = (self.stretch @ u) / STEEPEST
        if np.abs(stretch).max() >= 1:
            return _State(u, u, u, np.inf)
        slope = self.slope @ u
        where, there = self._where(u, matrix)
        first = _at(self.first[0], where) * (1 + slope) * self.weight
        second = _at(self.second[0], there) * (1 - self.ratio * slope) * self.weight * self.scale
        residual = first - factor * second
        cost = residual @ residual + self.smoothness * u @ (self.roughness @ u)
        cost += STIFFNESS * np.sum(stretch**4 / (1 - stretch**2))
        return _State(first, second, residual, float(cost))

    def _step(
        self, u: np.ndarray, matrix: np.ndarray, factor: float, state: _State
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Gauss-Newton step: of the displacement, the movement (two shifts, three angles), and the factor."""
        where, there = self._where(u, matrix)
        first, second = [_at(f, where) for f in self.first], [_at(f, there) for f in self.second]
        slope = self.slope @ u
        gain = self.weight * (1 + slope)
        partner_gain = self.weight * (1 - self.ratio * slope) * self.scale * factor
        world = np.stack(second[1:], axis=1) * partner_gain[:, None]
        by_value = first[1] * gain + world @ self.partner_along
        by_slope = first[0] * self.weight + self.ratio * second[0] * self.weight * self.scale * factor
        jacobian = sparse.diags(by_value) + sparse.diags(by_slope) @ self.slope

        arm = nb.affines.apply_affine(matrix, self.points) - self.centre
        columns = np.column_stack([world @ self.across.T, np.cross(arm, world), state.second])
        basis, triangle = np.linalg.qr(-columns)

        stretch = (self.stretch @ u) / STEEPEST
        flat = 1 - stretch**2
        # first and second derivative of x^4 / (1 - x^2), by the slope
        pull = STIFFNESS / STEEPEST * stretch**3 * (4 - 2 * stretch**2) / flat**2
        hold = STIFFNESS / STEEPEST**2 * stretch**2 * (12 - 6 * stretch**2 + 2 * stretch**4) / flat**3
        curvature = self.smoothness * self.roughness + self.stretch.T @ sparse.diags(hold / 2) @ self.stretch
        normal = (jacobian.T @ jacobian + curvature).tocsr()
        coupling = jacobian.T @ basis
        free = state.residual - basis @ (basis.T @ state.residual)
        target = -(jacobian.T @ free + self.smoothness * self.roughness @ u + self.stretch.T @ pull / 2)

        diagonal = normal.diagonal()
        size = len(u)
        change, _ = cg(
            LinearOperator((size, size), lambda x: normal @ x - coupling @ (coupling.T @ x), dtype=float),
            target,
            rtol=CG_TOLERANCE,
            maxiter=CG_STEPS,
            M=sparse.diags(1 / diagonal),
        )
        rest = np.linalg.solve(triangle, -basis.T @ (state.residual + jacobian @ change))
        turn = np.concatenate([rest[:2] @ self.across, rest[2:5]])
        return change, turn, float(rest[5])


def _on_voxels(image: SpatialImage, sizes: np.ndarray) -> SpatialImage:
    """Image on other voxels, smoothed as a level's images are."""
    data = np.asarray(image.dataobj, np.float32)
    smooth = gaussian_filter(data, SMOOTHING * sizes / voxel_sizes(image))
    return resample(make_image(smooth, image), resampled_grid(image, tuple(sizes)))


def _at(data: np.ndarray, where: np.ndarray) -> np.ndarray:
    return map_coordinates(data, where, order=1, mode="nearest", output=float)


def _inside(where: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Which fractional indices lie in voxels of an image."""
    return np.all((where > -0.5) & (where < np.array(shape)[:, None] - 0.5), axis=0)


def _moved(matrix: np.ndarray, turn: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Movement followed by a small one: a shift (mm) and a rotation (radians) about a centre."""
    further = np.eye(4)
    further[:3, :3] = Rotation.from_rotvec(turn[3:]).as_matrix()
    further[:3, 3] = centre + turn[:3] - further[:3, :3] @ centre
    return further @ matrix


def _forward(n: int) -> sparse.spmatrix:
    return sparse.diags([-1.0, 1.0], [0, 1], shape=(n - 1, n))


def _central(n: int) -> sparse.spmatrix:
    """As `numpy.gradient`: central differences, one-sided at the ends."""
    matrix = sparse.diags([-0.5, 0.5], [-1, 1], shape=(n, n)).tolil()
    matrix[0, :2] = matrix[-1, -2:] = [-1.0, 1.0]
    return matrix.tocsr()


def _along(matrix: sparse.spmatrix, axis: int, shape: Sequence[int]) -> sparse.csr_matrix:
    """Matrix that works along one axis of flattened arrays."""
    before, after = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    return sparse.kron(sparse.kron(sparse.identity(before), matrix), sparse.identity(after)).tocsr()
