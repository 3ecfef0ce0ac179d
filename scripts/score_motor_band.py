"""The motor band score of everyone, and the cut-offs it rests on."""

from pathlib import Path

import pandas as pd

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.measures import stack_measures
from mndmri.statistics.motor_band import check_norms, cutoffs_dictionary, learn_cutoffs, score_motor_band

log = start_job(snakemake)
given, participants = snakemake.input, pd.DataFrame(snakemake.params.participants)
reference = snakemake.params.reference
tables = {Path(path).parent.name: read_table(path) for path in given.measures}
measures = stack_measures(tables, participants, snakemake.params.left_out)
norms = check_norms(read_table(given.norms)) if given.norms else None
cutoffs = learn_cutoffs(measures, participants, reference=reference) if norms is None else norms
scores = score_motor_band(measures, participants, reference=reference, norms=norms)
write_table(scores, snakemake.output.scores)
write_table(cutoffs, snakemake.output.cutoffs)
write_json(cutoffs_dictionary(), snakemake.output.dictionary)
log.info("%d of %d regions and totals have a score", scores["value"].notna().sum(), len(scores))
