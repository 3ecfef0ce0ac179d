"""The template's regions, coordinates and a person's white matter on scans of any grid and position."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.on_scan import Person, on_scan
from mndmri.atlas.regions import select
from mndmri.diffusion.tract import ATLAS_REGIONS
from mndmri.grids import make_image, world_coordinates
from mndmri.registration.transforms import compose

# the template is the person moved by this, and the scan the person by that
TO_TEMPLATE = nb.affines.from_matvec(nb.eulerangles.euler2mat(z=0.1, x=-0.05), [3.0, -2.0, 4.0])
TO_SCAN = nb.affines.from_matvec(nb.eulerangles.euler2mat(y=0.08, x=0.2), [-5.0, 1.0, 2.0])
TABLE = pd.DataFrame([(0, "cst", "L"), (1, "cst", "R"), (2, "callosum", "both")], columns=["index", "region", "hemi"])
CENTRES = {("cst", "L"): (-15, -3, 2), ("cst", "R"): (17, -3, 2), ("callosum", "both"): (0, 5, 12)}


def grid(sizes, storage, shape, centre=(0, 0, 0)):
    """Grid stored along the given directions, about a centre."""
    ras = nb.affines.from_matvec(np.diag(sizes), np.subtract(centre, np.multiply(sizes, np.array(shape) - 1) / 2))
    image = nb.Nifti1Image(np.zeros(shape, np.float32), ras)
    turn = nb.orientations.ornt_transform(nb.orientations.axcodes2ornt("RAS"), nb.orientations.axcodes2ornt(storage))
    return image.as_reoriented(turn)


def ball(image, centre, to=None, radius=6.0):
    """A soft ball about a point of another space, to which ``to`` takes the image's points."""
    away = np.linalg.norm(
        nb.affines.apply_affine(np.eye(4) if to is None else to, world_coordinates(image)) - centre, axis=-1
    )
    return np.clip(radius - away + 0.5, 0, 1).astype(np.float32)


def person():
    template = grid((2, 2, 2), "RAS", (40, 36, 34))
    head = grid((1.5, 2, 1.8), "RAS", (50, 40, 42))
    atlas = make_image(np.stack([ball(template, centre) for centre in CENTRES.values()], axis=-1), template)
    return Person(
        from_template=compose([TO_TEMPLATE], head),
        to_template=compose([np.linalg.inv(TO_TEMPLATE)], template),
        atlas=atlas,
        table=TABLE,
        white_matter=make_image(ball(head, CENTRES["cst", "L"]), head),
    )


@pytest.fixture(scope="module", params=["RAS", "LAS", "PSR"])
def scan(request):
    return grid((2, 2.5, 3), request.param, (36, 32, 28), centre=(-4, 1, 3))


def test_regions_lie_where_the_transforms_take_them_left_on_the_left(scan):
    here = on_scan(scan, person(), to_scan=TO_SCAN)
    xyz = world_coordinates(scan)
    back = TO_SCAN @ np.linalg.inv(TO_TEMPLATE)
    for (region, hemi), centre in CENTRES.items():
        weight = select(here.weights, here.table, region, hemi).get_fdata()
        found = np.average(xyz, axis=(0, 1, 2), weights=np.repeat(weight[..., None], 3, axis=-1))
        np.testing.assert_allclose(found, nb.affines.apply_affine(back, centre), atol=0.3)
    left, right = (select(here.weights, here.table, "cst", hemi).get_fdata() > 0.5 for hemi in "LR")
    assert xyz[left][:, 0].max() < xyz[right][:, 0].min()


def test_coordinates_are_those_of_the_template(scan):
    here = on_scan(scan, person(), to_scan=TO_SCAN)
    known = nb.affines.apply_affine(TO_TEMPLATE @ np.linalg.inv(TO_SCAN), world_coordinates(scan))
    inside = np.asarray(here.weights.dataobj).max(axis=-1) > 0
    np.testing.assert_allclose(np.asarray(here.mni_mm.dataobj)[inside], known[inside], atol=0.02)


def test_white_matter_is_the_persons_own(scan):
    here = on_scan(scan, person(), to_scan=TO_SCAN)
    expected = ball(scan, CENTRES["cst", "L"], np.linalg.inv(TO_SCAN))
    assert np.corrcoef(here.white_matter.get_fdata().ravel(), expected.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("storage", ["RAS", "LAS", "PSR"])
def test_white_matter_comes_by_way_of_a_registered_scan_up_to_the_edge_of_its_slab(storage):
    """Of a scan that is registered itself, on an oblique grid that ends in white matter: one interpolation."""
    square = grid((2, 2.5, 3), storage, (20, 18, 7))
    slab = nb.Nifti1Image(np.zeros(square.shape, np.float32), TO_SCAN @ square.affine)
    head = grid((1, 1, 1), "RAS", (90, 90, 90))
    x = world_coordinates(head)[..., 0]
    white = make_image((0.5 + x / 100).astype(np.float32), head)  # more on the right
    registered = Person(
        from_template=compose([TO_TEMPLATE @ np.linalg.inv(TO_SCAN)], slab),
        to_template=compose([TO_SCAN @ np.linalg.inv(TO_TEMPLATE)], person().atlas.slicer[..., 0]),
        atlas=person().atlas,
        table=TABLE,
        white_matter=white,
        from_t1w=TO_SCAN,
    )
    here = on_scan(slab, registered)
    expected = 0.5 + nb.affines.apply_affine(np.linalg.inv(TO_SCAN), world_coordinates(slab))[..., 0] / 100
    np.testing.assert_allclose(here.white_matter.get_fdata(), expected, atol=1e-4)


def test_averaged_tissue_is_the_share_of_each_voxel():
    thick = grid((2, 2, 12), "RAS", (36, 36, 6), centre=(-4, 1, 3))
    averaged, sampled = (
        on_scan(thick, person(), average_tissue=average).white_matter.get_fdata() for average in (True, False)
    )
    ml = 2 * 2 * 12 / 1000
    true = np.asarray(person().white_matter.dataobj).sum() * 1.5 * 2 * 1.8 / 1000
    assert averaged.sum() * ml == pytest.approx(true, rel=0.02)
    assert abs(sampled.sum() * ml - true) > 0.1 * true


def test_coverage_is_the_share_that_the_scan_recorded(scan):
    whole = on_scan(scan, person(), to_scan=TO_SCAN).coverage
    assert whole.index.names == ["region", "hemi"]
    np.testing.assert_allclose(whole, 1, atol=1e-3)
    # what lies to the right of the middle of the right tract has no signal
    cut = nb.affines.apply_affine(TO_SCAN @ np.linalg.inv(TO_TEMPLATE), CENTRES["cst", "R"])[0]
    recorded = make_image((world_coordinates(scan)[..., 0] < cut).astype(np.float32), scan)
    part = on_scan(scan, person(), to_scan=TO_SCAN, recorded=recorded).coverage
    assert part["cst", "L"] == pytest.approx(1, abs=1e-3)
    assert part["cst", "R"] == pytest.approx(0.5, abs=0.1)


def test_a_scan_that_misses_a_region_covers_none_of_it():
    slab = grid((2, 2, 2), "RAS", (40, 40, 4), centre=(0, 0, -40))
    np.testing.assert_array_equal(on_scan(slab, person()).coverage, 0)


def test_tracking_asks_for_no_region_that_the_diffusion_stage_does_not_bring():
    from mndmri.diffusion.tracking import TRACKING_REGIONS  # dipy takes seconds to import

    assert set(TRACKING_REGIONS) <= set(ATLAS_REGIONS)
