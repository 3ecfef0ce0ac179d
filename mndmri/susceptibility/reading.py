"""The motor strip, slice by slice, for reading: SWI, minimum-intensity projection, susceptibility, outlines."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from skimage.measure import find_contours

from mndmri.grids import check_same_grid, make_image, to_canonical, voxel_sizes
from mndmri.io import InputError
from mndmri.susceptibility.geometry import in_plane_mm

# mm of tissue in a minimum-intensity projection: veins and bands that run through slices come out as lines; of
# thicker ones, those of the neighbouring gyri too.
PROJECTION_MM = 8.0
# Outlined on each slice; the first is filled, for it drives the motor band score.
OUTLINED = ("precentral_posterior_deep", "precentral_posterior", "precentral_anterior", "postcentral_anterior")
_STRIP = ("precentral_posterior", "precentral_anterior", "postcentral_anterior")
_MARGIN_MM = (22.0, 22.0, 4.0)  # round the strip, so that its gyri are recognised
# of the voxels near the strip: what the window reaches from and to at first; of all: what can be windowed at all
_WINDOW = {"swi": (1.0, 90.0), "mip": (1.0, 90.0), "qsm": (2.0, 98.0)}
_RANGE = (0.1, 99.5)
_NEAR_MM = 8.0  # the edge of the brain, where masks take in what is dark, is farther away
_LEVELS = 255
_HALF = 0.5
_SHORTEST_OUTLINE = 8  # points; a shorter one is a speck of a mask


class Layer(NamedTuple):
    """An image of the strip, 8 bits a voxel."""

    slices: list[np.ndarray]
    """uint8, shape (rows, columns): row 0 is anterior, column 0 the participant's left."""
    range: tuple[float, float]
    """Values of the image at 0 and at 255."""
    window: tuple[float, float]
    """Values that are black and white at first: percentiles of this person's own voxels near the strip."""


class Reading(NamedTuple):
    """What is read of a person, from the lowest slice to the highest."""

    layers: dict[str, Layer]
    """Of ``swi``, ``mip`` and ``qsm`` those that there are."""
    outlines: list[dict[str, list[np.ndarray]]]
    """For each slice, lines round each of `OUTLINED`, shape (n, 2): column and row, in voxels from the corner."""
    pixel_mm: tuple[float, float]
    """Size of a column and of a row."""
    mni_z_mm: list[float]
    """Height of each slice in the template, at the middle of the strip."""
    first: int
    """Slice to show first: with most of the deep posterior bank."""
    projected_mm: float
    """Thickness of the minimum-intensity projection."""
    too_coarse: str
    """Why the band cannot be judged on these voxels; empty if it can."""


def read_strip(
    masks: SpatialImage,
    table: pd.DataFrame,
    mni_mm: SpatialImage,
    *,
    swi: SpatialImage | None = None,
    chi: SpatialImage | None = None,
    max_in_plane_mm: float = 1.5,
) -> Reading:
    """Axial slices of both motor strips.

    Parameters
    ----------
    masks, table
        From `regions.precentral_regions`.
    mni_mm : SpatialImage
        MNI coordinates x, y, z of every voxel, shape (X, Y, Z, 3), mm.
    swi : SpatialImage, optional
        Normalised, same grid. Voxels that are 0 or not finite lie outside the brain.
    chi : SpatialImage, optional
        Susceptibility, same grid.
    max_in_plane_mm : float
        Coarser voxels do not resolve the banks and depths of the cortex.

    Returns
    -------
    Reading

    Raises
    ------
    InputError
        If grids differ, a mask is missing, there is neither image, or the strip is empty.
    """
    images = {name: image for name, image in (("swi", swi), ("qsm", chi)) if image is not None}
    if not images:
        raise InputError("neither an SWI nor a susceptibility map to read; give one of them")
    check_same_grid(masks, mni_mm, *images.values())
    banks = _both_sides(masks, table)
    if not any(banks[name].any() for name in _STRIP):
        raise InputError("both motor strips lie outside the scan, so that there is nothing to read")
    sizes = voxel_sizes(to_canonical(masks))
    box = _box(np.logical_or.reduce([banks[name] for name in _STRIP]), sizes)
    banks = {name: inside[box] for name, inside in banks.items()}
    values = {name: _inside(to_canonical(image))[box] for name, image in images.items()}
    n_projected = max(round(PROJECTION_MM / sizes[2]), 1)
    if swi is not None:
        values["mip"] = _projected(values["swi"], n_projected)
    strip = np.logical_or.reduce([banks[name] for name in _STRIP])
    near = ndimage.maximum_filter(strip, [2 * round(_NEAR_MM / size) + 1 for size in sizes])
    up = to_canonical(make_image(mni_mm.dataobj[..., 2], mni_mm))
    heights = np.where(strip, np.asarray(up.dataobj)[box], np.nan)
    finest = in_plane_mm(next(iter(images.values())))
    return Reading(
        layers={name: _layer(values[name], near, _WINDOW[name]) for name in ("swi", "mip", "qsm") if name in values},
        outlines=[{name: _lines(inside[..., k]) for name, inside in banks.items()} for k in range(strip.shape[2])],
        pixel_mm=(float(sizes[0]), float(sizes[1])),
        mni_z_mm=_heights(heights),
        first=int(banks[OUTLINED[0]].sum(axis=(0, 1)).argmax()),
        projected_mm=float(n_projected * sizes[2]),
        too_coarse=(
            f"Voxels of {finest:.2g} mm in the plane of the slices do not resolve the depths of the cortex "
            f"(at most {max_in_plane_mm:g} mm): the motor band cannot be judged; rate n/a."
            if finest > max_in_plane_mm
            else ""
        ),
    )


