"""How the automated motor band score agrees with human ratings, region by region, and the raters with each other."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.statistics.prevalence import AUTOMATED, MAX_SCORE, PRESENT_FROM, SCORE
from mndmri.tables.band_norms import CONTRAST, PARTS
from mndmri.tables.dictionaries import dictionary
from mndmri.tables.ratings import RATINGS

N_DRAWS, SEED = 2000, 1
FEW = 20  # participants; with fewer the intervals are those of a pilot
_ALL = "all"
_SIDES = [(part, hemi) for part in PARTS for hemi in "LR"]
_AGREEMENT = {
    "first": f"Who is compared: {AUTOMATED}, the motor band score, or a rater.",
    "second": "With whom: a rater, who is taken as the truth of sensitivity and specificity.",
    "region": f"precentral_leg, precentral_hand, precentral_face, both sides together; {_ALL}: all six regions; total: "
    f"their sum, 0 to {MAX_SCORE}; sign: a sum of {PRESENT_FROM} or more.",
    "statistic": "agreement: the same in both, percent. weighted_kappa: Cohen's, disagreements weighted by their square"
    " (of the sign: not weighted). sensitivity, specificity: of a band (1 or 2), percent of those that the second has, "
    "and has not. auc: area under the ROC curve of the darkness that the score rests on, for the second's 1 and 2. "
    "bias, limit_low, limit_high: mean of first minus second, and 1.96 SD about it (Bland and Altman).",
    "n_participants": "Participants with both.",
    "n_values": "Values compared: regions, or participants.",
    "n_missing": "Values that one of the two has not.",
    "estimate": "The statistic.",
    "ci_low": f"Lower limit of 95%, by {N_DRAWS} drawings of participants: regions of one person are not independent. "
    "Of 0 and 100%, which have no spread, the exact one of so many participants; n/a of others without spread.",
    "ci_high": "Upper limit.",
    "note": "Why a number is missing, or what to be careful of.",
}


def rating_agreement_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of agreement."""
    return dictionary("The automated motor band score and human ratings, region by region", _AGREEMENT)


