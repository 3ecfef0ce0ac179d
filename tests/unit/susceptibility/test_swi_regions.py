import nibabel as nb
import numpy as np
import pytest

from mndmri.atlas.regions import select
from mndmri.grids import make_image, to_canonical
from mndmri.io import InputError
from mndmri.susceptibility.geometry import in_plane_mm
from mndmri.susceptibility.regions import REGIONS, body_parts, precentral_regions, with_coverage, with_thickness


def regions_of(slab, **options):
    masks, table = precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.mni, **options)
    return {(r, h): np.asarray(masks.dataobj)[..., n] > 0 for n, r, h in table.itertuples(index=False)}, masks, table


def test_every_region_has_a_mask_for_each_side_and_one_reference(slab):
    found, masks, table = regions_of(slab)
    assert set(found) == {(r, h) for r in REGIONS for h in "LR"} | {("reference_wm", "both")}
    assert masks.shape == (*slab.grid.shape, 2 * len(REGIONS) + 1)
    chosen = select(masks, table, "precentral_anterior", "R")
    np.testing.assert_array_equal(chosen.get_fdata() > 0, found["precentral_anterior", "R"])


@pytest.mark.parametrize("zooms", [(1.0, 0.75, 1.2), (0.75, 1.0, 2.0)])
@pytest.mark.parametrize("oblique", [False, True])
def test_banks_lie_on_their_side_of_the_gyrus(build_slab, zooms, oblique):
    slab = build_slab(zooms, oblique=oblique)
    found, _, _ = regions_of(slab)
    for hemi, side in (("L", slab.x < -1.5), ("R", slab.x > 1.5)):
        for name, truth in (("precentral_posterior", slab.posterior_bank), ("precentral_anterior", slab.anterior_bank)):
            mask = found[name, hemi]
            assert (mask & truth & side).sum() >= 0.98 * (truth & side).sum()
        assert not (found["precentral_posterior", hemi] & slab.anterior_bank).any()
        assert not (found["precentral_anterior", hemi] & slab.posterior_bank).any()
        assert not (found["precentral", hemi] & ~side).any()


def test_ribbon_is_the_grey_matter_and_one_millimetre_of_white(build_slab):
    slab = build_slab((1.0, 0.5, 2.4))
    bank = (slab.z > 57) & (slab.z < 63) & (np.abs(slab.x) > 3) & (np.abs(slab.y) < 5)
    for margin, innermost in ((1.0, 1.25), (1.5, 0.75)):  # voxel centres 0.5 mm apart, the first grey one at 2.25
        found, _, _ = regions_of(slab, deep_margin_mm=margin)
        ribbon = found["precentral", "L"] | found["precentral", "R"]
        expected = slab.grey | (slab.white & (np.abs(slab.y) > innermost - 0.1))
        np.testing.assert_array_equal(ribbon[bank], expected[bank])


def test_deep_and_superficial_layers_are_the_whole_bank_of_a_body_part(slab):
    found = regions_of(slab)[0]
    there = body_parts(np.asarray(slab.mni.dataobj))["hand"]
    for hemi in "LR":
        for bank in ("precentral_posterior", "precentral_anterior", "postcentral_anterior"):
            deep, surface = (found[f"{bank}_{layer}_hand", hemi] for layer in ("deep", "superficial"))
            assert deep.any() and surface.any() and not (deep & surface).any()
            np.testing.assert_array_equal(deep | surface, found[bank, hemi] & there)


def test_depth_is_measured_in_millimetres_not_voxels(build_slab):
    # slices 2.4 mm thick across the crown, 0.5 mm across the banks: by voxels the crown would be all shallow
    slab = build_slab((1.0, 0.5, 2.4))
    found, _, _ = regions_of(slab)
    bank = slab.posterior_bank & (np.abs(slab.x) > 4) & (slab.z > 57) & (slab.z < 63)
    deep = found["precentral_posterior_deep", "L"] | found["precentral_posterior_deep", "R"]
    depth = -slab.y - 2.0  # into the grey matter from its white side, 0 to 2.5 mm
    assert deep[bank & (depth < 1.0)].all()
    assert not deep[bank & (depth > 1.5)].any()


