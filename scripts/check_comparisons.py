"""Who decides the comparisons, what they assume, and which differences they could detect."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.assumptions import assumptions_dictionary, assumptions_table
from mndmri.statistics.equivalence import equivalence_dictionary, equivalence_table
from mndmri.statistics.influence import influence_dictionary, influence_table
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params.options
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
participants = join_measured(read_participants(given.participants), measures, quality, options["measure_covariates"])
influence = influence_table(measures, participants, primary=snakemake.params.primary, **options)
of_models = {name: options[name] for name in ("groups", "covariates", "measure_covariates")}
assumptions = assumptions_table(measures, participants, **of_models)
equivalence = equivalence_table(measures, participants, margin_sd=snakemake.params.equivalence_sd, **options)
write_table(influence, made.influence)
write_json(influence_dictionary(), made.influence_dictionary)
write_table(assumptions, made.assumptions)
write_json(assumptions_dictionary(), made.assumptions_dictionary)
write_table(equivalence, made.equivalence)
write_json(equivalence_dictionary(), made.equivalence_dictionary)
log.info("%d primary differences", len(influence))
