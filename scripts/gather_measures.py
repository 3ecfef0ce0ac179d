"""Everybody's measures in one table, long and wide, with a data dictionary."""

from pathlib import Path

import pandas as pd

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.measures import data_dictionary, stack_measures
from mndmri.statistics.progression import add_progression
from mndmri.statistics.wide import wide_table

log = start_job(snakemake)
participants = add_progression(pd.DataFrame(snakemake.params.participants), snakemake.params.progression)
tables = {Path(path).parent.name: read_table(path) for path in snakemake.input.measures}
measures = stack_measures(tables, participants, snakemake.params.left_out)
if snakemake.input.scores:
    measures = pd.concat([measures, read_table(snakemake.input.scores)], ignore_index=True)
write_table(measures, snakemake.output.measures)
write_json(data_dictionary(measures[["modality", "measure"]].itertuples(index=False)), snakemake.output.dictionary)
write_table(wide_table(measures, participants), snakemake.output.wide)
write_table(participants, snakemake.output.participants)
log.info("%d participants, %d with measures", len(participants), len(tables))
