"""A figure for every primary measure, and one for each kind of result."""

from pathlib import Path

from mndmri.figures import to_png
from mndmri.figures.study import study_figures
from mndmri.io import read_table, write_bytes
from mndmri.jobs import start_job
from mndmri.tables.measures import directions
from mndmri.tables.names import file_names
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
figures = list(
    study_figures(
        read_table(snakemake.input.measures),
        read_participants(snakemake.input.participants),
        {Path(path).stem: read_table(path) for path in snakemake.input.tables},
        **snakemake.params.options,
        signs=directions(snakemake.params.higher_is),
    )
)
for name, (_, figure) in zip(file_names(label for label, _ in figures), figures, strict=True):
    write_bytes(to_png(figure), f"{snakemake.output.figures}/{name}.png")
    log.info("%s", name)
