"""Every measure correlated with the clinical scores, within patients."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.correlations import correlation_table, correlations_dictionary
from mndmri.statistics.progression import missing_rate_reasons
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params.options
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
participants = join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"])
reasons = missing_rate_reasons(participants, snakemake.params.progression)
table = correlation_table(measures, participants, reasons=reasons, **options)
write_table(table, snakemake.output.correlations)
write_json(correlations_dictionary(), snakemake.output.dictionary)
log.info("%d correlations", table["estimate"].notna().sum())
