"""Volumes of lobes that are blocks of a made-up template, in a person who lies elsewhere."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.lobes import measure_lobes
from mndmri.atlas.lobes import PARTS, VENTRICLES
from mndmri.grids import make_image, world_coordinates
from mndmri.tables.measures import DAMAGE_DIRECTION

SHIFT = np.array([3.0, -5.0, 4.0])  # from a point of the person to that of the template


@pytest.fixture(scope="module")
def template():
    """Each part a slab of 8 mm across the template's y axis."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-20, -44, -20]
    grid = nb.Nifti1Image(np.zeros((20, 44, 20), np.uint8), affine)
    slab = ((world_coordinates(grid)[..., 1] + 36) // 8 + 1).astype(int)
    return make_image(np.where((slab >= 1) & (slab <= len(PARTS)), slab, 0).astype(np.uint8), grid)


@pytest.fixture(scope="module")
def person():
    affine = np.diag([1.0, 2.0, 1.5, 1.0])
    affine[:3, 3] = [-10, -50, -12]
    grid = nb.Nifti1Image(np.zeros((21, 60, 14), np.float32), affine)
    grey = make_image(np.full(grid.shape, 0.75, np.float32), grid)
    fluid = make_image(np.full(grid.shape, 0.25, np.float32), grid)
    mni_mm = make_image((world_coordinates(grid) + SHIFT).astype(np.float32), grid)
    return {"GM": grey, "CSF": fluid}, mni_mm


def test_a_lobe_has_its_grey_matter_and_the_ventricles_their_fluid(template, person):
    found = measure_lobes(person[0], template, person[1])
    assert list(zip(found["region"], found["hemi"], strict=True)) == PARTS
    slab_ml = 21 * 8 * 14 * 1.5 / 1000
    for line in found.itertuples():
        share = 0.25 if line.region == VENTRICLES else 0.75
        assert line.value == pytest.approx(share * slab_ml, rel=0.01)


def test_lobes_are_found_where_the_registration_has_them(template, person):
    tissue, mni_mm = person
    y = world_coordinates(tissue["GM"])[..., 1] + SHIFT[1]
    only = make_image(np.where((y > -35) & (y < -29), 1, 0).astype(np.float32), tissue["GM"])
    found = measure_lobes({"GM": only, "CSF": tissue["CSF"]}, template, mni_mm).set_index(["region", "hemi"])["value"]
    assert found["frontal", "L"] > 0 and found.drop([("frontal", "L"), (VENTRICLES, "both")]).eq(0).all()


def test_an_image_without_volumes_has_rows_with_the_reason(template, person):
    found = measure_lobes(person[0], template, person[1], reasons={("gm", "both"): "the image ends inside the brain"})
    assert found["value"].isna().all() and set(found["status"]) == {"the image ends inside the brain"}


def test_a_template_without_lobes_is_said(template, person):
    none = make_image(np.zeros(template.shape, np.uint8), template)
    assert set(measure_lobes(person[0], none, person[1])["status"]) == {"the study's own atlas has no lobes"}


def test_an_image_that_shows_no_lobe_is_not_blamed_on_the_atlas(template, person):
    elsewhere = make_image(np.asarray(person[1].dataobj) + 500, person[1])
    assert set(measure_lobes(person[0], template, elsewhere)["status"]) == {"ok"}


def test_damage_widens_the_ventricles():
    assert DAMAGE_DIRECTION["t1w", "volume", VENTRICLES] == 1
