"""Cross-section of the medulla and the upper cervical cord on a T1-weighted head."""

from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.anatomy.cord_line import STEP_MM, Neck, cut_out_neck, follow_cord
from mndmri.anatomy.cord_outline import Outline, areas_mm2, diameters_mm, find_outline
from mndmri.grids import longest_edge_mm, to_canonical, voxel_volume_ml
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

CORD = "cord_c1c2"
# Below the pontomedullary junction, mm: the medulla, and about C1 to C2.
MEDULLA_MM, WINDOW_MM = (0.0, 30.0), (30.0, 50.0)
UNITS = {"csa": "mm2", "diameter_lr": "mm", "diameter_ap": "mm"}
PROFILE_COLUMNS = [
    *("below_mm", "x", "y", "z", *UNITS),
    *("rejected", "residual_mm", "contrast", "status"),
]
# Its front-back diameter is 8 to 10 mm.
_MAX_VOXEL_MM = 3.0
# The area changes along the window and the medulla: at least so much of them has to be measured.
_LEAST_MM, _LEAST_MEDULLA_MM = 10.0, 22.0
# Of 21 planes in each of 20 people (2 mm), at most 0.08 of the rays were off the outline and their residual SD was 0.1
# to 0.3 mm; contrast was 0.5 to 0.7.
_MOST_REJECTED = {"medulla": 0.6, "cord": 0.25}
_MOST_RESIDUAL_MM = 0.6
_LEAST_CONTRAST = 0.25
# How far the area of a plane of the cord may be from the window's median: 0.15 from C1 to C3 in 17 of these 20 people,
# more where the eye saw a leak.
_MOST_CHANGE = 0.25
_LEAST_WEIGHT = 0.3
_MOST_FAULTY = 0.25  # of the planes of a stretch
# What no healthy or ill cord of an adult has: area, and left-right over front-back diameter.
_AREAS_MM2, _ASPECTS = (25.0, 160.0), (0.8, 2.5)
# Pixels of the straightened image, and how far it reaches from the middle.
_FINE_MM = 0.5
_ACROSS_MM = np.arange(-18.0, 18.01, _FINE_MM)
NOT_SHOWN = "not shown"
LEAK = "the outline leaks into what is beside the cord"


class CordResult(NamedTuple):
    """What was measured of a person's medulla and cord."""

    measures: pd.DataFrame
    """Columns `MEASURE_COLUMNS`."""
    quality: pd.DataFrame
    """Columns `MEASURE_COLUMNS`."""
    profile: pd.DataFrame
    """Columns `PROFILE_COLUMNS`, a row a plane."""
    planes: SpatialImage
    """The image on planes across the cord, the lowest first: right, front, and up along it."""
    inside: SpatialImage
    """Share of each of their voxels inside the outline, 0 to 1."""


