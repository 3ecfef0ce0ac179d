"""A scan's susceptibility map in ppm: from its phase, or a map that the user has."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.regions import select
from mndmri.gradient_echo.bipolar import undo_readout_alternation
from mndmri.gradient_echo.chimap import doubt_unit
from mndmri.gradient_echo.filtering import LEAST_SLOW_PPM, slow_field_ppm
from mndmri.gradient_echo.phase import check_magnitude, to_radians, undo_slice_alternation
from mndmri.grids import check_same_grid, make_image
from mndmri.io import InputError
from mndmri.masks import dilate
from mndmri.susceptibility.chi_error import ErrorModel
from mndmri.susceptibility.field import Unwrapper, estimate_field
from mndmri.susceptibility.preprocessing import CSF, IRON
from mndmri.susceptibility.qsm import Method, map_susceptibility, paramagnetic_sign
from mndmri.susceptibility.regions import REFERENCE
from mndmri.susceptibility.swi import normalise
from mndmri.susceptibility.veins import find_veins
from mndmri.tables.measures import row

# With fewer voxels of the pallidum the slab lies above it, and veins determine the sign.
_MIN_IRON_VOXELS = 30
# In simulated heads a planted band came out 14 to 17 ppb too low with a mask that ends at the grey matter, 4 to 7 with
# one that takes in the fluid.
_FLUID_MM = 2.0


class Mapped(NamedTuple):
    """Susceptibility of a scan."""

    chi: SpatialImage
    """ppm, float32, 0 outside ``mask``."""
    local: SpatialImage
    """Field of the tissue alone, ppm of the main field; 0 for a user's own map."""
    mask: SpatialImage
    """Where ``chi`` is known, uint8; empty if ``unknown`` says why it is not."""
    sign: Literal[-1, 1] | None
    """Of the phase of paramagnetic tissue; None if there is no phase, or it cannot be determined."""
    note: str
    unknown: str = ""
    """Why there is no map, if so."""
    error: ErrorModel | None = None
    """Of the map; None for a user's own, whose field is not known."""


def map_phase(
    magnitude: Sequence[SpatialImage],
    phase: Sequence[SpatialImage],
    brain: SpatialImage,
    masks: SpatialImage,
    names: pd.DataFrame,
    *,
    echo_times_s: Sequence[float],
    field_strength_T: float,
    units: str | None = None,
    method: Method = "total_variation",
    unwrapper: Unwrapper = "skimage",
    reference: Literal["brain", "csf"] = "brain",
    sign: Literal[-1, 1] | None = None,
) -> Mapped:
    """Susceptibility from the phase of one or more echoes.

    Parameters
    ----------
    magnitude, phase : sequence of SpatialImage
        One 3D image an echo, RAS-stored, on one grid; phase on any scale of `phase.CONVENTIONS`.
    brain, masks, names
        From `preprocessing.locate`.
    echo_times_s : sequence of float
        Seconds.
    field_strength_T : float
        Tesla.
    units : str, optional
        Unit of the phase in its sidecar (``Units``), compared with the values.
    method, reference
        As in `qsm.map_susceptibility`.
    unwrapper
        As in `field.estimate_field`.
    sign : -1 or 1, optional
        Sign of the phase of paramagnetic tissue; by default determined in the pallidum, or in veins where the scan does
        not reach it.

    Returns
    -------
    Mapped

    Raises
    ------
    InputError
        If the phase cannot be used.
    """
    check_same_grid(*magnitude, *phase, brain, masks)
    for echo in magnitude:
        check_magnitude(echo)
    radians, alternating = undo_slice_alternation(magnitude, [to_radians(p, units=units) for p in phase])
    radians, readout = undo_readout_alternation(magnitude, radians, echo_times_s=echo_times_s)
    slow = slow_field_ppm(
        magnitude[-1], radians[-1], brain, echo_time_s=echo_times_s[-1], field_strength_T=field_strength_T
    )
    field = estimate_field(
        magnitude,
        radians,
        # with the fluid over the gyri, so that what the filter of the background loses at the edge is no cortex
        dilate(brain, _FLUID_MM),
        echo_times_s=echo_times_s,
        field_strength_T=field_strength_T,
        unwrapper=unwrapper,
    )
    if not np.asarray(field.reliable.dataobj).any():
        raise InputError(
            "the phases of the echoes agree in no voxel of the brain; check that magnitude and phase are of one "
            "series, "
            "and the echo times in the sidecars"
        )
    zero = "brain" if reference == "brain" else select(masks, names, *CSF)
    mapped = map_susceptibility(field.ppm, field.reliable, method=method, reference=zero, noise=field.noise_ppm)
    chopped = ["phase that alternated from slice to slice was undone"] if alternating else []
    turned = ["a linear phase that alternated from echo to echo (bipolar readout) was undone"] if readout else []
    note = "; ".join([*chopped, *turned, field.note, mapped.note])
    if sign is None:
        try:
            sign = paramagnetic_sign(mapped.chi, *_paramagnetic(magnitude[-1], brain, masks, names))
        except InputError as reason:
            return _unmapped(brain, None, note, str(reason))
    if slow < LEAST_SLOW_PPM:
        why = (
            f"the scanner has high-pass filtered the phase (slow field left in the brain: {slow:.2g} ppm, in phase as "
            f"acquired above {LEAST_SLOW_PPM:g}), which takes away an unknown part of the susceptibility; the phase is "
            "used to weight the SWI alone"
        )
        return _unmapped(brain, sign, note, why)
    chi, local = (make_image(sign * part.get_fdata(dtype=np.float32), brain) for part in (mapped.chi, mapped.local))
    return Mapped(chi, local, mapped.mask, sign, note, error=mapped.error)


