"""Measures by the side of onset: contralateral and ipsilateral to it, their mean, and the two compared."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.statistics.contrasts import POOLED
from mndmri.statistics.effect_sizes import EXACT_BELOW
from mndmri.statistics.families import corrected
from mndmri.statistics.models import t_test
from mndmri.statistics.samples import NO_SPREAD, check_columns, count_reasons, patient_groups
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import BY_ONSET, OK, UNIT, with_units
from mndmri.tables.participants import body_side

CONTRA, IPSI, MEAN = BY_ONSET
OPPOSITE = {"L": "R", "R": "L"}
_HEMISPHERE = {CONTRA: OPPOSITE, IPSI: {"L": "L", "R": "R"}}  # that a side of onset makes contra or ipsi
NO_SIDE = "no side of onset"
_PLACE = ["modality", "measure", "region"]
PAIRED, ADJUSTED, SIGNED_RANK = "paired_t", "paired_t_asymmetry", "signed_rank"
_DESCRIPTIONS = {
    "modality": "Kind of image measured.",
    "measure": "What was measured; see measures.json.",
    "region": "Where it was measured.",
    **UNIT,
    "group": f"Group of patients; {POOLED} is all of them.",
    "test": f"{PAIRED}: paired t test. {ADJUSTED}: the mean of the two sides of onset, each "
    "counting alike, which takes out the asymmetry of left and right that is there without disease (Welch). "
    f"{SIGNED_RANK}: Wilcoxon's signed-rank test, exact without ties and zeros; the estimate is Hodges and Lehmann's.",
    "n_left": "Patients with onset on the left and a value on both sides.",
    "n_right": "Patients with onset on the right and a value on both sides.",
    "n_missing": "Other patients of the group.",
    "estimate": "Hemisphere contralateral to the side of onset minus the ipsilateral one, in the unit of the measure.",
    "ci_low": "Lower confidence limit.",
    "ci_high": "Upper confidence limit.",
    "statistic": "t, or the sum of the positive ranks.",
    "df": "Degrees of freedom of t.",
    "p": "Two-sided, not corrected.",
    "q_fdr": "p after Benjamini-Hochberg over the primary measures, of a test and a group; of every measure where none "
    "is primary on any side.",
    "note": "Left out, how a number was computed, and why one is missing.",
}


def sides_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of contralateral against ipsilateral."""
    return dictionary("The hemisphere contralateral to the side of onset against the ipsilateral one", _DESCRIPTIONS)


def oriented_dictionary(meanings: Mapping[str, Any]) -> dict[str, Any]:
    """BIDS data dictionary of the table of measures that `add_sides` makes, from that of the table it is made of."""
    hemi = {
        "Description": "Side of the participant's body: L, R, or both; contra: the hemisphere opposite to the side of "
        "onset, ipsi: that of the same side (in controls, sides in the proportion of the patients'); mean: of L and R."
    }
    return {**meanings, "hemi": hemi}


def side_of_onset(participants: pd.DataFrame, column: str) -> pd.Series:
    """Side of onset, L or R, by participant; NaN for what names no side (bulbar, both, n/a).

    Raises
    ------
    InputError
        If the column is missing.
    """
    check_columns(participants, ["participant_id", "group", column])
    return pd.Series(
        [body_side(word) or np.nan for word in participants[column]], participants["participant_id"], object
    )


def assumed_sides(participants: pd.DataFrame, onset: pd.Series, *, reference: str | None) -> pd.Series:
    """Sides of onset, with sides for the reference group in the proportion of the patients, in the order of their ids.

    So that contra and ipsi hold as many left hemispheres in the controls as in the patients, and as
    much of one side's spread: the mean of both sides would vary less, and its asymmetry be missing.
    """
    groups = participants.set_index("participant_id")["group"]
    patients = onset[(groups[onset.index] != reference).to_numpy()].dropna()
    share = float((patients == "R").mean()) if len(patients) else 0.5
    controls = sorted(groups.index[groups == reference])
    steps = np.floor(np.arange(len(controls) + 1) * share + 0.5)
    given = pd.Series(np.where(np.diff(steps) > 0, "R", "L"), controls, dtype=object)
    return onset.where(~onset.index.isin(controls), given.reindex(onset.index))


