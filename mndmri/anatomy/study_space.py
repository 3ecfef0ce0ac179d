"""The space that a study is registered to: a template, its tissue and its regions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.normalisation import as_template, register_brain
from mndmri.anatomy.tissue import away_from_nuclei, brain_tissue, known_nuclei
from mndmri.atlas.lobes import load_lobes
from mndmri.atlas.own import NUCLEI, RegionMaps
from mndmri.atlas.regions import load_builtin, load_nuclei, load_template, stack_regions
from mndmri.grids import make_image, resampled_grid, same_grid
from mndmri.registration.register import Engine
from mndmri.registration.transforms import Interpolation, Transform, resample

_MOST = 0.5


class TemplateSpace(NamedTuple):
    """What people are registered to, and what is brought back to them."""

    brain: SpatialImage
    """T1-weighted template, 0 outside the brain."""
    coarse: SpatialImage
    """The same at the registration's resolution, as are the next two."""
    tissue: SpatialImage
    """As from `mndmri.anatomy.tissue.brain_tissue`."""
    compared: SpatialImage
    """Where tissue drives the registration, 0 or 1."""
    nuclei: SpatialImage
    """Deep grey matter, shape (X, Y, Z, n), 0 or 1, on the grid of ``brain``; all 0 where it is unknown."""
    lobes: SpatialImage
    """As from `mndmri.atlas.lobes.load_lobes`, on the grid of ``brain``; all 0 without the built-in atlas."""
    atlas: SpatialImage
    """Probability of each region, 0 to 1, on the grid of ``brain``."""
    table: pd.DataFrame
    """``index``, ``region``, ``hemi`` of its volumes."""


def prepare_space(
    template: SpatialImage | None = None,
    labels: RegionMaps | None = None,
    *,
    builtin: bool = True,
    registration_mm: float = 2.0,
    engine: Engine = "greedy",
    iterations: Sequence[int] = (100, 70, 40),
) -> TemplateSpace:
    """Template, tissue and regions of the built-in space, or of a user's own.

    Parameters
    ----------
    template : SpatialImage, optional
        A user's own brain template (`mndmri.atlas.own.take_template`); the built-in one by default.
    labels : RegionMaps, optional
        A user's own regions in its space (`mndmri.atlas.own.take_labels`); they replace the built-in ones.
    builtin : bool
        Whether regions that ``labels`` lacks come from the built-in atlases, brought to a user's template by
        registering the built-in template to it; without, they are empty, and no built-in atlas is read.
    registration_mm : float
        Resolution of the registration.
    engine, iterations
        As in `mndmri.registration.register.register_deformable`, for bringing the built-in atlas.
    """
    brain = load_template() if template is None else template
    coarse = resample(brain, resampled_grid(brain, registration_mm))
    to_builtin: list[Transform] = []
    if template is not None and builtin:
        known = load_template()
        source = as_template(resample(known, resampled_grid(known, registration_mm)))
        warp = register_brain(as_template(coarse), source, engine=engine, iterations=iterations)
        to_builtin = [warp.moving_to_fixed]

    maps = RegionMaps()
    if builtin:
        maps |= {key: _bring(own, brain, to_builtin) for key, own in load_builtin().items()}
    if labels is not None:
        maps |= {key: _bring(own, brain, []) for key, own in labels.items()}
    atlas, table = stack_regions(maps, brain)

    nuclei = _nuclei(brain, labels, _bring(load_nuclei(), brain, to_builtin) if builtin else None)
    near = resample(nuclei, coarse)
    return TemplateSpace(
        brain=brain,
        coarse=coarse,
        tissue=brain_tissue(coarse, nuclei=known_nuclei(near)),
        compared=away_from_nuclei(near),
        nuclei=nuclei,
        lobes=_bring(load_lobes(load_template()), brain, to_builtin, "nearest")
        if builtin
        else make_image(np.zeros(brain.shape, np.uint8), brain),
        atlas=atlas,
        table=table,
    )


def _bring(
    own: SpatialImage, grid: SpatialImage, to_source: list[Transform], interpolation: Interpolation = "linear"
) -> SpatialImage:
    """A map on the template's grid, as it is where it lies there already."""
    if same_grid(own, grid) and not to_source:
        return own
    return resample(own, grid, to_source, interpolation=interpolation)


def _nuclei(brain: SpatialImage, labels: RegionMaps | None, known: SpatialImage | None) -> SpatialImage:
    """Nuclei of both sides together, 0 or 1; a user's own go before the built-in ones."""
    volumes = []
    for n, name in enumerate(NUCLEI):
        own = [_bring(labels[name, h], brain, []).get_fdata() for h in "LR" if labels and (name, h) in labels]
        if own:
            volumes.append(np.max(own, axis=0) >= _MOST)
        elif known is not None:
            volumes.append(np.asarray(known.dataobj[..., n]) >= _MOST)
        else:
            volumes.append(np.zeros(brain.shape, bool))
    return make_image(np.stack(volumes, axis=-1).astype(np.float32), brain)
