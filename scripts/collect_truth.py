"""What was planted in every simulated person, and what is true of their scans."""

import pandas as pd

from mndmri.io import read_own_tables, write_json, write_table
from mndmri.jobs import start_job
from mndmri.phantom.plan import SCORES, plan_cohort

log = start_job(snakemake)
plan = plan_cohort(snakemake.params.simulation)
tables = [
    table.assign(participant_id=who)
    for _, paths in snakemake.input.items()
    for who, table in read_own_tables(paths).items()
]
truth = plan[["participant_id", "group"]].merge(pd.concat(tables), on="participant_id")
write_table(plan[["participant_id", "group", "age", "sex", *SCORES]], snakemake.output.participants)
write_json({"Name": "Simulated cohort", "BIDSVersion": "1.9.0", "DatasetType": "raw"}, snakemake.output.description)
write_table(plan, snakemake.output.planted)
write_table(truth, snakemake.output.truth)
log.info("%d true values of %d people", len(truth), len(plan))
