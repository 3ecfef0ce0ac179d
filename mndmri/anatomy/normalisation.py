"""A brain brought to a template by its tissue."""

from collections.abc import Sequence
from typing import NamedTuple

from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.tissue import brain_tissue
from mndmri.registration.pose import align_brains
from mndmri.registration.register import Engine, Warp, register_deformable
from mndmri.registration.transforms import compose


class Template(NamedTuple):
    """What people are registered to."""

    brain: SpatialImage
    """3D, 0 outside the brain."""
    tissue: SpatialImage
    """Share of each tissue, 0 to 1, shape (X, Y, Z, 3), in the order of `mndmri.anatomy.tissue.TISSUES`."""
    compared: SpatialImage | None = None
    """Where tissue drives the registration of people to it, 0 or 1: everywhere by default."""


def as_template(brain: SpatialImage) -> Template:
    """A brain with its tissue, estimated from its own intensities."""
    return Template(brain, brain_tissue(brain))


def register_brain(
    template: Template,
    person: Template,
    *,
    engine: Engine,
    iterations: Sequence[int],
    recorded: SpatialImage | None = None,
) -> Warp:
    """Registration of a participant's brain to a template, from any pose of the head.

    Parameters
    ----------
    template, person : Template
    engine, iterations, recorded
        As in `mndmri.registration.register.register_deformable`; recorded is of the person.
    """
    # fluid is what grey and white matter leave
    tissue = (template.tissue.slicer[..., :2], person.tissue.slicer[..., :2])
    return register_deformable(
        template.brain,
        person.brain,
        tissue=tissue,
        compared=template.compared,
        recorded=recorded,
        start=align_brains(template.brain, person.brain),
        engine=engine,
        iterations=iterations,
    )


def by_way_of(person: Warp, study: Warp, *, template: SpatialImage, brain: SpatialImage) -> Warp:
    """Registration of a person to the standard template by way of the study's.

    Parameters
    ----------
    person : Warp
        Of the person to the study's template.
    study : Warp
        Of the study's template to the standard one.
    template, brain : SpatialImage
        Grids of the standard template and of the person.
    """
    return Warp(
        moving_to_fixed=compose([study.moving_to_fixed, person.moving_to_fixed], template),
        fixed_to_moving=compose([person.fixed_to_moving, study.fixed_to_moving], brain),
    )
