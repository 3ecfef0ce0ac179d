"""Measures of every visit in one table."""

import pandas as pd

from mndmri.io import EXACT, read_json, read_table, read_unit_tables, write_json, write_table
from mndmri.jobs import start_job
from mndmri.tables.given import described, given_definitions, take_given
from mndmri.tables.maps import all_definitions
from mndmri.tables.visits import complete_visits, match_sessions, rows_of_visits, visits_dictionary

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params
participants, definitions = options.participants, all_definitions(options.maps)
rows = pd.concat([rows_of_visits(read_unit_tables(given.measures)), *map(read_table, given.within)], ignore_index=True)
if given.tables:
    brought = take_given(**options.brought, studied=participants["participant_id"])
    definitions |= given_definitions(brought, described(map(read_json, given.described)))
    rows = pd.concat([rows, match_sessions(brought, rows)], ignore_index=True)
parts = {"scores": options.scores, "left_out": options.left_out}
every_visit = complete_visits(rows, options.visits, participants, options.excluded, **parts)
write_table(every_visit, made.visits, digits=EXACT)
seen = every_visit[["modality", "measure"]].itertuples(index=False, name=None)
write_json(visits_dictionary(seen, definitions), made.dictionary)
log.info("%d visits of %d participants", len(given.measures), every_visit["participant_id"].nunique())
