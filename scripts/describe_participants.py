"""Table 1, and the balance of the groups."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.balance import balance_dictionary, balance_table
from mndmri.statistics.demographics import demographics, demographics_dictionary
from mndmri.tables.participants import read_participants
from mndmri.tables.qc import distortion_corrections, head_motion

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params
participants = read_participants(given.participants)
table = demographics(participants, **options.table_one)
write_table(table, made.demographics)
write_json(demographics_dictionary(), made.demographics_dictionary)
of_scans = {}
if given.quality:
    quality = read_table(given.quality)
    of_scans = {"motion": head_motion(quality), "corrected": distortion_corrections(quality)}
write_table(balance_table(participants, **of_scans, **options.balance), made.balance)
write_json(balance_dictionary(), made.balance_dictionary)
log.info("%d rows of Table 1", len(table))