def test_bank_is_decided_in_millimetres_not_voxels(build_slab):
    # in this grid's voxels the frontal gyrus across y is far and everything along z near
    for zooms in ((1.0, 0.5, 2.4), (1.0, 1.0, 0.8)):
        slab = build_slab(zooms)
        found, _, _ = regions_of(slab)
        crown = found["precentral", "L"] & (slab.z > 66) & (np.abs(slab.y) > 0.6)
        assert crown.any()
        np.testing.assert_array_equal(found["precentral_posterior", "L"][crown], slab.y[crown] < 0)


def test_the_postcentral_bank_is_the_one_that_faces_the_central_sulcus(slab):
    found, _, _ = regions_of(slab)
    pitch = 11.0
    wall = slab.grey & (slab.z > 55) & (slab.z < 65) & (np.abs(slab.y + pitch) < pitch / 2)
    for hemi, side in (("L", slab.x < -2), ("R", slab.x > 2)):
        front, back = wall & side & (slab.y > -pitch), wall & side & (slab.y < -pitch)
        assert found["postcentral_anterior", hemi][front].all()
        assert not found["postcentral_anterior", hemi][back].any()
        deep = found["postcentral_anterior_deep", hemi]
        assert deep[front & (slab.y < -pitch + 3.0)].all()
        assert not deep[front & (slab.y > -pitch + 3.8)].any()
        parts = [found[f"postcentral_anterior_deep_{part}", hemi] for part in ("leg", "hand", "face")]
        assert all(part.any() and not (part & ~deep).any() for part in parts)


def test_thickness_is_that_of_the_grey_matter(build_slab):
    for zooms in ((1.0, 0.75, 1.2), (0.8, 0.8, 1.5)):
        slab = build_slab(zooms, partial_volume=True)
        masks, table = precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.mni)
        found = with_thickness(table, masks, *slab.tissues[:2]).set_index(["region", "hemi"])["thickness_mm"]
        assert found["precentral", "L"] == pytest.approx(2.5, abs=0.3)
        assert found["precentral_hand", "R"] == pytest.approx(2.5, abs=0.3)
        assert np.isnan(found["postcentral", "L"])


def test_thinner_cortex_measures_thinner_on_its_own_side(slab):
    gone = slab.grey & (np.abs(slab.y) > 3.7) & (np.abs(slab.y) < 5) & (slab.x > 0)
    grey, white, csf = (np.asarray(t.dataobj) for t in slab.tissues)
    tissues = [make_image(part.astype(np.float32), slab.grid) for part in (grey * ~gone, white, csf + gone)]
    masks, table = precentral_regions(*tissues, slab.atlas, slab.table, slab.mni)
    found = with_thickness(table, masks, *tissues[:2]).set_index(["region", "hemi"])["thickness_mm"]
    assert found["precentral", "R"] < found["precentral", "L"] - 0.4


def test_body_parts_follow_the_mni_coordinates(slab):
    found, _, _ = regions_of(slab)
    mni = np.asarray(slab.mni.dataobj)
    x, z = np.abs(mni[..., 0]), mni[..., 2]
    own = found["precentral", "R"]
    leg, hand, face = (found[f"precentral_{part}", "R"] for part in ("leg", "hand", "face"))
    assert leg.any() and x[leg].max() < 18
    assert hand[own & (np.abs(x - 38) < 6) & (z > 52) & (z < 62)].all()
    assert face[own & (x > 50) & (z < 47)].all()
    assert not (hand & face).any() and not (hand & leg).any() and not (leg & face).any()
    parts = found["precentral_leg", "L"] | found["precentral_hand", "L"] | found["precentral_face", "L"]
    assert not (parts & ~found["precentral", "L"]).any()


def test_reference_is_white_matter_away_from_grey_matter_and_tract(slab):
    found, _, _ = regions_of(slab)
    reference = found["reference_wm", "both"]
    assert reference.sum() > 500
    assert (reference & ~slab.white).sum() == 0
    cst = np.max([slab.atlas.dataobj[..., n] for n in (8, 9)], axis=0)
    assert not (reference & (cst > 0.05)).any()
    for region in ("precentral", "postcentral", "superior_frontal"):
        assert not (reference & (found[region, "L"] | found[region, "R"])).any()


