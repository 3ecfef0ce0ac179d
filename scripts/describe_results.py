"""What made the results: versions, config, who was left out."""

from mndmri.io import write_json, write_text
from mndmri.jobs import start_job
from mndmri.provenance import dataset_description, provenance

log = start_job(snakemake)
options = snakemake.params
write_json(provenance(options.config, options.left_out, options.tools), snakemake.output.provenance)
write_json(dataset_description(), snakemake.output.description)
# names that BIDS does not have yet
write_text(
    "*_xfm.*\n*_dwimap.*\n*_displacement.*\n*_tractogram.*\n*_ranking.tsv\n*_profile.tsv\n*_coordinates.*\n*_swi.*\n*_measures.tsv\n*_qc.tsv\n*.html\nresources/\nsimulation/\n",
    snakemake.output.ignore,
)
log.info("written")
