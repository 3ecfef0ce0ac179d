import nibabel as nb
import numpy as np
import pytest

from mndmri.dipole import GYROMAGNETIC_RATIO_HZ, dipole_field
from mndmri.phantom.gre import simulate_gre


def _true(scan, region, hemi):
    rows = scan.truth
    return rows.loc[(rows["region"] == region) & (rows["hemi"] == hemi), "value"].item()


@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 0, 0), (0, 0.6, 0.8)])
def test_field_of_a_sphere_is_a_dipole(axis):
    voxel = np.array([1.0, 1.0, 1.5])
    shape = (60, 62, 42)
    ijk = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij"), axis=-1)
    place = ijk * voxel
    distance = np.linalg.norm(place, axis=-1)
    radius, chi = 8.0, 1.0
    edge = np.clip((radius - distance) / 1.2 + 0.5, 0, 1)
    field = dipole_field(chi * edge, voxel, np.array(axis))
    outside = (distance > 11) & (distance < 20)
    cosine = place @ np.array(axis) / np.maximum(distance, 1e-9)
    expected = chi / 3 * (radius / np.maximum(distance, 1)) ** 3 * (3 * cosine**2 - 1)
    error = field[outside] - expected[outside]
    assert np.sqrt((error**2).mean()) < 0.08 * expected[outside].std()
    # with the sphere of Lorentz the field inside is that of outside
    assert np.abs(field[distance < 6]).max() < 0.03


def test_phase_grows_with_the_echo_time_and_is_wrapped(anatomy, still, healthy):
    still["gre"] |= {"echo_times_ms": [2.0, 4.0], "field_strength_T": 3.0}
    scan = simulate_gre(anatomy, healthy, still)
    bright = scan.magnitude[0].get_fdata() > 200
    first, second = (image.get_fdata()[bright] for image in scan.phase)
    np.testing.assert_allclose(second, 2 * first, atol=1e-3)
    assert [s["EchoTime"] for s in scan.sidecars] == [0.002, 0.004]
    still["gre"] |= {"echo_times_ms": [25.0], "background_ppm": 1.0}
    wrapped = simulate_gre(anatomy, healthy, still).phase[0].get_fdata()
    assert wrapped.min() >= -np.pi - 1e-5
    assert wrapped.max() <= np.pi + 1e-5
    assert np.ptp(wrapped) > 6


def test_phase_is_the_field_of_the_susceptibility(anatomy, still, healthy):
    still["gre"] |= {"echo_times_ms": [5.0], "storage": "RAS", "tilt_deg": 0.0}
    scan = simulate_gre(anatomy, healthy, still)
    field = dipole_field(scan.susceptibility.get_fdata(), np.array([3.0, 3, 4]), np.array([0.0, 0, 1]))
    radians = 2 * np.pi * GYROMAGNETIC_RATIO_HZ * 3.0 * 0.005 * field * 1e-6
    bright = scan.magnitude[0].get_fdata() > 200
    np.testing.assert_allclose(scan.phase[0].get_fdata()[bright], radians[bright], atol=1e-3)


def test_tilted_slices_see_the_same_field(anatomy, still, healthy):
    """The main field is the scanner's, whichever way the slices lie."""
    still["gre"] |= {"voxel_mm": [3.0, 3.0, 3.0], "echo_times_ms": [5.0]}
    straight = simulate_gre(anatomy, healthy, still)
    still["gre"] |= {"tilt_deg": 25.0}
    tilted = nb.as_closest_canonical(simulate_gre(anatomy, healthy, still).phase[0])
    from nibabel.processing import resample_from_to

    reference = nb.as_closest_canonical(straight.phase[0])
    back = resample_from_to(tilted, reference, order=1).get_fdata()
    brain = nb.as_closest_canonical(straight.magnitude[0]).get_fdata() > 300
    brain[:, :, :20] = False  # covered by both
    brain[:, :, 42:] = False
    assert np.corrcoef(back[brain], reference.get_fdata()[brain])[0, 1] > 0.8


def test_planted_band_darkens_its_part_and_side_only(anatomy, still, healthy):
    before = simulate_gre(anatomy, healthy, still)
    after = simulate_gre(anatomy, healthy | {f"band_darkening_{p}_L": 0.4 for p in ("leg", "hand", "face")}, still)
    change = _true(after, "precentral_posterior_deep", "L") - _true(before, "precentral_posterior_deep", "L")
    assert change > 0.15
    for region in ("precentral_posterior_deep", "precentral"):
        assert _true(after, region, "R") == _true(before, region, "R")
    for region in ("postcentral", "precentral_anterior"):  # but for coarse voxels at their edge
        assert _true(after, region, "L") == pytest.approx(_true(before, region, "L"), abs=0.03)


def test_band_of_the_hand_is_dark_between_leg_and_face_on_its_own_side(anatomy, still, healthy):
    images = [
        nb.as_closest_canonical(simulate_gre(anatomy, person, still).magnitude[0])
        for person in (healthy, healthy | {"band_darkening_hand_R": 0.4})
    ]
    darker = images[0].get_fdata() - images[1].get_fdata() > 20
    place = nb.affines.apply_affine(images[0].affine, np.argwhere(darker))
    assert len(place) > 20
    assert place[:, 0].min() > 18
    assert place[:, 0].max() < 46
    assert place[:, 2].mean() > 30


def test_band_adds_its_susceptibility(anatomy, still, healthy):
    maps = [
        nb.as_closest_canonical(simulate_gre(anatomy, person, still).susceptibility).get_fdata()
        for person in (healthy, healthy | {"band_ppm_hand_L": 0.08})
    ]
    added = maps[1] - maps[0]
    assert 0.04 < added.max() < 0.0801  # coarse voxels are not all grey
    assert added.min() > -1e-6
    half = added.shape[0] // 2
    assert (added[half + 1 :] == 0).all()


def test_pallidum_and_veins_are_dark_and_strongly_susceptible(anatomy, still, healthy):
    scan = simulate_gre(anatomy, healthy, still)
    chi, magnitude = scan.susceptibility.get_fdata(), scan.magnitude[0].get_fdata()
    iron = chi > 0.08
    assert iron.sum() > 10
    grey = (chi > 0.0) & (chi < 0.03) & (magnitude > 500)
    assert np.median(magnitude[iron]) < np.median(magnitude[grey])


def test_storage_changes_no_value_in_the_world(anatomy, still, healthy):
    still["noise"]["gre"] = 0.02
    scans = []
    for storage in ("LAS", "RAS"):
        still["gre"] |= {"voxel_mm": [4.0, 4.0, 5.0], "storage": storage}
        scans.append(simulate_gre(anatomy, healthy, still))
    for kind in ("magnitude", "phase"):
        first, second = (nb.as_closest_canonical(getattr(s, kind)[0]).get_fdata() for s in scans)
        np.testing.assert_array_equal(first, second)
