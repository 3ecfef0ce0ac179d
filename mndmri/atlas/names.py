"""Anatomical names of template voxels: Harvard-Oxford for gyri and nuclei, Juelich for tracts and areas."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.regions import atlas_file, select
from mndmri.grids import make_image, world_coordinates
from mndmri.io import load_image
from mndmri.registration.transforms import resample

ATLASES = ("harvard_oxford", "juelich")
# percent; FSL's maximum-probability maps begin at 0, 25 and 50
_LEAST = 25
_SIDES = {"L": "Left", "R": "Right"}


class NamedRegions(NamedTuple):
    """An atlas with one region a voxel."""

    labels: SpatialImage  # int16, 0 where there is none
    names: dict[int, str]


def load_regions(atlas: str, grid: SpatialImage) -> NamedRegions:
    """Most probable region at every voxel of a template-space grid, where one has at least 25 percent.

    Parameters
    ----------
    atlas : {'harvard_oxford', 'juelich'}
    grid : SpatialImage
        Its values are not used.
    """
    names = pd.read_csv(atlas_file(f"atlases/labels_{atlas}.csv")).set_index("index")["name"]
    image = load_image(atlas_file(f"atlases/atlas_{atlas}.nii.gz"))
    probability = np.asanyarray(image.dataobj)
    # the nearest voxel of the atlas, one slab of the grid at a time: all of it with every region would fill 0.3 GB
    labels = np.zeros(grid.shape[:3], np.int16)
    to_atlas = np.linalg.inv(image.affine)
    for slab, points in zip(labels, world_coordinates(grid), strict=True):
        where = np.rint(nb.affines.apply_affine(to_atlas, points)).astype(int)
        inside = ((where >= 0) & (where < image.shape[:3])).all(axis=-1)
        found = probability[tuple(where[inside].T)]
        slab[inside] = np.where(found.max(axis=-1) >= _LEAST, found.argmax(axis=-1) + 1, 0)
    return NamedRegions(make_image(labels, grid), {int(n) + 1: _readable(name) for n, name in names.items()})


class BuiltinRegions(Mapping[str, NamedRegions]):
    """The built-in atlases on a grid, each read when it is asked for: that takes seconds, and not all maps need it.

    Parameters
    ----------
    grid : SpatialImage
        As in `load_regions`.
    """

    def __init__(self, grid: SpatialImage) -> None:
        self._grid = grid
        self._read: dict[str, NamedRegions] = {}

    def __getitem__(self, atlas: str) -> NamedRegions:
        if atlas not in ATLASES:
            raise KeyError(atlas)
        if atlas not in self._read:
            self._read[atlas] = load_regions(atlas, self._grid)
        return self._read[atlas]

    def __iter__(self) -> Iterator[str]:
        return iter(ATLASES)

    def __len__(self) -> int:
        return len(ATLASES)


def name_regions(atlas: SpatialImage, table: pd.DataFrame, grid: SpatialImage) -> NamedRegions:
    """Most probable region of a study's own atlas at every voxel of a grid, where one has at least 25 percent.

    Parameters
    ----------
    atlas : SpatialImage
        Probabilities, 0 to 1, shape (X, Y, Z, n).
    table : DataFrame
        ``index``, ``region``, ``hemi`` of its volumes. The levels of the tract go before the whole tract, which has
        the same probability.
    grid : SpatialImage
        In the space of the atlas; its values are not used.
    """
    order = table[table["region"] != "cst"]
    most, labels = np.full(grid.shape[:3], _LEAST / 100, np.float32), np.zeros(grid.shape[:3], np.int16)
    names = {}
    for n, row in enumerate(order.itertuples(index=False), start=1):
        own = resample(select(atlas, table, row.region, row.hemi), grid, interpolation="nearest").get_fdata()
        likelier = (own > most) | ((own == most) & (labels == 0))
        most[likelier], labels[likelier] = own[likelier], n
        side = {"L": "Left ", "R": "Right "}.get(row.hemi, "")
        names[n] = side + str(row.region).replace("_", " ")
    return NamedRegions(make_image(labels, grid), names)


def _readable(name: str) -> str:
    """``Left_Precentral_Gyrus`` and ``GM_Premotor_cortex_BA6_L`` with the side first and words apart."""
    words = name.removeprefix("GM_").removeprefix("WM_").split("_")
    if words[-1] in _SIDES:
        words = [_SIDES[words[-1]], *words[:-1]]
    return " ".join(words)


def name_share(regions: NamedRegions, inside: np.ndarray, *, least: float = 0.05) -> str:
    """Regions that a set of voxels lies in, with the share of the voxels: ``Left Precentral Gyrus 60%; ...``.

    Parameters
    ----------
    regions : NamedRegions
    inside : array of bool
        On the grid of the regions.
    least : float
        Smallest share named, 0 to 1.
    """
    counts = np.bincount(np.asarray(regions.labels.dataobj)[inside], minlength=1)
    shares = {n: count / max(counts.sum(), 1) for n, count in enumerate(counts) if n}
    largest = sorted((n for n, share in shares.items() if share >= least), key=lambda n: -shares[n])
    return "; ".join(f"{regions.names[n]} {shares[n]:.0%}" for n in largest)


def name_at(regions: NamedRegions, voxel: np.ndarray) -> str:
    """Region at a voxel, indices of shape (3,); empty if there is none."""
    return regions.names.get(int(np.asarray(regions.labels.dataobj)[tuple(voxel)]), "")