def add_sides(measures: pd.DataFrame, sides: pd.Series) -> pd.DataFrame:
    """Measures, and below them those of L and R by another name: contra, ipsi and their mean.

    Parameters
    ----------
    measures : DataFrame
        Long, as ``group/measures.tsv``.
    sides : Series
        Side of onset by participant, L, R or missing.

    Returns
    -------
    DataFrame
        The same columns. Rows of the mean are missing where one of the sides is.
    """
    paired = paired_rows(measures)
    if paired.empty:
        return measures
    parts = [measures]
    for rows, lacking in by_onset(paired, sides):
        rows.loc[lacking, ["value", "n_voxels", "status"]] = [np.nan, 0, NO_SIDE]
        parts.append(rows)
    left, right = (paired[paired["hemi"] == hemi].set_index(["participant_id", *_PLACE]) for hemi in "LR")
    right = right.loc[left.index]
    mean = left.assign(
        hemi=MEAN, value=(left["value"] + right["value"]) / 2, n_voxels=left["n_voxels"] + right["n_voxels"]
    )
    mean["status"] = left["status"].where(left["status"] != OK, right["status"])
    mean.loc[mean["value"].isna(), "n_voxels"] = 0
    return pd.concat([*parts, mean.reset_index()[measures.columns]], ignore_index=True)


def by_onset(paired: pd.DataFrame, sides: pd.Series) -> Iterator[tuple[pd.DataFrame, pd.Series]]:
    """Rows of L and R under the names contra and ipsi, and which of them are of nobody's side of onset."""
    given = paired["participant_id"].map(sides)
    for hemi, of_onset in _HEMISPHERE.items():
        wanted = given.map(of_onset)
        rows = paired[paired["hemi"] == wanted.where(wanted.notna(), "L")].assign(hemi=hemi)
        yield rows, wanted[rows.index].isna()


def paired_rows(measures: pd.DataFrame) -> pd.DataFrame:
    """Rows of L and R of those who have both."""
    sided = measures[measures["hemi"].isin([*OPPOSITE])]
    both = sided.groupby(["participant_id", *_PLACE])["hemi"].transform("nunique") == 2
    return sided[both].reset_index(drop=True)


