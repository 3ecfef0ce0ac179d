"""How far chance decides how dark a motor band is: the sulcus drawn anew, piece by piece."""

from collections.abc import Sequence

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image, voxel_sizes

# Pieces in which neighbouring voxels keep together: larger than a patch of dark cortex, many to a body part.
PIECE_MM = 6.0
N_DRAWS = 200
SEED = 1


def pieces(like: SpatialImage, *, size_mm: float = PIECE_MM) -> SpatialImage:
    """Number of the cube that each voxel of a grid lies in, float64."""
    places = [
        (np.arange(n) * step // size_mm).astype(int) for n, step in zip(like.shape, voxel_sizes(like), strict=True)
    ]
    counts = [int(place.max()) + 1 for place in places]
    numbers = np.ravel_multi_index(np.ix_(*places), counts)
    return make_image(numbers.astype(float), like)


def drawn_quantiles(
    values: Sequence[np.ndarray], owners: Sequence[np.ndarray], quantiles: Sequence[float], *, n_draws: int = N_DRAWS
) -> np.ndarray:
    """Quantiles of several regions with their pieces drawn anew, the same for all regions.

    Parameters
    ----------
    values, owners : sequence of 1D arrays
        Values of each region, and which piece each lies in.
    quantiles : sequence of float
        Of each region, 0 to 1.

    Returns
    -------
    ndarray, shape (n_draws, regions)
        NaN where a region has no voxel in the pieces drawn.

    References
    ----------
    Künsch 1989, Ann Stat 17:1217, for drawing blocks of what is correlated.
    """
    names, numbers = np.unique(np.concatenate(owners), return_inverse=True)
    ends = np.cumsum([len(own) for own in owners])[:-1]
    rng = np.random.default_rng(SEED)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_draws)
    found = np.full((n_draws, len(values)), np.nan)
    for region, (own, number) in enumerate(zip(values, np.split(numbers, ends), strict=True)):
        order = np.argsort(own, kind="stable")
        weight = np.cumsum(counts[:, number[order]], axis=1)
        total = weight[:, -1:]
        at = (weight < quantiles[region] * total).sum(axis=1).clip(max=len(own) - 1)
        found[:, region] = np.where(total[:, 0] > 0, own[order][at], np.nan)
    return found
