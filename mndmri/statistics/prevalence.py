"""The motor band sign: how often each group has it, and whether people and program agree on it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.stats.contingency import odds_ratio

from mndmri.io import InputError
from mndmri.statistics.agreement import LIMITS, Agreement, bland_altman, equal_share, kappa, share
from mndmri.statistics.contrasts import OMNIBUS, Contrast, list_contrasts
from mndmri.statistics.demographics import ALL, MAX_TABLES
from mndmri.statistics.effect_sizes import UNKNOWN, Interval
from mndmri.statistics.exact import count_tables, fisher_freeman_halton
from mndmri.statistics.families import holm
from mndmri.statistics.samples import Measured, count_reasons, each_measure, reference_last, select_people
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.measures import NO_SCORE

SCORE = {"modality": "swi", "measure": "motor_band_score", "region": "precentral", "hemi": "both"}
MAX_SCORE = 12  # none, mild or marked (0 to 2) in face, hand and leg, left and right
PRESENT_FROM = 3
NOT_ASSESSABLE = "not assessable"
AUTOMATED, RATED = "automated", "rated"

_STATISTICS = ("agreement", "kappa", "weighted_kappa", "bias", *LIMITS)

_SIGN = {
    "source": f"Source of the sign: {AUTOMATED}, the motor band score; {RATED}, the study's own raters.",
    "group": f"Group that the row counts; {ALL} in the rows of tests.",
    "n": "Participants of the group, or of the groups compared.",
    "n_assessable": "Of these, participants with an assessable motor band.",
    "n_present": "Of the assessable, participants with the sign.",
    "percent": "Participants with the sign, percent of the assessable.",
    "ci_low": "Lower confidence limit of the percentage (Wilson, with continuity correction).",
    "ci_high": "Upper confidence limit of the percentage.",
    "test": "fisher: Fisher's exact test, two-sided. fisher_freeman_halton: its extension to several groups. "
    "chi2: used instead where there are too many tables to enumerate.",
    "contrast": f"The groups compared, first against second; {OMNIBUS} is all of them at once.",
    "difference": "Percentage of the first minus that of the second, percentage points.",
    "difference_ci_low": "Lower confidence limit of the difference (Newcombe, with continuity correction).",
    "difference_ci_high": "Upper confidence limit of the difference.",
    "odds_ratio": "Odds of the sign, first over second: the conditional maximum likelihood estimate.",
    "odds_ratio_ci_low": "Lower confidence limit of the odds ratio, exact.",
    "odds_ratio_ci_high": "Upper confidence limit of the odds ratio.",
    "p": "Two-sided, not corrected.",
    "p_holm": "p after Holm, over the pairs of groups.",
    "note": "Participants who are not assessable, and missing numbers, with the reasons.",
}
_AGREEMENT = {
    "statistic": "agreement: participants in whom both agree on the sign, percent. kappa: Cohen's kappa of the sign. "
    "weighted_kappa: kappa of the score, disagreements weighted by their square. bias: mean of automated minus rated "
    "score. limit_low, limit_high: Bland and Altman's limits of agreement, bias -/+ 1.96 SD.",
    "n": "Participants with both.",
    "n_missing": "Participants of the study's groups without one or both.",
    "estimate": "The statistic: percent (agreement), 1 (kappa), points of the score (bias and limits).",
    "ci_low": "Lower confidence limit: Wilson's, with continuity correction (agreement); by the large-sample error "
    "(kappa); by t (bias and limits).",
    "ci_high": "Upper confidence limit.",
    "note": "Excluded participants and missing numbers, with the reasons.",
}


def prevalence_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of the motor band sign."""
    return dictionary("In how many of each group the motor band sign is present", _SIGN)


