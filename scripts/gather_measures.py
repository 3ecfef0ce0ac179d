"""Everybody's measures in one table, long and wide, with the scores that need the others' measures."""

import pandas as pd

from mndmri.io import read_own_tables, read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.motor_band import check_norms, cutoffs_dictionary, learn_cutoffs, score_motor_band
from mndmri.statistics.progression import add_progression
from mndmri.statistics.wide import wide_table
from mndmri.tables.measures import data_dictionary, stack_measures

log = start_job(snakemake)
given, made, reference = snakemake.input, snakemake.output, snakemake.params.reference
participants = add_progression(pd.DataFrame(snakemake.params.participants), snakemake.params.progression)
tables = read_own_tables(given.measures)
measures = stack_measures(tables, participants, snakemake.params.left_out)
if made.get("cutoffs"):
    norms = check_norms(read_table(given.norms)) if given.norms else None
    cutoffs = learn_cutoffs(measures, participants, reference=reference) if norms is None else norms
    scores = score_motor_band(measures, participants, reference=reference, norms=norms)
    measures = pd.concat([measures, scores], ignore_index=True)
    write_table(cutoffs, made.cutoffs)
    write_json(cutoffs_dictionary(), made.cutoffs_dictionary)
    log.info("%d of %d regions and totals have a motor band score", scores["value"].notna().sum(), len(scores))
write_table(measures, made.measures)
write_json(data_dictionary(measures[["modality", "measure"]].itertuples(index=False)), made.dictionary)
write_table(wide_table(measures, participants), made.wide)
write_table(participants, made.participants)
log.info("%d participants, %d with measures", len(participants), len(tables))
