"""Every measure and the survival of the patients."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.survival import survival_dictionary, survival_table
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
table = survival_table(
    read_table(snakemake.input.measures),
    read_participants(snakemake.input.participants),
    **snakemake.params.options,
)
write_table(table, snakemake.output.survival)
write_json(survival_dictionary(), snakemake.output.dictionary)
log.info("%d models", len(table))
