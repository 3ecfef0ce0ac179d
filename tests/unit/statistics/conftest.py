"""Small cohorts with a known truth."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

GROUPS = ["ALS", "PLS", "control"]


@pytest.fixture
def participants() -> pd.DataFrame:
    """13 ALS, 5 PLS, 10 controls, with age, sex and two sites that both see every group."""
    rng = np.random.default_rng(3)
    n = 28
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(n)],
            "group": np.repeat(GROUPS, [13, 5, 10]),
            "age": rng.normal(60, 9, n),
            "sex": rng.choice(["F", "M"], n),
            "site": np.resize(["Linz", "Łódź"], n),
        }
    )


@pytest.fixture
def tidy() -> Callable[..., pd.DataFrame]:
    """Long measures table of arrays, a name each."""

    def build(participants: pd.DataFrame, **measures: np.ndarray) -> pd.DataFrame:
        tables = [
            pd.DataFrame(
                {
                    "participant_id": participants["participant_id"],
                    "group": participants["group"],
                    "modality": "dwi",
                    "measure": name,
                    "region": "cst",
                    "hemi": "L",
                    "value": values,
                    "unit": "1",
                    "n_voxels": 100,
                    "status": np.where(np.isnan(values), "no dwi image", "ok"),
                }
            )
            for name, values in measures.items()
        ]
        return pd.concat(tables, ignore_index=True)

    return build
