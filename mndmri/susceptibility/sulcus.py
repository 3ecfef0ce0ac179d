"""Which gyrus a voxel belongs to: an atlas's word, corrected by the person's own sulci."""

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg
from skimage.segmentation import watershed

from mndmri.susceptibility.geometry import distance_mm

# An atlas is carried to a person with errors of some millimetres, and a gyrus is 10 mm wide: over this length the
# atlas is averaged, along white matter and not across a sulcus.
_REACH_MM = 9.0
# The white matter of which gyri are made. Under the floor of a sulcus the layer is so thin that little leaks through.
_LAYER_MM = 3.0
_MAX_THICKNESS_MM = 5.0  # cortex is 1 to 4.5 mm thick (Fischl and Dale 2000, PNAS 97:11050); farther out lies dura
_FLUID_MM = 2.0  # that a voxel of fluid counts as farther from white matter, so that labels meet in it
# Where the gyri's probabilities sum to less, another gyrus, which is not in the table, is more probable.
_MIN_TOTAL = 0.25
# White matter where one gyrus leads the next by this share of all is sure of it; from there gyri grow down to the
# floor of the sulcus. On a real head, with the atlas 2 mm off, 0.4 % of the posterior bank's deep voxels were
# postcentral ones, 5.3 % when every voxel took its likeliest gyrus.
_MIN_LEAD = 0.5
_HULL_MM = 8.0  # radius of the ball that closes the sulci; sulci are narrower than twice that
_TOLERANCE = 1e-4


def label_gyri(
    probability: np.ndarray, grey: np.ndarray, white: np.ndarray, csf: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """Gyrus of each voxel of cortex and of the white matter under it.

    Cortex hands the atlas's probabilities down to the nearest white matter. There they are averaged along the
    white matter, which sulci interrupt. Where that leaves no doubt, the likeliest gyrus is taken; from there the
    gyri grow from their crowns downwards and meet at the floor of the sulcus. Each label then rises through the
    cortex to meet the next gyrus's in the fluid or, where two banks touch, half-way between them.

    Parameters
    ----------
    probability : ndarray, shape (X, Y, Z, n)
        Of each gyrus by the atlas, 0 to 1.
    grey, white : ndarray of bool, shape (X, Y, Z)
        The person's tissue.
    csf : ndarray, shape (X, Y, Z)
        Probability of fluid, 0 to 1.
    sizes : ndarray, shape (3,)
        Voxel sizes, mm.

    Returns
    -------
    ndarray of int, shape (X, Y, Z)
        1 to n in the order of the gyri, n + 1 for any other, 0 outside the cortex.

    References
    ----------
    Random walks over an image with a prior: Grady 2005, CVPR 1:763.
    """
    to_white, nearest = ndimage.distance_transform_edt(~white, sampling=sizes, return_indices=True)
    layer = white & (distance_mm(~white, sizes) <= max(_LAYER_MM, sizes.max()))
    n_nodes = int(layer.sum())
    if n_nodes == 0:
        return np.zeros(white.shape, int)
    cortex = grey & (to_white <= _MAX_THICKNESS_MM)

    node = np.full(white.shape, -1)
    node[layer] = np.arange(n_nodes)
    classified = cortex | layer
    row_of = node[tuple(nearest[:, classified])]
    count = np.bincount(row_of, minlength=n_nodes)
    system = (sparse.diags(count.astype(float)) + _REACH_MM**2 * _laplacian(node, sizes)).tocsr()
    preconditioner = sparse.diags(1 / system.diagonal())
    averaged = np.stack(
        [
            cg(system, np.bincount(row_of, p[classified], n_nodes), rtol=_TOLERANCE, M=preconditioner)[0]
            for p in np.moveaxis(probability, -1, 0)
        ]
    )
    markers = np.zeros(white.shape, int)
    markers[layer] = _sure_gyri(averaged)
    grown = watershed(_depth_mm(grey | white, sizes), markers, mask=layer)
    return watershed(to_white + _FLUID_MM * csf, grown, mask=classified)


def _sure_gyri(averaged: np.ndarray) -> np.ndarray:
    """Likeliest gyrus by probabilities of shape (n, nodes), 1 to n, n + 1 for none of them; 0 where in doubt."""
    total = averaged.sum(axis=0)
    second, first = np.sort(averaged, axis=0)[-2:]
    sure = first - second >= _MIN_LEAD * total
    return np.where(total < _MIN_TOTAL, len(averaged) + 1, np.where(sure, averaged.argmax(axis=0) + 1, 0))


def _depth_mm(brain: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Depth below the surface that stretches over the sulci."""
    grown = distance_mm(brain, sizes) <= _HULL_MM
    hull = brain | (distance_mm(~grown, sizes) > _HULL_MM)
    return distance_mm(~hull, sizes)


def _laplacian(node: np.ndarray, sizes: np.ndarray) -> sparse.csr_matrix:
    """Negative second derivative, per mm2, over numbered voxels (others -1); nothing flows out of them."""
    n_nodes = int(node.max()) + 1
    ends, weights = [], []
    for axis, size in enumerate(sizes):
        here, there = (np.take(node, range(s, node.shape[axis] - 1 + s), axis=axis).ravel() for s in (0, 1))
        both = (here >= 0) & (there >= 0)
        ends.append(np.stack([here[both], there[both]]))
        weights.append(np.full(both.sum(), 1 / size**2))
    (rows, columns), weight = np.concatenate(ends, axis=1), np.concatenate(weights)
    flow = sparse.coo_matrix((weight, (rows, columns)), shape=(n_nodes, n_nodes)).tocsr()
    flow = flow + flow.T
    return sparse.diags(np.asarray(flow.sum(axis=1)).ravel()) - flow
