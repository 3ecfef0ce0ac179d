"""How well raters of the motor band agree with each other and with the automated score, region by region."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mndmri.statistics.agreement import (
    LIMITS,
    Agreement,
    bland_altman,
    detected,
    equal_share,
    intraclass_correlation,
    kappa,
    kappa_of_areas,
)
from mndmri.statistics.effect_sizes import UNKNOWN
from mndmri.statistics.prevalence import AUTOMATED, MAX_SCORE, PRESENT_FROM, SCORE
from mndmri.statistics.samples import select_people
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.rated import AREAS, TOP

RATERS = "all raters"
EVERY_AREA = "all areas"
OF_SCORE = ("sensitivity", "specificity")
# Statistics of two sources; those of the sign are of the total alone.
PAIRWISE = ("agreement", "kappa_linear", "kappa_quadratic", "icc", "bias", *LIMITS)
OF_SIGN = ("sign_agreement", "sign_kappa")

_COLUMNS = {
    "first": f"Rater; {RATERS}: everybody who rated, at least three.",
    "second": f"Rater that the first is compared with, or {AUTOMATED}, the motor band score; n/a for {RATERS}.",
    "region": "Area rated, precentral_leg, precentral_hand or precentral_face; precentral: the total; "
    f"{EVERY_AREA}: the six ratings of each participant together.",
    "hemi": "Side of the participant's body: L or R (0 to 2); both: the sum of the sides (0 to 4; the total 0 to 12).",
    "statistic": "agreement: participants with the same rating, percent. kappa_linear, kappa_quadratic: Cohen's kappa, "
    "disagreements weighted by their size or by its square. icc: intraclass correlation, absolute agreement of single "
    "raters who are a sample of all raters, ICC(2,1). bias: mean of first minus second. limit_low, limit_high: Bland "
    "and Altman's limits of agreement, bias -/+ 1.96 SD. sign_agreement, sign_kappa: of the motor band sign, present "
    f"from a total of {PRESENT_FROM}: percent, and Cohen's kappa. sensitivity, specificity: of the automated score for "
    "a band (1 or 2; of the total: for the sign) that the rater sees, percent.",
    "n": "Participants that both (all) have rated.",
    "n_missing": "Participants that one of them has rated and another has not, or found not assessable.",
    "estimate": "The statistic: percent (agreement), points (bias and limits), otherwise 1.",
    "ci_low": "Lower confidence limit: Wilson's, with continuity correction (agreement); by the large-sample error "
    f"(kappa); by drawings of whole participants ({EVERY_AREA}); McGraw and Wong's (icc); by t (bias and limits).",
    "ci_high": "Upper confidence limit.",
    "note": "Why a number is missing.",
}


def rater_agreement_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of agreement between raters."""
    return dictionary("Ratings of the motor band compared between raters and with the automated score", _COLUMNS)


