"""People that a trial would need to see a slower change of the primary measures."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.trial import trial_dictionary, trial_table

log = start_job(snakemake)
table = trial_table(read_table(snakemake.input.visits), **snakemake.params.options)
write_table(table, snakemake.output.trial)
write_json(trial_dictionary(), snakemake.output.dictionary)
log.info("%d rows", len(table))
