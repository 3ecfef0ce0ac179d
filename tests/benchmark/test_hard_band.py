"""The motor band score on cortex as uneven as that of real people: how often is a healthy one called ill?

Twenty heads, each with outlines in the wrong place, are drawn twenty times with other darkness of their cortex, noise
and motion, at 1 x 1 x 3 mm, magnitude alone, as the real scans are that it is compared with.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.regions import select
from mndmri.grids import make_image, voxel_sizes
from mndmri.phantom.cortex import spoil, uneven_darkness
from mndmri.phantom.deformation import Head
from mndmri.phantom.gre import DENSITY, T2_STAR_MS, WHITE_SIGNAL, _magnitude
from mndmri.phantom.plan import complete, plan_cohort
from mndmri.phantom.scanning import place_person
from mndmri.phantom.veins import own_veins
from mndmri.statistics.motor_band import score_motor_band
from mndmri.statistics.prevalence import sign_prevalence
from mndmri.susceptibility.measures import measure_susceptibility
from mndmri.susceptibility.regions import BODY_PARTS, REFERENCE, any_region, precentral_regions
from mndmri.susceptibility.swi import normalise
from mndmri.susceptibility.veins import find_veins
from mndmri.tables.band_norms import PARTS
from mndmri.tables.measures import GROUP_COLUMNS
from tests.benchmark import test_motor_band as easy
from tests.benchmark.banding import MEASURES, REAL_SD, SIDES, TOTAL, contrasts, scores, spread, told
from tests.benchmark.test_motor_band import SLAB, World, world  # noqa: F401

pytestmark = pytest.mark.benchmark

N_HEADS, N_DRAWS = 20, 20
N_LIMITS = 7  # controls whom limits come from, as many as there are real people
TISSUE_ERROR_MM = 1.0  # of the T1w image's tissue against the scan, root mean square; 0.5 in the easy simulation
ECHO_MS, NOISE = 20.0, 0.02
STRENGTHS = (0.10, 0.15, 0.20)
HARD = {
    "seed": 51,
    "groups": {"control": N_HEADS},
    "effects": None,
    "gre": {"voxel_mm": [1.0, 1.0, 3.0], "difficulty": "hard"},
}


class Outlined(NamedTuple):
    """A head with the outlines that its T1w image would give."""

    person: dict[str, Any]
    head: Head
    brain: SpatialImage
    masks: SpatialImage
    names: pd.DataFrame

    def measured(self, draw: int, effects: Mapping[str, float]) -> pd.DataFrame:
        """Measures of one scan, whose cortex, noise and motion are those of a number."""
        who = self.person | effects | dict.fromkeys(("seed", "scan_seed"), self.person["seed"] * 1000 + draw)
        white = DENSITY["white"] * np.exp(-ECHO_MS / T2_STAR_MS["white"])
        clean = _magnitude(self.head, who, ECHO_MS, uneven_darkness(self.head, who)) * WHITE_SIGNAL / white
        rng = np.random.default_rng(who["seed"])
        noise = rng.standard_normal((2, *clean.shape)) * NOISE * WHITE_SIGNAL
        signal = np.abs(spoil(clean, voxel_sizes(self.head.grid), who) + noise[0] + 1j * noise[1])
        scan = make_image(signal.astype(np.float32), self.head.grid)
        reference = select(self.masks, self.names, *REFERENCE)
        swi = normalise(scan, self.brain, reference, bias_iterations=())
        return measure_susceptibility(swi, self.masks, self.names, find_veins(swi, any_region(self.masks)))


@pytest.fixture(scope="module")
def heads(world) -> list[Outlined]:  # noqa: F811
    return outline_all(world, HARD)


def outline_all(world: World, simulation: Mapping[str, Any]) -> list[Outlined]:  # noqa: F811
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(easy, "TISSUE_ERROR_MM", TISSUE_ERROR_MM)
        return [outline(world, person, simulation) for person in plan_cohort(simulation).to_dict("records")]


def outline(world: World, person: Mapping[str, Any], simulation: Mapping[str, Any]) -> Outlined:  # noqa: F811
    head = own_veins(place_person(world.anatomy, person, complete(simulation), "gre", SLAB)[0], person)
    labels = easy.label(world, person, simulation)
    masks, names = precentral_regions(*labels.tissues, labels.atlas, labels.table, labels.mni)
    brain = make_image(sum(t.get_fdata() for t in labels.tissues) > 0.5, head.grid)
    return Outlined(dict(person), head, brain, masks, names)


@pytest.fixture(scope="module")
def controls(heads) -> dict[str, pd.DataFrame]:
    """Measures of 400 controls."""
    return {f"{n}-{draw}": head.measured(draw, {}) for n, head in enumerate(heads) for draw in range(N_DRAWS)}


@pytest.fixture(scope="module")
def limits(controls) -> dict[str, dict[str, pd.Series]]:
    """For each control, as many others of other heads as there are real people."""
    rng = np.random.default_rng(1)
    chosen = {}
    for who in controls:
        one_a_head = [f"{n}-{rng.integers(N_DRAWS)}" for n in rng.permutation(N_HEADS) if f"{n}" != who.split("-")[0]]
        chosen[who] = {name: contrasts(controls[name]) for name in one_a_head[:N_LIMITS]}
    return chosen


def darkened(effect: str, strength: float, where=SIDES) -> dict[str, float]:
    return {f"{effect}_{part.removeprefix('precentral_')}_{hemi}": strength for part, hemi in where}


def test_simulated_controls_vary_no_less_than_real_people(controls):
    for measure in MEASURES:
        found = spread({who: contrasts(rows, measure) for who, rows in controls.items()})
        print(f"\n{measure}: SD {found}, of real people {REAL_SD[measure]}")
        assert all(found[part] >= REAL_SD[measure][part] for part in BODY_PARTS)


def test_at_most_one_control_in_twenty_has_the_sign(controls, limits):
    few = [scores(contrasts(rows), limits[who])[TOTAL] for who, rows in controls.items()]
    everybody = {who: contrasts(rows) for who, rows in controls.items()}
    all_others = [
        scores(own, {n: v for n, v in everybody.items() if n != who})[TOTAL] for who, own in everybody.items()
    ]
    for name, total in (("7 others", few), ("all others", all_others)):
        counts = pd.Series(total).value_counts().sort_index().to_dict()
        print(f"\nLimits from {name}: scores {counts}; sign in {np.mean(np.array(total) >= 3):.2%}")
        assert np.mean(np.array(total) >= 3) <= 0.05


def test_bands_are_found_in_uneven_cortex(heads, limits):
    for part in PARTS:
        found = {
            strength: [
                scores(contrasts(head.measured(0, darkened("band_darkening", strength, [key]))), limits[f"{n}-0"])[key]
                for n, head in enumerate(heads)
                for key in SIDES
                if key[0] == part
            ]
            for strength in STRENGTHS
        }
        print(f"\n{told(part, found)}")
        assert np.mean(np.array(found[0.20]) >= 1) >= 0.5


def test_of_the_published_prevalence_two_thirds_are_found_in_uneven_cortex(world):  # noqa: F811
    """13 ALS, 5 PLS, 10 controls, 9, 4 and 0 with a band of 15 % on average, 0.8 x 0.8 x 1.5 mm, six heads in turn.

    The aim is to find 9 and 4; 8 and 3 were found when this was written.
    """
    finer = HARD | {"groups": {"control": 6}, "gre": {"voxel_mm": [0.8, 0.8, 1.5], "difficulty": "hard"}}
    outlined = outline_all(world, finer)
    plan = plan_cohort(easy.PUBLISHED)
    bands = plan.filter(like="band_darkening").to_dict("records")
    rows = [
        outlined[n % len(outlined)].measured(100 + n, band).assign(participant_id=who, group=group)[GROUP_COLUMNS]
        for n, (band, who, group) in enumerate(zip(bands, plan["participant_id"], plan["group"], strict=True))
    ]
    scored = score_motor_band(pd.concat(rows, ignore_index=True), plan, reference="control")
    table = sign_prevalence(scored, plan, groups=list(easy.GROUPS), reference="control")
    print(f"\n{table.to_string()}\n{easy.wide(scored)[TOTAL].to_dict()}")
    found = table[table["test"].isna()].set_index("group")["n_present"]
    assert found["control"] == 0
    assert 6 <= found["ALS"] <= 9 and 2 <= found["PLS"] <= 4


@pytest.mark.parametrize("effect", ["anterior_darkening", "postcentral_darkening"])
def test_darkening_of_a_neighbour_scores_nothing_in_uneven_cortex(heads, limits, effect):
    total = [
        scores(contrasts(head.measured(0, darkened(effect, 0.15))), limits[f"{n}-0"])[TOTAL]
        for n, head in enumerate(heads)
    ]
    print(f"\n{effect}: {total}")
    assert max(total) < 3
    assert np.mean(np.array(total) > 0) <= 0.1
