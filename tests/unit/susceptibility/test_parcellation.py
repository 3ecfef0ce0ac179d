import numpy as np
import pytest

from mndmri.atlas.regions import select
from mndmri.grids import make_image
from mndmri.io import InputError
from mndmri.susceptibility.parcellation import take_parcellation
from mndmri.susceptibility.regions import precentral_regions

PITCH = 11.0


def aparc_of(slab, *, shift=0.0):
    """Labels of the slab's grey matter as FreeSurfer would give them; ``shift`` mm forwards."""
    y = slab.y - shift
    number = np.select(
        [y < -1.5 * PITCH, y < -0.5 * PITCH, y < 0.5 * PITCH, np.abs(slab.x) < 14], [29, 22, 24, 28], default=3
    )
    number[(number == 3) & (slab.z > 60)] = 27
    number[(np.abs(slab.x) < 5) & (np.abs(y + PITCH / 2) < PITCH)] = 17
    return make_image((slab.grey * (number + np.where(slab.x < 0, 1000, 2000))).astype(np.int16), slab.grid)


def test_the_persons_own_gyri_take_the_atlas_s_place_and_the_rest_stays(slab):
    atlas, table = take_parcellation(aparc_of(slab), slab.atlas, slab.table)
    assert table.equals(slab.table)
    own = select(atlas, table, "precentral", "L").get_fdata()
    there = slab.grey & (slab.x < -6)
    np.testing.assert_array_equal(own[there], (np.abs(slab.y) < PITCH / 2)[there])
    assert own[slab.x > 6].max() == 0
    for hemi in "LR":
        before, after = (select(image, table, "cst", hemi).get_fdata() for image in (slab.atlas, atlas))
        np.testing.assert_array_equal(before, after)


def test_paracentral_lobule_is_shared_as_the_atlas_has_it(slab):
    atlas, table = take_parcellation(aparc_of(slab), slab.atlas, slab.table)
    pre, post = (select(atlas, table, region, "R").get_fdata() for region in ("precentral", "postcentral"))
    lobule = slab.grey & (slab.x > 2) & (slab.x < 5) & (np.abs(slab.y + PITCH / 2) < 0.9 * PITCH) & (slab.z > 55)
    np.testing.assert_allclose((pre + post)[lobule], 1, atol=1e-6)
    assert (pre > post)[lobule & (slab.y > -4)].all()
    assert (post > pre)[lobule & (slab.y < -7)].all()


def test_a_parcellation_finds_the_banks_where_the_atlas_is_8_mm_off(build_slab):
    slab = build_slab(atlas_shift=8.0)
    atlas, table = take_parcellation(aparc_of(slab), slab.atlas, slab.table)
    masks, names = precentral_regions(*slab.tissues, atlas, table, slab.mni)
    for hemi, side in (("L", slab.x < -6), ("R", slab.x > 6)):
        found = select(masks, names, "precentral_posterior", hemi).get_fdata() > 0
        assert found[slab.posterior_bank & side].mean() > 0.98
        assert not found[slab.anterior_bank].any()


def test_mirrored_labels_are_refused_and_so_are_others(slab):
    labels = np.asarray(aparc_of(slab).dataobj)
    with pytest.raises(InputError, match=r"0% of the parcellation's precentral gyrus \(L\).*sides are not swapped"):
        take_parcellation(make_image(labels[::-1], slab.grid), slab.atlas, slab.table)
    with pytest.raises(InputError, match="no label 1003, 1022, 1024"):
        take_parcellation(make_image(np.where(labels > 0, labels % 1000, 0), slab.grid), slab.atlas, slab.table)


def test_labels_elsewhere_in_the_head_are_refused(slab):
    with pytest.raises(InputError, match="lies where the atlas"):
        atlas = np.asarray(slab.atlas.dataobj) * (slab.y > PITCH)[..., None]
        take_parcellation(aparc_of(slab), make_image(atlas, slab.grid), slab.table)