@pytest.mark.parametrize("codes", ["LAS", "PSR"])
def test_regions_do_not_depend_on_storage(slab, codes):
    expected, _, _ = regions_of(slab)

    def stored(image):
        start = nb.orientations.io_orientation(image.affine)
        turn = nb.orientations.ornt_transform(start, nb.orientations.axcodes2ornt(codes))
        return to_canonical(image.as_reoriented(turn))

    masks, table = precentral_regions(*map(stored, slab.tissues), stored(slab.atlas), slab.table, stored(slab.mni))
    for n, r, h in table.itertuples(index=False):
        np.testing.assert_array_equal(np.asarray(masks.dataobj)[..., n] > 0, expected[r, h])


def test_a_side_missing_from_the_field_of_view_is_an_empty_mask(slab):
    left_only = [make_image(np.asarray(t.dataobj) * (slab.x < 0), slab.grid) for t in slab.tissues]
    masks, table = precentral_regions(*left_only, slab.atlas, slab.table, slab.mni)
    sums = np.asarray(masks.dataobj).sum(axis=(0, 1, 2))
    for n, _, h in table.itertuples(index=False):
        assert (sums[n] == 0) == (h == "R")


def test_atlas_without_a_needed_region_is_refused_by_name(slab):
    table = slab.table[slab.table["region"] != "postcentral"]
    with pytest.raises(InputError, match="region 'postcentral', hemi 'L'"):
        precentral_regions(*slab.tissues, slab.atlas, table, slab.mni)
    with pytest.raises(InputError, match="expected x, y and z in a last axis of 3"):
        precentral_regions(*slab.tissues, slab.atlas, slab.table, slab.grid)


def test_in_plane_size_is_that_of_the_finer_axes():
    assert in_plane_mm(nb.Nifti1Image(np.zeros((7, 8, 9)), np.diag([2.0, 0.5, 0.6, 1]))) == pytest.approx(0.6)


def coverage_of(slab, scan, *, to_scan=None):
    names = regions_of(slab)[2]
    table = with_coverage(names, scan, slab.atlas, slab.table, [np.eye(4) if to_scan is None else to_scan])
    return table.set_index(["region", "hemi"])["coverage"]


def test_a_scan_of_one_half_covers_the_gyri_of_that_side_alone(slab):
    assert (coverage_of(slab, slab.grid) == 1).all()
    right = coverage_of(slab, slab.grid.slicer[slab.grid.shape[0] // 2 :])
    for region in ("precentral", "precentral_posterior_deep", "postcentral", "superior_frontal"):
        assert right[region, "R"] == pytest.approx(1, abs=0.02)
        assert right[region, "L"] == pytest.approx(0, abs=0.02)
    assert right["reference_wm", "both"] == 1


def test_coverage_follows_the_head_into_the_scan(slab):
    middle = slab.grid.slicer[slab.grid.shape[0] // 2 :]
    moved = nb.affines.from_matvec(np.eye(3), [10.0, 0.0, 0.0])  # the head lies 10 mm to its right in the scanner
    found = coverage_of(slab, middle, to_scan=moved)
    belongs = select(slab.atlas, slab.table, "precentral", "L").get_fdata() >= 0.25
    assert found["precentral", "L"] == pytest.approx((slab.x[belongs] > -10).mean(), abs=0.05)


def test_a_body_part_is_covered_as_far_as_its_own_share_of_the_gyrus(slab):
    inner = slab.grid.slicer[np.flatnonzero(slab.x[:, 0, 0] > -10).min() :]
    found = coverage_of(slab, inner)
    belongs = select(slab.atlas, slab.table, "precentral", "L").get_fdata() >= 0.25
    leg = belongs & (slab.x > -18) & (slab.z >= 44)
    assert found["precentral_leg", "L"] == pytest.approx((slab.x[leg] > -10).mean(), abs=0.02)
    assert found["precentral_leg", "L"] > found["precentral", "L"] + 0.1
    assert found["precentral_posterior_deep_leg", "L"] == found["precentral_leg", "L"]
