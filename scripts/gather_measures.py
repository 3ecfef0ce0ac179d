"""Everybody's measures in one table, long and wide, with the scores that need the others' measures."""

import pandas as pd

from mndmri.io import EXACT, by_participant, read_json, read_own_tables, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.band_index import index_dictionary, index_table
from mndmri.statistics.band_norms import pool_norms
from mndmri.statistics.motor_band import add_motor_band
from mndmri.statistics.progression import add_progression
from mndmri.statistics.wide import wide_dictionary, wide_table
from mndmri.tables.band_norms import cutoffs_dictionary, read_band_norms
from mndmri.tables.given import complete_measures, described, given_definitions, join_measures, take_given
from mndmri.tables.maps import all_definitions
from mndmri.tables.measures import data_dictionary, stack_measures
from mndmri.tables.participants import participants_dictionary
from mndmri.tables.protocols import protocol_table
from mndmri.tables.visits import at_baseline, match_sessions

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params
participants = add_progression(options.participants, options.progression)
measures = stack_measures(read_own_tables(given.measures), participants, options.left_out)
if made.get("cutoffs"):
    norms = pool_norms(read_band_norms(given.norms)) if given.norms else None
    scans = protocol_table({who: read_json(path)["Protocol"] for who, path in by_participant(given.weighted).items()})
    judged = {"reference": options.reference, "norms": norms, "protocols": scans}
    measures, cutoffs = add_motor_band(measures, participants, **judged)
    write_table(cutoffs, made.cutoffs, digits=EXACT)
    write_table(index_table(measures, participants, **judged), made.index)
    write_json(index_dictionary(), made.index_dictionary)
    write_json(cutoffs_dictionary(), made.cutoffs_dictionary)
definitions = all_definitions(options.maps)
if given.tables:
    rows = take_given(**options.brought, studied=participants["participant_id"])
    if options.baseline:
        seen = pd.DataFrame(options.baseline.items(), columns=["participant_id", "session"])
        rows = at_baseline(match_sessions(rows, seen), options.baseline)
    measures = join_measures(measures, complete_measures(rows, participants, options.excluded), participants)
    definitions |= given_definitions(rows, described(map(read_json, given.described)))
write_table(measures, made.measures, digits=EXACT)
kinds = measures[["modality", "measure"]].itertuples(index=False)
write_json(data_dictionary(kinds, space=options.space, brought=definitions), made.dictionary)
write_table(wide_table(measures, participants, options.others), made.wide, digits=EXACT)
write_json(wide_dictionary(measures, participants, options.others), made.wide_dictionary)
write_table(participants, made.participants, digits=EXACT)
write_json(participants_dictionary(participants), made.participants_dictionary)
log.info("%d participants, %d with measures", len(participants), len(given.measures))
