"""In how many of each group the motor band sign is present, and how a human rating agrees with it."""

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.prevalence import agreement_dictionary, prevalence_dictionary, sign_agreement, sign_prevalence
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
options, made = snakemake.params.options, snakemake.output
measures, participants = read_table(snakemake.input.measures), read_participants(snakemake.input.participants)
signs = sign_prevalence(measures, participants, **options)
agreement = sign_agreement(
    measures, participants, groups=options["groups"], rated=options["rated"], alpha=options["alpha"]
)
write_table(signs, made.signs)
write_table(agreement, made.agreement)
write_json(prevalence_dictionary(), made.dictionary)
write_json(agreement_dictionary(), made.agreement_dictionary)
log.info("%d rows", len(signs))
