import numpy as np
import pytest
from scipy import ndimage

from mndmri.grids import make_image, voxel_sizes
from mndmri.susceptibility.regions import precentral_regions
from mndmri.susceptibility.sulcus import label_gyri

BANKS = (("precentral_posterior", "posterior_bank"), ("precentral_anterior", "anterior_bank"))


def regions_of(slab, atlas=None):
    masks, table = precentral_regions(*slab.tissues, atlas or slab.atlas, slab.table, slab.mni)
    return {(r, h): np.asarray(masks.dataobj)[..., n] > 0 for n, r, h in table.itertuples(index=False)}


def check_banks(found, slab):
    for hemi, side in (("L", slab.x < -2), ("R", slab.x > 2)):
        for region, truth in BANKS:
            bank = getattr(slab, truth) & side
            assert found[region, hemi][bank].mean() > 0.97
            other = slab.grey & side & (slab.z > 55) & ~bank & (np.abs(slab.y) > 5)
            assert found[region, hemi][other].mean() < 0.01


@pytest.mark.parametrize("zooms", [(1.0, 0.75, 1.2), (0.8, 0.8, 1.5), (1.0, 1.0, 2.0)])
@pytest.mark.parametrize("shift", [-2.0, 2.0])
def test_the_persons_sulcus_corrects_an_atlas_that_is_2_mm_off(build_slab, zooms, shift):
    slab = build_slab(zooms, atlas_shift=shift)
    by_atlas = np.argmax([slab.atlas.dataobj[..., n] for n in (0, 2, 4)], axis=0)
    cortex = slab.posterior_bank | slab.anterior_bank
    assert (by_atlas != 1)[cortex & (np.abs(slab.y) > 3)].any()  # the atlas alone gives some to its neighbours
    check_banks(regions_of(slab), slab)


def test_an_atlas_bent_by_2_mm_finds_the_same_banks(build_slab):
    slab = build_slab((0.8, 0.8, 1.5))
    sizes, rng = voxel_sizes(slab.grid), np.random.default_rng(5)
    bend = np.stack([ndimage.gaussian_filter(rng.standard_normal(slab.grid.shape), 6 / sizes) for _ in range(3)])
    bend *= 2.0 / np.sqrt((bend**2).sum(axis=0).mean()) / sizes[:, None, None, None]
    where = np.indices(slab.grid.shape) + bend
    volumes = np.moveaxis(np.asarray(slab.atlas.dataobj), -1, 0)
    bent = np.stack([ndimage.map_coordinates(volume, where, order=1, mode="nearest") for volume in volumes], axis=-1)
    check_banks(regions_of(slab, make_image(bent, slab.grid)), slab)


def test_banks_that_touch_part_half_way():
    y = (np.arange(60) - 29.5) * 0.5
    white = np.broadcast_to(((np.abs(y) > 3) & (np.abs(y) < 7))[:, None], (4, 60, 20)).copy()
    white[..., :4] = True
    grey = ~white
    probability = np.stack([np.broadcast_to((1 / (1 + np.exp(s * y)))[:, None], white.shape) for s in (1, -1)], axis=-1)
    found = label_gyri(probability, grey, white, np.zeros(white.shape), np.array([1.0, 0.5, 1.0]))
    sulcus = found[:, np.abs(y) < 3, 12:]
    np.testing.assert_array_equal(sulcus, np.broadcast_to(np.where(y < 0, 1, 2)[np.abs(y) < 3][:, None], sulcus.shape))


def test_what_is_far_from_white_matter_is_no_cortex(slab):
    tissues = [np.asarray(t.dataobj) for t in slab.tissues]
    dura = (slab.z > 70) & (np.abs(slab.y) < 4)
    found = label_gyri(
        np.stack([slab.atlas.dataobj[..., n] for n in range(6)], axis=-1),
        (tissues[0] > 0) | dura,
        tissues[1] > 0,
        np.where(dura, 0, tissues[2]),
        voxel_sizes(slab.grid),
    )
    assert not found[slab.z > 71.2].any()


def test_a_head_without_white_matter_in_view_has_no_gyri():
    nothing = np.zeros((5, 6, 7), bool)
    assert not label_gyri(np.ones((5, 6, 7, 2)), ~nothing, nothing, np.zeros((5, 6, 7)), np.ones(3)).any()
