"""Table 1: who was studied, group by group."""

from mndmri.io import read_table, write_table
from mndmri.jobs import start_job
from mndmri.statistics.demographics import demographics
from mndmri.statistics.samples import as_categories

log = start_job(snakemake)
options = snakemake.params
table = demographics(
    as_categories(read_table(snakemake.input.participants), options.categorical),
    groups=options.groups,
    reference=options.reference,
    covariates=options.covariates,
    scores=options.scores,
)
write_table(table, snakemake.output.demographics)
log.info("%d rows", len(table))
