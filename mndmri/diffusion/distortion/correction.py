"""The displacement of a series, by whichever way there is to know it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.distortion.encoding import PhaseEncoding, StoredEncoding
from mndmri.diffusion.distortion.field_map import align_field_map, displacement_from_field, read_field
from mndmri.diffusion.distortion.reverse import displacement_from_reverse
from mndmri.diffusion.distortion.t1w import displacement_from_t1w
from mndmri.diffusion.series import mean_b0
from mndmri.grids import stack, to_canonical

if TYPE_CHECKING:
    from mndmri.diffusion.tools.commands import Topup

# Code of each method in the quality table, whose values are numbers.
METHOD_CODES = {"none": 0, "reverse": 1, "fieldmap": 2, "t1w": 3, "fsl": 4, "before": 5}


class Reverse(NamedTuple):
    """A b = 0 image of opposite phase encoding."""

    b0: SpatialImage
    """3D, RAS-stored."""
    readout_s: float | None
    """Its total readout time, s."""
    by_fsl: bool = False
    """The pair is given to FSL's topup."""


class FieldMap(NamedTuple):
    """A map of the magnetic field's offset."""

    field_hz: SpatialImage
    """From `field_map.read_field`."""
    magnitude: SpatialImage
    """Of its gradient echoes, same grid."""


class Tissue(NamedTuple):
    """Where the T1w image has which tissue: shares of 0 to 1, 3D, one grid."""

    grey: SpatialImage
    white: SpatialImage
    csf: SpatialImage


Source = Reverse | FieldMap | Tissue


def opposite_series(
    image: SpatialImage, bvals: np.ndarray | None, encoding: StoredEncoding | None, *, method: str
) -> Reverse:
    """A series, or a single image, of opposite phase encoding as the source of distortion correction.

    Parameters
    ----------
    image : SpatialImage
        3D or 4D, of any storage order.
    bvals : ndarray, optional
        Its b-values; without, those as bright as the brightest are b = 0.
    encoding : StoredEncoding, optional
        Its own, as far as it is known.
    method : {'reverse', 'fsl'}
    """
    readout_s = None if encoding is None else encoding.readout_s
    return Reverse(mean_b0(to_canonical(image), bvals), readout_s, by_fsl=method == "fsl")


def field_map(
    images: Sequence[SpatialImage],
    magnitude: SpatialImage,
    *,
    kind: str,
    echo_times_s: Sequence[float] | None,
    units: str | None,
) -> FieldMap:
    """A field map as the source of distortion correction; parameters as in `field_map.read_field`, any storage."""
    magnitude = to_canonical(magnitude)
    images = [to_canonical(image) for image in images]
    return FieldMap(read_field(images, magnitude, kind=kind, echo_times_s=echo_times_s, units=units), magnitude)


class Found(NamedTuple):
    """A displacement and its quality measures."""

    displacement: SpatialImage | None
    """Voxels along the phase-encoding axis, as in `mndmri.diffusion.distortion`; None: nothing was corrected."""
    agreement_before: float = np.nan
    """Correlation of the b = 0 image with what it should look like undistorted: the reverse image, or the signal
    expected of the T1w image's tissues; missing where there is no such image."""
    agreement: float = np.nan
    """The same when corrected."""
    topup: "Topup | None" = None
    """Input for FSL's eddy, if FSL's topup estimated it."""


def find_displacement(
    b0: SpatialImage, mask: SpatialImage, to_dwi: np.ndarray, encoding: PhaseEncoding, source: Source
) -> Found:
    """Displacement of a b = 0 image, by what there is to know it by.

    Parameters
    ----------
    b0 : SpatialImage
        3D, RAS-stored, distorted.
    mask : SpatialImage
        Brain, on its grid.
    to_dwi : ndarray, shape (4, 4)
        From T1w to diffusion world points.
    encoding : PhaseEncoding
        Of ``b0``.
    source : Reverse, FieldMap or Tissue

    Raises
    ------
    InputError
        If what the method needs is not there, or does not fit the image.
    """
    match source:
        case Reverse(by_fsl=True):
            topup = _run_topup(b0, encoding, source)
            return Found(topup.displacement, topup=topup)
        case Reverse():
            times = encoding.readout_s, source.readout_s
            ratio = times[1] / times[0] if times[0] and times[1] else 1.0
            pair = displacement_from_reverse(b0, source.b0, encoding, readout_ratio=ratio, mask=mask)
            return Found(pair.displacement, pair.agreement_before, pair.agreement)
        case FieldMap():
            to_field = align_field_map(b0, source.magnitude, source.field_hz, encoding)
            return Found(displacement_from_field(source.field_hz, to_field, b0, encoding))
        case Tissue():
            tissue = stack([source.grey, source.white, source.csf])
            matched = displacement_from_t1w(b0, tissue, to_dwi, encoding)
            return Found(matched.displacement, matched.agreement_before, matched.agreement)


def _run_topup(b0: SpatialImage, encoding: PhaseEncoding, source: Reverse) -> "Topup":
    from mndmri.diffusion.tools import commands  # nipype takes seconds to import

    return commands.topup(
        b0,
        source.b0,
        axis=encoding.axis,
        polarity=encoding.polarity or 1,
        readouts_s=(encoding.readout_s, source.readout_s),
    )
