"""A stand-in for the T1w image of a person of whom there is a diffusion series alone."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from skimage.filters import threshold_otsu

from mndmri.diffusion.alignment import check_table
from mndmri.diffusion.gradients import Gradients
from mndmri.diffusion.placement import tissue_share
from mndmri.diffusion.series import take_shell
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import bounding_box, make_image, voxel_sizes, voxel_volume_ml
from mndmri.intensity import StandIn, correct_bias
from mndmri.io import InputError
from mndmri.masks import close_mask
from mndmri.tables.measures import MEASURE_COLUMNS, row

# FA at which a voxel of tissue has no white matter, and from which on it has nothing else.
_GREY_FA, _WHITE_FA = 0.10, 0.35
# Brightness of grey matter and of fluid beside white matter, as on T1-weighted images.
_GREY, _FLUID = 0.7, 0.25
# The brain hangs together by more than its nerves and vessels; sulci and cisterns are closed (radii, mm).
_BRIDGE_MM, _SULCUS_MM = 4.0, 8.0
# Otsu's threshold lies between brain and background; grey matter in the shade of a coil lies somewhat below.
_BELOW_OTSU = 0.85
_LEAST_BRAIN_ML = 300.0
# Share of the brain's largest section that the outermost one along any axis may hold: up to 0.37 across the slices in
# four whole brains, 1.0 in a slab that ends at the internal capsule, 0.8 in a brain without its left third.
_MOST_AT_BORDER = 0.5


def make_stand_in(dwi: SpatialImage, gradients: Gradients, *, max_b: float) -> StandIn:
    """An image with the contrast of a T1w image, from FA and mean diffusivity.

    Parameters
    ----------
    dwi, gradients
        As for `mndmri.diffusion.preprocessing.preprocess`.
    max_b : float
        As for `series.take_shell`.

    Raises
    ------
    InputError
        If the table does not fit the series, or it does not hold a whole brain: a slab cannot be distinguished from a
        smaller brain, and was registered 26 mm off.

    Notes
    -----
    Tissue and fluid are told apart by mean diffusivity, grey and white matter by FA, which also places them in
    registrations of FA to a template (Smith et al. 2006, NeuroImage 31:1487).
    """
    check_table(dwi, gradients)
    mask = brain_of_series(dwi, gradients)
    _check_whole(dwi, mask)
    shell = take_shell(dwi, gradients, max_b=max_b)
    maps = fit_tensor(shell.dwi, shell.gradients, mask).maps
    tissue = tissue_share(maps["md"]).get_fdata(dtype=np.float32)
    white = tissue * np.clip((maps["fa"].get_fdata(dtype=np.float32) - _GREY_FA) / (_WHITE_FA - _GREY_FA), 0, 1)
    bright = white + _GREY * (tissue - white) + _FLUID * (1 - tissue)
    inside = np.asarray(mask.dataobj) > 0
    n_voxels = int(inside.sum())
    quality = pd.DataFrame(
        [row("dwi", "without_t1w", "brain", "both", 1.0, unit="1", n_voxels=n_voxels)], columns=MEASURE_COLUMNS
    )
    return StandIn(make_image(np.where(inside, bright, 0).astype(np.float32), dwi), mask, quality)


def brain_of_series(dwi: SpatialImage, gradients: Gradients) -> SpatialImage:
    """Mask of the brain by the mean of the weighted volumes, in which fluid, fat and bone are dark; uint8.

    Raises
    ------
    InputError
        If what is found is no brain by its size.
    """
    sizes = voxel_sizes(dwi)
    mean = np.clip(np.asarray(dwi.dataobj, np.float32)[..., ~gradients.is_b0].mean(axis=-1), 0, None)
    head = make_image(mean > threshold_otsu(mean) / 2, dwi)
    even = np.asarray(correct_bias(make_image(mean, dwi), head, iterations=(50, 50, 50)).dataobj)
    bright = even > _BELOW_OTSU * threshold_otsu(even)
    core, n = ndimage.label(ndimage.distance_transform_edt(bright, sizes) > _BRIDGE_MM)
    largest = core == 1 + np.argmax(np.bincount(core.ravel())[1:]) if n else np.zeros_like(bright)
    kept = bright & (ndimage.distance_transform_edt(~largest, sizes) <= _BRIDGE_MM + 0.5)
    volume = float(kept.sum()) * voxel_volume_ml(dwi)
    if volume < _LEAST_BRAIN_ML:
        raise InputError(
            f"the brain found in the diffusion series has {volume:.0f} ml, expected at least {_LEAST_BRAIN_ML:.0f}; "
            "add a T1w image, or leave the participant out"
        )
    return close_mask(make_image(kept, dwi), _SULCUS_MM)


def _check_whole(dwi: SpatialImage, mask: SpatialImage) -> None:
    """Raise `InputError` if the series ends within the brain, along any axis; padding with zeros is beyond its end."""
    recorded = (np.asarray(dwi.dataobj) != 0).any(axis=-1)
    inside = np.asarray(mask.dataobj)[bounding_box(make_image(recorded, dwi), margin=0)] > 0
    areas = [inside.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    share = max(max(area[0], area[-1]) / area.max() for area in areas)
    if share > _MOST_AT_BORDER:
        raise InputError(
            f"the diffusion series ends inside the brain: its outermost slice holds {100 * share:.0f}% of the brain's "
            f"largest section, at most {100 * _MOST_AT_BORDER:.0f}% are expected; a slab needs a T1w image"
        )
