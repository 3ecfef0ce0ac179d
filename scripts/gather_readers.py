"""Everybody's motor strip on pages for rating, in random order, and beside them the key to the case numbers."""

from pathlib import Path

from mndmri.io import read_text, write_json, write_table, write_text
from mndmri.jobs import start_job
from mndmri.report.reader import case_number, cases_in, reader_page
from mndmri.tables.cases import case_key, case_key_dictionary

log = start_job(snakemake)
options, made = snakemake.params, snakemake.output
cases = sorted((case for page in snakemake.input.pages for case in cases_in(read_text(page))), key=case_number)
# another number of pages has other names
for page in Path(made.pages[0]).parent.glob("cohort*.html"):
    page.unlink()
for n, path in enumerate(made.pages):
    write_text(reader_page(cases[n * options.per_page : (n + 1) * options.per_page]), path)
write_table(case_key(options.cases), made.key)
write_json(case_key_dictionary(), made.dictionary)
log.info("%d cases on %d pages", len(cases), len(made.pages))
