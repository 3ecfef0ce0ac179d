"""Quantitative susceptibility mapping: from the field of a scan to ppm."""

from typing import Literal, NamedTuple, get_args

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.gradient_echo.dipole import dipole_field
from mndmri.grids import bounding_box, check_same_grid, make_image, uncrop, voxel_sizes
from mndmri.io import InputError
from mndmri.susceptibility.background import BoundaryValues, check_finite
from mndmri.susceptibility.chi_error import ErrorModel, model_error, unexplained_sd
from mndmri.susceptibility.inversion import invert_closed_form, invert_total_variation

Method = Literal["total_variation", "closed_form"]
# The background filter takes some of the local field with it; each further pass looks for it in what the map leaves
# unexplained, and suits the weight to that. The closed form gains little: what it gets wrong are shadows, which more
# passes do not mend.
PASSES = {"total_variation": 2, "closed_form": 1}
# Weight of the total variation for each ppm that the map leaves unexplained, mm; see `suited_weight`.
WEIGHT_MM = 0.08
# A field from which the filter takes less than it leaves had its background removed before. In fields of whole heads it
# took 10 to 30 times as much as it left.
_LEAST_BACKGROUND = 1.0
MIN_REFERENCE_VOXELS = 10
# An adult's pallidum lies about 0.12 ppm above white matter (Liu et al. 2015, NMR Biomed 28:1255). Voxels are not
# independent: of smoothed noise alone, 0.02 ppm, the means of small regions differ by several standard errors.
_MIN_IRON_PPM = 0.03
_STANDARD_ERRORS = 3


class Susceptibility(NamedTuple):
    """A susceptibility map and what it came from."""

    chi: SpatialImage
    """ppm, the mean of the reference 0, float32; 0 outside the mask."""
    local: SpatialImage
    """Field without background, ppm, float32."""
    mask: SpatialImage
    """The brain without the edge at which the local field is not known."""
    error: ErrorModel
    """What the field leaves unexplained, and the error of the map that follows."""
    note: str


def b0_axis_of(image: SpatialImage) -> np.ndarray:
    """Direction of the main field, world z, along the array's axes: unit length, shape (3,)."""
    axis: np.ndarray = image.affine[2, :3] / voxel_sizes(image)
    return axis / np.linalg.norm(axis)


def suited_weight(unexplained_ppm: float) -> float:
    """Weight of the total variation, ppm mm, for a field of which so much is unexplained (SD, ppm).

    Notes
    -----
    The discrepancy principle in the form of a scale: noise of twice the size calls for twice the weight, as the minimum
    is the same for field and map on another scale. What is unexplained, noise and all else that no susceptibility
    makes, is seen in what a map leaves of the field near the magic angle (`chi_error.unexplained_sd`), which hardly
    depends on the weight of that map: 5.2 to 5.4 ppb of 6 planted at factors of 0.08 to 0.12. How it compares with the
    L-curve and with cross-validation is in `docs/validation.md`.
    """
    return WEIGHT_MM * unexplained_ppm


def map_susceptibility(
    field: SpatialImage,
    mask: SpatialImage,
    *,
    b0_axis: np.ndarray | None = None,
    method: Method = "total_variation",
    reference: SpatialImage | str = "brain",
    noise: SpatialImage | None = None,
) -> Susceptibility:
    """Susceptibility map of a brain, and the error to be expected of it.

    Parameters
    ----------
    field : SpatialImage
        3D, ppm of the main field, unwrapped; positive where it is stronger. A field whose background was removed before
        is recognised, and nothing is removed from it again.
    mask : SpatialImage
        Where the field is known in the brain, same grid.
    b0_axis : ndarray, shape (3,), optional
        Direction of the main field along the array's axes; by default from the affine (`b0_axis_of`).
    method : {'total_variation', 'closed_form'}
        Iterative and edge-keeping, or one step.
    reference : SpatialImage or 'brain'
        Mask of the tissue whose mean is 0 ppm, such as fluid; the whole mask by default.
    noise : SpatialImage, optional
        SD of the field's thermal noise, ppm. A voxel counts by the inverse of the sum of its variance and of the
        variance that is unexplained beside it; one of 0 is unknown and does not count. The closed form has no weights.

    Returns
    -------
    Susceptibility

    Raises
    ------
    InputError
        If grids differ, the method is unknown, the field is not finite in the mask, the mask is too thin, or
        the reference has fewer than 10 voxels in it.
    """
    if method not in get_args(Method):
        raise InputError(f"unknown method '{method}' of dipole inversion; use one of {', '.join(get_args(Method))}")
    images = [image for image in (field, mask, noise) if image is not None]
    if not isinstance(reference, str):
        images.append(reference)
    elif reference != "brain":
        raise InputError(f"unknown reference '{reference}'; use 'brain' or a mask")
    check_same_grid(*images)
    if not np.any(mask.dataobj):
        raise InputError("the brain mask is empty; check the registration of the scan to the T1w")
    check_finite(field, mask)

    box = bounding_box(mask, margin=0)
    brain = mask.slicer[box]
    total = np.where(np.asarray(brain.dataobj) > 0, np.asarray(field.dataobj[box], np.float32), np.float32(0))
    thermal = None if noise is None else np.nan_to_num(np.asarray(noise.dataobj[box], np.float32))
    sizes, axis = voxel_sizes(field), b0_axis_of(field) if b0_axis is None else b0_axis
    boundary = BoundaryValues(brain)
    local = boundary.remove(total)
    had_none = _is_local(total, local, boundary.inside)
    kept = np.asarray(brain.dataobj) > 0 if had_none else boundary.inside
    inside = make_image(kept, brain)

    def demeaned(chi: SpatialImage) -> np.ndarray:
        values = np.asarray(chi.dataobj)
        return np.where(kept, values - values[kept].mean(), np.float32(0))

    local = total if had_none else local
    values = demeaned(invert_closed_form(make_image(local, brain), inside, b0_axis=axis))
    explained = dipole_field(values, sizes, axis)
    weight = 0.0
    if method == "total_variation":
        for number in range(PASSES[method]):
            if number > 0 and not had_none:
                local = np.where(kept, boundary.remove(total - explained) + explained, np.float32(0))
            left = np.where(kept, local - explained, np.float32(0))
            unexplained = unexplained_sd(left, kept, sizes, axis)
            trust = _trust(unexplained, thermal, kept)
            weight = suited_weight(unexplained_sd(trust * left, kept, sizes, axis))
            chi = invert_total_variation(
                make_image(local, brain),
                inside,
                b0_axis=axis,
                weights=make_image(trust, brain),
                regularisation=weight,
            )
            values = demeaned(chi)
            explained = dipole_field(values, sizes, axis)
    error = model_error(values, np.where(kept, local - explained, 0), kept, sizes, axis)

    if not isinstance(reference, str):
        zero = kept & (np.asarray(reference.slicer[box].dataobj) > 0.5)
        if zero.sum() < MIN_REFERENCE_VOXELS:
            raise InputError(
                f"the reference of the susceptibility has {zero.sum()} voxels in the mask, expected at least "
                f"{MIN_REFERENCE_VOXELS}; use the whole brain, or correct the mask"
            )
        values = np.where(kept, values - values[zero].mean(), 0)
    n = int(np.count_nonzero(mask.dataobj))
    lost = n - int(kept.sum())
    note = (
        ("the field's background was removed before; " if had_none else "")
        + f"{method.replace('_', ' ')}"
        + (f" of weight {weight:.1e} ppm mm" if weight else "")
        + f", {1e3 * error.unexplained_ppm:.1f} ppb of the field unexplained"
        + f"; relative to {'the whole brain' if isinstance(reference, str) else 'a mask'}"
        + f"; {lost} of {n} voxels ({lost / n:.1%}) lost at the edge"
    )

    def whole(part: np.ndarray) -> SpatialImage:
        """The field of view again, 0 outside the box."""
        return uncrop(make_image(part, brain), box, field)

    return Susceptibility(whole(values.astype(np.float32)), whole(local), whole(kept), error, note)


