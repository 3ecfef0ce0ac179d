"""A table of measures that somebody brings, checked and completed."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.progression import add_progression
from mndmri.statistics.wide import wide_dictionary, wide_table
from mndmri.tables.given import complete_measures
from mndmri.tables.measures import data_dictionary
from mndmri.tables.participants import participants_dictionary

log = start_job(snakemake)
made, options = snakemake.output, snakemake.params
participants = add_progression(options.participants, options.progression)
measures = complete_measures(read_table(snakemake.input.measures), participants)
write_table(measures, made.measures)
write_json(data_dictionary(measures[["modality", "measure"]].itertuples(index=False)), made.dictionary)
write_table(wide_table(measures, participants), made.wide)
write_json(wide_dictionary(measures, participants), made.wide_dictionary)
write_table(participants, made.participants)
write_json(participants_dictionary(participants), made.participants_dictionary)
log.info("%d values of %d participants", measures["value"].notna().sum(), len(participants))
