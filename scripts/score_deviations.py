"""Every person against the controls, of this study or of stored norms, and the norms of this study."""

from mndmri.io import EXACT, read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.deviations import deviations_dictionary, score_deviations
from mndmri.tables.covariates import join_measured
from mndmri.tables.norms import covariance_columns, norms_dictionary, read_norms
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params.options
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
found = score_deviations(
    measures,
    join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"]),
    norms=read_norms(given.norms) if given.norms else None,
    **options,
)
write_table(found.deviations, made.deviations, digits=EXACT)
write_json(deviations_dictionary(), made.dictionary)
write_table(found.norms, made.norms, digits=EXACT)
write_json(norms_dictionary(len(covariance_columns(found.norms))), made.norms_dictionary)
log.info("%d of %d W-scores", found.deviations["w_score"].notna().sum(), len(found.deviations))
