"""The motor band score in simulated cohorts: is it found where it was planted, and nowhere else?

Everybody has veins of their own, a scan with noise, and labels in the wrong place by 2 mm: the atlas and its
coordinates are carried to a person along a path that a smooth random field has bent, while the tissue is the person's
own but for a blur and 0.5 mm. The T1w image and its registration, which make such errors in life, have no part here.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nibabel.spatialimages import SpatialImage
from scipy import ndimage, stats

from mndmri.atlas.regions import build_atlas, restrict, select
from mndmri.grids import make_image, to_canonical, voxel_sizes
from mndmri.phantom import anatomy as shared_head
from mndmri.phantom.gre import VIEW, simulate_gre
from mndmri.phantom.head import Anatomy
from mndmri.phantom.plan import BAND_KEYS, complete, plan_cohort
from mndmri.phantom.scanning import place_person
from mndmri.registration.transforms import map_points
from mndmri.statistics.motor_band import score_motor_band
from mndmri.statistics.prevalence import sign_prevalence
from mndmri.susceptibility.measures import measure_susceptibility
from mndmri.susceptibility.regions import ATLAS_REGIONS, REFERENCE, precentral_regions
from mndmri.susceptibility.swi import make_swi, normalise
from mndmri.susceptibility.veins import find_veins
from mndmri.tables.band_norms import MIN_CONTROLS, PARTS
from mndmri.tables.measures import GROUP_COLUMNS

pytestmark = pytest.mark.benchmark

# Motor strip and the white matter that serves as its reference; a whole head would take four times as long
SLAB = VIEW._replace(size_mm=(150.0, 95.0, 72.0), middle_mm=(0.0, -17.0, 48.0))
LABEL_ERROR_MM, LABEL_SMOOTH_MM = 2.0, 15.0
TISSUE_ERROR_MM, TISSUE_SMOOTH_MM, TISSUE_BLUR_MM = 0.5, 8.0, 0.5
DARKENING = 0.15
SIDES = [(part, hemi) for part in PARTS for hemi in "LR"]
TOTAL = ("precentral", "both")

GROUPS = {"ALS": 13, "PLS": 5, "control": 10}
PATIENT = {"band_darkening": DARKENING, "precentral_volume_loss": 0.12}
PUBLISHED = {
    "seed": 21,
    "groups": GROUPS,
    "effects": {"ALS": PATIENT | {"band_prevalence": 9 / 13}, "PLS": PATIENT | {"band_prevalence": 4 / 5}},
    "gre": {"voxel_mm": [0.8, 0.8, 1.5], "own_veins": True},
}


class World(NamedTuple):
    """What all simulated people share."""

    anatomy: Anatomy
    to_template: SpatialImage
    atlas: SpatialImage
    table: pd.DataFrame


class Labels(NamedTuple):
    """What the T1w image would tell of a person, on the grid of the scan."""

    tissues: list[SpatialImage]
    atlas: SpatialImage
    table: pd.DataFrame
    mni: SpatialImage


class Cohort(NamedTuple):
    plan: pd.DataFrame
    measures: pd.DataFrame
    labels: dict[str, Labels]  # of the controls
    scores: pd.DataFrame


@pytest.fixture(scope="module")
def world() -> World:
    atlas, table = restrict(*build_atlas(), ATLAS_REGIONS)
    warp = shared_head._register_atlas_space(2.0)
    return World(shared_head.build_anatomy(), warp.moving_to_fixed, atlas, table)


@pytest.fixture(scope="module")
def published(world) -> Cohort:
    """13 ALS, 5 PLS and 10 controls at 0.8 x 0.8 x 1.5 mm; 9, 4 and 0 with a band of 15% on average."""
    plan = plan_cohort(PUBLISHED)
    rows, labels = [], {}
    for person in plan.to_dict("records"):
        found = label(world, person, PUBLISHED)
        rows.append(measure(world, person, PUBLISHED, found))
        if person["group"] == "control":
            labels[person["participant_id"]] = found
    measures = pd.concat(rows, ignore_index=True)
    return Cohort(plan, measures, labels, wide(score_motor_band(measures, plan, reference="control")))


def smooth_field(rng: np.random.Generator, grid: SpatialImage, size_mm: float, smooth_mm: float) -> np.ndarray:
    """Random vectors of a root-mean-square length of ``size_mm``, shape (3, X, Y, Z), mm."""
    step = 4.0
    extent = np.array(grid.shape) * voxel_sizes(grid)
    margin = int(3 * smooth_mm / step)
    shape = np.ceil(extent / step).astype(int) + 1 + 2 * margin
    coarse = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), smooth_mm / step) for _ in range(3)])
    index = np.indices(grid.shape) * (voxel_sizes(grid) / step)[:, None, None, None] + margin
    field = np.stack([ndimage.map_coordinates(part, index, order=1, output=np.float32) for part in coarse])
    return field * size_mm / np.sqrt((field**2).sum(axis=0).mean())


def label(world: World, person: Mapping[str, Any], simulation: Mapping[str, Any]) -> Labels:
    """Tissue, atlas and template coordinates of a person, with their errors."""
    head, _ = place_person(world.anatomy, person, complete(simulation), "gre", SLAB)
    grid, sizes = head.grid, voxel_sizes(head.grid)
    rng = np.random.default_rng([int(person["seed"]), 900])
    error = np.moveaxis(smooth_field(rng, grid, LABEL_ERROR_MM, LABEL_SMOOTH_MM), 0, -1)
    mni = map_points(head.place + error, [world.to_template]).astype(np.float32)
    where = np.moveaxis(nb.affines.apply_affine(np.linalg.inv(world.atlas.affine), mni), -1, 0)
    volumes = np.moveaxis(np.asarray(world.atlas.dataobj), -1, 0)
    probability = [ndimage.map_coordinates(v, where, order=1, output=np.float32) for v in volumes]
    shift = smooth_field(rng, grid, TISSUE_ERROR_MM, TISSUE_SMOOTH_MM) / sizes[:, None, None, None]
    place = np.indices(grid.shape) + shift
    tissues = [
        ndimage.map_coordinates(ndimage.gaussian_filter(head.maps[t], TISSUE_BLUR_MM / sizes), place, order=1)
        for t in ("grey", "white", "csf")
    ]
    return Labels(
        [make_image(t, grid) for t in tissues],
        make_image(np.stack(probability, axis=-1), grid),
        world.table,
        make_image(mni, grid),
    )


def scan(world: World, person: Mapping[str, Any], simulation: Mapping[str, Any]) -> SpatialImage:
    """Susceptibility-weighted image of a person."""
    taken = simulate_gre(world.anatomy, person, simulation, view=SLAB)
    magnitude, phase = ([to_canonical(i) for i in images] for images in (taken.magnitude, taken.phase))
    return make_swi(magnitude, phase, paramagnetic_sign=1)


def measure_scan(swi: SpatialImage, labels: Labels) -> pd.DataFrame:
    """Measures of a scan."""
    masks, names = precentral_regions(*labels.tissues, labels.atlas, labels.table, labels.mni)
    brain = make_image(sum(t.get_fdata() for t in labels.tissues) > 0.5, swi)
    # the scan has no shading, and looking for one would take half of the time
    even = normalise(swi, brain, select(masks, names, *REFERENCE), bias_iterations=())
    veins = find_veins(even, make_image(np.asarray(masks.dataobj).any(axis=-1), even))
    return measure_susceptibility(even, masks, names, veins)


def measure(
    world: World, person: Mapping[str, Any], simulation: Mapping[str, Any], labels: Labels | None = None
) -> pd.DataFrame:
    """Rows of the measures table of a person."""
    rows = measure_scan(scan(world, person, simulation), labels or label(world, person, simulation))
    return rows.assign(participant_id=person["participant_id"], group=person["group"])[GROUP_COLUMNS]


def wide(scored: pd.DataFrame) -> pd.DataFrame:
    """A row a person, a column (region, hemi)."""
    return scored.pivot(index="participant_id", columns=["region", "hemi"], values="value")


def planted(person: Mapping[str, Any], effect: str, where=BAND_KEYS) -> dict[str, Any]:
    """A person with an effect; ``where`` as ``hand_L``."""
    return dict(person) | {f"{effect}_{part}": DARKENING for part in where}


def area(positive: pd.Series, negative: pd.Series) -> float:
    """Area under the ROC curve."""
    return float(stats.mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative)))


def twins(world: World, published: Cohort, people: list[str], change) -> pd.DataFrame:
    """Scores of controls who had something planted in them, judged by the others who had not."""
    scored = []
    for person in published.plan.set_index("participant_id", drop=False).loc[people].to_dict("records"):
        who = person["participant_id"]
        rows = measure(world, change(person), PUBLISHED, published.labels[who])
        measures = pd.concat([published.measures[published.measures["participant_id"] != who], rows])
        scored.append(score_motor_band(measures, published.plan, reference="control").query("participant_id == @who"))
    return wide(pd.concat(scored))


def test_the_score_separates_a_band_of_fifteen_percent_from_none(published):
    bearer = (published.plan["band_darkening_hand_L"] > 0).to_numpy()
    total = published.scores.loc[published.plan["participant_id"], TOTAL]
    found = area(total[bearer], total[~bearer])
    print(f"\nWith a band: {sorted(total[bearer])}; without: {sorted(total[~bearer])}; AUC {found:.3f}")
    contrast = wide(published.measures.query("measure == 'band_darkness'")).loc[total.index]
    for key in SIDES:
        own = contrast[key]
        text = ", ".join(f"{own[is_it].mean():.3f} (SD {own[is_it].std():.3f})" for is_it in (bearer, ~bearer))
        print(f"{' '.join(key)}: with, without a band {text}; AUC {area(own[bearer], own[~bearer]):.3f}")
    assert found >= 0.95


def test_who_has_veins_only_scores_none_or_one(published):
    without = published.plan.loc[published.plan["band_darkening_hand_L"] == 0, "participant_id"]
    assert (published.scores.loc[without, TOTAL] <= 1).all(), published.scores.loc[without]


def test_the_published_prevalence_is_found(published):
    scored = score_motor_band(published.measures, published.plan, reference="control")
    table = sign_prevalence(scored, published.plan, groups=list(GROUPS), reference="control")
    groups = table[table["test"].isna()].set_index("group")
    print(f"\n{table.to_string()}")
    assert groups["n_present"].to_dict() == {"ALS": 9, "PLS": 4, "control": 0}
    assert groups["n_assessable"].to_dict() == GROUPS
    assert groups.loc["ALS", ["ci_low", "ci_high"]].tolist() == pytest.approx([38.9, 89.6], abs=0.05)
    tests = table.dropna(subset="test").set_index(["test", "contrast"])["p"]
    assert tests["fisher", "ALS-control"] == pytest.approx(0.0016, abs=5e-5)
    assert tests["fisher", "PLS-control"] == pytest.approx(0.0037, abs=5e-5)
    assert tests["fisher", "ALS-PLS"] == pytest.approx(1.0)
    assert tests["fisher_freeman_halton"].item() == pytest.approx(0.000505, abs=5e-7)


def test_a_band_in_the_left_hand_region_is_found_there_and_nowhere_else(world, published):
    people = list(published.labels)[:3]
    before, after = (
        published.scores.loc[people],
        twins(world, published, people, lambda person: planted(person, "band_darkening", ["hand_L"])),
    )
    here = ("precentral_hand", "L")
    print(f"\n{after[[*SIDES, TOTAL]].to_string()}")
    assert (after[here] >= 1).all()
    elsewhere = [key for key in SIDES if key != here]
    assert (after[elsewhere] <= before[elsewhere]).all(axis=None)


@pytest.mark.parametrize("effect", ["anterior_darkening", "postcentral_darkening"])
def test_darkening_beside_the_posterior_bank_does_not_raise_the_score(world, published, effect):
    people = list(published.labels)[:3]
    after = twins(world, published, people, lambda person: planted(person, effect))
    assert (after <= published.scores.loc[people]).all(axis=None), after


def test_swapping_the_sides_swaps_the_contrasts(world, published):
    who = next(iter(published.labels))
    person = published.plan.set_index("participant_id", drop=False).loc[who].to_dict()
    swi = scan(world, planted(person, "band_darkening", ["hand_L", "face_R"]), PUBLISHED)
    labels = published.labels[who]

    def mirrored(image: SpatialImage) -> SpatialImage:
        return make_image(np.asarray(image.dataobj)[::-1], image)

    other = Labels(
        [mirrored(t) for t in labels.tissues],
        mirrored(labels.atlas),
        labels.table.assign(hemi=labels.table["hemi"].replace({"L": "R", "R": "L"})),
        mirrored(make_image(labels.mni.get_fdata(dtype=np.float32) * (-1, 1, 1), labels.mni)),
    )
    asis, swapped = (
        rows.query("measure == 'band_darkness'").set_index(["region", "hemi"])["value"]
        for rows in (measure_scan(swi, labels), measure_scan(mirrored(swi), other))
    )
    for part, hemi in SIDES:
        assert swapped[part, "LR"[hemi == "L"]] == pytest.approx(asis[part, hemi], abs=0.005)
    assert asis["precentral_hand", "L"] > asis["precentral_hand", "R"] + 0.03
    assert asis["precentral_face", "R"] > asis["precentral_face", "L"] + 0.03


@pytest.mark.parametrize("voxel_mm", [[1.0, 1.0, 2.0], [0.5, 0.5, 2.0]])
def test_the_score_holds_at_other_voxel_sizes(world, voxel_mm):
    """Each person is scanned twice, without a band and with one, and judged by the others without."""
    simulation = {
        "seed": 31,
        "groups": {"control": MIN_CONTROLS + 1},
        "effects": None,
        "gre": {"voxel_mm": voxel_mm, "own_veins": True},
    }
    plan = plan_cohort(simulation)
    without, with_band = [], []
    for person in plan.to_dict("records"):
        labels = label(world, person, simulation)
        without.append(measure(world, person, simulation, labels))
        with_band.append(measure(world, planted(person, "band_darkening"), simulation, labels))
    clean = wide(score_motor_band(pd.concat(without), plan, reference="control"))[TOTAL]
    dark = []
    for number, rows in enumerate(with_band):
        study = pd.concat([*(r for i, r in enumerate(without) if i != number), rows])
        who = plan["participant_id"][number]
        dark.append(wide(score_motor_band(study, plan, reference="control")).loc[who, TOTAL])
    print(f"\n{voxel_mm}: with a band {sorted(dark)}, without {sorted(clean)}")
    assert area(pd.Series(dark), clean) >= 0.95
    assert (clean <= 1).all()
