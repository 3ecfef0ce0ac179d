"""Slopes of every measure over the visits, compared between the groups."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.longitudinal import compare_change, longitudinal_dictionary
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params.options
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
participants = join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"])
table = compare_change(read_table(given.visits), participants, **options)
write_table(table, snakemake.output.longitudinal)
write_json(longitudinal_dictionary(options["groups"]), snakemake.output.dictionary)
log.info("%d rows of %d with an estimate", table["estimate"].notna().sum(), len(table))
