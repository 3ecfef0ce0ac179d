"""Levels of the corticospinal tract by height in the template."""

# Levels of the corticospinal tract by height in the template (mm). The limits are the vertical
# extents of the cerebral peduncle, posterior limb and superior corona radiata in the JHU labels
# (Mori et al. 2008, NeuroImage 40:570), which meet at these heights.
CST_LEVELS_Z_MM = {
    "cst_pons": (-40.0, -21.0),
    "cst_peduncle": (-21.0, -4.5),
    "cst_plic": (-4.5, 18.5),
    "cst_corona_radiata": (18.5, 44.5),
    "cst_subcortical": (44.5, 80.0),
}


def level_of(z: float) -> str:
    """Level of the tract at a height in the template, mm; empty beyond its ends."""
    return next((level for level, (low, high) in CST_LEVELS_Z_MM.items() if low <= z < high), "")
