"""Rays through made-up cortex whose thickness is known: shells, tubes, and banks of a sulcus."""

import nibabel as nb
import numpy as np
import pytest

from mndmri.anatomy.ray_thickness import cast_rays, cross_sulci

N, SUB = 40, 4  # voxels of 1 mm along each axis, points along each voxel's edge
EDGE = 6  # voxels: nearer to the end of the grid a ray may leave it
ALONG = (np.arange(N * SUB) + 0.5) / SUB - N / 2
X, Y, Z = np.meshgrid(ALONG, ALONG, ALONG, indexing="ij")
SLANT = np.array([0.25, 1, 0.35]) / np.linalg.norm([0.25, 1, 0.35])
ACROSS = SLANT[0] * X + SLANT[1] * Y + SLANT[2] * Z  # from the middle of a slanting sulcus


def average(fine: np.ndarray, affine=None) -> nb.Nifti1Image:
    blocks = fine.astype(np.float32).reshape(N, SUB, N, SUB, N, SUB).mean(axis=(1, 3, 5))
    return nb.Nifti1Image(blocks, np.eye(4) if affine is None else affine)


def cast(cortex: np.ndarray, white: np.ndarray):
    """Rays through two shapes given by their points; where they begin, from the middle, and their thickness."""
    return away_from_the_edge(average(cortex), average(white))


def away_from_the_edge(gm, wm):
    rays = cast_rays(gm, wm)
    place = rays.origin - (N - 1) / 2
    kept = (np.abs(place) < N / 2 - EDGE).all(axis=1) & np.isfinite(rays.thickness_mm)
    return place[kept], rays.thickness_mm[kept], rays.area[kept]


def mean(found) -> float:
    _, thickness, area = found
    return np.average(thickness, weights=area)


def banks(fluid: float, ahead: float, behind: float):
    """A sulcus with a bank on either side, each of its own thickness."""
    away = np.abs(ACROSS) - fluid / 2
    thickness = np.where(ACROSS > 0, ahead, behind)
    return (away >= 0) & (away < thickness), away >= thickness


@pytest.mark.parametrize(("radius", "thickness"), [(9, 2.5), (14, 2), (14, 3), (10, 4)])
def test_a_shell_has_its_thickness(radius, thickness):
    distance = np.sqrt((X - 0.3) ** 2 + Y**2 + Z**2)
    found = cast((distance >= radius) & (distance < radius + thickness), distance < radius)
    assert mean(found) == pytest.approx(thickness, abs=0.03)
    assert found[1].std() < 0.1


def test_the_fundus_of_a_sulcus_has_its_thickness():
    distance = np.hypot(X - 0.2, Y)
    found = cast((distance < 6) & (distance >= 3.5), distance >= 6)
    assert mean(found) == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize("fluid", [0, 0.3, 0.7, 1.5])
@pytest.mark.parametrize("thickness", [2, 2.5, 4])
def test_banks_have_their_thickness_whether_or_not_fluid_shows_between_them(thickness, fluid):
    assert mean(cast(*banks(fluid, thickness, thickness))) == pytest.approx(
        thickness, abs=0.08 if fluid == 0.7 else 0.06
    )


def test_unequal_banks_meet_where_the_fluid_is():
    place, thickness, area = cast(*banks(1.0, 2.0, 3.2))
    ahead = place @ SLANT > 0
    assert np.average(thickness[ahead], weights=area[ahead]) == pytest.approx(2.0, abs=0.1)
    assert np.average(thickness[~ahead], weights=area[~ahead]) == pytest.approx(3.2, abs=0.1)


def test_without_fluid_banks_share_the_way_between_them():
    assert mean(cast(*banks(0, 2.0, 3.0))) == pytest.approx(2.5, abs=0.1)


def test_noise_of_a_tenth_moves_the_mean_by_less_than_a_tenth_of_a_millimetre():
    random = np.random.default_rng(5)
    gm, wm = (average(part).get_fdata() for part in banks(1.5, 2.5, 2.5))
    lost = random.normal(0, 0.1, wm.shape)
    wm = np.clip(wm + lost, 0, 1)
    gm = np.clip(gm - lost + random.normal(0, 0.1, gm.shape), 0, 1 - wm)
    found = away_from_the_edge(*(nb.Nifti1Image(part.astype(np.float32), np.eye(4)) for part in (gm, wm)))
    assert mean(found) == pytest.approx(2.5, abs=0.1)


