"""A table of measures that somebody brings, checked and completed."""

import pandas as pd

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.progression import add_progression
from mndmri.statistics.wide import wide_table
from mndmri.tables.given import complete_measures
from mndmri.tables.measures import data_dictionary

log = start_job(snakemake)
participants = add_progression(pd.DataFrame(snakemake.params.participants), snakemake.params.progression)
measures = complete_measures(read_table(snakemake.input.measures), participants)
write_table(measures, snakemake.output.measures)
write_json(data_dictionary(measures[["modality", "measure"]].itertuples(index=False)), snakemake.output.dictionary)
write_table(wide_table(measures, participants), snakemake.output.wide)
write_table(participants, snakemake.output.participants)
log.info("%d values of %d participants", measures["value"].notna().sum(), len(participants))
