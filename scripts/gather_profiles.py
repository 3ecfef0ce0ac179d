"""Everybody's profiles along the corticospinal tract in one table."""

import pandas as pd

from mndmri.diffusion.profile import profiles_dictionary
from mndmri.io import EXACT, read_own_tables, write_json, write_table
from mndmri.jobs import start_job
from mndmri.tables.measures import stack_tables

log = start_job(snakemake)
participants = pd.DataFrame(snakemake.params.participants)
of_each = [stack_tables(read_own_tables(paths), participants) for _, paths in snakemake.input.items()]
profiles = pd.concat(of_each, ignore_index=True)
write_table(profiles, snakemake.output.profiles, digits=EXACT)
write_json(profiles_dictionary(), snakemake.output.dictionary)
log.info("%d participants with a profile", profiles["participant_id"].nunique())
