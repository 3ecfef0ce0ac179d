"""What controls tell of the motor band: how they vary, the limits that follow, and norms of several studies as one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.statistics.samples import Measured, check_columns, each_measure, select_people
from mndmri.tables.band_norms import (
    CONTRAST,
    CUTOFF_COLUMNS,
    INDEX,
    INDEX_REGION,
    MARKED_CONTRAST,
    MARKED_SHARE,
    MILD_CONTRAST,
    MILD_SHARE,
    MIN_CONTROLS,
    PARTS,
    check_band_norms,
)
from mndmri.tables.measures import KEY
from mndmri.tables.protocols import KIND, PROTOCOL, UNKNOWN, join_protocols


class Banded(NamedTuple):
    """The motor band of everybody: a row a person, a column (measure, region, hemi)."""

    values: pd.DataFrame
    """NaN is missing."""
    reasons: pd.DataFrame
    """Why, where it is."""
    n_voxels: pd.DataFrame
    groups: pd.Series
    ages: pd.Series
    """Years, NaN where unknown."""
    protocols: pd.DataFrame
    """Kind and protocol of the scan, `mndmri.tables.protocols.protocol_table`."""

    def cutoffs(self, reference: str | None, *, without: str | None = None) -> pd.DataFrame:
        """Table of cut-offs, for each kind of scan by the members of a group alone, perhaps without one of them."""
        is_control = (self.groups == reference) & (self.groups.index != without)
        tables = []
        for kind in self.kinds():
            chosen = is_control & (self.protocols[KIND] == kind)
            own = {KIND: kind, **join_protocols(self.protocols[chosen])}
            tables.append(limits_of(self.values[chosen], self.ages, own))
        return pd.concat(tables, ignore_index=True)

    def limits(self, reference: str | None, norms: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
        """Table of cut-offs that each participant is compared with.

        Those of other controls (``norms``), if there are any; otherwise those of the members of a group, of whom each
        is compared with the others.

        Raises
        ------
        InputError
            If the norms are no such table (`mndmri.tables.band_norms.check_band_norms`).
        """
        if norms is not None:
            return dict.fromkeys(self.groups.index, check_band_norms(norms))
        shared = self.cutoffs(reference)
        members = self.groups.index[self.groups == reference]
        return dict.fromkeys(self.groups.index, shared) | {who: self.cutoffs(reference, without=who) for who in members}

    def kinds(self) -> list[str]:
        """Kinds of scan that there are; the unknown one where there is no scan."""
        return sorted(self.protocols[KIND].dropna().unique()) or [UNKNOWN]


def band_of(measures: pd.DataFrame, participants: pd.DataFrame, *, protocols: pd.DataFrame | None) -> Banded:
    """What is known of everybody's motor band.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value, status; the rows
        `mndmri.tables.band_norms.CONTRAST` of ``PARTS`` and, where it was measured, ``INDEX`` of each side.
    participants : DataFrame
        participant_id and group; age, where it is known.
    protocols : DataFrame or None
        Kind and protocol of everybody's scan (`mndmri.tables.protocols.protocol_table`); None: all are of one
        unknown kind.

    Raises
    ------
    InputError
        If a column is missing, or a participant or a row is there twice.
    """
    check_columns(participants, ["participant_id", "group"])
    people = select_people(participants, groups=list(participants["group"].unique()), covariates=[])
    rows = measures[(measures["modality"] == CONTRAST[0]) & measures["measure"].isin([CONTRAST[1], INDEX[1]])]
    found = {tuple(one.key[name] for name in KEY[1:]): one for one in each_measure(rows, people)}
    absent = Measured({}, pd.Series(np.nan, people.index), pd.Series("no row in the table", people.index))
    wanted = [(CONTRAST[1], part, hemi) for part in PARTS for hemi in "LR"]
    wanted += [(INDEX[1], INDEX_REGION, hemi) for hemi in "LR" if (INDEX[1], INDEX_REGION, hemi) in found]
    keys = pd.MultiIndex.from_tuples(wanted, names=KEY[1:])
    voxels = rows.set_index(["participant_id", *KEY[1:]])["n_voxels"].unstack(KEY[1:])
    ages = pd.to_numeric(participants.get("age", pd.Series(np.nan, participants.index)), errors="coerce")
    if protocols is None:
        protocols = pd.DataFrame({KIND: UNKNOWN}, index=people.index)
    return Banded(
        pd.DataFrame({key: found.get(key, absent).values for key in wanted}).set_axis(keys, axis=1),
        pd.DataFrame({key: found.get(key, absent).reasons for key in wanted}).set_axis(keys, axis=1),
        voxels.reindex(index=people.index, columns=keys).fillna(0).astype(int),
        people["group"],
        ages.set_axis(participants["participant_id"]),
        protocols.reindex(index=people.index, columns=[KIND, *PROTOCOL]),
    )


class Spread(NamedTuple):
    """How the sides of people vary, if the two of a person correlate by so much."""

    mean: float
    sd: float
    """NaN of fewer than two people."""
    freedom: float
    """Degrees of freedom of the SD."""
    mean_share: float
    """Variance of the mean, as a share of that of one side."""


def spread(n: int, n_both: int, mean: float, squares: float, alike: float) -> Spread:
    """How the sides of people vary.

    Parameters
    ----------
    n, n_both : int
        People, and those of them with both sides.
    mean, squares : float
        Mean of all sides, and their sum of squares about it.
    alike : float
        Correlation of the sides, 0 to 1.

    Notes
    -----
    Satterthwaite 1946, Biometrics Bull 2:110.
    """
    n_sides = n + n_both
    if n < 2:
        return Spread(mean, np.nan, np.nan, np.nan)
    mean_share = (n_sides + 2 * alike * n_both) / n_sides**2
    # variance of one side in units of the squares about the mean: of sums of two sides, and of their differences
    between, within = (n - 1, 1 + alike), (n_sides - n, 1 - alike)
    freedom = sum(k * size for k, size in (between, within)) ** 2 / sum(k * size**2 for k, size in (between, within))
    return Spread(mean, float(np.sqrt(squares / (n_sides * (1 - mean_share)))), float(freedom), float(mean_share))


def spread_of(row: pd.Series) -> Spread:
    """How the controls of a row of a table of cut-offs vary."""
    n, n_both, alike = int(row["n"]), int(row["n_both"]), float(row["sides_alike"])
    return spread(n, n_both, float(row["mean"]), _squares(row), alike)


def limits_of(controls: pd.DataFrame, ages: pd.Series, own: dict[str, Any]) -> pd.DataFrame:
    """Table of cut-offs of controls of one kind of scan.

    Parameters
    ----------
    controls : DataFrame
        A row a person; columns (measure, region, hemi), of `mndmri.tables.band_norms.CONTRAST` and ``INDEX``.
    ages : Series
        Years, by participant_id; NaN where unknown.
    own : dict
        Their kind and protocol (`mndmri.tables.protocols.join_protocols`).
    """
    rows = []
    for measure, region in dict.fromkeys((m, r) for m, r, _ in controls):
        sides = controls[measure][region].dropna(how="all")
        known = ages.reindex(sides.index).dropna()
        row: dict[str, Any] = dict(zip(KEY, (INDEX[0], measure, region, "both"), strict=True)) | own
        row |= {"n_studies": 1, "age_from": known.min(), "age_to": known.max()} | _summary(sides.to_numpy())
        rows.append(row)
    return add_limits(pd.DataFrame(rows))


def pool_norms(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of cut-offs of several studies as one of all their controls.

    Parameters
    ----------
    tables : sequence of DataFrame
        Each from `limits_of`, perhaps read from a file (`mndmri.tables.band_norms.read_band_norms`). One is returned
        as it is.

    Returns
    -------
    DataFrame
        The table that `limits_of` makes of the values of all controls: sums of squares within the studies and between
        their means are added, of both sides together too. Kinds of scan stay apart. Where studies differ in
        protocol, all values are listed.
    """
    if len(tables) == 1:
        return tables[0]
    rows = []
    for _, own in pd.concat(tables, ignore_index=True).groupby([KIND, *KEY], sort=False):
        n, n_both, squares = own["n"], own["n_both"], own.apply(_squares, axis=1)
        mean, squares = _together(n + n_both, own["mean"], squares)
        mean_both, squares_both = _together(2 * n_both, own["mean_both"], 2 * n_both * own["sd_both"] ** 2)
        products = _together(2 * n_both, own["mean_both"], 2 * n_both * own["sides_r"] * own["sd_both"] ** 2)[1]
        row = own.iloc[0][[*KEY, KIND]].to_dict() | join_protocols(own)
        row |= {"n_studies": own["n_studies"].sum(), "age_from": own["age_from"].min(), "age_to": own["age_to"].max()}
        row |= _row(int(n.sum()), int(n_both.sum()), mean, squares, mean_both, squares_both, products)
        rows.append(row)
    pooled = pd.DataFrame(rows)
    return pd.concat([add_limits(own) for _, own in pooled.groupby(KIND, sort=False)], ignore_index=True)


