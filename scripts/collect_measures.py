"""The rows of a participant's stages: measures in one table, quality checks in another."""

from pathlib import Path

import pandas as pd

from mndmri.io import EXACT, read_table, read_text, write_json, write_table
from mndmri.jobs import start_job
from mndmri.tables.decisions import leave_out
from mndmri.tables.freesurfer import replace_rows, surface_measures
from mndmri.tables.measures import person_dictionary
from mndmri.tables.qc import person_quality_dictionary

log = start_job(snakemake)
given, made = snakemake.input, snakemake.output
measures, qc = (pd.concat([read_table(path) for path in given[kind]], ignore_index=True) for kind in ("measures", "qc"))
if given.surface_stats:
    measures = replace_rows(
        measures, surface_measures({Path(path).name: read_text(path) for path in given.surface_stats})
    )
measures = leave_out(measures, snakemake.params.excluded)
write_table(measures, made.measures, digits=EXACT)
write_table(qc, made.qc, digits=EXACT)
kinds = measures[["modality", "measure"]].itertuples(index=False, name=None)
write_json(person_dictionary(kinds, space=snakemake.params.space), made.dictionary)
write_json(person_quality_dictionary(qc["measure"]), made.qc_dictionary)
log.info("%d measures, %d checks", len(measures), len(qc))
