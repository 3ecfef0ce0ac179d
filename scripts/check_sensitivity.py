"""The primary comparisons on other people and with other covariates."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.samples import as_categories
from mndmri.statistics.sensitivity import sensitivity_dictionary, sensitivity_table
from mndmri.tables.qc import flagged_scans, head_motion

log = start_job(snakemake)
options, statistics, study = snakemake.params, snakemake.params.statistics, snakemake.params.study
quality = read_table(snakemake.input.quality) if snakemake.input.quality else None
participants = as_categories(read_table(snakemake.input.participants), options.categorical)
table = sensitivity_table(
    read_table(snakemake.input.measures),
    participants,
    covariates=options.covariates,
    primary=statistics["primary"],
    flagged=None if quality is None else flagged_scans(quality),
    motion=None if quality is None else head_motion(quality),
    **options.alike,
    **study,
)
write_table(table, snakemake.output.sensitivity)
write_json(sensitivity_dictionary(study["groups"]), snakemake.output.dictionary)
log.info("%d rows", len(table))
