"""Every measure of L and R also by the side of onset, and contralateral against ipsilateral within patients."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
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
options = snakemake.params.options
measures, participants = read_table(snakemake.input.measures), read_participants(snakemake.input.participants)
onset = side_of_onset(participants, options["onset_side"])
sides = assumed_sides(participants, onset, reference=options["reference"])
oriented = add_sides(measures, sides)
write_table(oriented, snakemake.output.measures)
write_json(oriented_dictionary(oriented), snakemake.output.measures_dictionary)
write_table(compare_sides(measures, participants, **options), snakemake.output.sides)
write_json(sides_dictionary(), snakemake.output.dictionary)
log.info("onset on a side in %d of %d participants", onset.notna().sum(), len(onset))
