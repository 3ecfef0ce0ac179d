"""The N4 algorithm (Tustison et al. 2010, IEEE Trans Med Imaging 29:1310) on voxels that lie in a grid.

A cubic B-spline over a grid is a product of one along each axis: its fit and its values are products of small
matrices. ANTs, whose results these are, treats each voxel as a point anywhere, and takes 20 to 50 times as long.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Those of ANTs.
_ORDER = 3
_BINS = 200
_WIENER_NOISE = 0.01
_FULL_WIDTH = 0.15
# Histograms are padded to the next power of two and once more.
_PADDED_BINS = 512


def log_bias_field(
    values: np.ndarray,
    inside: np.ndarray,
    voxel_mm: np.ndarray,
    *,
    shrink: int,
    iterations: Sequence[int],
    mesh_mm: float,
    tolerance: float = 1e-4,
) -> np.ndarray:
    """Logarithm of the smooth field by which an image is multiplied.

    Parameters
    ----------
    values : array, shape (X, Y, Z)
        Intensities.
    inside : array of bool, shape (X, Y, Z)
        Voxels the field is fitted to.
    voxel_mm : array, shape (3,)
    shrink : int
        Every n-th voxel along each axis is used.
    iterations : sequence of int
        At most, for each level of the mesh, whose spacing halves from one to the next.
    mesh_mm : float
        Spacing of the first level's mesh.
    tolerance : float
        A level ends once the field's change varies less than this within the mask, as a share of the field.

    Returns
    -------
    array of float32, shape (X, Y, Z)
        Also outside of the mask.
    """
    axes = [_Axis.of(n, size, shrink, mesh_mm) for n, size in zip(values.shape, voxel_mm, strict=True)]
    used = np.ix_(*(axis.used for axis in axes))
    there = inside[used] & np.isfinite(values[used])
    if there.sum() < 2:
        return np.zeros(values.shape, np.float32)
    points = values[used][there].astype(float)
    log_values = np.log(points, out=points, where=points > 0)  # what is not positive stays, as in ANTs

    lattice = np.zeros([axis.spans + _ORDER for axis in axes])
    field = np.zeros(len(log_values))
    for level, most in enumerate(iterations):
        if level:
            for place in range(3):
                lattice = _along(_refinement(lattice.shape[place]), lattice, place)
        mesh = _Mesh([_basis(axis.used_at * 2**level, axis.spans * 2**level) for axis in axes], there)
        for _ in range(most):
            even = log_values - field
            lattice = lattice + mesh.fit(even - _sharpen(even))
            before, field = field, mesh.values(lattice)
            change = np.exp(before - field)
            if change.std(ddof=1) <= tolerance * change.mean():
                break
    finest = 2 ** (len(iterations) - 1)
    whole = lattice
    for place, axis in enumerate(axes):
        whole = _along(_basis(axis.all_at * finest, axis.spans * finest).astype(np.float32), whole, place)
    return whole


class _Axis(NamedTuple):
    """The mesh along one axis: it is centred on the grid and reaches beyond it to a whole number of spans."""

    spans: int
    used: np.ndarray
    """Which voxels are used."""
    used_at: np.ndarray
    """Their places, in spans of the first level."""
    all_at: np.ndarray

    @classmethod
    def of(cls, n_voxels: int, voxel_mm: float, shrink: int, mesh_mm: float) -> "_Axis":
        """Mesh over so many voxels."""
        extent = (n_voxels - 1) * voxel_mm
        spans = max(int(np.ceil(extent / mesh_mm)), 1)
        padding = int((spans * mesh_mm - extent) / voxel_mm + 0.5)
        lower, padded = padding // 2, n_voxels + padding
        # which of each block of voxels is used is ITK's choice, as is the place on the mesh that it has
        n_blocks = padded // shrink
        first = -(lower // shrink) * shrink
        offset = max(int(np.floor((padded - 1 - shrink * (n_blocks - 1)) / 2 - lower - first + 0.5)), 0)
        place = first + offset + shrink * np.arange(n_blocks)
        within = (place >= 0) & (place < n_voxels)
        return cls(
            spans,
            place[within],
            np.flatnonzero(within) * (spans / (n_blocks - 1)),
            (np.arange(n_voxels) + lower) * (spans / (padded - 1)),
        )


class _Mesh:
    """Fit of one level's B-spline to values at voxels (Lee et al. 1997, IEEE Trans Vis Comput Graph 3:228).

    Parameters
    ----------
    bases : sequence of array, shape (n_voxels, n_nodes)
        Weight of each node at the voxels along each axis.
    inside : array of bool
        Voxels with values.
    """

    def __init__(self, bases: Sequence[np.ndarray], inside: np.ndarray) -> None:
        self._bases = bases
        self._inside = inside
        self._share = [basis**3 / (basis**2).sum(axis=1, keepdims=True) for basis in bases]
        self._weight = self._onto_nodes([basis**2 for basis in bases], inside)

    def fit(self, values: np.ndarray) -> np.ndarray:
        """Nodes of the spline nearest to the values, each from the voxels around it."""
        grid = np.zeros(self._inside.shape)
        grid[self._inside] = values
        nodes = self._onto_nodes(self._share, grid)
        return np.divide(nodes, self._weight, out=np.zeros_like(nodes), where=self._weight > 0)

    def values(self, nodes: np.ndarray) -> np.ndarray:
        """The spline at the voxels."""
        for place, basis in enumerate(self._bases):
            nodes = _along(basis, nodes, place)
        return nodes[self._inside]

    @staticmethod
    def _onto_nodes(weights: Sequence[np.ndarray], grid: np.ndarray) -> np.ndarray:
        for place, weight in enumerate(weights):
            grid = _along(weight.T, grid, place)
        return grid


def _along(matrix: np.ndarray, grid: np.ndarray, place: int) -> np.ndarray:
    """Product of a matrix and the grid along one of its axes."""
    return np.moveaxis(np.tensordot(matrix, grid, axes=(1, place)), 0, place)


def _basis(at: np.ndarray, spans: int) -> np.ndarray:
    """Weight of each node of a uniform cubic B-spline at places from 0 to the number of spans."""
    span = np.minimum(at.astype(int), spans - 1)
    t = at - span
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    basis = np.zeros((len(at), spans + _ORDER))
    for node, weight in enumerate(weights):
        basis[np.arange(len(at)), span + node] = weight
    return basis


def _refinement(n_nodes: int) -> np.ndarray:
    """Matrix to the nodes of the same spline on spans of half the length."""
    matrix = np.zeros((2 * n_nodes - _ORDER, n_nodes))
    for node, row in enumerate(matrix):
        weights = (1 / 8, 6 / 8, 1 / 8) if node % 2 else (1 / 2, 1 / 2)
        row[node // 2 : node // 2 + len(weights)] = weights
    return matrix


def _sharpen(values: np.ndarray) -> np.ndarray:
    """Values of the image of which the given one is blurred: by deconvolution of their histogram."""
    lowest = values.min()
    slope = np.ptp(values) / (_BINS - 1)
    if slope == 0:
        return values
    place = (values - lowest) / slope
    low = np.minimum(place.astype(int), _BINS - 2)
    part = place - low
    histogram = np.bincount(low, 1 - part, minlength=_BINS) + np.bincount(low + 1, part, minlength=_BINS)

    start = (_PADDED_BINS - _BINS) // 2
    padded = np.zeros(_PADDED_BINS)
    padded[start : start + _BINS] = histogram
    width = _FULL_WIDTH / slope
    bins = np.arange(_PADDED_BINS)
    distance = np.minimum(bins, _PADDED_BINS - bins)
    blur = np.fft.rfft(2 * np.sqrt(np.log(2) / np.pi) / width * np.exp(-4 * np.log(2) * (distance / width) ** 2)).real
    sharp = np.maximum(np.fft.irfft(np.fft.rfft(padded) * blur / (blur**2 + _WIENER_NOISE), _PADDED_BINS), 0)
    centres = lowest + (bins - start) * slope
    total, count = (np.fft.irfft(np.fft.rfft(weights) * blur, _PADDED_BINS) for weights in (sharp * centres, sharp))
    expected = np.divide(total, count, out=np.zeros(_PADDED_BINS), where=count != 0)[start : start + _BINS]
    return expected[low] + (expected[low + 1] - expected[low]) * part
