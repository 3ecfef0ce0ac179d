"""Everybody's quality on an index, and everybody's picture of each step on a contact sheet."""

from pathlib import Path

from mndmri.io import by_unit, read_bytes, read_table, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.cohort import THUMBNAIL, by_visits, contact_sheets, qc_index
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
pictures = {
    unit: {path.stem: read_bytes(path) for path in sorted(Path(folder).glob("*.webp"))}
    for unit, folder in by_unit(given.thumbnails).items()
}
tables = by_visits(read_participants(given.participants), read_table(given.qc), options.units)
shown = {
    "failed": options.failed,
    "decisions": options.decisions,
    "site": options.site,
    "versions": versions(),
    "pages": [Path(path).stem for path in given.pages],
}
sheets = contact_sheets(*tables, pictures, **shown)
for step, page in sheets.items():
    write_text(page, f"{snakemake.output.sheets}/{step}.html")
thumbnails = {who: own[THUMBNAIL] for who, own in pictures.items() if THUMBNAIL in own}
viewers = list(by_unit(given.viewers))
page = qc_index(*tables, thumbnails=thumbnails, viewers=viewers, sheets=sheets, **shown)
write_text(page, snakemake.output.page)
log.info("%d participants, %d contact sheets", len(tables[0]), len(sheets))
