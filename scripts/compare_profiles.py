"""The groups compared at every node of the corticospinal tract."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.profiles import compare_profiles, compare_profiles_dictionary, profile_means
from mndmri.statistics.samples import as_categories

log = start_job(snakemake)
options, statistics, study = snakemake.params, snakemake.params.statistics, snakemake.params.study
profiles = read_table(snakemake.input.profiles)
participants = as_categories(read_table(snakemake.input.participants), options.categorical)
comparisons = compare_profiles(
    profiles,
    participants,
    covariates=options.covariates,
    n_permutations=statistics["n_permutations"],
    seed=statistics["seed"],
    **study,
)
write_table(comparisons, snakemake.output.comparisons)
write_json(compare_profiles_dictionary(study["groups"]), snakemake.output.dictionary)
means = profile_means(profiles, participants, groups=study["groups"], alpha=study["alpha"])
write_table(means, snakemake.output.means)
log.info("%d nodes differ", (comparisons["p_fwe"] < study["alpha"]).sum())
