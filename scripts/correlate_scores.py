"""Every measure correlated with the clinical scores, within patients."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.correlations import correlation_table, correlations_dictionary
from mndmri.statistics.progression import missing_rate_reasons
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
participants = read_participants(snakemake.input.participants)
table = correlation_table(
    read_table(snakemake.input.measures),
    participants,
    reasons=missing_rate_reasons(participants, snakemake.params.progression),
    **snakemake.params.options,
)
write_table(table, snakemake.output.correlations)
write_json(correlations_dictionary(), snakemake.output.dictionary)
log.info("%d correlations", table["estimate"].notna().sum())
