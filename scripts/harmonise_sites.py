"""Every measure without what the scanners of the sites do to it."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.combat import combat, combat_dictionary
from mndmri.statistics.samples import as_categories

log = start_job(snakemake)
options = snakemake.params
measures, shifts = combat(
    read_table(snakemake.input.measures),
    as_categories(read_table(snakemake.input.participants), options.categorical),
    site=options.site,
    preserve=["group", *options.covariates],
    reference_group=options.study["reference"],
    learn_on={"combat": "all", "combat_controls": "controls"}[options.statistics["harmonise"]],
)
write_table(measures, snakemake.output.measures)
write_table(shifts, snakemake.output.shifts)
write_json(combat_dictionary(), snakemake.output.dictionary)
log.info("%d shifts", shifts["shift"].notna().sum())
