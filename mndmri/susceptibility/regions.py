"""The banks of the central sulcus, their depths and body parts, on the SWI's own grid."""

from collections.abc import Sequence

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.atlas.regions import ATLAS_COLUMNS, select
from mndmri.grids import bounding_box, check_same_grid, make_image, voxel_sizes, world_coordinates
from mndmri.io import InputError
from mndmri.registration.transforms import Transform, map_points
from mndmri.susceptibility.geometry import distance_at, distance_mm
from mndmri.susceptibility.sulcus import label_gyri

BODY_PARTS = ("leg", "hand", "face")
BANKS = ("precentral_posterior_deep", "precentral_anterior_deep", "postcentral_anterior_deep")
# What lies over each of them, on the side of the fluid
SURFACES = tuple(bank.replace("_deep", "_superficial") for bank in BANKS)
# Masks of each side
REGIONS = (
    "precentral",
    "precentral_posterior",
    "precentral_anterior",
    "precentral_posterior_deep",
    "precentral_anterior_deep",
    *(f"precentral_{part}" for part in BODY_PARTS),
    "postcentral",
    "postcentral_anterior",
    "postcentral_anterior_deep",
    *(f"{bank}_{part}" for bank in (*BANKS, *SURFACES) for part in BODY_PARTS),
    "superior_frontal",
    "middle_frontal",
)
# Regions that are measured; the others serve as references
MEASURED_REGIONS = tuple(
    region
    for region in REGIONS
    if region != "postcentral_anterior" and not region.startswith((*(f"{bank}_" for bank in BANKS[1:]), *SURFACES))
)
REFERENCE = ("reference_wm", "both")

# The precentral gyrus's neighbours in front. An atlas or parcellation need not have the last two; without the
# inferior frontal gyrus the face area's anterior bank is defined by the middle frontal.
_FRONTAL = ("superior_frontal", "middle_frontal", "inferior_frontal", "supplementary_motor")

# What the functions here and in `swi` ask of the project's own atlas
ATLAS_REGIONS = (
    "precentral",
    "postcentral",
    "superior_frontal",
    "middle_frontal",
    "inferior_frontal",
    "supplementary_motor",
    "cst",
    "pallidum",
)

# Body parts of the precentral gyrus by MNI coordinates (mm; x without its sign). The motor hand area, the
# knob of the central sulcus (Yousry et al. 1997, Brain 120:141), lies about x 38, z 50 to 62, and M1's mean
# peak at (37, -21, 58) (Mayka et al. 2006, NeuroImage 31:1453); the box takes in its neighbourhood. Leg:
# paracentral lobule and the top of the convexity. The trunk between leg and hand belongs to none.
LEG_MAX_X_MM = 18.0
LEG_MIN_Z_MM = 44.0  # below it lies the cingulate sulcus
HAND_X_MM = (28.0, 46.0)
HAND_Z_MM = (48.0, 66.0)
FACE_MAX_Z_MM = 48.0

# Reference white matter: centrum semiovale and corona radiata, above the basal ganglia (iron) and the frontal
# and temporal bases (air).
REFERENCE_MIN_Z_MM = 22.0
_REFERENCE_MIN_WM = 0.9
_REFERENCE_MAX_CST = 0.05
_REFERENCE_DEPTH_MM = 2.0  # from anything that is not white matter

# Where the gyri's probabilities sum to less, another gyrus, which is not in the table, is more probable.
_MIN_GYRAL = 0.25
THICKNESS_REGIONS = ("precentral", *(f"precentral_{part}" for part in BODY_PARTS))
_FINE_MM = 0.5
_HALF = 0.5

_BOX_MARGIN_MM = 10.0  # larger than the distance of cortex from the tissues that define its depth


