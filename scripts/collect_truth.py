"""What was planted in every simulated person, and what is true of their scans."""

import pandas as pd

from mndmri.io import read_own_tables, write_json, write_table
from mndmri.jobs import start_job
from mndmri.phantom.plan import PARTICIPANT_COLUMNS, plan_cohort
from mndmri.provenance import SIMULATED
from mndmri.tables.measures import stack_tables

log = start_job(snakemake)
plan = plan_cohort(snakemake.params.simulation)
by_modality = [read_own_tables(paths) for _, paths in snakemake.input.items()]
own = {
    who: pd.concat([tables[who] for tables in by_modality if who in tables], ignore_index=True)
    for who in plan["participant_id"]
}
truth = stack_tables(own, plan)
write_table(plan[PARTICIPANT_COLUMNS], snakemake.output.participants)
write_json(SIMULATED, snakemake.output.description)
write_table(plan, snakemake.output.planted)
write_table(truth, snakemake.output.truth)
log.info("%d true values of %d people", len(truth), len(plan))
