import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.phantom.damage import body_part, deep_effect, lose_grey, loss_profile, tract_loss
from mndmri.phantom.deformation import Head
from mndmri.phantom.plan import BODY_PARTS, HEMIS, plan_cohort

SHAPE = (13, 8, 9)
PROFILE = {"centre": 0.7, "width": 0.25, "floor": 0.3}


@pytest.fixture
def head():
    rng = np.random.default_rng(5)
    place = np.stack(np.meshgrid(*(np.linspace(-60, 60, n) for n in SHAPE), indexing="ij"), axis=-1) + 0.5
    maps = {name: rng.uniform(0, 1, SHAPE).astype(np.float32) for name in ("precentral", "postcentral", "depth")}
    grey = rng.uniform(0, 1, SHAPE).astype(np.float32)
    maps |= {"grey": grey, "white": (1 - grey) * 0.5, "csf": (1 - grey) * 0.5, "posterior_bank": np.ones(SHAPE)}
    return Head(nb.Nifti1Image(np.zeros(SHAPE, np.uint8), np.eye(4)), maps, place)


@pytest.fixture
def person(still):
    return plan_cohort(still).iloc[0].to_dict()


def test_healthy_head_is_left_alone(head, person):
    after = lose_grey(head, person)
    np.testing.assert_array_equal(after.maps["grey"], head.maps["grey"])
    np.testing.assert_allclose(after.maps["csf"], head.maps["csf"], atol=1e-6)


def test_precentral_gyrus_loses_the_planted_share_on_its_side_only(head, person):
    head.maps["precentral"][:] = head.maps["precentral"] > 0.5
    after = lose_grey(head, person | {"precentral_volume_loss_L": 0.2})
    for hemi, loss in (("L", 0.2), ("R", 0.0)):
        inside = head.maps["precentral"] * head.side(hemi)
        ratio = (after.maps["grey"] * inside).sum() / (head.maps["grey"] * inside).sum()
        assert ratio == pytest.approx(1 - loss, abs=0.002)


def test_lost_grey_matter_becomes_fluid(head, person):
    after = lose_grey(head, person | {"precentral_volume_loss_R": 0.4, "grey_loss": 0.05})
    np.testing.assert_allclose(after.maps["grey"] + after.maps["csf"], head.maps["grey"] + head.maps["csf"], atol=1e-6)
    assert after.maps["grey"].min() >= 0


def test_cortex_thins_from_its_outer_surface(head, person):
    after = lose_grey(head, person | {"precentral_volume_loss_L": 0.2})
    deep = head.maps["depth"] < 0.5
    np.testing.assert_array_equal(after.maps["grey"][deep], head.maps["grey"][deep])
    assert (after.maps["grey"] < head.maps["grey"]).any()


def test_age_takes_its_share_of_all_grey_matter(head, person):
    after = lose_grey(head, person | {"grey_loss": 0.04})
    assert after.maps["grey"].sum() / head.maps["grey"].sum() == pytest.approx(0.96, abs=0.002)


def test_loss_peaks_at_its_centre_and_keeps_its_floor():
    position = np.linspace(0, 1, 101)
    loss = loss_profile(position, {"centre": 0.7, "width": 0.05, "floor": 0.3})
    assert position[loss.argmax()] == pytest.approx(0.7)
    assert loss.max() == pytest.approx(1)
    assert loss[0] == pytest.approx(0.3)


def test_tract_loss_is_planted_on_its_own_side(head, person):
    line = pd.concat(
        pd.DataFrame({"hemi": h, "z": np.linspace(-60, 60, 5), "position": np.linspace(0, 1, 5)}) for h in "LR"
    )
    loss = tract_loss(head, line, person | {"cst_fa_loss_R": 0.2}, PROFILE)
    left = head.place[..., 0] < 0
    assert (loss[left] == 0).all()
    assert loss[~left].max() == pytest.approx(0.2, rel=0.02)
    assert head.place[..., 2][loss == loss.max()].mean() == pytest.approx(24, abs=10)


def test_band_is_deep_and_in_its_part_and_side(head, person):
    band = deep_effect(head, person | {"band_darkening_hand_L": 0.3}, "band_darkening")
    there = band > 0
    assert there.any()
    assert (head.place[there][:, 0] < -15).all()
    assert (head.maps["depth"][there] < 0.5).all()
    assert body_part(head, "hand", "L")[there].all()
    np.testing.assert_allclose(band[there], 0.3 * head.maps["precentral"][there], rtol=1e-6)


@pytest.mark.parametrize("effect", ["band_darkening", "anterior_darkening", "postcentral_darkening"])
def test_each_darkening_has_its_own_bank(head, person, effect):
    head.maps["posterior_bank"] = (head.place[..., 1] < 0).astype(np.float32)
    planted = deep_effect(head, person | {f"{effect}_{p}_{h}": 0.2 for p in BODY_PARTS for h in HEMIS}, effect)
    gyrus = "postcentral" if effect == "postcentral_darkening" else "precentral"
    bank = {"band_darkening": head.place[..., 1] < 0, "anterior_darkening": head.place[..., 1] > 0}
    expected = 0.2 * head.maps[gyrus] * (head.maps["depth"] < 0.5) * bank.get(effect, True)
    np.testing.assert_allclose(planted, expected, rtol=1e-6)
