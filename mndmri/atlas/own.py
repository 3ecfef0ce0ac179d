"""A user's own template and label images in place of the built-in ones.

Only numpy, nibabel and pandas are used here: the study's check reads the same files when a run starts.
"""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.grids import check_same_grid, make_image, to_canonical
from mndmri.io import InputError, load_image, read_table

SPACE = "MNI152NLin6Asym"
"""Name of the built-in template's space."""

FILES = ("template", "mask", "labels", "table")
"""Keys of the config's block ``atlas`` that are paths."""

NUCLEI = ("thalamus", "caudate", "putamen", "pallidum")
# Without these nothing can be measured in the motor strip or the tract; others may be missing, and are then n/a.
NEEDED = ("precentral", "postcentral", "superior_frontal", "middle_frontal", "cst")
SIDES = {
    **dict.fromkeys(
        (
            *NEEDED,
            *CST_LEVELS_Z_MM,
            *NUCLEI,
            "paracentral",
            "inferior_frontal",
            "supplementary_motor",
            "frontal_wm",
            "occipital_wm",
        ),
        "LR",
    ),
    "callosum": "both",
    "cc_midbody": "both",
    "cc_splenium": "both",
}
"""Every region that a table may name, and on which sides it is: L and R, or one for both."""

_MIDLINE_MM = 5.0  # how far the centre of what belongs to both sides may lie from the middle
_PERCENT = 1.5  # probabilities above are percent


class RegionMaps(dict[tuple[str, str], SpatialImage]):
    """Probability of each region, 0 to 1, by region and side, on one grid."""


def take_template(image: SpatialImage, mask: SpatialImage | None = None) -> SpatialImage:
    """Brain template, RAS-stored, 0 outside the brain.

    Parameters
    ----------
    image : SpatialImage
        3D T1-weighted template in MNI coordinates (mm), of a brain or of a whole head.
    mask : SpatialImage, optional
        Its brain, on the same grid; without, the template has no skull and is 0 outside the brain.

    Raises
    ------
    InputError
        If the image is not 3D, the mask lies on another grid, or there is no brain.
    """
    if len(image.shape) != 3:
        raise InputError(f"atlas.template: found an image of shape {image.shape}, expected one volume")
    brain = to_canonical(image).get_fdata(dtype=np.float32)
    if mask is not None:
        check_same_grid(to_canonical(image), to_canonical(mask))
        brain = brain * (to_canonical(mask).get_fdata() > 0)
    share = float(np.mean(brain > 0))
    if not 0.01 < share < 0.6:
        raise InputError(
            f"atlas.template: {share:.0%} of the voxels are brain (above 0); expected a brain on a background of 0, so "
            "give the mask of its brain as atlas.mask"
        )
    return make_image(brain, to_canonical(image))


def take_labels(labels: SpatialImage, table: pd.DataFrame) -> RegionMaps:
    """Regions of a user's own label image.

    Parameters
    ----------
    labels : SpatialImage
        In the template's space: 3D whole numbers, one region a voxel; or 4D probabilities, a region a volume, 0 to 1
        or in percent.
    table : DataFrame
        ``index`` (the label, or the number of the volume from 0), ``region`` and ``hemi`` (L, R, both). Several rows
        may have one region and side, which are joined; labels that no row names are not used.

    Returns
    -------
    RegionMaps
        float32, RAS-stored, on the grid of ``labels``.

    Raises
    ------
    InputError
        If a row names no known region or side, a label is not in the image, or a region lies on the side opposite to
        its name.
    """
    table = _checked(table)
    image = to_canonical(labels)
    maps: dict[tuple[str, str], np.ndarray] = {}
    if len(image.shape) not in (3, 4):
        raise InputError(f"atlas.labels: found an image of shape {image.shape}, expected 3D labels or 4D probabilities")
    of_label = _volumes(image) if len(image.shape) == 4 else _labels(image)
    for row in table.itertuples(index=False):
        own = of_label(int(row.index), f"{row.region} ({row.hemi})")
        key = str(row.region), str(row.hemi)
        maps[key] = np.clip(maps[key] + own, 0, 1) if key in maps else own
    found = RegionMaps({key: make_image(own, image) for key, own in maps.items()})
    _check_sides(found)
    return found


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    """Table whose columns, regions and sides are known."""
    lacking = [name for name in ("index", "region", "hemi") if name not in table]
    if lacking:
        raise InputError(
            f"atlas.table: no column {', '.join(lacking)} (found {', '.join(map(str, table.columns))}); "
            "expected index, region and hemi"
        )
    problems = []
    for n, row in enumerate(table.itertuples(index=False), start=2):
        sides = SIDES.get(str(row.region))
        if sides is None:
            near = difflib.get_close_matches(str(row.region), SIDES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(SIDES))}"
            problems.append(f"row {n}: unknown region '{row.region}'; {hint}")
        elif str(row.hemi) not in ([sides] if sides == "both" else list(sides)):
            expected = "both" if sides == "both" else "L or R"
            problems.append(f"row {n}: hemi of {row.region} is '{row.hemi}', expected {expected}")
        if not isinstance(row.index, int | np.integer) or row.index < 0:
            problems.append(f"row {n}: index is {row.index}, expected a whole number, 0 or more")
    if problems:
        raise InputError("atlas.table: " + "; ".join(problems))
    return table


