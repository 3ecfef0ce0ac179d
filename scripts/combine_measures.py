"""The multimodal index: how well the primary measures together tell the groups apart, in people held out."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.multimodal import multimodal_index, multimodal_index_dictionaries
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params.options
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
index = multimodal_index(
    measures,
    join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"]),
    **options,
)
for name, meanings in multimodal_index_dictionaries().items():
    write_table(getattr(index, name), snakemake.output[name])
    write_json(meanings, snakemake.output[f"{name}_dictionary"])
log.info("%d people judged", index.predictions["participant_id"].nunique())
