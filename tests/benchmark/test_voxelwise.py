"""Voxelwise statistics: false positives in cohorts without any difference, and what a study costs."""

import time

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter

from mndmri.grids import make_image
from mndmri.maps.smoothing import smooth_map
from mndmri.statistics.maps import group_mask
from mndmri.statistics.voxelwise import compare_maps

pytestmark = pytest.mark.benchmark

COHORTS, COHORTS_OF_MAPS, PERMUTATIONS, LEVEL = 200, 400, 99, 0.05
SIZES = {"ALS": 13, "PLS": 5, "control": 10}
STUDY = {"groups": list(SIZES), "reference": "control"}


def people(sizes) -> pd.DataFrame:
    """Participants whose ages differ a little between the groups."""
    rng = np.random.default_rng(1)
    owner = np.repeat(list(sizes), list(sizes.values()))
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{n:03d}" for n in range(len(owner))],
            "group": owner,
            "age": rng.normal(60, 8, len(owner)) + 3 * (owner == "PLS"),
            "sex": rng.choice(["F", "M"], len(owner)),
            "tiv": rng.normal(1450, 130, len(owner)),
        }
    )


def ellipsoid(shape, *, size: float, voxel_mm: float = 2.0) -> nb.Nifti1Image:
    """Mask in the middle of a grid, 1 inside."""
    where = (np.indices(shape).T - (np.array(shape) - 1) / 2) / np.array(shape) * 2
    inside = (np.linalg.norm(where, axis=-1) < size).T
    return nb.Nifti1Image(inside.astype(np.uint8), np.diag([voxel_mm] * 3 + [1.0]))


def draw(table: pd.DataFrame, mask, *, seed: int, sigma: float = 1.5) -> dict:
    """Smooth noise with a trend over age, a map a participant."""
    rng = np.random.default_rng(seed)
    noise = [gaussian_filter(rng.standard_normal(mask.shape).astype(np.float32), sigma) for _ in range(len(table))]
    return {
        who: make_image(field / field.std() + np.float32(0.05 * (age - 60)), mask)
        for who, age, field in zip(table["participant_id"], table["age"], noise, strict=True)
    }


def test_false_positives_anywhere_are_five_in_a_hundred_cohorts():
    table, mask = people(SIZES), ellipsoid((12, 14, 12), size=0.95)
    summaries = []  # of every kind of test: F, a pair with a third group in the model, the pooled one, a covariate
    for seed in range(COHORTS):
        # the covariate tested must have no effect either
        null = table.assign(severity=np.random.default_rng(10_000 + seed).standard_normal(len(table)))
        found = compare_maps(
            draw(table, mask, seed=seed), mask, null, **STUDY, covariates=["age", "sex", "severity"],
            tested=["severity"], contrasts=[["ALS", "control"]], n_permutations=PERMUTATIONS, seed=seed,
        )  # fmt: skip
        summaries.append(found.summary)
    positive = pd.concat(summaries).assign(positive=lambda rows: rows["p_fwe"] <= LEVEL)
    share = positive.groupby("contrast", sort=False)["positive"].mean()
    print(f"\nCohorts with a false positive, of {COHORTS}, at {LEVEL}:\n{share.to_string()}")
    low, high = stats.binom.interval(0.99, COHORTS, LEVEL)
    assert share.between(low / COHORTS, high / COHORTS).all()


def own_map(mask, *, age: float, rng: np.random.Generator) -> tuple[nb.Nifti1Image, nb.Nifti1Image]:
    """A map of %, and white matter: as every brain is another, less of it in one person, and 0 elsewhere."""
    noise = gaussian_filter(rng.standard_normal(mask.shape).astype(np.float32), 1)
    tissue = ellipsoid(mask.shape, size=rng.uniform(0.8, 0.95)).get_fdata(dtype=np.float32)
    values = 40 + 2 * noise / noise.std() + 0.1 * (age - 60)
    return make_image((values * tissue).astype(np.float32), mask), make_image(tissue, mask)


def test_declared_maps_find_something_in_five_null_cohorts_of_a_hundred():
    """As smooth_map, then compare_maps of the workflow have it, from a map on its own tissue."""
    table, grid = people(SIZES), ellipsoid((12, 14, 12), size=0.95)
    summaries = []
    for seed in range(COHORTS_OF_MAPS):
        rng = np.random.default_rng([20, seed])
        own = [
            smooth_map(*own_map(grid, age=age, rng=rng), grid, to_t1w=[], to_map=[], fwhm_mm=5.0)
            for age in table["age"]
        ]
        mask = group_mask((tissue for _, tissue in own), threshold=0.2)
        maps = {who: smoothed for who, (smoothed, _) in zip(table["participant_id"], own, strict=True)}
        found = compare_maps(
            maps, mask, table, **STUDY, covariates=["age", "sex"], contrasts=[["ALS", "control"]],
            place={"modality": "mtr", "measure": "mean"}, n_permutations=PERMUTATIONS, seed=seed,
        )  # fmt: skip
        summaries.append(found.summary)
    share = pd.concat(summaries).groupby("contrast", sort=False)["p_fwe"].agg(lambda p: (p <= LEVEL).mean())
    lines = []
    for name, own_share in share.items():
        ci = stats.binomtest(round(own_share * COHORTS_OF_MAPS), COHORTS_OF_MAPS).proportion_ci()
        lines.append(f"{name}: {100 * own_share:.1f} [{100 * ci.low:.1f}, {100 * ci.high:.1f}]")
    print(f"\nPercent of {COHORTS_OF_MAPS} null cohorts with a false positive, 95% CI:\n" + "\n".join(lines))
    low, high = stats.binom.interval(0.99, COHORTS_OF_MAPS, LEVEL)
    assert share.between(low / COHORTS_OF_MAPS, high / COHORTS_OF_MAPS).all()


def test_a_study_of_forty_at_two_millimetres_takes_twenty_minutes_for_a_thousand_permutations():
    table, mask = people({"ALS": 18, "PLS": 8, "control": 14}), ellipsoid((76, 92, 76), size=0.9)
    maps = draw(table, mask, seed=0, sigma=1.7)  # 8 mm of full width at half maximum
    took = {}
    for number in (1, 11):
        begin = time.process_time()
        found = compare_maps(maps, mask, table, **STUDY, covariates=["age", "sex", "tiv"], n_permutations=number)
        took[number] = time.process_time() - begin
    each = (took[11] - took[1]) / 10
    voxels = found.summary["n_voxels"][0]
    print(f"\n{voxels} voxels, 40 people, F and 4 contrasts: {each:.2f} CPU s a permutation")
    assert each * 1000 < 20 * 60