def _is_local(total: np.ndarray, local: np.ndarray, inside: np.ndarray) -> bool:
    """Whether a field has no background: the filter takes less from it than it leaves, as SD."""
    return bool((total - local)[inside].std() < _LEAST_BACKGROUND * local[inside].std())


def _trust(unexplained: float, thermal: np.ndarray | None, kept: np.ndarray) -> np.ndarray:
    """1 / SD of the field's error in each voxel, of mean square 1 over those kept and 0 elsewhere.

    Parameters
    ----------
    unexplained : float
        SD of the error over all voxels, ppm.
    thermal : ndarray, shape (X, Y, Z), optional
        SD of its thermal noise, ppm, 0 where it is unknown.
    kept : ndarray of bool, shape (X, Y, Z)
    """
    if thermal is None or not (thermal[kept] > 0).any():
        return kept.astype(np.float32)
    known = kept & (thermal > 0)
    # what thermal noise does not account for is the same everywhere
    beside = max(unexplained**2 - float(np.median(thermal[known])) ** 2, 0.0)
    trust = np.divide(1, np.sqrt(thermal**2 + beside), out=np.zeros_like(thermal), where=known)
    return trust / np.sqrt(np.mean(trust[kept] ** 2), dtype=np.float32)


def paramagnetic_sign(chi: SpatialImage, paramagnetic: SpatialImage, white_matter: SpatialImage) -> Literal[-1, 1]:
    """Sign by which a map is to be multiplied, so that paramagnetic tissue is positive.

    Scanners differ in the sign of their phase, and the map is linear in it.

    Parameters
    ----------
    chi : SpatialImage
        ppm, 0 where it is unknown.
    paramagnetic : SpatialImage
        Mask of tissue known to hold iron or deoxygenated blood: globus pallidus, or, in a slab above it, veins
        found on the magnitude (`veins.find_veins`).
    white_matter : SpatialImage
        Mask of white matter, same grid.

    Returns
    -------
    int
        1 if the map is right, -1 if the phase was inverted.

    Raises
    ------
    InputError
        If a mask holds too little of the map, or the two do not differ by 0.03 ppm and three standard errors.
    """
    check_same_grid(chi, paramagnetic, white_matter)
    values = np.asarray(chi.dataobj, float)
    iron, white = (values[(np.asarray(m.dataobj) > 0.5) & (values != 0)] for m in (paramagnetic, white_matter))
    if min(len(iron), len(white)) < 2:
        raise InputError(
            f"the sign of the susceptibility cannot be determined from {len(iron)} voxels of paramagnetic tissue and "
            f"{len(white)} of white matter; set swi.paramagnetic_sign in the config"
        )
    difference = iron.mean() - white.mean()
    error = np.sqrt(iron.var(ddof=1) / len(iron) + white.var(ddof=1) / len(white))
    if abs(difference) <= max(_STANDARD_ERRORS * error, _MIN_IRON_PPM):
        raise InputError(
            "the sign of the susceptibility cannot be determined: paramagnetic tissue differs from white matter by "
            f"{difference:.4f} ppm with a standard error of {error:.4f}; "
            "set swi.paramagnetic_sign in the config"
        )
    return 1 if difference > 0 else -1