def rater_agreement(
    ratings: pd.DataFrame,
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    *,
    groups: Sequence[str],
    threshold: int = PRESENT_FROM,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Agreement of each pair of raters, of each rater with the automated score, and of all raters.

    Parameters
    ----------
    ratings : DataFrame
        ``participant_id, rater, region, hemi, rating`` (`mndmri.tables.rated.collect_ratings`); a rating of 0, 1 or
        2, missing where an area cannot be judged.
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value; the rows of the motor band score.
    participants : DataFrame
        participant_id and group.
    groups : sequence of str
        All groups are compared together.
    threshold : int
        Lowest total with which the sign is present.
    alpha : float
        One minus the coverage of the intervals.

    Returns
    -------
    DataFrame
        A row for each comparison, area, side and statistic; columns as in `rater_agreement_dictionary`. A sum needs
        all its parts: a total over fewer areas would turn a poor scan into a healthy one.

    Notes
    -----
    Sums of both sides are compared, not the sides one below the other: two sides of a person are not two people.
    """
    people = select_people(participants, groups=groups, covariates=[]).index
    sources = {rater: _wide(own, "rating") for rater, own in ratings.groupby("rater", sort=True)}
    raters = list(sources)
    sources[AUTOMATED] = _wide(_automated(measures), "value")
    rows = []
    for first, second in [*combinations(raters, 2), *((rater, AUTOMATED) for rater in raters)]:
        for item in _items():
            pair = _values([sources[first], sources[second]], item, people)
            known = pair.dropna()
            found = _of_pair(known, item, threshold=threshold, alpha=alpha, scored=second == AUTOMATED)
            rows += _lines({"first": first, "second": second}, item, pair, found)
        rows += _of_every_area(first, second, sources, people, alpha=alpha)
    if len(raters) > 2:
        for item in _items():
            table = _values([sources[rater] for rater in raters], item, people)
            found = {"icc": intraclass_correlation(table.dropna().to_numpy(float), alpha=alpha)}
            rows += _lines({"first": RATERS, "second": None}, item, table, found)
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _items() -> Iterator[tuple[str, str, int]]:
    """Region, side and highest rating of all that is compared."""
    for area in AREAS:
        yield from ((f"precentral_{area}", hemi, TOP) for hemi in "LR")
        yield f"precentral_{area}", "both", 2 * TOP
    yield SCORE["region"], "both", MAX_SCORE


def _automated(measures: pd.DataFrame) -> pd.DataFrame:
    rows = measures[(measures["modality"] == SCORE["modality"]) & (measures["measure"] == SCORE["measure"])]
    sides = rows[rows["hemi"].isin(["L", "R"])]
    return sides.assign(region=sides["region"].str.removeprefix("precentral_"))


def _wide(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row a participant, a column each (area, side)."""
    wide = rows.set_index(["participant_id", "region", "hemi"])[column].astype(float).unstack(["region", "hemi"])
    return wide.reindex(columns=pd.MultiIndex.from_product([AREAS, list("LR")], names=["region", "hemi"]))


def _values(sources: Sequence[pd.DataFrame], item: tuple[str, str, int], people: pd.Index) -> pd.DataFrame:
    """What each source says of an item, a column each; without participants of whom none says anything."""
    region, hemi, _ = item
    areas = [region.removeprefix("precentral_")] if region != SCORE["region"] else list(AREAS)
    hemis = list("LR") if hemi == "both" else [hemi]
    columns = [
        own[[(area, side) for area in areas for side in hemis]].sum(axis=1, skipna=False).reindex(people)
        for own in sources
    ]
    return pd.concat(columns, axis=1, keys=range(len(sources))).dropna(how="all")


def _of_every_area(
    first: str, second: str, sources: Mapping[str, pd.DataFrame], people: pd.Index, *, alpha: float
) -> list[dict[str, Any]]:
    pair = [sources[name].reindex(people).to_numpy(float) for name in (first, second)]
    there = [np.isfinite(own).any(axis=1) for own in pair]
    both = np.isfinite(pair[0]) & np.isfinite(pair[1])
    either = there[0] | there[1]
    table = pd.DataFrame({"either": 1.0, "both": np.where(both.any(axis=1), 1.0, np.nan)[either]})
    found = {
        f"kappa_{weights}": kappa_of_areas(*pair, top=TOP, weights=weights, alpha=alpha)
        for weights in ("linear", "quadratic")
    }
    return _lines({"first": first, "second": second}, (EVERY_AREA, "both", TOP), table, found)


def _of_pair(
    known: pd.DataFrame, item: tuple[str, str, int], *, threshold: int, alpha: float, scored: bool
) -> dict[str, Agreement]:
    total = item[0] == SCORE["region"]
    names = [*PAIRWISE, *(OF_SIGN if total else ()), *(OF_SCORE if scored and (total or item[1] != "both") else ())]
    if known.empty:
        return dict.fromkeys(names, Agreement(UNKNOWN, "no participant has both"))
    first, second = (known[n].to_numpy().astype(int) for n in (0, 1))
    found = {
        "agreement": equal_share(first, second, alpha=alpha),
        "kappa_linear": kappa(first, second, top=item[2], weights="linear", alpha=alpha),
        "kappa_quadratic": kappa(first, second, top=item[2], alpha=alpha),
        "icc": intraclass_correlation(known.to_numpy(float), alpha=alpha),
        **bland_altman((first - second).astype(float), alpha=alpha),
    }
    if total:
        signs = [(own >= threshold).astype(int) for own in (first, second)]
        found["sign_agreement"] = equal_share(*signs, alpha=alpha)
        found["sign_kappa"] = kappa(*signs, top=1, alpha=alpha)
    present, what = (threshold, "the sign") if total else (1, "a band")
    found |= detected(first >= present, second >= present, what=what, alpha=alpha)
    return {name: found[name] for name in names}


def _lines(
    who: Mapping[str, Any], item: tuple[str, str, int], table: pd.DataFrame, found: Mapping[str, Agreement]
) -> list[dict[str, Any]]:
    n = len(table.dropna())
    return [
        {**who, "region": item[0], "hemi": item[1], "statistic": name, "n": n, "n_missing": len(table) - n}
        | dict(zip(("estimate", "ci_low", "ci_high"), result.interval, strict=True))
        | {"note": result.problem or ""}
        for name, result in found.items()
    ]
