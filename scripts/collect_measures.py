"""The rows of a participant's stages: measures in one table, quality checks in another."""

import pandas as pd

from mndmri.io import read_table, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
for kind in ("measures", "qc"):
    table = pd.concat([read_table(path) for path in snakemake.input[kind]], ignore_index=True)
    write_table(table, snakemake.output[kind])
    log.info("%s: %d rows from %d stages", kind, len(table), len(snakemake.input[kind]))
