"""The study's page: who, Table 1, comparisons and figures."""

from pathlib import Path

import pandas as pd

from mndmri.io import read_bytes, read_table, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.pages import Picture, group_page
from mndmri.words import capitalised, readable

log = start_job(snakemake)
given = snakemake.input
files = sorted(Path(given.figures).glob("*.png"))
page = group_page(
    title=snakemake.params.title,
    participants=read_table(given.participants),
    left_out=snakemake.params.notes,
    failed=snakemake.params.failed,
    measures=read_table(given.measures),
    demographics=read_table(given.demographics),
    comparisons=read_table(given.comparisons).merge(pd.DataFrame(snakemake.params.primary)),
    pictures=[Picture(capitalised(readable(f.stem)), "", read_bytes(f), wide=f.stem == "effect_sizes") for f in files],
    versions=versions(),
)
write_text(page, snakemake.output.page)
log.info("%d figures", len(files))
