"""The paragraph on methods that a paper on this study needs."""

from pathlib import Path

from mndmri.io import read_json, read_table, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.done import analyses_done, primary_done
from mndmri.report.methods_text import methods_paragraph, study_facts
from mndmri.statistics.dropout import left_by_group
from mndmri.statistics.prevalence import SCORE
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
config = snakemake.params.config
facts = study_facts(
    read_table(snakemake.input.measures),
    read_participants(snakemake.input.participants),
    groups=config["groups"]["levels"],
    score=SCORE,
    measure_covariates=config["measure_covariates"],
    described=read_json(snakemake.input.dictionary)["measures"],
)
tables = {Path(path).stem: read_table(path) for path in snakemake.input.tables}
primary = primary_done(tables["comparisons"], config["statistics"]["primary"])
config = {**config, "statistics": {**config["statistics"], "primary": primary}}
facts |= {"done": analyses_done(tables), **snakemake.params.losses}
facts |= {"visits_left": left_by_group(tables["visits"])} if "visits" in tables else {}
text = methods_paragraph(config, versions(), space=snakemake.params.space, **facts)
write_text(text, snakemake.output.methods)
log.info("%d words", len(text.split()))