def _labels(image: SpatialImage):
    """Function that gives a label's voxels as an array of 0 and 1."""
    data = np.asanyarray(image.dataobj)
    whole = np.rint(data)
    if not np.allclose(data, whole):
        raise InputError("atlas.labels: a 3D image with fractional values, expected whole numbers; give labels, or 4D")
    present = set(np.unique(whole).astype(int).tolist())

    def of_label(index: int, region: str) -> np.ndarray:
        if index not in present:
            raise InputError(f"atlas.table: label {index}, {region}, is not in the image; correct the index")
        return (whole == index).astype(np.float32)

    return of_label


def _volumes(image: SpatialImage):
    """Function that gives a volume's probabilities."""

    def of_label(index: int, region: str) -> np.ndarray:
        if index >= image.shape[3]:
            raise InputError(
                f"atlas.table: volume {index}, {region}, is not in the image, which has {image.shape[3]} volumes, "
                "counted from 0; correct the index"
            )
        own = np.asarray(image.dataobj[..., index], np.float32)
        if own.min() < 0 or own.max() > 100:
            raise InputError(f"atlas.labels: volume {index} has values {own.min():g} to {own.max():g}, expected 0 to 1")
        return own / 100 if own.max() > _PERCENT else own

    return of_label


def _check_sides(maps: Mapping[tuple[str, str], SpatialImage]) -> None:
    """Raise `InputError` where a region does not lie on the side of its name: x is positive on the right."""
    problems = []
    for (region, hemi), image in maps.items():
        weight = np.asarray(image.dataobj)
        if not weight.any():
            problems.append(f"{region} ({hemi}) is empty")
            continue
        x = nb.affines.apply_affine(image.affine, np.argwhere(weight > 0))[:, 0]
        centre = float(np.average(x, weights=weight[weight > 0]))
        if hemi == "both":
            right = abs(centre) <= _MIDLINE_MM
        else:
            right = (centre < 0) == (hemi == "L") and centre != 0
        if not right:
            problems.append(f"{region} ({hemi}) has its centre at x = {centre:.1f} mm")
    if problems:
        raise InputError(
            "atlas: " + "; ".join(problems) + "; left is at negative x. Correct the table's hemi, or use a label image "
            "that is not mirrored"
        )


def check_complete(regions: Iterable[str]) -> None:
    """Raise `InputError` if regions are lacking that nothing can be measured without.

    Parameters
    ----------
    regions : iterable of str
        Those of a table that is used without the built-in atlas.
    """
    named = set(regions)
    lacking = [region for region in NEEDED if region not in named]
    if set(CST_LEVELS_Z_MM) & named and "cst" in lacking:
        lacking.remove("cst")  # the tract is made of its levels
    if lacking:
        raise InputError(
            f"atlas.table: no {', '.join(lacking)}, which the measures need; add labels for them, or set atlas.builtin "
            "to true, which takes them from the built-in atlas"
        )


def check_atlas(atlas: Mapping[str, Any]) -> None:
    """Raise `InputError` if the files that the config's block ``atlas`` names cannot be used.

    Parameters
    ----------
    atlas : mapping
        ``template``, ``mask``, ``labels``, ``table`` (paths or none), ``space`` and ``builtin``.
    """
    for key in FILES:
        if atlas[key] and not Path(atlas[key]).is_file():
            raise InputError(f"atlas.{key}: no such file {atlas[key]}; correct the path")
    if atlas["template"]:
        take_template(load_image(atlas["template"]), load_image(atlas["mask"]) if atlas["mask"] else None)
    if atlas["labels"]:
        table = read_table(atlas["table"])
        take_labels(load_image(atlas["labels"]), table)
        if not atlas["builtin"]:
            check_complete(table["region"])


def space_of(atlas: Mapping[str, Any]) -> str:
    """Name of the space that a study is registered to."""
    return atlas["space"] or SPACE
