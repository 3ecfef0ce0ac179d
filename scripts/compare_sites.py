"""The groups compared within each site, and what the sites say together."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.sites import site_effects, site_effects_dictionary
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params.options
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
effects = site_effects(
    measures,
    join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"]),
    **options,
)
write_table(effects, snakemake.output.effects)
write_json(site_effects_dictionary(), snakemake.output.dictionary)
log.info("%d rows", len(effects))
