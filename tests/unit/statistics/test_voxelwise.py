"""Maps compared voxel by voxel: the model of every table, clusters where they were planted, p over all voxels."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from scipy import stats
from scipy.ndimage import gaussian_filter, label

from mndmri.atlas.names import load_regions
from mndmri.grids import make_image
from mndmri.io import InputError
from mndmri.registration.smoothing import smooth
from mndmri.statistics import compare_groups
from mndmri.statistics.clusters import clusters_dictionary, find_clusters
from mndmri.statistics.draws import draw_people, drawn_pivots
from mndmri.statistics.maps import group_mask
from mndmri.statistics.models import build_design
from mndmri.statistics.tfce import NEIGHBOURS, enhance
from mndmri.statistics.voxelwise import ContrastMaps, compare_maps, summary_dictionary
from mndmri.statistics.welch import directions_of, error_model, pivot, signed_pivots, sums_of, wald_test
from mndmri.tables.dictionaries import column_names
from tests.unit.statistics.test_profiles import scales

GROUPS = ["ALS", "PLS", "control"]
STUDY = {"groups": GROUPS, "reference": "control", "covariates": ["age", "sex", "site"]}
CONTRASTS = ["group", "ALS-PLS", "ALS-control", "PLS-control", "patients-control"]
# 12 mm voxels over a brain, in the template's world: the midline lies between voxels
AFFINE = np.array([[12.0, 0, 0, -78], [0, 12.0, 0, -112], [0, 0, 12.0, -76], [0, 0, 0, 1]])
SHAPE = (14, 16, 14)
LEFT_PRECENTRAL_MM = (-38, -20, 56)


@pytest.fixture
def mask():
    where = np.linalg.norm((np.indices(SHAPE).T - (np.array(SHAPE) - 1) / 2) / np.array(SHAPE) * 2, axis=-1).T
    return nb.Nifti1Image((where < 0.95).astype(np.uint8), AFFINE)


@pytest.fixture
def maps(participants, mask):
    """Smooth noise with an effect of age everywhere."""
    return smooth_maps(participants, mask)


def smooth_maps(participants, mask, *, seed=2):
    rng = np.random.default_rng(seed)
    fields = {who: gaussian_filter(rng.standard_normal(mask.shape), 1) for who in participants["participant_id"]}
    ages = dict(zip(participants["participant_id"], participants["age"], strict=True))
    return {who: make_image((f / 0.2 + 0.03 * ages[who]).astype(np.float32), mask) for who, f in fields.items()}


def with_loss(maps, participants, xyz, *, groups=("ALS", "PLS"), loss=4.0):
    """A ball of 20 mm round a place in which some groups have less."""
    first = next(iter(maps.values()))
    points = nb.affines.apply_affine(first.affine, np.moveaxis(np.indices(first.shape), 0, -1))
    ball = loss * (np.linalg.norm(points - xyz, axis=-1) < 20)
    ill = set(participants.loc[participants["group"].isin(groups), "participant_id"])
    return {who: make_image(m.get_fdata() - ball * (who in ill), m) for who, m in maps.items()}


def swapped(maps):
    return {who: make_image(np.asarray(m.dataobj)[::-1].copy(), m) for who, m in maps.items()}


def values(image, mask):
    return np.asarray(image.dataobj)[np.asarray(mask.dataobj) > 0]


# -- the model ------------------------------------------------------------------------------------


def test_every_voxel_is_the_ancova_of_compare_groups(participants, mask, maps, tidy):
    """t of every contrast, the pooled one too, and F, at twenty voxels."""
    found = compare_maps(maps, mask, participants, **STUDY, n_permutations=1)
    chosen = np.linspace(0, values(mask, mask).size - 1, 20).astype(int)
    columns = {f"v{n}": np.array([values(maps[w], mask)[n] for w in participants["participant_id"]]) for n in chosen}
    expected = compare_groups(tidy(participants, **columns), participants, **STUDY, n_permutations=0)
    for contrast in CONTRASTS:
        rows = expected[(expected["reported"] == "yes") & (expected["contrast"] == contrast)].set_index("measure")
        statistic = values(found.maps[contrast].statistic, mask)[chosen]
        np.testing.assert_allclose(statistic, rows.loc[list(columns), "statistic"], rtol=1e-3)
        (row,) = found.summary[found.summary["contrast"] == contrast].to_dict("records")
        assert rows["df"].min() < row["df"] < rows["df"].max()
        assert np.array_equal([row["df_num"]], rows["df_num"].unique(), equal_nan=True)


def test_t_of_a_covariate_in_one_group_is_that_of_statsmodels(participants, mask, maps):
    """One group has one variance, and its test is the ordinary one."""
    one = participants.assign(group="control")
    found = compare_maps(
        maps, mask, one, groups=["control"], reference="control", covariates=["age", "sex"], tested=["age"],
        n_permutations=1,
    )  # fmt: skip
    assert found.summary["df"][0] == pytest.approx(25)
    for n in (0, 300, 900):
        y = [values(maps[who], mask)[n] for who in participants["participant_id"]]
        model = smf.ols("y ~ age + sex", participants.assign(y=y)).fit()
        np.testing.assert_allclose(values(found.maps["age"].statistic, mask)[n], model.tvalues["age"], rtol=1e-3)


def test_one_group_has_its_covariates_tested_and_nothing_else(participants, mask, maps):
    found = compare_maps(
        maps,
        mask,
        participants.assign(group="control"),
        groups=["control"],
        reference="control",
        covariates=["age", "sex"],
        tested=["age"],
        n_permutations=99,
    )
    assert list(found.summary["contrast"]) == ["age"]
    assert found.summary["p_fwe"][0] == 0.01
    assert found.summary["higher_ml"][0] > 0.1 * found.summary["mask_ml"][0]
    assert found.summary["lower_ml"][0] == 0


# -- permutation ----------------------------------------------------------------------------------


def test_p_is_that_of_refitting_every_drawn_map(participants, mask, maps):
    """Residuals of everybody, on the scale of each group, refitted by least squares, TFCE of each map."""
    maps = with_loss(maps, participants, LEFT_PRECENTRAL_MM, groups=["ALS"], loss=0.6)
    maps = with_loss(maps, participants, (38, 20, 20), groups=["PLS"], loss=1.0)
    found = compare_maps(maps, mask, participants, **STUDY, n_permutations=20, seed=4)
    draws = draw_people(28, number=20, seed=4)
    y = np.array([values(maps[who], mask) for who in participants["participant_id"]], float)
    design = build_design(participants, groups=GROUPS, covariates=STUDY["covariates"]).matrix
    owner = np.repeat([0, 1, 2], [13, 5, 10])
    errors = error_model(design, owner)
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    lent, given = scales(y, owner, design)
    alike = residuals / lent[owner]
    for contrast, weights in {
        "group": [[1, 0, -1], [0, 1, -1]],
        "ALS-PLS": [[1, -1, 0]],
        "ALS-control": [[1, 0, -1]],
        "PLS-control": [[0, 1, -1]],
        "patients-control": [[13 / 18, 5 / 18, -1]],
    }.items():
        c = np.pad(np.array(weights, float), ((0, 0), (0, design.shape[1] - 3)))
        enhanced = []
        for again in [y, *(alike[people] * given[owner] for people in draws)]:
            effect = c @ np.linalg.lstsq(design, again, rcond=None)[0]
            statistic = pivot(wald_test(errors, directions_of(errors, c), *sums_of(errors, again)))
            whole = np.zeros(mask.shape)
            whole[np.asarray(mask.dataobj) > 0] = statistic * np.sign(effect[0]) if len(c) == 1 else statistic
            enhanced.append(np.abs(enhance(whole)[np.asarray(mask.dataobj) > 0]))
        own, largest = enhanced[0], np.max(enhanced[1:], axis=1)
        np.testing.assert_allclose(np.abs(values(found.maps[contrast].tfce, mask)), own, rtol=0.02, atol=0.02)
        expected = (np.sum(largest[:, None] >= own * (1 - 1e-4), axis=0) + 1) / 21
        p = 10 ** -values(found.maps[contrast].log_p, mask)
        # where a height falls between two sums of float32, a voxel is on one side or the other of it
        assert np.mean(np.abs(p - expected) > 1e-4) < 0.01
        assert len(np.unique(p.round(6))) > 3


def test_draws_of_a_cohort_vary_as_other_cohorts_do():
    """Skewed errors, three times as large in one group: spread and skew of the statistics are those of new cohorts."""
    owner = np.repeat([0, 1], [40, 30])
    rng = np.random.default_rng(6)

    def made(number):
        return (rng.exponential(size=(70, number)) - 1) * np.array([1.0, 3.0])[owner][:, None]

    errors = error_model(np.eye(2)[owner], owner)
    hypotheses = [directions_of(errors, np.array(c, float)) for c in ([1, 0], [0, 1], [1, -1])]
    drawn = draw_people(70, number=400, seed=1)
    of_draws = zip(*drawn_pivots(errors, made(40) + 5.0 * owner[:, None], hypotheses, drawn), strict=True)
    of_cohorts = signed_pivots(errors, *sums_of(errors, made(20_000)), hypotheses)
    for batches, new in zip(of_draws, of_cohorts, strict=True):
        own = np.vstack(batches)
        assert own.std() == pytest.approx(new.std(), rel=0.05)
        assert stats.skew(own.ravel()) == pytest.approx(stats.skew(new), abs=0.3)
        assert abs(stats.skew(new)) > 0.5


def test_t_and_its_enhancement_are_those_of_nilearn(participants, mask):
    """In groups of one size, where Welch's t is Student's."""
    people = participants[participants["group"] != "PLS"].drop(index=[0, 1, 2])
    maps = with_loss(smooth_maps(people, mask), people, LEFT_PRECENTRAL_MM, loss=1.5)
    found = compare_maps(maps, mask, people, groups=["ALS", "control"], reference="control", n_permutations=1)
    masker = NiftiMasker(mask, standardize=None).fit()
    y = np.array([values(maps[who], mask) for who in people["participant_id"]])
    difference = (people["group"] == "ALS").to_numpy(float)[:, None]
    theirs = permuted_ols(
        difference, y, np.ones_like(difference), model_intercept=False, n_perm=2, masker=masker, tfce=True,
        verbose=0, output_type="dict",
    )  # fmt: skip
    ours = found.maps["ALS-control"]
    np.testing.assert_allclose(values(ours.statistic, mask), theirs["t"][0], atol=2e-3)
    # ours is of t brought to infinite degrees of freedom, theirs of t itself; it is the sum over a hundred steps of the
    # highest t, not multiplied by their size
    tfce, expected = (
        values(make_image(enhance(ours.statistic.get_fdata()), mask), mask),
        theirs["tfce"][0] * np.abs(theirs["t"]).max() / 100,
    )
    assert np.corrcoef(tfce, expected)[0, 1] > 0.995
    np.testing.assert_allclose(np.abs(tfce).max(), np.abs(expected).max(), rtol=0.03)


def test_the_same_seed_gives_the_same_maps_whatever_the_order_of_people(participants, mask, maps):
    first = compare_maps(maps, mask, participants, **STUDY, n_permutations=10, seed=3)
    again = compare_maps(dict(reversed(maps.items())), mask, participants[::-1], **STUDY, n_permutations=10, seed=3)
    for contrast in CONTRASTS:
        for one, other in zip(first.maps[contrast][1:], again.maps[contrast][1:], strict=True):
            np.testing.assert_array_equal(one.get_fdata(), other.get_fdata())
    pd.testing.assert_frame_equal(first.summary, again.summary)


# -- where ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["L", "R"])
def test_a_planted_loss_is_found_on_its_side_and_nowhere_else(participants, mask, maps, side):
    lost = with_loss(maps, participants, LEFT_PRECENTRAL_MM)
    found = compare_maps(lost if side == "L" else swapped(lost), mask, participants, **STUDY, n_permutations=49)
    atlases = {"harvard_oxford": load_regions("harvard_oxford", mask)}
    table = find_clusters(found.maps, atlases)
    patients = table[table["contrast"] == "patients-control"]
    assert set(patients["hemi"]) == {side}
    assert set(patients["direction"]) == {"lower"}
    best = patients.iloc[0]
    assert best["p_fwe"] == pytest.approx(0.02)
    assert best["left_percent"] == (100 if side == "L" else 0)
    sign = -1 if side == "L" else 1
    assert np.linalg.norm(best[["x", "y", "z"]].to_numpy(float) - (sign * 38, -20, 56)) < 20
    assert f"{'Left' if side == 'L' else 'Right'} Precentral Gyrus" in best["harvard_oxford_overlap"]
    assert best["cluster_ml"] == pytest.approx(4 / 3 * np.pi * 2**3, rel=0.5)  # the ball
    assert set(table["contrast"]) >= {"group", "ALS-control", "patients-control"}
    assert "ALS-PLS" not in set(table["contrast"])
    assert set(table.loc[table["contrast"] == "group", "direction"]) == {"differs"}


def test_nothing_planted_gives_an_empty_table_with_its_columns(participants, mask, maps):
    found = compare_maps(maps, mask, participants, **STUDY, n_permutations=50)
    atlases = {"juelich": load_regions("juelich", mask)}
    table = find_clusters(found.maps, atlases, alpha=0.02)
    assert list(table.columns) == column_names(clusters_dictionary(atlases, space="MNI152NLin6Asym"))
    assert len(table) == 0


def test_peaks_of_a_cluster_are_its_highest_points_apart_from_each_other(mask):
    statistic = np.zeros(SHAPE)
    statistic[4:12, 8, 7] = [3, 5, 3, 6, 3, 4.5, 3, 4]
    whole = make_image(statistic.astype(np.float32), mask)
    log_p = make_image((statistic > 0) * 2.0, mask)
    maps = {"age": ContrastMaps("t", whole, make_image(enhance(statistic), mask), log_p)}
    table = find_clusters(maps, {})
    assert table["statistic"].to_list() == [6, 5, 4.5]
    assert table["x"].to_list() == [-78 + 12 * n for n in (7, 5, 9)]
    np.testing.assert_allclose(table["cluster_ml"], 8 * 1.728)


@pytest.mark.parametrize("beside", [100.0, np.nan])
def test_a_cluster_beside_a_higher_voxel_that_is_not_significant_has_its_own_peak(mask, beside):
    """An F of few degrees of freedom is large, and its pivot is not; where there is no test it is not a number."""
    statistic = np.zeros(SHAPE)
    statistic[4:8, 8, 7] = [beside, 6, 5, 4]
    tfce = enhance(np.nan_to_num(statistic))
    log_p = make_image(np.isin(statistic, [6, 5, 4]) * 2.0, mask)
    maps = {"group": ContrastMaps("F", make_image(statistic, mask), make_image(tfce, mask), log_p)}
    table = find_clusters(maps, {})
    assert table["statistic"].to_list() == [6]
    assert table["x"].to_list() == [-78 + 12 * 5]
    np.testing.assert_allclose(table["cluster_ml"], 3 * 1.728)


# -- enhancement ----------------------------------------------------------------------------------


def test_enhancement_of_a_block_is_its_integral():
    """A block of 4 x 4 x 4 at height 3, one voxel in it at 5: 8 x 9 for the block, (125 - 27) / 3 more above."""
    statistic = np.zeros((9, 9, 9))
    statistic[2:6, 2:6, 2:6] = 3
    statistic[3, 3, 3] = 5
    found = enhance(statistic)
    np.testing.assert_allclose(found[4, 4, 4], 8 * 9, rtol=1e-5)
    np.testing.assert_allclose(found[3, 3, 3], 8 * 9 + 98 / 3, rtol=1e-5)
    assert found[0, 0, 0] == 0
    np.testing.assert_array_equal(enhance(-statistic), -found)


def test_enhancement_is_the_sum_over_heights_of_each_side_by_itself():
    """Positive and negative voxels that touch are no cluster."""
    statistic = gaussian_filter(np.random.default_rng(2).standard_normal((7, 8, 9)), 0.7) * 4
    expected = np.zeros(statistic.shape)
    step = 0.002
    for height in np.arange(step / 2, np.abs(statistic).max(), step):
        for sign in (1, -1):
            labels, number = label(sign * statistic > height, NEIGHBOURS)
            for n in range(1, number + 1):
                expected[labels == n] += sign * np.sqrt((labels == n).sum()) * height**2 * step
    np.testing.assert_allclose(enhance(statistic), expected, rtol=0.01, atol=1e-3)


# -- what is said ---------------------------------------------------------------------------------


def test_who_is_left_out_is_counted_with_the_reason(participants, mask, maps):
    del maps["sub-00"], maps["sub-14"]
    people = participants.copy()
    people.loc[1, "age"] = np.nan
    found = compare_maps(maps, mask, people, **STUDY, reasons={"sub-00": "no dwi scan"}, n_permutations=1)
    assert list(found.summary.columns) == column_names(summary_dictionary(GROUPS))
    row = found.summary.iloc[0]
    assert (row["n_ALS"], row["n_PLS"], row["n_control"], row["n_missing"]) == (11, 4, 10, 3)
    assert row["note"] == "left out: no dwi scan (1), no map (1), no age (1)"


def test_a_group_of_one_is_compared_and_said(participants, mask, maps):
    people = participants[~participants["participant_id"].isin([f"sub-{n}" for n in range(14, 18)])]
    found = compare_maps(maps, mask, people, **STUDY, n_permutations=1)
    assert found.summary["note"].str.contains("one participant only: PLS").all()
    assert set(found.maps) == set(CONTRASTS)


def test_f_is_0_where_it_has_no_degrees_of_freedom(participants, mask, maps):
    """Groups of three and a covariate leave some voxels none: their F would be negative."""
    few = participants.groupby("group").head(3)
    own, options = {who: maps[who] for who in few["participant_id"]}, STUDY | {"covariates": ["age"]}
    whole = compare_maps(own, mask, few, **options, n_permutations=9).maps["group"].statistic
    found = values(whole, mask)
    assert found.min() == 0 and (found > 0).mean() > 0.5


def test_a_group_confounded_with_the_site_has_no_map_and_says_why(participants, mask, maps):
    people = participants.assign(site=np.where(participants["group"] == "control", "Graz", "Linz"))
    found = compare_maps(maps, mask, people, **STUDY, n_permutations=1)
    rows = found.summary.set_index("contrast")
    assert set(found.maps) == {"ALS-PLS"}
    assert rows.loc["ALS-control", "note"] == "not estimable: groups confounded with site"
    assert rows.loc["patients-control", "note"] == "not estimable: groups confounded with site"
    assert rows.loc["group", "note"] == "not estimable: confounded with site"
    assert np.isnan(rows.loc["ALS-control", "p_fwe"])


def test_a_group_without_maps_and_too_few_people_are_sentences_not_errors(participants, mask, maps):
    nobody = {who: m for who, m in maps.items() if who not in {f"sub-{n}" for n in range(13, 18)}}
    rows = compare_maps(nobody, mask, participants, **STUDY, n_permutations=1).summary.set_index("contrast")
    assert "no data: PLS" in rows.loc["PLS-control", "note"]
    assert rows.loc["PLS-control", "note"].endswith("a group of the contrast has no data")
    assert np.isfinite(rows.loc["ALS-control", "p_fwe"])
    few = {who: maps[who] for who in ("sub-00", "sub-14", "sub-20", "sub-21")}
    notes = compare_maps(few, mask, participants, **STUDY, n_permutations=1).summary["note"]
    assert notes.str.contains(r"too few participants \(4\) for the model's 6 terms").all()
    notes = compare_maps({}, mask, participants, **STUDY, n_permutations=1).summary["note"]
    assert notes.str.contains(r"no map \(28\)").all()


def test_a_map_without_a_value_leaves_out_its_participant_and_no_voxel(participants, mask, maps):
    maps["sub-03"] = make_image(np.full(SHAPE, np.nan, np.float32), mask)
    found = compare_maps(maps, mask, participants, **STUDY, n_permutations=1)
    row = found.summary.iloc[0]
    assert (row["n_ALS"], row["n_missing"]) == (12, 1)
    assert "left out: the map has no value" in row["note"]
    assert row["n_voxels"] == np.asarray(mask.dataobj).sum()


def test_a_map_with_values_outside_the_mask_alone_leaves_out_its_participant_and_no_voxel(participants, mask, maps):
    outside = np.where(np.asarray(mask.dataobj) > 0, np.nan, 1.0)
    maps["sub-03"] = make_image(outside.astype(np.float32), mask)
    row = compare_maps(maps, mask, participants, **STUDY, n_permutations=1).summary.iloc[0]
    assert (row["n_missing"], row["n_voxels"]) == (1, np.asarray(mask.dataobj).sum())
    assert "left out: the map has no value in the mask" in row["note"]


def test_every_map_is_read_once(participants, mask, maps):
    """Reading is unpacking: of a hundred people at 1 mm it takes minutes."""
    counts = dict.fromkeys(maps, 0)

    class Packed:
        def __init__(self, who):
            self.who, self.shape, self.dtype, self.ndim = who, SHAPE, np.dtype(np.float32), 3

        def __array__(self, dtype=None, copy=None):
            counts[self.who] += 1
            return np.asarray(maps[self.who].dataobj, dtype)

    packed = {who: nb.Nifti1Image(Packed(who), AFFINE) for who in maps}
    found = compare_maps(packed, mask, participants, **STUDY, n_permutations=1)
    assert set(counts.values()) == {1}
    expected = compare_maps(maps, mask, participants, **STUDY, n_permutations=1)
    pd.testing.assert_frame_equal(found.summary, expected.summary)


def test_a_voxel_that_somebody_lacks_is_left_out_and_a_slab_is_named(participants, mask, maps):
    slab = maps["sub-03"].get_fdata()
    slab[:, :, :7] = np.nan
    hole = maps["sub-05"].get_fdata()
    hole[7, 8, 10] = np.inf
    maps |= {"sub-03": make_image(slab, mask), "sub-05": make_image(hole, mask)}
    found = compare_maps(maps, mask, participants, **STUDY, n_permutations=1)
    compared = np.asarray(found.mask.dataobj)
    assert compared[:, :, :7].sum() == 0
    assert compared[7, 8, 10] == 0
    assert found.summary["n_voxels"][0] == compared.sum() == np.asarray(mask.dataobj)[:, :, 7:].sum() - 1
    assert found.summary["note"][0] == "sub-03 has no value in 50% of the mask"
    for maps_of_contrast in found.maps.values():
        assert not maps_of_contrast.statistic.get_fdata()[:, :, :7].any()


def test_a_voxel_without_variation_is_left_out(participants, mask, maps):
    for who, image in maps.items():
        flat = image.get_fdata()
        flat[:, 7:9] = 0.5
        maps[who] = make_image(flat, mask)
    found = compare_maps(maps, mask, participants, **STUDY, n_permutations=2)
    assert np.asarray(found.mask.dataobj)[:, 7:9].sum() == 0
    assert np.isfinite(found.maps["group"].statistic.get_fdata()).all()


def test_holm_is_over_the_pairs_alone(participants, mask, maps):
    rows = compare_maps(maps, mask, participants, **STUDY, n_permutations=9).summary.set_index("contrast")
    pairs = ["ALS-PLS", "ALS-control", "PLS-control"]
    assert rows.loc[pairs, "p_holm"].min() == pytest.approx(min(3 * rows.loc[pairs, "p_fwe"].min(), 1))
    assert rows.loc[["group", "patients-control"], "p_holm"].isna().all()


def test_what_cannot_be_tested_is_refused(participants, mask, maps):
    with pytest.raises(InputError, match="'weight' is to be mapped, but it is not a covariate"):
        compare_maps(maps, mask, participants, **STUDY, tested=["weight"])
    with pytest.raises(InputError, match="'sex' is to be mapped, but it is a category"):
        compare_maps(maps, mask, participants, **STUDY, tested=["sex"])
    maps["sub-03"] = nb.Nifti1Image(np.zeros(SHAPE), np.eye(4))
    with pytest.raises(InputError, match="different grids"):
        compare_maps(maps, mask, participants, **STUDY)


def test_the_groups_mask_is_where_the_mean_is_above_the_threshold(mask):
    data = np.zeros((3, *SHAPE))
    data[:, 5] = np.array([0.1, 0.2, 0.4])[:, None, None]
    data[:, 6] = np.array([0.1, 0.2, 0.2])[:, None, None]
    data[0, 7], data[1:, 7] = np.nan, 0.3
    found = np.asarray(group_mask([make_image(d, mask) for d in data], threshold=0.2).dataobj)
    assert found[5].all() and found[7].all()
    assert found.sum() == 2 * found[5].size
    with pytest.raises(InputError, match="no map to make the group's mask of"):
        group_mask([], threshold=0.2)


def test_the_mean_can_be_smoothed_as_the_maps_would_have_been(mask):
    data = np.random.default_rng(0).uniform(0, 0.5, (3, *SHAPE)).astype(np.float32)
    images = [make_image(d, mask) for d in data]
    found = group_mask(images, threshold=0.2, fwhm_mm=5)
    expected = group_mask([smooth(image, 5) for image in images], threshold=0.2)
    assert 0 < np.asarray(found.dataobj).sum() < found.dataobj.size
    assert (np.asarray(found.dataobj) != np.asarray(expected.dataobj)).mean() < 0.01
