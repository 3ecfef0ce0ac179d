"""Thickness of the cortex from maps of grey and white matter, by ANTs."""

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import check_same_grid, make_image, voxel_sizes
from mndmri.registration.ants import from_ants, load_ants, to_ants

# ANTs' own step, 0.025, is far from its end after the customary 45 iterations: of a simulated 2.5 mm slab of 1 mm
# voxels it made 1.1 mm. These made 2.0 and 4.0 mm of straight banks of 2 and 4, and 2.2 and 3.4 of 2 and 3 mm on a
# sphere of 14 mm radius. Smaller steps and more of them took three times the time on a real head, and added 0.1 mm.
_STEP = 0.2
_ITERATIONS, _WINDOW = 15, 5
# Inverting the growing field with ANTs' 20 changed the sulcus's values by 0.03 mm and took up to twice the time.
_INVERSIONS = 5
_VELOCITY_SMOOTHING = 1.5  # voxels; ANTs' own
_OUTSIDE, _GREY, _WHITE = 1, 2, 3


def cortical_thickness(gm: SpatialImage, wm: SpatialImage) -> SpatialImage:
    """Thickness of the cortex at each of its voxels, mm, by DiReCT (Das et al. 2009, NeuroImage 45:867).

    The border of white matter is moved outwards by a diffeomorphism until it meets that of grey matter; how far it
    went is the thickness. Opposite banks of a sulcus without visible fluid share the way between them.

    Parameters
    ----------
    gm, wm : SpatialImage
        Probability of grey and of white matter, 0 to 1, on one grid of about 1 mm isotropic voxels: no more of a head
        than is asked about, as time goes with the number of voxels, 0.1 ms each.

    Returns
    -------
    SpatialImage
        float32, on the grid of ``gm``; 0 outside grey matter, and everywhere if there is no grey or no white matter.
    """
    check_same_grid(gm, wm)
    grey, white = (np.clip(image.get_fdata(dtype=np.float32), 0, 1) for image in (gm, wm))
    label = _OUTSIDE + np.argmax([np.clip(1 - grey - white, 0, 1), grey, white], axis=0)
    if not ((label == _GREY).any() and (label == _WHITE).any()):
        return make_image(np.zeros(gm.shape, np.float32), gm)
    # the axes' directions do not matter, and their last digits differ where images come oblique
    upright = np.diag([*voxel_sizes(gm), 1.0])
    found = load_ants().kelly_kapowski(
        *(to_ants(nb.Nifti1Image(part, upright)) for part in (label.astype(np.float32), grey, white)),
        its=f"{_ITERATIONS},0,{_WINDOW}",
        r=_STEP,
        m=_VELOCITY_SMOOTHING,
        p=_INVERSIONS,
        gm_label=_GREY,
        wm_label=_WHITE,
    )
    return from_ants(found, gm)
