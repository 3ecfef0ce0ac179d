"""Change of every measure in every person."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.changes import changes_dictionary, changes_table

log = start_job(snakemake)
table = changes_table(read_table(snakemake.input.visits))
write_table(table, snakemake.output.changes)
write_json(changes_dictionary(), snakemake.output.dictionary)
log.info("%d slopes of %d", table["slope"].notna().sum(), len(table))
