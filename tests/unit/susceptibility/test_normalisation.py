"""A scan's normalised SWI: made, measured, and averaged in template space."""

import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.regions import select
from mndmri.grids import make_image, world_coordinates
from mndmri.registration.transforms import make_field
from mndmri.susceptibility.measures import QUALITY
from mndmri.susceptibility.normalisation import (
    NormalisedScan,
    average_over_grey_matter,
    measure_scan,
    normalise_scan,
)
from mndmri.susceptibility.regions import REFERENCE, precentral_regions
from mndmri.tables.protocols import VENDOR_SWI

LIMITS = {"dark_percentile": 5.0, "min_voxels": 10, "max_in_plane_mm": 1.5}


@pytest.fixture(scope="module")
def regions(slab):
    return precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.mni)


@pytest.fixture(scope="module")
def brain(slab):
    return make_image((slab.grey | slab.white).astype(np.uint8), slab.grid)


def vendor_swi(slab, paint, factor=400.0):
    return make_image((factor * paint(slab)).astype(np.float32), slab.grid)


def test_the_scanners_own_swi_is_taken_in_units_of_white_matter(slab, paint, regions, brain):
    masks, names = regions
    scan = normalise_scan([], [], brain, masks, names, vendor=vendor_swi(slab, paint), bias_correction=False)
    white = np.asarray(select(masks, names, *REFERENCE).dataobj) > 0
    assert np.median(scan.swi.get_fdata()[white]) == pytest.approx(1.0)
    assert scan.by_phase and scan.note == "the scanner's own SWI"


def test_without_a_known_sign_of_the_phase_the_magnitude_stands_alone(slab, paint, regions, brain):
    magnitude = vendor_swi(slab, paint)
    phase = make_image(np.zeros(slab.grid.shape, np.float32), slab.grid)
    scan = normalise_scan([magnitude], [phase], brain, *regions, paramagnetic_sign=None, bias_correction=False)
    assert not scan.by_phase and "sign of the phase is unknown" in scan.note


def test_shading_is_removed_only_where_that_is_asked_for(slab, paint, regions, brain):
    shaded = make_image((paint(slab) * np.exp(slab.x / 60)).astype(np.float32), slab.grid)
    masks, names = regions
    white = np.asarray(select(masks, names, *REFERENCE).dataobj) > 0
    spread = {
        wanted: normalise_scan([], [], brain, masks, names, vendor=shaded, bias_correction=wanted)
        .swi.get_fdata()[white]
        .std()
        for wanted in (True, False)
    }
    assert spread[True] < 0.5 * spread[False]


def test_measures_and_checks_are_told_apart_and_r2star_is_measured_where_there_is_a_map(slab, paint, regions):
    masks, names = regions
    data = paint(slab)
    data[slab.band & (slab.x < 0)] *= 0.8
    nothing = make_image(np.zeros(slab.grid.shape, np.uint8), slab.grid)
    scan = NormalisedScan(make_image(data.astype(np.float32), slab.grid), nothing, "", VENDOR_SWI)
    rate = make_image(np.where(slab.x < 0, 40, 20).astype(np.float32), slab.grid)
    measures, quality = measure_scan(scan, masks, names, r2star=rate, **LIMITS)
    assert set(quality["measure"]) == set(QUALITY) and not set(measures["measure"]) & set(QUALITY)
    table = measures.set_index(["measure", "region", "hemi"])["value"]
    deep = table["normalised_hypointensity", "precentral_posterior_deep"]
    assert deep["L"] > 0.19 and deep["R"] < 0.12
    assert table["r2star_median", "precentral"].to_dict() == {"L": 40, "R": 20}
    alone, _ = measure_scan(scan, masks, names, **LIMITS)
    pd.testing.assert_frame_equal(alone, measures[measures["modality"] == "swi"].reset_index(drop=True))


def test_in_template_space_a_value_is_that_of_grey_matter_on_its_own_side(slab):
    dark_left = np.where(slab.x < 0, 0.6, 0.9)
    # in a vein, in fluid and off the brain there are other values
    vein = (slab.y > 10) & (slab.y < 12)
    inside = slab.z < 60
    swi = np.where(vein, 0.1, np.where(slab.grey, dark_left, 5.0)) * inside
    swi, veins, brain, grey = (
        make_image(np.asarray(values, np.float32), slab.grid) for values in (swi, vein, inside, slab.grey)
    )
    # the template lies 6 mm to the right of the T1w image, and 4 mm behind the scan
    points = world_coordinates(slab.grid)
    grid = type(slab.grid)(np.zeros(slab.grid.shape, np.uint8), slab.grid.affine.copy())
    grid.affine[:3, 3] += [6.0, -4.0, 0.0]
    to_t1w = make_field(np.broadcast_to([-6.0, 4.0, 0.0], points.shape), grid)
    made = average_over_grey_matter(
        swi, brain, veins, grey, grid, to_t1w=[to_t1w], to_scan=[to_t1w, np.eye(4)], fwhm_mm=3.0
    ).get_fdata()
    for side, value in ((slab.x < -8, 0.6), (slab.x > 8, 0.9)):
        known = side & np.isfinite(made) & (np.abs(slab.y) < 8)
        assert known.any()
        np.testing.assert_allclose(made[known & slab.grey], value, atol=0.05)
    assert not np.isfinite(made[slab.z > 62]).any()
