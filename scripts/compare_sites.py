"""The groups compared within each site, and what the sites say together."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.sites import site_effects, site_effects_dictionary
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
effects = site_effects(
    read_table(snakemake.input.measures),
    read_participants(snakemake.input.participants),
    **snakemake.params.options,
)
write_table(effects, snakemake.output.effects)
write_json(site_effects_dictionary(), snakemake.output.dictionary)
log.info("%d rows", len(effects))
