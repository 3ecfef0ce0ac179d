"""Both banks of the central sulcus, unfolded to a strip."""

from typing import Any

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from mndmri.atlas.regions import select
from mndmri.grids import bounding_box, check_same_grid, make_image, voxel_sizes
from mndmri.io import InputError
from mndmri.susceptibility.geometry import in_plane_mm
from mndmri.susceptibility.regions import body_parts
from mndmri.tables.dictionaries import TITLE

STRIP_COLUMNS = ["hemi", "bank", "arc", "depth", "part", "value", "n_voxels"]

# Gyrus on either side of the sulcus, and the mask of its bank
BANKS = {"precentral": "precentral_posterior", "postcentral": "postcentral_anterior"}

# The central sulcus of the template (mm; x without its sign), from the medial wall over the edge and the hand knob
# to the face: mean places where both Harvard-Oxford probabilities, precentral and postcentral, pass 0.15 in
# sectors of 9 degrees about (18, 15) in the coronal plane, weighted by the lesser of the two, both sides.
SULCUS_MM = np.array(
    [
        (2.2, -35.2, 54.4),
        (4.0, -34.3, 62.6),
        (11.3, -32.5, 68.3),
        (19.3, -29.4, 67.6),
        (27.3, -27.5, 64.0),
        (34.1, -25.8, 60.6),
        (39.9, -21.2, 55.0),
        (43.9, -15.5, 48.9),
        (48.1, -13.5, 43.5),
        (51.9, -10.7, 38.5),
        (55.5, -7.6, 32.9),
        (58.0, -5.5, 27.0),
        (60.6, -4.4, 20.9),
        (62.2, -4.5, 14.5),
    ]
)
_SULCUS_STEP_MM = 0.25

# A path that leaves the cortex counts so many times its length: it crosses a hole in a mask, not a gyrus.
_COST_OUTSIDE = 4.0
_TOUCHING = np.ones((3, 3, 3), bool)


def unfold(
    image: SpatialImage,
    masks: SpatialImage,
    table: pd.DataFrame,
    mni_mm: SpatialImage,
    veins: SpatialImage | None = None,
    *,
    arc_step_mm: float = 4.0,
    depth_bins: int = 5,
    deep_only: bool = True,
    max_in_plane_mm: float = 1.5,
) -> pd.DataFrame:
    """Median of an image over patches of both banks of the central sulcus, a row a patch.

    Parameters
    ----------
    image : SpatialImage
        3D, on the grid of the masks: normalised SWI, or susceptibility. Voxels that are not finite, or exactly 0
        as outside a brain mask, are left out.
    masks, table
        From `regions.precentral_regions`.
    mni_mm : SpatialImage
        MNI coordinates x, y, z of every voxel, shape (X, Y, Z, 3), mm.
    veins : SpatialImage, optional
        From `veins.find_veins`; these voxels are left out.
    arc_step_mm : float
        Length of a patch along the sulcus; the sulcus is divided evenly into patches about that long.
    depth_bins : int
        Patches between crown and fundus of one bank.
    deep_only : bool
        Whether only the deep layers of the cortex, where the motor band is, are seen.
    max_in_plane_mm : float
        Coarser voxels do not resolve banks and depths: every patch is missing.

    Returns
    -------
    DataFrame
        Columns `STRIP_COLUMNS` (see `strips_dictionary`); every patch of both sides has a row, whose value is
        missing where it has no voxel. Left before right, precentral before postcentral, each by arc and depth.

    Raises
    ------
    InputError
        If grids differ or a mask is missing.

    Notes
    -----
    Place along the sulcus is that of the nearest point of the template's sulcus, so that patches of different
    people are the same place of the homunculus. Bank and depth are the person's own. Depth is c / (c + f):
    c and f are the lengths of the shortest paths within the bank to the middle of the gyrus's crown, where the
    other half of the gyrus begins, and to the fundus, where the deep layers of both banks meet.
    """
    check_same_grid(image, masks, mni_mm, *([] if veins is None else [veins]))
    if mni_mm.shape[3:] != (3,):
        raise InputError(f"MNI coordinates have shape {mni_mm.shape}; expected x, y and z in a last axis of 3")
    data, xyz = np.asarray(image.dataobj, np.float32), np.asarray(mni_mm.dataobj)
    seen = np.isfinite(data) & (data != 0) & (in_plane_mm(image) <= max_in_plane_mm)
    if veins is not None:
        seen &= np.asarray(veins.dataobj) < 0.5

    line, arcs = _sulcus()
    nearest = cKDTree(line)
    arc_bins = round(arcs[-1] / arc_step_mm)
    arc_centres = (np.arange(arc_bins) + 0.5) / arc_bins * arcs[-1]
    depth_centres = (np.arange(depth_bins) + 0.5) / depth_bins
    patches = pd.MultiIndex.from_product([arc_centres, depth_centres], names=["arc", "depth"])
    part = np.repeat(_body_part(line[np.searchsorted(arcs, arc_centres)]), depth_bins)

    strips = []
    for hemi, sign in (("L", -1), ("R", 1)):
        for bank, depth in _sulcal_depth(masks, table, hemi).items():
            layer = f"{BANKS[bank]}_deep" if deep_only else BANKS[bank]
            inside = _mask(masks, table, layer, hemi) & seen & np.isfinite(depth)
            place = nearest.query(xyz[inside] * (sign, 1, 1))[1]
            within = (place > 0) & (place < len(line) - 1)  # the ends are nearest to all that lies beyond them
            n_arc = (arcs[place[within]] / arcs[-1] * arc_bins).astype(int)
            n_depth = np.minimum((depth[inside][within] * depth_bins).astype(int), depth_bins - 1)
            values = pd.Series(data[inside][within]).groupby(n_arc * depth_bins + n_depth).agg(["median", "size"])
            values = values.reindex(range(len(patches)))
            strips.append(
                patches.to_frame(index=False).assign(
                    hemi=hemi,
                    bank=bank,
                    part=part,
                    value=values["median"].to_numpy(float),
                    n_voxels=values["size"].fillna(0).to_numpy(int),
                )
            )
    return pd.concat(strips, ignore_index=True)[STRIP_COLUMNS]


