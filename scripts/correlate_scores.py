"""Every measure correlated with the clinical scores, within patients."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.correlations import correlation_table, correlations_dictionary
from mndmri.statistics.progression import progression_reasons
from mndmri.statistics.samples import as_categories
from mndmri.tables.participants import PROGRESSION_RATE

log = start_job(snakemake)
options, statistics = snakemake.params, snakemake.params.statistics
participants = as_categories(read_table(snakemake.input.participants), options.categorical)
reasons = {}
if options.progression:
    reasons[PROGRESSION_RATE] = progression_reasons(participants, **options.progression)
table = correlation_table(
    read_table(snakemake.input.measures),
    participants,
    groups=options.study["groups"],
    reference=options.study["reference"],
    scores=options.scores,
    sides=options.sides,
    adjust=options.covariates,
    reasons=reasons,
    primary=statistics["primary"],
    alpha=options.study["alpha"],
)
write_table(table, snakemake.output.correlations)
write_json(correlations_dictionary(), snakemake.output.dictionary)
log.info("%d correlations", table["estimate"].notna().sum())
