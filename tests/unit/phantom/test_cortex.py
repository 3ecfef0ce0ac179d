"""Real cortex is uneven: how uneven the hard simulation is, and what its scanner adds."""

import numpy as np
import pytest

from mndmri.phantom import cortex
from mndmri.phantom.cortex import BANK_DARKNESS, spoil, uneven_darkness
from mndmri.phantom.damage import body_part
from mndmri.phantom.gre import VIEW, simulate_gre
from mndmri.phantom.plan import complete
from mndmri.phantom.scanning import place_person

SLAB = VIEW._replace(size_mm=(140.0, 90.0, 64.0), middle_mm=(0.0, -17.0, 48.0))


@pytest.fixture
def head(anatomy, still, healthy):
    still["gre"] |= {"voxel_mm": [4.0, 4.0, 4.0]}
    return place_person(anatomy, healthy, complete(still), "gre", SLAB)[0]


def test_the_same_person_has_the_same_cortex_and_another_another(head, healthy):
    first, again = (uneven_darkness(head, healthy) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = uneven_darkness(head, healthy | {"seed": healthy["seed"] + 1})
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.3


def test_banks_vary_between_people_as_declared_and_sides_on_their_own(head, healthy, monkeypatch):
    monkeypatch.setattr(cortex, "PATCHES", ())
    posterior = (head.maps["precentral"] > 0.99) & (head.maps["posterior_bank"] > 0.99)
    where = {h: posterior & body_part(head, "hand", h) for h in "LR"}
    found = np.array(
        [
            [np.median((d := uneven_darkness(head, healthy | {"seed": seed}))[where["L"]]), np.median(d[where["R"]])]
            for seed in range(300)
        ]
    )
    mean, sd = BANK_DARKNESS["hand"]["precentral_posterior"]
    assert found.std(axis=0) == pytest.approx([sd, sd], rel=0.15)
    assert found.mean() == pytest.approx(mean, abs=cortex.MYELIN_DARKNESS / 2 + 3 * sd / np.sqrt(600))
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.2


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("period", [4, 8, 32])
def test_stripes_fade_as_under_a_gaussian_of_the_declared_width(monkeypatch, axis, period):
    monkeypatch.setattr(cortex, "JERK_MM", 0.0)
    wave = np.moveaxis(np.ones((64, 64, 1)) * np.cos(2 * np.pi * np.arange(64) / period)[:, None, None], 0, axis)
    seen = spoil(wave, np.array([1.0, 1.0, 3.0]), {"scan_seed": 3})
    np.testing.assert_allclose(seen, wave * np.exp(-2 * (np.pi * cortex.BLUR_VOXELS / period) ** 2), atol=1e-5)


def test_a_head_that_moved_after_all_lines_but_the_last_is_hardly_displaced(monkeypatch):
    """Half of k-space and its middle are filled before it moves: the brightness and the place of things stay."""
    image = np.zeros((48, 48, 2), complex)
    image[16:32, 14:34] = 1.0
    moved = np.abs(spoil(image, np.array([1.0, 1.0, 3.0]), {"scan_seed": 8}))
    monkeypatch.setattr(cortex, "JERK_MM", 0.0)
    still = np.abs(spoil(image, np.array([1.0, 1.0, 3.0]), {"scan_seed": 8}))
    assert 0.001 < np.abs(moved - still).max() < 0.5
    assert moved[20:28, 20:28].mean() == pytest.approx(1.0, abs=0.05)
    centre = [np.average(np.arange(48), weights=i.sum(axis=(0, 2))) for i in (moved, still)]
    assert centre[0] == pytest.approx(centre[1], abs=0.3)


def test_only_a_hard_simulation_has_uneven_cortex(anatomy, still, healthy):
    still["gre"] |= {"voxel_mm": [3.0, 3.0, 3.0], "own_veins": True}
    easy, default, hard = (
        simulate_gre(anatomy, healthy, still | {"gre": still["gre"] | more}, view=SLAB)
        for more in ({"difficulty": "easy"}, {}, {"difficulty": "hard"})
    )
    np.testing.assert_array_equal(easy.magnitude[0].get_fdata(), default.magnitude[0].get_fdata())
    np.testing.assert_array_equal(easy.susceptibility.get_fdata(), hard.susceptibility.get_fdata())
    change = np.abs(hard.magnitude[0].get_fdata() - easy.magnitude[0].get_fdata())
    assert np.percentile(change[easy.magnitude[0].get_fdata() > 300], 50) > 5
