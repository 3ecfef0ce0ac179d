import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from mndmri.io import InputError, write_table
from mndmri.statistics.rating_agreement import rating_agreement, rating_agreement_dictionary
from mndmri.tables.band_norms import PARTS
from mndmri.tables.dictionaries import column_names
from mndmri.tables.measures import GROUP_COLUMNS
from mndmri.tables.ratings import read_ratings

SIDES = [(part, hemi) for part in PARTS for hemi in "LR"]


def measures_of(scores: np.ndarray, darkness: np.ndarray) -> pd.DataFrame:
    rows = []
    for number, (own, dark) in enumerate(zip(scores, darkness, strict=True)):
        for (part, hemi), score, value in zip(SIDES, own, dark, strict=True):
            who = f"sub-{number:02d}"
            rows.append((who, "ALS", "swi", "motor_band_score", part, hemi, score, "1", 90, "ok"))
            rows.append((who, "ALS", "swi", "band_darkness", part, hemi, value, "1", 90, "ok"))
    return pd.DataFrame(rows, columns=GROUP_COLUMNS)


def ratings_of(values: np.ndarray, rater: str = "A") -> pd.DataFrame:
    return pd.DataFrame(
        [
            (f"sub-{number:02d}", rater, part.removeprefix("precentral_"), hemi, rating)
            for number, own in enumerate(values)
            for (part, hemi), rating in zip(SIDES, own, strict=True)
        ],
        columns=["participant_id", "rater", "region", "hemi", "rating"],
    )


@pytest.fixture
def rated():
    """30 people: what a rater saw, and a score that is right in three regions of four."""
    rng = np.random.default_rng(5)
    seen = rng.choice([0.0, 1.0, 2.0], (30, 6), p=[0.6, 0.25, 0.15])
    scores = np.where(rng.random((30, 6)) < 0.75, seen, rng.choice([0.0, 1.0, 2.0], (30, 6)))
    return seen, scores, 0.05 * seen + 0.04 * rng.normal(size=(30, 6))


def row(table: pd.DataFrame, region: str, statistic: str, second: str = "A") -> pd.Series:
    return table.set_index(["second", "region", "statistic"]).loc[(second, region, statistic)]


def test_statistics_are_those_of_scikit_learn(rated):
    seen, scores, darkness = rated
    table = rating_agreement(measures_of(scores, darkness), ratings_of(seen))
    assert list(table) == column_names(rating_agreement_dictionary())
    for region, columns in {"all": slice(None), "precentral_hand": slice(2, 4)}.items():
        a, b = scores[:, columns].ravel(), seen[:, columns].ravel()
        kappa = cohen_kappa_score(a, b, weights="quadratic")
        assert row(table, region, "weighted_kappa")["estimate"] == pytest.approx(kappa)
        assert row(table, region, "agreement")["estimate"] == pytest.approx(100 * np.mean(a == b))
        assert row(table, region, "sensitivity")["estimate"] == pytest.approx(100 * np.mean(a[b > 0] > 0))
        assert row(table, region, "specificity")["estimate"] == pytest.approx(100 * np.mean(a[b == 0] == 0))
        area = roc_auc_score(b > 0, darkness[:, columns].ravel())
        assert row(table, region, "auc")["estimate"] == pytest.approx(area)
    a, b = scores.sum(axis=1), seen.sum(axis=1)
    assert row(table, "total", "weighted_kappa")["estimate"] == pytest.approx(
        cohen_kappa_score(a, b, weights="quadratic", labels=range(13))
    )
    assert row(table, "total", "bias")["estimate"] == pytest.approx((a - b).mean())
    assert row(table, "total", "limit_high")["estimate"] == pytest.approx((a - b).mean() + 1.96 * (a - b).std(ddof=1))
    assert row(table, "sign", "weighted_kappa")["estimate"] == pytest.approx(cohen_kappa_score(a >= 3, b >= 3))
    assert (table["ci_low"] <= table["estimate"]).all() and (table["estimate"] <= table["ci_high"]).all()
    assert (table["note"] == "").all()