def agreement_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of agreement with human raters."""
    return dictionary("The automated motor band score compared with the human rating", _AGREEMENT)


class _Judged(NamedTuple):
    """Scores of everyone by one source, and from which on the sign is present."""

    source: str
    values: pd.Series  # by participant_id; NaN is not assessable
    reasons: pd.Series  # why, where it is
    threshold: int
    is_score: bool  # 0 to 12; otherwise 0 and 1
    notes: list[str]

    @property
    def present(self) -> pd.Series:
        """1, 0, or NaN."""
        return (self.values >= self.threshold).astype(float).where(self.values.notna())

    def tally(self, chosen: pd.Series) -> "_Tally":
        """Counts of the participants ``chosen``."""
        known = self.present[chosen].dropna()
        return _Tally(int(chosen.sum()), len(known), int(known.sum()))


class _Tally(NamedTuple):
    """People, those of them who could be judged, and those with the sign."""

    n: int
    assessable: int
    present: int

    @property
    def cells(self) -> list[int]:
        """With the sign, and without."""
        return [self.present, self.assessable - self.present]

    def share(self, alpha: float) -> Interval:
        """Percentage of the assessable with the sign."""
        return share(self.present, self.assessable, alpha=alpha)


def sign_prevalence(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    reference: str | None,
    contrasts: Sequence[Sequence[str]] | None = None,
    pooled: bool = True,
    rated: str | None = None,
    threshold: int = PRESENT_FROM,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """How many of each group have the motor band sign, and exact tests between the groups.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value, status. The motor band
        score, 0 to 12, is the row `SCORE`; who has none is not assessable, and ``status`` says why.
    participants : DataFrame
        participant_id, group and the column ``rated``.
    groups, reference, contrasts, pooled
        As in `compare_groups`.
    rated : str, optional
        Column of human ratings, which get rows of their own: a score of 0 to 12, or, where nobody
        has more than 1, absent (0) and present (1); missing is not assessable.
    threshold : int
        Lowest score with which the sign is present.
    alpha : float
        One minus the coverage of the intervals.

    Returns
    -------
    DataFrame
        For each source a row for each group, the reference last, then a row for each test: all
        groups, the pairs, and pooled patients. Columns as in `prevalence_dictionary`.

    Raises
    ------
    InputError
        If a column or a group is missing, a participant is there twice, or a score is none.

    Notes
    -----
    Intervals: Newcombe 1998, Stat Med 17:857 (one percentage), and 17:873 (the difference of two,
    method 11: from the limits of each). Tests: Freeman and Halton 1951, Biometrika 38:141.
    """
    order = reference_last(groups, reference)
    compared = list_contrasts(groups, reference=reference, pairs=contrasts, pooled=pooled)
    people = select_people(participants, groups=groups, covariates=[rated] if rated else [])
    sources = [_automated(measures, people, threshold=threshold)]
    if rated:
        sources.append(_ratings(people[rated], threshold=threshold))
    rows = []
    for judged in sources:
        tallies = {name: judged.tally(people["group"] == name) for name in order}
        made = [
            _group_row(name, tally, judged.reasons[(people["group"] == name) & judged.values.isna()], alpha=alpha)
            for name, tally in tallies.items()
        ]
        tests = [_omnibus_row(tallies), *(_contrast_row(contrast, tallies, alpha=alpha) for contrast in compared)]
        _correct([row for row, contrast in zip(tests[1:], compared, strict=True) if contrast.is_pair])
        for row in [*made, *tests]:
            rows.append({"source": judged.source} | row | {"note": "; ".join([*judged.notes, *row["note"]])})
    return pd.DataFrame(rows, columns=list(_SIGN))


def sign_agreement(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    rated: str | None,
    threshold: int = PRESENT_FROM,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """How well the automated motor band score agrees with human ratings.

    Parameters
    ----------
    measures, participants, groups, rated, threshold, alpha
        As in `sign_prevalence`. Ratings of 0 and 1 are compared for the sign alone.

    Returns
    -------
    DataFrame
        A row for each statistic, over all groups together; none where nobody has rated. Columns as in
        `agreement_dictionary`.

    Raises
    ------
    InputError
        As `sign_prevalence`.

    References
    ----------
    Cohen 1960, Educ Psychol Meas 20:37, and 1968, Psychol Bull 70:213; their large-sample errors,
    Fleiss, Cohen and Everitt 1969, Psychol Bull 72:323. Bland and Altman 1999, Stat Methods Med
    Res 8:135.
    """
    if rated is None:
        return pd.DataFrame(columns=list(_AGREEMENT))
    people = select_people(participants, groups=groups, covariates=[rated])
    judged, ratings = _automated(measures, people, threshold=threshold), _ratings(people[rated], threshold=threshold)
    both = judged.values.notna() & ratings.values.notna()
    reasons = judged.reasons.where(judged.values.isna(), ratings.reasons)[~both]
    found = dict.fromkeys(
        _STATISTICS, Agreement(UNKNOWN, "no participant has both" if not both.any() else "the ratings are no scores")
    )
    if both.any():
        signs = [source.present[both].to_numpy(int) for source in (judged, ratings)]
        found["agreement"] = equal_share(*signs, alpha=alpha)
        found["kappa"] = kappa(*signs, top=1, alpha=alpha)
    if both.any() and ratings.is_score:
        scores = [source.values[both].to_numpy(int) for source in (judged, ratings)]
        found["weighted_kappa"] = kappa(*scores, top=MAX_SCORE, alpha=alpha)
        found |= bland_altman(scores[0] - scores[1], alpha=alpha)
    notes = [*ratings.notes, *count_reasons("left out", reasons)]
    rows = [
        {"statistic": name, "n": int(both.sum()), "n_missing": int((~both).sum())}
        | dict(zip(("estimate", "ci_low", "ci_high"), result.interval, strict=True))
        | {"note": "; ".join([*notes, result.problem] if result.problem else notes)}
        for name, result in found.items()
    ]
    return pd.DataFrame(rows, columns=list(_AGREEMENT))


# -- who has which score ----------------------------------------------------------------------------


def _automated(measures: pd.DataFrame, people: pd.DataFrame, *, threshold: int) -> _Judged:
    """The motor band score as measured; everyone is there, also if nobody was measured."""
    rows = measures[np.logical_and.reduce([measures[name] == value for name, value in SCORE.items()])]
    nothing = pd.Series(np.nan, people.index), pd.Series(NO_SCORE, people.index)
    measured = next(each_measure(rows, people), Measured(SCORE, *nothing))
    _check_scores(measured.values, "the motor band score of the measures table")
    reasons = measured.reasons.str.removeprefix(f"{NOT_ASSESSABLE}: ")  # the count of them says so
    return _Judged(AUTOMATED, measured.values, reasons, threshold, True, [])


def _ratings(column: pd.Series, *, threshold: int) -> _Judged:
    """Human ratings: scores, or where none is above 1, absence and presence."""
    values = pd.to_numeric(column, errors="coerce").astype(float)
    _check_scores(values.where(values.notna() | column.isna(), column), f"the column {column.name} of ratings")
    reasons = pd.Series("no rating", column.index)
    if values.max() <= 1:
        return _Judged(RATED, values, reasons, 1, False, ["ratings of 0 and 1 read as absent and present"])
    return _Judged(RATED, values, reasons, threshold, True, [])


def _check_scores(values: pd.Series, what: str) -> None:
    wrong = values[values.notna() & ~values.isin(range(MAX_SCORE + 1))]
    if len(wrong):
        found = ", ".join(
            f"{who} {value:g}" if isinstance(value, float) else f"{who} {value}" for who, value in wrong.items()
        )
        raise InputError(
            f"{what} has {found}; expected whole numbers from 0 to {MAX_SCORE}, or 0 and 1, and n/a where it is missing"
        )


# -- rows of the table of the sign ------------------------------------------------------------------


def _pool(tallies: Iterable[_Tally]) -> _Tally:
    """Several groups counted as one."""
    return _Tally(*(sum(part) for part in zip(*tallies, strict=True)))


def _counts(group: str, tally: _Tally) -> dict[str, Any]:
    return {"group": group, **dict(zip(("n", "n_assessable", "n_present"), tally, strict=True))}


def _group_row(name: str, tally: _Tally, reasons: pd.Series, *, alpha: float) -> dict[str, Any]:
    shares = dict(zip(("percent", "ci_low", "ci_high"), tally.share(alpha), strict=True))
    note = count_reasons(NOT_ASSESSABLE, reasons) if tally.n else ["no participants"]
    return _counts(name, tally) | shares | {"note": note}


def _omnibus_row(tallies: Mapping[str, _Tally]) -> dict[str, Any]:
    """Exact test of all groups that have somebody assessable."""
    row = _counts(ALL, _pool(tallies.values())) | {"test": "fisher_freeman_halton", "contrast": OMNIBUS}
    absent = [name for name, tally in tallies.items() if tally.assessable == 0]
    row["note"] = [f"no data: {', '.join(absent)}"] if absent else []
    table = np.array([tally.cells for tally in tallies.values() if tally.assessable])
    if len(table) < 2:
        row["note"].append("fewer than two groups with data")
    elif not table.sum(axis=0).all() or count_tables(table) <= MAX_TABLES:
        row["p"] = fisher_freeman_halton(table)
    else:
        row["note"].append("too many tables for the exact test")
        row |= {"test": "chi2", "p": float(stats.chi2_contingency(table, correction=False).pvalue)}
    return row


def _contrast_row(contrast: Contrast, tallies: Mapping[str, _Tally], *, alpha: float) -> dict[str, Any]:
    """Fisher's test of two sides, with the difference and the ratio that it is about."""
    sides = [_pool(tallies[name] for name in names) for names in (contrast.left, contrast.right)]
    row = _counts(ALL, _pool(sides)) | {"test": "fisher", "contrast": contrast.name, "note": []}
    if not all(side.assessable for side in sides):
        row["note"].append("a group of the contrast has no data")
        return row
    table = np.array([side.cells for side in sides])
    first, second = (side.share(alpha) for side in sides)
    difference = first.estimate - second.estimate
    below = np.hypot(first.estimate - first.low, second.high - second.estimate)
    above = np.hypot(first.high - first.estimate, second.estimate - second.low)
    row |= {"difference": difference, "p": float(stats.fisher_exact(table).pvalue)}
    row |= {"difference_ci_low": float(difference - below), "difference_ci_high": float(difference + above)}
    if not table.sum(axis=0).all():
        row["note"].append("no odds ratio: the same in everyone")
        return row
    ratio = odds_ratio(table)
    limits = ratio.confidence_interval(1 - alpha)
    odds = {"odds_ratio": ratio.statistic, "odds_ratio_ci_low": limits.low, "odds_ratio_ci_high": limits.high}
    row |= {name: float(value) if np.isfinite(value) else np.nan for name, value in odds.items()}
    endless = [name for name, value in odds.items() if np.isinf(value)]
    if endless:
        row["note"].append(f"infinite: {', '.join(endless)}")
    return row


def _correct(pairs: list[dict[str, Any]]) -> None:
    """Fill in the p after Holm of the pairs that have one."""
    tested = [row for row in pairs if "p" in row]
    for row, corrected in zip(tested, holm(np.array([row["p"] for row in tested])), strict=True):
        row["p_holm"] = float(corrected)
