"""Everybody's strips of the central sulcus in one table."""

import pandas as pd

from mndmri.io import read_own_tables, write_json, write_table
from mndmri.jobs import start_job
from mndmri.susceptibility.strip import strips_dictionary
from mndmri.tables.decisions import drop_excluded
from mndmri.tables.measures import stack_tables

log = start_job(snakemake)
options = snakemake.params
own = drop_excluded(read_own_tables(snakemake.input), options.excluded)
strips = stack_tables(own, pd.DataFrame(options.participants))
write_table(strips, snakemake.output.strips)
write_json(strips_dictionary(options.space), snakemake.output.dictionary)
log.info("%d participants with a strip", strips["participant_id"].nunique())
