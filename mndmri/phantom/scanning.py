"""A person of the cohort, put into one of the scanners."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mndmri.phantom.damage import lose_grey
from mndmri.phantom.deformation import Head, head_map, sample_head, scan_centre, scan_grid
from mndmri.phantom.head import TISSUES, Anatomy


class FieldOfView(NamedTuple):
    """What a scan covers, and what has to be known about it."""

    size_mm: tuple[float, float, float]
    middle_mm: tuple[float, float, float]
    """Its middle in the shared head."""
    regions: tuple[str, ...]
    """Which of the head's `REGIONS` the scan is made or judged with; ``precentral`` and ``depth`` among them."""


def place_person(
    anatomy: Anatomy, person: Mapping[str, Any], settings: Mapping[str, Any], scan: str, view: FieldOfView
) -> tuple[Head, np.ndarray]:
    """Head of a person, with what it has lost, on the grid of a scan.

    Parameters
    ----------
    anatomy : Anatomy
    person : mapping
        A row of the cohort's plan.
    settings : mapping
        The config's block ``simulation``, complete.
    scan : {"t1w", "dwi", "gre", "mtr", "flair", "cbf"}
    view : FieldOfView

    Returns
    -------
    head : Head
    centre : ndarray, shape (3,)
        Middle of the field of view, world coordinates, mm.
    """
    own = settings[scan]
    centre = scan_centre(person, settings, scan, view.middle_mm)
    grid = scan_grid(centre, view.size_mm, own["voxel_mm"], tilt_deg=own["tilt_deg"])
    names: Sequence[str] = (*TISSUES, *view.regions)
    return lose_grey(sample_head(anatomy, head_map(person, settings, scan), grid, names), person), centre
