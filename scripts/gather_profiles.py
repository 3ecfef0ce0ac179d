"""Everybody's profiles along the corticospinal tract in one table."""

from pathlib import Path

import pandas as pd

from mndmri.diffusion.profile import profiles_dictionary
from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job

log = start_job(snakemake)
participants = pd.DataFrame(snakemake.params.participants)[["participant_id", "group"]]
tables = [read_table(path).assign(participant_id=Path(path).name.split("_")[0]) for path in snakemake.input]
profiles = participants.merge(pd.concat(tables), on="participant_id")
write_table(profiles, snakemake.output.profiles)
write_json(profiles_dictionary(), snakemake.output.dictionary)
log.info("%d participants with a profile", profiles["participant_id"].nunique())
