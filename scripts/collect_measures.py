"""The rows of a participant's stages, in one table."""

import pandas as pd

from mndmri.io import read_table, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
table = pd.concat([read_table(path) for path in snakemake.input], ignore_index=True)
write_table(table, snakemake.output.measures)
log.info("%d rows from %d stages", len(table), len(snakemake.input))
