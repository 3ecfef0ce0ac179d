"""The rows of a participant's stages: measures in one table, quality checks in another."""

from pathlib import Path

import pandas as pd

from mndmri.io import EXACT, read_table, read_text, write_table
from mndmri.jobs import start_job
from mndmri.tables.decisions import leave_out
from mndmri.tables.freesurfer import replace_rows, surface_measures

log = start_job(snakemake)
given = snakemake.input
measures, qc = (pd.concat([read_table(path) for path in given[kind]], ignore_index=True) for kind in ("measures", "qc"))
if given.surface_stats:
    measures = replace_rows(
        measures, surface_measures({Path(path).name: read_text(path) for path in given.surface_stats})
    )
measures = leave_out(measures, snakemake.params.excluded)
write_table(measures, snakemake.output.measures, digits=EXACT)
write_table(qc, snakemake.output.qc, digits=EXACT)
log.info("%d measures, %d checks", len(measures), len(qc))
