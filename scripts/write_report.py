"""The study's page: who, Table 1, comparisons, figures, and everything that follows from them."""

from pathlib import Path

import pandas as pd

from mndmri.io import read_bytes, read_table, read_text, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.brain_maps import ComparedMaps, map_sections
from mndmri.report.pages import Picture, group_page
from mndmri.report.sections import group_sections
from mndmri.tables.words import capitalised, readable

log = start_job(snakemake)
given, primary = snakemake.input, snakemake.params.primary
files = {path.stem: read_bytes(path) for path in sorted(Path(given.figures).glob("*.png"))}
maps = {
    Path(table).parent.name: ComparedMaps(
        read_table(table),
        read_table(Path(table).with_name("clusters.tsv")),
        {path.stem: read_bytes(path) for path in sorted(Path(pictures).glob("*.png"))},
    )
    for table, pictures in zip(given.map_summaries, given.map_figures, strict=True)
}
kinds = {"_".join((p["modality"], p["measure"], p["region"])) for p in primary} | {"effect_sizes"}
page = group_page(
    title=snakemake.params.title,
    participants=read_table(given.participants),
    left_out=snakemake.params.notes,
    failed=snakemake.params.failed,
    measures=read_table(given.measures),
    demographics=read_table(given.demographics),
    comparisons=read_table(given.comparisons).merge(pd.DataFrame(primary)),
    pictures=[
        Picture(capitalised(readable(name)), "", png, wide=name == "effect_sizes")
        for name, png in files.items()
        if name in kinds
    ],
    sections=group_sections(
        {Path(path).stem: read_table(path) for path in given.tables},
        files,
        primary=primary,
        methods=read_text(given.methods),
    )
    + map_sections(maps),
    versions=versions(),
)
write_text(page, snakemake.output.page)
log.info("%d figures", len(files))