def add_limits(rows: pd.DataFrame) -> pd.DataFrame:
    """Summaries of controls of one kind of scan, with their SD and the limits that follow.

    Of the index there are no limits. They are missing, too, where fewer than `MIN_CONTROLS` have a value.
    """
    of_index = rows["measure"] == INDEX[1]
    done: list[dict[str, Any]] = []
    for is_index, some in rows.groupby(of_index, sort=False):
        alike = sides_alike(some)
        for row in some.to_dict("records"):
            how = spread(row["n"], row["n_both"], row["mean"], row.pop("squares"), alike)
            row |= {"sd": how.sd, "sides_alike": alike}
            if row["n"] >= MIN_CONTROLS and not is_index:
                above = stats.t.isf([MILD_SHARE, MARKED_SHARE], how.freedom) * how.sd * np.sqrt(1 + how.mean_share)
                mild, marked = how.mean + above
                row["mild_above"] = max(float(mild), MILD_CONTRAST)
                row["marked_above"] = max(float(marked), MARKED_CONTRAST)
            done.append(row)
    return pd.DataFrame(done, columns=CUTOFF_COLUMNS)


def sides_alike(rows: pd.DataFrame) -> float:
    """Correlation of people's sides, 0 to 1: estimated from all rows, one standard error added; 1 if unknown."""
    found, n_pairs = [], 0
    for _, row in rows.iterrows():
        n, raw = 2 * int(row["n_both"]), float(row["sides_r"])
        if n < 4 or not np.isfinite(raw):
            continue
        # about a mean that is estimated, n r - (1 + r) over n - (1 + r) is expected where r is true
        found.append((raw * (n - 1) + 1) / (n - 1 + raw))
        n_pairs += int(row["n_both"])
    return float(np.clip(np.clip(np.mean(found), 0, 1) + 1 / np.sqrt(n_pairs), 0, 1)) if found else 1.0


