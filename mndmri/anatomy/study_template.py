"""A template of the study's own people: their mean shape, in the pose and size of the standard template."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.normalisation import Template, register_brain
from mndmri.anatomy.tissue import TISSUES
from mndmri.grids import make_image, world_coordinates
from mndmri.registration.pose import align_brains
from mndmri.registration.register import Engine, find_shown, register_affine
from mndmri.registration.transforms import Transform, compose, make_field, map_points, resample

# Fixed-point steps that turn a displacement round; what is left shrinks by its slope, below a half, with each.
_INVERSION_STEPS = 10
# Tissue that a person's brain is scaled by.
_WHITE = TISSUES.index("WM")
# Of one image: where less of all of them together shows a voxel, the template fades towards 0 and no trace is enlarged.
_LEAST_SHOWN = 0.5


class Registered(NamedTuple):
    """A participant's brain and its registration."""

    own: Template
    field: SpatialImage
    """Displacement from template points to the person's, affine part included."""
    recorded: SpatialImage | None = None
    """Where the person's image has a signal, 0 or 1, in its space; everywhere by default."""


def align_to_study(
    target: Template,
    person: Template,
    *,
    recorded: SpatialImage,
    affine: bool,
    engine: Engine,
    iterations: Sequence[int],
) -> SpatialImage:
    """Displacement field from points of the study's template of the previous round to a person's.

    Parameters
    ----------
    target, person : Template
    recorded : SpatialImage
        Where the person's image has a signal, 0 or 1, in its space: a brain that is cut is not drawn out.
    affine : bool
        Affine transform only, from the brains: for the first round, whose target is the standard template.
    engine, iterations
        As in `mndmri.registration.register.register_deformable`.
    """
    if affine:
        matrix = register_affine(target.brain, person.brain, start=align_brains(target.brain, person.brain))
        if (shown := find_shown(target.brain, recorded, matrix)) is not None:
            matrix = register_affine(target.brain, person.brain, start=matrix, fixed_mask=shown)
        return compose([matrix], target.brain)
    warp = register_brain(target, person, recorded=recorded, engine=engine, iterations=iterations)
    return warp.moving_to_fixed


def average_brains(people: Sequence[Callable[[], Registered]], target: SpatialImage) -> Template:
    """Mean of people registered to a target, in their mean shape instead of the target's.

    What the people's deformations have in common is the target's difference from them: it is taken out of
    each of them. Their affine parts stay out of it, so that pose and size remain the target's.

    Parameters
    ----------
    people : sequence of callables
        Each gives a person anew: one at a time is in memory.
    target : SpatialImage
        What they were registered to, 3D, 0 outside the brain; its grid is that of the result.

    Returns
    -------
    Template
        The brain scaled such that white matter is 1 in everyone; each voxel the mean of those whose images show it.

    References
    ----------
    Guimond et al. 2000, Comput Vis Image Underst 77:192; Avants et al. 2010, NeuroImage 49:2457.
    """
    back = _to_mean_shape((person().field for person in people), target)
    grid_shape = target.shape[:3]
    brain = np.zeros(grid_shape, np.float32)
    tissue = np.zeros((*grid_shape, len(TISSUES)), np.float32)
    n_shown = np.zeros(grid_shape, np.float32)
    for person in people:
        own, field, recorded = person()
        way: list[Transform] = [back, field]
        values = np.asarray(own.brain.dataobj, np.float32)
        white = np.asarray(own.tissue.dataobj[..., _WHITE], np.float32) > 0.9
        scaled = make_image(values / np.median(values[white]), own.brain)
        brain += resample(scaled, target, way).get_fdata(dtype=np.float32)
        tissue += resample(own.tissue, target, way).get_fdata(dtype=np.float32)
        n_shown += 1 if recorded is None else resample(recorded, target, way).get_fdata(dtype=np.float32)
    n_shown = np.maximum(n_shown, _LEAST_SHOWN)
    brain, tissue = brain / n_shown, tissue / n_shown[..., None]
    return Template(make_image(brain, target), make_image(tissue, target))


def _to_mean_shape(fields: Iterable[SpatialImage], target: SpatialImage) -> SpatialImage:
    """Displacement from points of the mean shape to the target's."""
    points = world_coordinates(target)
    inside = np.asarray(target.dataobj) > 0
    corners = np.column_stack([points[inside], np.ones(np.count_nonzero(inside))])
    shift, count = np.zeros(points.shape), 0
    for field in fields:
        there = map_points(points, [field])
        affine, *_ = np.linalg.lstsq(corners, there[inside], rcond=None)
        shift += (there - affine[3]) @ np.linalg.inv(affine[:3]) - points
        count += 1
    mean_shift = make_field(shift / count, target)
    turned = np.zeros(points.shape)
    for _ in range(_INVERSION_STEPS):
        turned = points - map_points(points + turned, [mean_shift]) + turned
    return make_field(turned, target)
