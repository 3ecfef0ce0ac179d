"""The precentral gyrus's banks, depths and body parts on the SWI's own grid, and the veins in it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from skimage.segmentation import watershed

from mndmri.atlases import ATLAS_COLUMNS, select
from mndmri.grids import check_same_grid, make_image, voxel_sizes
from mndmri.io import InputError

REGIONS = (
    "precentral",
    "precentral_posterior",
    "precentral_anterior",
    "precentral_posterior_deep",
    "precentral_leg",
    "precentral_hand",
    "precentral_face",
    "postcentral",
    "superior_frontal",
)
REFERENCE = ("reference_wm", "both")

# The precentral gyrus's neighbours in front, beside the superior frontal. An atlas or parcellation need not have
# them all; without the inferior frontal gyrus the face area's anterior bank is judged by the middle frontal.
_OTHER_FRONTAL = ("middle_frontal", "inferior_frontal", "supplementary_motor")

# What the functions here and in `swi` ask of the project's own atlas
ATLAS_REGIONS = (
    "precentral",
    "postcentral",
    "superior_frontal",
    "middle_frontal",
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

# Where the gyri's probabilities sum to less, another gyrus, which the table lacks, is likelier.
_MIN_GYRAL = 0.25
# A core voxel's distance from the tube's axis in units of the smoothing, judged as slope over curvature; at the
# rim of a sheet the two are alike.
_MAX_OFF_AXIS = 0.7
_BOX_MARGIN_MM = 10.0  # farther than cortex is from what its depth is judged by
_MARKER_LEAD = 0.25  # by which one gyrus must lead the next to seed the watershed


def _distance_mm(target: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Distance in mm from every voxel to the nearest of ``target``; infinite if there is none."""
    if not target.any():
        return np.full(target.shape, np.inf)
    return ndimage.distance_transform_edt(~target, sampling=sizes)


def _bounding_box(wanted: np.ndarray, reach: np.ndarray) -> tuple[slice, ...]:
    """Slices around the true voxels with ``reach`` voxels to spare; the whole array if there are none."""
    if not wanted.any():
        return (slice(None),) * wanted.ndim
    return tuple(
        slice(max(int(i.min()) - r, 0), int(i.max()) + r + 1) for i, r in zip(np.nonzero(wanted), reach, strict=True)
    )