def compare_sides(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    onset_side: str,
    groups: Sequence[str],
    reference: str | None,
    primary: Sequence[Mapping[str, str]] | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Contralateral against ipsilateral hemisphere, of every measure with both, within patients.

    Parameters
    ----------
    measures, participants : DataFrame
    onset_side : str
        Column of ``participants``.
    groups : sequence of str
    reference : str or None
        The group without a side of onset.
    primary : sequence of mapping, optional
        Whose modality, measure and region are of the family of the false discovery rate.
    alpha : float
        One minus the coverage of the intervals.

    Raises
    ------
    InputError
        If a column or a group is missing.
    """
    patients = patient_groups(groups, reference)
    onset = side_of_onset(participants, onset_side)
    owner = participants.set_index("participant_id")["group"]
    populations = {name: [name] for name in patients} | ({POOLED: patients} if len(patients) > 1 else {})
    sided = paired_rows(measures)
    rows = []
    for key, own in sided.groupby(_PLACE, sort=False):
        values = own.pivot(index="participant_id", columns="hemi", values="value")
        for group, members in populations.items():
            people = owner.index[owner.isin(members)]
            side, pair = onset[people], values.reindex(people)
            reasons = pd.Series("", people).mask(side.isna(), NO_SIDE)
            reasons = reasons.mask((reasons == "") & ~np.isfinite(pair).all(axis=1), "no value on both sides")
            notes = count_reasons("left out", reasons[reasons != ""])
            kept = people[reasons == ""]
            sign = np.where(side[kept] == "R", 1.0, -1.0)  # the hemisphere opposite to the right is the left
            difference = sign * (pair.loc[kept, "L"] - pair.loc[kept, "R"]).to_numpy()
            counts = {"n_left": int((sign < 0).sum()), "n_right": int((sign > 0).sum())}
            first = dict(zip(_PLACE, key, strict=True)) | {"group": group}
            for test, result in _tests(difference, sign, alpha=alpha).items():
                told = [*notes, *([result.pop("note")] if "note" in result else [])]
                last = {"n_missing": len(people) - len(kept), "note": "; ".join(told)}
                rows.append(first | {"test": test} | counts | result | last)
    table = with_units(pd.DataFrame(rows, columns=list(_DESCRIPTIONS)), measures)
    chosen = np.zeros(len(table), bool)
    for wanted in primary or []:
        chosen |= np.logical_and.reduce([table[k] == wanted[k] for k in _PLACE])
    family = table[chosen] if chosen.any() else table
    table["q_fdr"] = corrected(family, ["group", "test"], stats.false_discovery_control)
    return table


def _tests(difference: np.ndarray, sign: np.ndarray, *, alpha: float) -> dict[str, dict[str, Any]]:
    """Results of each test, of differences contra minus ipsi and the side of onset (1 right, -1 left), shape (n,)."""
    n = len(difference)
    if n < 2 or np.ptp(difference) <= NO_SPREAD * np.abs(difference).max():
        why = "fewer than two patients" if n < 2 else "every difference is the same"
        return {test: {"note": why} for test in (PAIRED, ADJUSTED, SIGNED_RANK)}
    found: dict[str, dict[str, Any]] = {
        PAIRED: _t_row(float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(n)), n - 1, alpha),
        SIGNED_RANK: _signed_rank(difference, alpha=alpha),
    }
    parts = [difference[sign == one] for one in (1, -1)]
    sizes = [len(part) for part in parts]
    if min(sizes) < 2:
        found[ADJUSTED] = {"note": "fewer than two patients with onset on one of the sides"}
    else:
        errors = np.array([part.var(ddof=1) / len(part) for part in parts])
        if errors.sum() <= 0:
            found[ADJUSTED] = {"note": "no variation within the sides of onset"}
        else:
            df = float(errors.sum() ** 2 / sum(e**2 / (size - 1) for e, size in zip(errors, sizes, strict=True)))
            mean = float(np.mean([part.mean() for part in parts]))
            found[ADJUSTED] = _t_row(mean, float(np.sqrt(errors.sum()) / 2), df, alpha)
    return {test: found[test] for test in (PAIRED, ADJUSTED, SIGNED_RANK)}


def _t_row(estimate: float, error: float, df: float, alpha: float) -> dict[str, Any]:
    found = t_test(estimate, error, df, alpha=alpha)
    limits = dict(zip(("estimate", "ci_low", "ci_high"), found.interval, strict=True))
    return limits | {"statistic": found.statistic, "df": found.df, "p": found.p}


def _signed_rank(difference: np.ndarray, *, alpha: float) -> dict[str, Any]:
    """Wilcoxon's test, the Hodges-Lehmann estimate and its limits by the exact distribution where that holds."""
    n = len(difference)
    size = np.abs(difference)
    exact = n < EXACT_BELOW and len(np.unique(size)) == n and size.min() > 0
    walsh = np.sort(((difference[:, None] + difference) / 2)[np.triu_indices(n)])
    result = stats.wilcoxon(difference, alternative="two-sided", method="exact" if exact else "asymptotic")
    positive = float(stats.rankdata(size[size > 0])[difference[size > 0] > 0].sum())
    row = {"estimate": float(np.median(walsh)), "statistic": positive, "p": float(result.pvalue)}
    if not exact:
        return row | {
            "note": f"ties, zeros or {EXACT_BELOW} and more patients: p by the normal approximation, no exact limits"
        }
    # limits are the k-th smallest and largest of the means of pairs: k by the distribution of the sum of ranks
    counts: np.ndarray = np.ones(1)
    for rank in range(1, n + 1):
        counts = np.convolve(counts, np.eye(1, rank + 1, rank).ravel() + np.eye(1, rank + 1).ravel())
    below = np.cumsum(counts) / counts.sum()
    k = int(np.searchsorted(below, alpha / 2, side="right"))  # P(sum <= k - 1) is at most alpha / 2
    if k == 0:
        return row | {"note": f"no limits of {100 * (1 - alpha):g}% exist for {n} patients"}
    return row | {"ci_low": float(walsh[k - 1]), "ci_high": float(walsh[-k])}
