"""The motor band index on cortex as uneven as that of real people: which mean of six numbers, and its error."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mndmri.atlas.regions import select
from mndmri.grids import make_image, voxel_sizes
from mndmri.phantom.cortex import spoil, uneven_darkness
from mndmri.phantom.gre import DENSITY, T2_STAR_MS, WHITE_SIGNAL, _magnitude
from mndmri.susceptibility.measures import measure_susceptibility
from mndmri.susceptibility.regions import REFERENCE, any_region
from mndmri.susceptibility.swi import normalise
from mndmri.susceptibility.veins import find_veins
from tests.benchmark.banding import SIDES, contrasts
from tests.benchmark.test_hard_band import ECHO_MS, HARD, NOISE, Outlined, darkened, outline_all
from tests.benchmark.test_motor_band import World, world  # noqa: F401

pytestmark = pytest.mark.benchmark

N_HEADS, N_DRAWS, N_REPEATS = 12, 8, 4
STRENGTHS = (0.10, 0.15, 0.20)
Combined = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def heads(world: World) -> list[Outlined]:  # noqa: F811
    return outline_all(world, HARD | {"seed": 77, "groups": {"control": N_HEADS}})


@pytest.fixture(scope="module")
def controls(heads) -> np.ndarray:
    """Contrasts of controls, a row each."""
    return np.array([contrasts(head.measured(draw, {})) for head in heads for draw in range(N_DRAWS)])


def repeat(head: Outlined, number: int) -> pd.Series:
    """Index and its error, by measure and side, of one cortex in a scan with noise and motion of its own."""
    who = head.person | dict.fromkeys(("seed", "scan_seed"), head.person["seed"] * 1000)
    other = who | {"scan_seed": who["seed"] + 7_000_000 + number}
    white = DENSITY["white"] * np.exp(-ECHO_MS / T2_STAR_MS["white"])
    clean = _magnitude(head.head, who, ECHO_MS, uneven_darkness(head.head, who)) * WHITE_SIGNAL / white
    noise = np.random.default_rng(other["scan_seed"]).standard_normal((2, *clean.shape)) * NOISE * WHITE_SIGNAL
    signal = np.abs(spoil(clean, voxel_sizes(head.head.grid), other) + noise[0] + 1j * noise[1])
    scan = make_image(signal.astype(np.float32), head.head.grid)
    swi = normalise(scan, head.brain, select(head.masks, head.names, *REFERENCE), bias_iterations=())
    rows = measure_susceptibility(swi, head.masks, head.names, find_veins(swi, any_region(head.masks)))
    own = rows[rows["measure"].isin(["band_index", "band_index_error"])]
    return own.set_index(["measure", "hemi"])["value"]


def variants(controls: np.ndarray) -> Mapping[str, Combined]:
    """Ways to make one number of six; z are in standard deviations of the controls, both sides together."""
    parts = controls.reshape(-1, 3, 2)
    mean, sd = (own.repeat(2) for own in (parts.mean(axis=(0, 2)), parts.transpose(1, 0, 2).reshape(3, -1).std(axis=1)))
    weights = np.linalg.solve(np.cov(controls.T), np.ones(6))

    def z(values: np.ndarray) -> np.ndarray:
        return (values - mean) / sd

    return {
        "mean": lambda x: x.mean(axis=1),
        "mean z": lambda x: z(x).mean(axis=1),
        "inverse covariance": lambda x: x @ weights,
        "median z": lambda x: np.median(z(x), axis=1),
        "largest z": lambda x: z(x).max(axis=1),
        "mean of the largest two z": lambda x: np.sort(z(x), axis=1)[:, -2:].mean(axis=1),
        "mean of the largest three z": lambda x: np.sort(z(x), axis=1)[:, -3:].mean(axis=1),
        "larger side's mean z": lambda x: z(x).reshape(-1, 3, 2).mean(axis=1).max(axis=1),
    }


def test_the_index_tells_bands_from_none(heads, controls):
    """The mean is the index; the other ways are printed beside it."""
    found: dict[str, dict[str, float]] = {name: {} for name in variants(controls)}
    for strength in STRENGTHS:
        where = {
            "one region": lambda n: [SIDES[n % 6]],
            "one side": lambda n: [key for key in SIDES if key[1] == "LR"[n % 2]],
            "all": lambda n: SIDES,
        }
        for name, of in where.items():
            ill = np.array(
                [
                    contrasts(head.measured(100, darkened("band_darkening", strength, of(n))))
                    for n, head in enumerate(heads)
                ]
            )
            for variant, combine in variants(controls).items():
                statistic = stats.mannwhitneyu(combine(ill), combine(controls)).statistic
                found[variant][f"{name} {strength:.0%}"] = statistic / (len(ill) * len(controls))
    print(f"\nArea under the ROC curve:\n{pd.DataFrame(found).T.round(2).to_string()}")
    assert found["mean"]["all 15%"] >= 0.95
    assert found["mean"]["one side 15%"] >= 0.9


def test_the_error_of_the_index_is_about_its_spread_over_scans_of_one_cortex(heads):
    repeats = [[repeat(head, number) for number in range(N_REPEATS)] for head in heads]
    # 0.87, 0.85 and 0.93 of it in five heads with three scans each; with so few a share of 0.75 is not unlikely
    for hemi in ("L", "R", "both"):
        spread = np.sqrt(np.mean([np.var([own["band_index", hemi] for own in head], ddof=1) for head in repeats]))
        error = np.sqrt(np.mean([own["band_index_error", hemi] ** 2 for head in repeats for own in head]))
        print(f"\n{hemi}: SD of repeated scans {spread:.4f}, error {error:.4f}")
        assert 0.75 * spread < error < 1.33 * spread
