"""Every measure compared between the groups."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.ancova import adjusted_means, adjusted_means_dictionary
from mndmri.statistics.comparisons import compare_groups, comparisons_dictionary
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
options, made = snakemake.params.options, snakemake.output
measures = read_table(snakemake.input.measures)
participants = read_participants(snakemake.input.participants)
comparisons = compare_groups(measures, participants, **options)
write_table(comparisons, made.comparisons)
write_json(comparisons_dictionary(options["groups"]), made.dictionary)
means = adjusted_means(
    measures, participants, groups=options["groups"], covariates=options["covariates"], alpha=options["alpha"]
)
write_table(means, made.means)
write_json(adjusted_means_dictionary(), made.means_dictionary)
log.info("%d comparisons", len(comparisons))