def precentral_regions(
    gm: SpatialImage,
    wm: SpatialImage,
    csf: SpatialImage,
    atlas: SpatialImage,
    table: pd.DataFrame,
    mni_mm: SpatialImage,
    *,
    deep_margin_mm: float = 1.0,
) -> tuple[SpatialImage, pd.DataFrame]:
    """Masks of the precentral gyrus's parts, the control gyri and the reference white matter.

    All images lie on the grid of the SWI (RAS-stored).

    Parameters
    ----------
    gm, wm, csf : SpatialImage
        The person's tissue probabilities, 0 to 1.
    atlas : SpatialImage
        Probabilities of the atlas's regions, shape (X, Y, Z, n), 0 to 1.
    table : DataFrame
        ``index``, ``region``, ``hemi`` of the atlas's volumes. Needed: precentral, postcentral,
        superior_frontal, middle_frontal and cst, L and R. Other frontal neighbours are used where the table
        has them.
    mni_mm : SpatialImage
        MNI coordinates x, y, z of every voxel, shape (X, Y, Z, 3), mm.
    deep_margin_mm : float
        How far the grey ribbon is carried into white matter, at least one voxel: iron makes deep cortex
        look like white matter on the T1w.

    Returns
    -------
    masks : SpatialImage
        uint8, shape (X, Y, Z, n_masks); they overlap.
    table : DataFrame
        ``index``, ``region``, ``hemi`` of the masks: `REGIONS` for L and R, and ``reference_wm``, both.
        `atlases.select` picks from the two. An empty mask is kept.

    Raises
    ------
    InputError
        If grids differ or a region is missing in the atlas.

    Notes
    -----
    Gyri: `sulcus.label_gyri`. Bank of the precentral gyrus: posterior where the postcentral grey matter of the
    same side is nearer than the frontal, in mm. Of the postcentral gyrus: anterior where the precentral grey matter
    is nearer than that of other gyri. Depth: deep where white matter is nearer than the outside, which is
    cerebrospinal fluid or, in a tight sulcus, the grey matter of the next gyrus.
    """
    check_same_grid(gm, wm, csf, atlas, mni_mm)
    if mni_mm.shape[3:] != (3,):
        raise InputError(f"MNI coordinates have shape {mni_mm.shape}; expected x, y and z in a last axis of 3")
    sizes = voxel_sizes(gm)
    known = set(table["region"])
    frontal = [region for region in _FRONTAL if region in known or region in REGIONS]
    gyri = [(region, hemi) for region in ("precentral", "postcentral", *frontal) for hemi in "LR"]
    total = np.sum([np.asarray(select(atlas, table, *gyrus).dataobj) for gyrus in gyri], axis=0)
    # most of a head is far from the gyri, and distance maps cost time
    box = bounding_box(make_image(total >= _MIN_GYRAL, gm), margin_mm=_BOX_MARGIN_MM)

    def cut(image: SpatialImage) -> np.ndarray:
        return np.nan_to_num(np.asarray(image.dataobj, np.float32)[box])

    p_gm, p_wm, p_csf = cut(gm), cut(wm), cut(csf)
    in_brain = p_gm + p_wm + p_csf > 0.5
    is_gm = in_brain & (p_gm >= p_wm) & (p_gm >= p_csf)
    is_wm = in_brain & (p_wm > p_gm) & (p_wm >= p_csf)
    outside = ~(is_gm | is_wm)

    gyrus_of = label_gyri(np.stack([cut(select(atlas, table, *g)) for g in gyri], axis=-1), is_gm, is_wm, p_csf, sizes)
    label = {gyrus: gyrus_of == n for n, gyrus in enumerate(gyri, start=1)}
    grey = {gyrus: inside & is_gm for gyrus, inside in label.items()}
    other = (gyrus_of > len(gyri)) & is_gm
    margin = max(deep_margin_mm, float(sizes.min())) * 1.01  # a voxel's own rounding
    under_grey = is_wm & (distance_mm((gyrus_of > 0) & is_gm, sizes) <= margin)
    ribbon = {gyrus: inside & (is_gm | under_grey) for gyrus, inside in label.items()}

    xyz = cut(mni_mm)
    part = body_parts(xyz)

    found: dict[tuple[str, str], np.ndarray] = {}
    to_wm = distance_mm(is_wm, sizes)
    for hemi in "LR":
        pre, post = (ribbon[region, hemi] for region in ("precentral", "postcentral"))
        grey_pre, grey_post = (grey[region, hemi] for region in ("precentral", "postcentral"))
        grey_front = np.logical_or.reduce([grey[region, hemi] for region in frontal])
        to_front, to_post = distance_mm(grey_front, sizes), distance_mm(grey_post, sizes)
        deep_pre = to_wm < distance_mm(outside | grey_front | grey_post, sizes)
        deep_post = to_wm < distance_mm(outside | grey_pre, sizes)
        own = {
            "precentral": pre,
            "precentral_posterior": pre & (to_post < to_front),
            "precentral_anterior": pre & (to_front < to_post),
            "postcentral": post,
            "postcentral_anterior": post & (distance_mm(grey_pre, sizes) < distance_mm(other, sizes)),
            "superior_frontal": ribbon["superior_frontal", hemi],
            "middle_frontal": ribbon["middle_frontal", hemi],
        }
        for bank, surface, deep in zip(BANKS, SURFACES, (deep_pre, deep_pre, deep_post), strict=True):
            both = own[bank.removesuffix("_deep")]
            own |= {bank: both & deep, surface: both & ~deep}
        for whole in ("precentral", *BANKS, *SURFACES):
            own |= {f"{whole}_{name}": own[whole] & where for name, where in part.items()}
        found |= {(region, hemi): own[region] for region in REGIONS}

    cst = np.maximum(*(cut(select(atlas, table, "cst", hemi)) for hemi in "LR"))
    found[REFERENCE] = (
        (p_wm >= _REFERENCE_MIN_WM)
        & (distance_mm(~is_wm, sizes) > _REFERENCE_DEPTH_MM)
        & (cst <= _REFERENCE_MAX_CST)
        & (xyz[..., 2] >= REFERENCE_MIN_Z_MM)
    )
    listing = pd.DataFrame([(n, r, h) for n, (r, h) in enumerate(found)], columns=ATLAS_COLUMNS)
    # Fortran order: each mask lies in one piece of memory, as it will in its file
    stored = np.zeros((*gm.shape, len(found)), np.uint8, order="F")
    for volume, inside in enumerate(found.values()):
        stored[(*box, volume)] = inside
    return make_image(stored, gm), listing


