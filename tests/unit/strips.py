"""A head of boxes whose left and right differ: the truth of what a reader must see on which side."""

import nibabel as nb
import numpy as np
import pandas as pd

from mndmri.susceptibility.reading import OUTLINED

SHAPE, SIZES = (60, 50, 16), (1.2, 1.0, 2.0)
ORIGIN = (-36.0, -40.0, 30.0)
# world mm: a bright block in the participant's left front, a dark one in the right strip
LEFT_FRONT, RIGHT_BAND = (-20.0, 2.0), (22.0, -14.0)
BRIGHT, TISSUE, DARK = 1.6, 1.0, 0.6
BAND_MM = (52.0, 56.0)


def head(*, sizes=SIZES, las=False):
    """Images of a head, and its masks: swi, chi, mni_mm, masks, table."""
    shape = [round(n * old / new) for n, old, new in zip(SHAPE, SIZES, sizes, strict=True)]
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = ORIGIN
    x, y, z = np.moveaxis(nb.affines.apply_affine(affine, np.stack(np.indices(shape), axis=-1)), -1, 0)
    brain = (np.abs(x) < 32) & (y > -36) & (y < 6)
    rng = np.random.default_rng(0)
    swi = np.where(brain, TISSUE + rng.normal(0, 0.02, shape), 0.0)
    swi[(np.abs(x - LEFT_FRONT[0]) < 4) & (np.abs(y - LEFT_FRONT[1]) < 3)] = BRIGHT
    dark = (np.abs(x - RIGHT_BAND[0]) < 5) & (np.abs(y - RIGHT_BAND[1]) < 3) & (z >= BAND_MM[0]) & (z < BAND_MM[1])
    swi[dark] = DARK
    chi = np.where(brain, (1 - swi) / 10, 0.0)
    rows, volumes = [], []
    for hemi, sign in (("L", -1), ("R", 1)):
        own = (sign * x > 12) & (sign * x < 30)
        places = {
            "precentral_posterior": own & (y > -18) & (y < -8),
            "precentral_posterior_deep": own & (y > -18) & (y < -10) & (z > 48),
            "precentral_anterior": own & (y > -8) & (y < -2),
            "postcentral_anterior": own & (y > -26) & (y < -18),
        }
        for region in OUTLINED:
            rows.append({"index": len(rows), "region": region, "hemi": hemi})
            volumes.append(places[region] & (z > 40) & (z < 58))
    masks = np.stack(volumes, axis=-1).astype(np.uint8)
    data = {"swi": swi, "chi": chi, "mni_mm": np.stack([x, y, z], axis=-1), "masks": masks}
    images = {name: nb.Nifti1Image(own.astype(np.float32), affine) for name, own in data.items()}
    if las:
        images = {name: _stored_las(image) for name, image in images.items()}
    return images | {"table": pd.DataFrame(rows)}


def _stored_las(image):
    """The same image with its first axis stored from right to left."""
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = image.shape[0] - 1
    return nb.Nifti1Image(np.asarray(image.dataobj)[::-1], image.affine @ flip)
