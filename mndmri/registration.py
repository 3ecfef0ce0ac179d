"""Registration, bias correction, tissue classes and Jacobians: the one module that imports ANTs.

Every function takes and returns nibabel images, plain arrays, and transforms as `mndmri.transforms`
defines them. ANTs runs single-threaded and seeded, because only then are two runs bit-identical.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import ants
import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import bounding_box, check_same_grid, make_image, voxel_sizes
from mndmri.transforms import Transform, compose

SEED = 1
_COARSEST_MM = 8.0
ants.config.set_ants_deterministic(on=True, seed_value=SEED)

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # ITK's world has x and y the other way round


class Warp(NamedTuple):
    """Both directions of a registration, as displacement fields."""

    moving_to_fixed: SpatialImage
    """Resamples images of the moving space onto the fixed grid (points go fixed to moving)."""
    fixed_to_moving: SpatialImage
    """Resamples images of the fixed space onto the moving grid (points go moving to fixed)."""


def _to_ants(image: SpatialImage) -> ants.core.ANTsImage:
    nifti = nb.Nifti1Image(np.asanyarray(image.dataobj).astype(np.float32), image.affine)
    nifti.header.set_xyzt_units("mm", "sec")
    return ants.from_nibabel_nifti(nifti)


def _from_ants(image: ants.core.ANTsImage, like: SpatialImage) -> SpatialImage:
    # ITK keeps directions in double precision but desheared: the grid it was given is the truth
    return make_image(image.numpy().astype(np.float32), like)


def _read_affine(path: str) -> np.ndarray:
    """World matrix (RAS) of an ITK affine file, mapping output to input points."""
    transform = ants.read_transform(path)
    matrix = np.asarray(transform.parameters[:9]).reshape(3, 3)
    centre = np.asarray(transform.fixed_parameters)
    lps = np.eye(4)
    lps[:3, :3] = matrix
    lps[:3, 3] = np.asarray(transform.parameters[9:]) + centre - matrix @ centre
    return _LPS @ lps @ _LPS


def _write_transform(transform: Transform, path: Path) -> str:
    """Write a transform where ANTs can read it and return the file's name."""
    if isinstance(transform, np.ndarray):
        lps = _LPS @ transform @ _LPS
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


def _read_field(path: str) -> SpatialImage:
    """Displacement field in memory, so that the file may go."""
    image = nb.Nifti1Image.from_filename(path)
    image.header.set_data_dtype(np.float32)
    return nb.Nifti1Image(np.asarray(image.dataobj, np.float32), image.affine, image.header)


def _registration(fixed: SpatialImage, moving: SpatialImage, folder: str, start: np.ndarray | None, **options) -> dict:
    """Run `ants.registration`, started from the headers or from a given matrix."""
    # without a start ANTs aligns centres of mass, which fails where fields of view differ
    initial = _write_transform(np.eye(4) if start is None else start, Path(folder) / "start")
    return ants.registration(
        _to_ants(fixed),
        _to_ants(moving),
        initial_transform=[initial],
        outprefix=f"{folder}/out-",
        singleprecision=False,
        **{name: _to_ants(value) if isinstance(value, SpatialImage) else value for name, value in options.items()},
    )


