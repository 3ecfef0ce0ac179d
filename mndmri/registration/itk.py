"""Images and transforms as ANTs has them, and back; ANTs runs seeded and single-threaded.

Only then are two runs bit-identical. Of the library, this module, `mndmri.registration.register` and
`mndmri.intensity` import ANTs; all others hold nibabel images and `mndmri.registration.transforms`.
"""

from pathlib import Path

import ants
import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image
from mndmri.registration.transforms import RAS_TO_LPS, Transform

SEED = 1
ants.config.set_ants_deterministic(on=True, seed_value=SEED)


def to_ants(image: SpatialImage) -> ants.core.ANTsImage:
    """Image as ANTs has it, in single precision."""
    nifti = nb.Nifti1Image(np.asanyarray(image.dataobj).astype(np.float32), image.affine)
    nifti.header.set_xyzt_units("mm", "sec")
    return ants.from_nibabel_nifti(nifti)


def from_ants(image: ants.core.ANTsImage, like: SpatialImage) -> SpatialImage:
    """What ANTs made, on the grid of ``like``."""
    # ITK keeps directions in double precision but desheared: the grid it was given is the truth
    return make_image(image.numpy().astype(np.float32), like)


def read_affine(path: str) -> np.ndarray:
    """World matrix (RAS) of an ITK affine file, mapping output to input points."""
    transform = ants.read_transform(path)
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