def measure_cord(t1w: SpatialImage, recorded: SpatialImage, affine: np.ndarray) -> CordResult:
    """Area and diameters of the upper cervical cord, and volume of the medulla.

    Parameters
    ----------
    t1w : SpatialImage
        3D T1-weighted whole head, as scanned: a step in its signal, as where a bias correction ends, would be taken
        for an edge.
    recorded : SpatialImage
        Where it has a signal, above 0, on its grid once that is RAS-stored.
    affine : ndarray, shape (4, 4)
        From template to its points about the brainstem, as from `mndmri.registration.brainstem.fit_affine`.

    Returns
    -------
    CordResult
        ``csa`` (mm2), ``diameter_lr`` and ``diameter_ap`` (mm) of ``cord_c1c2`` are means over the planes that the
        image shows from 30 to 50 mm below the pontomedullary junction; ``volume`` (ml) of the ``medulla`` is that
        inside the outlines from 0 to 30 mm.
    """
    t1w = to_canonical(t1w)
    neck = cut_out_neck(t1w, recorded, affine)
    outline = find_outline(neck, follow_cord(neck, affine))
    profile = _profile(outline)
    ending = _ending(neck, outline, t1w)
    longest, coarse = longest_edge_mm(t1w), ""
    if longest > _MAX_VOXEL_MM:
        coarse = f"voxels of {longest:.3g} mm do not resolve the cord; at most {_MAX_VOXEL_MM:g} mm needed"
    why = coarse or _unmeasurable(profile, ending, WINDOW_MM, least_mm=_LEAST_MM)
    inside = _within(profile, WINDOW_MM) & (profile["status"] == OK)
    means = profile.loc[inside, list(UNITS)].mean()
    if why == OK and not (_AREAS_MM2[0] < means["csa"] < _AREAS_MM2[1]):
        expected = "{:g} to {:g} mm2 are expected".format(*_AREAS_MM2)
        why = f"an area of {means['csa']:.0f} mm2 is not that of a cord; {expected}"
    aspect = means["diameter_lr"] / means["diameter_ap"]
    if why == OK and not (_ASPECTS[0] < aspect < _ASPECTS[1]):
        expected = "{:g} to {:g} are expected".format(*_ASPECTS)
        why = f"the outline is {aspect:.2g} times as wide as deep, which no cord is; {expected}"
    length_mm = inside.sum() * STEP_MM
    n = round(length_mm * means["csa"] / 1000 / voxel_volume_ml(t1w)) if why == OK else 0
    rows = [
        row("t1w", name, CORD, "both", means[name] if why == OK else np.nan, unit=unit, n_voxels=n, status=why)
        for name, unit in UNITS.items()
    ]
    whole = coarse or _unmeasurable(profile, ending, MEDULLA_MM, least_mm=_LEAST_MEDULLA_MM)
    rows.append(_medulla(profile, whole, voxel_volume_ml(t1w)))
    measures = pd.DataFrame(rows, columns=MEASURE_COLUMNS)
    return CordResult(measures, _quality(profile, inside, why, n), profile, *straighten(neck, outline))


def straighten(neck: Neck, outline: Outline) -> tuple[SpatialImage, SpatialImage]:
    """The image on the planes of an outline, and the share of each voxel inside it, float32."""
    course = outline.course
    x, y = np.meshgrid(_ACROSS_MM, _ACROSS_MM, indexing="ij")
    points = course.middle[:, None, None] + x[..., None] * course.right[:, None, None]
    values = neck.sample(points + y[..., None] * course.front[:, None, None])
    angle = np.arctan2(y, x) % (2 * np.pi)
    at = np.linspace(0, 2 * np.pi, outline.radius.shape[1] + 1)
    edges = [np.interp(angle, at, np.r_[radius, radius[0]]) for radius in outline.radius]
    share = np.clip((np.reshape(edges, values.shape) - np.hypot(x, y)) / _FINE_MM + 0.5, 0, 1)
    affine = np.diag([_FINE_MM, _FINE_MM, STEP_MM, 1.0])
    affine[:3, 3] = _ACROSS_MM[0], _ACROSS_MM[0], -course.below_mm.max(initial=0.0)
    upwards = [np.moveaxis(np.nan_to_num(part)[::-1], 0, -1).astype(np.float32) for part in (values, share)]
    return nb.Nifti1Image(upwards[0], affine), nb.Nifti1Image(upwards[1], affine)


def _profile(outline: Outline) -> pd.DataFrame:
    """Measures of each plane, and why it does not count."""
    course, radius = outline.course, outline.radius
    off = np.where(np.isfinite(outline.edge), outline.edge - radius, np.nan)
    known = outline.weight > 0
    lr, ap = diameters_mm(radius)
    table = pd.DataFrame(
        {
            "below_mm": course.below_mm,
            **dict(zip("xyz", course.middle.T, strict=True)),
            "csa": areas_mm2(radius),
            "diameter_lr": lr,
            "diameter_ap": ap,
            "rejected": (outline.weight < _LEAST_WEIGHT).mean(axis=1),
            "residual_mm": np.sqrt(np.sum(np.where(known, off, 0) ** 2, axis=1) / np.maximum(known.sum(axis=1), 1)),
            "contrast": outline.contrast,
        }
    )
    of_cord = table["below_mm"] >= WINDOW_MM[0]
    most = np.where(of_cord, _MOST_REJECTED["cord"], _MOST_REJECTED["medulla"])
    usual = table.loc[_within(table, WINDOW_MM) & outline.shown, "csa"].median()
    reasons = {
        NOT_SHOWN: ~outline.shown,
        "no contrast between cord and fluid": ~(table["contrast"] > _LEAST_CONTRAST),
        LEAK: (table["rejected"] > most) | (table["csa"] / usual - 1).abs().where(of_cord, 0).gt(_MOST_CHANGE),
        "the edge varies from place to place, as with movement": table["residual_mm"] > _MOST_RESIDUAL_MM,
    }
    table["status"] = np.select(list(reasons.values()), list(reasons), OK)
    table.loc[~outline.shown, [*UNITS, "rejected", "residual_mm", "contrast"]] = np.nan
    return table[PROFILE_COLUMNS]


