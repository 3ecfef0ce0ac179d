"""Lobes of the cortex, and the lateral ventricles, as labels of the template."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.atlas.regions import atlas_file, load_atlas_in
from mndmri.grids import make_image

# Beginnings of the Harvard-Oxford atlas's names; insula, cingulate and subcallosal cortex are of no lobe.
_LOBES: dict[str, tuple[str, ...]] = {
    "frontal": (
        *("Frontal_Pole", "Superior_Frontal", "Middle_Frontal", "Inferior_Frontal", "Precentral", "Frontal_Medial"),
        *("Juxtapositional", "Paracingulate", "Frontal_Orbital", "Frontal_Operculum", "Central_Opercular"),
    ),
    "parietal": (
        *("Postcentral", "Superior_Parietal", "Supramarginal", "Angular", "Precuneous", "Parietal_Operculum"),
    ),
    "temporal": (
        *("Temporal_Pole", "Superior_Temporal", "Middle_Temporal", "Inferior_Temporal", "Parahippocampal"),
        *("Temporal_Fusiform", "Temporal_Occipital_Fusiform", "Planum", "Heschl"),
    ),
    "occipital": (
        *("Lateral_Occipital", "Intracalcarine", "Cuneal", "Lingual", "Occipital_Fusiform", "Supracalcarine"),
        "Occipital_Pole",
    ),
}
VENTRICLES = "ventricles"
_VENTRICLE = "Lateral_Ventric"  # spelt in two ways
# Region and side of each label, 1 for the first.
PARTS = [*((lobe, hemi) for lobe in _LOBES for hemi in "LR"), (VENTRICLES, "both")]
_SIDES = {"Left": "L", "Right": "R"}
# Cortex of a person lies somewhat beside that of the atlas after registration; what of it is grey matter, the person
# tells, as they tell which part of the ventricles' surroundings is fluid.
_CORTEX_PERCENT, _NEAR_MM, _VENTRICLE_PERCENT = 25, 6.0, 10


def load_lobes(template: SpatialImage) -> SpatialImage:
    """Label of every voxel of the built-in template: its place in `PARTS`, counted from 1; 0 in none.

    Parameters
    ----------
    template : SpatialImage
        As from `mndmri.atlas.regions.load_template`.
    """
    names = pd.read_csv(atlas_file("atlases/labels_harvard_oxford.csv"))["name"]
    probability, box = load_atlas_in("harvard_oxford", template)
    likeliest = np.zeros(probability.shape[:3], np.uint8)
    highest = np.full(probability.shape[:3], _CORTEX_PERCENT - 1, np.uint8)
    fluid = np.zeros(probability.shape[:3], bool)
    for n, name in enumerate(names):
        part = _part_of(name)
        if part:
            own = np.asarray(probability.dataobj[..., n])
            if PARTS[part - 1][0] == VENTRICLES:
                fluid |= own >= _VENTRICLE_PERCENT
            else:
                higher = own > highest
                likeliest[higher], highest[higher] = part, own[higher]
    away, nearest = ndimage.distance_transform_edt(likeliest == 0, return_indices=True)
    labels = np.where(away <= _NEAR_MM, likeliest[tuple(nearest)], 0)
    whole = np.zeros(template.shape, np.uint8)
    whole[box] = np.where(fluid, PARTS.index((VENTRICLES, "both")) + 1, labels)
    return make_image(whole, template)


def _part_of(name: str) -> int:
    """Label of a volume of the atlas, 0 if it is of none."""
    side, _, structure = name.partition("_")
    if structure.startswith(_VENTRICLE):
        return PARTS.index((VENTRICLES, "both")) + 1
    for lobe, gyri in _LOBES.items():
        if structure.startswith(gyri):
            return PARTS.index((lobe, _SIDES[side])) + 1
    return 0