def test_an_island_of_white_matter_in_the_cortex_sends_out_no_rays():
    cortex, white = banks(1.5, 3, 3)
    island = np.sqrt(X**2 + (Y - 2.3) ** 2 + Z**2) < 0.8
    with_island = cast(cortex & ~island, white | island)
    assert mean(with_island) == pytest.approx(3, abs=0.06)


def test_the_area_of_rays_is_that_of_the_surface():
    """Half of a shell is twice as thick as the other: the mean is between, however the grid cuts its surface."""
    distance = np.sqrt(X**2 + Y**2 + Z**2)
    outer = np.where(ACROSS > 0, 11, 12.5)
    assert mean(cast((distance >= 9) & (distance < outer), distance < 9)) == pytest.approx(2.75, abs=0.05)


def test_the_area_of_rays_is_that_of_the_surface_in_flat_voxels_too():
    """Half of a ball's surface lies further than half its radius from the equator, where the shell is thicker."""
    distance = np.sqrt(X**2 + Y**2 + Z**2)
    outer = np.where(np.abs(Z) > distance / 2, 11, 12.5)
    flat = (N, SUB, N, SUB, 2 * N, SUB // 2)
    gm, wm = (
        nb.Nifti1Image(part.astype(np.float32).reshape(flat).mean(axis=(1, 3, 5)), np.diag([1, 1, 0.5, 1]))
        for part in ((distance >= 9) & (distance < outer), distance < 9)
    )
    rays = cast_rays(gm, wm)
    assert np.average(rays.thickness_mm, weights=rays.area) == pytest.approx(2.75, abs=0.05)


def test_where_white_matter_has_no_slope_there_is_no_ray():
    stripes = np.zeros((20, 20, 20), np.float32)
    stripes[...] = np.where(np.arange(20) % 2, 0.6, 0.4)  # differences over two voxels are 0
    wm = nb.Nifti1Image(stripes, np.diag([1, 1, 1, 1]))
    gm = nb.Nifti1Image(1 - stripes, wm.affine)
    rays = cast_rays(gm, wm)
    assert np.isfinite(rays.area).all() and np.isfinite(rays.normal).all()


def test_voxels_of_other_sizes_and_only_some_rays_change_nothing():
    """Of 1 x 1 x 0.5 mm: distances are millimetres, and a ray that is asked about sees banks that are not."""
    gm, wm = (average(part) for part in banks(0, 2.5, 2.5))
    squeezed = np.diag([1, 1, 0.5, 1])
    gm, wm = (nb.Nifti1Image(np.repeat(part.get_fdata(dtype=np.float32), 2, axis=2), squeezed) for part in (gm, wm))
    some = np.zeros(gm.shape, bool)
    some[10:30, :, 20:60] = True
    rays = cast_rays(gm, wm, within=some)
    assert len(rays.origin)
    assert (some[tuple(np.rint(rays.origin).astype(int).T)]).all()
    assert np.average(rays.thickness_mm, weights=rays.area) == pytest.approx(2.5, abs=0.1)


def test_without_white_matter_there_is_no_ray():
    nothing = nb.Nifti1Image(np.zeros((9, 8, 7), np.float32), np.eye(4))
    cortex = nb.Nifti1Image(np.ones((9, 8, 7), np.float32), np.eye(4))
    rays = cast_rays(cortex, nothing)
    assert len(rays.origin) == len(rays.thickness_mm) == len(rays.area) == 0


@pytest.mark.parametrize("fluid", [0, 0.5, 1, 2, 4])
@pytest.mark.parametrize("curved", [False, True])
def test_rays_across_a_sulcus_pass_its_fluid(fluid, curved):
    away = np.abs(np.hypot(X + 20, Y) - 20 if curved else ACROSS) - fluid / 2
    cortex, white = (away >= 0) & (away < 2.5), (away >= 2.5) & (away < 8)
    found = cross_sulci(average(cortex), average(white))
    inside = (np.abs(found.origin - (N - 1) / 2) < N / 2 - EDGE).all(axis=1)
    assert np.average(found.width_mm[inside], weights=found.area[inside]) == pytest.approx(fluid, abs=0.06)
    # from one bank to the other, not back into its own
    span = np.linalg.norm(found.end - found.origin, axis=1)[inside]
    assert np.median(span) == pytest.approx(fluid + 5, abs=0.3)


def test_rays_that_meet_no_other_bank_cross_nothing():
    distance = np.sqrt((X - 0.3) ** 2 + Y**2 + Z**2)
    assert not len(cross_sulci(average((distance >= 9) & (distance < 12)), average(distance < 9)).width_mm)
    nothing = average(np.zeros_like(X))
    assert not len(cross_sulci(nothing, nothing).width_mm)
