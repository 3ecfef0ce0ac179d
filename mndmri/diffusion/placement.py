"""Registration of a person's diffusion images to the template."""

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import make_image
from mndmri.registration.brainstem import place_scan
from mndmri.registration.register import Warp
from mndmri.registration.smoothing import smooth_within
from mndmri.registration.transforms import resample

# Mean diffusivity, in medians over the brain, up to which a voxel is tissue, and from which on it is fluid.
_TISSUE_MD, _FLUID_MD = 1.25, 2.5


def tissue_share(md: SpatialImage) -> SpatialImage:
    """Share of tissue in each voxel of a map of mean diffusivity, 0 to 1: none in fluid and outside the brain.

    Parameters
    ----------
    md : SpatialImage
        3D, 0 outside the brain.

    Notes
    -----
    Relative to the median over the brain, as high b-values lower the diffusivity that is measured, fluid's most.
    """
    diffusivity = md.get_fdata(dtype=np.float32)
    inside = diffusivity > 0
    relative = diffusivity / np.median(diffusivity[inside])
    share = np.clip((_FLUID_MD - relative) / (_FLUID_MD - _TISSUE_MD), 0, 1)
    return make_image(np.where(inside, share, 0).astype(np.float32), md)


def place_dwi(
    md: SpatialImage,
    recorded: SpatialImage,
    *,
    t1w: Warp,
    t1w_recorded: SpatialImage,
    brain: SpatialImage,
    to_dwi: np.ndarray,
    template_tissue: SpatialImage,
) -> Warp:
    """Registration of the diffusion images to the template through the T1w image, its brainstem by its outline.

    Parameters
    ----------
    md : SpatialImage
        Mean diffusivity, 0 outside the brain.
    recorded : SpatialImage
        Where the series has a signal, 0 or 1, on its grid.
    t1w, brain, to_dwi
        As in `mndmri.registration.brainstem.place_scan`.
    t1w_recorded : SpatialImage
        Where the T1w image has a signal, 0 or 1, in its space: the brain's mask comes from it, and where it ends within
        the brainstem its end is no outline.
    template_tissue : SpatialImage
        Share of grey matter, white matter and CSF of the template, shape (X, Y, Z, 3), 0 to 1.
    """
    solid = make_image(np.asarray(template_tissue.dataobj, np.float32)[..., :2].sum(axis=-1), template_tissue)
    masked = resample(t1w_recorded, md, [np.linalg.inv(to_dwi)], interpolation="nearest")
    shown = make_image((np.asarray(recorded.dataobj) > 0) & (np.asarray(masked.dataobj) > 0), recorded)
    return place_scan(t1w, brain, to_dwi, template_tissue=solid, tissue=tissue_share(md), recorded=shown)


def smooth_in_template(
    fa: SpatialImage,
    white_matter: SpatialImage,
    *,
    to_template: SpatialImage,
    to_dwi: np.ndarray,
    fwhm_mm: float,
) -> SpatialImage:
    """FA in template space, averaged over the white matter of the person.

    Parameters
    ----------
    fa : SpatialImage
        On a grid of the template, brought there by ``to_template``.
    white_matter : SpatialImage
        Probability, 0 to 1, on the grid of the T1w image.
    to_template : SpatialImage
        Displacement field from template points to those of the diffusion images, as from `place_dwi`: in the brainstem
        the T1w image's own field is up to millimetres from it.
    to_dwi : ndarray, shape (4, 4)
        From points of the T1w image to those of the diffusion images.
    fwhm_mm : float
        As for `mndmri.registration.smoothing.smooth_within`.
    """
    white = resample(white_matter, fa, [to_template, np.linalg.inv(to_dwi)])
    return smooth_within(fa, white, fwhm_mm=fwhm_mm)
