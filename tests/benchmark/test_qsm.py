"""What a susceptibility map costs, and how near it comes to the truth on simulated heads."""

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.grids import make_image, to_canonical, voxel_sizes
from mndmri.phantom.anatomy import build_anatomy
from mndmri.phantom.gre import simulate_gre
from mndmri.phantom.head import REGIONS
from mndmri.phantom.plan import complete, plan_cohort
from mndmri.phantom.scanning import FieldOfView, place_person
from mndmri.susceptibility.field import estimate_field
from mndmri.susceptibility.qsm import map_susceptibility

pytestmark = pytest.mark.benchmark

# 240 x 288 x 88 voxels of 0.8 x 0.8 x 1.5 mm
VIEW = FieldOfView((192.0, 230.4, 132.0), (0.0, -18.0, 22.0), tuple(r for r in REGIONS if r != "callosum"))
ECHOES_MS = [5.0, 10.0, 15.0, 20.0, 25.0]
SIMULATION = {
    "groups": {"ALS": 1},
    "effects": {"ALS": {"band_ppm": 0.06, "band_darkening": 0.2, "band_prevalence": 1.0}},
}
MAX_ERROR_PPM = 0.01
# of the map, percent of its standard deviation; the best of the 2016 challenge, in vivo, had about 70
# (Langkammer et al. 2018, Magn Reson Med 79:1661)
MAX_ERROR = {"closed_form": 65, "total_variation": 40}
MAX_CPU_S = 60
MAX_MB = 4096
# What is reached on the hard heads; the aims, 0.77 and 12 ppb, are not reached on all (docs/validation.md)
LEAST_R, MAX_BALL_PPB = 0.72, 17


@pytest.fixture(scope="module")
def anatomy():
    return build_anatomy(voxel_mm=1.0)


def scan(anatomy, voxel_mm, echoes_ms=ECHOES_MS, *, seed=7, **gre):
    """Field as estimated from a scan, true map, and masks of regions by side."""
    own = {"voxel_mm": voxel_mm, "echo_times_ms": echoes_ms, "storage": "RAS"} | gre
    settings = complete(SIMULATION | {"seed": seed, "gre": own})
    person = plan_cohort(settings).iloc[0].to_dict()
    made = simulate_gre(anatomy, person, settings, view=VIEW)
    magnitude, phase = ([to_canonical(i) for i in images] for images in (made.magnitude, made.phase))
    head, _ = place_person(anatomy, person, settings, "gre", VIEW)
    maps = head.maps
    sinus = np.linalg.norm(head.place - [0.0, 70.0, -30.0], axis=-1) < 22
    brain = (maps["grey"] + maps["white"] + maps["csf"] > 0.5) & ~sinus
    field = estimate_field(
        magnitude,
        phase,
        make_image(brain, magnitude[0]),
        echo_times_s=[ms * 1e-3 for ms in echoes_ms],
        field_strength_T=3.0,
    )
    grey = (maps["grey"] > 0.5) & (maps["vein"] < 0.05)
    precentral = grey & (maps["precentral"] > 0.5)
    posterior, deep = maps["posterior_bank"] > 0.5, maps["depth"] < 0.5
    regions = {
        "pallidum": (maps["pallidum"] > 0.7) & (maps["vein"] < 0.05),
        "white": (maps["white"] > 0.95) & (maps["pallidum"] < 0.05),
        "precentral": precentral,
        "precentral_posterior_deep": precentral & posterior & deep,
        "precentral_anterior_deep": precentral & ~posterior & deep,
        "postcentral": grey & (maps["postcentral"] > 0.5),
        "vein": maps["vein"] > 0.5,
    }
    by_side = {(name, hemi): mask & head.side(hemi) for name, mask in regions.items() for hemi in "LR"}
    return field, to_canonical(made.susceptibility).get_fdata(dtype=np.float32), by_side


