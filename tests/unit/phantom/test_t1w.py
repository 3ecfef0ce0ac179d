import nibabel as nb
import numpy as np
import pytest

from mndmri.phantom.plan import plan_cohort
from mndmri.phantom.t1w import simulate_t1w


def _volume(scan, region, hemi):
    rows = scan.truth
    return rows.loc[(rows["region"] == region) & (rows["hemi"] == hemi), "value"].item()


def test_planted_loss_takes_its_share_of_the_true_volume(anatomy, still, healthy):
    before = simulate_t1w(anatomy, healthy, still)
    after = simulate_t1w(anatomy, healthy | {"precentral_volume_loss_R": 0.2}, still)
    assert _volume(after, "precentral", "R") / _volume(before, "precentral", "R") == pytest.approx(0.8, abs=0.01)
    assert _volume(after, "precentral", "L") == _volume(before, "precentral", "L")
    assert _volume(after, "tiv", "both") == pytest.approx(_volume(before, "tiv", "both"), rel=1e-4)


def test_lost_cortex_is_darker_on_its_side_only(anatomy, still, healthy):
    before = simulate_t1w(anatomy, healthy, still).image
    after = nb.as_closest_canonical(simulate_t1w(anatomy, healthy | {"precentral_volume_loss_L": 0.3}, still).image)
    change = after.get_fdata() - nb.as_closest_canonical(before).get_fdata()
    where = np.argwhere(change < -1)
    x = nb.affines.apply_affine(after.affine, where)[:, 0]
    assert len(x) > 20
    assert (x < 2).all()
    assert change.max() < 1e-3


def test_true_volumes_add_up(anatomy, still, healthy):
    scan = simulate_t1w(anatomy, healthy, still)
    parts = [_volume(scan, tissue, "both") for tissue in ("gm", "wm", "csf")]
    assert _volume(scan, "tiv", "both") == pytest.approx(sum(parts))
    mask = scan.brain_mask.get_fdata().sum() * 0.125
    assert mask == pytest.approx(_volume(scan, "tiv", "both"), rel=0.02)


def test_smaller_head_has_smaller_volume(anatomy, still, healthy):
    full, small = (simulate_t1w(anatomy, healthy | {"head_scale": s}, still) for s in (1.0, 0.9))
    assert _volume(small, "gm", "both") / _volume(full, "gm", "both") == pytest.approx(0.729, rel=0.01)


def test_white_matter_is_brightest_in_the_brain_and_air_is_dark(anatomy, still, healthy):
    image = nb.as_closest_canonical(simulate_t1w(anatomy, healthy, still).image)
    data, mask = image.get_fdata(), nb.as_closest_canonical(simulate_t1w(anatomy, healthy, still).brain_mask)
    brain = data[mask.get_fdata() > 0]
    assert brain.max() == pytest.approx(400, rel=0.01)
    assert np.percentile(brain, 2) < 200
    assert data[0].max() == 0


def test_noise_has_the_size_asked_for(anatomy, still, healthy):
    noisy = still | {"noise": {"t1w": 0.05}}
    difference = (
        simulate_t1w(anatomy, healthy, noisy).image.get_fdata()
        - simulate_t1w(anatomy, healthy, still).image.get_fdata()
    )
    bright = simulate_t1w(anatomy, healthy, still).image.get_fdata() > 350
    assert difference[bright].std() == pytest.approx(20, rel=0.05)


def test_storage_changes_no_value_in_the_world(anatomy, healthy, still):
    noisy = still | {"noise": {"t1w": 0.02}}
    images = [
        simulate_t1w(anatomy, healthy, noisy | {"t1w": {"voxel_mm": 5.0, "storage": s, "tilt_deg": 12.0}}).image
        for s in ("PSR", "LAS")
    ]
    assert [nb.aff2axcodes(i.affine) for i in images] == [tuple("PSR"), tuple("LAS")]
    first, second = map(nb.as_closest_canonical, images)
    np.testing.assert_allclose(first.affine, second.affine, atol=1e-9)
    np.testing.assert_array_equal(first.get_fdata(), second.get_fdata())


def test_same_person_same_scan_and_another_person_another(anatomy):
    simulation = {"groups": {"control": 2}, "effects": None, "t1w": {"voxel_mm": 6.0}}
    people = [row.to_dict() for _, row in plan_cohort(simulation).iterrows()]
    first, again, other = (simulate_t1w(anatomy, people[n], simulation).image.get_fdata() for n in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 100
