"""T1-weighted images: brain, tissue, grey-matter maps in template space, regional volumes."""

from collections.abc import Iterable

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from nilearn.image import smooth_img

from mndmri.atlases import select
from mndmri.grids import check_same_grid, make_image, voxel_volume_ml
from mndmri.io import InputError
from mndmri.measures import row
from mndmri.registration import classify_tissue, jacobian_determinant
from mndmri.transforms import compose, resample

TISSUES = ("GM", "WM", "CSF")
VOLUME_REGIONS = (
    "precentral",
    "paracentral",
    "postcentral",
    "superior_frontal",
    "middle_frontal",
    "supplementary_motor",
)

# The usual threshold of the Harvard-Oxford maximum-probability labels.
MIN_REGION_PROBABILITY = 0.25

# How far a border may lie from where the template has it, once a person's brain is registered:
# the blur that makes a prior of the template's tissue.
PRIOR_SD_MM = 3.0


def extract_brain(head: SpatialImage) -> SpatialImage:
    """Brain mask of a whole head, by the deepbet network (Fisch et al. 2024, Comput Biol Med 179:108845).

    Parameters
    ----------
    head : SpatialImage
        3D T1-weighted image, RAS-stored, any voxel size, with or without face.

    Returns
    -------
    SpatialImage
        uint8, 1 inside, on the grid of ``head``.

    Raises
    ------
    InputError
        If no brain is found.
    """
    import torch  # costs seconds, and no other function needs it
    from deepbet.bet import BrainExtraction

    # repeatable to the last bit only on one thread, and never more than the job was given
    torch.set_num_threads(1)
    try:
        _, mask, _ = BrainExtraction(no_gpu=True).run(nb.Nifti1Image(head.get_fdata(dtype=np.float32), head.affine))
    except (AssertionError, ValueError) as error:  # how deepbet stumbles over an empty mask
        raise InputError(f"no brain was found ({error}); check that the image is a T1-weighted whole head") from error
    check_same_grid(mask, head)
    inside = np.asarray(mask.dataobj) > 0
    if not inside.any():
        raise InputError("no brain was found; check that the image is a T1-weighted whole head")
    return make_image(inside, head)


def take_mask(mask: SpatialImage, head: SpatialImage) -> SpatialImage:
    """A user's own brain mask as `extract_brain` would return it.

    Raises
    ------
    InputError
        If it lies on another grid than the image, or is empty.
    """
    check_same_grid(mask, head)
    inside = np.asarray(mask.dataobj) > 0.5
    if not inside.any():
        raise InputError("the brain mask is empty; correct t1w.mask_pattern or the mask")
    return make_image(inside, head)


def mask_image(image: SpatialImage, mask: SpatialImage) -> SpatialImage:
    """Image with zeros outside a mask on the same grid."""
    check_same_grid(image, mask)
    return make_image(image.get_fdata(dtype=np.float32) * (np.asarray(mask.dataobj) > 0), image)


def template_tissue(template_brain: SpatialImage) -> SpatialImage:
    """Grey matter, white matter and CSF of the template itself, from its own intensities.

    Returns
    -------
    SpatialImage
        float32, shape (X, Y, Z, 3), in the order of `TISSUES`; sums to 1 in the brain.
    """
    mask = make_image(template_brain.get_fdata() > 0, template_brain)
    csf, gm, wm = classify_tissue(template_brain, mask)
    return make_image(np.stack([p.get_fdata(dtype=np.float32) for p in (gm, wm, csf)], axis=-1), template_brain)


def _priors(tissue: SpatialImage) -> SpatialImage:
    """Template tissue blurred by as much as registration may err; CSF around the brain."""
    blurred = smooth_img(tissue, PRIOR_SD_MM * np.sqrt(8 * np.log(2))).get_fdata(dtype=np.float32)
    total = blurred.sum(axis=-1, keepdims=True)
    outside = np.array([0, 0, 1], np.float32)
    return make_image(np.where(total > 0.05, blurred / np.maximum(total, 1e-6), outside), tissue)


def segment_tissue(
    t1w: SpatialImage, mask: SpatialImage, tissue: SpatialImage, warp_to_template: SpatialImage
) -> dict[str, SpatialImage]:
    """Probability of each tissue in a person's brain.

    Parameters
    ----------
    t1w, mask : SpatialImage
        Bias-corrected T1-weighted image and brain mask, one grid.
    tissue : SpatialImage
        The template's tissue, as from `template_tissue`: the prior.
    warp_to_template : SpatialImage
        Field that takes points of the person to the template.

    Returns
    -------
    dict of str to SpatialImage
        Keys `TISSUES`; 0 to 1, summing to 1 in the mask.
    """
    here = resample(_priors(tissue), t1w, [warp_to_template]).get_fdata(dtype=np.float32)
    here[..., 2] += np.clip(1 - here.sum(axis=-1), 0, 1)
    in_mask = here * (np.asarray(mask.dataobj)[..., None] > 0)
    maps = classify_tissue(t1w, mask, priors=[make_image(in_mask[..., k], t1w) for k in range(len(TISSUES))])
    return dict(zip(TISSUES, maps, strict=True))


