"""The primary comparisons on other people and with other covariates."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.sensitivity import sensitivity_dictionary, sensitivity_table
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants
from mndmri.tables.qc import flagged_scans, head_motion

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params.options
quality = read_table(given.quality) if given.quality else None
measures = read_table(given.measures)
table = sensitivity_table(
    measures,
    join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"]),
    flagged=None if quality is None else flagged_scans(quality),
    motion=None if quality is None else head_motion(quality),
    **options,
)
write_table(table, snakemake.output.sensitivity)
write_json(sensitivity_dictionary(options["groups"]), snakemake.output.dictionary)
log.info("%d rows", len(table))
