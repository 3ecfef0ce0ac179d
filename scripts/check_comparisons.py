"""Who decides the comparisons, what they assume, and which differences they could detect."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.assumptions import assumptions_dictionary, assumptions_table
from mndmri.statistics.equivalence import equivalence_dictionary, equivalence_table
from mndmri.statistics.influence import influence_dictionary, influence_table
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
made, options = snakemake.output, snakemake.params.options
measures, participants = read_table(snakemake.input.measures), read_participants(snakemake.input.participants)
influence = influence_table(measures, participants, primary=snakemake.params.primary, **options)
assumptions = assumptions_table(measures, participants, groups=options["groups"], covariates=options["covariates"])
equivalence = equivalence_table(measures, participants, margin_sd=snakemake.params.equivalence_sd, **options)
write_table(influence, made.influence)
write_json(influence_dictionary(), made.influence_dictionary)
write_table(assumptions, made.assumptions)
write_json(assumptions_dictionary(), made.assumptions_dictionary)
write_table(equivalence, made.equivalence)
write_json(equivalence_dictionary(), made.equivalence_dictionary)
log.info("%d primary differences", len(influence))
