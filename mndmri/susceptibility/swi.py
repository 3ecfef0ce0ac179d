"""Susceptibility-weighted images from magnitude and phase, and their normalisation."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri import grids
from mndmri.gradient_echo.phase import to_radians, undo_slice_alternation
from mndmri.grids import check_same_grid, make_image, to_canonical, voxel_sizes
from mndmri.intensity import correct_bias
from mndmri.io import InputError
from mndmri.tables.protocols import HOMODYNE_SWI, MAGNITUDE, VENDOR_SWI

# Haacke et al. 2004 keep the central 64 x 64 points of k-space; over a field of view of 230 mm
# their outermost frequency has this wavelength.
HIGH_PASS_MM = 7.2
BIAS_ITERATIONS = (50, 50, 50)
PHASE_MASK_POWER = 4  # Haacke et al. 2004: best contrast-to-noise ratio for veins


class Weighted(NamedTuple):
    """A susceptibility-weighted image and how it was made."""

    image: SpatialImage
    """The magnitude's units, float32."""
    kind: str
    """`mndmri.tables.protocols.VENDOR_SWI`, ``HOMODYNE_SWI`` or ``MAGNITUDE``."""
    note: str

    @property
    def by_phase(self) -> bool:
        """Whether the phase has a part in the image."""
        return self.kind != MAGNITUDE


def high_pass(
    magnitude: SpatialImage, phase: SpatialImage, *, cutoff_mm: float = HIGH_PASS_MM, slice_axis: int | None = None
) -> SpatialImage:
    """Phase without its smooth background, by homodyne filtering slice by slice.

    The complex image is divided by its low-pass filtered self, so that nothing needs unwrapping.

    Parameters
    ----------
    magnitude : SpatialImage
        3D.
    phase : SpatialImage
        3D, radians (see `phase.to_radians`), same grid.
    cutoff_mm : float
        Wavelength at which the in-plane Hanning window of the low-pass filter ends; it halves a
        wavelength of twice this.
    slice_axis : int, optional
        Axis, after bringing the image to RAS storage, along which nothing is filtered; by default that of
        the thickest voxels, inferior-superior if all are alike.

    Returns
    -------
    SpatialImage
        Radians, -pi to pi, float32, RAS-stored.

    References
    ----------
    Haacke et al. 2004, Magn Reson Med 52:612. Noll et al. 1991, IEEE Trans Med Imaging 10:154.
    """
    check_same_grid(magnitude, phase)
    if magnitude.ndim != 3 or phase.ndim != 3:
        raise InputError(f"expected one 3D echo, found shapes {magnitude.shape} and {phase.shape}; give echoes singly")
    magnitude, phase = to_canonical(magnitude), to_canonical(phase)
    sizes = voxel_sizes(magnitude)
    across = grids.slice_axis(magnitude) if slice_axis is None else slice_axis
    plane = tuple(axis for axis in range(3) if axis != across)
    signal = np.nan_to_num(magnitude.get_fdata()) * np.exp(1j * np.nan_to_num(phase.get_fdata()))

    window = np.ones((1, 1, 1))
    for axis in plane:
        frequency = np.abs(np.fft.fftfreq(signal.shape[axis], sizes[axis]))
        hanning = np.where(frequency < 1 / cutoff_mm, 0.5 + 0.5 * np.cos(np.pi * frequency * cutoff_mm), 0.0)
        window = window * np.expand_dims(hanning, tuple(a for a in range(3) if a != axis))
    smooth = np.fft.ifftn(np.fft.fftn(signal, axes=plane) * window, axes=plane)
    return make_image(np.angle(signal * np.conj(smooth)).astype(np.float32), magnitude)


def make_swi(
    magnitude: Sequence[SpatialImage],
    phase: Sequence[SpatialImage],
    *,
    paramagnetic_sign: Literal[-1, 1],
    cutoff_mm: float = HIGH_PASS_MM,
    power: int = PHASE_MASK_POWER,
    slice_axis: int | None = None,
) -> SpatialImage:
    """Susceptibility-weighted image: magnitude times a power of the phase mask, mean over echoes.

    The mask falls linearly from 1 at phase 0 to 0 at half a turn towards the paramagnetic side, and is
    1 on the other side.

    Parameters
    ----------
    magnitude, phase : sequence of SpatialImage
        One 3D image an echo, in the same order, on one grid; phase in radians.
    paramagnetic_sign : -1 or 1
        Sign of the phase of paramagnetic tissue, from `mapping.map_phase`.
    cutoff_mm, slice_axis
        As in `high_pass`.
    power : int
        Exponent of the phase mask.

    Returns
    -------
    SpatialImage
        The magnitude's arbitrary units, float32, RAS-stored; veins and iron are dark.

    Raises
    ------
    InputError
        If echoes do not pair up, grids differ, or the sign is neither -1 nor 1.

    References
    ----------
    Haacke et al. 2004, Magn Reson Med 52:612.
    """
    if len(magnitude) != len(phase) or not magnitude:
        raise InputError(f"{len(magnitude)} magnitude and {len(phase)} phase images; give one of each for every echo")
    if paramagnetic_sign not in (-1, 1):
        raise InputError(f"the sign of paramagnetic tissue's phase is {paramagnetic_sign}; expected -1 or 1")
    check_same_grid(*magnitude, *phase)
    echoes = []
    for mag, pha in zip(magnitude, phase, strict=True):
        filtered = high_pass(mag, pha, cutoff_mm=cutoff_mm, slice_axis=slice_axis).get_fdata()
        mask = np.clip(1 - paramagnetic_sign * filtered / np.pi, 0, 1)
        echoes.append(to_canonical(mag).get_fdata() * mask**power)
    return make_image(np.mean(echoes, axis=0).astype(np.float32), to_canonical(magnitude[0]))


