"""What every script does first: a log, one thread count for all libraries, no calls home.

A job that has begun and not ended leaves a note of itself beside its log
(``<log>.unfinished.json``). The note goes when the job succeeds, and keeps the error
when it does not, also if the process was killed: so the participants that a group
table has to do without are known, with the reason, however a job came to its end.
"""

import atexit
import logging
import os
import re
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from mndmri.io import InputError, read_json, write_json

UNFINISHED = ".unfinished.json"


def start_job(snakemake: Any) -> logging.Logger:
    """Logger of a script, after its environment has been set up.

    Standard output and error are redirected at the level of file descriptors, because
    ANTs prints from C++; a failure is also told on the terminal, in one line.

    Parameters
    ----------
    snakemake : object
        The object that Snakemake gives a script: ``rule``, ``wildcards``, ``threads``, ``log``.
    """
    log_path = Path(snakemake.log[0])
    log_path.parent.mkdir(parents=True, exist_ok=True)
    # ITK reads its variable once, at its first operation; torch and BLAS at import
    for variable in ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(snakemake.threads)
    os.environ["NIPYPE_NO_ET"] = "1"  # nipype's version check goes to the network otherwise
    os.environ["MPLBACKEND"] = "agg"

    terminal = os.dup(2)
    with log_path.open("w", encoding="utf-8") as log_file:
        os.dup2(log_file.fileno(), 1)
        os.dup2(log_file.fileno(), 2)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    _leave_a_note(log_path.with_name(log_path.name + UNFINISHED), snakemake, terminal)
    return logging.getLogger(snakemake.rule)


def _leave_a_note(note: Path, snakemake: Any, terminal: int) -> None:
    """Write the note, and arrange for it to be completed or removed."""
    wildcards = dict(snakemake.wildcards.items())
    participant = wildcards.get("subject")
    about = {
        "rule": snakemake.rule,
        "participant_id": f"sub-{participant}" if participant else None,
        "part": " ".join(value for name, value in wildcards.items() if name != "subject"),
        "reason": "the job was stopped before its end (killed, or out of memory)",
    }
    write_json(about, note)
    failed = False

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        nonlocal failed
        failed = True
        message = str(error) if isinstance(error, InputError) else f"{kind.__name__}: {error}"
        about["reason"] = message
        write_json(about, note)
        traceback.print_exception(kind, error, trace)
        who = f"{about['participant_id']}: " if participant else ""
        line = message if message.startswith(who) else who + message
        os.write(terminal, f"{snakemake.rule}: {line}\n".encode())

    def clear() -> None:
        if not failed:
            note.unlink(missing_ok=True)

    sys.excepthook = tell
    atexit.register(clear)


def read_unfinished(logs: str | Path) -> list[dict[str, str]]:
    """Jobs of participants that did not end well, and why.

    Parameters
    ----------
    logs : path
        The results' folder of logs.

    Returns
    -------
    list of dict
        ``rule``, ``participant_id``, ``part`` (which of a participant's, if several) and ``reason`` of each,
        in the order of rule and participant.
    """
    jobs = []
    for note in sorted(Path(logs).glob(f"*/*{UNFINISHED}")):
        try:
            about = read_json(note)
        except InputError:  # cut short by a kill: its name tells enough
            about = {
                "rule": note.parent.name,
                "participant_id": re.split("[._]", note.name)[0],
                "part": "",
                "reason": "killed",
            }
        if about["participant_id"]:
            jobs.append(about)
    return jobs
