"""Case numbers, under which participants are rated without their names."""

import hashlib
from collections.abc import Iterable
from typing import Any

import pandas as pd

from mndmri.tables.dictionaries import dictionary

FIRST_CASE, N_CASES = 100_000, 900_000  # six digits: two of 200 people share a number once in 45 studies

_KEY = {
    "case": "Number of the participant in the readers' pages.",
    "participant_id": "Participant, as in the study's participants table.",
    "session": "Session that was rated; n/a where the participant has one.",
}


def case_key_dictionary() -> dict[str, Any]:
    """BIDS data dictionary of the table of case numbers."""
    return dictionary("Which case of the readers' pages is which participant", _KEY)


def number_cases(participants: Iterable[str], *, seed: int) -> dict[str, int]:
    """Case number of each participant, six digits, in random order.

    Parameters
    ----------
    participants : iterable of str
        participant_id, each once.
    seed : int
        Another one gives other numbers in another order.

    Returns
    -------
    dict
        ``participant_id`` to the number, in rising order of the numbers: the order in which cases are read.

    Notes
    -----
    A number follows from the seed and the participant_id alone, by a hash, so that it stays the same when a study
    grows and its order tells nothing of the table's. Where two participants share a number, the later one in the
    table has another. Whoever knows the seed and the ids can compute the key: it blinds a rater, it is no secret.
    """
    cases: dict[str, int] = {}
    for who in participants:
        attempt = 0
        while (number := _number(f"{seed} {who} {attempt}")) in cases.values():
            attempt += 1
        cases[who] = number
    return dict(sorted(cases.items(), key=lambda pair: pair[1]))


def case_key(cases: dict[str, int]) -> pd.DataFrame:
    """Case numbers as a table: ``case, participant_id, session``."""
    return pd.DataFrame({"case": list(cases.values()), "participant_id": list(cases), "session": None})


def _number(text: str) -> int:
    return FIRST_CASE + int(hashlib.sha256(text.encode()).hexdigest(), 16) % N_CASES