def weigh_susceptibility(
    magnitude: Sequence[SpatialImage],
    phase: Sequence[SpatialImage],
    *,
    paramagnetic_sign: Literal[-1, 1] | None,
    units: str | None = None,
    vendor: SpatialImage | None = None,
) -> Weighted:
    """Susceptibility-weighted image of a scan: from magnitude and phase, or from magnitude alone.

    Parameters
    ----------
    magnitude : sequence of SpatialImage
        One 3D image an echo, RAS-stored.
    phase : sequence of SpatialImage
        As many, on any scale of `phase.CONVENTIONS`; or none.
    paramagnetic_sign : -1, 1 or None
        Sign of the phase of paramagnetic tissue (`mapping.Mapped`), None if it is unknown.
    units : str, optional
        Unit of the phase in its sidecar, as in `phase.to_radians`.
    vendor : SpatialImage, optional
        The scanner's own SWI, which is taken as it is.

    Returns
    -------
    Weighted
        Where there is no phase, or its sign is unknown, the mean magnitude, which is weighted by T2* only. A mask
        of the wrong sign would darken what it should not.

    Raises
    ------
    InputError
        If magnitudes and phases do not pair up, or the scale of the phase cannot be determined.
    """
    if vendor is not None:
        return Weighted(vendor, VENDOR_SWI, "the scanner's own SWI")
    if phase and paramagnetic_sign is not None:
        radians, _ = undo_slice_alternation(magnitude, [to_radians(p, units=units) for p in phase])
        swi = make_swi(magnitude, radians, paramagnetic_sign=paramagnetic_sign)
        sign = "higher" if paramagnetic_sign > 0 else "lower"
        return Weighted(swi, HOMODYNE_SWI, f"magnitude and phase; paramagnetic tissue has the {sign} phase")
    check_same_grid(*magnitude)
    mean = make_image(np.mean([m.get_fdata() for m in magnitude], axis=0).astype(np.float32), magnitude[0])
    why = "the sign of the phase is unknown" if phase else "the scan has no usable phase"
    return Weighted(mean, MAGNITUDE, f"magnitude alone: {why}")


def normalise(
    swi: SpatialImage,
    brain: SpatialImage,
    reference_wm: SpatialImage,
    *,
    bias_iterations: Sequence[int] = BIAS_ITERATIONS,
    bias_mesh_mm: float = 200.0,
    min_voxels: int = 100,
) -> SpatialImage:
    """SWI in units of the participant's own white matter (median 1), after bias-field correction.

    Parameters
    ----------
    swi : SpatialImage
        3D, arbitrary units: a vendor's SWI, or that of `make_swi`.
    brain : SpatialImage
        Brain mask, same grid.
    reference_wm : SpatialImage
        Mask of the reference white matter, same grid (`regions.precentral_regions`).
    bias_iterations, bias_mesh_mm
        Iterations at each level of N4, none for an image without bias field, and spacing of the first level's
        mesh. The default ends at 50 mm: in a real head, a bias field of 39 % between deep and outer white matter
        came down to 6 %, with a last mesh of 100 mm only to 33 %. The band is 20 times thinner; a mesh near
        its size would remove it as bias field.
    min_voxels : int
        Minimum number of voxels of white matter.

    Returns
    -------
    SpatialImage
        Unitless, float32, 0 outside the brain.

    Raises
    ------
    InputError
        If the reference has too few voxels with signal.
    """
    check_same_grid(swi, brain, reference_wm)
    inside = np.asarray(brain.dataobj) > 0.5
    data = np.where(np.isfinite(swi.get_fdata()), swi.get_fdata(), 0.0)
    reference = (np.asarray(reference_wm.dataobj) > 0.5) & inside & (data > 0)
    if reference.sum() < min_voxels:
        raise InputError(
            f"{reference.sum()} voxels of reference white matter with signal, expected at least {min_voxels}; "
            "check the registration of the SWI to the T1w and its field of view"
        )
    # N4 converges on intensities of order one, whatever the scanner's scale
    scaled = make_image((data / np.median(data[reference])).astype(np.float32), swi)
    signal = make_image(inside & (data > 0), swi)
    flat = correct_bias(scaled, signal, iterations=bias_iterations, mesh_mm=bias_mesh_mm) if bias_iterations else scaled
    even = np.where(inside, flat.get_fdata(), 0.0)
    even /= np.median(even[reference])
    return make_image(even.astype(np.float32), swi)
