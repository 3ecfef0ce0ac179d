import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from mndmri.statistics.band_index import index_dictionary, index_table, norm_of, w_interval
from mndmri.statistics.band_norms import limits_of
from mndmri.statistics.motor_band import learn_cutoffs, score_motor_band
from mndmri.tables.dictionaries import column_names
from mndmri.tables.measures import GROUP_COLUMNS
from mndmri.tables.protocols import MAGNITUDE, VENDOR_SWI, protocol, protocol_table
from tests.unit.statistics.test_motor_band import contrasts, people


def indices(participants: pd.DataFrame, sides: np.ndarray, error: float = 0.004) -> pd.DataFrame:
    """Measures of people whose sides are those of an array (n, 2)."""
    rows = []
    for (who, group), (left, right) in zip(participants[["participant_id", "group"]].to_numpy(), sides, strict=True):
        for hemi, value in (("L", left), ("R", right), ("both", (left + right) / 2)):
            own = error / np.sqrt(2) if hemi == "both" else error
            for name, number in (("band_index", value), ("band_index_error", own)):
                status = "ok" if np.isfinite(value) else "9 voxels"
                number = number if np.isfinite(value) else np.nan
                rows.append((who, group, "swi", name, "precentral", hemi, number, "1", 900, status))
    return pd.DataFrame(rows, columns=GROUP_COLUMNS)


@pytest.fixture
def study():
    everyone = people(ALS=3, control=12)
    sides = np.random.default_rng(3).normal(0.01, 0.01, (15, 2)) + np.array([0.06, *[0] * 14])[:, None]
    return everyone, sides


def test_the_index_is_the_distance_from_the_controls_in_their_standard_deviations(study):
    everyone, sides = study
    table = index_table(indices(everyone, sides), everyone, reference="control").set_index(["participant_id", "hemi"])
    assert len(table) == 45
    mean_of_both = sides[3:].mean(axis=1)
    own = table.loc[("sub-00", "both")]
    assert own["w"] == pytest.approx((sides[0].mean() - mean_of_both.mean()) / mean_of_both.std(ddof=1))
    assert own["n_controls"] == 12
    others = mean_of_both[1:]
    control = table.loc[("sub-03", "both")]
    assert control["w"] == pytest.approx((mean_of_both[0] - others.mean()) / others.std(ddof=1))
    assert control["n_controls"] == 11
    assert (table["w_low"] < table["w"]).all() and (table["w"] < table["w_high"]).all()
    assert column_names(index_dictionary()) == list(
        index_table(indices(everyone, sides), everyone, reference="control")
    )


def test_swapped_sides_swap_the_index(study):
    everyone, sides = study
    asis, swapped = (
        index_table(indices(everyone, own), everyone, reference="control").pivot(
            index="participant_id", columns="hemi", values="w"
        )
        for own in (sides, sides[:, ::-1])
    )
    np.testing.assert_allclose(asis["L"], swapped["R"])
    np.testing.assert_allclose(asis["both"], swapped["both"])


@pytest.mark.parametrize(("w", "error", "freedom"), [(1.7, 0.4, 9), (-0.5, 0.3, 5), (3.0, 0.5, 11)])
def test_the_interval_is_that_of_the_noncentral_t_distribution(w, error, freedom):
    t = w / error

    def limit(chance):
        return error * optimize.brentq(lambda d: stats.nct.cdf(t, freedom, d) - chance, t - 8, t + 8)

    assert w_interval(w, error, freedom) == pytest.approx((limit(0.975), limit(0.025)), abs=0.002)


@pytest.mark.parametrize("alike", [0.0, 0.7])
def test_the_interval_contains_the_true_index_in_95_percent(alike):
    """200 studies of 10 controls; the patient lies 1.5 SD above them and is measured with an error of 0.4 SD."""
    rng = np.random.default_rng(8)
    keys = pd.MultiIndex.from_tuples([("band_index", "precentral", hemi) for hemi in "LR"])
    ages = pd.Series(dtype=float)
    covered: dict[str, list[bool]] = {"L": [], "both": []}
    for _ in range(200):
        shared, own = rng.normal(size=(10, 1)), rng.normal(size=(10, 2))
        sides = np.sqrt(alike) * shared + np.sqrt(1 - alike) * own
        row = limits_of(pd.DataFrame(sides, columns=keys), ages, {"kind": "magnitude"}).iloc[0]
        measured = 1.5 + 0.4 * rng.normal(size=2)
        for hemi, value, error, sd in (
            ("L", measured[0], 0.4, 1.0),
            ("both", measured.mean(), 0.4 / np.sqrt(2), np.sqrt((1 + alike) / 2)),
        ):
            norm = norm_of(row, hemi)
            k = np.hypot(np.sqrt(norm.mean_share), error / norm.sd)
            low, high = w_interval((value - norm.mean) / norm.sd, k, norm.freedom)
            covered[hemi].append(low <= 1.5 / sd <= high)
    for found in covered.values():
        assert 0.90 <= np.mean(found) <= 0.99


