"""How raters of the motor band agree with each other and with the automated score, by area."""

from mndmri.cohort.readings import read_sources
from mndmri.io import read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.statistics.raters import rater_agreement, rater_agreement_dictionary
from mndmri.tables.participants import read_participants
from mndmri.tables.rated import collect_ratings, ratings_dictionary

log = start_job(snakemake)
given, made, options = snakemake.input, snakemake.output, snakemake.params
participants = read_participants(given.participants)
paths = [given.ratings] if isinstance(given.ratings, str) else list(given.ratings)
# what is wrong with them was found when the run started
ratings = collect_ratings(
    read_sources(paths, options.cases)[0], studied=list(participants["participant_id"]), listed=list(options.cases)
).table
agreement = rater_agreement(ratings, read_table(given.measures), participants, **options.options)
write_table(agreement, made.agreement)
write_json(rater_agreement_dictionary(), made.dictionary)
write_table(ratings, made.ratings)
write_json(ratings_dictionary(), made.ratings_dictionary)
log.info("%d ratings of %d raters", len(ratings), ratings["rater"].nunique())