def modulate(gm: SpatialImage, field: SpatialImage, grid: SpatialImage) -> SpatialImage:
    """Grey matter in template space as volume: probability times the local change of volume.

    The sum over the template, times its voxel volume, is the person's grey-matter volume
    (Good et al. 2001, NeuroImage 14:21).

    Parameters
    ----------
    gm : SpatialImage
        Probability in the person's own space.
    field : SpatialImage
        Displacement from template points to the person's, affine included; on any template-space grid.
    grid : SpatialImage
        Template-space grid of the result.
    """
    there = resample(gm, grid, [field])
    change = jacobian_determinant(compose([field], grid))
    return make_image(there.get_fdata(dtype=np.float32) * np.abs(change.get_fdata(dtype=np.float32)), grid)


def smooth(image: SpatialImage, fwhm_mm: float) -> SpatialImage:
    """Image convolved with a Gaussian of a given full width at half maximum."""
    return smooth_img(image, fwhm_mm)


def measure_quality(
    mask: SpatialImage, tissue: dict[str, SpatialImage], expected: SpatialImage, warp_from_template: SpatialImage
) -> pd.DataFrame:
    """Checks of the T1w stage: brain volume, agreement with the template, folding.

    Parameters
    ----------
    mask, tissue
        The person's brain mask and tissue maps.
    expected : SpatialImage
        The template's tissue, as from `template_tissue`.
    warp_from_template : SpatialImage
        Field from template points to the person's, on the template's grid.

    Returns
    -------
    DataFrame
        ``brain_volume`` (ml); ``dice_gm``, the overlap of grey matter (> 0.5) with the
        template's; ``min_jacobian`` of the warp, below 0 where it folds.
    """
    brain_ml = (np.asarray(mask.dataobj) > 0).sum() * voxel_volume_ml(mask)
    there = resample(tissue["GM"], expected, [warp_from_template]).get_fdata() > 0.5
    gm = np.asarray(expected.dataobj)[..., 0] > 0.5
    dice = 2 * (there & gm).sum() / max(there.sum() + gm.sum(), 1)
    in_brain = np.asarray(expected.dataobj).sum(axis=-1) > 0.5
    folding = jacobian_determinant(compose([warp_from_template], expected)).get_fdata()[in_brain].min()
    rows = [
        row("t1w", "brain_volume", "brain", "both", brain_ml, unit="ml", n_voxels=int(np.asarray(mask.dataobj).sum())),
        row("t1w", "dice_gm", "gm", "both", dice, unit="1", n_voxels=int(there.sum())),
        row("t1w", "min_jacobian", "brain", "both", folding, unit="1", n_voxels=int(in_brain.sum())),
    ]
    return pd.DataFrame(rows)


def measure_volumes(
    tissue: dict[str, SpatialImage], atlas: SpatialImage, table: pd.DataFrame, regions: Iterable[str] = VOLUME_REGIONS
) -> pd.DataFrame:
    """Tissue and regional grey-matter volumes in ml.

    Parameters
    ----------
    tissue : dict
        As from `segment_tissue`, in the person's own space.
    atlas : SpatialImage
        Probability of each region on the same grid, shape (X, Y, Z, n).
    table : DataFrame
        Names of the atlas's volumes.

    Notes
    -----
    A gyrus is where its probability is at least 0.25 and no lower than that of any other gyrus
    (the paracentral lobule, which is made of parts of two gyri, competes with none); its volume
    is the sum of grey-matter probability there.
    """
    check_same_grid(*tissue.values(), atlas)
    ml = voxel_volume_ml(atlas)
    maps = {name: image.get_fdata(dtype=np.float32) for name, image in tissue.items()}
    rows = []
    for name, part in {"tiv": TISSUES, "gm": ("GM",), "wm": ("WM",), "csf": ("CSF",)}.items():
        whole = np.sum([maps[p] for p in part], axis=0)
        n = int((whole > 0.5).sum())
        rows.append(row("t1w", "volume", name, "both", float(whole.sum()) * ml, unit="ml", n_voxels=n))
    gyri = table.loc[table["region"].isin([r for r in regions if r != "paracentral"]), "index"].to_numpy()
    winning = np.asarray(atlas.dataobj)[..., gyri].max(axis=-1)
    for region in regions:
        for hemi in "LR":
            probability = select(atlas, table, region, hemi).get_fdata(dtype=np.float32)
            own = probability >= MIN_REGION_PROBABILITY
            if region != "paracentral":
                own &= probability >= winning
            grey = maps["GM"][own]
            n = int((grey > 0.5).sum())
            missing = {} if n else {"status": "the region holds no grey matter in this image"}
            value = float(grey.sum()) * ml if n else np.nan
            rows.append(row("t1w", "volume", region, hemi, value, unit="ml", n_voxels=n, **missing))
    return pd.DataFrame(rows)
