"""The groups compared at every node of the corticospinal tract."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.profiles import compare_profiles, compare_profiles_dictionary, profile_means
from mndmri.statistics.samples import as_categories

log = start_job(snakemake)
options, statistics = snakemake.params, snakemake.params.statistics
profiles = read_table(snakemake.input.profiles)
participants = as_categories(read_table(snakemake.input.participants), options.categorical)
comparisons = compare_profiles(
    profiles,
    participants,
    groups=options.groups,
    reference=options.reference,
    covariates=options.covariates,
    contrasts=statistics["contrasts"],
    pooled=statistics["pooled_patients"],
    n_permutations=statistics["n_permutations"],
    seed=statistics["seed"],
    alpha=statistics["alpha"],
)
write_table(comparisons, snakemake.output.comparisons)
write_json(compare_profiles_dictionary(options.groups), snakemake.output.dictionary)
means = profile_means(profiles, participants, groups=options.groups, alpha=statistics["alpha"])
write_table(means, snakemake.output.means)
log.info("%d nodes differ", (comparisons["p_fwe"] < statistics["alpha"]).sum())
