"""Displacement from a field map: two gradient echoes in an undistorted image of the head."""

from collections.abc import Sequence

import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from skimage.restoration import unwrap_phase

from mndmri.diffusion.distortion.encoding import PhaseEncoding, unwarp
from mndmri.diffusion.distortion.matching import resample_to_edge
from mndmri.gradient_echo.echoes import check_echo_times
from mndmri.gradient_echo.phase import to_radians
from mndmri.grids import check_same_grid, make_image, voxel_sizes
from mndmri.io import InputError
from mndmri.registration.register import register_rigid
from mndmri.robust import MAD_TO_SD

# Hz in one of a field's unit (BIDS, Units).
HZ_PER = {"Hz": 1.0, "rad/s": 1 / (2 * np.pi)}
# The head is where the magnitude, over this distance, is this share of its 98th percentile.
HEAD_SD_MM, HEAD_SHARE = 2.0, 0.12
# A voxel is believed if it differs from the median of the 5 x 5 x 5 round it by at most so many robust standard
# deviations; noise at the head's rim and what unwrapping left by a turn do not.
OUTLIER_SD, NEIGHBOURHOOD = 4.0, 5
# Gaussians by whose weighted means the field is smoothed and carried on outside the head: each where the
# finer ones hold less than this share of known voxels.
SMOOTHING_MM, KNOWN = (3.0, 6.0, 12.0, 24.0, 48.0), 0.3


# Of unwarping and registering.
PASSES = 2


def read_field(
    images: Sequence[SpatialImage],
    magnitude: SpatialImage,
    *,
    kind: str,
    echo_times_s: Sequence[float] | None,
    units: str | None,
) -> SpatialImage:
    """Offset of the magnetic field, Hz, from a field map of any kind.

    Parameters
    ----------
    images, magnitude : SpatialImage
        As for `field_from_phases` or `field_from_map`.
    kind, echo_times_s, units
        As from `mndmri.cohort.field_maps.field_map_metadata`.
    """
    if kind == "field":
        return field_from_map(images[0], magnitude, units=str(units))
    return field_from_phases(images, magnitude, echo_times_s=list(echo_times_s or ()))


def field_from_phases(
    phases: Sequence[SpatialImage], magnitude: SpatialImage, *, echo_times_s: Sequence[float]
) -> SpatialImage:
    """Offset of the magnetic field from two echoes' phases.

    Parameters
    ----------
    phases : sequence of SpatialImage
        The phase of each echo, or one image of their difference, 3D, on any scale of
        `mndmri.gradient_echo.phase.CONVENTIONS`.
    magnitude : SpatialImage
        Of either echo, same grid.
    echo_times_s : sequence of float
        Of the two echoes, in the order of ``phases``; a difference is the later minus the earlier.

    Returns
    -------
    SpatialImage
        Hz, float32; smoothly carried on outside the head.

    Raises
    ------
    InputError
        If there are not one or two phases and two echo times, grids differ, a phase is on no known scale, or the
        magnitude shows no head.

    Notes
    -----
    Unwrapped by scikit-image (Abdul-Rahman et al. 2005, Proc SPIE 5856:32). The field is known but for whole turns
    between the echoes: the one with the median of the head nearest to 0 is taken, as the scanner is tuned to the head.
    """
    if len(phases) not in (1, 2):
        raise InputError(f"{len(phases)} phase images; give the phase difference or the phases of two echoes")
    check_same_grid(magnitude, *phases)
    times = check_echo_times(echo_times_s, n_echoes=2)
    head = _head(magnitude)
    angles = [np.asarray(to_radians(phase).dataobj, np.float64) for phase in phases]
    if len(angles) == 1:
        wrapped, between = angles[0], abs(times[1] - times[0])
    else:
        wrapped, between = np.angle(np.exp(1j * (angles[1] - angles[0]))), times[1] - times[0]
    turns = unwrap_phase(np.ma.array(wrapped, mask=~head), rng=0).filled(0) / (2 * np.pi)
    turns -= np.rint(np.median(turns[head]))
    return _smooth_and_extend(make_image(turns / between, magnitude), magnitude, head)


def field_from_map(field: SpatialImage, magnitude: SpatialImage, *, units: str) -> SpatialImage:
    """Offset of the magnetic field from a field map that a scanner or a program has made.

    Parameters
    ----------
    field, magnitude : SpatialImage
        3D, one grid.
    units : {'Hz', 'rad/s'}
        Of ``field``.

    Returns
    -------
    SpatialImage
        As from `field_from_phases`.

    Raises
    ------
    InputError
        If the unit is unknown, grids differ, or the magnitude shows no head.
    """
    if units not in HZ_PER:
        raise InputError(f"the field map is in '{units}', expected {' or '.join(HZ_PER)}; correct Units in its sidecar")
    check_same_grid(field, magnitude)
    hz = np.nan_to_num(np.asarray(field.dataobj, np.float64)) * HZ_PER[units]
    return _smooth_and_extend(make_image(hz, magnitude), magnitude, _head(magnitude))


