import numpy as np
import pytest

from mndmri.grids import world_coordinates
from mndmri.phantom.anatomy import trace_centreline
from mndmri.phantom.head import BODY_PART_X_MM, MAP_NAMES, TISSUES


@pytest.fixture(scope="module")
def maps(anatomy):
    data = np.asarray(anatomy.maps.dataobj) / 255
    return {name: data[..., n] for n, name in enumerate(MAP_NAMES)}


@pytest.fixture(scope="module")
def xyz(anatomy):
    return world_coordinates(anatomy.maps)


def test_tissues_fill_the_head_and_leave_the_air_empty(maps, xyz):
    total = sum(maps[name] for name in TISSUES)
    assert total.max() < 1.02
    assert (total[maps["grey"] + maps["white"] > 0.5] > 0.98).all()
    assert (total[np.abs(xyz[..., 0]) > 88] == 0).all()
    assert (total[xyz[..., 2] > 96] == 0).all()


def test_brain_is_wrapped_in_fluid_then_bone_then_fat(maps, xyz):
    column = (np.abs(xyz[..., 0]) < 3) & (np.abs(xyz[..., 1] + 20) < 3) & (xyz[..., 2] > 40)
    height = xyz[..., 2]
    order = [np.average(height[column], weights=maps[name][column]) for name in ("grey", "bone", "fat")]
    assert order == sorted(order)


def test_brain_is_as_large_as_the_average(maps):
    litres = 4.0**3 * 1e-6
    assert (maps["grey"].sum() + maps["white"].sum()) * litres == pytest.approx(1.7, abs=0.15)


def test_sides_of_the_tract_are_the_persons_own(anatomy):
    line = anatomy.centreline
    assert (line.loc[line["hemi"] == "L", "x"] < -3).all()
    assert (line.loc[line["hemi"] == "R", "x"] > 3).all()


def test_tract_runs_from_pons_to_cortex(anatomy):
    for _, line in anatomy.centreline.groupby("hemi"):
        assert line["z"].is_monotonic_increasing
        assert line["position"].iloc[0] == 0
        assert line["position"].iloc[-1] == 1
        assert line["z"].min() < -20
        assert line["z"].max() > 55


def test_centre_line_follows_a_slanting_tube():
    x, y, z = np.meshgrid(np.arange(-40, 41, 2.0), np.arange(-20, 21, 2.0), np.arange(0, 41, 2.0), indexing="ij")
    xyz = np.stack([x, y, z], axis=-1)
    tube = np.exp(-0.5 * (((x - (10 + 0.5 * z)) / 4) ** 2 + (y / 4) ** 2))
    line = trace_centreline({"R": tube}, xyz)
    middle = line[line["z"].between(15, 25)]
    np.testing.assert_allclose(middle["x"], 10 + 0.5 * middle["z"], atol=0.5)
    np.testing.assert_allclose(middle["spread_y"], 4.0, rtol=0.25)


def test_postcentral_gyrus_lies_behind_the_precentral(maps, xyz):
    y = xyz[..., 1]
    lateral = np.abs(xyz[..., 0]) > 30
    before = np.average(y, weights=maps["precentral"] * lateral)
    behind = np.average(y, weights=maps["postcentral"] * lateral)
    assert before - behind > 8


def test_posterior_bank_is_nearer_to_the_postcentral_gyrus(maps, xyz):
    y = xyz[..., 1]
    gyrus = maps["precentral"] * maps["grey"]
    posterior = np.average(y, weights=gyrus * maps["posterior_bank"])
    anterior = np.average(y, weights=gyrus * (1 - maps["posterior_bank"]))
    assert anterior - posterior > 5


def test_depth_rises_from_white_matter_to_fluid(maps):
    assert np.average(maps["depth"], weights=maps["white"]) < 0.1
    assert np.average(maps["depth"], weights=maps["csf"] * (maps["csf"] > 0.9)) > 0.8


def test_every_body_part_has_deep_posterior_cortex_on_both_sides(maps, xyz):
    x = xyz[..., 0]
    band = maps["grey"] * maps["precentral"] * maps["posterior_bank"] * (maps["depth"] < 0.5)
    for low, high in BODY_PART_X_MM.values():
        part = (np.abs(x) >= low) & (np.abs(x) < high)
        assert band[part & (x < 0)].sum() * 0.064 > 0.2  # ml
        assert band[part & (x > 0)].sum() * 0.064 > 0.2


def test_veins_are_few_and_outside_white_matter(maps):
    assert 0 < maps["vein"].sum() < 0.05 * maps["grey"].sum()
    assert (maps["vein"] * maps["white"]).sum() < 0.1 * maps["vein"].sum()
