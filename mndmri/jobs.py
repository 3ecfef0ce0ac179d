"""What every script does first: a log, one thread count for all libraries, no calls home.

A job that has begun and not ended leaves a note of itself beside its log
(``<log>.unfinished.json``). The note goes when the job succeeds, and keeps the error
when it does not, also if the process was killed: so the participants that a group
table has to do without are known, with the reason, however a job came to its end.
"""

import atexit
import ctypes
import logging
import os
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from mndmri.io import InputError, read_json, write_json

# Parameters of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def start_job(snakemake: Any) -> logging.Logger:
    """Logger of a script, after its environment has been set up.

    Standard output and error are redirected at the level of file descriptors, because
    ANTs prints from C++; a failure is also reported on the terminal, in one line.

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
    _keep_memory()

    terminal = os.dup(2)
    with log_path.open("w", encoding="utf-8") as log_file:
        os.dup2(log_file.fileno(), 1)
        os.dup2(log_file.fileno(), 2)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    _leave_a_note(_note(log_path), snakemake, terminal)
    return logging.getLogger(snakemake.rule)


def _keep_memory() -> None:
    """Let the process keep the memory of arrays that it has done with, for the next ones.

    Given back and fetched anew page by page, as glibc does with large blocks, it took a quarter of a job's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(_MMAP_THRESHOLD, 2**30)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def _leave_a_note(note: Path, snakemake: Any, terminal: int) -> None:
    """Write the note, and arrange for it to be completed or removed."""
    participant = dict(snakemake.wildcards.items()).get("subject")
    write_json({"reason": "the job was stopped before its end (killed, or out of memory)"}, note)
    failed = False

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        nonlocal failed
        failed = True
        message = str(error) if isinstance(error, InputError) else f"{kind.__name__}: {error}"
        write_json({"reason": message}, note)
        traceback.print_exception(kind, error, trace)
        who = f"sub-{participant}: " if participant else ""
        line = message if message.startswith(who) else who + message
        os.write(terminal, f"{snakemake.rule}: {line}\n".encode())

    def clear() -> None:
        if not failed:
            note.unlink(missing_ok=True)

    sys.excepthook = tell
    atexit.register(clear)


def why_unfinished(log: str | Path) -> str | None:
    """Why the job that writes a log did not end well; None if it did, or never began."""
    note = _note(Path(log))
    return read_json(note)["reason"] if note.exists() else None


def _note(log: Path) -> Path:
    """Where the note of an unfinished job lies: beside its log."""
    return log.with_name(log.name + ".unfinished.json")
