"""Whether a scan has left and right where the T1w image of the same person has them."""

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image, resampled_grid, to_canonical, voxel_sizes, world_coordinates
from mndmri.registration.pose import centre_of_mass
from mndmri.registration.register import register_rigid
from mndmri.registration.transforms import average_over_voxels, map_points, sample_points
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

_GRID_MM = 2.0  # of finer images no more is looked at
_BINS = 32  # of as many voxels each
_FEWEST = 1000


def compare_sides(
    image: SpatialImage, brain: SpatialImage, mask: SpatialImage, to_image: np.ndarray, *, modality: str
) -> pd.DataFrame:
    """How well a scan would fit the T1w image with left and right exchanged, relative to how it fits as it is.

    A file of which the sides were exchanged looks like any other, as brains are nearly symmetric; it fits the T1w image
    of the same person better when it is mirrored.

    Parameters
    ----------
    image : SpatialImage
        3D, RAS-stored; 0 where it has no value.
    brain : SpatialImage
        T1w image, 0 outside the brain.
    mask : SpatialImage
        Brain, on its grid.
    to_image : ndarray, shape (4, 4)
        From points of the T1w image to those of the scan (RAS, mm).
    modality : str

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`, one row of the brain: ``mirror_fit``, the mutual information of the mirrored scan,
        registered anew, over that of the scan; above 1 the sides of the two images contradict each other.
    """
    grid = resampled_grid(brain, tuple(np.maximum(voxel_sizes(brain), _GRID_MM)))
    fixed, inside = average_over_voxels(brain, grid, []), average_over_voxels(mask, grid, []).get_fdata() > 0.5
    middle = apply_affine(to_image, centre_of_mass(mask))
    reflection = np.diag([-1.0, 1.0, 1.0, 1.0])
    reflection[0, 3] = 2 * middle[0]
    mirrored = to_canonical(nb.Nifti1Image(np.asarray(image.dataobj), reflection @ image.affine))
    again = register_rigid(fixed, mirrored, fixed_mask=make_image(inside.astype(np.uint8), grid), start=to_image)
    points, values = world_coordinates(grid)[inside], fixed.get_fdata()[inside]
    scanned, n_voxels = _mutual_information(values, sample_points(image, map_points(points, [to_image])))
    exchanged, _ = _mutual_information(values, sample_points(mirrored, map_points(points, [again])))
    lacking = f"{n_voxels} voxels of the scan are in the brain, {_FEWEST} are needed to compare its sides"
    value, status = (exchanged / scanned, OK) if scanned > 0 else (np.nan, lacking)
    found = row(modality, "mirror_fit", "brain", "both", value, unit="1", n_voxels=n_voxels, status=status)
    return pd.DataFrame([found], columns=MEASURE_COLUMNS)


def _mutual_information(first: np.ndarray, second: np.ndarray) -> tuple[float, int]:
    """Mutual information of two images' ranks (nats), and the number of voxels in which the second has a value."""
    shown = second != 0
    n_voxels = int(shown.sum())
    if n_voxels < _FEWEST:
        return 0.0, n_voxels
    bins = [
        np.searchsorted(np.quantile(own, np.linspace(0, 1, _BINS + 1)[1:-1]), own)
        for own in (first[shown], second[shown])
    ]
    joint = np.bincount(_BINS * bins[0] + bins[1], minlength=_BINS**2).reshape(_BINS, _BINS) / n_voxels
    apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / apart[there])).sum()), n_voxels