def _parcellate(probability: np.ndarray, gm: np.ndarray, csf: np.ndarray) -> np.ndarray:
    """Gyrus of each voxel, 1 to n in the order of the last axis of ``probability``; 0 for none.

    The atlas says where a gyrus is, the person's sulci where it ends: a watershed rises from white matter
    through grey matter to cerebrospinal fluid, out of the voxels of which the atlas is sure.
    """
    total = probability.sum(axis=-1)
    ranked = np.sort(probability, axis=-1)
    lead = ranked[..., -1] - ranked[..., -2]
    markers = np.where((lead >= _MARKER_LEAD) & (csf < 0.5), probability.argmax(axis=-1) + 1, 0)
    height = gm + 2.0 * csf
    return watershed(height, markers, mask=total >= _MIN_GYRAL)


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
        superior_frontal and cst, L and R. Other frontal neighbours are used where the table has them.
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
        If grids differ or the atlas lacks a region.

    Notes
    -----
    Bank: posterior where the postcentral grey matter of the same side is nearer than the frontal, in mm.
    Depth: deep where white matter is nearer than the outside, which is cerebrospinal fluid or, in a tight
    sulcus, the grey matter of the next gyrus.
    """
    check_same_grid(gm, wm, csf, atlas, mni_mm)
    if mni_mm.shape[3:] != (3,):
        raise InputError(f"MNI coordinates have shape {mni_mm.shape}; expected x, y and z in a last axis of 3")
    sizes = voxel_sizes(gm)
    frontal = ["superior_frontal", *(r for r in _OTHER_FRONTAL if r in set(table["region"]))]
    gyri = [(region, hemi) for region in ("precentral", "postcentral", *frontal) for hemi in "LR"]
    total = np.sum([np.asarray(select(atlas, table, *gyrus).dataobj) for gyrus in gyri], axis=0)
    # most of a head is far from the gyri, and distance maps cost time
    box = _bounding_box(total >= _MIN_GYRAL, np.ceil(_BOX_MARGIN_MM / sizes).astype(int))

    def cut(image: SpatialImage) -> np.ndarray:
        return np.nan_to_num(np.asarray(image.dataobj, np.float32)[box])

    p_gm, p_wm, p_csf = cut(gm), cut(wm), cut(csf)
    in_brain = p_gm + p_wm + p_csf > 0.5
    is_gm = in_brain & (p_gm >= p_wm) & (p_gm >= p_csf)
    is_wm = in_brain & (p_wm > p_gm) & (p_wm >= p_csf)
    outside = ~(is_gm | is_wm)

    parcels = _parcellate(np.stack([cut(select(atlas, table, *g)) for g in gyri], axis=-1), p_gm, p_csf)
    label = {gyrus: parcels == n + 1 for n, gyrus in enumerate(gyri)}
    grey = {gyrus: inside & is_gm for gyrus, inside in label.items()}
    margin = max(deep_margin_mm, float(sizes.min())) * 1.01  # a voxel's own rounding
    under_grey = is_wm & (_distance_mm((parcels > 0) & is_gm, sizes) <= margin)
    ribbon = {gyrus: inside & (is_gm | under_grey) for gyrus, inside in label.items()}

    xyz = cut(mni_mm)
    x, z = np.abs(xyz[..., 0]), xyz[..., 2]
    medial = x < LEG_MAX_X_MM
    leg = medial & (z >= LEG_MIN_Z_MM)
    hand = (x >= HAND_X_MM[0]) & (x < HAND_X_MM[1]) & (z >= HAND_Z_MM[0]) & (z < HAND_Z_MM[1])
    face = ~medial & (z < FACE_MAX_Z_MM)

    masks: dict[tuple[str, str], np.ndarray] = {}
    to_wm = _distance_mm(is_wm, sizes)
    for hemi in "LR":
        own = ribbon["precentral", hemi]
        before = np.logical_or.reduce([grey[r, hemi] for r in frontal])
        to_front, to_back = _distance_mm(before, sizes), _distance_mm(grey["postcentral", hemi], sizes)
        neighbours = before | grey["postcentral", hemi]
        deep = to_wm < _distance_mm(outside | neighbours, sizes)
        masks |= {
            ("precentral", hemi): own,
            ("precentral_posterior", hemi): own & (to_back < to_front),
            ("precentral_anterior", hemi): own & (to_front < to_back),
            ("precentral_posterior_deep", hemi): own & (to_back < to_front) & deep,
            ("precentral_leg", hemi): own & leg,
            ("precentral_hand", hemi): own & hand,
            ("precentral_face", hemi): own & face,
            ("postcentral", hemi): ribbon["postcentral", hemi],
            ("superior_frontal", hemi): ribbon["superior_frontal", hemi],
        }

    cst = np.maximum(*(cut(select(atlas, table, "cst", hemi)) for hemi in "LR"))
    masks[REFERENCE] = (
        (p_wm >= _REFERENCE_MIN_WM)
        & (_distance_mm(~is_wm, sizes) > _REFERENCE_DEPTH_MM)
        & (cst <= _REFERENCE_MAX_CST)
        & (z >= REFERENCE_MIN_Z_MM)
    )
    listing = pd.DataFrame([(n, r, h) for n, (r, h) in enumerate(masks)], columns=ATLAS_COLUMNS)
    stored = np.zeros((*gm.shape, len(masks)), np.uint8)
    stored[box] = np.stack(list(masks.values()), axis=-1)
    return make_image(stored, gm), listing


def find_veins(
    image: SpatialImage,
    mask: SpatialImage,
    *,
    scales_mm: Sequence[float] = (0.5, 0.75, 1.0),
    min_contrast: float = 0.06,
    min_roundness: float = 0.5,
    flank_mm: float = 1.0,
) -> SpatialImage:
    """Mask of dark tubes, from the curvatures of the image.

    Across a dark tube the image curves upwards in two directions, across a dark sheet, such as the
    motor band, in one: a tube's axis is where the second of the curvatures is nearly the first and the
    slope nearly none. The rim of a sheet is curved in two directions too, but steep.

    Parameters
    ----------
    image : SpatialImage
        3D; white matter about 1 (`swi.normalise`).
    mask : SpatialImage
        Where veins are looked for, same grid.
    scales_mm : sequence of float
        Widths (SD) of Gaussian smoothing; a tube answers best at about 0.7 of its radius. Scales below half
        the in-plane voxel size cannot be seen and are left out.
    min_contrast : float
        Smallest second curvature times squared scale, in units of the image: about a third of the darkness of
        a tube that fits the scale.
    min_roundness : float
        Smallest ratio of the second curvature to the first: 1 for a round tube, 0 for a flat sheet.
    flank_mm : float
        Distance from the tube's core within which voxels belong to the vein.

    Returns
    -------
    SpatialImage
        uint8; empty if the voxels are too coarse for every scale.

    References
    ----------
    Sato et al. 1998, Med Image Anal 2:143. Frangi et al. 1998, MICCAI, LNCS 1496:130.
    """
    check_same_grid(image, mask)
    wanted = np.asarray(mask.dataobj) > 0.5
    found = np.zeros(wanted.shape, bool)
    sizes = voxel_sizes(image)
    scales = [s for s in scales_mm if s >= 0.5 * in_plane_mm(image)]
    if not wanted.any() or not scales:
        return make_image(found, image)
    reach = np.ceil(4 * max(scales) / sizes).astype(int) + 2
    box = _bounding_box(wanted, reach)
    data, inside = np.nan_to_num(image.get_fdata()[box]), wanted[box]

    core = np.zeros(data.shape, bool)
    for scale in scales:
        smooth = ndimage.gaussian_filter(data, scale / sizes, mode="nearest")
        curvature = np.linalg.eigvalsh(_hessian(smooth, sizes, inside)) * scale**2
        second, first = curvature[:, 1], curvature[:, 2]
        slope = scale * np.linalg.norm([g[inside] for g in np.gradient(smooth, *sizes)], axis=0)
        core[inside] |= (second >= min_contrast) & (second >= min_roundness * first) & (slope <= _MAX_OFF_AXIS * second)
    found[box] = (_distance_mm(core, sizes) <= flank_mm) & inside
    return make_image(found, image)


def _hessian(smooth: np.ndarray, sizes: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Second derivatives per mm2 of a smoothed image at the voxels ``inside``, shape (n, 3, 3)."""
    hessian = np.empty((int(inside.sum()), 3, 3))
    for a in range(3):
        # differences of neighbours: derivatives of a sampled Gaussian fail on slices thicker than the scale
        second = ndimage.correlate1d(smooth, [1.0, -2.0, 1.0], axis=a, mode="nearest") / sizes[a] ** 2
        hessian[:, a, a] = second[inside]
        slope = ndimage.correlate1d(smooth, [-0.5, 0.0, 0.5], axis=a, mode="nearest") / sizes[a]
        for b in range(a + 1, 3):
            mixed = ndimage.correlate1d(slope, [-0.5, 0.0, 0.5], axis=b, mode="nearest") / sizes[b]
            hessian[:, a, b] = hessian[:, b, a] = mixed[inside]
    return hessian


def in_plane_mm(image: SpatialImage) -> float:
    """Larger voxel size within the plane of the slices, mm; the slices run across the thickest side."""
    return float(np.sort(voxel_sizes(image))[1])
