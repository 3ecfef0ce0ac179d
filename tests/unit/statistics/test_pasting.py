"""One row for each measure and contrast, with the numbers of the long table."""

import numpy as np
import pandas as pd
from scipy import stats

from mndmri.statistics.comparisons import compare_groups
from mndmri.statistics.pasting import comparisons_wide_dictionary, widen_comparisons
from mndmri.tables.dictionaries import column_names

GROUPS = ["ALS", "control"]


def test_a_pasted_row_has_the_numbers_of_every_test_of_its_contrast():
    rng = np.random.default_rng(1)
    people = pd.DataFrame({"participant_id": [f"sub-{n}" for n in range(24)], "group": np.repeat(GROUPS, 12)})
    value = rng.standard_normal(24) + 2 * (people["group"] == "ALS")
    place = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "ms", "status": "ok"}
    measures = people[["participant_id"]].assign(**place, value=value)
    long = compare_groups(measures, people, groups=GROUPS, reference="control", n_permutations=100)
    wide = widen_comparisons(long, groups=GROUPS)
    assert list(wide.columns) == column_names(comparisons_wide_dictionary(GROUPS))
    assert wide["contrast"].tolist() == long.query("reported == 'yes'")["contrast"].tolist()
    row = wide.set_index("contrast").loc["ALS-control"]
    als, controls = (value[people["group"] == name] for name in GROUPS)
    welch = stats.ttest_ind(als, controls, equal_var=False)
    assert np.isclose(row["p"], welch.pvalue) and np.isclose(row["df"], welch.df)
    assert np.isclose(row["p_one_variance"], stats.ttest_ind(als, controls).pvalue)
    assert np.isclose(row["shift"], np.median(np.subtract.outer(als.to_numpy(), controls.to_numpy())))
    assert row["text"].endswith("] ms, p < 0.001") and row["text"].startswith(f"{als.mean() - controls.mean():.2f} [")
