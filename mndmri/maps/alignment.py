"""A map in its place: its registration to the T1w image, and how far off it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.signal import N4_ITERATIONS, recorded
from mndmri.grids import make_image, resampled_grid, to_canonical, voxel_sizes, world_coordinates
from mndmri.intensity import correct_bias
from mndmri.registration.register import register_rigid
from mndmri.registration.transforms import (
    Transform,
    average_over_voxels,
    map_points,
    resample,
    resample_within,
    sample_points,
)
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

# How far the tissue is moved to find where the map fits it best, mm.
_REACH_MM, _STEP_MM = 8.0, 1.0
# Of finer images no more is looked at.
_GRID_MM = 2.0
_FEWEST, _LEAST_FIT = 1000, 0.05


def align_map(
    image: SpatialImage,
    mask: SpatialImage,
    *,
    quantity: str,
    brain: SpatialImage | None = None,
    registered: SpatialImage | None = None,
    to_map: np.ndarray | None = None,
    from_template: tuple[SpatialImage, SpatialImage] | None = None,
) -> tuple[SpatialImage, np.ndarray]:
    """A map as it is measured, and where it lies relative to the T1w image.

    Parameters
    ----------
    image : SpatialImage
        3D, of any storage order.
    mask : SpatialImage
        Brain, on the T1w image's grid.
    quantity : {'value', 'signal', 'relative'}
        A ``signal`` is corrected for its bias field, so gently that the contrast of the tract is preserved.
    brain : SpatialImage, optional
        T1w image, 0 outside the brain, to which the map is registered; without, it is aligned already.
    registered : SpatialImage, optional
        Image on the map's grid that is registered in the map's place.
    to_map : ndarray of shape (4, 4), optional
        From points of the T1w image to those of the map, where these are known; by default they are the same.
    from_template : tuple of SpatialImage, optional
        The T1w image's grid and its displacement field to the template, for a map in template space: it is brought to
        that grid.

    Returns
    -------
    image : SpatialImage
        On its own grid, RAS-stored.
    to_image : ndarray, shape (4, 4)
        From points of the T1w image to those of ``image`` (RAS, mm).
    """
    image = _with_zeros(to_canonical(image))
    if from_template is not None:
        grid, field = from_template
        image = _with_zeros(resample_within(image, recorded(image), grid, [field]))
    to_image = np.eye(4) if to_map is None else to_map
    if brain is not None:
        moving = image if registered is None else _with_zeros(to_canonical(registered))
        to_image = register_rigid(brain, moving, fixed_mask=mask)
    if quantity != "signal":
        return image, to_image
    in_brain = resample(mask, image, [np.linalg.inv(to_image)], interpolation="nearest")
    return correct_bias(image, in_brain, iterations=N4_ITERATIONS), to_image


def _with_zeros(image: SpatialImage) -> SpatialImage:
    """Image that is 0 without a value: a scanner writes 0 where it did not record, other programs also no number."""
    return make_image(np.nan_to_num(image.get_fdata(dtype=np.float32), posinf=0, neginf=0), image)


def alignment_offset(
    image: SpatialImage, tissue: Mapping[str, SpatialImage], to_image: np.ndarray, *, modality: str
) -> pd.DataFrame:
    """Distance of a map from where it fits the tissue of the T1w image best.

    Parameters
    ----------
    image : SpatialImage
        From `align_map`.
    tissue : mapping
        Probabilities of grey matter, white matter and fluid, 0 to 1, on the T1w image's grid; empty if the map is
        the T1w image itself, of which there is nothing to judge.
    to_image : ndarray, shape (4, 4)
        From `align_map`.
    modality : str
        Name of the map.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`, two rows of the brain: ``alignment_offset``, mm, and ``alignment_fit``, the share
        of the map's variance in the brain that is explained by the tissue, 0 to 1, with the map as it was aligned.

    Notes
    -----
    The map is regressed on the tissue, moved along each axis in steps of 1 mm up to 8 mm; the offset is the length of
    the vector of the three best shifts, which depends on no contrast. Of a map of which the tissue explains less than
    5% wherever it lies the offset is missing.
    """

    def unjudged(why: str) -> pd.DataFrame:
        return pd.DataFrame([_row(modality, name, np.nan, 0, why) for name in ("offset", "fit")])

    if not tissue:
        return unjudged("the T1w image itself")
    sizes = np.maximum(voxel_sizes(image), _GRID_MM)
    grid = resampled_grid(image, tuple(sizes))
    to_t1w: list[Transform] = [np.linalg.inv(to_image)]
    values = resample_within(image, recorded(image), grid).get_fdata()
    share = sum(average_over_voxels(part, grid, to_t1w).get_fdata() for part in tissue.values())
    inside = np.isfinite(values) & (np.asarray(share) > 0.5)
    if inside.sum() < _FEWEST:
        return unjudged(
            f"{inside.sum()} voxels of the map are in the brain, {_FEWEST} are needed to judge its alignment"
        )
    points = map_points(world_coordinates(grid)[inside], to_t1w)
    low, high = np.percentile(values[inside], [1, 99])
    if low == high:
        return unjudged(f"nearly all of the map is {low:.3g} in the brain, its alignment cannot be judged")
    seen = np.clip(values[inside], low, high)

    def fit(shift: np.ndarray) -> float:
        maps = [sample_points(part, points + shift) for part in tissue.values()]
        design = np.column_stack([np.ones(len(seen)), *maps])
        left = seen - design @ np.linalg.lstsq(design, seen, rcond=None)[0]
        return 1 - float(left.var() / seen.var())

    steps = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM / 2, _STEP_MM)
    n, fits = int(inside.sum()), np.array([[fit(axis * step) for step in steps] for axis in np.eye(3)])
    here = float(fits[0, len(steps) // 2])  # not moved
    if fits.max() < _LEAST_FIT:
        offset = _row(
            modality, "offset", np.nan, n, f"the tissue explains {fits.max():.0%} of the map wherever it lies"
        )
    else:
        offset = _row(modality, "offset", float(np.linalg.norm(steps[fits.argmax(axis=1)])), n)
    return pd.DataFrame([offset, _row(modality, "fit", here, n)], columns=MEASURE_COLUMNS)


def _row(modality: str, name: str, value: float, n_voxels: int, status: str = OK) -> dict[str, Any]:
    unit = {"offset": "mm", "fit": "1"}[name]
    return row(modality, f"alignment_{name}", "brain", "both", value, unit=unit, n_voxels=n_voxels, status=status)
