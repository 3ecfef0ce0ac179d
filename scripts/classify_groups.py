"""How well each measure alone tells the groups apart, and the curves of the primary ones."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.markers import compare_markers, markers_dictionary
from mndmri.statistics.roc import classification_dictionary, classify, roc_points_dictionary
from mndmri.tables.covariates import join_measured
from mndmri.tables.measures import directions
from mndmri.tables.norms import read_norms
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options, compared = snakemake.input, snakemake.params.options, snakemake.params.compared
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
participants = join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"])
declared = directions(snakemake.params.higher_is)
norms = read_norms(given.norms) if given.norms else None
found = classify(measures, participants, directions=declared, norms=norms, **options)
markers = compare_markers(measures, participants, directions=declared, **compared)
write_table(markers, snakemake.output.markers)
write_json(markers_dictionary(), snakemake.output.markers_dictionary)
write_table(found.table, snakemake.output.classification)
write_json(classification_dictionary(), snakemake.output.dictionary)
write_table(found.points, snakemake.output.points)
write_json(roc_points_dictionary(), snakemake.output.points_dictionary)
log.info("%d of %d areas computed", found.table["auc"].notna().sum(), len(found.table))
