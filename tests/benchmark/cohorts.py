"""Cohorts without any difference between the groups, in which the groups or their errors misbehave."""

from typing import NamedTuple

import numpy as np

SIZES = {"13/5/10": (13, 5, 10), "33/12/28": (33, 12, 28), "60/25/55": (60, 25, 55)}
NAMES = ("ALS", "PLS", "control")
SEED = 17


class Cell(NamedTuple):
    """Distribution of the errors, and the standard deviation of each group."""

    errors: str
    spread: tuple[float, float, float] = (1, 1, 1)


CELLS = {
    "equal": Cell("normal"),
    "1/3/1": Cell("normal", (1, 3, 1)),
    "2/2/0.5": Cell("normal", (2, 2, 0.5)),
    "1/0.3/2": Cell("normal", (1, 0.3, 2)),
    "lognormal": Cell("lognormal"),
    "t3": Cell("t3"),
    "outliers": Cell("outliers"),
    "zero-inflated": Cell("zero-inflated"),
    "lognormal 1/3/1": Cell("lognormal", (1, 3, 1)),
}
# Skewed errors in groups of unequal spread: no test holds
NOTHING_HOLDS = "lognormal 1/3/1"
PRESENT = 0.45  # of the zero-inflated, in every group
OUTLIERS, FACTOR = 0.05, 6.0
# Of the errors of `draw` with a spread of 1
VARIANCE = {
    "normal": 1.0,
    "lognormal": (np.e - 1) * np.e,
    "t3": 3.0,
    "outliers": 1 + OUTLIERS * (FACTOR**2 - 1),
    "zero-inflated": PRESENT * 10 - (3 * PRESENT) ** 2,
}


def design(sizes: tuple[int, int, int], number: int) -> tuple[np.ndarray, np.ndarray]:
    """Model matrix (groups, age, sex) and group of each; PLS are three years older on average."""
    rng = np.random.default_rng([SEED, number, *sizes])
    owner = np.repeat(np.arange(3), sizes)
    age = rng.normal(60, 8, len(owner)) + 3 * (owner == 1)
    sex = rng.permutation(np.arange(len(owner)) % 2)
    covariates = np.column_stack([age, sex]).astype(float)
    covariates = (covariates - covariates.mean(axis=0)) / covariates.std(axis=0)
    return np.column_stack([*(owner == g for g in range(3)), covariates]).astype(float), owner


def draw(cell: Cell, owner: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator, smooth=None) -> np.ndarray:
    """Errors, shape (people, *shape), mean 0 for every group.

    ``smooth`` makes fields of noise of mean 0 and variance 1; then outliers, the scale of t3, and presence are
    of the participant, not of the place.
    """
    n = len(owner)
    of_person = (n, *shape) if smooth is None else (n, shape[0], *(1 for _ in shape[1:]))
    noise = rng.standard_normal((n, *shape))
    noise = noise if smooth is None else smooth(noise)
    if cell.errors == "lognormal":
        noise = np.exp(noise) - np.exp(0.5)
    elif cell.errors == "t3":
        noise = noise / np.sqrt(rng.chisquare(3, of_person) / 3)
    elif cell.errors == "outliers":
        noise = noise * np.where(rng.random(of_person) < OUTLIERS, FACTOR, 1)
    elif cell.errors == "zero-inflated":
        noise = np.where(rng.random(of_person) < PRESENT, 3 + noise, 0.0)
    return noise * np.array(cell.spread)[owner].reshape(-1, *(1 for _ in shape))
