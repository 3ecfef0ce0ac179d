"""Shares of null cohorts in which each test finds something, and its power: what the calibration table is made of."""

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pandas as pd
from scipy import linalg, optimize, stats
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from mndmri.statistics.draws import draw_people, drawn_pivots
from mndmri.statistics.models import Design, fit_ols, hc3_df
from mndmri.statistics.tfce import enhance
from mndmri.statistics.welch import (
    ErrorModel,
    Tested,
    directions_of,
    error_model,
    flipped_pivots,
    sign_flips,
    signed_pivots,
    sums_of,
    wald_test,
)
from tests.benchmark.cohorts import CELLS, NAMES, SEED, SIZES, VARIANCE, Cell, design, draw

LEVEL, POWER = 0.05, 0.8
HYPOTHESES = {
    "ALS-PLS": [[1, -1, 0, 0, 0]],
    "ALS-control": [[1, 0, -1, 0, 0]],
    "PLS-control": [[0, 1, -1, 0, 0]],
    "group": [[1, 0, -1, 0, 0], [0, 1, -1, 0, 0]],
}
PAIRS = [name for name in HYPOTHESES if name != "group"]


def p_of(tested: Tested) -> np.ndarray:
    """Upper tail of F; 1 where there is no test."""
    p = stats.f.sf(tested.statistic, tested.numerator, np.maximum(tested.df, 1e-9))
    return np.where(tested.df > 0, p, 1.0)


def cohort_p(
    y: np.ndarray,
    matrix: np.ndarray,
    owner: np.ndarray,
    signs: np.ndarray,
    hypotheses: Mapping[str, list[list[float]]] = HYPOTHESES,
) -> dict[tuple[str, str], np.ndarray]:
    """Probability by (test, hypothesis) in many cohorts, y of shape (people, cohorts)."""
    found = {}
    fit = fit_ols(y[:, 0], Design(matrix, list(NAMES), [*NAMES, "age", "sex"], []))
    basis = fit.basis
    residuals = y - basis @ (basis.T @ y)
    df = len(y) - basis.shape[1]
    for name, weights in hypotheses.items():
        hypothesis = np.array(weights, float)
        effect = hypothesis @ fit.inverse @ y
        middle = np.linalg.inv(hypothesis @ fit.inverse @ fit.inverse.T @ hypothesis.T)
        f = np.einsum("qv,qr,rv->v", effect, middle, effect) / len(hypothesis) / ((residuals**2).sum(axis=0) / df)
        found["one variance", name] = stats.f.sf(f, len(hypothesis), df)
        if len(hypothesis) == 1:
            leverage = (basis**2).sum(axis=1)
            along = (hypothesis @ fit.inverse)[0]
            for test, power in (("HC3", 2), ("HC2", 1)):
                squared = effect[0] ** 2 / ((along**2 / (1 - leverage) ** power) @ residuals**2)
                found[test, name] = stats.f.sf(squared, 1, _bell_mccaffrey(basis, along**2 / (1 - leverage) ** power))
            assert np.isclose(hc3_df(fit, hypothesis[0]), _bell_mccaffrey(basis, along**2 / (1 - leverage) ** 2))
    # groups of which all have the same value have the pooled variance, cohort by cohort
    alike = np.array([np.ptp(y[owner == g], axis=0) == 0 for g in range(3)])
    for key in {tuple(column) for column in alike.T}:
        own = (key == alike.T).all(axis=1)
        errors = error_model(matrix, owner, borrowing=list(key))
        directions = {name: directions_of(errors, np.array(weights, float)) for name, weights in hypotheses.items()}
        fitted, squares = sums_of(errors, y[:, own])
        for name, hypothesis in directions.items():
            p = found.setdefault(("own variances", name), np.ones(y.shape[1]))
            p[own] = p_of(wald_test(errors, hypothesis, fitted, squares))
        if not len(signs):
            continue
        tested = list(directions.values())
        (observed,) = flipped_pivots(errors, y[:, own], tested, np.ones((1, len(y))))
        extreme = [np.zeros(int(own.sum()), int) for _ in tested]
        for drawn in flipped_pivots(errors, y[:, own], tested, signs):
            for count, d, o in zip(extreme, drawn, observed, strict=True):
                count += (np.abs(d) >= np.abs(o) * (1 - 1e-9)).sum(axis=0)
        for name, count in zip(directions, extreme, strict=True):
            p = found.setdefault(("own variances, flips", name), np.ones(y.shape[1]))
            p[own] = (count + 1) / (len(signs) + 1)
    return found


