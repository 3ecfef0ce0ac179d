"""In how many of each group the motor band sign is present, and how a human rating agrees with it."""

import pandas as pd

from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.prevalence import agreement_dictionary, prevalence_dictionary, sign_agreement, sign_prevalence

log = start_job(snakemake)
study, rated = snakemake.params.study, snakemake.params.statistics["rated_sign"]
measures, participants = read_table(snakemake.input.measures), read_table(snakemake.input.participants)
signs = sign_prevalence(measures, participants, rated=rated, **study)
agreement = pd.DataFrame(columns=list(agreement_dictionary()))
if rated:
    agreement = sign_agreement(measures, participants, groups=study["groups"], rated=rated, alpha=study["alpha"])
write_table(signs, snakemake.output.signs)
write_table(agreement, snakemake.output.agreement)
write_json(prevalence_dictionary(), snakemake.output.dictionary)
write_json(agreement_dictionary(), snakemake.output.agreement_dictionary)
log.info("%d rows", len(signs))
