"""Small pictures of one step of one person, to look through those of a whole study."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from nibabel.affines import apply_affine
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import binary_erosion, map_coordinates

from mndmri.figures import encode_webp
from mndmri.figures.slices import (
    IN_PLANE,
    OUTLINE_COLOURS,
    OUTLINES_ON_COLOUR,
    cut,
    data_of,
    direction_colours,
    extent_of,
    hold,
    mask_on_slice,
    prepare,
    spread_slices,
    template_edges,
    window_of,
)
from mndmri.grids import voxel_sizes

_WIDTH = 450  # pixels of the four slices
_MARGIN_MM = 6.0
_GAP = 2  # pixels between slices
_QUALITY = 65  # of lossy WebP, 0 to 100


def contour_thumbnail(background: SpatialImage, contours: Mapping[str, SpatialImage]) -> np.ndarray:
    """Two axial slices, a coronal and a sagittal one, with the outlines of masks.

    Parameters
    ----------
    background : SpatialImage
        3D.
    contours : mapping
        Name to 3D mask or probability (outlined at 0.5), on any grid in the same world. The picture is cut out around
        them; the coronal and the sagittal slice are those in which the first is largest.

    Returns
    -------
    ndarray, shape (rows, columns, 3), uint8
        The left of axial and coronal slices is the participant's left.
    """
    background, contours = prepare(background), {name: hold(mask) for name, mask in contours.items()}
    values = data_of(background)
    crop = extent_of(background, list(contours.values()), _MARGIN_MM)
    low, high = window_of(values[tuple(slice(first, last + 1) for first, last in crop)])
    grey = np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1)
    return _row(background, grey, contours, OUTLINE_COLOURS, crop)


def template_thumbnail(image: SpatialImage, template: SpatialImage) -> np.ndarray:
    """As `contour_thumbnail`: an image in template space with the template's own edges.

    Parameters
    ----------
    image : SpatialImage
        3D, resampled to the template's space.
    template : SpatialImage
        3D brain without skull, 0 outside.
    """
    return contour_thumbnail(image, template_edges(template))


def colour_fa_thumbnail(fa: SpatialImage, directions: SpatialImage, contours: Mapping[str, SpatialImage]) -> np.ndarray:
    """As `contour_thumbnail`: colour-coded FA with outlines (`mndmri.figures.slices.colour_fa_sheet`)."""
    background, contours = prepare(fa), {name: hold(mask) for name, mask in contours.items()}
    brain = extent_of(background, [], _MARGIN_MM)
    return _row(background, direction_colours(fa, directions), contours, OUTLINES_ON_COLOUR, brain)


def to_webp(picture: np.ndarray) -> bytes:
    """Picture as the bytes of a WebP file."""
    return encode_webp(picture, quality=_QUALITY)


def _row(
    background: SpatialImage,
    shown: np.ndarray,
    contours: Mapping[str, SpatialImage],
    colours: Sequence[str],
    crop: np.ndarray,
) -> np.ndarray:
    """Slices side by side, on one scale."""
    masks = list(contours.values())
    values = [data_of(mask) for mask in masks]
    zooms = voxel_sizes(background)
    size_mm = (np.diff(crop, axis=1)[:, 0] + 1) * zooms
    mm_a_pixel = (3 * size_mm[0] + size_mm[1]) / _WIDTH
    axial = spread_slices(background, masks, 2)[2]
    places = [(2, index) for index in axial] + [
        (axis, _fullest(masks[0], values[0], background, axis)) for axis in (1, 0)
    ]
    slices = []
    for axis, index in places:
        points = _pixels(crop, zooms, axis, mm_a_pixel)
        picture = _sampled(cut(shown, axis, index), points)
        picture = np.repeat(picture[..., None], 3, axis=-1) if picture.ndim == 2 else picture
        for mask, own, colour in zip(masks, values, colours, strict=False):
            inside = _sampled(mask_on_slice(mask, own, background, axis, index), points) >= 0.5
            picture[inside & ~binary_erosion(inside, border_value=1)] = to_rgb(colour)
        slices.append(picture)
    tallest = max(len(picture) for picture in slices)
    padded = [np.pad(picture, ((tallest - len(picture), 0), (0, _GAP), (0, 0))) for picture in slices]
    return np.rint(255 * np.concatenate(padded, axis=1)[:, :-_GAP]).astype(np.uint8)


def _fullest(mask: SpatialImage, values: np.ndarray, background: SpatialImage, axis: int) -> int:
    """Slice of the background in which a mask is largest; the middle one if the mask is empty."""
    areas = (values >= 0.5).sum(axis=tuple({0, 1, 2} - {axis}))
    if not areas.any():
        return background.shape[axis] // 2
    there = (np.array(mask.shape) - 1) / 2
    there[axis] = areas.argmax()
    found = apply_affine(np.linalg.inv(background.affine) @ mask.affine, there)[axis]
    return int(np.clip(round(found), 0, background.shape[axis] - 1))


def _pixels(crop: np.ndarray, zooms: np.ndarray, axis: int, mm_a_pixel: float) -> np.ndarray:
    """Voxel coordinates of the pixels of a slice, shape (2, rows, columns), the top row first."""
    across, up = (np.arange(crop[own, 0], crop[own, 1] + 1e-6, mm_a_pixel / zooms[own]) for own in IN_PLANE[axis])
    return np.stack(np.meshgrid(across, up[::-1]))


def _sampled(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A slice, in grey or colour, at points."""
    if values.ndim == 2:
        return map_coordinates(values, points, order=1)
    return np.stack([map_coordinates(channel, points, order=1) for channel in np.moveaxis(values, -1, 0)], axis=-1)
