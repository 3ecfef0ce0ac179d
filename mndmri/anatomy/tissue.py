"""Grey matter, white matter and CSF."""

from collections.abc import Sequence

import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.grids import bounding_box, make_image, uncrop, world_coordinates
from mndmri.intensity import TissueMaps, classify_tissue
from mndmri.registration.smoothing import smooth
from mndmri.registration.transforms import map_points, sample_points

TISSUES = ("GM", "WM", "CSF")

# The nuclei look like grey or like white matter, by their iron and myelin, the scanner and age: how far round them
# (mm) two brains' tissue is not comparable. The internal capsule between them is a part of it.
_NUCLEI_BLUR_SD_MM = 2.0
_NO_NUCLEI = 0.1
# How far a border may lie from where the template has it, once a person's brain is registered:
# the blur that makes a prior of the template's tissue.
PRIOR_SD_MM = 3.0
# The same of the nuclei, whose shape varies less than that of the gyri; a wider blur fills the internal capsule.
NUCLEI_SD_MM = 0.7


def brain_tissue(brain: SpatialImage, *, nuclei: SpatialImage | None = None) -> SpatialImage:
    """Share of grey matter, white matter and CSF in every voxel of a brain, from its intensities.

    Parameters
    ----------
    brain : SpatialImage
        3D, 0 outside the brain.
    nuclei : SpatialImage, optional
        Where deep grey matter is, on the same grid, as from `mndmri.atlas.regions.load_nuclei`, if that is known:
        without, a nucleus is grey in so far as it is as dark as the cortex.

    Returns
    -------
    SpatialImage
        float32, shape (X, Y, Z, 3), in the order of `TISSUES`; sums to 1 in the brain.
    """
    mask = make_image(brain.get_fdata() > 0, brain)
    maps = _by_name(classify_tissue(brain, mask, nuclei=nuclei))
    return make_image(np.stack([maps[name].get_fdata(dtype=np.float32) for name in TISSUES], axis=-1), brain)


def _by_name(found: TissueMaps) -> dict[str, SpatialImage]:
    """Maps of tissue by the names of `TISSUES`, in their order."""
    return {name: getattr(found, name.lower()) for name in TISSUES}


def away_from_nuclei(nuclei: SpatialImage) -> SpatialImage:
    """Where one brain's tissue may be compared with another's: 1, and 0 in and about the nuclei.

    Parameters
    ----------
    nuclei : SpatialImage
        Shape (X, Y, Z, n), 0 to 1, as from `mndmri.atlas.regions.load_nuclei`.
    """
    near = _blur(nuclei, _NUCLEI_BLUR_SD_MM).sum(axis=-1)
    return make_image((near < _NO_NUCLEI).astype(np.uint8), nuclei)


def known_nuclei(nuclei: SpatialImage) -> SpatialImage | None:
    """Nuclei without empty volumes; none if all are empty."""
    data = np.asarray(nuclei.dataobj)
    kept = data[..., data.any(axis=(0, 1, 2))]
    return make_image(kept, nuclei) if kept.shape[3] else None


def _blur(image: SpatialImage, sd_mm: float) -> np.ndarray:
    image = make_image(np.asarray(image.dataobj, np.float32), image)  # of labels, integers would come out
    return smooth(image, sd_mm * np.sqrt(8 * np.log(2))).get_fdata(dtype=np.float32)


def _priors(tissue: SpatialImage) -> SpatialImage:
    """Template tissue blurred by as much as registration may err; CSF around the brain."""
    blurred = _blur(tissue, PRIOR_SD_MM)
    total = blurred.sum(axis=-1, keepdims=True)
    outside = np.array([0, 0, 1], np.float32)
    return make_image(np.where(total > 0.05, blurred / np.maximum(total, 1e-6), outside), tissue)


def segment_tissue(
    t1w: SpatialImage,
    mask: SpatialImage,
    tissue: SpatialImage,
    warp_to_template: SpatialImage,
    *,
    nuclei: SpatialImage | None = None,
) -> dict[str, SpatialImage]:
    """Share of each tissue in every voxel of a person's brain.

    Parameters
    ----------
    t1w, mask : SpatialImage
        Bias-corrected T1-weighted image and brain mask, one grid.
    tissue : SpatialImage
        The template's tissue, as from `brain_tissue`: the prior.
    warp_to_template : SpatialImage
        Field that takes points of the person to the template.
    nuclei : SpatialImage, optional
        The template's deep grey matter, as from `mndmri.atlas.regions.load_nuclei`: grey matter with an intensity
        class of its own. Empty volumes are passed over.

    Returns
    -------
    dict of str to SpatialImage
        Keys `TISSUES`; 0 to 1, summing to 1 in the mask.
    """
    return segment_alike([t1w], mask, tissue, warp_to_template, nuclei=nuclei)[0]


def segment_alike(
    images: Sequence[SpatialImage],
    mask: SpatialImage,
    tissue: SpatialImage,
    warp_to_template: SpatialImage,
    *,
    nuclei: SpatialImage | None = None,
) -> list[dict[str, SpatialImage]]:
    """Share of each tissue in every voxel of several images of one brain, by the same intensities for all.

    Parameters
    ----------
    images : sequence of SpatialImage
        Bias-corrected T1-weighted images of one scale, all on one grid, as from `mndmri.anatomy.midway.meet_midway`.
    mask, tissue, warp_to_template, nuclei
        As for `segment_tissue`.

    Returns
    -------
    list of dict of str to SpatialImage
        Of each image, as from `segment_tissue`.
    """
    box = bounding_box(mask)
    whole, parts, n = images[0], [image.slicer[box] for image in images], len(images)
    grid = parts[0]

    def side_by_side(values: Sequence[np.ndarray]) -> SpatialImage:
        # one image to the classifier, and so one model of intensities; the margin of the box keeps the brains apart
        return make_image(np.concatenate(values), grid)

    points = map_points(world_coordinates(grid), [warp_to_template])
    here = sample_points(_priors(tissue), points)
    here[..., 2] += np.clip(1 - here.sum(axis=-1), 0, 1)  # beyond the template's edge
    prior = dict(zip(TISSUES, np.moveaxis(here, -1, 0), strict=True))
    priors = TissueMaps(**{name.lower(): side_by_side([values] * n) for name, values in prior.items()})
    nuclei = None if nuclei is None else known_nuclei(nuclei)
    if nuclei is not None:
        blurred = make_image(_blur(nuclei, NUCLEI_SD_MM), nuclei)
        nuclei = side_by_side([sample_points(blurred, points)] * n)
    scans, inside = (side_by_side([np.asarray(p.dataobj) for p in own]) for own in (parts, [mask.slicer[box]] * n))
    found = _by_name(classify_tissue(scans, inside, priors=priors, nuclei=nuclei))
    maps = {name: np.split(np.asarray(image.dataobj), n) for name, image in found.items()}
    return [{name: uncrop(make_image(own[k], grid), box, whole) for name, own in maps.items()} for k in range(n)]
