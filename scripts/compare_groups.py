"""Every measure compared between the groups."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.ancova import adjusted_means
from mndmri.statistics.comparisons import compare_groups, comparisons_dictionary
from mndmri.statistics.samples import as_categories

log = start_job(snakemake)
options, statistics, study = snakemake.params, snakemake.params.statistics, snakemake.params.study
measures = read_table(snakemake.input.measures)
participants = as_categories(read_table(snakemake.input.participants), options.categorical)
comparisons = compare_groups(
    measures,
    participants,
    covariates=options.covariates,
    primary=statistics["primary"],
    n_permutations=statistics["n_permutations"],
    seed=statistics["seed"],
    **study,
)
write_table(comparisons, snakemake.output.comparisons)
write_json(comparisons_dictionary(study["groups"]), snakemake.output.dictionary)
means = adjusted_means(
    measures,
    participants,
    groups=study["groups"],
    covariates=options.covariates,
    alpha=study["alpha"],
)
write_table(means, snakemake.output.means)
log.info("%d comparisons", len(comparisons))
