"""A space of the user's own holds their template and regions, and none of the built-in ones unless asked."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy import study_space
from mndmri.anatomy.study_space import prepare_space
from mndmri.atlas.own import RegionMaps
from mndmri.atlas.regions import select
from mndmri.grids import make_image, world_coordinates
from tests.unit.egg import egg


@pytest.fixture(scope="module")
def own():
    """The egg as a template, and a ball of it as a region of a finer grid."""
    brain = egg()
    fine = nb.Nifti1Image(np.zeros((60, 60, 60), np.float32), nb.affines.from_matvec(np.eye(3), [-50, -30, -30]))
    ball = np.linalg.norm(world_coordinates(fine) - (-20, 0, 0), axis=-1) < 9
    return brain, RegionMaps({("precentral", "L"): make_image(ball.astype(np.float32), fine)})


@pytest.fixture
def nothing_built_in(monkeypatch):
    """A built-in template or atlas that is asked for fails the test."""

    def refuse(*_):
        raise AssertionError("the built-in atlas was read")

    for name in ("load_builtin", "load_nuclei", "load_lobes", "load_template"):
        monkeypatch.setattr(study_space, name, refuse)


def test_without_the_built_in_atlas_none_of_it_is_read(own, nothing_built_in):
    space = prepare_space(*own, builtin=False, registration_mm=4)
    assert space.brain is own[0]
    region = select(space.atlas, space.table, "precentral", "L").get_fdata()
    where = np.average(world_coordinates(space.atlas)[region > 0.5], axis=0)
    np.testing.assert_allclose(where, (-20, 0, 0), atol=1)
    assert not select(space.atlas, space.table, "precentral", "R").get_fdata().any()
    assert not np.asarray(space.nuclei.dataobj).any() and not np.asarray(space.lobes.dataobj).any()
    # tissue is compared everywhere, and every voxel of the brain has some
    assert np.asarray(space.compared.dataobj).all()
    in_brain = space.coarse.get_fdata() > 0
    np.testing.assert_allclose(space.tissue.get_fdata().sum(axis=-1)[in_brain], 1, atol=1e-4)


def test_own_nuclei_are_grey_matter_that_is_not_compared(own, nothing_built_in):
    brain, _ = own
    ball = np.linalg.norm(world_coordinates(brain) - (-8, 0, 0), axis=-1) < 8
    labels = RegionMaps({("thalamus", "L"): make_image(ball.astype(np.float32), brain)})
    space = prepare_space(brain, labels, builtin=False, registration_mm=4)
    np.testing.assert_array_equal(np.asarray(space.nuclei.dataobj).any(axis=-1), ball)
    centre = np.linalg.norm(world_coordinates(space.coarse) - (-8, 0, 0), axis=-1) < 5
    assert not np.asarray(space.compared.dataobj)[centre].any()
    assert np.asarray(space.compared.dataobj).mean() > 0.5
