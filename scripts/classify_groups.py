"""How well each measure alone tells the groups apart, and the curves of the primary ones."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.measures import DAMAGE_DIRECTION
from mndmri.statistics.roc import classification_dictionary, classification_table, roc_points

log = start_job(snakemake)
statistics = snakemake.params.statistics
study = {**snakemake.params.study, "directions": DAMAGE_DIRECTION, "primary": statistics["primary"]}
alpha = study.pop("alpha")
measures, participants = read_table(snakemake.input.measures), read_table(snakemake.input.participants)
table = classification_table(measures, participants, specificity=statistics["specificity"], alpha=alpha, **study)
write_table(table, snakemake.output.classification)
write_json(classification_dictionary(), snakemake.output.dictionary)
write_table(roc_points(measures, participants, **study), snakemake.output.points)
log.info("%d of %d areas could be had", table["auc"].notna().sum(), len(table))
