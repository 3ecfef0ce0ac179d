"""The study's page: participants, Table 1, comparisons, figures and all further results."""

from datetime import date
from pathlib import Path

from mndmri.io import read_bytes, read_table, read_text, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.brain_maps import ComparedMaps
from mndmri.report.pictures import compact
from mndmri.report.study import study_page
from mndmri.tables.measures import directions
from mndmri.tables.participants import read_participants


def read_pictures(folder: str | Path) -> dict[str, bytes]:
    """Pictures by the names of their files, as small as a page needs them."""
    return {path.stem: compact(read_bytes(path)) for path in sorted(Path(folder).glob("*.png"))}


log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
figures = read_pictures(given.figures)
folders = {Path(table).parent.name: Path(table).parent for table in given.map_summaries}
maps = {
    kind: ComparedMaps(
        read_table(folder / "summary.tsv"), read_table(folder / "clusters.tsv"), read_pictures(folder / "figures")
    )
    for kind, folder in folders.items()
}
page = study_page(
    read_table(given.measures),
    read_participants(given.participants),
    {Path(path).stem: read_table(path) for path in given.tables},
    figures,
    maps,
    title=options.title,
    written=date.today().isoformat(),
    people_page=options.people,
    primary=options.primary,
    methods=read_text(given.methods),
    alpha=options.alpha,
    notes=options.notes,
    failed=options.failed,
    decisions=options.decisions,
    flow=options.flow,
    signs=directions(options.higher_is),
    versions=versions(),
)
write_text(page, snakemake.output.page)
log.info("%d figures", len(figures))
