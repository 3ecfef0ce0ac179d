"""Signal along the tract of a made-up brain, on images of several contrasts."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.anatomy.signal import (
    ATLAS_REGIONS,
    CST_REGIONS,
    N4_ITERATIONS,
    measure_signal,
)
from mndmri.grids import make_image, resampled_grid, to_canonical, world_coordinates
from mndmri.intensity import correct_bias
from mndmri.registration.register import register_rigid
from mndmri.registration.transforms import average_over_voxels, resample
from mndmri.tables.coverage import measure_coverage
from tests.unit.egg import rigid

AFFINE = np.array([[2.0, 0, 0, -63], [0, 2.0, 0, -75], [0, 0, 2.0, -55], [0, 0, 0, 1]])
SHAPE = (64, 76, 62)
# relative to white matter: grey matter, fluid, scalp
CONTRASTS = {"t1w": (0.7, 0.25, 1.1), "flair": (1.3, 0.2, 0.8), "t2w": (1.5, 3.0, 0.9)}
_Z = np.linspace(-40, 40, 6)
LEVELS = {
    name: (_Z[n], _Z[n + 1])
    for n, name in enumerate(("cst_pons", "cst_peduncle", "cst_plic", "cst_corona_radiata", "cst_subcortical"))
}


class Brain:
    """White matter in a rind of grey matter and fluid, lopsided, and a tract on each side; no scalp."""

    def __init__(self) -> None:
        self.grid = nb.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE)
        x, y, z = np.moveaxis(world_coordinates(self.grid), -1, 0)
        # fluted, and longer in front on the left, so that a registration has something to hold on to
        bumps = 2.5 * np.sin(x / 6) * np.sin(y / 7) * np.sin(z / 8)
        radius = np.sqrt((x / 50) ** 2 + ((y - 5 * (x < 0)) / 62) ** 2 + (z / 52) ** 2) * 50 + bumps
        self.mask = make_image(radius < 50, self.grid)
        self.wm = make_image(np.clip((42 - radius) / 2, 0, 1).astype(np.float32), self.grid)
        gm = np.clip((47 - radius) / 2, 0, 1) - self.wm.get_fdata()
        # ventricle of one side
        hole = np.hypot((x - 6) / 4, (y + 5) / 14) + np.abs(z / 14) ** 4 < 1
        self.wm = make_image(np.where(hole, 0, self.wm.get_fdata()).astype(np.float32), self.grid)
        self.gm = make_image(np.where(hole, 0, gm).astype(np.float32), self.grid)
        maps = {}
        for hemi, sign in (("L", -1), ("R", 1)):
            tract = np.exp(-0.5 * ((x - sign * 22) ** 2 + (y + 12) ** 2) / 6.0**2)
            maps["cst", hemi] = tract * ((z >= -40) & (z < 40))
            for name, (low, high) in LEVELS.items():
                maps[name, hemi] = maps["cst", hemi] * ((z >= low) & (z < high))
            side = x * sign > 4
            maps["frontal_wm", hemi] = 1.0 * (side & (y > 28))
            maps["occipital_wm", hemi] = 1.0 * (side & (y < -38))
        self.table = pd.DataFrame([(n, r, h) for n, (r, h) in enumerate(maps)], columns=["index", "region", "hemi"])
        self.atlas = make_image(np.stack(list(maps.values()), axis=-1).astype(np.float32), self.grid)
        self.tract = {hemi: maps["cst", hemi] >= 0.3 for hemi in "LR"}

    def scan(self, contrast: str, *, gain=None, shading: float = 0.0, noise: float = 0.02) -> nb.Nifti1Image:
        """Image of a contrast, the tract of each side made brighter by ``gain``."""
        grey, fluid, _ = CONTRASTS[contrast]
        gm, wm, inside = self.gm.get_fdata(), self.wm.get_fdata(), self.mask.get_fdata()
        signal = wm + grey * gm + fluid * (inside - np.clip(gm + wm, 0, 1)).clip(0)
        for hemi, factor in (gain or {}).items():
            signal = np.where(self.tract[hemi], signal * factor, signal)
        place = world_coordinates(self.grid) / 100
        signal = signal * np.exp(shading * (place @ [0.6, 1.0, -0.7] - (place**2).sum(axis=-1)))
        noisy = signal + noise * np.random.default_rng(4).standard_normal(SHAPE)
        return make_image((400 * np.clip(noisy, 0, None) * (inside > 0)).astype(np.float32), self.grid)

    def measure(self, image: nb.Nifti1Image, to_image=np.eye(4), contrast="t1w") -> pd.DataFrame:  # noqa: B008
        back = [np.linalg.inv(to_image)]
        recorded = make_image((np.asarray(image.dataobj) != 0).astype(np.float32), image)
        fov = resample(recorded, self.atlas, [to_image])
        return measure_signal(
            image,
            average_over_voxels(self.wm, image, back),
            resample(self.atlas, image, back),
            self.table,
            measure_coverage(self.atlas, self.table, fov),
            modality=contrast,
        ).set_index(["region", "hemi"])


@pytest.fixture(scope="module")
def head() -> Brain:
    return Brain()


def thick_slices(image: nb.Nifti1Image, slice_mm: float, pose: np.ndarray) -> nb.Nifti1Image:
    """The image as a scanner with thick slices sees it, after the head has moved by ``pose``."""
    grid = resampled_grid(image, (2.0, 2.0, slice_mm))
    return average_over_voxels(image, grid, [np.linalg.inv(pose)])


def test_an_even_brain_has_ratios_of_one(head):
    found = head.measure(head.scan("t1w"))
    assert set(found.index) == {(region, hemi) for region in CST_REGIONS for hemi in "LR"}
    np.testing.assert_allclose(found["value"], 1.0, atol=0.01)
    assert (found["unit"] == "1").all()


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_a_brighter_left_tract_is_found_on_the_left(head, contrast):
    found = head.measure(head.scan(contrast, gain={"L": 1.08}), contrast=contrast)["value"]
    np.testing.assert_allclose(found.xs("L", level="hemi"), 1.08, atol=0.01)
    np.testing.assert_allclose(found.xs("R", level="hemi"), 1.0, atol=0.01)


@pytest.mark.parametrize("axis", ["left to right", "front to back"])
def test_both_sides_and_both_lobes_weigh_alike_in_the_reference(head, axis):
    x, y, _ = np.moveaxis(world_coordinates(head.grid), -1, 0)
    step = np.where((x if axis == "left to right" else y) > 0, 1.2, 1.0)
    found = head.measure(make_image((head.scan("t1w").get_fdata() * step).astype(np.float32), head.grid))["value"]
    # 1.1 is the mean of the halves; the tract lies behind y = 0
    np.testing.assert_allclose(found["cst", "L"], 1.0 / 1.1, atol=0.01)
    np.testing.assert_allclose(found["cst", "R"], (1.2 if axis == "left to right" else 1.0) / 1.1, atol=0.01)


@pytest.mark.parametrize("gain", [1.05, 1.10])
def test_shading_goes_and_the_brightening_stays(head, gain):
    image = head.scan("t1w", gain={"L": gain}, shading=0.3)
    before = head.measure(image)["value"]
    found = head.measure(correct_bias(image, head.mask, iterations=N4_ITERATIONS))["value"]
    assert abs(before["cst", "L"] / before["cst", "R"] - gain) > 0.03, "there is no shading to correct"
    assert found["cst", "L"] == pytest.approx(gain, abs=0.02)
    assert found["cst", "R"] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("contrast", "slice_mm", "storage"), [("flair", 3.0, "LAS"), ("t2w", 5.0, "PSR")])
def test_a_moved_scan_of_thick_slices_is_measured_where_the_tract_is(head, contrast, slice_mm, storage):
    image = thick_slices(head.scan(contrast, gain={"R": 1.10}), slice_mm, rigid((3.0, -2.0, 4.0), (4.0, -3.0, 5.0)))
    now = nb.orientations.io_orientation(image.affine)
    wanted = nb.orientations.axcodes2ornt(tuple(storage))
    stored = image.as_reoriented(nb.orientations.ornt_transform(now, wanted))
    image = to_canonical(stored)
    t1w = head.scan("t1w", noise=0.01)
    found = head.measure(image, register_rigid(t1w, image, fixed_mask=head.mask), contrast)["value"]
    measured = found[found.index.get_level_values("region") != "cst_pons"].dropna()
    np.testing.assert_allclose(measured.xs("R", level="hemi"), 1.10, atol=0.02)
    np.testing.assert_allclose(measured.xs("L", level="hemi"), 1.00, atol=0.02)
    assert {"cst", "cst_plic", "cst_corona_radiata"} <= set(measured.index.get_level_values("region"))


def test_a_level_outside_the_slab_is_missing_with_its_coverage(head):
    whole = head.scan("flair")
    slab = nb.Nifti1Image(
        np.asarray(whole.dataobj)[:, :, 24:], whole.affine @ nb.affines.from_matvec(np.eye(3), (0, 0, 24))
    )
    found = head.measure(slab, contrast="flair")
    assert np.isnan(found.loc[("cst_pons", "L"), "value"])
    assert found.loc[("cst_pons", "L"), "status"] == "field of view covers 0% of the level"
    assert found.loc[("cst_plic", "L"), "value"] == pytest.approx(1.0, abs=0.01)


def test_voxels_that_were_not_recorded_are_not_covered(head):
    data = head.scan("flair").get_fdata(dtype=np.float32)
    data[:, :, :24] = 0
    found = head.measure(make_image(data, head.grid), contrast="flair")
    assert "covers 0%" in found.loc[("cst_pons", "R"), "status"]


def test_without_white_matter_to_compare_with_there_is_no_ratio(head):
    x = world_coordinates(head.grid)[..., 1]
    front = make_image(np.where(x < -38, 0, head.scan("t1w").get_fdata()).astype(np.float32), head.grid)
    found = head.measure(front)
    assert found["value"].isna().all()
    assert found["status"].str.contains(r"0 voxels of occipital_wm \(L\) to compare with").any()


def test_a_voxel_of_the_coarse_grid_is_the_mean_of_what_it_holds():
    fine = nb.Nifti1Image(np.arange(12, dtype=np.float32).reshape(1, 1, 12), np.eye(4))
    coarse = resampled_grid(fine, (1.0, 1.0, 4.0))
    np.testing.assert_allclose(average_over_voxels(fine, coarse, []).get_fdata().ravel(), [1.5, 5.5, 9.5])


def test_the_atlas_is_asked_for_all_that_is_measured():
    assert set(CST_REGIONS) < set(ATLAS_REGIONS)
