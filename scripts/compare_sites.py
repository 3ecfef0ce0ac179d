"""The groups compared within each site, and what the sites say together."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.samples import as_categories
from mndmri.statistics.sites import site_effects, site_effects_dictionary

log = start_job(snakemake)
options, statistics, study = snakemake.params, snakemake.params.statistics, snakemake.params.study
effects = site_effects(
    read_table(snakemake.input.measures),
    as_categories(read_table(snakemake.input.participants), options.categorical),
    site=options.site,
    covariates=options.covariates,
    primary=statistics["primary"],
    **study,
)
write_table(effects, snakemake.output.effects)
write_json(site_effects_dictionary(), snakemake.output.dictionary)
log.info("%d rows", len(effects))
