"""Every measure compared between the groups."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.ancova import adjusted_means, adjusted_means_dictionary
from mndmri.statistics.comparisons import compare_groups, comparisons_dictionary
from mndmri.statistics.pasting import comparisons_wide_dictionary, widen_comparisons
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options, made = snakemake.input, snakemake.params.options, snakemake.output
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
participants = join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"])
comparisons = compare_groups(measures, participants, **options)
write_table(comparisons, made.comparisons)
write_json(comparisons_dictionary(options["groups"]), made.dictionary)
write_table(widen_comparisons(comparisons, groups=options["groups"]), made.wide)
write_json(comparisons_wide_dictionary(options["groups"]), made.wide_dictionary)
of_means = {name: options[name] for name in ("groups", "covariates", "measure_covariates", "alpha")}
means = adjusted_means(measures, participants, **of_means)
write_table(means, made.means)
write_json(adjusted_means_dictionary(), made.means_dictionary)
log.info("%d comparisons", len(comparisons))
