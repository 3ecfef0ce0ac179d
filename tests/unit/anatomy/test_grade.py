"""Resolution, noise and inhomogeneity of a made-up head, of which each is known."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.grade import NO_SCAN, measure_scan
from mndmri.grids import make_image, world_coordinates

WHITE, GREY = 1000.0, 700.0
ZOOMS = (1.0, 1.2, 1.5)


@pytest.fixture(scope="module")
def head():
    return ball(ZOOMS)


def ball(zooms):
    """White core in a grey shell, on an oblique grid."""
    angle = np.deg2rad(12)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    shape = 2 * np.ceil(30 / np.array(zooms)).astype(int) + 1
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(zooms)
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2)
    grid = nb.Nifti1Image(np.zeros(shape, np.float32), affine)
    radius = np.linalg.norm(world_coordinates(grid), axis=-1)
    white, grey = radius < 20, (radius >= 20) & (radius < 27)
    tissue = {"GM": make_image(grey.astype(np.float32), grid), "WM": make_image(white.astype(np.float32), grid)}
    return tissue, white * WHITE + grey * GREY


def measured(head, *, noise=0.0, shading=0.0, storage="RAS", share=1.0):
    tissue, values = head
    grid = tissue["WM"]
    t1w = values + noise * WHITE * np.random.default_rng(1).standard_normal(values.shape)
    x = world_coordinates(grid)[..., 0]
    scanned = make_image((t1w * (1 + shading * x / 20)).astype(np.float32), grid)
    turn = nb.orientations.ornt_transform(nb.orientations.axcodes2ornt("RAS"), nb.orientations.axcodes2ornt(storage))
    smaller = {name: make_image(np.asarray(own.dataobj) * share, own) for name, own in tissue.items()}
    rows = measure_scan(scanned.as_reoriented(turn), make_image(t1w.astype(np.float32), grid), smaller)
    return rows.set_index("measure")


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.09])
def test_noise_is_found_over_the_contrast_whatever_the_shading(head, noise):
    volume = np.prod(ZOOMS)
    expected = 1.25 * volume**0.4 * noise * WHITE / (WHITE - GREY)
    for shading in (0.0, 0.3):
        found = measured(head, noise=noise, shading=shading).loc["noise_to_contrast", "value"]
        assert found == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("noise", "limit"), [(0.01, 0.0466), (0.09, 0.3949)])
def test_noise_of_one_and_nine_percent_in_voxels_of_1_mm_is_at_marks_of_about_one_and_six(noise, limit):
    assert measured(ball((1, 1, 1)), noise=noise).loc["noise_to_contrast", "value"] == pytest.approx(limit, rel=0.12)


def test_shading_is_found_over_the_contrast_and_noise_is_none(head):
    # x of a uniform ball of radius r has a standard deviation of r / sqrt(5), here of the eroded core
    expected = 0.3 / 20 * 19 / np.sqrt(5) / 0.3
    assert measured(head, shading=0.3).loc["inhomogeneity_to_contrast", "value"] == pytest.approx(expected, rel=0.1)
    assert measured(head, noise=0.05).loc["inhomogeneity_to_contrast", "value"] < 0.05


@pytest.mark.parametrize("storage", ["LAS", "PSR"])
def test_the_order_in_which_a_scan_is_stored_changes_nothing(head, storage):
    first, second = measured(head, noise=0.03, shading=0.2), measured(head, noise=0.03, shading=0.2, storage=storage)
    assert first["value"].to_numpy() == pytest.approx(second["value"].to_numpy(), rel=1e-5)


def test_resolution_is_the_root_mean_square_of_the_edges(head):
    assert measured(head).loc["resolution_rms", "value"] == pytest.approx(np.sqrt(np.mean(np.square(ZOOMS))))


def test_what_cannot_be_measured_has_a_reason(head):
    unsure = measured(head, share=0.9)
    assert unsure["value"].notna().tolist() == [True, False, False]
    assert "fewer than 100 voxels" in unsure.loc["noise_to_contrast", "status"]
    none = measure_scan(None, head[0]["WM"], head[0])
    assert none["value"].isna().all() and set(none["status"]) == {NO_SCAN}