def align_field_map(
    b0: SpatialImage,
    magnitude: SpatialImage,
    field_hz: SpatialImage,
    encoding: PhaseEncoding,
    *,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Movement of the head from the diffusion scan to the field map.

    Parameters
    ----------
    b0 : SpatialImage
        3D, as scanned, with skull.
    magnitude, field_hz : SpatialImage
        Of the field map, 3D.
    encoding : PhaseEncoding
        Of ``b0``.
    start : ndarray, shape (4, 4), optional
        Where the search begins; by default the headers are believed.

    Returns
    -------
    ndarray, shape (4, 4)
        From world points of the undistorted head in the diffusion image to those in the field map.

    Raises
    ------
    InputError
        If polarity or readout time are unknown.

    Notes
    -----
    A distorted image is not registered as it is: in one 3 T scan of a still head that ended 2.2 mm off along the
    phase encoding. It is freed of the distortion that the alignment so far says, and registered again.
    """
    to_field = np.eye(4) if start is None else start
    for _ in range(PASSES):
        straight = unwarp(b0, displacement_from_field(field_hz, to_field, b0, encoding), encoding.axis)
        to_field = register_rigid(straight, magnitude, start=to_field, quick=True)
    return to_field


def displacement_from_field(
    field_hz: SpatialImage, to_field: np.ndarray, grid: SpatialImage, encoding: PhaseEncoding
) -> SpatialImage:
    """Displacement of a diffusion image, from the field and how the image was encoded.

    Parameters
    ----------
    field_hz : SpatialImage
        From `field_from_phases` or `field_from_map`.
    to_field : ndarray, shape (4, 4)
        From world points of the undistorted head in the diffusion image to those in the field map.
    grid : SpatialImage
        The diffusion image; its values are not used.
    encoding : PhaseEncoding

    Returns
    -------
    SpatialImage
        Voxels along the phase-encoding axis, float32: field times readout time times polarity.

    Raises
    ------
    InputError
        If polarity or readout time are unknown.
    """
    if encoding.polarity is None or encoding.readout_s is None:
        missing = [
            name
            for name, value in (
                ("PhaseEncodingDirection", encoding.polarity),
                ("TotalReadoutTime", encoding.readout_s),
            )
            if value is None
        ]
        raise InputError(
            f"a field map gives a displacement only with {' and '.join(missing)} of the diffusion series; write it in "
            "the sidecar, or correct distortion by another method"
        )
    there = resample_to_edge(field_hz, grid, to_field)
    return make_image(there * np.float32(encoding.readout_s * encoding.polarity), grid)


def _head(magnitude: SpatialImage) -> np.ndarray:
    """The largest piece of where there is signal."""
    data = np.nan_to_num(np.asarray(magnitude.dataobj, np.float32))
    smooth = ndimage.gaussian_filter(data, HEAD_SD_MM / voxel_sizes(magnitude))
    pieces, _ = ndimage.label((smooth > HEAD_SHARE * np.percentile(smooth, 98)) & (data > 0))
    sizes = np.bincount(pieces.ravel())[1:]
    if not sizes.size:
        raise InputError("the magnitude of the field map has no value above 0; convert it again")
    return ndimage.binary_fill_holes(pieces == 1 + sizes.argmax()) & (data > 0)


def _smooth_and_extend(field: SpatialImage, magnitude: SpatialImage, head: np.ndarray) -> SpatialImage:
    """Field without outliers, its noise smoothed, and outside the head what is next to it in the head."""
    hz = np.asarray(field.dataobj, np.float32)
    nearest = ndimage.distance_transform_edt(~head, return_distances=False, return_indices=True)
    off = np.abs(hz - ndimage.median_filter(hz[tuple(nearest)], NEIGHBOURHOOD))
    # where the field is steep everything is far from the median
    usual = np.maximum(ndimage.median_filter(off, NEIGHBOURHOOD), np.median(off[head]))
    believed = head & (off <= OUTLIER_SD * MAD_TO_SD * usual)
    # a phase's noise is as 1 / magnitude
    weight = np.where(believed, np.nan_to_num(np.asarray(magnitude.dataobj, np.float32)) ** 2, 0)
    weight /= np.median(weight[believed])
    weight = np.minimum(weight, 1)
    result = np.full(hz.shape, np.average(hz[believed], weights=weight[believed]), np.float32)
    for sd_mm in SMOOTHING_MM[::-1]:
        sd = sd_mm / voxel_sizes(field)
        known = ndimage.gaussian_filter(weight, sd)
        mean = ndimage.gaussian_filter(weight * hz, sd) / np.maximum(known, 1e-6)
        share = np.clip(known / KNOWN, 0, 1)
        result = share * mean + (1 - share) * result
    return make_image(result.astype(np.float32), field)
