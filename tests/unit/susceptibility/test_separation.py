"""Sources of both signs, planted in a head and found again from its susceptibility and the decay of its echoes."""

import numpy as np
import pytest

from mndmri.atlas.regions import select
from mndmri.grids import make_image
from mndmri.susceptibility.chi_measures import STATISTICS
from mndmri.susceptibility.regions import MEASURED_REGIONS, precentral_regions
from mndmri.susceptibility.relaxation import map_r2star
from mndmri.susceptibility.separation import R2_CORTEX, R2_PRIME_PER_PPM, SOURCES, measure_sources, separate
from mndmri.tables.measures import DEFINITIONS

TIMES = (0.005, 0.010, 0.015, 0.020, 0.025)
# ppm, right and left; the first holds more of both than the second, and their sums differ little
PLANTED = {"R": (0.055, -0.030), "L": (0.040, -0.022)}


@pytest.fixture(scope="module")
def regions(slab):
    return precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.mni)


def head(slab, *, noise_ppb=0.0, snr=np.inf):
    """Susceptibility and R2*, the latter fitted to echoes that decay as the sources make them."""
    rng = np.random.default_rng(5)
    right = slab.x > 0
    positive, negative = (np.where(right, *(PLANTED[h][n] for h in "RL")) for n in (0, 1))
    chi = positive + negative + rng.normal(0, noise_ppb / 1000, right.shape)
    rate = R2_CORTEX + R2_PRIME_PER_PPM * (positive - negative)
    echoes = [make_image(np.exp(-t * rate) + rng.normal(0, 1 / snr, right.shape), slab.grid) for t in TIMES]
    everywhere = make_image(np.ones(right.shape, np.uint8), slab.grid)
    return make_image(chi.astype(np.float32), slab.grid), map_r2star(echoes, everywhere, echo_times_s=TIMES)


def measured(slab, regions, chi, r2star, **options):
    veins, mask = (make_image(np.full(slab.grid.shape, n, np.uint8), slab.grid) for n in (0, 1))
    rows = measure_sources(chi, r2star, *regions, veins, mask, **({"field_strength_T": 3.0} | options))
    return rows.set_index(["measure", "region", "hemi"])


@pytest.mark.parametrize(("noise_ppb", "snr", "bound"), [(0.0, np.inf, 1e-4), (20.0, 40.0, 0.006)])
def test_planted_sources_come_back_on_their_side(slab, regions, noise_ppb, snr, bound):
    """With noise within 6 ppb: 20 ppb in a voxel of the map, a signal 40 times the noise at time 0."""
    table = measured(slab, regions, *head(slab, noise_ppb=noise_ppb, snr=snr))
    assert {(m, r, h) for m in SOURCES for r in MEASURED_REGIONS for h in "LR"} <= set(table.index)
    for hemi, planted in PLANTED.items():
        for measure, true in zip(SOURCES, planted, strict=True):
            found = table.loc[(measure, "precentral_posterior_deep", hemi)]
            assert found["value"] == pytest.approx(true, abs=bound)
            assert (found["status"], found["unit"], found["modality"]) == ("ok", "ppm", "qsm")
            assert found["n_voxels"] == int(select(*regions, "precentral_posterior_deep", hemi).get_fdata().sum())


@pytest.mark.parametrize("chi", [0.05, -0.05])
@pytest.mark.parametrize("rate", [-5.0, 0.0, 3.0])
def test_no_source_has_the_wrong_sign_where_relaxation_is_too_slow_for_the_susceptibility(chi, rate):
    assert separate(chi, rate) == pytest.approx((max(chi, 0), min(chi, 0)))


def test_both_add_up_to_the_susceptibility():
    for chi, rate in ((0.02, 9.0), (-0.03, 15.0)):
        positive, negative = separate(chi, rate)
        assert positive > 0 > negative
        assert positive + negative == pytest.approx(chi)
        assert positive - negative == pytest.approx(rate / R2_PRIME_PER_PPM)


@pytest.mark.parametrize(("field", "found"), [(None, "unknown"), (7.0, "7 T"), (1.5, "1.5 T")])
def test_at_another_field_strength_the_values_are_missing_with_the_reason(slab, regions, field, found):
    table = measured(slab, regions, *head(slab), field_strength_T=field)
    assert table["value"].isna().all()
    assert set(table["status"]) == {f"the relaxometric constant holds at 3 T; the field strength is {found}"}


def test_an_unknown_map_has_no_sources(slab, regions):
    table = measured(slab, regions, *head(slab), unknown="the sign of the phase is ambiguous")
    assert set(table["status"]) == {"the sign of the phase is ambiguous"}


def test_they_are_named_apart_from_the_means_of_positive_and_negative_values_and_marked():
    assert not set(SOURCES) & set(STATISTICS)
    for measure in SOURCES:
        assert DEFINITIONS["qsm", measure]["Description"].startswith("Exploratory")