def register_rigid(
    fixed: SpatialImage,
    moving: SpatialImage,
    *,
    fixed_mask: SpatialImage | None = None,
    start: np.ndarray | None = None,
    quick: bool = False,
) -> np.ndarray:
    """Rigid transform that resamples ``moving`` onto ``fixed``, from mutual information.

    Parameters
    ----------
    fixed, moving : SpatialImage
        3D images of one head; the headers are the starting point.
    fixed_mask : SpatialImage, optional
        Where in ``fixed`` the two are compared.
    start : ndarray, shape (4, 4), optional
        Starting point, from fixed to moving world points (RAS, mm); identity by default.
    quick : bool
        Fewer iterations, for images that are already within a few mm (volumes of a series).

    Returns
    -------
    ndarray, shape (4, 4)
        From fixed to moving world points (RAS, mm).
    """
    # begun on coarser voxels than this, a head is a blob and the search ends degrees and millimetres off
    first = int(np.clip(round(_COARSEST_MM / voxel_sizes(fixed).min()), 1, 8))
    schedule = {
        "aff_iterations": (200, 100, 50) if quick else (1000, 500, 200),
        "aff_shrink_factors": (4, 2, 1) if quick else (first, max(first // 2, 1), max(first // 4, 1)),
        "aff_smoothing_sigmas": (2, 1, 0),
    }
    with tempfile.TemporaryDirectory() as folder:
        result = _registration(
            fixed,
            moving,
            folder,
            start,
            type_of_transform="Rigid",
            aff_metric="mattes",
            mask=fixed_mask,
            **schedule,
        )
        return _read_affine(result["fwdtransforms"][0])


def register_deformable(
    fixed: SpatialImage, moving: SpatialImage, *, iterations: Sequence[int] = (100, 70, 20)
) -> Warp:
    """Affine and diffeomorphic (SyN, mutual information) registration of two brains.

    Parameters
    ----------
    fixed, moving : SpatialImage
        Brain-extracted 3D images of like contrast. The fields have the grid of ``fixed``,
        and that of ``moving``.
    iterations : sequence of int
        Per resolution level, coarse to fine.

    Returns
    -------
    Warp

    Notes
    -----
    Symmetric normalisation: Avants et al. 2008, Med Image Anal 12:26. The start is the
    alignment of the centres of mass, which two extracted brains share.
    """
    start = np.eye(4)
    start[:3, 3] = _centre_of_mass(moving) - _centre_of_mass(fixed)
    with tempfile.TemporaryDirectory() as folder:
        result = _registration(
            fixed,
            moving,
            folder,
            start,
            type_of_transform="SyN",
            aff_metric="mattes",
            syn_metric="mattes",
            reg_iterations=tuple(iterations),
        )
        bend, affine = _read_field(result["fwdtransforms"][0]), _read_affine(result["fwdtransforms"][1])
        unbend = _read_field(result["invtransforms"][1])
    return Warp(
        moving_to_fixed=compose([bend, affine], fixed),
        fixed_to_moving=compose([np.linalg.inv(affine), unbend], moving),
    )


def _centre_of_mass(image: SpatialImage) -> np.ndarray:
    """Centre of mass of an image's positive values, in world coordinates (mm)."""
    weight = np.clip(np.nan_to_num(image.get_fdata()), 0, None)
    axes = [weight.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    ijk = [np.average(np.arange(len(profile)), weights=profile) for profile in axes]
    return nb.affines.apply_affine(image.affine, ijk)


def jacobian_determinant(field: SpatialImage) -> SpatialImage:
    """Volume change of a displacement field at each of its voxels.

    Returns
    -------
    SpatialImage
        Volume in the input space per volume in the output space: 1 where nothing
        changes, below 0 where the field folds.
    """
    grid = nb.Nifti1Image(np.zeros(field.shape[:3], np.float32), field.affine)
    with tempfile.TemporaryDirectory() as folder:
        name = _write_transform(field, Path(folder) / "field")
        return _from_ants(ants.create_jacobian_determinant_image(_to_ants(grid), name), grid)


def correct_bias(
    image: SpatialImage, mask: SpatialImage, *, iterations: Sequence[int] = (50, 50, 50, 50), mesh_mm: float = 200.0
) -> SpatialImage:
    """Image without its smooth multiplicative shading (N4; Tustison et al. 2010).

    Parameters
    ----------
    image : SpatialImage
        3D, positive where it matters.
    mask : SpatialImage
        Voxels the field is fitted to; it is applied everywhere.
    iterations : sequence of int
        Per level of the B-spline mesh, whose spacing halves from one to the next.
    mesh_mm : float
        Spacing of the first level's mesh. Fewer levels or a wider mesh are gentler.
    """
    shrink = int(np.clip(round(8.0 / voxel_sizes(image).min()), 1, 4))
    corrected = ants.n4_bias_field_correction(
        _to_ants(image),
        mask=_to_ants(mask),
        shrink_factor=shrink,
        convergence={"iters": list(iterations), "tol": 1e-4},
        spline_param=mesh_mm,
    )
    return _from_ants(corrected, image)


def classify_tissue(
    image: SpatialImage,
    mask: SpatialImage,
    *,
    priors: Sequence[SpatialImage] | None = None,
    n_classes: int = 3,
    prior_weight: float = 0.25,
    smoothing: float = 0.1,
    iterations: int = 5,
) -> list[SpatialImage]:
    """Posterior probability of each tissue class inside a mask (Atropos; Avants et al. 2011).

    Parameters
    ----------
    image : SpatialImage
        Bias-corrected 3D image.
    mask : SpatialImage
        Brain mask on the same grid.
    priors : sequence of SpatialImage, optional
        Prior probability of each class, in the order wanted back. Without, ``n_classes``
        classes are found by k-means and come in order of rising intensity.
    prior_weight : float
        Weight of the priors against the intensities, 0 to 1.
    smoothing : float
        Weight of the Markov random field.

    Returns
    -------
    list of SpatialImage
        One map per class, 0 to 1, summing to 1 inside the mask and 0 outside.
    """
    check_same_grid(image, mask, *(priors or ()))
    # most of a head is not brain; and of an oblique image Atropos finds that the priors, which it
    # reads from files, differ in the last digits of their directions, which do not matter to it
    box = bounding_box(mask)
    upright = np.diag([*voxel_sizes(image), 1.0])

    def cut(part: SpatialImage) -> ants.core.ANTsImage:
        return _to_ants(nb.Nifti1Image(np.asarray(part.dataobj, np.float32)[box], upright))

    result = ants.atropos(
        a=cut(image),
        x=cut(mask),
        i=f"kmeans[{n_classes}]" if priors is None else [cut(p) for p in priors],
        m=f"[{smoothing},1x1x1]",
        c=f"[{iterations},0]",
        priorweight=prior_weight,
        r=0,  # otherwise seeded by the clock
    )
    maps: list[SpatialImage] = []
    for found in result["probabilityimages"]:
        whole = np.zeros(image.shape, np.float32)
        whole[box] = found.numpy()
        maps.append(make_image(whole, image))
    return maps