def _unmapped(brain: SpatialImage, sign: Literal[-1, 1] | None, note: str, why: str) -> Mapped:
    """A scan of which there is no map."""
    nothing = make_image(np.zeros(brain.shape, np.float32), brain)
    return Mapped(nothing, nothing, make_image(np.zeros(brain.shape, np.uint8), brain), sign, note, unknown=why)


def _paramagnetic(
    magnitude: SpatialImage, brain: SpatialImage, masks: SpatialImage, names: pd.DataFrame
) -> tuple[SpatialImage, SpatialImage]:
    """Masks of paramagnetic tissue, and of white matter to compare it with."""
    white = select(masks, names, *REFERENCE)
    iron = np.maximum(*(np.asarray(select(masks, names, IRON, hemi).dataobj) for hemi in "LR")) > 0
    if iron.sum() >= _MIN_IRON_VOXELS:
        return make_image(iron, brain), white
    return find_veins(normalise(magnitude, brain, white, bias_iterations=()), brain), white


def take_chimap(chi: SpatialImage, brain: SpatialImage, *, sign: Literal[-1, 1] | None = None) -> Mapped:
    """A user's own susceptibility map as `map_phase` would return it; its reference is left as it is.

    Parameters
    ----------
    chi : SpatialImage
        ppm, RAS-stored.
    brain : SpatialImage
        From `preprocessing.locate`.
    sign : -1 or 1, optional
        Sign of the phase of paramagnetic tissue, if there is a phase beside the map and the user knows it.

    Raises
    ------
    InputError
        If it lies on another grid, or its values are not in ppm.
    """
    check_same_grid(chi, brain)
    values = np.nan_to_num(chi.get_fdata(dtype=np.float32))
    known = (np.asarray(brain.dataobj) > 0) & (values != 0)
    if doubt := doubt_unit(values[known]):
        raise InputError(doubt)
    zero = make_image(np.zeros(values.shape, np.float32), brain)
    return Mapped(make_image(values * known, brain), zero, make_image(known, brain), sign, "the user's own map")


def chi_veins(chi: SpatialImage, mask: SpatialImage) -> SpatialImage:
    """Veins found on a susceptibility map, where there is no magnitude to find them on; see `veins.find_veins`."""
    # a vein of 0.3 ppm is as much darker than tissue as one on an SWI
    return find_veins(make_image(1 - chi.get_fdata(dtype=np.float32), chi), mask)


def mapping_quality(mapped: Mapped, brain: SpatialImage) -> pd.DataFrame:
    """Share of the brain in which the susceptibility is known, as a row of the quality table."""
    check_same_grid(mapped.mask, brain)
    inside = np.asarray(brain.dataobj) > 0
    n = int(inside.sum())
    share = float((np.asarray(mapped.mask.dataobj)[inside] > 0).mean()) if n else 0.0
    return pd.DataFrame([row("qsm", "mapped_fraction", "brain", "both", share, unit="1", n_voxels=n)])
