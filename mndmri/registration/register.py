"""Rigid and deformable registration, and Jacobians.

Every function takes and returns nibabel images, plain arrays, and transforms as `mndmri.registration.transforms`
defines them.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image, voxel_sizes, world_coordinates
from mndmri.io import InputError, load_field
from mndmri.registration.ants import load_ants, read_affine, to_ants, write_transform
from mndmri.registration.pose import centre_of_mass
from mndmri.registration.transforms import compose, map_points, resample

Engine = Literal["ants", "greedy"]

_COARSEST_MM = 8.0
# Of the fixed brain, that a whole head may lack: the end of the medulla.
_NEGLIGIBLE_LOSS = 0.005


class Warp(NamedTuple):
    """Both directions of a registration, as displacement fields."""

    moving_to_fixed: SpatialImage
    """Resamples images of the moving space onto the fixed grid (points go fixed to moving)."""
    fixed_to_moving: SpatialImage
    """Resamples images of the fixed space onto the moving grid (points go moving to fixed)."""


def _registration(fixed: SpatialImage, moving: SpatialImage, folder: str, start: np.ndarray | None, **options) -> dict:
    """Run `ants.registration`, started from the headers or from a given matrix."""
    # without a start ANTs aligns centres of mass, which fails where fields of view differ
    initial = write_transform(np.eye(4) if start is None else start, Path(folder) / "start")
    return load_ants().registration(
        to_ants(fixed),
        to_ants(moving),
        initial_transform=[initial],
        outprefix=f"{folder}/out-",
        singleprecision=False,
        **{name: to_ants(value) if isinstance(value, SpatialImage) else value for name, value in options.items()},
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
    iterations, shrink = ((200, 100, 50), 4) if quick else ((1000, 500, 200), first)
    return _register_linear("Rigid", fixed, moving, fixed_mask, start, iterations=iterations, shrink=shrink)


def register_deformable(
    fixed: SpatialImage,
    moving: SpatialImage,
    *,
    tissue: tuple[SpatialImage, SpatialImage] | None = None,
    compared: SpatialImage | None = None,
    recorded: SpatialImage | None = None,
    engine: Engine = "ants",
    start: np.ndarray | None = None,
    iterations: Sequence[int] = (100, 70, 40),
) -> Warp:
    """Affine and diffeomorphic registration of two brains.

    Parameters
    ----------
    fixed, moving : SpatialImage
        Brain-extracted 3D images of like contrast. The fields have the grid of ``fixed``,
        and that of ``moving``.
    tissue : pair of SpatialImage, optional
        Tissue maps of the two on their grids, 0 to 1, shape (X, Y, Z, n): they drive the
        deformation in place of the images, which drive the affine transform alone.
    compared : SpatialImage, optional
        Where in ``fixed`` the two drive the deformation, 0 or 1; elsewhere it follows from around.
    recorded : SpatialImage, optional
        Where ``moving`` was recorded, 0 or 1, on its grid. What it lacks is taken away from ``fixed`` too, where the
        affine transform has it: a brain that is cut off would otherwise be drawn out until it fills the template.
    engine : {'ants', 'greedy'}
    start : ndarray, shape (4, 4), optional
        Starting point, from fixed to moving world points (RAS, mm), as from `mndmri.registration.pose.align_brains`;
        by default the alignment of the centres of mass, which two extracted brains share.
    iterations : sequence of int
        Per resolution level, coarse to fine.

    Returns
    -------
    Warp

    Raises
    ------
    InputError
        If ``ants`` is given ``recorded`` without ``tissue``: it would take the end of a cut brain for its outline.

    Notes
    -----
    ``ants`` is symmetric normalisation (Avants et al. 2008, Med Image Anal 12:26) by mutual information,
    or mean squares of tissue; ``greedy`` has a stationary velocity (Yushkevich et al. 2016, Alzheimers
    Dement 12:P126) and works by local correlation, or mean squares of tissue. That tissue places cortex better
    than intensities do: Ashburner 2007, NeuroImage 38:95.
    """
    if start is None:
        start = np.eye(4)
        start[:3, 3] = centre_of_mass(moving) - centre_of_mass(fixed)
    engines = {"ants": _deform_ants, "greedy": _deform_greedy}
    affine, bend, unbend = engines[engine](fixed, moving, tissue, compared, recorded, start, iterations)
    return Warp(
        moving_to_fixed=compose([bend, affine], fixed),
        fixed_to_moving=compose([np.linalg.inv(affine), unbend], moving),
    )


_Deformed = tuple[np.ndarray, SpatialImage, SpatialImage]  # affine; field that follows it; its inverse


def _deform_ants(
    fixed: SpatialImage,
    moving: SpatialImage,
    tissue: tuple[SpatialImage, SpatialImage] | None,
    compared: SpatialImage | None,
    recorded: SpatialImage | None,
    start: np.ndarray,
    iterations: Sequence[int],
) -> _Deformed:
    if recorded is not None and tissue is None:
        raise InputError(
            "ants registers a brain that may be cut by its tissue alone, and none was given; give tissue, or use greedy"
        )
    options: dict[str, Any] = {"type_of_transform": "SyN", "aff_metric": "mattes", "syn_metric": "mattes"}
    if tissue is not None:
        start = register_affine(fixed, moving, start=start)
        if recorded is not None and (seen := find_shown(fixed, recorded, start)) is not None:
            start = register_affine(fixed, moving, start=start, fixed_mask=seen)
            tissue = _without(tissue[0], recorded, start), tissue[1]
        (fixed, moving), *others = zip(*map(_channels, tissue), strict=True)
        # read as double, whatever they are: ants.registration converts the first pair alone
        extras = [["meansquares", *(to_ants(image).clone("double") for image in pair), 1, 0] for pair in others]
        options = {"type_of_transform": "SyNOnly", "syn_metric": "meansquares", "multivariate_extras": extras or None}
    if compared is not None:  # each of the two images pulls the other
        options |= {"mask": compared, "moving_mask": resample(compared, moving, [np.linalg.inv(start)])}
    with tempfile.TemporaryDirectory() as folder:
        result = _registration(fixed, moving, folder, start, reg_iterations=tuple(iterations), **options)
        bend, affine = load_field(result["fwdtransforms"][0]), read_affine(result["fwdtransforms"][1])
        unbend = load_field(result["invtransforms"][1])
    return affine, bend, unbend


def _deform_greedy(
    fixed: SpatialImage,
    moving: SpatialImage,
    tissue: tuple[SpatialImage, SpatialImage] | None,
    compared: SpatialImage | None,
    recorded: SpatialImage | None,
    start: np.ndarray,
    iterations: Sequence[int],
) -> _Deformed:
    from mndmri.registration import greedy  # most jobs that register do not deform, and need no SimpleITK

    affine = greedy.register_affine(fixed, moving, start=start)
    if recorded is not None and (seen := find_shown(fixed, recorded, affine)) is not None:
        # by mutual information: the patches that greedy compares would reach beyond a mask, over the cut
        affine = register_affine(fixed, moving, start=affine, fixed_mask=seen)
        fixed = _without(fixed, recorded, affine)
        tissue = None if tissue is None else (_without(tissue[0], recorded, affine), tissue[1])
    pairs = [(fixed, moving)] if tissue is None else list(zip(*map(_channels, tissue), strict=True))
    metric = "NCC 2x2x2" if tissue is None else "SSD"
    return affine, *greedy.register_velocity(pairs, start=affine, metric=metric, iterations=iterations, mask=compared)


def find_shown(fixed: SpatialImage, recorded: SpatialImage, affine: np.ndarray) -> SpatialImage | None:
    """Where the moving image shows what ``fixed`` does, 0 or 1; None if it shows nearly all of it.

    Parameters
    ----------
    fixed : SpatialImage
        3D, 0 outside the brain.
    recorded : SpatialImage
        Where the moving image has a signal, 0 or 1, in its space.
    affine : ndarray, shape (4, 4)
        From fixed to moving world points (RAS, mm).
    """
    seen = np.asarray(resample(recorded, fixed, [affine]).dataobj) > 0.5
    lost = 1 - seen[np.asarray(fixed.dataobj) > 0].mean()
    return None if lost < _NEGLIGIBLE_LOSS else make_image(seen, fixed)


def _without(image: SpatialImage, recorded: SpatialImage, affine: np.ndarray) -> SpatialImage:
    """Image on the fixed grid, 0 where the moving one was not recorded.

    A mask does not do: on the coarse levels the edge of the cut is blurred into it, and the brain is drawn out still.
    """
    seen = np.asarray(resample(recorded, image, [affine]).dataobj)
    data = np.asarray(image.dataobj, np.float32)
    return make_image(data * (seen if data.ndim == 3 else seen[..., None]), image)


def _channels(image: SpatialImage) -> list[SpatialImage]:
    """Volumes of a 4D image."""
    data = np.asarray(image.dataobj, np.float32)
    return [make_image(data[..., n], image) for n in range(data.shape[3])]


def jacobian_determinant(field: SpatialImage) -> SpatialImage:
    """Volume change of a displacement field at each of its voxels.

    Returns
    -------
    SpatialImage
        Volume in the input space per volume in the output space: 1 where nothing
        changes, below 0 where the field folds.
    """
    # ANTs' own gives 0 for what is negative
    points = map_points(world_coordinates(field), [field])
    slopes = np.stack([np.gradient(points, axis=axis) for axis in range(3)], axis=-1)
    change = np.linalg.det(slopes) / np.linalg.det(field.affine[:3, :3])
    return make_image(change.astype(np.float32), nb.Nifti1Image(np.zeros(field.shape[:3], np.uint8), field.affine))


def register_affine(
    fixed: SpatialImage,
    moving: SpatialImage,
    *,
    fixed_mask: SpatialImage | None = None,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Affine transform that resamples ``moving`` onto ``fixed``, from mutual information.

    Parameters
    ----------
    fixed, moving : SpatialImage
        3D images of one head or of two, within some 10 mm and 10 degrees after ``start``.
    fixed_mask : SpatialImage, optional
        Where in ``fixed`` the two are compared.
    start : ndarray, shape (4, 4), optional
        Starting point, from fixed to moving world points (RAS, mm); identity by default.

    Returns
    -------
    ndarray, shape (4, 4)
        From fixed to moving world points (RAS, mm).
    """
    shrink = int(np.clip(round(2 * _COARSEST_MM / voxel_sizes(fixed).min()), 1, 8))
    return _register_linear("Affine", fixed, moving, fixed_mask, start, iterations=(200, 100, 50), shrink=shrink)


def _register_linear(
    kind: Literal["Rigid", "Affine"],
    fixed: SpatialImage,
    moving: SpatialImage,
    fixed_mask: SpatialImage | None,
    start: np.ndarray | None,
    *,
    iterations: tuple[int, int, int],
    shrink: int,
) -> np.ndarray:
    """Matrix by mutual information on three levels, the first with voxels ``shrink`` times as long."""
    with tempfile.TemporaryDirectory() as folder:
        result = _registration(
            fixed,
            moving,
            folder,
            start,
            type_of_transform=kind,
            aff_metric="mattes",
            mask=fixed_mask,
            aff_iterations=iterations,
            aff_shrink_factors=(shrink, max(shrink // 2, 1), max(shrink // 4, 1)),
            aff_smoothing_sigmas=(2, 1, 0),
        )
        return read_affine(result["fwdtransforms"][0])
