"""What was planted in every simulated person, and what is true of their scans."""

from pathlib import Path

import pandas as pd

from mndmri.io import read_unit_tables, write_json, write_table
from mndmri.jobs import start_job
from mndmri.phantom.plan import PARTICIPANT_COLUMNS, SCORES, plan_visits
from mndmri.provenance import SIMULATED
from mndmri.statistics.changes import true_changes
from mndmri.tables.columns import SESSION
from mndmri.tables.measures import stack_tables
from mndmri.tables.visits import MONTHS, rows_of_visits
from mndmri.units import named_after

log = start_job(snakemake)
given, made = snakemake.input, snakemake.output
plan = plan_visits(snakemake.params.simulation)
by_modality = [read_unit_tables(paths) for _, paths in given.items()]
own = {
    unit: pd.concat([tables[unit] for tables in by_modality if unit in tables], ignore_index=True)
    for unit in dict.fromkeys(unit for tables in by_modality for unit in tables)
}
if made.sessions:
    seen = plan[["participant_id", "group", SESSION, MONTHS]]
    truth = seen.merge(rows_of_visits(own), on=["participant_id", SESSION])
    write_table(true_changes(truth), made.changes)
    people = dict(iter(plan.rename(columns={SESSION: "session_id"}).groupby("participant_id")))
    for path in made.sessions:
        write_table(people[named_after(Path(path).name)][["session_id", MONTHS, *SCORES]], path)
else:
    truth = stack_tables(own, plan)
write_table(plan.drop_duplicates("participant_id")[PARTICIPANT_COLUMNS], made.participants)
write_json(SIMULATED, made.description)
write_table(plan, made.planted)
write_table(truth, made.truth)
log.info("%d true values of %d people", len(truth), plan["participant_id"].nunique())
