import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.gradient_echo.dipole import GYROMAGNETIC_RATIO_HZ, dipole_field
from mndmri.phantom.gre import VIEW, background_field, simulate_gre


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


def test_band_contrast_is_raised_by_the_band_and_by_nothing_beside_it(anatomy, still, healthy):
    contrast = {}
    for effect in (None, "band_darkening", "anterior_darkening", "postcentral_darkening"):
        truth = simulate_gre(anatomy, healthy | ({f"{effect}_hand_L": 0.3} if effect else {}), still).truth
        rows = truth[truth["measure"] == "band_contrast"].set_index(["region", "hemi"])["value"]
        assert rows.notna().all()
        contrast[effect] = rows
    rise = pd.DataFrame(contrast).sub(contrast[None], axis=0)
    assert rise.loc[("precentral_hand", "L"), "band_darkening"] > 0.1
    assert rise.drop(("precentral_hand", "L"))["band_darkening"].abs().max() == 0
    assert rise[["anterior_darkening", "postcentral_darkening"]].max(axis=None) < 0.01


def test_people_have_veins_of_their_own_only_where_that_is_asked_for(anatomy, still, healthy):
    view = VIEW._replace(size_mm=(140.0, 100.0, 60.0), middle_mm=(0.0, -17.0, 48.0))

    def veins(person, own):
        still["gre"] |= {"voxel_mm": [2.0, 2.0, 3.0], "own_veins": own}
        return simulate_gre(anatomy, person, still, view=view).susceptibility.get_fdata() > 0.15

    other = healthy | dict.fromkeys(("seed", "scan_seed"), healthy["seed"] + 1)
    np.testing.assert_array_equal(veins(healthy, False), veins(other, False))
    first, second = veins(healthy, True), veins(other, True)
    np.testing.assert_array_equal(first, veins(healthy, True))
    assert min(first.sum(), second.sum()) > 50
    assert (first & second).sum() < 0.3 * min(first.sum(), second.sum())


def test_shorter_field_of_view_sees_the_same_head(anatomy, still, healthy):
    still["gre"] |= {"voxel_mm": [4.0, 4.0, 4.0], "storage": "RAS"}
    whole = simulate_gre(anatomy, healthy, still).magnitude[0]
    view = VIEW._replace(size_mm=(172.0, 212.0, 64.0))
    slab = simulate_gre(anatomy, healthy, still, view=view).magnitude[0]
    np.testing.assert_allclose(slab.get_fdata(), whole.get_fdata()[:, :, 8:24], atol=1e-3)


def test_storage_changes_no_value_in_the_world(anatomy, still, healthy):
    still["noise"]["gre"] = 0.02
    scans = []
    for storage in ("LAS", "RAS"):
        still["gre"] |= {"voxel_mm": [4.0, 4.0, 5.0], "storage": storage}
        scans.append(simulate_gre(anatomy, healthy, still))
    for kind in ("magnitude", "phase"):
        first, second = (nb.as_closest_canonical(getattr(s, kind)[0]).get_fdata() for s in scans)
        np.testing.assert_array_equal(first, second)


def test_the_background_has_no_source_in_the_brain():
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -40
    grid = nb.Nifti1Image(np.zeros((41, 41, 41), np.uint8), affine)
    field = background_field(grid, np.zeros(3), np.array([0.0, 70.0, -30.0]), np.random.default_rng(2))
    curvature = [np.diff(field, 2, axis=axis) for axis in range(3)]
    inner = [c[tuple(slice(None) if a == axis else slice(1, -1) for a in range(3))] for axis, c in enumerate(curvature)]
    assert np.abs(sum(inner)).max() < 0.02 * max(np.abs(part).max() for part in inner)
