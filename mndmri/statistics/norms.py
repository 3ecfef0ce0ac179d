"""The controls' model of a measure: what is expected of a person, and how far people lie from it."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import linalg, special, stats

from mndmri.statistics.models import COLLINEAR
from mndmri.statistics.samples import NO_SPREAD
from mndmri.tables.measures import KEY
from mndmri.tables.norms import COVARIANCE, INTERCEPT, NORM_COLUMNS, covariance_columns

MIN_CONTROLS = 8  # in the model; 95% limits of a percentile of 2.5 are 0 and 15 with 8, 0 and 20 with 5


class Norm(NamedTuple):
    """Model of a measure in controls."""

    terms: pd.DataFrame  # (k rows) term, level, centre, lowest, highest, coefficient
    covariance: np.ndarray  # (k, k), of the coefficients
    n: int
    df: int
    s: float  # residual standard deviation

    def columns(self, people: pd.DataFrame) -> np.ndarray:
        """Model matrix of people with every covariate, shape (n, k)."""
        return _columns(self.terms, people)


# Unit and norm of each measure
StoredNorms = dict[tuple[str, ...], tuple[object, Norm]]


class Deviations(NamedTuple):
    """How people lie to what is expected of them, shape (n,) each; NaN where there is no answer."""

    expected: np.ndarray
    w: np.ndarray
    percentile: np.ndarray  # 0 to 100
    low: np.ndarray
    high: np.ndarray
    n_controls: np.ndarray
    reasons: np.ndarray  # text, empty where there is a value


def _columns(terms: pd.DataFrame, people: pd.DataFrame) -> np.ndarray:
    columns = [
        np.ones(len(people))
        if term.term == INTERCEPT
        else people[term.term].to_numpy(float) - term.centre
        if pd.isna(term.level)
        else (people[term.term].astype(str) == term.level).to_numpy(float)
        for term in terms.itertuples()
    ]
    return np.column_stack(columns)


def _terms(covariates: pd.DataFrame) -> pd.DataFrame:
    """Columns of the model: an intercept, numbers centred, and every level of a category, the first the baseline.

    A number that is the same in every control has no range.
    """
    rows: list[dict[str, object]] = [{"term": INTERCEPT}]
    for name in covariates:
        values = covariates[name]
        if is_numeric_dtype(values):
            numbers = values.astype(float)
            if np.ptp(numbers) <= NO_SPREAD * np.abs(numbers).max():
                numbers = numbers[:1]
            rows.append({"term": name, "centre": numbers.mean(), "lowest": numbers.min(), "highest": numbers.max()})
        else:
            rows += [{"term": name, "level": level} for level in sorted(values.astype(str).unique())]
    return pd.DataFrame(rows, columns=["term", "level", "centre", "lowest", "highest"])


def fit_norm(values: pd.Series, covariates: pd.DataFrame) -> Norm | str:
    """Model of a measure in controls by least squares, or why there is none.

    Parameters
    ----------
    values : Series
        Of the controls, by participant; finite.
    covariates : DataFrame
        Theirs, none missing: numbers as they are, text as categories. What is the same in every control
        stays in the model with a coefficient of 0, so that it is known of whom they tell nothing.
    """
    if len(values) < MIN_CONTROLS:
        return f"fewer than {MIN_CONTROLS} controls with a value and every covariate ({len(values)})"
    terms = _terms(covariates)
    baseline = terms["level"].notna() & ~terms.duplicated("term")
    free = ~(baseline | (terms["lowest"] == terms["highest"])).to_numpy()
    y, matrix = values.to_numpy(float), _columns(terms, covariates)[:, free]
    scale = np.sqrt((matrix**2).mean(axis=0))
    inverse, rank = linalg.pinv(matrix / scale, rtol=COLLINEAR, return_rank=True)
    df = len(y) - rank
    if rank < matrix.shape[1]:
        return f"in the controls, one of {', '.join(dict.fromkeys(terms['term'][1:]))} follows from the others"
    if df < 1:
        return f"as many terms in the model as controls ({len(y)})"
    inverse = inverse / scale[:, None]
    coefficients = inverse @ y
    residuals = y - matrix @ coefficients
    ssr = float(residuals @ residuals)
    if ssr <= NO_SPREAD * float(y @ y):
        return "no variation in the controls"
    full = np.zeros(len(terms))
    full[free] = coefficients
    covariance = np.zeros((len(terms), len(terms)))
    covariance[np.ix_(free, free)] = ssr / df * inverse @ inverse.T
    return Norm(terms.assign(coefficient=full), covariance, len(y), df, float(np.sqrt(ssr / df)))


def percentile(w: np.ndarray, df: np.ndarray, h: np.ndarray, *, alpha: float = 0.05) -> np.ndarray:
    """Percent of controls expected below a W-score, and its confidence limits: shape (3, n).

    The person's value is fixed, the controls are a sample: (y - expected) / (s sqrt(h)) follows a
    noncentral t, whose parameters that put the observed at the tails are the limits. Without
    covariates h is 1/n. The percentage itself allows for the error of the controls' model, and so is nearer
    to 50 than that of the population: far out in a tail it lies beyond the limits, which are then widened to it.

    Parameters
    ----------
    w, df, h : array, shape (n,)
        W-scores, degrees of freedom, and leverages, above 0.
    alpha : float
        One minus the coverage.

    References
    ----------
    Crawford and Howell 1998, Clin Neuropsychol 12:482; the limits: Crawford and Garthwaite 2002,
    Neuropsychologia 40:1196; with covariates: Crawford and Garthwaite 2006, Neuropsychology 20:259.
    """
    observed = w * np.sqrt((1 + h) / h)
    low, high = (
        special.ndtr(np.sqrt(h) * special.nctdtrinc(df, tail, observed)) for tail in (1 - alpha / 2, alpha / 2)
    )
    below = stats.t.cdf(w, df)
    return 100 * np.array([below, np.minimum(low, below), np.maximum(high, below)])


def deviations(
    norm: Norm, values: pd.Series, people: pd.DataFrame, *, members: np.ndarray, alpha: float = 0.05
) -> Deviations:
    """W-scores (y - expected) / (s sqrt(1 + h)) of people, and their percentiles.

    Parameters
    ----------
    norm : Norm
    values : Series
        By participant, finite.
    people : DataFrame
        Their covariates, none missing; same index.
    members : array of bool, shape (n,)
        Who is among the controls of the norm: judged by the model of the others.
    alpha : float
        One minus the coverage of the percentile's limits.

    References
    ----------
    W-scores: O'Brien and Dyck 1985, Stat Med 4:387.
    """
    y, columns = values.to_numpy(float), norm.columns(people)
    expected = columns @ norm.terms["coefficient"].to_numpy()
    h = np.einsum("nj,jk,nk->n", columns, norm.covariance, columns) / norm.s**2
    s, df = np.full(len(y), norm.s), np.full(len(y), float(norm.df))
    reasons = np.full(len(y), "", dtype=object)
    if members.any():
        residual, kept = (y - expected)[members], 1 - h[members]
        alone = kept < COLLINEAR
        kept = np.where(alone, np.nan, kept)
        ssr = norm.df * norm.s**2 - residual**2 / kept
        df[members] -= 1
        expected[members] = y[members] - residual / kept
        h[members] = h[members] / kept
        spread = ssr > NO_SPREAD * norm.df * norm.s**2
        s[members] = np.sqrt(np.where(spread & (norm.df > 1), ssr, np.nan) / max(norm.df - 1, 1))
        why = np.where(spread & (norm.df > 1), "", "no variation in the other controls")
        why = np.where(alone, "the only control like this one", why)
        reasons[members] = why if norm.n > MIN_CONTROLS else f"fewer than {MIN_CONTROLS} other controls"
    for name, own in norm.terms[norm.terms["level"].notna()].groupby("term"):
        unknown = ~people[name].astype(str).isin(own["level"]).to_numpy()
        reasons[unknown] = [f"no control has {name} {level}" for level in people.loc[unknown, name]]
    known = reasons == ""
    w = np.where(known, (y - expected) / (s * np.sqrt(1 + h)), np.nan)
    share = np.full((3, len(y)), np.nan)
    if known.any():
        share[:, known] = percentile(w[known], df[known], h[known], alpha=alpha)
    below, low, high = share
    n_controls = norm.n - members.astype(int)
    return Deviations(np.where(known, expected, np.nan), w, below, low, high, n_controls, reasons)


def outside_range(norm: Norm, people: pd.DataFrame) -> pd.Series:
    """Note for people with a number beyond those of the controls, empty text for others; by participant."""
    notes = pd.Series("", people.index)
    for term in norm.terms[norm.terms["centre"].notna()].itertuples():
        values = people[term.term].astype(float)
        beyond = (values < term.lowest) | (values > term.highest)
        of_controls = f"{term.lowest:g}" + (f" to {term.highest:g}" if term.highest > term.lowest else "")
        told = values.map(lambda v, t=term, theirs=of_controls: f"{t.term} {v:g} is outside the controls' {theirs}")
        notes = notes.where(~beyond, notes + np.where(notes == "", "", "; ") + told)
    return notes


def norm_rows(key: dict[str, str], unit: object, norm: Norm) -> pd.DataFrame:
    """Rows of the table of norms of one measure."""
    covariance = pd.DataFrame(norm.covariance, norm.terms.index)
    covariance.columns = [f"{COVARIANCE}{number}" for number in range(1, len(covariance) + 1)]
    own = norm.terms.assign(**key, unit=unit, n=norm.n, df=norm.df, s=norm.s)
    return pd.concat([own[NORM_COLUMNS], covariance], axis=1)


def norm_of_rows(rows: pd.DataFrame) -> Norm:
    """Norm of one measure from its rows of the table."""
    terms = rows[["term", "level", "centre", "lowest", "highest", "coefficient"]].reset_index(drop=True)
    covariance = rows[covariance_columns(rows)[: len(rows)]].to_numpy(float)
    first = rows.iloc[0]
    return Norm(terms, covariance, int(first["n"]), int(first["df"]), float(first["s"]))


def stored_norms(table: pd.DataFrame) -> StoredNorms:
    """Unit and norm of each measure of a table of norms."""
    return {key: (rows["unit"].iloc[0], norm_of_rows(rows)) for key, rows in table.groupby(KEY, sort=False)}