def _within(profile: pd.DataFrame, ends_mm: tuple[float, float]) -> pd.Series:
    return (profile["below_mm"] >= ends_mm[0]) & (profile["below_mm"] <= ends_mm[1])


def _ending(neck: Neck, outline: Outline, t1w: SpatialImage) -> str:
    """Why no plane follows the last one that is shown."""
    course = outline.course
    last = np.flatnonzero(outline.shown).max(initial=-1)
    length = f"{course.below_mm[last] if last >= 0 else 0:.0f} mm below the pontomedullary junction"
    # where the ring of fluid would be 5 mm further
    middle = course.middle[last] + 5.0 * course.along[last]
    angles = np.linspace(0, 2 * np.pi, 32)[:, None]
    ring = middle + 12.0 * (np.cos(angles) * course.right[last] + np.sin(angles) * course.front[last])
    index = nb.affines.apply_affine(np.linalg.inv(t1w.affine), ring)
    if ((index < -0.5) | (index > np.array(t1w.shape[:3]) - 0.5)).any():
        return f"the image ends {length}"
    if np.isnan(neck.sample(ring)).any():
        return f"no signal is recorded from {length} on (a removed face, padding)"
    return f"the cord was lost {length}"


def _unmeasurable(profile: pd.DataFrame, ending: str, ends_mm: tuple[float, float], *, least_mm: float) -> str:
    """Why a stretch cannot be measured, or ok."""
    inside = profile[_within(profile, ends_mm)]
    good, shown = (inside["status"] == OK).sum(), (inside["status"] != NOT_SHOWN).sum()
    faults = inside.loc[~inside["status"].isin([OK, NOT_SHOWN]), "status"]
    if len(faults) > _MOST_FAULTY * shown:
        return f"{faults.mode()[0]}, in {len(faults)} of {shown} planes"
    if good * STEP_MM <= least_mm:
        return f"{ending}; more than {least_mm:g} mm between {ends_mm[0]:g} and {ends_mm[1]:g} mm are needed"
    return OK


def _medulla(profile: pd.DataFrame, why: str, voxel_ml: float) -> dict[str, Any]:
    """Row of the medulla's volume, with the areas of planes that do not count from those nearest to them."""
    areas = profile.loc[profile["status"] == OK].set_index("below_mm")["csa"]
    begin, end = MEDULLA_MM
    areas = areas.reindex(np.arange(begin, end + STEP_MM / 2, STEP_MM)).interpolate(limit_direction="both")
    ml = float(np.trapezoid(areas, dx=STEP_MM) / 1000) if why == OK else np.nan
    n = round(ml / voxel_ml) if why == OK else 0
    return row("t1w", "volume", "medulla", "both", ml, unit="ml", n_voxels=n, status=why)


def _quality(profile: pd.DataFrame, inside: pd.Series, why: str, n: int) -> pd.DataFrame:
    """Share of the window that was measured, and how far from the isocentre it lies."""
    share = inside.sum() / (np.ptp(WINDOW_MM) / STEP_MM + 1)
    middle = profile.loc[_within(profile, WINDOW_MM), ["x", "y", "z"]].mean().to_numpy(float)
    away = float(np.linalg.norm(middle))
    status = OK if np.isfinite(away) else why
    return pd.DataFrame(
        [
            row("t1w", "cord_coverage", CORD, "both", share, unit="1", n_voxels=n),
            row("t1w", "isocentre_distance", CORD, "both", away, unit="mm", n_voxels=n, status=status),
        ]
    )