def _bell_mccaffrey(basis: np.ndarray, weights: np.ndarray) -> float:
    """Degrees of freedom of a weighted sum of squared residuals, from the whole matrix."""
    middle = (np.eye(len(basis)) - basis @ basis.T) * np.sqrt(np.outer(weights, weights))
    return float(np.trace(middle) ** 2 / (middle**2).sum())


def shift_for_power(
    matrix: np.ndarray, owner: np.ndarray, hypothesis: np.ndarray, cell: Cell, power: float = POWER
) -> np.ndarray:
    """Shift of the first group of a pair, by so many true standard errors of their difference; shape (people,).

    As many as give the test with one variance this power where all errors are normal and of one variance.
    """
    along = (hypothesis @ linalg.pinv(matrix))[0]
    df = len(matrix) - np.linalg.matrix_rank(matrix)
    limit = stats.t.isf(LEVEL / 2, df)
    distance = optimize.brentq(lambda d: stats.nct.sf(limit, df, d) - power, 0, 20)
    error = np.sqrt(along**2 @ (VARIANCE[cell.errors] * np.array(cell.spread)[owner] ** 2))
    return (owner == np.argmax(hypothesis[0])) * distance * error


def table_shares(size: str, *, designs: int, cohorts: int, flips: int) -> Iterator[dict[str, object]]:
    """Share of cohorts with p <= 0.05, of every cell, test and hypothesis, and its power."""
    for cell, kind in CELLS.items():
        positive: dict[tuple[str, str, str], list[float]] = {}
        for number in range(designs):
            matrix, owner = design(SIZES[size], number)
            rng = np.random.default_rng([SEED, number, list(CELLS).index(cell), len(owner)])
            y = draw(kind, owner, (cohorts,), rng)
            signs = sign_flips(len(owner), number=flips, seed=number)
            for key, p in cohort_p(y, matrix, owner, signs).items():
                positive.setdefault((*key, "error"), []).append(np.mean(p <= LEVEL))
            for name in PAIRS:
                shift = shift_for_power(matrix, owner, np.array(HYPOTHESES[name], float), kind)
                found = cohort_p(y + shift[:, None], matrix, owner, signs, {name: HYPOTHESES[name]})
                for (test, _), p in found.items():
                    positive.setdefault((test, name, "power"), []).append(np.mean(p <= LEVEL))
        for (test, name, what), shares in positive.items():
            row = {"size": size, "cell": cell, "test": test, "hypothesis": name, "what": what}
            yield row | {"percent": 100 * float(np.mean(shares))}


SHAPES = {"profile": (2, 30), "map": (7, 8, 7)}
# Where a difference is planted: a level of the left tract, a blob in the middle of the map
PLANTED = {"profile": (slice(0, 1), slice(8, 16)), "map": (slice(2, 5), slice(2, 5), slice(2, 5))}


def largest_shares(
    size: str, kind: str, *, designs: int, cohorts: int, draws: int, cells: Collection[str] = CELLS
) -> Iterator[dict[str, object]]:
    """Share of cohorts with a corrected p <= 0.05 anywhere along a profile or in a small map.

    Without any difference (error), and where the first group of each pair is moved by one standard deviation of the
    errors at spread 1 in one level or blob (power).
    """
    smooth = {"profile": _smooth_profile, "map": _smooth_map}[kind]
    for cell in cells:
        positive: dict[tuple[str, str, str], list[float]] = {}
        for number in range(designs):
            matrix, owner = design(SIZES[size], number)
            rng = np.random.default_rng([SEED, number, list(CELLS).index(cell), len(owner), 1])
            y = draw(CELLS[cell], owner, (cohorts, *SHAPES[kind]), rng, smooth).astype(np.float32)
            for (test, name), p in _largest_p(y, matrix, owner, HYPOTHESES, draws=draws, seed=number).items():
                positive.setdefault((test, name, "error"), []).append(np.mean(p <= LEVEL))
            for name in PAIRS:
                moved = y.copy()
                first = np.flatnonzero(owner == np.argmax(HYPOTHESES[name][0]))
                moved[(first, slice(None), *PLANTED[kind])] += np.sqrt(VARIANCE[CELLS[cell].errors])
                own = {name: HYPOTHESES[name]}
                for (test, _), p in _largest_p(moved, matrix, owner, own, draws=draws, seed=number).items():
                    positive.setdefault((test, name, "power"), []).append(np.mean(p <= LEVEL))
        for (test, name, what), shares in positive.items():
            row = {"size": size, "cell": cell, "test": test, "hypothesis": name, "what": what}
            yield row | {"percent": 100 * float(np.mean(shares))}