def body_parts(mni_mm: np.ndarray) -> dict[str, np.ndarray]:
    """Which MNI coordinates, shape (..., 3), lie where the precentral gyrus moves `BODY_PARTS`."""
    x, z = np.abs(mni_mm[..., 0]), mni_mm[..., 2]
    medial = x < LEG_MAX_X_MM
    return {
        "leg": medial & (z >= LEG_MIN_Z_MM),
        "hand": (x >= HAND_X_MM[0]) & (x < HAND_X_MM[1]) & (z >= HAND_Z_MM[0]) & (z < HAND_Z_MM[1]),
        "face": ~medial & (z < FACE_MAX_Z_MM),
    }


def with_coverage(
    names: pd.DataFrame, scan: SpatialImage, atlas: SpatialImage, table: pd.DataFrame, to_scan: Sequence[Transform]
) -> pd.DataFrame:
    """Table of the masks with the share of each gyrus, or part of it, that the scan's field of view covers.

    Parameters
    ----------
    names : DataFrame
        From `precentral_regions`.
    scan : SpatialImage
        The grid of the masks.
    atlas, table
        Atlas in template space.
    to_scan : sequence of transforms
        From points of the template to those of the scan.

    Returns
    -------
    DataFrame
        ``coverage``, 0 to 1: of the atlas's gyrus, in the body part where the mask is one; banks and depths have
        that of the gyrus. 1 for masks that are no gyrus.
    """
    covered: dict[tuple[str, str], float] = {}
    everywhere = world_coordinates(atlas)
    for gyrus in ("precentral", "postcentral", "superior_frontal", "middle_frontal"):
        for hemi in "LR":
            points = everywhere[np.asarray(select(atlas, table, gyrus, hemi).dataobj) >= _MIN_GYRAL]
            ijk = nb.affines.apply_affine(np.linalg.inv(scan.affine), map_points(points, to_scan))
            seen = ((ijk > -0.5) & (ijk < np.array(scan.shape[:3]) - 0.5)).all(axis=-1)
            for part, there in {"": np.ones(len(points), bool), **body_parts(points)}.items():
                covered[f"{gyrus}_{part}" if part else gyrus, hemi] = float(seen[there].mean()) if there.any() else 1.0

    def of(region: str, hemi: str) -> float:
        gyrus = next((g for g, side in covered if region.startswith(g) and side == hemi), None)
        part = region.rpartition("_")[2]
        return 1.0 if gyrus is None else covered[f"{gyrus}_{part}" if part in BODY_PARTS else gyrus, hemi]

    return names.assign(coverage=[of(r, h) for r, h in zip(names["region"], names["hemi"], strict=True)])


