"""The multimodal index: how well the primary measures together tell the groups apart, in people held out."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.multimodal import multimodal_index, multimodal_index_dictionaries
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
index = multimodal_index(
    read_table(snakemake.input.measures),
    read_participants(snakemake.input.participants),
    **snakemake.params.options,
)
for name, meanings in multimodal_index_dictionaries().items():
    write_table(getattr(index, name), snakemake.output[name])
    write_json(meanings, snakemake.output[f"{name}_dictionary"])
log.info("%d people judged", index.predictions["participant_id"].nunique())