def _sulcus() -> tuple[np.ndarray, np.ndarray]:
    """Points along the template's central sulcus, shape (n, 3), x without its sign, and how far along each is, mm."""
    arcs = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(SULCUS_MM, axis=0), axis=1))])
    fine = np.linspace(0, arcs[-1], round(arcs[-1] / _SULCUS_STEP_MM) + 1)
    return np.column_stack([np.interp(fine, arcs, coordinate) for coordinate in SULCUS_MM.T]), fine


def _body_part(xyz: np.ndarray) -> np.ndarray:
    """Leg, hand, face or none of them, for points of shape (n, 3)."""
    parts = np.full(len(xyz), None, dtype=object)
    for part, there in body_parts(xyz).items():
        parts[there] = part
    return parts


def _mask(masks: SpatialImage, table: pd.DataFrame, region: str, hemi: str) -> np.ndarray:
    return np.asarray(select(masks, table, region, hemi).dataobj) > 0.5


def _sulcal_depth(masks: SpatialImage, table: pd.DataFrame, hemi: str) -> dict[str, np.ndarray]:
    """Depth of every voxel of each bank, 0 on the crown of the gyrus to 1 at the fundus; NaN elsewhere."""
    gyri = {gyrus: _mask(masks, table, gyrus, hemi) for gyrus in BANKS}
    box = bounding_box(make_image(np.logical_or(*gyri.values()), masks))
    gyri = {gyrus: inside[box] for gyrus, inside in gyri.items()}
    banks = {gyrus: _mask(masks, table, bank, hemi)[box] for gyrus, bank in BANKS.items()}
    deep = {gyrus: _mask(masks, table, f"{bank}_deep", hemi)[box] for gyrus, bank in BANKS.items()}
    depths = {}
    for gyrus, other in (("precentral", "postcentral"), ("postcentral", "precentral")):
        bank = banks[gyrus]
        # through a thin gyrus the deep layers of its halves touch, and only on its crown the superficial ones
        crown = bank & ~deep[gyrus] & ndimage.binary_dilation(gyri[gyrus] & ~bank, _TOUCHING)
        fundus = deep[gyrus] & ndimage.binary_dilation(deep[other], _TOUCHING)
        to_crown, to_fundus = (_path_mm(bank, start, voxel_sizes(masks)) for start in (crown, fundus))
        depths[gyrus] = np.full(masks.shape[:3], np.nan)
        depths[gyrus][box][bank] = (to_crown / (to_crown + to_fundus))[bank]
    return depths


def _path_mm(inside: np.ndarray, start: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Length of the shortest path from ``start`` to every voxel, mm, costly outside the mask; NaN without a start."""
    if not start.any():
        return np.full(inside.shape, np.nan)
    costs = np.where(inside, 1.0, _COST_OUTSIDE)
    return MCP_Geometric(costs, sampling=tuple(sizes)).find_costs(np.argwhere(start))[0]


def strips_dictionary(space: str) -> dict[str, Any]:
    """BIDS data dictionary of the strips of a person's or a study's images, from the name of the template's space."""
    return {
        TITLE: "SWI and susceptibility on both banks of the central sulcus, unfolded",
        "participant_id": {"Description": "Participant, as in the study's participants table."},
        "group": {"Description": "Study group, as the config maps the participants table's labels."},
        "modality": {"Description": "Image: swi, normalised; or qsm, susceptibility in ppm."},
        "hemi": {"Description": "Side of the participant's body: L or R."},
        "bank": {
            "Description": "Gyrus whose bank it is: precentral (its posterior) or postcentral (its anterior bank)."
        },
        "arc": {
            "Description": f"Centre of the patch along the central sulcus of the template ({space}), from the "
            "medial wall over the hand knob to the face.",
            "Units": "mm",
        },
        "depth": {
            "Description": "Centre of the patch along the bank, within the cortex: 0 at the middle of the "
            "gyrus's crown, 1 at the fundus of the person's own sulcus.",
            "Units": "1",
        },
        "part": {"Description": "Body area at this position along the sulcus: leg, hand or face; n/a between."},
        "value": {"Description": "Median over the voxels of the patch, veins removed; n/a without a voxel."},
        "n_voxels": {"Description": "Number of voxels of the native image in the value."},
    }