def rating_agreement(measures: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """Agreement of the automated score with each rater, and of every two raters.

    Parameters
    ----------
    measures : DataFrame
        Long: participant_id, modality, measure, region, hemi, value; the motor band score and ``band_darkness``.
    ratings : DataFrame
        From `mndmri.tables.ratings.read_ratings`. Who has no score is missing.

    Returns
    -------
    DataFrame
        Columns as in `rating_agreement_dictionary`.

    References
    ----------
    Cohen 1968, Psychol Bull 70:213. Bland and Altman 1999, Stat Methods Med Res 8:135. Field and Welsh 2007, J R Stat
    Soc B 69:369, for drawing whole participants.
    """
    people = list(dict.fromkeys(ratings["participant_id"]))
    swi = measures[(measures["modality"] == CONTRAST[0]) & measures["region"].isin(PARTS)]
    scores, darkness = (_wide(swi[swi["measure"] == name], "value", people) for name in (SCORE["measure"], CONTRAST[1]))
    by_rater = {
        str(rater): _wide(own.assign(region="precentral_" + own["region"]), "rating", people)
        for rater, own in ratings.groupby("rater", sort=False)
    }
    rows = []
    for rater, own in by_rater.items():
        rows += _compare(AUTOMATED, rater, scores, own, darkness)
    for (one, first), (other, second) in combinations(by_rater.items(), 2):
        rows += _compare(one, other, first, second, None)
    return pd.DataFrame(rows, columns=list(_AGREEMENT))


def _wide(rows: pd.DataFrame, column: str, people: list[str]) -> np.ndarray:
    """Values of everybody's regions, shape (people, 6)."""
    table = rows.pivot(index="participant_id", columns=["region", "hemi"], values=column)
    return table.reindex(index=people, columns=pd.MultiIndex.from_tuples(_SIDES)).to_numpy(float)


def _compare(
    name: str, other: str, first: np.ndarray, second: np.ndarray, darkness: np.ndarray | None
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def add(region: str, found: dict[str, tuple[float, float, float]], both: np.ndarray) -> None:
        n = int(both.any(axis=1).sum())
        notes = [f"only {n} participants"] if n < FEW else []
        for statistic, (estimate, low, high) in found.items():
            why = (
                [] if np.isfinite(estimate) else ["one of the two says the same of all, or there is nothing to compare"]
            )
            rows.append(
                {"first": name, "second": other, "region": region, "statistic": statistic, "n_participants": n}
                | {"n_values": int(both.sum()), "n_missing": int((~both).sum())}
                | {"estimate": estimate, "ci_low": low, "ci_high": high, "note": "; ".join(notes + why)}
            )

    groups = {_ALL: range(6)} | {part: [i for i, key in enumerate(_SIDES) if key[0] == part] for part in PARTS}
    for region, columns in groups.items():
        a, b = first[:, columns], second[:, columns]
        both = np.isfinite(a) & np.isfinite(b)
        found = _of_tables(_tables(a, b, both, len(RATINGS)), at=1)
        if darkness is not None:
            found["auc"] = _area(darkness[:, columns], b >= 1, both & np.isfinite(darkness[:, columns]))
        add(region, found, both)
    totals = [own.sum(axis=1)[:, None] for own in (first, second)]
    both = np.isfinite(totals[0]) & np.isfinite(totals[1])
    whole = _of_tables(_tables(totals[0], totals[1], both, MAX_SCORE + 1), at=PRESENT_FROM)
    add("total", {"weighted_kappa": whole["weighted_kappa"]} | _differences((totals[0] - totals[1])[both]), both)
    signs = [(own >= PRESENT_FROM).astype(float) for own in totals]
    add("sign", _of_tables(_tables(signs[0], signs[1], both, 2), at=1), both)
    return rows


def _tables(first: np.ndarray, second: np.ndarray, both: np.ndarray, size: int) -> np.ndarray:
    """Cross-tables of each person, shape (people, size, size)."""
    found = np.zeros((len(first), size, size))
    who, column = np.nonzero(both)
    cells = who, first[who, column].astype(int), second[who, column].astype(int)
    np.add.at(found, cells, 1)
    return found


def _of_tables(tables: np.ndarray, *, at: int) -> dict[str, tuple[float, float, float]]:
    """Statistics of the sum of the tables, with intervals; a band is a value of ``at`` or more."""

    def kappa(t: np.ndarray) -> np.ndarray:
        size = t.shape[-1]
        cost = (np.arange(size)[:, None] - np.arange(size)) ** 2
        n, rows, columns = t.sum(axis=(-2, -1)), t.sum(axis=-1), t.sum(axis=-2)
        expected = np.einsum("...i,...j,ij->...", rows, columns, cost) / n
        return 1 - (t * cost).sum(axis=(-2, -1)) / np.where(expected > 0, expected, np.nan)

    def share(hit: Callable[[np.ndarray], np.ndarray], of: Callable[[np.ndarray], np.ndarray]):
        return lambda t: 100 * hit(t) / np.where(of(t) > 0, of(t), np.nan)

    formulas: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "agreement": share(lambda t: np.trace(t, axis1=-2, axis2=-1), lambda t: t.sum(axis=(-2, -1))),
        "weighted_kappa": kappa,
        "sensitivity": share(lambda t: t[..., at:, at:].sum(axis=(-2, -1)), lambda t: t[..., at:].sum(axis=(-2, -1))),
        "specificity": share(lambda t: t[..., :at, :at].sum(axis=(-2, -1)), lambda t: t[..., :at].sum(axis=(-2, -1))),
    }
    has = tables.sum(axis=(1, 2)) > 0
    tables = tables[has]
    drawn = np.einsum("dp,pij->dij", _draws(len(tables)), tables)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {name: _with_limits(float(of(tables.sum(axis=0))), of(drawn)) for name, of in formulas.items()}
        for name in ("agreement", "sensitivity", "specificity"):
            estimate = found[name][0]
            if estimate in (0.0, 100.0):
                n = int(np.isfinite(formulas[name](tables)).sum())
                exact = stats.binomtest(n if estimate else 0, n).proportion_ci(method="exact")
                found[name] = estimate, 100 * float(exact.low), 100 * float(exact.high)
    return found


def _area(values: np.ndarray, is_band: np.ndarray, both: np.ndarray) -> tuple[float, float, float]:
    """Area under the ROC curve, with its interval."""

    def of(counts: np.ndarray) -> float:
        weight = np.repeat(counts[:, None], values.shape[1], axis=1)[both].astype(int)
        own, band = np.repeat(values[both], weight), np.repeat(is_band[both], weight)
        if band.all() or not band.any():
            return np.nan
        return float(stats.mannwhitneyu(own[band], own[~band]).statistic / (band.sum() * (~band).sum()))

    draws = _draws(len(values))[: N_DRAWS // 4]
    return _with_limits(of(np.ones(len(values))), np.array([of(counts) for counts in draws]))


def _differences(away: np.ndarray) -> dict[str, tuple[float, float, float]]:
    def of(values: np.ndarray) -> np.ndarray:
        mean, sd = values.mean(axis=-1), values.std(axis=-1, ddof=1)
        return np.stack([mean, mean - 1.96 * sd, mean + 1.96 * sd])

    names = ("bias", "limit_low", "limit_high")
    if len(away) < 2:
        return dict.fromkeys(names, (np.nan, np.nan, np.nan))
    drawn = of(away[np.random.default_rng(SEED).integers(len(away), size=(N_DRAWS, len(away)))])
    return {name: _with_limits(float(one), d) for name, one, d in zip(names, of(away), drawn, strict=True)}


def _draws(n: int) -> np.ndarray:
    """How often each of ``n`` participants is drawn, shape (draws, n)."""
    if n == 0:
        return np.zeros((N_DRAWS, 0))
    return np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=N_DRAWS)


def _with_limits(estimate: float, drawn: np.ndarray) -> tuple[float, float, float]:
    """Estimate and its percentile limits, over the draws that have one; none where all draws are the same."""
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(estimate) or len(known) < 2 or np.ptp(known) == 0:
        return estimate, np.nan, np.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return estimate, float(low), float(high)