def _both_sides(masks: SpatialImage, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Voxels of each of `OUTLINED`, of either side, RAS-stored.

    In the order of the volumes: going back in a compressed file means reading it again from its start.
    """
    banks: dict[str, np.ndarray] = {}
    wanted = table[table["region"].isin(OUTLINED)].sort_values("index")
    for n, region in wanted[["index", "region"]].itertuples(index=False):
        own = np.asarray(to_canonical(make_image(masks.dataobj[..., int(n)], masks)).dataobj) > _HALF
        banks[region] = banks[region] | own if region in banks else own
    lacking = [name for name in OUTLINED if name not in banks]
    if lacking:
        raise InputError(f"no mask for {', '.join(lacking)}; compute them with precentral_regions")
    return {name: banks[name] for name in OUTLINED}


def _box(inside: np.ndarray, sizes: np.ndarray) -> tuple[slice, ...]:
    """Indices of a box round the strip and its margin, as far as the image goes."""
    margins = np.ceil(np.array(_MARGIN_MM) / sizes).astype(int)
    ends = []
    for axis, margin in enumerate(margins):
        there = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
        ends.append(slice(max(int(there[0]) - margin, 0), min(int(there[-1]) + margin + 1, inside.shape[axis])))
    return tuple(ends)


def _inside(image: SpatialImage) -> np.ndarray:
    """Values of an image, NaN outside the brain."""
    data = np.asarray(image.dataobj, np.float32)
    return np.where(np.isfinite(data) & (data != 0), data, np.nan)


def _projected(data: np.ndarray, n_slices: int) -> np.ndarray:
    """Least value within ``n_slices`` slices about each, NaN where the slice itself has none."""
    least = ndimage.minimum_filter1d(np.where(np.isnan(data), np.inf, data), n_slices, axis=2, mode="nearest")
    return np.where(np.isnan(data), np.nan, least)


def _layer(data: np.ndarray, near: np.ndarray, window: tuple[float, float]) -> Layer:
    """Slices of an image as 8 bits, anterior above and the participant's left at the left."""
    known = data[np.isfinite(data)]
    close = data[np.isfinite(data) & near]
    low, high = (float(v) for v in np.percentile(known if known.size else np.zeros(1), _RANGE))
    black, white = (float(v) for v in np.percentile(close if close.size else np.array([low, high]), window))
    spread = high - low or 1.0
    scaled = np.clip((data - low) / spread, 0, 1) * _LEVELS
    coded = np.rint(np.where(np.isfinite(scaled), scaled, 0)).astype(np.uint8)
    slices = [np.ascontiguousarray(coded[:, ::-1, k].T) for k in range(coded.shape[2])]
    return Layer(slices, (low, low + spread), (black, white if white > black else black + spread))


def _lines(inside: np.ndarray) -> list[np.ndarray]:
    """Outlines of a mask of one slice, in columns and rows of its picture."""
    if not inside.any():
        return []
    picture = np.pad(inside[:, ::-1].T, 1).astype(np.float32)
    found = [line for line in find_contours(picture, _HALF) if len(line) > _SHORTEST_OUTLINE]
    # from the middle of a voxel to its corner is half a voxel, and the padding is one
    return [line[:, ::-1] - _HALF for line in found]


def _heights(heights: np.ndarray) -> list[float]:
    """Median height of each slice, carried on to slices beyond the strip."""
    known = [
        np.median(own[np.isfinite(own)]) if np.isfinite(own).any() else np.nan for own in np.moveaxis(heights, 2, 0)
    ]
    places, there = np.arange(len(known)), np.isfinite(known)
    step = (
        np.polyfit(places[there], np.array(known)[there], 1) if there.sum() > 1 else (0.0, known[int(there.argmax())])
    )
    return [float(v if ok else np.polyval(step, n)) for n, (v, ok) in enumerate(zip(known, there, strict=True))]
