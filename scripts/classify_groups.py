"""How well each measure alone tells the groups apart, and the curves of the primary ones."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.roc import classification_dictionary, classify, roc_points_dictionary
from mndmri.tables.covariates import join_measured
from mndmri.tables.measures import DAMAGE_DIRECTION
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params.options
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
found = classify(
    measures,
    join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"]),
    directions=DAMAGE_DIRECTION,
    **options,
)
write_table(found.table, snakemake.output.classification)
write_json(classification_dictionary(), snakemake.output.dictionary)
write_table(found.points, snakemake.output.points)
write_json(roc_points_dictionary(), snakemake.output.points_dictionary)
log.info("%d of %d areas computed", found.table["auc"].notna().sum(), len(found.table))
