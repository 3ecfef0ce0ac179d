"""Areas of the midbrain and the pons on the midsagittal plane of a T1-weighted head."""

from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from skimage.draw import polygon2mask

from mndmri.grids import longest_edge_mm, make_image, to_canonical, voxel_volume_ml
from mndmri.registration.transforms import sample_points
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

# In the template's midsagittal plane, y and z in mm: the superior and the inferior pontine notch, and the lower edge of
# the quadrigeminal plate. The pons lies between the line from the superior notch to the plate and its parallel through
# the inferior notch, the tegmentum of the midbrain above that line and in front of the aqueduct (Oba et al. 2005).
_SUPERIOR, _INFERIOR, _PLATE = (-22.0, -20.5), (-29.0, -48.5), (-37.0, -15.4)
# Elsewhere the corners lie in the fluid around, and the image decides where the tissue ends.
_CORNERS = {
    "midbrain": (
        *(_SUPERIOR, _PLATE, (-34.0, -11.0), (-30.0, -7.0), (-26.5, -3.5), (-22.0, -2.5), (-16.0, -4.0)),
        *((-13.5, -8.0), (-13.0, -14.0), (-14.0, -20.0), (-18.0, -21.0)),
    ),
    "pons": (
        *(_SUPERIOR, _PLATE, (-38.5, -15.5), (-38.5, -24.0), (-41.5, -34.0), (-44.0, -41.0), (-46.5, -42.5)),
        *(_INFERIOR, (-15.0, -53.3), (-6.0, -42.0), (-6.0, -26.0)),
    ),
}
# Surely tissue: its median is the signal of a pixel that is all tissue.
_CORE = ((-24.0, -24.0), (-34.0, -24.0), (-36.0, -36.0), (-32.0, -44.0), (-24.0, -42.0), (-17.0, -30.0))
_PIXEL_MM, _FIRST_MM, _LAST_MM = 0.5, np.array([-60.0, -62.0]), np.array([6.0, 12.0])
_SLAB_MM = np.arange(-1.0, 1.01, 0.5)  # the plane is a mean over so much from left to right
_FLUID_PERCENTILE = 2
# Between these shares of the way from fluid to tissue a pixel is partly tissue.
_PARTLY = (0.25, 0.75)
_MOST_FLUID = 0.75  # of the signal of tissue
_MAX_VOXEL_MM = 3.0


class Midsagittal(NamedTuple):
    """Midbrain and pons of a person on the midsagittal plane."""

    measures: pd.DataFrame
    """Columns `MEASURE_COLUMNS`: ``area`` (mm2) of ``midbrain`` and ``pons``, ``area_ratio``, of the two."""
    plane: SpatialImage
    """The image on the plane, shape (1, Y, Z), in the template's coordinates."""
    inside: SpatialImage
    """Share of each of its voxels that is counted as midbrain and as pons, shape (1, Y, Z, 2); 0 without a value."""


def measure_midsagittal(t1w: SpatialImage, recorded: SpatialImage, affine: np.ndarray) -> Midsagittal:
    """Areas of the midbrain's tegmentum and of the pons.

    Parameters
    ----------
    t1w : SpatialImage
        3D T1-weighted head.
    recorded : SpatialImage
        Where it has a signal, above 0, on its grid once that is RAS-stored.
    affine : ndarray, shape (4, 4)
        From template to its points about the brainstem, as from `mndmri.registration.brainstem.fit_affine`.

    Returns
    -------
    Midsagittal

    Notes
    -----
    The mean of planes over 2 mm about the middle. A pixel's share of tissue rises from a quarter to three quarters of
    the way from the signal of fluid to that of the pons; of each region the largest connected piece counts.
    """
    t1w = to_canonical(t1w)
    y, z = (np.arange(first, last, _PIXEL_MM) for first, last in zip(_FIRST_MM, _LAST_MM, strict=True))
    grid = np.stack(np.meshgrid(y, z, indexing="ij"), axis=-1)
    points = [apply_affine(affine, np.concatenate([np.full_like(grid[..., :1], x), grid], axis=-1)) for x in _SLAB_MM]
    plane = np.mean([sample_points(t1w, own) for own in points], axis=0)
    shown = sample_points(recorded, points[len(points) // 2]) > 0.5
    where = {name: _polygon(corners, plane.shape) for name, corners in _CORNERS.items()}
    core = _polygon(_CORE, plane.shape)
    tissue = float(np.median(plane[core]))
    seen = plane[where["pons"] & shown]
    fluid = float(np.percentile(seen, _FLUID_PERCENTILE)) if seen.size else 0.0
    share = np.clip(((plane - fluid) / max(tissue - fluid, 1e-9) - _PARTLY[0]) / (_PARTLY[1] - _PARTLY[0]), 0, 1)
    pixel_mm2 = _PIXEL_MM**2 * float(np.linalg.norm(np.cross(affine[:3, 1], affine[:3, 2])))
    inside = {name: _connected(np.where(own, share, 0)) for name, own in where.items()}
    longest = longest_edge_mm(t1w)
    status = OK
    if longest > _MAX_VOXEL_MM:
        status = f"voxels of {longest:.3g} mm do not resolve the notches; at most {_MAX_VOXEL_MM:g} mm needed"
    elif not all(shown[own].all() for own in where.values()):
        status = "the image does not show the midsagittal plane of the brainstem"
    elif not fluid < _MOST_FLUID * tissue:
        status = "no contrast between brainstem and fluid"
    areas = {name: float(own.sum()) * pixel_mm2 for name, own in inside.items()}
    slab_mm = np.ptp(_SLAB_MM) * float(np.linalg.norm(affine[:3, 0]))
    voxels = {name: round(slab_mm * area / 1000 / voxel_volume_ml(t1w)) for name, area in areas.items()}
    found = [("area", name, areas[name], "mm2", voxels[name]) for name in _CORNERS]
    found.append(("area_ratio", "midbrain", areas["midbrain"] / max(areas["pons"], 1e-9), "1", voxels["midbrain"]))
    rows = [
        row(
            *("t1w", measure, region, "both", value if status == OK else np.nan),
            unit=unit,
            n_voxels=n if status == OK else 0,
            status=status,
        )
        for measure, region, value, unit, n in found
    ]
    place = np.diag([np.ptp(_SLAB_MM), _PIXEL_MM, _PIXEL_MM, 1.0])
    place[1:3, 3] = _FIRST_MM
    drawn = nb.Nifti1Image(plane[None].astype(np.float32), place)
    counted = np.stack(list(inside.values()), axis=-1)[None] * (status == OK)
    return Midsagittal(
        pd.DataFrame(rows, columns=MEASURE_COLUMNS), drawn, make_image(counted.astype(np.float32), drawn)
    )


def _polygon(corners: tuple[tuple[float, float], ...], shape: tuple[int, ...]) -> np.ndarray:
    return polygon2mask(shape, (np.array(corners) - _FIRST_MM) / _PIXEL_MM)


def _connected(share: np.ndarray) -> np.ndarray:
    """The largest piece of tissue with its rim: vessels and bone in front of it are other pieces."""
    labels, n = ndimage.label(share > 0.5)
    if not n:
        return np.zeros_like(share)
    largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return np.where(ndimage.binary_dilation(largest, iterations=2), share, 0)
