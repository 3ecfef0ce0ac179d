"""Everybody's strips of the central sulcus in one table."""

from pathlib import Path

import pandas as pd

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.susceptibility.strip import strips_dictionary

log = start_job(snakemake)
participants = pd.DataFrame(snakemake.params.participants)[["participant_id", "group"]]
tables = [read_table(path).assign(participant_id=Path(path).name.split("_")[0]) for path in snakemake.input]
strips = participants.merge(pd.concat(tables), on="participant_id")
write_table(strips, snakemake.output.strips)
write_json(strips_dictionary(), snakemake.output.dictionary)
log.info("%d participants with a strip", strips["participant_id"].nunique())