def test_noise_widens_the_interval_and_more_controls_narrow_it(study):
    everyone, sides = study
    widths = []
    for error, n in ((0.0, 15), (0.01, 15), (0.01, 9)):
        own = everyone[:n]
        table = index_table(indices(own, sides[:n], error), own, reference="control").iloc[2]
        widths.append((table["w_high"] - table["w_low"]) / table["w"])
    assert widths[0] < widths[1] < widths[2]


def test_the_norm_of_both_sides_is_that_of_their_means(study):
    everyone, sides = study
    cutoffs = learn_cutoffs(indices(everyone, sides), everyone, reference="control").set_index("measure")
    norm = norm_of(cutoffs.loc["band_index"], "both")
    means = sides[3:].mean(axis=1)
    assert norm[:3] == pytest.approx((means.mean(), means.std(ddof=1), 11))


def test_who_has_none_and_whom_nothing_compares_with_is_told(study):
    everyone, sides = study
    sides[1, 0] = np.nan
    everyone = everyone.assign(age=[30.0, *np.linspace(50, 70, 14)])
    table = index_table(indices(everyone, sides), everyone, reference="control").set_index(["participant_id", "hemi"])
    assert table.loc[("sub-01", "L"), "note"] == "9 voxels"
    assert table.loc[("sub-01", "both"), "note"] == "9 voxels"
    assert table.loc[("sub-00", "R"), "note"].startswith("aged 30, the controls are 5")
    few = everyone[:6]
    alone = index_table(indices(few, sides[:6]), few, reference="control").iloc[0]
    assert np.isnan(alone["w"]) and "3 controls with a scan of the kind unknown, at least 5 needed" in alone["note"]
    assert np.isfinite(alone["value"])


def test_a_value_without_error_has_an_index_without_interval_and_stops_nobody(study):
    everyone, sides = study
    measures = indices(everyone, sides)
    lost = (measures["participant_id"] == "sub-01") & (measures["measure"] == "band_index_error")
    whole, without = (
        index_table(own, everyone, reference="control").set_index(["participant_id", "hemi"])
        for own in (measures, measures.assign(value=measures["value"].mask(lost)))
    )
    assert without.loc["sub-01", "w"].equals(whole.loc["sub-01", "w"])
    assert without.loc["sub-01", ["w_low", "w_high", "ci_low"]].isna().all(axis=None)
    assert (without.loc["sub-01", "note"] == "no interval: the value has no standard error").all()
    pd.testing.assert_frame_equal(whole.drop("sub-01"), without.drop("sub-01"))


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_controls_who_do_not_vary_give_no_index(study, value):
    everyone, sides = study
    sides[3:] = value
    table = index_table(indices(everyone, sides), everyone, reference="control")
    assert table["w"].isna().all() and np.isfinite(table["value"]).all()
    assert (table["note"] == "the controls do not vary").all()


def test_norms_that_give_no_score_give_no_index(study):
    """Of a kind of scan that fewer than six controls have, beside one that enough have."""
    everyone, sides = study
    ids = everyone["participant_id"]
    kind = {who: MAGNITUDE if number in (1, *range(10, 15)) else VENDOR_SWI for number, who in enumerate(ids)}
    scans = protocol_table({who: protocol(own, (1, 1, 3), [{}]) for who, own in kind.items()})
    options = {"reference": "control", "protocols": scans}
    whole = pd.concat([indices(everyone, sides), contrasts(everyone)], ignore_index=True)
    norms = learn_cutoffs(whole, everyone, **options)
    told = index_table(whole, everyone, norms=norms, **options).groupby("participant_id")["note"].first()
    scored = score_motor_band(whole, everyone, norms=norms, **options).groupby("participant_id")["value"].count()
    assert (scored[told.index[told == ""]] == 7).all() and (told == "").sum() == 9
    others = told[told != ""]
    assert (scored[others.index] == 0).all()
    assert set(others) == {"the norms have no index of scans of the kind magnitude"}


def test_a_scan_made_otherwise_than_the_controls_is_told(study):
    everyone, sides = study
    ids = everyone["participant_id"]
    field = {who: 1.5 if who == "sub-01" else 3.0 for who in ids}
    scans = {who: protocol(MAGNITUDE, (1, 1, 3), [{"MagneticFieldStrength": own}]) for who, own in field.items()}
    options = {"reference": "control", "protocols": protocol_table(scans)}
    notes = index_table(indices(everyone, sides), everyone, **options).groupby("participant_id")["note"].first()
    assert notes["sub-01"] == "field strength 1.5 T (3 T)"
    assert notes["sub-00"] == notes["sub-05"] == ""
    whole = pd.concat([indices(everyone, sides), contrasts(everyone)], ignore_index=True)
    norms = learn_cutoffs(whole, everyone, **options).query("measure != 'band_index'")
    stored = index_table(indices(everyone, sides), everyone, norms=norms, **options)
    assert stored.loc[3, "note"] == (
        "the norms have no index of scans of the kind magnitude; field strength 1.5 T (3 T)"
    )