def with_thickness(table: pd.DataFrame, masks: SpatialImage, gm: SpatialImage, wm: SpatialImage) -> pd.DataFrame:
    """Table of the masks with the thickness of the precentral cortex, ``thickness_mm``, median over a region.

    Measured on a grid refined to half a millimetre, from the tissue and not from the mask alone: at each grey voxel
    the way to white matter and the way out of the gyrus, together.

    Parameters
    ----------
    table, masks
        From `precentral_regions`.
    gm, wm : SpatialImage
        The person's tissue probabilities, as given to it.

    Returns
    -------
    DataFrame
        ``thickness_mm`` is missing for other regions and for empty ones.
    """
    check_same_grid(masks, gm, wm)
    thickness = {}
    sizes = voxel_sizes(gm)
    for hemi in "LR":
        own = np.asarray(select(masks, table, "precentral", hemi).dataobj) > 0
        if not own.any():
            continue
        box = bounding_box(make_image(own, gm), margin_mm=_BOX_MARGIN_MM)
        zoom = np.ceil(sizes / _FINE_MM)
        grey, white, inside = (
            ndimage.zoom(np.asarray(part[box], np.float32), zoom, order=1, grid_mode=True, mode="nearest")
            for part in (gm.dataobj, wm.dataobj, own)
        )
        fine = sizes / zoom
        is_wm = white > np.maximum(grey, _HALF)
        is_gm = (grey >= white) & (grey >= _HALF) & (inside >= _HALF)
        # from centre to centre of voxels the two ways are half a voxel too long each
        through = np.full(is_gm.shape, np.nan)
        ways = [distance_at(is_gm, target, fine) for target in (is_wm, ~(is_gm | is_wm))]
        through[is_gm] = sum(ways) - np.cbrt(fine.prod())
        for region in THICKNESS_REGIONS:
            part = np.asarray(select(masks, table, region, hemi).dataobj)[box] > 0
            there = is_gm & np.kron(part, np.ones(zoom.astype(int), bool))
            if there.any():
                thickness[region, hemi] = float(np.median(through[there]))
    keys = zip(table["region"], table["hemi"], strict=True)
    return table.assign(thickness_mm=[thickness.get(key, np.nan) for key in keys])


def region_values(
    image: SpatialImage, masks: SpatialImage, table: pd.DataFrame, where: np.ndarray
) -> dict[tuple[str, str], np.ndarray]:
    """Values of an image in each region, as far as ``where`` is true.

    Parameters
    ----------
    image : SpatialImage
        3D.
    masks, table
        From `precentral_regions`, same grid.
    where : ndarray of bool, shape (X, Y, Z)

    Returns
    -------
    dict
        By region and hemi, a 1D array; empty where nothing is left.

    Raises
    ------
    InputError
        If grids differ or a mask of `REGIONS` or the reference is missing.
    """
    check_same_grid(image, masks)
    index = {(r, h): int(n) for n, r, h in table[ATLAS_COLUMNS].itertuples(index=False)}
    lacking = [key for key in [*((r, h) for r in REGIONS for h in "LR"), REFERENCE] if key not in index]
    if lacking:
        raise InputError(
            "no mask for " + ", ".join(f"{r} ({h})" for r, h in lacking) + "; compute them with precentral_regions"
        )
    data = np.asarray(image.dataobj)
    return {key: data[(np.asarray(masks.dataobj[..., n]) > 0) & where] for key, n in index.items()}


def measured_values(
    image: SpatialImage, masks: SpatialImage, table: pd.DataFrame, where: np.ndarray
) -> dict[tuple[str, str], np.ndarray]:
    """As `region_values`, without the masks that serve as references only."""
    auxiliary = set(REGIONS) - set(MEASURED_REGIONS)
    return {key: v for key, v in region_values(image, masks, table, where).items() if key[0] not in auxiliary}


def measured_places(masks: SpatialImage, table: pd.DataFrame, where: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """As `measured_values`, the places of the voxels in a raveled image of that grid in place of an image's values."""
    numbers = make_image(np.arange(where.size, dtype=np.int32).reshape(where.shape), masks)
    return measured_values(numbers, masks, table, where)


def any_region(masks: SpatialImage) -> SpatialImage:
    """Voxels of any of the regions, uint8."""
    return make_image(np.asarray(np.any(np.asarray(masks.dataobj), axis=-1)), masks)
