"""The groups compared at every node of the corticospinal tract."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.profiles import (
    compare_profiles,
    compare_profiles_dictionary,
    profile_means,
    profile_means_dictionary,
)
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options, made = snakemake.input, snakemake.params.options, snakemake.output
profiles = read_table(given.profiles)
participants = read_participants(given.participants)
if given.measures:
    quality = read_table(given.quality) if given.quality else None
    participants = join_measured(participants, read_table(given.measures), quality, options["measure_covariates"])
comparisons = compare_profiles(profiles, participants, **options)
write_table(comparisons, made.comparisons)
write_json(compare_profiles_dictionary(options["groups"]), made.dictionary)
write_table(profile_means(profiles, participants, groups=options["groups"], alpha=options["alpha"]), made.means)
write_json(profile_means_dictionary(), made.means_dictionary)
log.info("%d nodes differ", (comparisons["p_fwe"] < options["alpha"]).sum())