def test_regions_of_one_person_do_not_count_as_six_people():
    """The same rating and the same score in all six regions: the interval is that of 30 values, not of 180."""
    rng = np.random.default_rng(6)
    seen, scores = rng.integers(0, 2, 30).astype(float), rng.integers(0, 2, 30).astype(float)
    same = rating_agreement(
        measures_of(np.tile(scores[:, None], 6), np.zeros((30, 6))), ratings_of(np.tile(seen[:, None], 6))
    )
    found = row(same, "all", "agreement")
    share = found["estimate"] / 100
    width = 100 * 2 * 1.96 * np.sqrt(share * (1 - share) / 30)
    assert found["ci_high"] - found["ci_low"] == pytest.approx(width, rel=0.15)


def test_two_raters_are_compared_with_each_other_and_missing_values_are_counted(rated):
    seen, scores, darkness = rated
    other = seen.copy()
    other[:4, 0] = np.nan
    table = rating_agreement(measures_of(scores, darkness), pd.concat([ratings_of(seen), ratings_of(other, "B")]))
    pair = table[(table["first"] == "A") & (table["second"] == "B")]
    assert row(pair, "all", "agreement", "B")["estimate"] == 100
    assert row(pair, "all", "agreement", "B")["n_missing"] == 4
    assert row(pair, "total", "bias", "B")["n_participants"] == 26
    assert "auc" not in set(pair["statistic"])


def test_few_people_and_nothing_to_compare_are_said():
    table = rating_agreement(measures_of(np.zeros((5, 6)), np.zeros((5, 6))), ratings_of(np.zeros((5, 6))))
    kappa = row(table, "all", "weighted_kappa")
    assert np.isnan(kappa["estimate"])
    assert kappa["note"] == "only 5 participants; one of the two says the same of all, or there is nothing to compare"
    assert row(table, "all", "agreement")["estimate"] == 100


def test_ratings_are_read_from_files_and_from_a_readers_folder(tmp_path, rated):
    table = ratings_of(rated[0])
    write_table(table[:90], tmp_path / "one.tsv")
    cases = table[90:].assign(case=lambda own: "c" + own["participant_id"].str[4:]).drop(columns="participant_id")
    (tmp_path / "reader").mkdir()
    write_table(cases, tmp_path / "reader" / "ratings.tsv")
    with pytest.raises(InputError, match=r"no .*reader_key\.tsv that names them"):
        read_ratings([tmp_path / "reader"])
    key = cases[["case"]].drop_duplicates().assign(participant_id=lambda own: own["case"].str[1:])
    write_table(key, tmp_path / "reader" / "reader_key.tsv")
    read = read_ratings([tmp_path / "one.tsv", tmp_path / "reader"])
    pd.testing.assert_frame_equal(read, table, check_dtype=False)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"region": "arm"}, "has region arm; expected leg, hand, face"),
        ({"hemi": "left"}, "has hemi left; expected L or R"),
        ({"rating": 3}, "has rating 3"),
        ({"region": "leg", "hemi": "R"}, "A has rated leg R of sub-00 twice"),
    ],
)
def test_ratings_that_are_none_are_refused(tmp_path, rated, change, told):
    table = ratings_of(rated[0])
    for name, value in change.items():
        table.loc[0, name] = value
    write_table(table, tmp_path / "ratings.tsv")
    with pytest.raises(InputError, match=told):
        read_ratings([tmp_path / "ratings.tsv"])


def test_of_full_agreement_the_interval_is_the_exact_one_of_so_many_participants():
    """Clopper and Pearson: of 25 in 25, the lower limit is 0.025 to the power of 1/25."""
    seen = np.tile(np.arange(25)[:, None] % 3, 6).astype(float)
    table = rating_agreement(measures_of(seen, seen), ratings_of(seen))
    found = row(table, "all", "agreement")
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((100 * 0.025 ** (1 / 25), 100))
    assert row(table, "all", "sensitivity")["ci_low"] == pytest.approx(100 * 0.025 ** (1 / 16))
    assert row(table, "all", "weighted_kappa")["estimate"] == 1
    assert np.isnan(row(table, "all", "weighted_kappa")["ci_low"])
