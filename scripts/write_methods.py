"""The paragraph on methods that a paper on this study needs."""

from mndmri.io import read_table, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.methods_text import methods_paragraph, study_facts
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
)
text = methods_paragraph(config, versions(), space=snakemake.params.space, excluded=snakemake.params.excluded, **facts)
write_text(text, snakemake.output.methods)
log.info("%d words", len(text.split()))
