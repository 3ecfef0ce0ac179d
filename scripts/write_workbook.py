"""The group's tables as one spreadsheet."""

from pathlib import Path

from mndmri.io import read_json, read_table, write_bytes
from mndmri.jobs import start_job
from mndmri.report.workbook import make_workbook

log = start_job(snakemake)
tables = {Path(path).stem: read_table(path) for path in snakemake.input.tables}
dictionaries = {Path(path).stem: read_json(path) for path in snakemake.input.dictionaries}
write_bytes(make_workbook(tables, dictionaries), snakemake.output.workbook)
log.info("%d tables", len(tables))
