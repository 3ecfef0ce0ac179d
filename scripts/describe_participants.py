"""Table 1, who was studied, and how the groups differ besides their disease."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.balance import balance_dictionary, balance_table
from mndmri.statistics.demographics import demographics
from mndmri.statistics.samples import as_categories
from mndmri.tables.qc import head_motion

log = start_job(snakemake)
options, study = snakemake.params, snakemake.params.study
participants = as_categories(read_table(snakemake.input.participants), options.categorical)
quality = snakemake.input.quality
table = demographics(
    participants,
    groups=study["groups"],
    reference=study["reference"],
    covariates=list(dict.fromkeys([*options.covariates, *([options.site] if options.site else [])])),
    scores=options.scores,
)
balance = balance_table(
    participants,
    covariates=options.covariates,
    motion=head_motion(read_table(quality)) if quality else None,
    **options.alike,
    **study,
)
write_table(table, snakemake.output.demographics)
write_table(balance, snakemake.output.balance)
write_json(balance_dictionary(), snakemake.output.dictionary)
log.info("%d rows of Table 1", len(table))
