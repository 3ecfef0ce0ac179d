"""Every measure and the survival of the patients."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.survival import survival_dictionary, survival_table
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params.options
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
participants = join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"])
table = survival_table(measures, participants, **options)
write_table(table, snakemake.output.survival)
write_json(survival_dictionary(), snakemake.output.dictionary)
log.info("%d models", len(table))
