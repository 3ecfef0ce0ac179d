"""The motor neuron from cortex to cord: which measures stand at which level, and how far each lies towards damage."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mndmri.tables.measures import DAMAGE_DIRECTION, KEY

# Regions of each level, from the cortex down.
LEVELS: dict[str, tuple[str, ...]] = {
    "Cortex": ("precentral", "precentral_posterior_deep", "central_sulcus"),
    "Below the cortex": ("cst_subcortical",),
    "Corona radiata": ("cst_corona_radiata",),
    "Internal capsule": ("cst_plic",),
    "Peduncle": ("cst_peduncle", "midbrain"),
    "Pons": ("cst_pons", "pons"),
    "Medulla": ("medulla",),
    "Cord": ("cord_c1c2",),
}
# Of the cortex, a measure for each sign; elsewhere all but those that say again what another does.
_OF_CORTEX = {
    *(("t1w", name, "precentral") for name in ("volume", "thickness")),
    ("t1w", "width", "central_sulcus"),
    ("swi", "band_index", "precentral"),
    ("swi", "normalised_hypointensity", "precentral_posterior_deep"),
    ("qsm", "chi_mean", "precentral_posterior_deep"),
}
_TOLD_BY_OTHERS = ("rd", "fa_atlas_mean", "diameter_lr", "diameter_ap")
_BUILT_IN = ("t1w", "flair", "t2w", "dwi", "swi", "qsm", "r2star")


def damage_sign(modality: str, measure: str, region: str, signs: Mapping[tuple[str, ...], int]) -> int:
    """1 if damage increases a measure, -1 if it decreases it, 0 if neither is expected or known."""
    return signs.get((modality, measure, region), signs.get((modality, measure), 0))


def along_neuron(
    table: pd.DataFrame, values: Sequence[str], *, signs: Mapping[tuple[str, ...], int] = DAMAGE_DIRECTION
) -> pd.DataFrame:
    """Rows of a table of results that belong to the motor neuron, from the cortex down, turned towards damage.

    Parameters
    ----------
    table : DataFrame
        ``modality, measure, region, hemi`` and the columns of ``values``: standardised differences or W-scores.
    values : sequence of str
        Columns that are multiplied by the direction of damage, so that damage is positive; the ends of an interval,
        whose names end in ``_low`` and ``_high``, change places where it is turned.
    signs : mapping
        As `mndmri.tables.measures.directions` returns it.

    Returns
    -------
    DataFrame
        ``level`` before the columns of the table. Measures without a direction of damage are left out, and those that
        have no value in any row of ``values``, as thickness on coarse voxels. At the cortex one measure stands for each
        sign: volume, thickness, width of the sulcus, band index, hypointensity, susceptibility, and any map.
    """
    level_of = {region: level for level, regions in LEVELS.items() for region in regions}
    rows = table[table["region"].isin(level_of) & ~table["measure"].isin(_TOLD_BY_OTHERS)].copy()
    places = [(str(m), str(n), str(r)) for m, n, r in rows[KEY[:3]].itertuples(index=False, name=None)]
    sign = np.array([float(damage_sign(m, n, r, signs)) for m, n, r in places])
    kept = [
        level_of[region] != "Cortex" or modality not in _BUILT_IN or (modality, measure, region) in _OF_CORTEX
        for modality, measure, region in places
    ]
    rows.insert(0, "level", pd.Categorical(rows["region"].map(level_of), categories=list(LEVELS), ordered=True))
    for name in values:
        rows[name] = rows[name].astype(float) * sign
    for low in [name for name in values if name.endswith("_low")]:
        high = low.removesuffix("_low") + "_high"
        rows[[low, high]] = np.where((sign > 0)[:, None], rows[[low, high]], rows[[high, low]])
    rows = rows[np.array(kept, dtype=bool) & (sign != 0)]
    rows = rows[rows.groupby(KEY)[list(values)].transform("count").any(axis=1)]
    return rows.sort_values(["level", *KEY[:3]], kind="stable").reset_index(drop=True)
