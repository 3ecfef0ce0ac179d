"""Provenance of the results: versions, config, exclusions."""

from mndmri.io import write_json, write_text
from mndmri.jobs import start_job
from mndmri.provenance import BIDSIGNORE, dataset_description, provenance

log = start_job(snakemake)
options = snakemake.params
write_json(provenance(options.config, options.left_out, options.tools, options.excluded), snakemake.output.provenance)
write_json(dataset_description(), snakemake.output.description)
write_text("\n".join([*BIDSIGNORE, ""]), snakemake.output.ignore)
log.info("written")
