"""Images and transforms as ANTs has them, and back; ANTs runs seeded and single-threaded.

Only then are two runs bit-identical. Of the library, this module alone imports ANTs; what is done with it is
had from `load_ants`. All others hold nibabel images and `mndmri.registration.transforms`.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image
from mndmri.registration.transforms import RAS_TO_LPS, Transform

if TYPE_CHECKING:
    from ants.core import ANTsImage

SEED = 1


# Imported by ANTs for plots, models and downloads that nobody here asks it for: 4/5 of the time that its import takes.
_NOT_NEEDED = (
    *("ants.plotting", "ants.learn", "ants.deeplearn", "scipy.stats", "requests"),
    *("statsmodels", "statsmodels.api", "statsmodels.formula", "statsmodels.formula.api"),
)


class _Empty(ModuleType):
    """A module of which any name can be imported, as None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__") or f"{self.__name__}.{name}" in sys.modules:  # the machinery of imports asks
            raise AttributeError(name)


@cache
def load_ants() -> ModuleType:
    """The package ANTs, made repeatable: its import takes a second, and most jobs need none of it."""
    with _without(_NOT_NEEDED):
        import ants

    ants.config.set_ants_deterministic(on=True, seed_value=SEED)
    return ants


@contextmanager
def _without(names: Iterable[str]) -> Iterator[None]:
    """Meanwhile these modules hold nothing where they are imported; those that are loaded already stay as they are."""
    empty = {name: _Empty(name) for name in names if name not in sys.modules}
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name, module in empty.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def to_ants(image: SpatialImage) -> "ANTsImage":
    """Image as ANTs has it, in single precision."""
    nifti = nb.Nifti1Image(np.asanyarray(image.dataobj).astype(np.float32), image.affine)
    nifti.header.set_xyzt_units("mm", "sec")
    return load_ants().from_nibabel_nifti(nifti)


def from_ants(image: "ANTsImage", like: SpatialImage) -> SpatialImage:
    """What ANTs made, on the grid of ``like``."""
    # ITK keeps directions in double precision but desheared: the grid it was given is the truth
    return make_image(image.numpy().astype(np.float32), like)


def read_affine(path: str) -> np.ndarray:
    """World matrix (RAS) of an ITK affine file, mapping output to input points."""
    transform = load_ants().read_transform(path)
    matrix = np.asarray(transform.parameters[:9]).reshape(3, 3)
    centre = np.asarray(transform.fixed_parameters)
    lps = np.eye(4)
    lps[:3, :3] = matrix
    lps[:3, 3] = np.asarray(transform.parameters[9:]) + centre - matrix @ centre
    return RAS_TO_LPS @ lps @ RAS_TO_LPS


def write_transform(transform: Transform, path: Path) -> str:
    """Write a transform where ANTs can read it and return the file's name."""
    if isinstance(transform, np.ndarray):
        lps = RAS_TO_LPS @ transform @ RAS_TO_LPS
        ants = load_ants()
        affine = ants.create_ants_transform(
            transform_type="AffineTransform",
            precision="double",
            dimension=3,
            matrix=lps[:3, :3],
            translation=lps[:3, 3],
        )
        name = str(path.with_suffix(".mat"))
        ants.write_transform(affine, name)
        return name
    name = str(path.with_suffix(".nii"))
    nb.save(transform, name)
    return name
