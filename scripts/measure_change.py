"""Change and repeatability of every measure in the people, and who was seen when."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.changes import changes_dictionary, changes_table
from mndmri.statistics.dropout import count_visits, visits_dictionary
from mndmri.statistics.repeatability import repeatability_dictionary, repeatability_table
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
made, options = snakemake.output, snakemake.params
measures, participants = read_table(snakemake.input.visits), read_participants(snakemake.input.participants)
changes = changes_table(measures)
write_table(changes, made.changes)
write_json(changes_dictionary(), made.changes_dictionary)
write_table(repeatability_table(measures, **options.repeatability), made.repeatability)
write_json(repeatability_dictionary(), made.repeatability_dictionary)
write_table(count_visits(measures, participants, **options.counted), made.visits)
write_json(visits_dictionary(options.counted["scores"]), made.visits_dictionary)
log.info("%d slopes of %d", changes["slope"].notna().sum(), len(changes))
