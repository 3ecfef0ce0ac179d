"""Maps of simulated people: effects are where they were planted, and come back through the measures of a map."""

import numpy as np
import pandas as pd
import pytest

from mndmri.anatomy.volumes import VOLUME_REGIONS
from mndmri.atlas.on_scan import Person
from mndmri.grids import make_image, to_canonical
from mndmri.maps.measures import Place, measure_map
from mndmri.phantom.maps import VALUES, simulate_map
from mndmri.phantom.plan import MAP_EFFECTS, complete
from mndmri.phantom.scanning import FieldOfView, place_person
from mndmri.phantom.truth import tract_levels
from mndmri.registration.transforms import make_field
from mndmri.susceptibility.preprocessing import Anatomical

DECLARED = {
    "mtr": {"quantity": "value", "unit": "%", "where": ["cst"]},
    "flair": {"quantity": "signal", "unit": "1", "where": ["cst"]},
    "cbf": {"quantity": "relative", "unit": "1", "where": ["gyri"]},
}
PLANTED = {"mtr": 0.1, "flair": 0.15, "cbf": 0.25}
# Measure and region in which each is looked for, and what the noisy measure may differ from the planted change, of 1
FOUND_IN = {
    "mtr": ("mean", "cst_plic", 0.01),
    "flair": ("signal_ratio", "cst_plic", 0.03),
    "cbf": ("relative", "precentral", 0.05),
}


@pytest.fixture
def coarse(still) -> dict:
    for name, voxel in (("mtr", 3.0), ("flair", 3.0), ("cbf", 4.0)):
        still[name] = {"voxel_mm": voxel}
    still["flair"]["bias"] = 0.0
    return still


@pytest.fixture
def place(anatomy, coarse, healthy) -> Place:
    """Regions of the shared head, on which a person without pose and deformation lies."""
    view = FieldOfView((184.0, 224.0, 192.0), (0.0, -18.0, 4.0), ("cst", "precentral", "postcentral", "depth"))
    head, _ = place_person(anatomy, healthy, complete(coarse), "mtr", view)
    y = head.place[..., 1]
    parts = tract_levels(head)
    for hemi in "LR":
        apart = head.side(hemi) & (head.maps["cst"] < 0.05)
        parts |= {("frontal_wm", hemi): apart & (y > 20), ("occipital_wm", hemi): apart & (y < -60)}
        parts |= {(gyrus, hemi): np.zeros(y.shape) for gyrus in VOLUME_REGIONS}
        parts |= {(gyrus, hemi): head.maps[gyrus] * head.side(hemi) for gyrus in ("precentral", "postcentral")}
    table = pd.DataFrame(list(parts), columns=["region", "hemi"]).rename_axis("index").reset_index()
    atlas = make_image(np.stack(list(parts.values()), axis=-1).astype(np.float32), head.grid)
    grey, white, csf = (make_image(head.maps[t].astype(np.float32), head.grid) for t in ("grey", "white", "csf"))
    mask = make_image(np.float32(grey.get_fdata() + white.get_fdata() + csf.get_fdata() > 0.5), head.grid)
    unmoved = make_field(np.zeros((*head.grid.shape[:3], 3), np.float32), head.grid)
    return Place(Person(unmoved, unmoved, atlas, table, white), Anatomical(white, mask, grey, csf), np.eye(4))


def planted(healthy, name: str, hemi: str) -> dict:
    return healthy | {f"{MAP_EFFECTS[name]}_{hemi}": PLANTED[name]}


@pytest.mark.parametrize("name", MAP_EFFECTS)
def test_the_truth_has_the_planted_change_on_its_side_alone(anatomy, coarse, healthy, name):
    before, after = (
        simulate_map(anatomy, own, coarse, name).truth.set_index(["region", "hemi"])["value"]
        for own in (healthy, planted(healthy, name, "L"))
    )
    change, region = after / before - 1, FOUND_IN[name][1]
    sign = 1 if name == "flair" else -1
    assert 0.6 * PLANTED[name] < sign * change[region, "L"] <= PLANTED[name] + 1e-6
    np.testing.assert_allclose(change.xs("R", level="hemi").dropna(), 0, atol=0.01)


@pytest.mark.parametrize("name", MAP_EFFECTS)
def test_what_is_planted_comes_back_through_the_measures_of_a_map_with_noise(anatomy, coarse, healthy, place, name):
    noisy = coarse | {"noise": {"mtr": 0.03, "flair": 0.03, "cbf": 0.2}}
    measure, region, within = FOUND_IN[name]
    found, true = [], []
    for person in (healthy, planted(healthy, name, "R") | dict.fromkeys(("seed", "scan_seed"), healthy["seed"] + 1)):
        scan = simulate_map(anatomy, person, noisy, name)
        rows = measure_map(to_canonical(scan.image), place, DECLARED[name], modality=name).rows
        found.append(rows[rows["measure"] == measure].set_index(["region", "hemi"])["value"])
        true.append(scan.truth.set_index(["region", "hemi"])["value"])
    for hemi in "LR":
        change, expected = (own[1][region, hemi] / own[0][region, hemi] - 1 for own in (found, true))
        assert change == pytest.approx(expected, abs=within), hemi
    assert abs(found[1][region, "R"] / found[0][region, "R"] - 1) > 2 * within


def test_maps_have_the_values_of_their_tissues_and_none_outside_the_brain(anatomy, coarse, healthy):
    for name in ("mtr", "cbf"):
        values = simulate_map(anatomy, healthy, coarse, name).image.get_fdata()
        assert values.max() == pytest.approx(max(VALUES[name].values()), rel=0.02)
        assert (values == 0).mean() > 0.4
    flair = simulate_map(anatomy, healthy, coarse, "flair").image.get_fdata()
    assert (flair != 0).mean() > 0.5  # a contrast is of the whole head


def test_one_map_is_the_same_whatever_else_is_simulated_and_noise_has_its_size(anatomy, coarse, healthy):
    still, again, noisy = (
        simulate_map(anatomy, healthy, coarse | {"noise": noise}, "mtr").image.get_fdata()
        for noise in ({"mtr": 0.0, "cbf": 0.0}, {"mtr": 0.0, "cbf": 0.5}, {"mtr": 0.05})
    )
    np.testing.assert_array_equal(still, again)
    inside = still > 0
    assert (noisy - still)[inside].std() == pytest.approx(0.05 * VALUES["mtr"]["white"], rel=0.03)
