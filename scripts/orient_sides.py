"""Every measure of L and R also by the side of onset, and contralateral against ipsilateral within patients."""

from mndmri.io import EXACT, read_json, read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.combat import harmonised_dictionary
from mndmri.statistics.sides import (
    add_sides,
    assumed_sides,
    compare_sides,
    oriented_dictionary,
    side_of_onset,
    sides_dictionary,
)
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params.options
measures, participants = read_table(given.measures), read_participants(given.participants)
onset = side_of_onset(participants, options["onset_side"])
sides = assumed_sides(participants, onset, reference=options["reference"])
oriented = add_sides(measures, sides)
write_table(oriented, made.measures, digits=EXACT)
meanings = oriented_dictionary(read_json(given.dictionary))
write_json(meanings, made.measures_dictionary)
if given.harmonised:
    measures = read_table(given.harmonised)
    write_table(add_sides(measures, sides), made.harmonised, digits=EXACT)
    write_json(harmonised_dictionary(meanings), made.harmonised_dictionary)
write_table(compare_sides(measures, participants, **options), made.sides)
write_json(sides_dictionary(), made.dictionary)
log.info("onset on a side in %d of %d participants", onset.notna().sum(), len(onset))