def _largest_p(
    y: np.ndarray,
    matrix: np.ndarray,
    owner: np.ndarray,
    hypotheses: Mapping[str, list[list[float]]],
    *,
    draws: int,
    seed: int,
) -> dict[tuple[str, str], np.ndarray]:
    """Corrected p by (test, hypothesis) of each cohort, from data of shape (people, cohorts, *place)."""
    n, cohorts, *shape = y.shape
    values = y.reshape(n, -1)
    errors = error_model(matrix, owner)
    tested = [directions_of(errors, np.array(weights, float)) for weights in hypotheses.values()]

    def largest(statistics: np.ndarray) -> np.ndarray:
        """Of statistics of each draw, shape (draws, cohorts * places), the largest of each cohort."""
        fields = statistics.reshape(-1, *shape).astype(np.float32)
        tops = (
            [np.abs(enhance(field)).max() for field in fields] if len(shape) == 3 else np.abs(fields).max(axis=(1, 2))
        )
        return np.array(tops).reshape(-1, cohorts)

    people = draw_people(n, number=draws, seed=seed)
    which = np.repeat(np.arange(cohorts), np.prod(shape))  # each cohort is a map of its own
    drawn = zip(*drawn_pivots(errors, values, tested, people, places=which), strict=True)
    owns = signed_pivots(errors, *sums_of(errors, values), tested)
    found = {}
    for name, own, batches in zip(hypotheses, owns, drawn, strict=True):
        found["own variances", name] = _counted(largest(own[None]), np.vstack([largest(batch) for batch in batches]))
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(n), (draws, 1)), axis=1)
    for name, hypothesis in zip(hypotheses, tested, strict=True):
        own, again = _one_variance(errors, values, hypothesis, orders)
        found["one variance", name] = _counted(largest(own[None]), np.vstack([largest(one[None]) for one in again]))
    return found


def _counted(own: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    return ((drawn >= own * (1 - 1e-6)).sum(axis=0) + 1) / (len(drawn) + 1)


def _one_variance(
    errors: ErrorModel, y: np.ndarray, hypothesis: np.ndarray, orders: np.ndarray
) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Root of the classical F, with the sign of t, of the data and of permuted residuals of the smaller model."""
    directions = linalg.orth(hypothesis).astype(y.dtype)
    basis = errors.basis.astype(y.dtype)
    df = len(y) - basis.shape[1]
    smaller = y - basis @ (basis.T @ y) + basis @ directions @ (directions.T @ (basis.T @ y))

    def statistic(values: np.ndarray) -> np.ndarray:
        fitted = basis.T @ values
        effect = directions.T @ fitted
        left = (values**2).sum(axis=0) - (fitted**2).sum(axis=0)
        root = np.sqrt((effect**2).sum(axis=0) / len(effect) / np.maximum(left, 1e-6) * df)
        return root * np.sign(effect[0]) if len(effect) == 1 else root

    return statistic(smaller), (statistic(smaller[order]) for order in orders)


def _smooth_profile(noise: np.ndarray) -> np.ndarray:
    smooth = gaussian_filter1d(noise, 2, axis=-1, mode="wrap")
    return smooth / smooth.std()


def _smooth_map(noise: np.ndarray) -> np.ndarray:
    smooth = gaussian_filter(noise, (0, 0, 1, 1, 1), mode="wrap")
    return smooth / smooth.std()


def table_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Wide: a row for each size and cell, a column for each test: the range over the pairs, then all groups."""

    def cell(found: pd.DataFrame) -> str:
        values = found.set_index("hypothesis")["percent"]
        pairs = values.reindex(PAIRS).dropna()
        text = f"{pairs.min():.1f} to {pairs.max():.1f}"
        return f"{text}; {values['group']:.1f}" if "group" in values else text

    keys = ["what", "size", "cell", "test"]
    wide = pd.Series({key: cell(own) for key, own in rows.groupby(keys, sort=False)})
    wide.index = wide.index.set_names(keys)
    order = wide.index.droplevel("test").drop_duplicates()
    # not unstacked with sort=False, which puts cells into wrong columns where a row lacks one
    return wide.unstack("test").reindex(order)[list(dict.fromkeys(rows["test"]))]
