"""The paragraph on methods that a paper on this study needs."""

import pandas as pd

from mndmri.io import read_table, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.methods_text import methods_paragraph
from mndmri.statistics.prevalence import SCORE

log = start_job(snakemake)
measures = read_table(snakemake.input.measures)
sizes = read_table(snakemake.input.participants).groupby("group", sort=False).size()
config = snakemake.params.config
text = methods_paragraph(
    config,
    versions(),
    space=snakemake.params.space,
    n_by_group={name: int(sizes.get(name, 0)) for name in config["groups"]["levels"]},
    measured=set(measures.loc[measures["value"].notna(), "modality"]),
    scored=bool(measures.merge(pd.DataFrame([SCORE]))["value"].notna().any()),
)
write_text(text, snakemake.output.methods)
log.info("%d words", len(text.split()))
