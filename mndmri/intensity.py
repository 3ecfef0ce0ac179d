"""Shading and tissue classes, from the intensities of an image."""

from collections.abc import Sequence

import ants
import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import bounding_box, check_same_grid, make_image, voxel_sizes
from mndmri.itk import from_ants, to_ants


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
        to_ants(image),
        mask=to_ants(mask),
        shrink_factor=shrink,
        convergence={"iters": list(iterations), "tol": 1e-4},
        spline_param=mesh_mm,
    )
    return from_ants(corrected, image)


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
        return to_ants(nb.Nifti1Image(np.asarray(part.dataobj, np.float32)[box], upright))

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
