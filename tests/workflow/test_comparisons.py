"""What the groups are compared on, and adjusted for."""

import pandas as pd

from mndmri.tables.covariates import covariates_of
from tests.workflow.stubs import PEOPLE


def test_head_size_is_a_covariate_of_volumes_and_of_no_other_map(finished_study):
    asked = {}
    for record in finished_study.records():
        if record.job.rule == "compare_maps":
            chosen = record.params["options"]["measure_covariates"]
            asked[record.job.wildcards] = covariates_of({**record.params["place"], "region": ""}, chosen)
    assert asked == {"maps=vbm": ["tiv"], "maps=vbm_headsize": [], "maps=fa": [], "maps=swi": []}


def test_groups_are_compared_on_harmonised_measures_and_sites_on_raw_ones(all_modalities):
    study = all_modalities()
    people = pd.DataFrame({"participant_id": PEOPLE, "group": ("ALS", "PLS", "HC"), "age": (61, 58, 60), "sex": "F"})
    people.assign(site=(1, 2, 1)).to_csv(study.bids / "participants.tsv", sep="\t", index=False)
    study.config |= {"site": "site", "statistics": {"harmonise": "combat"}}
    given = {job.rule: taken for job, (taken, _) in study.wiring().items()}
    harmonised, raw = (
        {rule for rule, taken in given.items() if f"results/group/{name}.tsv" in taken}
        for name in ("measures_harmonised", "measures")
    )
    compared = {"compare_groups", "correlate_scores", "check_sensitivity", "check_comparisons", "score_deviations"}
    # what the sites do is learnt in each fold from its training people, and areas compare people of one site
    judged = {"classify_groups", "combine_measures"}
    assert harmonised >= compared
    assert not raw & compared
    assert raw >= {"harmonise_sites", "compare_sites", "count_signs", "compare_maps", *judged}
    assert not harmonised & judged
