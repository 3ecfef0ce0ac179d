"""Tables of measures that somebody brings, checked and completed."""

from mndmri.io import EXACT, read_json, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.progression import add_progression
from mndmri.statistics.wide import wide_dictionary, wide_table
from mndmri.tables.given import complete_measures, described, given_definitions, take_given
from mndmri.tables.measures import data_dictionary
from mndmri.tables.participants import participants_dictionary
from mndmri.tables.visits import at_baseline, baseline_sessions, complete_visits, take_visits, visits_dictionary

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params
participants = add_progression(options.participants, options.progression)
rows = take_given(**options.brought, studied=participants["participant_id"])
words = described(map(read_json, given.described))
if chosen := options.visits:
    rows, visits = take_visits(rows, chosen, known=options.brought["known"], studied=participants["participant_id"])
    every_visit = complete_visits(rows, visits, participants, options.excluded, scores=chosen["scores"])
    write_table(every_visit, made.visits, digits=EXACT)
    seen = every_visit[["modality", "measure"]].itertuples(index=False, name=None)
    write_json(visits_dictionary(seen, given_definitions(rows, words)), made.visits_dictionary)
    rows = at_baseline(rows, baseline_sessions(rows, visits, chosen["baseline"]))
measures = complete_measures(rows, participants, options.excluded)
kinds = measures[["modality", "measure"]].itertuples(index=False)
write_table(measures, made.measures, digits=EXACT)
write_json(data_dictionary(kinds, brought=given_definitions(rows, words)), made.dictionary)
write_table(wide_table(measures, participants, options.others), made.wide, digits=EXACT)
write_json(wide_dictionary(measures, participants, options.others), made.wide_dictionary)
write_table(participants, made.participants, digits=EXACT)
write_json(participants_dictionary(participants), made.participants_dictionary)
log.info("%d values of %d participants", measures["value"].notna().sum(), len(participants))