def errors(found: SpatialImage, inside: SpatialImage, chi, regions) -> tuple[pd.DataFrame, float]:
    """True mean and error of each region, ppb relative to the brain; and of the whole map, % of its SD."""
    kept = inside.get_fdata() > 0
    true = chi - chi[kept].mean()
    wrong = found.get_fdata() - true
    rows = [
        (
            name,
            hemi,
            f"{(mask & kept).sum() / mask.sum():.0%}",
            1e3 * true[mask & kept].mean(),
            1e3 * wrong[mask & kept].mean(),
        )
        for (name, hemi), mask in regions.items()
    ]
    table = pd.DataFrame(rows, columns=["region", "hemi", "kept", "true_ppb", "error_ppb"])
    return table, 100 * float(np.sqrt((wrong[kept] ** 2).mean()) / true[kept].std())


@pytest.mark.parametrize("voxel_mm", [[0.8, 0.8, 1.5], [1.0, 1.0, 2.0]])
def test_regional_means_are_right_within_ten_ppb_for_four_minutes_and_four_gigabytes(anatomy, voxel_mm):
    field, chi, regions = scan(anatomy, voxel_mm)
    for method in ("closed_form", "total_variation"):
        tracemalloc.start()
        begin = time.process_time()
        found = map_susceptibility(field.ppm, field.reliable, method=method, noise=field.noise_ppm)
        seconds, megabytes = time.process_time() - begin, tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        table, error = errors(found.chi, found.mask, chi, regions)
        print(
            f"\n{chi.shape}, {field.note}; {found.note}: {seconds:.0f} CPU s, {megabytes:.0f} MB, error {error:.1f} %"
        )
        print(table.round(1).to_string(index=False))
        assert seconds < MAX_CPU_S
        assert megabytes < MAX_MB
        assert error < MAX_ERROR[method]
    # veins 2.4 mm wide share their voxels with fluid and cortex, and the field in them is the noisiest
    tissue = table[table["region"] != "vein"]
    assert (tissue["error_ppb"].abs() < 1e3 * MAX_ERROR_PPM).all()


# Seeds, voxels, echoes and tilts on which nothing was tuned (tuned on seeds 104 and 107, 1 x 1 x 2 mm, five echoes)
HARD = [
    (201, [1.0, 1.0, 1.0], [20.0], 0.0),
    (203, [1.0, 1.0, 3.0], [20.0], 0.0),
    (205, [1.0, 1.0, 1.0], ECHOES_MS, 15.0),
]
BALL = ((np.indices((7, 7, 7)) - 3) ** 2).sum(axis=0) <= 9  # 123 voxels


@pytest.mark.parametrize(("seed", "voxel_mm", "echoes_ms", "tilt_deg"), HARD)
def test_heads_with_six_ppb_that_no_susceptibility_explains(anatomy, seed, voxel_mm, echoes_ms, tilt_deg):
    hard = {"varied_susceptibility": True, "field_error_ppm": 0.006, "own_veins": True, "tilt_deg": tilt_deg}
    field, chi, regions = scan(anatomy, voxel_mm, echoes_ms, seed=seed, **hard)
    begin = time.process_time()
    found = map_susceptibility(field.ppm, field.reliable, noise=field.noise_ppm)
    seconds = time.process_time() - begin
    table, error = errors(found.chi, found.mask, chi, regions)
    kept = found.mask.get_fdata() > 0
    values, true = found.chi.get_fdata(), chi - chi[kept].mean()
    depth = ndimage.distance_transform_edt(field.reliable.get_fdata() > 0, sampling=voxel_sizes(field.ppm))
    # the mask ends 2 to 3 mm outside the cortex
    near = kept & (depth > 4.5) & (depth < 10.5)
    ball_error = ndimage.convolve(np.where(kept, values - true, 0), BALL / BALL.sum())[near]
    r = np.corrcoef(values[kept], true[kept])[0, 1]
    balls = 1e3 * float(np.sqrt((ball_error**2).mean()))
    print(f"\n{chi.shape}, {field.note}; {found.note}")
    print(f"{seconds:.0f} CPU s, error {error:.1f} %, r {r:.2f}, balls near the edge {balls:.1f} ppb")
    print(table.round(1).to_string(index=False))
    assert error < 75
    assert r > LEAST_R
    assert balls < MAX_BALL_PPB
    assert seconds < MAX_CPU_S
