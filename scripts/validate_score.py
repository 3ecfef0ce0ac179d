"""Human ratings of the motor band against the score of a finished study: make validate-score RATINGS=file-or-folder."""

import sys
from pathlib import Path

from mndmri.io import InputError, read_table, write_json, write_table
from mndmri.statistics.rating_agreement import rating_agreement, rating_agreement_dictionary
from mndmri.tables.ratings import read_ratings

SHOWN = [
    "first",
    "second",
    "region",
    "statistic",
    "n_participants",
    "n_values",
    "estimate",
    "ci_low",
    "ci_high",
    "note",
]

results, *ratings = sys.argv[1:]
try:
    found = rating_agreement(read_table(Path(results, "group/measures.tsv")), read_ratings(ratings))
except InputError as error:
    sys.exit(str(error))
made = Path(results, "group/rating_agreement.tsv")
write_table(found, made)
write_json(rating_agreement_dictionary(), made.with_suffix(".json"))
print(found[SHOWN].round(3).to_string(index=False))
print(f"\nWritten to {made}; docs/validating-the-score.md says how to publish it.")
