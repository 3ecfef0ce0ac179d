"""Measures of image quality behind the grade of a T1-weighted scan, after CAT12."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy.ndimage import binary_erosion, uniform_filter

from mndmri.grids import to_canonical, voxel_sizes, voxel_volume_ml
from mndmri.robust import MAD_TO_SD
from mndmri.tables.measures import row

NO_SCAN = "no T1w image"
_MEASURES = {"resolution_rms": "mm", "noise_to_contrast": "1", "inhomogeneity_to_contrast": "1"}
_SURE = 0.95  # share of a tissue from which a voxel counts as that tissue
_MIN_VOXELS = 100
_BLOCK_MM = 3.0  # over so much the white matter is averaged, so that noise is no inhomogeneity
# Contrast beyond this counts less: it comes from a tissue map that follows the intensities, not from the scan.
_PLAUSIBLE_CONTRAST, _EXCESS = 13 / 36, 1.2
# Noise is multiplied by 5/4 (voxel volume)^0.4.
_OF_VOLUME, _EXPONENT = 1.25, 0.4


def measure_scan(scanned: SpatialImage | None, t1w: SpatialImage, tissue: dict[str, SpatialImage]) -> pd.DataFrame:
    """Resolution, noise and inhomogeneity of a T1-weighted scan.

    Parameters
    ----------
    scanned : SpatialImage, optional
        The image as scanned, 3D, any storage order; without one every value is missing.
    t1w : SpatialImage
        The same after bias-field correction, in RAS order.
    tissue : mapping
        Fractions of ``GM`` and ``WM`` on the grid of ``t1w``.

    Returns
    -------
    DataFrame
        ``resolution_rms``: root mean square of the voxel's edges, mm. ``noise_to_contrast``: standard deviation of the
        noise in white matter, from the differences of neighbouring voxels, over the contrast of white and grey
        matter, times 5/4 (voxel volume in mm3)^0.4, because noise of small voxels can be averaged.
        ``inhomogeneity_to_contrast``: standard deviation of white matter as scanned, averaged over 3 mm, over that
        contrast.

    Notes
    -----
    After Dahnke and Gaser's ``cat_vol_qa`` in earlier versions of CAT12: factors, contrast and block size are theirs;
    the noise is estimated from differences, and the background is taken as 0.
    """
    if scanned is None:
        return _rows({}, NO_SCAN, 0)
    values = np.asarray(t1w.dataobj, np.float32)
    sure = {name: np.asarray(tissue[name].dataobj) > _SURE for name in ("GM", "WM")}
    white = binary_erosion(sure["WM"])
    found = {"resolution_rms": float(np.sqrt(np.mean(np.square(voxel_sizes(scanned)))))}
    if white.sum() >= _MIN_VOXELS and sure["GM"].sum() >= _MIN_VOXELS:
        levels = {"WM": float(np.median(values[white])), "GM": float(np.median(values[sure["GM"]]))}
        signal = max(levels.values())
        contrast = abs(levels["WM"] - levels["GM"]) / signal
        contrast = signal * (contrast + _EXCESS * min(0.0, _PLAUSIBLE_CONTRAST - contrast))
        if contrast > 0:
            volume_mm3 = 1000 * voxel_volume_ml(scanned)
            found["noise_to_contrast"] = _OF_VOLUME * volume_mm3**_EXPONENT * _noise(values, white) / contrast
            raw = np.asarray(to_canonical(scanned).dataobj, np.float32)
            blocks = _blocks(raw, white, voxel_sizes(t1w)) * levels["WM"] / np.median(raw[white])
            found["inhomogeneity_to_contrast"] = float(blocks.std()) / contrast
    return _rows(found, f"fewer than {_MIN_VOXELS} voxels of white or grey matter, or no contrast", int(white.sum()))


def _rows(found: dict[str, float], otherwise: str, n_voxels: int) -> pd.DataFrame:
    """Every measure; of one that was not found, the reason."""
    return pd.DataFrame(
        [
            row("t1w", name, "brain", "both", found[name], unit=unit, n_voxels=n_voxels)
            if name in found
            else row("t1w", name, "brain", "both", np.nan, unit=unit, n_voxels=0, status=otherwise)
            for name, unit in _MEASURES.items()
        ]
    )


def _noise(values: np.ndarray, inside: np.ndarray) -> float:
    """Standard deviation of white noise, from the differences of neighbours within a mask."""
    steps = []
    for axis in range(3):
        pairs = np.diff(values, axis=axis)
        both = np.take(inside, range(1, inside.shape[axis]), axis) & np.take(
            inside, range(inside.shape[axis] - 1), axis
        )
        steps.append(np.abs(pairs[both]))
    return float(MAD_TO_SD * np.median(np.concatenate(steps)) / np.sqrt(2))


def _blocks(values: np.ndarray, inside: np.ndarray, zooms: np.ndarray) -> np.ndarray:
    """Means over blocks that are at least half inside a mask, each then averaged with its neighbours."""
    size = np.maximum(1, np.rint(_BLOCK_MM / zooms)).astype(int)
    counts = np.array(values.shape) // size
    whole = tuple(slice(0, n * width) for n, width in zip(counts, size, strict=True))
    shape = np.column_stack([counts, size]).ravel()
    share = inside[whole].reshape(shape).mean(axis=(1, 3, 5))
    total = np.where(inside, values, 0)[whole].reshape(shape).mean(axis=(1, 3, 5), dtype=float)
    kept = share >= 0.5
    means = np.where(kept, total / np.maximum(share, 0.5), 0)
    around = uniform_filter(kept.astype(float), 3)
    return (uniform_filter(means, 3) / np.where(kept, around, 1))[kept]