def _summary(sides: np.ndarray) -> dict[str, Any]:
    """Sums over people with one side or both, shape (n, 2), NaN where one is missing."""
    pairs = sides[np.isfinite(sides).all(axis=1)]
    known = sides[np.isfinite(sides)]
    mean, centre = (float(values.mean()) if values.size else np.nan for values in (known, pairs))
    away = pairs - centre
    sums = (
        float(((known - mean) ** 2).sum()),
        centre,
        float((away**2).sum()),
        float(2 * (away[:, 0] * away[:, 1]).sum()),
    )
    return _row(len(sides), len(pairs), mean, *sums)


def _row(n: int, n_both: int, mean: float, squares: float, mean_both: float, squares_both: float, products: float):
    """Columns of a row; ``products`` is twice the sum of products of two sides about ``mean_both``."""
    return {
        "n": n,
        "n_both": n_both,
        "mean": mean,
        "squares": squares,
        "mean_both": mean_both,
        "sd_both": np.sqrt(squares_both / (2 * n_both)) if n_both else np.nan,
        "sides_r": products / squares_both if squares_both > 0 else np.nan,
    }


def _together(n: pd.Series, mean: pd.Series, squares: pd.Series) -> tuple[float, float]:
    """Mean, and sum of squares (or products) about it, of several samples."""
    has = n > 0
    n, mean, squares = n[has], mean[has], squares[has].fillna(0)
    if n.empty:
        return np.nan, 0.0
    centre = float((n * mean).sum() / n.sum())
    return centre, float((squares + n * (mean - centre) ** 2).sum())


def _squares(row: pd.Series) -> float:
    """Sum of squares about the mean, of which `spread` made the SD."""
    n, n_both, alike = int(row["n"]), int(row["n_both"]), float(row["sides_alike"])
    n_sides = n + n_both
    return float(row["sd"] ** 2 * (n_sides - (n_sides + 2 * alike * n_both) / n_sides))
