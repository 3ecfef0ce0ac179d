"""Every measure without what the scanners of the sites do to it."""

from mndmri.io import EXACT, read_json, read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.combat import combat, combat_dictionary, harmonised_dictionary
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
measures, shifts = combat(
    read_table(snakemake.input.measures),
    read_participants(snakemake.input.participants),
    **snakemake.params.options,
)
write_table(measures, snakemake.output.measures, digits=EXACT)
write_json(harmonised_dictionary(read_json(snakemake.input.dictionary)), snakemake.output.measures_dictionary)
write_table(shifts, snakemake.output.shifts)
write_json(combat_dictionary(), snakemake.output.dictionary)
log.info("%d shifts", shifts["shift"].notna().sum())
