"""Names of what is scanned at one time: a participant, or a visit of one where the study has visits.

The name, ``sub-01`` or ``sub-01_ses-02``, is the beginning of every file that is made of these scans, and the key under
which a study keeps them.
"""

from collections.abc import Mapping


def name_unit(participant_id: str, session: str = "") -> str:
    """Name of a participant's visit; of the participant, without a session (``ses-`` and its label)."""
    return f"{participant_id}_{session}" if session else participant_id


def split_unit(unit: str) -> tuple[str, str]:
    """participant_id and session of a name; the session is empty where the study has no visits."""
    participant_id, _, session = unit.partition("_")
    return participant_id, session


def person_of(unit: str) -> str:
    """participant_id of a name."""
    return split_unit(unit)[0]


def folder_of(unit: str) -> str:
    """Folder of a name below a BIDS dataset: ``sub-01``, or ``sub-01/ses-02``."""
    return "/".join(filter(None, split_unit(unit)))


def unit_of(wildcards: Mapping[str, str]) -> str:
    """Name that wildcards stand for, ``subject`` and, where there are visits, ``session``."""
    session = wildcards.get("session")
    return name_unit(f"sub-{wildcards['subject']}", f"ses-{session}" if session else "")


def named_after(file: str) -> str:
    """Name that the name of a file begins with."""
    stem = file.split(".", 1)[0]
    return "_".join([part for part in stem.split("_")[:2] if part.startswith(("sub-", "ses-"))])


def wildcards_of(unit: str) -> dict[str, str]:
    """Wildcards that stand for a name."""
    participant_id, session = split_unit(unit)
    own = {"subject": participant_id.removeprefix("sub-"), "session": session.removeprefix("ses-")}
    return {name: value for name, value in own.items() if value}
