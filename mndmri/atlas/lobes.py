"""Lobes of the cortex, and the lateral ventricles, as labels of the template."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.regions import atlas_file, load_probabilities, nearest_structure
from mndmri.grids import make_image

# Beginnings of the Harvard-Oxford atlas's names; insula, cingulate and subcallosal cortex, hippocampus and amygdala are
# of no lobe.
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
_NEAR_MM, _LEAST_FLUID = 6.0, 0.1


def load_lobes(template: SpatialImage) -> SpatialImage:
    """Label of every voxel of the built-in template: its place in `PARTS`, counted from 1; 0 in none.

    Parameters
    ----------
    template : SpatialImage
        As from `mndmri.atlas.regions.load_template`.
    """
    names = pd.read_csv(atlas_file("atlases/labels_harvard_oxford.csv"))["name"]
    fluid = np.array([_VENTRICLE in name for name in names])
    # all compete, so that what belongs to no lobe is not taken for the lobe beside it
    nearest = nearest_structure(np.flatnonzero(~fluid).tolist(), template, within_mm=_NEAR_MM)
    labels = np.array([*map(_lobe_of, names), 0], np.uint8)[nearest]
    for probability in load_probabilities("harvard_oxford", {name: name for name in names[fluid]}, template).values():
        labels[probability >= _LEAST_FLUID] = PARTS.index((VENTRICLES, "both")) + 1
    return make_image(labels, template)


def _lobe_of(name: str) -> int:
    """Label of a volume of the atlas, 0 if it is of no lobe."""
    side, _, structure = name.partition("_")
    for lobe, gyri in _LOBES.items():
        if structure.startswith(gyri):
            return PARTS.index((lobe, _SIDES[side])) + 1
    return 0
