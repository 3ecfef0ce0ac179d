"""Tables of true values, from noise-free signals and true maps on a scan's own grid."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.grids import voxel_volume_ml
from mndmri.phantom.damage import DEEP, body_part
from mndmri.phantom.deformation import Head
from mndmri.phantom.head import BODY_PART_X_MM

TRUTH_COLUMNS = ["modality", "measure", "region", "hemi", "value"]

MIN_FA = 0.2  # below it a voxel of the tract is not counted, as in the measure it stands beside
_HALF = 0.5  # a voxel belongs to a region that fills more than this
_PURE = 0.95  # reference white matter
_VEIN = 0.05


def _table(rows: Sequence[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=TRUTH_COLUMNS)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else np.nan


def true_volumes(head: Head) -> pd.DataFrame:
    """Volumes (ml) of tissues and of the grey matter of gyri."""
    voxel = voxel_volume_ml(head.grid)
    ml = {
        name: float(head.maps[tissue].sum()) * voxel
        for name, tissue in (("gm", "grey"), ("wm", "white"), ("csf", "csf"))
    }
    rows = [("t1w", "volume", name, "both", value) for name, value in {"tiv": sum(ml.values()), **ml}.items()]
    for region in ("precentral", "postcentral", "superior_frontal"):
        inside = head.maps["grey"] * head.maps[region]
        rows += [("t1w", "volume", region, h, float(inside[head.side(h)].sum()) * voxel) for h in "LR"]
    return _table(rows)


def true_area(mm2: float) -> pd.DataFrame:
    """Area of the cord, mm2."""
    return _table([("t1w", "csa", "cord_c1c2", "both", mm2)])


def true_tract(head: Head, fa: np.ndarray, md: np.ndarray) -> pd.DataFrame:
    """Means of FA and MD (1e-3 mm2/s) over the tract and its levels, and over the callosum.

    Weights are tract x white matter, where FA exceeds 0.2.
    """
    where = tract_levels(head) | {("callosum", "both"): head.maps["callosum"]}
    rows = []
    for (region, hemi), weight in where.items():
        weight = weight * head.maps["white"] * (fa > MIN_FA)
        total = weight.sum()
        for measure, values in (("fa", fa), ("md", md)):
            rows.append(
                (
                    "dwi",
                    measure,
                    region,
                    hemi,
                    float((weight * values).sum() / total) if total > 0 else np.nan,
                )
            )
    return _table(rows)


def tract_levels(head: Head) -> dict[tuple[str, str], np.ndarray]:
    """Where the tract and each of its levels is, 0 to 1, by region and hemi."""
    height = head.place[..., 2]
    where = {("cst", h): head.maps["cst"] * head.side(h) for h in "LR"}
    for level, (low, high) in CST_LEVELS_Z_MM.items():
        where |= {(level, h): where["cst", h] * ((height >= low) & (height < high)) for h in "LR"}
    return where


def true_map(head: Head, values: np.ndarray, name: str) -> pd.DataFrame:
    """What a map's measure is of the head, without noise and non-uniformity.

    Parameters
    ----------
    head : Head
    values : ndarray, shape (X, Y, Z)
    name : {'mtr', 'flair', 'cbf'}
        The means of the tract and its levels, weighted by tract x white matter (``mtr``); the medians of their white
        matter over that of white matter elsewhere (``flair``); or the means of the grey matter of gyri over that of
        all grey matter (``cbf``).
    """
    maps, rows = head.maps, []
    if name == "cbf":
        everywhere = np.average(values, weights=maps["grey"])
        gyri = {(r, h): maps[r] * maps["grey"] * head.side(h) for r in ("precentral", "postcentral") for h in "LR"}
        rows = [(name, "relative", *where, np.average(values, weights=w) / everywhere) for where, w in gyri.items()]
    else:
        levels = {where: w * maps["white"] for where, w in tract_levels(head).items()}
        if name == "mtr":
            rows = [(name, "mean", *where, np.average(values, weights=w)) for where, w in levels.items()]
        else:
            white = _reference(head, values)
            rows = [(name, "signal_ratio", *where, _median(values[w > _HALF]) / white) for where, w in levels.items()]
    return _table(rows)


def _reference(head: Head, values: np.ndarray) -> float:
    """Median of white matter outside the tract."""
    maps = head.maps
    return _median(values[(maps["white"] > _PURE) & (maps["cst"] < 0.05) & (maps["pallidum"] < 0.05)])


def true_hypointensity(head: Head, magnitude: np.ndarray) -> pd.DataFrame:
    """Medians of the grey matter of regions against white matter's, and of the motor band against its neighbours'.

    ``normalised_hypointensity`` is 1 - median(region) / median(white matter outside the tract). ``band_contrast``
    is 1 - median(deep posterior bank) / the lesser median of the deep anterior bank and the deep postcentral
    gyrus, in each body part. Veins are left out.
    """
    maps = head.maps
    reference = _reference(head, magnitude)
    grey = (maps["grey"] > _HALF) & (maps["vein"] < _VEIN)
    precentral = grey & (maps["precentral"] > _HALF)
    posterior = precentral & (maps["posterior_bank"] > _HALF)
    postcentral = grey & (maps["postcentral"] > _HALF)
    deep = maps["depth"] < DEEP
    rows: list[tuple] = []
    for hemi in "LR":
        side = head.side(hemi)
        regions = {
            "precentral": precentral & side,
            "precentral_posterior": posterior & side,
            "precentral_anterior": precentral & ~posterior & side,
            "precentral_posterior_deep": posterior & deep & side,
            **{f"precentral_{part}": precentral & body_part(head, part, hemi) for part in BODY_PART_X_MM},
            **{f"precentral_posterior_deep_{p}": posterior & deep & body_part(head, p, hemi) for p in BODY_PART_X_MM},
            "postcentral": postcentral & side,
            "superior_frontal": grey & (maps["superior_frontal"] > _HALF) & side,
        }
        rows += [
            ("swi", "normalised_hypointensity", name, hemi, 1 - _median(magnitude[inside]) / reference)
            for name, inside in regions.items()
        ]
        for part in BODY_PART_X_MM:
            here = deep & body_part(head, part, hemi)
            band, *neighbours = (
                _median(magnitude[gyrus & here]) for gyrus in (posterior, precentral & ~posterior, postcentral)
            )
            # not the built-in min: it would pass over a neighbour that is not there
            rows.append(("swi", "band_contrast", f"precentral_{part}", hemi, 1 - band / float(np.min(neighbours))))
    return _table(rows)
