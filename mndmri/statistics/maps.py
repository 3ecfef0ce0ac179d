"""Preparation of the voxelwise comparison: the common mask, and head size as a covariate."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid, make_image
from mndmri.io import InputError

# Column of the total intracranial volume, ml, among the participants
HEAD_SIZE = "tiv"


def group_mask(maps: Iterable[SpatialImage], *, threshold: float) -> SpatialImage:
    """Where the mean of the maps is above a threshold; what is not finite is left out of the mean.

    Parameters
    ----------
    maps : iterable of SpatialImage
        On one grid.
    threshold : float
        In the maps' unit.

    Raises
    ------
    InputError
        If there is no map, or the grids differ.
    """
    total: Any = 0.0
    count: Any = 0
    first = None
    for image in maps:
        first = image if first is None else first
        check_same_grid(first, image)
        values = np.asarray(image.dataobj, np.float32)
        total, count = total + np.nan_to_num(values, posinf=0, neginf=0), count + np.isfinite(values)
    if first is None:
        raise InputError("no map to make the group's mask of; no participant has one")
    return make_image(total > threshold * np.maximum(count, 1), first)


def add_head_size(participants: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Participants with their total intracranial volume, ml, as the column ``tiv``; missing where it was not measured.

    Parameters
    ----------
    participants, measures : DataFrame
        As in `mndmri.statistics.compare_groups`.
    """
    place = {"modality": "t1w", "measure": "volume", "region": "tiv", "hemi": "both"}
    rows = measures[(measures[list(place)] == pd.Series(place)).all(axis=1)].set_index("participant_id")["value"]
    return participants.assign(**{HEAD_SIZE: rows.reindex(participants["participant_id"]).to_numpy(float)})
